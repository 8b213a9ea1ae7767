use std::env;

/// What the BPF program is compiled for: the byte order and the architecture of the machine that will run it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    big_endian: bool,
    arch: String,
}

impl Target {
    /// The target of the package whose build script is running.
    ///
    /// # Errors
    /// Outside of a build script, where cargo does not set `CARGO_CFG_TARGET_*`.
    pub fn of_build_script() -> Result<Self, env::VarError> {
        let big_endian = env::var("CARGO_CFG_TARGET_ENDIAN")? == "big";
        Ok(Self { big_endian, arch: env::var("CARGO_CFG_TARGET_ARCH")? })
    }

    /// This machine.
    #[must_use]
    pub fn host() -> Self {
        Self { big_endian: cfg!(target_endian = "big"), arch: env::consts::ARCH.to_owned() }
    }

    /// The compiler's name for it.
    #[must_use]
    pub fn triple(&self) -> &'static str {
        if self.big_endian { "bpfeb-unknown-none" } else { "bpfel-unknown-none" }
    }

    /// Cargo's name of the variable that says which linker to use for it.
    pub(crate) fn linker_variable(&self) -> String {
        format!("CARGO_TARGET_{}_LINKER", self.triple().replace('-', "_").to_uppercase())
    }

    /// The flags that every crate of the BPF program is compiled with, as cargo separates them.
    pub(crate) fn rustflags(&self) -> String {
        let arch = format!("--cfg=bpf_target_arch=\"{}\"", self.arch);
        [
            arch.as_str(),
            "-Cdebuginfo=2",
            // Atomic operations that fetch, and 32-bit jumps.
            "-Ctarget-cpu=v3",
            "-Clink-arg=--btf",
            // Without it LLVM 22 reads every byte array byte by byte.
            "-Clink-arg=--cpu-features=+allows-misaligned-mem-access",
        ]
        .join("\x1f")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_byte_order_picks_the_triple_and_the_linker_variable() {
        let target = |big_endian| Target { big_endian, arch: "s390x".into() };
        assert_eq!(target(true).triple(), "bpfeb-unknown-none");
        assert_eq!(target(false).linker_variable(), "CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER");
    }

    #[test]
    fn aya_is_told_the_architecture_whose_registers_a_program_sees() {
        let target = Target { big_endian: false, arch: "aarch64".into() };
        assert!(target.rustflags().starts_with("--cfg=bpf_target_arch=\"aarch64\"\x1f"));
    }
}
