//! The director's end of the socket.

use std::future::Future;
use std::io;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};

use super::{CHANGES, Refusal, SNAPSHOT};
use crate::control::change::Change;
use crate::control::snapshot::Snapshot;

/// A batch of 100,000 changes takes about 20 MB.
const BODY_LIMIT: usize = 64 << 20;

/// What a client asks of the director.
#[derive(Debug)]
pub enum Request {
    /// Apply a batch.
    Apply {
        /// The batch.
        changes: Vec<Change>,
        /// Where the answer goes.
        reply: oneshot::Sender<Result<(), Refusal>>,
    },
    /// Show the state.
    Snapshot {
        /// Where the answer goes.
        reply: oneshot::Sender<Result<Snapshot, String>>,
    },
}

type Requests = mpsc::Sender<Request>;

/// Serves requests from the socket until `stop` is ready.
///
/// # Errors
/// When the socket fails.
pub async fn serve(
    socket: UnixListener,
    requests: Requests,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let router = Router::new()
        .route(CHANGES, post(apply))
        .route(SNAPSHOT, get(snapshot))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(requests);
    axum::serve(socket, router).with_graceful_shutdown(stop).await
}

async fn apply(State(requests): State<Requests>, Json(changes): Json<Vec<Change>>) -> Response {
    match ask(&requests, |reply| Request::Apply { changes, reply }).await {
        Some(Ok(())) => StatusCode::NO_CONTENT.into_response(),
        Some(Err(refusal)) => (StatusCode::CONFLICT, Json(refusal)).into_response(),
        None => stopping(),
    }
}

async fn snapshot(State(requests): State<Requests>) -> Response {
    match ask(&requests, |reply| Request::Snapshot { reply }).await {
        Some(Ok(snapshot)) => Json(snapshot).into_response(),
        Some(Err(error)) => (StatusCode::INTERNAL_SERVER_ERROR, error).into_response(),
        None => stopping(),
    }
}

async fn ask<T>(requests: &Requests, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Option<T> {
    let (reply, answer) = oneshot::channel();
    requests.send(request(reply)).await.ok()?;
    answer.await.ok()
}

fn stopping() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "the director is stopping").into_response()
}
