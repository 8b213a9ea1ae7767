//! Which director a command speaks to.

use std::path::PathBuf;

use clap::Args;

use crate::control::api::client::Client;
use crate::control::instance::{Instance, InstanceError, InstanceName, RUN_DIR};

/// Chooses a running director.
#[derive(Debug, Args)]
pub(super) struct Target {
    /// The director's instance name [default: the one that runs in this network namespace]
    #[arg(long, value_name = "NAME", env = "LVS_XDP_INSTANCE")]
    instance: Option<InstanceName>,

    /// Folder of the instances' sockets and records
    #[arg(long, value_name = "FOLDER", env = "LVS_XDP_RUN_DIR", default_value = RUN_DIR)]
    run_dir: PathBuf,
}

impl Target {
    /// From the environment alone, for a command line that is ipvsadm's.
    pub(super) fn from_environment() -> Result<Self, InstanceError> {
        let instance = std::env::var("LVS_XDP_INSTANCE").ok().map(|name| name.parse()).transpose()?;
        let run_dir =
            std::env::var_os("LVS_XDP_RUN_DIR").map_or_else(|| PathBuf::from(RUN_DIR), PathBuf::from);
        Ok(Self { instance, run_dir })
    }

    pub(super) fn client(&self) -> Result<Client, InstanceError> {
        let instance = Instance::find(&self.run_dir, self.instance.as_ref())?;
        Ok(Client::new(&instance.socket()))
    }
}
