//! What the data path costs.

use std::ffi::OsString;

use anyhow::Result;

use crate::{process, setup};

/// Becomes the benchmark, which has its own arguments.
pub(crate) fn run(arguments: &[OsString]) -> Result<()> {
    setup::ensure()?;
    let bench = ["run", "--quiet", "--release", "--package", "lvs-bench", "--bin", "bench", "--"];
    process::become_program(process::cargo().args(bench).args(arguments))
}
