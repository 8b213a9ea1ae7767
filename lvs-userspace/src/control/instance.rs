//! Several directors on one machine: each is an instance with a folder, a socket and a lock of its own.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use crate::netns::{NetnsError, NetnsIdentity};

/// Where instances live unless told otherwise.
pub const RUN_DIR: &str = "/run/lvs-xdp";

const LOCK: &str = "lock";
const SOCKET: &str = "socket";
const IDENTITY: &str = "instance.json";

/// Why an instance can't be had.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// Another process has it.
    #[error(
        "a director with the instance name {name:?} is running already (process {pid}): stop it, or choose another name with --instance"
    )]
    Running {
        /// The instance.
        name: String,
        /// Who has it.
        pid: u32,
    },
    /// A file of the instance can't be used.
    #[error("{}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        cause: io::Error,
    },
    /// The name can't be a folder.
    #[error("{0:?} is no instance name: use 1 to 32 letters, digits, '-' and '_'")]
    Name(String),
    /// Nobody runs here.
    #[error(
        "no director is running in this network namespace: start one with `lvs-xdp director --interface NAME`"
    )]
    NoneHere,
    /// Nobody runs under that name.
    #[error(
        "no director with the instance name {0:?} is running: start it with `lvs-xdp director --instance {0} --interface NAME`"
    )]
    NoneNamed(String),
    /// More than one runs here.
    #[error("several directors run in this network namespace ({}): choose one with --instance or LVS_XDP_INSTANCE", .0.join(", "))]
    Several(Vec<String>),
    /// The namespace can't be identified.
    #[error(transparent)]
    Netns(#[from] NetnsError),
}

/// The name of an instance: also the name of its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceName(String);

impl FromStr for InstanceName {
    type Err = InstanceError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if (1..=32).contains(&name.len()) && name.chars().all(fits) {
            Ok(Self(name.to_owned()))
        } else {
            Err(InstanceError::Name(name.to_owned()))
        }
    }
}

impl std::fmt::Display for InstanceName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who runs as an instance, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    pid: u32,
    netns: NetnsIdentity,
    interface: String,
}

/// An instance's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    name: String,
    folder: PathBuf,
}

/// An instance that this process has. Let go when dropped, or when the process ends in any way.
#[derive(Debug)]
pub struct Claim {
    instance: Instance,
    _lock: Flock<File>,
}

impl Instance {
    /// The instance of that name.
    #[must_use]
    pub fn new(run_dir: &Path, name: &InstanceName) -> Self {
        Self { name: name.0.clone(), folder: run_dir.join(&name.0) }
    }

    /// The instance of that name if it runs, or else the only one that runs in the caller's network namespace.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn find(run_dir: &Path, name: Option<&InstanceName>) -> Result<Self, InstanceError> {
        if let Some(name) = name {
            let instance = Self::new(run_dir, name);
            return if instance.is_running() {
                Ok(instance)
            } else {
                Err(InstanceError::NoneNamed(instance.name))
            };
        }
        let here = NetnsIdentity::current()?;
        let mut found = Self::all(run_dir);
        found.retain(|instance| {
            instance.is_running() && instance.identity().is_some_and(|identity| identity.netns == here)
        });
        match found.len() {
            0 => Err(InstanceError::NoneHere),
            1 => Ok(found.remove(0)),
            _ => Err(InstanceError::Several(found.into_iter().map(|instance| instance.name).collect())),
        }
    }

    fn all(run_dir: &Path) -> Vec<Self> {
        let entries = fs::read_dir(run_dir).into_iter().flatten().flatten();
        let named = entries.filter_map(|entry| InstanceName::from_str(entry.file_name().to_str()?).ok());
        named.map(|name| Self::new(run_dir, &name)).collect()
    }

    /// Makes this process the instance.
    ///
    /// # Errors
    /// When another process has it or the folder can't be written.
    pub fn claim(self, interface: &str) -> Result<Claim, InstanceError> {
        fs::create_dir_all(&self.folder).map_err(|cause| self.failed("", cause))?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.path(LOCK))
            .map_err(|cause| self.failed(LOCK, cause))?;
        let lock = Flock::lock(lock, FlockArg::LockExclusiveNonblock).map_err(|_| self.running())?;
        let identity = Identity {
            pid: std::process::id(),
            netns: NetnsIdentity::current()?,
            interface: interface.to_owned(),
        };
        let json = serde_json::to_vec(&identity).map_err(|error| self.failed(IDENTITY, error.into()))?;
        fs::write(self.path(IDENTITY), json).map_err(|cause| self.failed(IDENTITY, cause))?;
        Ok(Claim { instance: self, _lock: lock })
    }

    fn running(&self) -> InstanceError {
        InstanceError::Running {
            name: self.name.clone(),
            pid: self.identity().map_or(0, |identity| identity.pid),
        }
    }

    /// Whether some process holds the lock: the folder of one that was killed stays.
    fn is_running(&self) -> bool {
        File::open(self.path(LOCK)).is_ok_and(|file| Flock::lock(file, FlockArg::LockSharedNonblock).is_err())
    }

    fn identity(&self) -> Option<Identity> {
        serde_json::from_slice(&fs::read(self.path(IDENTITY)).ok()?).ok()
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    fn failed(&self, file: &str, cause: io::Error) -> InstanceError {
        InstanceError::File { path: self.path(file), cause }
    }

    /// The instance's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the director listens.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.path(SOCKET)
    }

    /// The record of the virtual IP addresses that the director has added to the host.
    #[must_use]
    pub fn vip_journal(&self) -> PathBuf {
        self.path("vips.json")
    }

    /// The record of the neighbour entries that the director keeps fresh.
    #[must_use]
    pub fn neighbour_journal(&self) -> PathBuf {
        self.path("neighbours.json")
    }
}

impl Claim {
    /// The instance.
    #[must_use]
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// Opens the socket; root and the socket's group may use it.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn listen(&self) -> Result<tokio::net::UnixListener, InstanceError> {
        let failed = |cause| self.instance.failed(SOCKET, cause);
        let path = self.instance.socket();
        // We hold the lock: what is there is left over from a director that was killed.
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(failed(error));
        }
        let listener = tokio::net::UnixListener::bind(&path).map_err(failed)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o660)).map_err(failed)?;
        Ok(listener)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        for file in [SOCKET, IDENTITY, LOCK] {
            if let Err(error) = fs::remove_file(self.instance.path(file))
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!("{}: {error}", self.instance.path(file).display());
            }
        }
        // Stays when something else is in it: a journal of what could not be undone.
        let _ = fs::remove_dir(&self.instance.folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> InstanceName {
        name.parse().unwrap()
    }

    #[test]
    fn a_name_is_a_plain_folder_name() {
        for bad in ["", "a/b", "..", "a b", "é", &"x".repeat(33)] {
            assert!(bad.parse::<InstanceName>().is_err(), "{bad}");
        }
        assert!("blue-2_x".parse::<InstanceName>().is_ok());
    }

    #[test]
    fn only_one_process_has_an_instance_and_clients_find_it() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(Instance::find(dir.path(), None), Err(InstanceError::NoneHere)));
        let claim = Instance::new(dir.path(), &name("a")).claim("eth0").unwrap();
        let again = Instance::new(dir.path(), &name("a")).claim("eth0");
        assert!(matches!(again, Err(InstanceError::Running { pid, .. }) if pid == std::process::id()));
        assert_eq!(Instance::find(dir.path(), None).unwrap(), *claim.instance());
        assert_eq!(Instance::find(dir.path(), Some(&name("a"))).unwrap(), *claim.instance());
        assert!(matches!(Instance::find(dir.path(), Some(&name("b"))), Err(InstanceError::NoneNamed(_))));
        let other = Instance::new(dir.path(), &name("b")).claim("eth1").unwrap();
        assert!(matches!(Instance::find(dir.path(), None), Err(InstanceError::Several(_))));
        drop(other);
        drop(claim);
        assert!(matches!(Instance::find(dir.path(), None), Err(InstanceError::NoneHere)));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
