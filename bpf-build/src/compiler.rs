use std::{
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Folders, Linker, Missing, PACKAGE, PROFILE, Target};

/// The major version of LLVM that `bpf-linker` is built with: it reads no bitcode of a newer one.
pub const LLVM_MAJOR: u32 = 22;

/// The distribution's compiler, asked when the current toolchain lacks the source of `core`.
pub const DISTRIBUTION_RUSTC: &str = "/usr/bin/rustc";

/// A compiler that can compile `core` for BPF: its sysroot holds the source, and its bitcode can be linked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiler {
    rustc: OsString,
    release: String,
    is_current: bool,
}

impl Compiler {
    /// The current toolchain's compiler where it will do, else the distribution's.
    ///
    /// # Errors
    /// [`Missing::CoreSource`] when neither will do.
    pub fn find() -> Result<Self, Missing> {
        Self::current().or_else(Self::distribution).ok_or(Missing::CoreSource)
    }

    fn current() -> Option<Self> {
        Self::probe(&env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()), true)
    }

    fn distribution() -> Option<Self> {
        Self::probe(OsStr::new(DISTRIBUTION_RUSTC), false)
    }

    fn probe(rustc: &OsStr, is_current: bool) -> Option<Self> {
        let sysroot = PathBuf::from(ask(rustc, &["--print", "sysroot"])?.trim());
        let core = sysroot.join("lib/rustlib/src/rust/library/core/src/lib.rs");
        let release = core.is_file().then(|| fitting_release(&ask(rustc, &["-vV"])?))??;
        Some(Self { rustc: rustc.to_owned(), release, is_current })
    }

    /// The version, and where it is from.
    #[must_use]
    pub fn description(&self) -> String {
        let origin = if self.is_current { "the current toolchain" } else { DISTRIBUTION_RUSTC };
        format!("rustc {} of {origin}", self.release)
    }

    /// Whether this is the compiler that the rest of the workspace is compiled with.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.is_current
    }

    /// `cargo build` of the BPF programs.
    #[must_use]
    pub fn build(&self, linker: &Linker, target: &Target, folders: &Folders) -> Command {
        let mut command = Command::new(cargo());
        command.arg("build").env(target.linker_variable(), linker.path());
        self.prepare(&mut command, target, folders);
        command
    }

    /// `cargo clippy` of the BPF programs. It needs no linker.
    #[must_use]
    pub fn clippy(&self, target: &Target, folders: &Folders) -> Command {
        let mut command = match self.own_cargo_clippy() {
            Some(cargo_clippy) => Command::new(cargo_clippy),
            None => Command::new(cargo()),
        };
        command.arg("clippy").env("CARGO", cargo());
        self.prepare(&mut command, target, folders);
        command
    }

    /// The distribution's clippy is called directly, as it is no part of the toolchain that cargo belongs to.
    fn own_cargo_clippy(&self) -> Option<PathBuf> {
        (!self.is_current).then(|| Path::new(&self.rustc).with_file_name("cargo-clippy"))
    }

    fn prepare(&self, command: &mut Command, target: &Target, folders: &Folders) {
        forget_outer_cargo(command);
        command
            .args(["--locked", "-Zbuild-std=core", "--package", PACKAGE, "--profile", PROFILE])
            .args(["--target", target.triple()])
            .arg("--target-dir")
            .arg(folders.bpf_target())
            .current_dir(folders.root())
            .env("RUSTC", &self.rustc)
            // Lets a stable compiler build core.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_ENCODED_RUSTFLAGS", target.rustflags());
    }
}

fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn ask(rustc: &OsStr, arguments: &[&str]) -> Option<String> {
    let output = Command::new(rustc).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The release in what `rustc -vV` prints, if it is not too old for the workspace and not too new for the
/// linker.
fn fitting_release(verbose: &str) -> Option<String> {
    let field = |name| verbose.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let release = field("release:")?;
    let llvm = major_and_minor(field("LLVM version:")?)?.0;
    let fits =
        major_and_minor(release)? >= major_and_minor(env!("CARGO_PKG_RUST_VERSION"))? && llvm <= LLVM_MAJOR;
    fits.then(|| release.to_owned())
}

fn major_and_minor(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Removes what cargo sets for build scripts and `cargo run`: a nested cargo would take it for the user's
/// wish, or build again whenever it is called from elsewhere.
fn forget_outer_cargo(command: &mut Command) {
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(is_from_outer_cargo) {
            command.env_remove(name);
        }
    }
}

fn is_from_outer_cargo(variable: &str) -> bool {
    const NAMES: &[&str] = &["DEBUG", "HOST", "NUM_JOBS", "OPT_LEVEL", "OUT_DIR", "PROFILE", "TARGET"];
    const PREFIXES: &[&str] = &[
        "CARGO_CFG_",
        "CARGO_ENCODED_",
        "CARGO_FEATURE_",
        "CARGO_MANIFEST_",
        "CARGO_PKG_",
        "DEP_",
        "RUSTC",
        "RUSTDOC",
    ];
    NAMES.contains(&variable) || PREFIXES.iter().any(|prefix| variable.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verbose(release: &str, llvm: &str) -> String {
        format!("rustc {release}\nbinary: rustc\nrelease: {release}\nLLVM version: {llvm}\n")
    }

    #[test]
    fn a_compiler_older_than_the_workspace_needs_does_not_fit() {
        assert_eq!(fitting_release(&verbose("1.95.0", "22.1.2")).as_deref(), Some("1.95.0"));
        assert_eq!(fitting_release(&verbose("1.63.0", "14.0.5")), None);
    }

    #[test]
    fn a_compiler_whose_bitcode_the_linker_cannot_read_does_not_fit() {
        assert_eq!(fitting_release(&verbose("1.97.0-nightly", "22.1.4")).as_deref(), Some("1.97.0-nightly"));
        assert_eq!(fitting_release(&verbose("1.99.0", "23.1.0")), None);
    }

    #[test]
    fn the_nested_cargo_keeps_the_users_variables_only() {
        for kept in ["CARGO_HOME", "CARGO_MAKEFLAGS", "CARGO_NET_OFFLINE", "PATH", "RUSTUP_TOOLCHAIN"] {
            assert!(!is_from_outer_cargo(kept), "{kept} should be kept");
        }
        for removed in ["CARGO_CFG_TARGET_ARCH", "OUT_DIR", "RUSTC_WRAPPER", "TARGET"] {
            assert!(is_from_outer_cargo(removed), "{removed} should be removed");
        }
    }
}
