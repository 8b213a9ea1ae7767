//! How the BPF side of `lvs-xdp` is built: which compiler, which linker, which flags.
//!
//! The build script of `lvs-userspace` builds with it, `cargo xtask` checks, installs and lints with it, so
//! that both always mean the same tools. It finds and never installs.

mod compiler;
mod folders;
mod linker;
mod script;
mod target;

pub use compiler::{Compiler, DISTRIBUTION_RUSTC, LLVM_MAJOR};
pub use folders::Folders;
pub use linker::{LINKER_VERSION, Linker};
pub use script::build_object;
pub use target::Target;

/// The package that holds the BPF programs.
pub const PACKAGE: &str = "lvs-ebpf";

/// The profile in the workspace's Cargo.toml that they are built with.
pub const PROFILE: &str = "bpf";

/// The director: a binary of [`PACKAGE`] becomes one object.
pub const DIRECTOR: &str = "lvs-xdp-director";

/// What the director is measured with and against.
pub const BENCH: &str = "lvs-xdp-bench";

/// A piece of the BPF toolchain that is not on this machine.
#[derive(Debug, thiserror::Error)]
pub enum Missing {
    /// No compiler can compile `core` for BPF.
    #[error(
        "core's source for a rustc of {} or newer with LLVM {LLVM_MAJOR} is missing: run \
         `cargo xtask setup`, or by hand `rustup component add rust-src` (on Debian 12 also: \
         `apt-get install rustc-web rust-web-src`)",
        env!("CARGO_PKG_RUST_VERSION")
    )]
    CoreSource,
    /// Nothing can link the program.
    #[error(
        "bpf-linker {LINKER_VERSION} or newer is missing: run `cargo xtask setup`, or by hand \
         `cargo install bpf-linker --locked` with LLVM {LLVM_MAJOR} installed"
    )]
    Linker,
}
