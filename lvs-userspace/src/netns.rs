//! Which network namespace this process works in.

use std::io;
use std::os::unix::net::UnixDatagram;

use nix::getsockopt_impl;
use nix::sys::socket::{getsockopt, sockopt::GetStruct};
use serde::{Deserialize, Serialize};

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A network namespace, told apart from every other one of this and of earlier boots.
///
/// The inode under `/proc/self/ns/net` would not do: the kernel gives it to another namespace once the first is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetnsIdentity {
    /// The kernel's number of the namespace, `SO_NETNS_COOKIE`: never given twice within one boot.
    pub cookie: u64,
    /// Random and new at each boot.
    pub boot_id: String,
}

/// The network namespace could not be identified.
#[derive(Debug, thiserror::Error)]
pub enum NetnsError {
    /// The kernel did not tell the cookie.
    #[error(
        "can't identify the network namespace (the socket option SO_NETNS_COOKIE needs Linux 5.14 or newer)"
    )]
    Cookie(#[source] io::Error),
    /// The kernel did not tell the boot.
    #[error("can't read {BOOT_ID}")]
    BootId(#[source] io::Error),
}

impl NetnsIdentity {
    /// The namespace of the calling thread.
    ///
    /// # Errors
    /// On a kernel before 5.14 or without `/proc`.
    pub fn current() -> Result<Self, NetnsError> {
        let boot_id = std::fs::read_to_string(BOOT_ID).map_err(NetnsError::BootId)?;
        Ok(Self { cookie: cookie().map_err(NetnsError::Cookie)?, boot_id: boot_id.trim_end().to_owned() })
    }
}

fn cookie() -> io::Result<u64> {
    let socket = UnixDatagram::unbound()?;
    Ok(getsockopt(&socket, NetnsCookie)?)
}

#[derive(Clone, Copy)]
struct NetnsCookie;

getsockopt_impl!(NetnsCookie, libc::SOL_SOCKET, libc::SO_NETNS_COOKIE, u64, GetStruct<u64>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_namespace_is_the_same_every_time() {
        assert_eq!(NetnsIdentity::current().unwrap(), NetnsIdentity::current().unwrap());
    }

    #[test]
    fn the_kernel_tells_a_cookie_and_a_boot() {
        let identity = NetnsIdentity::current().unwrap();
        assert_ne!(identity.cookie, 0);
        assert_eq!(identity.boot_id.len(), 36, "a UUID: {:?}", identity.boot_id);
    }
}
