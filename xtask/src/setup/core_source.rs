use std::process::Command;

use bpf_build::{Compiler, Missing};

use crate::process;

/// The usual way to core's source. Where it fails, the distribution's compiler comes next.
pub(super) fn from_rustup() -> Result<Compiler, Missing> {
    if process::find("rustup").is_none() {
        println!("setup: no rustup here, so core's source comes from Debian's rust-web-src");
        return Err(Missing::CoreSource);
    }
    println!("setup: adding core's source: rustup component add rust-src");
    if process::run_quietly(Command::new("rustup").args(["component", "add", "rust-src"])).is_err() {
        println!("setup: rustup can't bring it, so core's source comes from Debian's rust-web-src");
    }
    Compiler::find()
}
