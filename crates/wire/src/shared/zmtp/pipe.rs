//! A session over a connection: its handshake, messages in both directions. Knows nothing of who connected to whom.

use std::time::Duration;

use bytes::BytesMut;
use sawlog_pipeline::DecodeError;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::{Event, Message, Ready, Session};

/// Bytes read at once.
const READ: usize = 16 << 10;

/// Longest wait for a peer that does not read.
const STALLED: Duration = Duration::from_secs(60);

/// A connection with its session.
pub(crate) struct Pipe<S> {
    /// The connection.
    pub stream: S,
    /// What is said over it.
    pub session: Session,
    /// Bytes that were read and not understood yet.
    pub buffer: BytesMut,
}

fn lost(error: std::io::Error) -> DecodeError {
    DecodeError { reason: "connection", what: error.to_string(), at: 0 }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Pipe<S> {
    /// A connection at its start.
    pub fn new(stream: S, session: Session) -> Self {
        Pipe { stream, session, buffer: BytesMut::new() }
    }

    /// Shakes hands, within `patience`.
    ///
    /// # Errors
    /// [`DecodeError`] where that fails.
    pub async fn greet(&mut self, patience: Duration) -> Result<Ready, DecodeError> {
        let greeted = timeout(patience, async {
            match self.next().await? {
                Some(Event::Ready(ready)) => Ok(ready),
                _ => Err(DecodeError {
                    reason: "handshake",
                    what: "closed in the handshake".to_owned(),
                    at: 0,
                }),
            }
        });
        let late = || DecodeError { reason: "handshake", what: "no handshake in time".to_owned(), at: 0 };
        greeted.await.map_err(|_| late())?
    }

    /// The next event; `None` at the end of the connection. May be dropped while it waits: what was read is kept.
    ///
    /// # Errors
    /// [`DecodeError`]: the connection is to be closed.
    pub async fn next(&mut self) -> Result<Option<Event>, DecodeError> {
        loop {
            let event = self.session.next(&mut self.buffer);
            self.answer().await?;
            if let Some(event) = event? {
                return Ok(Some(event));
            }
            self.buffer.reserve(READ);
            if self.stream.read_buf(&mut self.buffer).await.map_err(lost)? == 0 {
                return Ok(None);
            }
        }
    }

    /// The next message, as [`Pipe::next`].
    ///
    /// # Errors
    /// As there.
    pub async fn next_message(&mut self) -> Result<Option<Message>, DecodeError> {
        loop {
            match self.next().await? {
                Some(Event::Message(message)) => return Ok(Some(message)),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    /// Writes what the session has to say by itself.
    ///
    /// # Errors
    /// Where the connection is lost.
    pub async fn answer(&mut self) -> Result<(), DecodeError> {
        let bytes = self.session.take_output();
        if bytes.is_empty() { Ok(()) } else { self.write(&bytes).await }
    }

    /// Writes a message.
    ///
    /// # Errors
    /// Where the connection is lost.
    pub async fn send(&mut self, frames: &[&[u8]]) -> Result<(), DecodeError> {
        let mut out = Vec::new();
        self.session.write(frames, &mut out);
        self.write(&out).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        let written = timeout(STALLED, async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        });
        let stalled = || DecodeError { reason: "stalled", what: "the peer does not read".to_owned(), at: 0 };
        written.await.map_err(|_| stalled())?.map_err(lost)
    }
}
