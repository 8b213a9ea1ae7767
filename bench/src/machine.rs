//! Where a benchmark ran.

use std::{fmt, fs};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// What figures depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cpus: usize,
    pub(crate) virtual_machine: bool,
    pub(crate) kernel: String,
}

impl Machine {
    pub(crate) fn this() -> Result<Self> {
        let name = nix::sys::utsname::uname().context("uname")?;
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").context("read /proc/cpuinfo")?;
        Ok(Self {
            cpu: field(&cpuinfo, "model name")
                .unwrap_or_else(|| name.machine().to_string_lossy().into_owned()),
            cpus: std::thread::available_parallelism().context("count the CPUs")?.get(),
            virtual_machine: cpuinfo.contains(" hypervisor"),
            kernel: format!("{} {}", name.sysname().to_string_lossy(), name.release().to_string_lossy()),
        })
    }
}

fn field(cpuinfo: &str, name: &str) -> Option<String> {
    let line = cpuinfo.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.virtual_machine { ", a virtual machine" } else { "" };
        write!(f, "{} CPUs ({}){kind}, {}", self.cpus, self.cpu, self.kernel)
    }
}
