//! `lvs-xdp real-server`: the companion's commands.

use std::fmt::Display;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::not_understood;
use crate::control::instance::RUN_DIR;
use crate::journal::Loaded;
use crate::netns::NetnsIdentity;
use crate::real_server::companion::{Companion, Down, Up};
use crate::real_server::host::Kernel;
use crate::real_server::record;
use crate::real_server::status::{Finding, Verdict};
use crate::real_server::vip::Vip;

/// `lvs-xdp real-server`
#[derive(Debug, Args)]
pub(super) struct RealServer {
    /// Folder for what has to be remembered until `down`
    #[arg(
        long,
        global = true,
        env = "LVS_XDP_RUN_DIR",
        value_name = "FOLDER",
        default_value = RUN_DIR
    )]
    run_dir: PathBuf,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Silence ARP for the VIPs, then put them on lo
    Up {
        /// A virtual IP address; may be repeated
        #[arg(long = "vip", value_name = "ADDRESS", required = true)]
        vips: Vec<Vip>,
    },
    /// Put back what `up` changed, in the reverse order
    Down,
    /// Show each setting, what it should be, and what goes wrong otherwise; exit status 0 only when all is right
    Status {
        /// A virtual IP address; may be repeated [default: those that `up` was given]
        #[arg(long = "vip", value_name = "ADDRESS")]
        vips: Vec<Vip>,
    },
}

impl RealServer {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        match &self.command {
            Command::Up { vips } => self.up(vips),
            Command::Down => self.down(),
            Command::Status { vips } => self.status(vips),
        }
    }

    fn up(&self, vips: &[Vip]) -> anyhow::Result<ExitCode> {
        if let Err(error) = Vip::refuse_duplicates(vips) {
            return Ok(not_understood(&error));
        }
        require_root("up")?;
        let mut companion = self.companion()?;
        let up = companion.up(vips)?;
        report_up(&up)?;
        companion.status(vips)?.iter().filter_map(complaint).for_each(|complaint| warn(&complaint));
        Ok(ExitCode::SUCCESS)
    }

    fn down(&self) -> anyhow::Result<ExitCode> {
        require_root("down")?;
        report_down(&self.companion()?.down()?)
    }

    fn status(&self, vips: &[Vip]) -> anyhow::Result<ExitCode> {
        if let Err(error) = Vip::refuse_duplicates(vips) {
            return Ok(not_understood(&error));
        }
        let companion = self.companion()?;
        let vips = if vips.is_empty() { recorded_vips(&companion)? } else { vips.to_vec() };
        if vips.is_empty() {
            return Ok(not_understood(
                &"no VIP to check: none is recorded by `real-server up` in this network namespace, name one with --vip",
            ));
        }
        let findings = companion.status(&vips)?;
        print(&table(&findings))?;
        Ok(if findings.iter().any(Finding::is_wrong) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn companion(&self) -> anyhow::Result<Companion<Kernel>> {
        let journal = record::journal(&self.run_dir, NetnsIdentity::current()?);
        Ok(Companion::new(Kernel::open()?, journal))
    }
}

fn require_root(command: &str) -> anyhow::Result<()> {
    anyhow::ensure!(
        nix::unistd::geteuid().is_root(),
        "`real-server {command}` changes network settings: run it as root"
    );
    Ok(())
}

fn recorded_vips(companion: &Companion<Kernel>) -> anyhow::Result<Vec<Vip>> {
    match companion.recorded()? {
        Loaded::Found(record) => Ok(record.vips),
        Loaded::Absent | Loaded::OtherBoot => Ok(Vec::new()),
        Loaded::Unusable { reason } => {
            warn(&format!("the record of `real-server up` can't be used: {reason}"));
            Ok(Vec::new())
        }
    }
}

fn report_up(up: &Up) -> io::Result<()> {
    up.discarded.iter().for_each(warn);
    if up.steps.is_empty() {
        return print("nothing to change: the settings suit and the VIPs are on lo\n");
    }
    print(&lines(&up.steps))
}

fn report_down(down: &Down) -> anyhow::Result<ExitCode> {
    print(&lines(&down.undos))?;
    down.left.iter().for_each(warn);
    if let Some(discarded) = &down.discarded {
        warn(discarded);
        return Ok(ExitCode::FAILURE);
    }
    if !down.was_up {
        print("nothing to undo: no `real-server up` is recorded in this network namespace\n")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn table(findings: &[Finding]) -> String {
    let width = |cell: fn(&Finding) -> &str, title: &str| {
        findings.iter().map(|finding| cell(finding).len()).fold(title.len(), usize::max)
    };
    let subject = width(|finding| &finding.subject, "SETTING");
    let is = width(|finding| &finding.is, "IS");
    let should_be = width(|finding| &finding.should_be, "SHOULD BE");
    let row = |cells: [&str; 4]| {
        let [first, second, third, last] = cells;
        format!("{first:subject$}  {second:is$}  {third:should_be$}  {last}").trim_end().to_owned()
    };
    let header = row(["SETTING", "IS", "SHOULD BE", ""]);
    let rows = findings
        .iter()
        .map(|finding| row([&finding.subject, &finding.is, &finding.should_be, &in_words(&finding.verdict)]));
    lines(&std::iter::once(header).chain(rows).collect::<Vec<_>>())
}

fn in_words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Right => "ok".to_owned(),
        Verdict::Note(text) => format!("note: {text}"),
        Verdict::Wrong(text) => format!("WRONG: {text}"),
    }
}

fn complaint(finding: &Finding) -> Option<String> {
    let Finding { subject, is, should_be, verdict } = finding;
    match verdict {
        Verdict::Wrong(why) => Some(format!("{subject} is {is}, should be {should_be}: {why}")),
        Verdict::Right | Verdict::Note(_) => None,
    }
}

fn lines<T: Display>(items: &[T]) -> String {
    items.iter().map(|item| format!("{item}\n")).collect()
}

fn print(text: &str) -> io::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn warn(text: &impl Display) {
    eprintln!("lvs-xdp: {text}");
}
