//! The command line's end of the socket.

use std::io;
use std::path::{Path, PathBuf};

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use super::{CHANGES, Refusal, SNAPSHOT};
use crate::control::change::Change;
use crate::control::snapshot::Snapshot;

/// Why the director gave no answer, or refused.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("can't reach the director at {}: {cause}", socket.display())]
    Connect {
        /// The socket.
        socket: PathBuf,
        /// What the kernel said.
        cause: io::Error,
    },
    /// The exchange broke off.
    #[error("the director did not answer: {0}")]
    Http(#[from] hyper::Error),
    /// The answer can't be read: another version.
    #[error("the director's answer can't be read, it may be another version: {0}")]
    Answer(#[from] serde_json::Error),
    /// A change was refused.
    #[error("{}", .0.error)]
    Refused(Refusal),
    /// The director has failed.
    #[error("the director failed: {0}")]
    Failed(String),
}

/// A director's socket.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// A client of the director that listens there.
    #[must_use]
    pub fn new(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    /// Applies a batch of changes, whole or not at all.
    ///
    /// # Errors
    /// When a change is refused or the director gives no answer.
    pub async fn apply(&self, changes: &[Change]) -> Result<(), ClientError> {
        let body = serde_json::to_vec(changes)?;
        match self.exchange(Method::POST, CHANGES, body).await? {
            (StatusCode::NO_CONTENT, _) => Ok(()),
            (StatusCode::CONFLICT, body) => Err(ClientError::Refused(serde_json::from_slice(&body)?)),
            (_, body) => Err(failed(&body)),
        }
    }

    /// The director's state.
    ///
    /// # Errors
    /// When the director gives no answer.
    pub async fn snapshot(&self) -> Result<Snapshot, ClientError> {
        match self.exchange(Method::GET, SNAPSHOT, Vec::new()).await? {
            (StatusCode::OK, body) => Ok(serde_json::from_slice(&body)?),
            (_, body) => Err(failed(&body)),
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let connect = |cause| ClientError::Connect { socket: self.socket.clone(), cause };
        let stream = UnixStream::connect(&self.socket).await.map_err(connect)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = method;
        *request.uri_mut() = hyper::Uri::try_from(path).unwrap_or_default();
        let headers = request.headers_mut();
        headers.insert("host", hyper::header::HeaderValue::from_static("localhost"));
        headers.insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
        let answer = async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            Ok((status, response.into_body().collect().await?.to_bytes()))
        };
        tokio::select! {
            answer = answer => answer,
            Err(error) = connection => Err(error.into()),
        }
    }
}

fn failed(body: &Bytes) -> ClientError {
    ClientError::Failed(String::from_utf8_lossy(body).trim().to_owned())
}
