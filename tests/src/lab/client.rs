//! What a client does: requests, and connections that stay open.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};

use super::namespace::Namespace;

const TIME_TO_CONNECT: Duration = Duration::from_secs(5);
const TIME_TO_ANSWER: Duration = Duration::from_secs(5);

/// Fetches `url` with curl over a new connection, and returns the body.
///
/// # Errors
/// When curl fails, which is also for a status of 400 and above, or takes more than five seconds.
pub fn http_get(namespace: &Namespace, url: &str) -> Result<String> {
    let limits = ["--fail", "--max-time", "5", "--noproxy", "*"];
    namespace.run(&[["curl", "--silent", "--show-error"].as_slice(), &limits, &[url]].concat())
}

/// Opens a TCP connection from the namespace, which stays open until the stream is dropped.
///
/// # Errors
/// When it is refused or takes more than five seconds.
pub fn connect(namespace: &Namespace, address: SocketAddr) -> Result<TcpStream> {
    namespace
        .enter(|| TcpStream::connect_timeout(&address, TIME_TO_CONNECT))?
        .with_context(|| format!("connect to {address} from namespace {}", namespace.name()))
}

/// A connection to a web server that stays open from one request to the next.
#[derive(Debug)]
pub struct HttpConnection(BufReader<TcpStream>);

impl HttpConnection {
    /// Opens it.
    ///
    /// # Errors
    /// As [`connect`].
    pub fn open(namespace: &Namespace, address: SocketAddr) -> Result<Self> {
        let stream = connect(namespace, address)?;
        stream.set_read_timeout(Some(TIME_TO_ANSWER)).context("limit the time for an answer")?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Asks, and returns the answer's body without its line feed.
    ///
    /// # Errors
    /// When the connection breaks or five seconds pass without an answer.
    pub fn get(&mut self) -> Result<String> {
        self.ask()?;
        self.answer()
    }

    /// Asks.
    ///
    /// # Errors
    /// When the connection is broken.
    pub fn ask(&mut self) -> Result<()> {
        let request = b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n";
        self.0.get_mut().write_all(request).context("send a request")
    }

    /// Waits for the answer to what was asked, and returns its body without its line feed.
    ///
    /// # Errors
    /// As [`HttpConnection::get`].
    pub fn answer(&mut self) -> Result<String> {
        let mut body = vec![0; self.content_length()?];
        self.0.read_exact(&mut body).context("read the body of an answer")?;
        Ok(String::from_utf8_lossy(&body).trim_end().to_owned())
    }

    /// Reads the head of an answer.
    fn content_length(&mut self) -> Result<usize> {
        let mut length = None;
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).context("read the head of an answer")?;
            match line.trim_end().split_once(": ") {
                Some(("Content-Length", bytes)) => length = Some(bytes.parse()?),
                None if line.trim_end().is_empty() => return length.context("an answer without a length"),
                Some(_) | None => {}
            }
        }
    }
}
