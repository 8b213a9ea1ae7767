//! The LVS-DR tutorial, played.

use std::ffi::OsString;

use anyhow::Result;

use crate::{process, setup};

/// Becomes the demo, which has its own arguments.
pub(crate) fn run(arguments: &[OsString]) -> Result<()> {
    setup::ensure()?;
    let demo = ["run", "--quiet", "--package", "lvs-tests", "--bin", "demo", "--"];
    process::become_program(process::cargo().args(demo).args(arguments))
}
