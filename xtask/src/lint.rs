//! Format and clippy, on both sides.

use anyhow::Result;
use bpf_build::{Compiler, Folders, PACKAGE, Target};

use crate::{process, setup};

const DENY_WARNINGS: &[&str] = &["--", "-D", "warnings"];

/// Checks the format, then the user side, then the kernel side: in one run, features that the user side
/// switches on would pull `std` into the kernel side.
pub(crate) fn run() -> Result<()> {
    setup::ensure()?;
    process::run(process::cargo().args(["fmt", "--all", "--check"]))?;
    let user_side = ["clippy", "--workspace", "--exclude", PACKAGE, "--all-targets", "--locked"];
    process::run(process::cargo().args(user_side).args(DENY_WARNINGS))?;
    let mut kernel_side = Compiler::find()?.clippy(&Target::host(), &Folders::of_workspace());
    process::run(kernel_side.args(DENY_WARNINGS))
}
