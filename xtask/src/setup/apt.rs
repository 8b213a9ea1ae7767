use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::needs::Need;
use crate::process;

/// Debian asks this program before it starts a service at installation.
const SERVICE_POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs the packages of what is missing, or says how to.
pub(super) fn install(needs: &[&Need]) -> Result<()> {
    if !process::is_root() || process::find("apt-get").is_none() {
        bail!(by_hand(needs));
    }
    install_packages(needs).with_context(|| by_hand(needs))?;
    if brings_nginx(needs) { keep_nginx_from_starting() } else { Ok(()) }
}

fn install_packages(needs: &[&Need]) -> Result<()> {
    let _no_services = ServicePolicy::deny(Path::new(SERVICE_POLICY))?;
    println!("setup: apt-get update");
    process::run_quietly(apt_get().arg("update"))?;
    let mut install = apt_get();
    install.args(["install", "--yes", "--no-install-recommends"]).args(packages(needs));
    println!("setup: {}", process::line(&install));
    process::run_quietly(&mut install)
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn packages<'a>(needs: &'a [&Need]) -> impl Iterator<Item = &'static str> + 'a {
    needs.iter().map(|need| need.package())
}

fn by_hand(needs: &[&Need]) -> String {
    let list: Vec<String> = needs.iter().map(|need| format!("  {need}")).collect();
    let packages: Vec<&str> = packages(needs).collect();
    let mut commands =
        format!("  apt-get update\n  apt-get install --no-install-recommends {}", packages.join(" "));
    if brings_nginx(needs) {
        commands +=
            "\n  systemctl disable --now nginx   # the package starts a service; only the program is needed";
    }
    format!(
        "these are missing, and only root on a Debian-like system can install them:\n{}\n\
         on Debian, as root:\n{commands}\nthen run `cargo xtask setup` again",
        list.join("\n")
    )
}

fn brings_nginx(needs: &[&Need]) -> bool {
    needs.iter().any(|need| need.package() == "nginx-light")
}

/// The tests run the nginx program; the service would take port 80 when this machine starts again.
fn keep_nginx_from_starting() -> Result<()> {
    println!("setup: leaving the nginx service disabled: update-rc.d nginx disable");
    process::run_quietly(Command::new("update-rc.d").args(["nginx", "disable"]))
}

/// While it lives, installed packages don't start their services. A policy that was there is left alone.
struct ServicePolicy(Option<PathBuf>);

impl ServicePolicy {
    fn deny(path: &Path) -> Result<Self> {
        match fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(path) {
            Ok(mut file) => {
                file.write_all(b"#!/bin/sh\nexit 101\n")?;
                Ok(Self(Some(path.to_owned())))
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Self(None)),
            Err(error) => Err(error).with_context(|| format!("write {}", path.display())),
        }
    }
}

impl Drop for ServicePolicy {
    fn drop(&mut self) {
        let Some(path) = &self.0 else { return };
        if let Err(error) = fs::remove_file(path) {
            eprintln!("setup: remove {} by hand, it keeps services from starting: {error}", path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_policy_of_our_own_is_removed() {
        let path = tempfile::tempdir().unwrap().keep().join("policy-rc.d");
        let policy = ServicePolicy::deny(&path).unwrap();
        assert!(path.exists());
        drop(policy);
        assert!(!path.exists());
    }

    #[test]
    fn a_service_policy_that_was_there_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy-rc.d");
        fs::write(&path, "theirs").unwrap();
        drop(ServicePolicy::deny(&path).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
    }
}
