//! Rules files in ipvsadm-save's form: one command a line.

use super::command::{Command, parse};
use super::failure::Failure;
use super::names::Names;
use crate::control::change::{Change, ChangeError};

/// A rules file that was understood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// What it asks for, to be done whole or not at all.
    pub changes: Vec<Change>,
    /// Where each change stands.
    places: Vec<Place>,
}

/// A line of a rules file that can't be understood, asks for something else than a change, or was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {}: {:?}: {failure}", place.line, place.text)]
pub struct RulesError {
    place: Place,
    failure: Failure,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    /// From 1.
    line: usize,
    text: String,
}

impl Rules {
    /// Says which line was refused, when the change at `position` was. `None` when there is no such change.
    #[must_use]
    pub fn refused(&self, position: usize, error: ChangeError) -> Option<RulesError> {
        let place = self.places.get(position)?.clone();
        Some(RulesError { place, failure: error.into() })
    }
}

impl RulesError {
    /// The process's exit status.
    #[must_use]
    pub const fn exit_status(&self) -> u8 {
        self.failure.exit_status()
    }
}

/// Reads a whole rules text, all or nothing. A leading word `ipvsadm` is dropped, blank lines are skipped, and
/// a word that begins with `#` makes the rest of its line a comment.
///
/// # Errors
/// Names the first line that is wrong and what is wrong with it.
pub fn parse_rules(text: &str, names: &dyn Names) -> Result<Rules, RulesError> {
    let mut rules = Rules::default();
    for (index, line) in text.lines().enumerate() {
        let words = words_of(line);
        if words.is_empty() {
            continue;
        }
        let place = Place { line: index + 1, text: line.trim().to_owned() };
        match parse_rule(&words, names) {
            Ok(change) => rules.changes.push(change),
            Err(failure) => return Err(RulesError { place, failure }),
        }
        rules.places.push(place);
    }
    Ok(rules)
}

fn words_of(line: &str) -> Vec<&str> {
    let said = line.split_ascii_whitespace().take_while(|word| !word.starts_with('#'));
    said.enumerate().filter(|word| *word != (0, "ipvsadm")).map(|(_, word)| word).collect()
}

fn parse_rule(words: &[&str], names: &dyn Names) -> Result<Change, Failure> {
    match parse(words, names) {
        Ok(Command::Change(change)) => Ok(change),
        Ok(Command::List(_) | Command::Save(_) | Command::Restore | Command::Help | Command::Version) => {
            Err(Failure::invalid("a rule changes the table: begin it with -A, -E, -D, -C, -a, -e, -d or -Z"))
        }
        // ipvsadm's sentence speaks of its own help, which has nothing on files.
        Err(failure) if failure == Failure::no_command() => {
            Err(Failure::rejected("not a rule: begin it with -A or -a, for example"))
        }
        Err(failure) => Err(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::ipvsadm::names::Numbers;

    fn error_of(text: &str) -> (String, u8) {
        let error = parse_rules(text, &Numbers).unwrap_err();
        (error.to_string(), error.exit_status())
    }

    #[test]
    fn comments_blank_lines_and_the_programs_name_are_dropped() {
        let text =
            "# rules\n\n  \t\nipvsadm -A -t 1.2.3.4:80 -s rr # web\r\n-a -t 1.2.3.4:80 -r 1.2.3.5:80 -g -w 1";
        assert_eq!(parse_rules(text, &Numbers).unwrap().changes.len(), 2);
    }

    #[test]
    fn an_error_names_line_text_and_cause() {
        assert_eq!(
            error_of("-A -t 1.2.3.4:80 -s rr\n\n -a -t 1.2.3.4:80 -r 1.2.3.5 -w x\n"),
            (r#"line 3: "-a -t 1.2.3.4:80 -r 1.2.3.5 -w x": illegal weight specified"#.to_owned(), 2)
        );
        assert_eq!(
            error_of("garbage"),
            (r#"line 1: "garbage": not a rule: begin it with -A or -a, for example"#.to_owned(), 255)
        );
    }

    #[test]
    fn a_refused_change_is_found_in_its_line() {
        let rules = parse_rules("# web\n-C\n\n-D -t 1.2.3.4:80\n", &Numbers).unwrap();
        let error = rules.refused(1, ChangeError::NoSuchService).unwrap();
        assert_eq!(error.to_string(), r#"line 4: "-D -t 1.2.3.4:80": No such service"#);
        assert_eq!(error.exit_status(), 255);
        assert_eq!(rules.refused(2, ChangeError::NoSuchService), None);
    }

    #[test]
    fn what_is_no_change_is_refused() {
        for line in ["-L", "-Sn", "-R", "-h", "-v"] {
            let (message, exit_status) = error_of(line);
            assert!(message.contains("a rule changes the table"), "{message}");
            assert_eq!(exit_status, 2);
        }
    }

    #[test]
    fn a_lone_program_name_says_nothing() {
        assert_eq!(parse_rules("ipvsadm\n", &Numbers), Ok(Rules::default()));
    }
}
