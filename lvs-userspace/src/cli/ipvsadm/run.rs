//! Carrying out an ipvsadm command line on the running director.

use std::io::{self, Read as _};
use std::process::ExitCode;

use super::{Command, Failure, HELP, Listing, Names, SystemNames, VERSION, list, parse, parse_rules, save};
use crate::cli::client::Target;
use crate::cli::runtime;
use crate::control::api::Refusal;
use crate::control::api::client::{Client, ClientError};

/// ipvsadm's exit status when ip_vs is not there.
const NO_DIRECTOR: u8 = 2;

/// What a command leaves for the terminal.
#[derive(Default)]
struct Output {
    stdout: String,
    stderr: String,
}

/// A message for standard error and the exit status.
struct End(String, u8);

impl<E: std::error::Error> From<(E, u8)> for End {
    fn from((error, status): (E, u8)) -> Self {
        Self(error.to_string(), status)
    }
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self(failure.to_string(), failure.exit_status())
    }
}

impl From<ClientError> for End {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Refused(refusal) => Failure::from(refusal.error).into(),
            ClientError::Connect { cause, .. } if cause.kind() == io::ErrorKind::PermissionDenied => {
                Self("Can't initialize ipvs: Permission denied (you must be root)".to_owned(), NO_DIRECTOR)
            }
            other => (other, NO_DIRECTOR).into(),
        }
    }
}

/// Runs `ipvsadm` with these words.
pub fn run(words: &[String]) -> ExitCode {
    match execute(words) {
        Ok(Output { stdout, stderr }) => {
            print!("{stdout}");
            eprint!("{stderr}");
            ExitCode::SUCCESS
        }
        Err(End(message, status)) => {
            eprintln!("{message}");
            ExitCode::from(status)
        }
    }
}

fn execute(words: &[String]) -> Result<Output, End> {
    let names = SystemNames::new().map_err(|error| (error, NO_DIRECTOR))?;
    let command = parse(words, &names)?;
    let shown = |stdout: String| Ok(Output { stdout, ..Output::default() });
    match command {
        Command::Help => shown(HELP.to_owned()),
        Command::Version => shown(VERSION.to_owned()),
        Command::Change(change) => {
            ask(async |client: &Client| client.apply(&[change]).await)??;
            Ok(Output::default())
        }
        Command::Restore => restore(&names),
        Command::List(request) => {
            let Listing { stdout, stderr } = list(&ask(Client::snapshot)??, &request, &names)?;
            Ok(Output { stdout, stderr })
        }
        Command::Save(request) => shown(save(&ask(Client::snapshot)??, request, &names)),
    }
}

/// Applies the rules that stand on standard input, whole or not at all.
fn restore(names: &dyn Names) -> Result<Output, End> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).map_err(|error| (error, NO_DIRECTOR))?;
    let rules = parse_rules(&text, names).map_err(|error| End(error.to_string(), error.exit_status()))?;
    match ask(async |client: &Client| client.apply(&rules.changes).await)? {
        Ok(()) => Ok(Output::default()),
        Err(ClientError::Refused(Refusal { position, error })) => {
            match rules.refused(position, error.clone()) {
                Some(error) => Err(End(error.to_string(), error.exit_status())),
                None => Err(Failure::from(error).into()),
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// Asks the director of this network namespace; the outer error says that there is none.
fn ask<T>(
    question: impl AsyncFnOnce(&Client) -> Result<T, ClientError>,
) -> Result<Result<T, ClientError>, End> {
    let no_director = |error| End::from((error, NO_DIRECTOR));
    let client = Target::from_environment().and_then(|target| target.client()).map_err(no_director)?;
    let runtime = runtime().map_err(|error| (error, NO_DIRECTOR))?;
    Ok(runtime.block_on(question(&client)))
}
