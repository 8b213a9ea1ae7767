use anyhow::Result;
use bpf_build::{Folders, LINKER_VERSION, LLVM_MAJOR};

use crate::process;

/// Builds `bpf-linker` into the workspace's own tools, against the distribution's LLVM.
pub(super) fn install(folders: &Folders) -> Result<()> {
    let tools = folders.tools();
    println!("setup: building bpf-linker {LINKER_VERSION} into {} (about a minute)", tools.display());
    let mut install = process::cargo();
    install
        .args(["install", "--quiet", "--locked", "--force", "--no-default-features"])
        .args(["--features", &format!("llvm-{LLVM_MAJOR}")])
        .arg(format!("bpf-linker@{LINKER_VERSION}"))
        .arg("--root")
        .arg(tools)
        // Without it the build script looks in /usr/lib64.
        .env("LLVM_PREFIX", format!("/usr/lib/llvm-{LLVM_MAJOR}"));
    process::run(&mut install)
}
