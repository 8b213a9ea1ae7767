//! What can be asked of the director, and how it can refuse.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::service::{ServerOptions, ServiceAddress, ServiceOptions};

/// One change of the director's configuration. A batch of them is applied whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// `ipvsadm -A`
    AddService {
        /// Which service.
        service: ServiceAddress,
        /// Its settings.
        options: ServiceOptions,
    },
    /// `ipvsadm -E`: replaces every setting.
    EditService {
        /// Which service.
        service: ServiceAddress,
        /// Its settings.
        options: ServiceOptions,
    },
    /// `ipvsadm -D`
    DeleteService {
        /// Which service.
        service: ServiceAddress,
    },
    /// `ipvsadm -C`: deletes every service.
    Clear,
    /// `ipvsadm -a`
    AddServer {
        /// Which service.
        service: ServiceAddress,
        /// Which real server.
        server: SocketAddr,
        /// Its settings.
        options: ServerOptions,
    },
    /// `ipvsadm -e`: replaces every setting.
    EditServer {
        /// Which service.
        service: ServiceAddress,
        /// Which real server.
        server: SocketAddr,
        /// Its settings.
        options: ServerOptions,
    },
    /// `ipvsadm -d`
    DeleteServer {
        /// Which service.
        service: ServiceAddress,
        /// Which real server.
        server: SocketAddr,
    },
    /// `ipvsadm -Z`: the counters of one service with its real servers, or of all, start again at 0.
    Zero {
        /// Which service; all when absent.
        service: Option<ServiceAddress>,
    },
}

/// Why a change was refused. The texts are ipvsadm's where it has one (libipvs, `ipvs_strerror`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "error", rename_all = "snake_case")]
pub enum ChangeError {
    /// `-A` of a service that is there.
    #[error("Service already exists")]
    ServiceExists,
    /// `-E`, `-D`, `-Z` or a listing of a service that is not there.
    #[error("No such service")]
    NoSuchService,
    /// `-a`, `-e` or `-d` for a service that is not there.
    #[error("Service not defined")]
    ServiceNotDefined,
    /// `-a` of a real server that is there.
    #[error("Destination already exists")]
    ServerExists,
    /// `-e` or `-d` of a real server that is not there.
    #[error("No such destination")]
    NoSuchServer,
    /// An address that can't be a real server's: multicast, broadcast, 0/8.
    #[error("Invalid operation.  Possibly wrong module version, address not unicast, ...")]
    NotUnicast,
    /// A table of the director is full.
    #[error("no room for another {what}: the director holds at most {limit}")]
    Full {
        /// What there is no room for.
        what: String,
        /// How many fit.
        limit: u32,
    },
    /// The change is understood, but the kernel or the host refused its effect.
    #[error("{0}")]
    Failed(String),
}
