//! `lvs-xdp director`: runs a director in the foreground.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use nix::unistd::geteuid;

use super::ipvsadm::{Rules, RulesError, SystemNames, parse_rules};
use super::{not_understood, runtime};
use crate::control::daemon::{self, DaemonError, Settings};
use crate::control::instance::{Instance, InstanceName, RUN_DIR};
use crate::dataplane::{DataplaneError, Sizes, XdpMode, object};

/// `lvs-xdp director`
#[derive(Debug, Args)]
pub(super) struct Director {
    /// The interface on which packets for the virtual services arrive
    #[arg(long, value_name = "NAME")]
    interface: String,

    /// Name of this director, where several run on one machine
    #[arg(long, value_name = "NAME", env = "LVS_XDP_INSTANCE", default_value = "default")]
    instance: InstanceName,

    /// Start with these rules: a file in the form of ipvsadm-save
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,

    /// Put each VIP on the interface while a service needs it, and announce it by gratuitous ARP
    #[arg(long)]
    manage_vips: bool,

    /// Where in the receive path the program runs
    #[arg(long, value_enum, default_value = "auto")]
    xdp_mode: Mode,

    /// Connections for which the table has comfortable room, 32 bytes each
    #[arg(long, value_name = "NUMBER", default_value_t = Sizes::default().connections,
          value_parser = clap::value_parser!(u32).range(1..=1 << 27))]
    connections: u32,

    /// Folder of the instances' sockets and records
    #[arg(long, value_name = "FOLDER", env = "LVS_XDP_RUN_DIR", default_value = RUN_DIR)]
    run_dir: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Mode {
    /// In the driver if it can, else generic
    Auto,
    /// In the driver, or not at all
    Driver,
    /// Behind the driver: works everywhere, several times slower
    Generic,
}

impl Director {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let object = object::director()?;
        let rules = match self.read_rules()? {
            Ok(rules) => rules,
            Err(error) => return Ok(not_understood(&format!("{}: {error}", self.rules_name()))),
        };
        if !geteuid().is_root() {
            bail!(DataplaneError::Permission);
        }
        let claim = Instance::new(&self.run_dir, &self.instance).claim(&self.interface)?;
        let changes = rules.changes.clone();
        match runtime()?.block_on(daemon::run(&claim, &self.settings(), object, changes)) {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(DaemonError::Refused(refusal)) => {
                let refused = refusal.error.to_string();
                match rules.refused(refusal.position, refusal.error) {
                    Some(error) => Err(error).context(self.rules_name()),
                    None => bail!(refused),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    fn settings(&self) -> Settings {
        Settings {
            interface: self.interface.clone(),
            mode: match self.xdp_mode {
                Mode::Auto => None,
                Mode::Driver => Some(XdpMode::Driver),
                Mode::Generic => Some(XdpMode::Generic),
            },
            manage_vips: self.manage_vips,
            sizes: Sizes { connections: self.connections, ..Sizes::default() },
        }
    }

    /// The inner error is about what stands in the file.
    fn read_rules(&self) -> anyhow::Result<Result<Rules, RulesError>> {
        let Some(path) = &self.rules else {
            return Ok(Ok(Rules::default()));
        };
        let text = fs::read_to_string(path).with_context(|| self.rules_name())?;
        Ok(parse_rules(&text, &SystemNames::new()?))
    }

    fn rules_name(&self) -> String {
        self.rules.as_ref().map_or_else(String::new, |path| path.display().to_string())
    }
}
