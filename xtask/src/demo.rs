//! The LVS-DR tutorial, played.

use std::ffi::OsString;

use anyhow::{Result, ensure};

use crate::{process, setup};

/// Builds the product and becomes the demo, which has its own arguments.
pub(crate) fn run(arguments: &[OsString]) -> Result<()> {
    ensure!(
        process::is_root(),
        "the demo makes network namespaces and loads a BPF program, so it needs root: run `cargo xtask demo` as root, for \
         example with `sudo -E env PATH=\"$PATH\" cargo xtask demo`"
    );
    setup::ensure()?;
    process::run(process::cargo().args(["build", "--package", "lvs-userspace", "--package", "lvs-tests"]))?;
    process::become_program(
        process::cargo()
            .args(["run", "--quiet", "--package", "lvs-tests", "--bin", "demo", "--"])
            .args(arguments),
    )
}
