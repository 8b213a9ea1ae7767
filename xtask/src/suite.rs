//! Building the workspace and running its tests.

use std::ffi::OsString;

use anyhow::{Result, ensure};
use bpf_build::PACKAGE;

use crate::{process, setup};

/// Becomes `cargo build`.
pub(crate) fn build(arguments: &[OsString]) -> Result<()> {
    setup::ensure()?;
    process::become_program(process::cargo().arg("build").args(arguments))
}

/// Becomes `cargo test` of everything that runs on this machine.
pub(crate) fn test(arguments: &[OsString]) -> Result<()> {
    ensure!(
        process::is_root(),
        "the tests make network namespaces and load BPF programs, so they need root: run `cargo xtask test` \
         as root, for example with `sudo -E env PATH=\"$PATH\" cargo xtask test`"
    );
    setup::ensure()?;
    process::become_program(
        process::cargo().args(["test", "--workspace", "--exclude", PACKAGE]).args(arguments),
    )
}

/// Becomes the packet fixtures, which have their own arguments.
pub(crate) fn fixtures(arguments: &[OsString]) -> Result<()> {
    setup::ensure()?;
    let fixtures = ["run", "--quiet", "--package", "lvs-tests", "--bin", "fixtures", "--"];
    process::become_program(process::cargo().args(fixtures).args(arguments))
}
