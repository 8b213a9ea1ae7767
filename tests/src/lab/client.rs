//! What a client does: requests, and connections that stay open.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};

use super::namespace::Namespace;

const TIME_TO_CONNECT: Duration = Duration::from_secs(5);

/// Fetches `url` with curl over a new connection, and returns the body.
///
/// # Errors
/// When curl fails, which is also for a status of 400 and above, or takes more than five seconds.
pub fn http_get(namespace: &Namespace, url: &str) -> Result<String> {
    let limits = ["--fail", "--max-time", "5", "--noproxy", "*"];
    namespace.run(&[["curl", "--silent", "--show-error"].as_slice(), &limits, &[url]].concat())
}

/// Opens a TCP connection from the namespace, which stays open until the stream is dropped.
///
/// # Errors
/// When it is refused or takes more than five seconds.
pub fn connect(namespace: &Namespace, address: SocketAddr) -> Result<TcpStream> {
    namespace
        .enter(|| TcpStream::connect_timeout(&address, TIME_TO_CONNECT))?
        .with_context(|| format!("connect to {address} from namespace {}", namespace.name()))
}
