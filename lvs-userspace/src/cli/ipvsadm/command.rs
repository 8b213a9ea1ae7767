//! From a command line to what it asks for.

use super::command_table::CommandName;
use super::draft::{Draft, check_timeout};
use super::failure::Failure;
use super::listing::ListRequest;
use super::names::Names;
use super::options::{Argument, Meaning};
use super::refusal;
use super::save::SaveRequest;
use super::scan::{Given, scan};
use crate::control::change::Change;

/// What a valid command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `-A -E -D -C -a -e -d -Z`
    Change(Change),
    /// `-L`, or nothing at all.
    List(ListRequest),
    /// `-S`
    Save(SaveRequest),
    /// `-R`: the rules stand on standard input, for [`parse_rules`](super::parse_rules).
    Restore,
    /// `-h`
    Help,
    /// `-v`
    Version,
}

/// Reads the words that follow the program's name, with ipvsadm's checks in ipvsadm's order.
///
/// # Errors
/// ipvsadm's own message and exit status where ipvsadm would refuse the line, otherwise a sentence that names
/// the option that is not available.
pub fn parse<S: AsRef<str>>(words: &[S], names: &dyn Names) -> Result<Command, Failure> {
    let words: Vec<_> = words.iter().map(|word| word.as_ref().to_owned()).collect();
    if words.is_empty() {
        return Ok(Command::List(ListRequest::default()));
    }
    let scanned = scan(&words);
    let (first, options) = scanned.given.split_first().ok_or_else(Failure::no_command)?;
    let Meaning::Command(command) = first.switch.meaning else {
        return Err(Failure::no_command());
    };
    if matches!(command, CommandName::Help | CommandName::Version) {
        return Draft::default().build(command, first.switch);
    }
    check_role(first)?;
    let draft = Draft::collect(options, names)?;
    if let Some(problem) = scanned.problem {
        return Err(problem);
    }
    check_operands(command, &scanned.operands)?;
    draft.check(command)?;
    refusal::check(command, first.switch, &draft)?;
    draft.build(command, first.switch)
}

fn check_role(command: &Given) -> Result<(), Failure> {
    match (command.switch.argument, command.value.as_deref()) {
        (Argument::Role(_), Some("master" | "backup")) => Ok(()),
        (Argument::Role(complaint), _) => Err(Failure::invalid(complaint)),
        _ => Ok(()),
    }
}

/// Only `--set` has operands: three timeouts.
fn check_operands(command: CommandName, operands: &[String]) -> Result<(), Failure> {
    let unexpected = match (command, operands) {
        (CommandName::SetTimeouts, [tcp, tcp_fin, udp, rest @ ..]) => {
            for timeout in [tcp, tcp_fin, udp] {
                check_timeout(timeout, 0)?;
            }
            rest.first()
        }
        (CommandName::SetTimeouts, _) => {
            return Err(Failure::invalid("--set option requires 3 timeout values"));
        }
        _ => operands.first(),
    };
    unexpected.map_or(Ok(()), |word| Err(Failure::invalid(format!("unexpected argument {word}"))))
}
