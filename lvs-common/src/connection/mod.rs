//! The connection table: set-associative, one cache line a set.
//!
//! A line holds four ways; a way is a 64-bit keyed fingerprint of the connection's 5-tuple and one u64 of what is known of
//! it ([`Meta`]). A connection may stand in either of two lines, which its [`Place`] names. So a packet of a known connection
//! costs one cache miss, or two when it stands in its second line, and user space reads and ages the table through a
//! memory mapping.
//!
//! Who may write what, on any CPU and in user space:
//!
//! - **A way's meta changes only by compare-and-swap**, so nobody overwrites a newer value: a touch loses against a
//!   replacement, ageing loses against a touch. Whoever exchanged it counts the change.
//! - **A way gets another fingerprint only through [`Way::claim`]**: the meta is exchanged for [`Meta::CLAIMED`], which
//!   nobody else replaces, then the new fingerprint is set, then the new meta. A claim that comes too late has changed
//!   nothing. A reader takes the meta and then looks at the fingerprint again, so it never uses another connection's meta.
//! - **A new connection is put in under the lock of its fingerprint**, so two CPUs that meet with the same one choose one
//!   real server. Looking up takes no lock.
//!
//! Loads are assumed to be performed in program order, as on x86-64. On a weaker machine a reader that meets a
//! replacement in the same nanoseconds may send one packet of the replaced, already expired connection astray.

mod line;
mod meta;
mod place;
mod state;

pub use line::{Candidate, Line, WAYS, Way};
pub use meta::Meta;
pub use place::{HashKey, Place};
pub use state::State;
