//! The settings under `/proc/sys/net/ipv4/conf`, which belong to the calling thread's network namespace.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

use super::found::Conf;
use super::setting::{Parameter, Setting};

/// Reads and writes `net.ipv4.conf`.
#[derive(Debug)]
pub struct Sysctl {
    conf: PathBuf,
}

/// A setting could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SysctlError {
    /// Reading failed.
    #[error("can't read net.ipv4.conf.{interface}.{parameter}")]
    Read {
        /// The interface, or `all`.
        interface: String,
        /// The parameter's name.
        parameter: &'static str,
        /// Why.
        source: io::Error,
    },
    /// Writing failed.
    #[error("can't set {setting} to {value}")]
    Write {
        /// Which one.
        setting: Setting,
        /// What it should become.
        value: i32,
        /// Why.
        source: io::Error,
    },
}

impl Default for Sysctl {
    fn default() -> Self {
        Self { conf: PathBuf::from("/proc/sys/net/ipv4/conf") }
    }
}

impl Sysctl {
    /// The settings of one interface, or of `all`.
    ///
    /// # Errors
    /// When one of them can't be read or is no number.
    pub fn conf(&self, interface: &str) -> Result<Conf, SysctlError> {
        Ok(Conf {
            arp_ignore: self.read(interface, Parameter::ArpIgnore)?,
            arp_announce: self.read(interface, Parameter::ArpAnnounce)?,
            rp_filter: self.read(interface, Parameter::RpFilter)?,
            proxy_arp: self.read(interface, Parameter::ProxyArp)?,
        })
    }

    /// Gives a setting a value.
    ///
    /// # Errors
    /// When the kernel refuses, for example because `/proc/sys` is read-only.
    pub fn set(&self, setting: Setting, value: i32) -> Result<(), SysctlError> {
        let path = self.path(setting.interface(), setting.parameter());
        OpenOptions::new()
            .write(true)
            .open(path)
            .and_then(|mut file| file.write_all(value.to_string().as_bytes()))
            .map_err(|source| SysctlError::Write { setting, value, source })
    }

    fn read(&self, interface: &str, parameter: Parameter) -> Result<i32, SysctlError> {
        fs::read_to_string(self.path(interface, parameter))
            .and_then(|text| text.trim_end().parse().map_err(io::Error::other))
            .map_err(|source| SysctlError::Read {
                interface: interface.to_owned(),
                parameter: parameter.name(),
                source,
            })
    }

    fn path(&self, interface: &str, parameter: Parameter) -> PathBuf {
        self.conf.join(interface).join(parameter.name())
    }
}

impl SysctlError {
    /// Whether the interface is not there (any more).
    #[must_use]
    pub fn is_missing_interface(&self) -> bool {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. } => {
                source.kind() == io::ErrorKind::NotFound
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conf_of(interface: &str, values: [(&str, &str); 4]) -> (tempfile::TempDir, Sysctl) {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(interface)).unwrap();
        for (name, value) in values {
            fs::write(folder.path().join(interface).join(name), value).unwrap();
        }
        let sysctl = Sysctl { conf: folder.path().to_owned() };
        (folder, sysctl)
    }

    const VALUES: [(&str, &str); 4] =
        [("arp_ignore", "1\n"), ("arp_announce", "2\n"), ("rp_filter", "0\n"), ("proxy_arp", "-7\n")];

    #[test]
    fn values_are_read_from_their_own_files() {
        let (_folder, sysctl) = conf_of("eth0.100", VALUES);
        let expected = Conf { arp_ignore: 1, arp_announce: 2, rp_filter: 0, proxy_arp: -7 };
        assert_eq!(sysctl.conf("eth0.100").unwrap(), expected);
    }

    #[test]
    fn what_is_set_is_read_back() {
        let (_folder, sysctl) = conf_of("all", VALUES);
        sysctl.set(Setting::AllArpIgnore, 8).unwrap();
        assert_eq!(sysctl.conf("all").unwrap().arp_ignore, 8);
    }

    #[test]
    fn a_missing_interface_is_told_from_other_failures() {
        let (_folder, sysctl) = conf_of("all", [("arp_ignore", "many"), VALUES[1], VALUES[2], VALUES[3]]);
        assert!(sysctl.conf("eth9").unwrap_err().is_missing_interface());
        let error = sysctl.conf("all").unwrap_err();
        assert!(!error.is_missing_interface());
        assert_eq!(error.to_string(), "can't read net.ipv4.conf.all.arp_ignore");
    }

    #[test]
    fn a_setting_that_does_not_exist_is_not_made() {
        let (folder, sysctl) = conf_of("all", VALUES);
        assert!(sysctl.set(Setting::LoArpIgnore, 1).is_err());
        assert!(!folder.path().join("lo").exists());
    }
}
