//! What the other tasks need of the machine: found, or installed.

mod apt;
mod bpf_linker;
mod core_source;
mod needs;

use anyhow::{Result, bail};
use bpf_build::{Compiler, Folders, Linker, Missing};

use self::needs::Need;

/// What is on this machine.
struct Survey {
    compiler: Result<Compiler, Missing>,
    linker: Result<Linker, Missing>,
    needs: Vec<&'static Need>,
}

impl Survey {
    fn take() -> Self {
        let (compiler, linker) = (Compiler::find(), Linker::find(&Folders::of_workspace()));
        let mut needs = needs::of_programs();
        if linker.is_err() {
            needs.extend(needs::of_linker_build());
        }
        if compiler.as_ref().is_ok_and(|compiler| !compiler.is_current()) {
            needs.extend(needs::of_distribution_clippy());
        }
        Self { compiler, linker, needs }
    }

    fn is_complete(&self) -> bool {
        self.compiler.is_ok() && self.linker.is_ok() && self.needs.is_empty()
    }

    /// One line for each piece that is missing.
    fn shortfalls(&self) -> Vec<String> {
        let tools = [self.compiler.as_ref().err(), self.linker.as_ref().err()];
        let tools = tools.into_iter().flatten().map(ToString::to_string);
        tools.chain(self.needs.iter().map(|need| format!("{need} is missing"))).collect()
    }
}

/// Reports what is there and what is missing.
pub(crate) fn check() -> Result<()> {
    let survey = Survey::take();
    if let Ok(compiler) = &survey.compiler {
        println!("setup: core's source: {}", compiler.description());
    }
    if let Ok(linker) = &survey.linker {
        println!("setup: bpf-linker: {}", linker.path().display());
    }
    if survey.is_complete() {
        println!("setup: nothing is missing");
        return Ok(());
    }
    for shortfall in survey.shortfalls() {
        println!("setup: {shortfall}");
    }
    bail!("something is missing: `cargo xtask setup` installs it");
}

/// Installs what is missing, and says each thing that it does.
pub(crate) fn run() -> Result<()> {
    let survey = Survey::take();
    if survey.is_complete() {
        println!("setup: nothing to do");
        return Ok(());
    }
    install(survey)
}

/// [`run`] for another task: silent when there is nothing to do.
pub(crate) fn ensure() -> Result<()> {
    let survey = Survey::take();
    if survey.is_complete() { Ok(()) } else { install(survey) }
}

fn install(mut survey: Survey) -> Result<()> {
    if survey.compiler.is_err() && core_source::from_rustup().is_err() {
        survey.needs.extend(needs::of_distribution_compiler());
    }
    if !survey.needs.is_empty() {
        apt::install(&survey.needs)?;
    }
    if survey.linker.is_err() {
        bpf_linker::install(&Folders::of_workspace())?;
    }
    verify(&Survey::take())
}

fn verify(survey: &Survey) -> Result<()> {
    if !survey.is_complete() {
        bail!("setup did all it can, and yet {}", survey.shortfalls().join("; "));
    }
    if let Ok(compiler) = &survey.compiler {
        println!("setup: done; the BPF side is compiled by {}", compiler.description());
    }
    Ok(())
}
