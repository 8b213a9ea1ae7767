//! How a command line ends when it can't be done.

use crate::control::change::ChangeError;

/// A sentence for standard error and the exit status that goes with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    message: String,
    exit_status: u8,
}

impl Failure {
    /// The process's exit status: 2 for what can't be understood or is not available, 255 where ipvsadm
    /// returns -1, 1 for a listing of what is not there.
    #[must_use]
    pub const fn exit_status(&self) -> u8 {
        self.exit_status
    }

    /// A command line that ipvsadm gives up with exit status 2.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit_status: 2 }
    }

    /// What ipvsadm answers with -1: the option parser's errors and the kernel's refusals.
    pub(super) fn rejected(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit_status: 255 }
    }

    /// A listing of a service that is not there.
    pub(super) fn nothing_to_list() -> Self {
        Self { message: ChangeError::NoSuchService.to_string(), exit_status: 1 }
    }

    /// The first option is missing, unknown, or not a command.
    pub(super) fn no_command() -> Self {
        Self::rejected("Try `ipvsadm -h' or 'ipvsadm --help' for more information.")
    }

    /// A scheduler that the director has never heard of.
    pub(super) fn no_such_scheduler() -> Self {
        Self::rejected("Scheduler or persistence engine not found")
    }
}

impl From<ChangeError> for Failure {
    fn from(error: ChangeError) -> Self {
        Self::rejected(error.to_string())
    }
}
