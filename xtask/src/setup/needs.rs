use std::{fmt, path::Path, process::Command};

use crate::process;

/// Something that a Debian package brings.
#[derive(Debug)]
pub(super) struct Need {
    what: &'static str,
    found: Found,
    package: &'static str,
}

/// How to see that it is there.
#[derive(Debug)]
enum Found {
    Program(&'static str),
    /// A program by this name that says this word of its version: others have the same name.
    Variant(&'static str, &'static str),
    File(&'static str),
    /// Asked for only when the search for a compiler found that what is there does not fit.
    Never,
}

/// What the demo and the tests run.
const PROGRAMS: &[Need] = &[
    Need { what: "C compiler", found: Found::Program("cc"), package: "gcc" },
    Need { what: "ip", found: Found::Program("ip"), package: "iproute2" },
    Need { what: "ethtool", found: Found::Program("ethtool"), package: "ethtool" },
    Need { what: "bpftool", found: Found::Program("bpftool"), package: "bpftool" },
    Need { what: "nginx", found: Found::Program("nginx"), package: "nginx-light" },
    Need { what: "curl", found: Found::Program("curl"), package: "curl" },
    Need { what: "arping of iputils", found: Found::Variant("arping", "iputils"), package: "iputils-arping" },
    Need { what: "ping", found: Found::Program("ping"), package: "iputils-ping" },
    Need { what: "tcpdump", found: Found::Program("tcpdump"), package: "tcpdump" },
];

/// What a `bpf-linker` is built with.
const LINKER_BUILD: &[Need] = &[
    Need { what: "C++ compiler", found: Found::Program("c++"), package: "g++" },
    Need {
        what: "LLVM 22",
        found: Found::File("/usr/lib/llvm-22/include/llvm-c/Core.h"),
        package: "llvm-22-dev",
    },
    Need {
        what: "Polly 22",
        found: Found::File("/usr/lib/llvm-22/lib/libPolly.a"),
        package: "libpolly-22-dev",
    },
];

/// A compiler with the source of core, for a toolchain that has none.
const DISTRIBUTION_COMPILER: &[Need] = &[
    Need { what: "a second rustc", found: Found::Never, package: "rustc-web" },
    Need { what: "its source of core", found: Found::Never, package: "rust-web-src" },
    DISTRIBUTION_CLIPPY,
];

const DISTRIBUTION_CLIPPY: Need = Need {
    what: "the second rustc's clippy",
    found: Found::File("/usr/bin/cargo-clippy"),
    package: "rust-web-clippy",
};

/// What of the programs is missing.
pub(super) fn of_programs() -> Vec<&'static Need> {
    missing(PROGRAMS)
}

/// What a linker can't be built without.
pub(super) fn of_linker_build() -> Vec<&'static Need> {
    missing(LINKER_BUILD)
}

/// What makes the distribution's compiler one that fits.
pub(super) fn of_distribution_compiler() -> Vec<&'static Need> {
    missing(DISTRIBUTION_COMPILER)
}

/// What linting with the distribution's compiler takes.
pub(super) fn of_distribution_clippy() -> Vec<&'static Need> {
    missing(&[DISTRIBUTION_CLIPPY])
}

fn missing(needs: &'static [Need]) -> Vec<&'static Need> {
    needs.iter().filter(|need| !need.found.now()).collect()
}

impl Need {
    /// The Debian package that brings it.
    pub(super) fn package(&self) -> &'static str {
        self.package
    }
}

impl fmt::Display for Need {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} (Debian package {})", self.what, self.package)
    }
}

impl Found {
    fn now(&self) -> bool {
        match self {
            Self::Program(name) => process::find(name).is_some(),
            Self::Variant(name, word) => process::find(name).is_some_and(|program| says(&program, word)),
            Self::File(path) => Path::new(path).exists(),
            Self::Never => false,
        }
    }
}

fn says(program: &Path, word: &str) -> bool {
    let output = Command::new(program).arg("-V").output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_need_is_found_by_program_word_or_file() {
        assert!(Found::Program("sh").now());
        assert!(!Found::Program("no-such-program").now());
        assert!(Found::Variant("cargo", "cargo").now());
        assert!(!Found::Variant("cargo", "iputils").now());
        assert!(Found::File("/proc/self/exe").now());
        assert!(!Found::File("/proc/self/no-such-file").now());
    }

    #[test]
    fn a_need_is_named_with_its_package() {
        let need = Need { what: "ping", found: Found::Program("ping"), package: "iputils-ping" };
        assert_eq!(need.to_string(), "ping (Debian package iputils-ping)");
    }
}
