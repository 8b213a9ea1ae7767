//! From words to switches with their values, as popt 1.19 splits them.

use std::iter::Peekable;
use std::slice::Iter;

use super::failure::Failure;
use super::number;
use super::options::{Argument, SWITCHES, Switch};

/// A switch that was given.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Given {
    /// Its row of the table.
    pub(super) switch: &'static Switch,
    /// What it takes, when that was there.
    pub(super) value: Option<String>,
    /// The word in which it stood, for messages.
    pub(super) word: String,
}

impl Given {
    /// The number of a switch that takes one.
    pub(super) fn number(&self) -> Result<Option<u32>, Failure> {
        let Argument::Number { what, min, max } = self.switch.argument else {
            return Ok(None);
        };
        let number = self.value.as_deref().and_then(|value| number::parse(value, min..=max));
        match number.and_then(|number| u32::try_from(number).ok()) {
            Some(number) => Ok(Some(number)),
            None => Err(Failure::invalid(format!("illegal {what} specified"))),
        }
    }
}

/// What the words say, up to the first that can't be understood.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    /// The switches in their order.
    pub(super) given: Vec<Given>,
    /// The words that belong to no switch.
    pub(super) operands: Vec<String>,
    /// Why it ended early. What was given before it is judged first.
    pub(super) problem: Option<Failure>,
}

/// Splits the words that follow the program's name.
pub(super) fn scan(words: &[String]) -> Scanned {
    let mut scanned = Scanned::default();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        if word == "--" {
            scanned.operands.extend(words.cloned());
            break;
        }
        if let Err(problem) = scanned.word(word, &mut words) {
            scanned.problem = Some(problem);
            break;
        }
    }
    scanned
}

type Rest<'a> = Peekable<Iter<'a, String>>;

impl Scanned {
    fn word(&mut self, word: &str, rest: &mut Rest<'_>) -> Result<(), Failure> {
        match (word.strip_prefix("--"), word.strip_prefix('-')) {
            (Some(long), _) => self.long(word, long, rest),
            (None, Some(letters)) if !letters.is_empty() => self.bundle(word, letters, rest),
            (None, _) => {
                self.operands.push(word.to_owned());
                Ok(())
            }
        }
    }

    /// `--name` or `--name=value`.
    fn long(&mut self, word: &str, long: &str, rest: &mut Rest<'_>) -> Result<(), Failure> {
        let (name, value) =
            long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value.to_owned())));
        let switch =
            SWITCHES.iter().find(|switch| switch.long == name).ok_or_else(|| unknown_option(word))?;
        let value = match value {
            Some(_) if switch.argument == Argument::None => return Err(unwanted_argument(word)),
            Some(value) => Some(value),
            None => value_from(switch, word, rest)?,
        };
        self.push(switch, value, word);
        Ok(())
    }

    /// `-x`, or several letters together: what follows one that takes a value is its value.
    fn bundle(&mut self, word: &str, letters: &str, rest: &mut Rest<'_>) -> Result<(), Failure> {
        let mut letters = letters.chars();
        while let Some(letter) = letters.next() {
            let switch = SWITCHES
                .iter()
                .find(|switch| switch.short == Some(letter))
                .ok_or_else(|| unknown_option(word))?;
            let behind = letters.as_str();
            if switch.argument == Argument::None {
                if behind.starts_with('=') {
                    return Err(unwanted_argument(word));
                }
                self.push(switch, None, word);
            } else if behind.is_empty() {
                let value = value_from(switch, word, rest)?;
                self.push(switch, value, word);
            } else {
                let value = behind.strip_prefix('=').unwrap_or(behind);
                self.push(switch, Some(value.to_owned()), word);
                break;
            }
        }
        Ok(())
    }

    fn push(&mut self, switch: &'static Switch, value: Option<String>, word: &str) {
        self.given.push(Given { switch, value, word: word.to_owned() });
    }
}

/// The value of a switch in the next word. Only an optional one must not look like a switch.
fn value_from(switch: &Switch, word: &str, rest: &mut Rest<'_>) -> Result<Option<String>, Failure> {
    match switch.argument {
        Argument::None => Ok(None),
        Argument::OptionalText => Ok(rest.next_if(|next| !next.starts_with('-')).cloned()),
        Argument::Text | Argument::Role(_) | Argument::Number { .. } => match rest.next() {
            Some(value) => Ok(Some(value.clone())),
            None => Err(Failure::rejected(format!("{word}: missing argument"))),
        },
    }
}

fn unknown_option(word: &str) -> Failure {
    Failure::rejected(format!("{word}: unknown option"))
}

fn unwanted_argument(word: &str) -> Failure {
    Failure::rejected(format!("{word}: option does not take an argument"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan_words(words: &[&str]) -> Scanned {
        scan(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>())
    }

    fn spelled(scanned: &Scanned) -> Vec<(&'static str, Option<&str>)> {
        scanned.given.iter().map(|given| (given.switch.long, given.value.as_deref())).collect()
    }

    #[test]
    fn a_bundle_ends_with_the_letter_that_takes_a_value() {
        let scanned = scan_words(&["-Lnt1.2.3.4:80", "-At", "1.2.3.4:81"]);
        assert_eq!(
            spelled(&scanned),
            [
                ("list", None),
                ("numeric", None),
                ("tcp-service", Some("1.2.3.4:80")),
                ("add-service", None),
                ("tcp-service", Some("1.2.3.4:81")),
            ]
        );
    }

    #[test]
    fn an_optional_value_does_not_swallow_a_switch() {
        assert_eq!(
            spelled(&scan_words(&["-p", "-t", "-1"])),
            [("persistent", None), ("tcp-service", Some("-1"))]
        );
        assert_eq!(spelled(&scan_words(&["-p", "60"])), [("persistent", Some("60"))]);
        assert_eq!(spelled(&scan_words(&["-p"])), [("persistent", None)]);
    }

    #[test]
    fn what_was_given_before_a_problem_is_kept() {
        let scanned = scan_words(&["-A", "-gq", "-n"]);
        assert_eq!(spelled(&scanned), [("add-service", None), ("gatewaying", None)]);
        assert_eq!(
            scanned.problem.map(|problem| problem.to_string()),
            Some("-gq: unknown option".to_owned())
        );
    }
}
