//! The project's own tasks: `cargo xtask` lists them.
//!
//! It compiles with nothing but cargo and a C linker, as it is what installs the rest.

mod bench;
mod demo;
mod deny;
mod lint;
mod process;
mod setup;
mod suite;

use std::{ffi::OsString, process::ExitCode};

use anyhow::Result;
use clap::{Parser, Subcommand};

/// The project's own tasks.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Find, or install, what the other tasks need
    Setup {
        /// Only report; exit status 1 if something is missing
        #[arg(long)]
        check: bool,
    },
    /// Build the workspace: `cargo build`, with its arguments
    #[command(disable_help_flag = true)]
    Build {
        /// Passed on to cargo
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Run every test (as root): `cargo test`, with its arguments
    #[command(disable_help_flag = true)]
    Test {
        /// Passed on to cargo
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Run the packet fixtures alone (as root), or list them: --list
    #[command(disable_help_flag = true)]
    Fixtures {
        /// Passed on to the fixtures; --help lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Check the format and run clippy on both sides, the user side and the kernel side
    Lint,
    /// Check the dependencies' licences, sources and advisories with cargo-deny
    Deny,
    /// Play the LVS-DR tutorial in network namespaces of this machine (as root)
    #[command(disable_help_flag = true)]
    Demo {
        /// Passed on to the demo; --help lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Measure what the data path costs (as root)
    #[command(disable_help_flag = true)]
    Bench {
        /// Passed on to the benchmark; --help lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    match task {
        Task::Setup { check: true } => setup::check(),
        Task::Setup { check: false } => setup::run(),
        Task::Build { arguments } => suite::build(&arguments),
        Task::Test { arguments } => suite::test(&arguments),
        Task::Fixtures { arguments } => suite::fixtures(&arguments),
        Task::Lint => lint::run(),
        Task::Deny => deny::run(),
        Task::Bench { arguments } => bench::run(&arguments),
        Task::Demo { arguments } => demo::run(&arguments),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_grammar_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn options_after_a_task_that_passes_on_are_passed_on() {
        let parsed = Arguments::parse_from(["cargo xtask", "test", "--release", "--", "--nocapture"]);
        let Task::Test { arguments } = parsed.task else { panic!("`test` was read as another task") };
        assert_eq!(arguments, ["--release", "--", "--nocapture"]);
    }
}
