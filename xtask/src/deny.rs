//! cargo-deny.

use std::{
    net::{TcpStream, ToSocketAddrs as _},
    path::PathBuf,
    process::Command,
    time::Duration,
};

use anyhow::Result;
use bpf_build::Folders;

use crate::process;

const VERSION: &str = "0.20.2";

/// Where the advisory database comes from.
const ADVISORIES: (&str, u16) = ("github.com", 443);

/// Checks licences, bans and sources, which needs no network, and advisories where their database can be
/// reached.
pub(crate) fn run() -> Result<()> {
    let mut deny = Command::new(find_or_install()?);
    deny.current_dir(Folders::of_workspace().root());
    deny.args(["--locked", "--log-level", "error", "check", "licenses", "bans", "sources"]);
    if can_reach_advisories() {
        deny.arg("advisories");
    } else {
        println!("deny: advisories are not checked, as {} can't be reached", ADVISORIES.0);
    }
    process::run(&mut deny)
}

fn can_reach_advisories() -> bool {
    const PATIENCE: Duration = Duration::from_secs(3);
    let addresses = ADVISORIES.to_socket_addrs().into_iter().flatten();
    addresses.take(3).any(|address| TcpStream::connect_timeout(&address, PATIENCE).is_ok())
}

fn find_or_install() -> Result<PathBuf> {
    let tools = Folders::of_workspace().tools();
    let own = tools.join("bin/cargo-deny");
    if let Some(found) = process::find("cargo-deny").or_else(|| own.is_file().then(|| own.clone())) {
        return Ok(found);
    }
    println!("deny: building cargo-deny {VERSION} into {} (some minutes)", tools.display());
    let package = format!("cargo-deny@{VERSION}");
    process::run(process::cargo().args(["install", "--quiet", "--locked", &package, "--root"]).arg(tools))?;
    Ok(own)
}
