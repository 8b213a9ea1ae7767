//! The build script of a crate that holds BPF objects.
//!
//! A build script can't tell `cargo check` from `cargo build`. So a missing tool leaves an empty object and a
//! warning, and the binary says at run time what it lacks; a build that fails with the tools there fails.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

use crate::{Compiler, DISTRIBUTION_RUSTC, Folders, Linker, Missing, PROFILE, Target};

/// Set to 1, the BPF programs are not built, for tools that only read the source.
const SKIP: &str = "LVS_XDP_SKIP_BPF";

/// What the objects are made of, seen from the workspace.
const SOURCES: &[&str] = &["Cargo.lock", "Cargo.toml", "lvs-common", "lvs-ebpf"];

/// Builds a BPF program and puts its object into the build script's `OUT_DIR`, under the program's name.
///
/// # Errors
/// When the tools are there and the build fails.
pub fn build_object(binary: &str) -> Result<()> {
    let folders = Folders::of_workspace();
    let out = PathBuf::from(env::var_os("OUT_DIR").context("OUT_DIR is not set: cargo runs this program")?);
    watch_sources(&folders);
    if env::var_os(SKIP).is_some_and(|value| value == "1") {
        return write_stub(&out.join(binary), &format!("{SKIP}=1"));
    }
    match find_tools(&folders) {
        Ok((compiler, linker)) => build(binary, &compiler, &linker, &folders, &out),
        Err(missing) => write_stub(&out.join(binary), &missing.to_string()),
    }
}

fn watch_sources(folders: &Folders) {
    println!("cargo::rerun-if-env-changed={SKIP}");
    for source in SOURCES {
        watch(&folders.root().join(source));
    }
}

fn watch(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
}

/// Watches the tools too. Cargo runs a build script again while a watched file is missing: so a tool that is
/// installed later is found by the next build, however it got there.
fn find_tools(folders: &Folders) -> Result<(Compiler, Linker), Missing> {
    let tools = Compiler::find().and_then(|compiler| Ok((compiler, Linker::find(folders)?)));
    match &tools {
        Ok((compiler, _)) if compiler.is_current() => {}
        Ok(_) => watch(Path::new(DISTRIBUTION_RUSTC)),
        Err(_) => watch(&folders.tools().join("missing")),
    }
    if let Ok((_, linker)) = &tools {
        watch(linker.path());
    }
    tools
}

fn build(binary: &str, compiler: &Compiler, linker: &Linker, folders: &Folders, out: &Path) -> Result<()> {
    let target = Target::of_build_script().context("read the target from cargo's environment")?;
    let mut command = compiler.build(linker, &target, folders);
    command.args(["--bin", binary]);
    let status = command.status().with_context(|| format!("run {command:?}"))?;
    ensure!(status.success(), "the build of the BPF programs failed ({status}): cargo's own output is above");
    let object = folders.bpf_target().join(target.triple()).join(PROFILE).join(binary);
    fs::copy(&object, out.join(binary))
        .with_context(|| format!("copy {} to {}", object.display(), out.display()))?;
    Ok(())
}

fn write_stub(stub: &Path, why: &str) -> Result<()> {
    println!("cargo::warning=the BPF programs are not built, and lvs-xdp can't start a director: {why}");
    fs::write(stub, []).with_context(|| format!("write {}", stub.display()))
}
