//! How the command line speaks to a running director: HTTP and JSON over a Unix socket.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `POST /v1/changes` | a list of [`Change`](super::change::Change)s, applied whole or not at all | 204, or 409 with a [`Refusal`] |
//! | `GET /v1/snapshot` | | 200 with a [`Snapshot`](super::snapshot::Snapshot) |

pub mod client;
pub mod server;

use serde::{Deserialize, Serialize};

use super::change::ChangeError;

const CHANGES: &str = "/v1/changes";
const SNAPSHOT: &str = "/v1/snapshot";

/// Which change of a batch was refused, and why. Nothing of the batch was applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The change's position in the batch, from 0.
    pub position: usize,
    /// Why.
    pub error: ChangeError,
}
