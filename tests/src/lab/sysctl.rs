//! Settings under `/proc/sys`, as a namespace sees them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::namespace::Namespace;

impl Namespace {
    /// The value of a setting, such as `net/ipv4/conf/all/arp_ignore`.
    ///
    /// # Errors
    /// When there is no such setting.
    pub fn sysctl(&self, setting: &str) -> Result<String> {
        let value = self.enter(|| fs::read_to_string(Path::new("/proc/sys").join(setting)))?;
        let value = value.with_context(|| format!("read sysctl {setting} in namespace {}", self.name()))?;
        Ok(value.trim_end().to_owned())
    }

    /// Sets one setting.
    ///
    /// # Errors
    /// When there is no such setting or the value is refused.
    pub fn set_sysctl(&self, setting: &str, value: &str) -> Result<()> {
        self.set_sysctls([(setting, value)])
    }

    /// Sets several settings in their order.
    ///
    /// # Errors
    /// At the first setting that does not exist or refuses its value.
    pub fn set_sysctls<'a>(
        &self,
        settings: impl IntoIterator<Item = (&'a str, &'a str)> + Send,
    ) -> Result<()> {
        self.enter(|| settings.into_iter().try_for_each(|(setting, value)| write(setting, value)))?
            .with_context(|| format!("in namespace {}", self.name()))
    }

    /// Whether the kernel has this setting in this namespace.
    pub(super) fn has_sysctl(&self, setting: &str) -> Result<bool> {
        self.enter(|| Path::new("/proc/sys").join(setting).exists())
    }
}

fn write(setting: &str, value: &str) -> Result<()> {
    fs::write(Path::new("/proc/sys").join(setting), value)
        .with_context(|| format!("set sysctl {setting} to {value}"))
}
