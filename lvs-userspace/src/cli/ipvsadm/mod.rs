//! The command line of ipvsadm 1.31: its grammar, its messages and its listings, as pure functions.
//!
//! Words become switches (`scan`, after the table in `options`), switches a checked draft (`draft`, `checks`),
//! and a draft a [`Command`] (`build`), unless it asks for what is not available (`refusal`). Names come through
//! [`Names`], everything shown from a [`Snapshot`](crate::control::snapshot::Snapshot).

mod address;
mod build;
mod checks;
mod command;
mod command_table;
mod draft;
mod failure;
mod groups;
mod help;
mod listing;
mod names;
mod number;
mod options;
mod refusal;
mod rules_file;
mod run;
mod save;
mod scan;
mod services_file;

pub use command::{Command, parse};
pub use failure::Failure;
pub use help::{HELP, VERSION};
pub use listing::{Columns, ListRequest, Listing, Order, list};
pub use names::{Names, Numbers, SystemNames};
pub use rules_file::{Rules, RulesError, parse_rules};
pub use run::run;
pub use save::{SaveRequest, save};
