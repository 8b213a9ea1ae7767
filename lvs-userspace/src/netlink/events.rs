//! What the kernel tells without being asked.

use std::pin::Pin;

use futures_util::{FutureExt, Stream, StreamExt};
use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::AsyncSocket;
use rtnetlink::MulticastGroup;
use tokio::task::AbortHandle;

use super::NetlinkError;

/// Asked for; the kernel grants at most `net.core.rmem_max`.
const RECEIVE_BUFFER_BYTES: u32 = 1 << 20;

/// One thing that the kernel told.
#[derive(Debug)]
pub(crate) enum Notice {
    /// Something is new, changed or gone.
    Message(Box<RouteNetlinkMessage>),
    /// Notices were lost: everything may have changed.
    Overrun,
}

/// A subscription. It has its own socket, so that a burst of notices can't displace the answer to a request.
pub(crate) struct Events {
    notices: Pin<Box<dyn Stream<Item = Notice> + Send>>,
    connection: AbortHandle,
}

impl Events {
    pub(crate) fn subscribe(groups: &[MulticastGroup]) -> Result<Self, NetlinkError> {
        let failed = |source| NetlinkError::new("subscribe to rtnetlink events", source);
        let (mut connection, _handle, messages) =
            rtnetlink::new_multicast_connection(groups).map_err(failed)?;
        connection.socket_mut().socket_mut().set_rx_buf_sz(RECEIVE_BUFFER_BYTES).map_err(failed)?;
        let notices = Box::pin(messages.filter_map(|(message, _source)| async { notice(message) }));
        Ok(Self { notices, connection: tokio::spawn(connection).abort_handle() })
    }

    /// The next notice; `None` when the socket is dead. Safe to cancel.
    pub(crate) async fn next(&mut self) -> Option<Notice> {
        self.notices.next().await
    }

    /// A notice that has already arrived.
    pub(crate) fn next_ready(&mut self) -> Option<Notice> {
        self.next().now_or_never().flatten()
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

fn notice(message: NetlinkMessage<RouteNetlinkMessage>) -> Option<Notice> {
    match message.payload {
        NetlinkPayload::InnerMessage(message) => Some(Notice::Message(Box::new(message))),
        NetlinkPayload::Overrun(_) => Some(Notice::Overrun),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::NetlinkHeader;
    use netlink_packet_route::link::LinkMessage;

    use super::*;

    #[test]
    fn an_overrun_is_told_and_a_closing_message_is_not() {
        let told = |payload| notice(NetlinkMessage::new(NetlinkHeader::default(), payload));
        assert!(matches!(told(NetlinkPayload::Overrun(Vec::new())), Some(Notice::Overrun)));
        assert!(told(NetlinkPayload::Noop).is_none());
        let link = RouteNetlinkMessage::NewLink(LinkMessage::default());
        assert!(matches!(told(NetlinkPayload::InnerMessage(link)), Some(Notice::Message(_))));
    }
}
