//! rtnetlink as this crate uses it: requests that are answered or fail, and notices of the kernel.

mod events;
mod host;

pub(crate) use events::{Events, Notice};
pub(crate) use host::{address_message, addresses, family, full_length, own_address, route_request};

use std::io;
use std::time::Duration;

use futures_util::StreamExt;
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use rtnetlink::Handle;
use tokio::time::timeout;

/// The kernel answers in microseconds. Only an answer that could not be decoded lets a request wait.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// A request to the kernel that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation}: {cause}")]
pub struct NetlinkError {
    /// What was asked, with the object it was asked for.
    pub operation: String,
    /// The kernel's answer.
    pub cause: io::Error,
}

impl NetlinkError {
    pub(crate) fn new(operation: impl Into<String>, cause: io::Error) -> Self {
        Self { operation: operation.into(), cause }
    }

    /// Whether the kernel answered with one of these error numbers (`libc::ENOENT` and the like).
    #[must_use]
    pub fn is_one_of(&self, error_numbers: &[i32]) -> bool {
        self.cause.raw_os_error().is_some_and(|number| error_numbers.contains(&number))
    }

    /// Whether the socket itself is unusable, so that another one has to be opened.
    pub(crate) fn is_lost_connection(&self) -> bool {
        matches!(self.cause.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::TimedOut)
    }
}

/// How a `NEW` request treats an object that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// `EEXIST`
    Refuse,
    /// Its settings become those of the request.
    Replace,
}

/// A connection for requests, in the network namespace of the thread that opened it. Clones share it.
#[derive(Debug, Clone)]
pub struct Netlink(Handle);

impl Netlink {
    /// Opens a socket and drives it by a task of the current tokio runtime until the last clone is gone.
    ///
    /// # Errors
    ///
    /// The socket could not be opened.
    pub fn open() -> Result<Self, NetlinkError> {
        let (mut connection, handle, _unsolicited) = rtnetlink::new_connection()
            .map_err(|cause| NetlinkError::new("open an rtnetlink socket", cause))?;
        // Without these, the end of an answer looks the same as the end of the connection.
        connection.set_forward_ack(true);
        connection.set_forward_done(true);
        tokio::spawn(connection);
        Ok(Self(handle))
    }

    /// Asks for one object.
    pub(crate) async fn get(
        &self,
        operation: impl Into<String>,
        message: RouteNetlinkMessage,
    ) -> Result<RouteNetlinkMessage, NetlinkError> {
        let operation = operation.into();
        let answers = self.request(&operation, message, 0).await?;
        answers.into_iter().next().ok_or_else(|| NetlinkError::new(operation, closed()))
    }

    /// Asks for every object of a kind.
    pub(crate) async fn dump(
        &self,
        operation: &str,
        message: RouteNetlinkMessage,
    ) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        self.request(operation, message, NLM_F_DUMP).await
    }

    /// Creates or changes an object.
    pub(crate) async fn create(
        &self,
        operation: impl Into<String>,
        message: RouteNetlinkMessage,
        existing: Existing,
    ) -> Result<(), NetlinkError> {
        let flag = match existing {
            Existing::Refuse => NLM_F_EXCL,
            Existing::Replace => NLM_F_REPLACE,
        };
        self.request(&operation.into(), message, NLM_F_ACK | NLM_F_CREATE | flag).await.map(drop)
    }

    /// Deletes an object.
    pub(crate) async fn delete(
        &self,
        operation: impl Into<String>,
        message: RouteNetlinkMessage,
    ) -> Result<(), NetlinkError> {
        self.request(&operation.into(), message, NLM_F_ACK).await.map(drop)
    }

    async fn request(
        &self,
        operation: &str,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        let mut request = NetlinkMessage::from(message);
        request.header.flags = NLM_F_REQUEST | flags;
        timeout(ANSWER_TIMEOUT, self.exchange(request))
            .await
            .unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into()))
            .map_err(|cause| NetlinkError::new(operation, cause))
    }

    async fn exchange(
        &self,
        request: NetlinkMessage<RouteNetlinkMessage>,
    ) -> io::Result<Vec<RouteNetlinkMessage>> {
        let is_closed_by_message = request.header.flags & (NLM_F_ACK | NLM_F_DUMP) != 0;
        let mut answers = self.0.clone().request(request).map_err(|_| closed())?;
        let mut received = Vec::new();
        while let Some(answer) = answers.next().await {
            match answer.payload {
                NetlinkPayload::InnerMessage(message) => received.push(message),
                NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
                NetlinkPayload::Done(done) if done.code != 0 => {
                    return Err(io::Error::from_raw_os_error(done.code.saturating_abs()));
                }
                NetlinkPayload::Error(_) | NetlinkPayload::Done(_) => return Ok(received),
                _ => {}
            }
        }
        if is_closed_by_message || received.is_empty() { Err(closed()) } else { Ok(received) }
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the rtnetlink connection was closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_operation_and_answer() {
        let error = NetlinkError::new("add 10.0.0.1/32", io::Error::from_raw_os_error(libc::ENODEV));
        assert_eq!(error.to_string(), "cannot add 10.0.0.1/32: No such device (os error 19)");
        assert!(error.is_one_of(&[libc::EEXIST, libc::ENODEV]));
        assert!(!error.is_one_of(&[libc::EEXIST]));
    }

    #[test]
    fn only_a_dead_socket_is_a_lost_connection() {
        assert!(NetlinkError::new("", closed()).is_lost_connection());
        assert!(NetlinkError::new("", io::ErrorKind::TimedOut.into()).is_lost_connection());
        let refused = NetlinkError::new("", io::Error::from_raw_os_error(libc::EPERM));
        assert!(!refused.is_lost_connection());
    }
}
