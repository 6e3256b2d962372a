//! Lanes between two nodes as other protocols see them: a connection that was made in another protocol's way goes on as one.
//! Knows nothing of how a lane works: that is handed in by the list of protocols.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::BytesMut;
use sawlog_model::Batch;
use sawlog_pipeline::{ConfigError, Env, Intake, Output};
use tokio::sync::watch;

use super::stream::Stream;

/// Something that is waited for.
pub(crate) type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Serves a connection that is a lane from here on, of a host, with the bytes of it that were read already.
pub(crate) type Receive = Arc<dyn Fn(Stream, BytesMut, String) -> Later<'static, ()> + Send + Sync>;

/// Writes rows for a receiver that knows no lanes.
pub(crate) type Write = Arc<dyn Fn(&Batch, &mut Vec<u8>) + Send + Sync>;

/// A connection to a receiver.
pub(crate) enum Opened {
    /// The other side is a node, too: the connection is a lane now.
    Lane(Stream),
    /// It is not: it takes what this writes and acknowledges nothing.
    Plain(Stream, Write),
}

/// How a receiver is greeted.
pub(crate) trait Way: Send + Sync {
    /// Greets a receiver over a connection that was just made.
    fn open(&self, stream: Stream) -> Later<'_, Result<Opened, String>>;
}

/// Options of the sender, by name.
pub(crate) type Given = Vec<(&'static str, Vec<String>)>;

/// Makes the sending end, as an output with a queue.
pub(crate) type MakeSender = fn(Given, &Env, Arc<dyn Way>) -> Result<Box<dyn Output>, ConfigError>;

/// What makes both ends.
pub(crate) struct Lane {
    /// The receiving end, for senders who act for the tenant of this credential. The watch turns to true when the node stops.
    pub receiver: fn(&str, Intake, Env, watch::Receiver<bool>) -> Result<Receive, String>,
    /// The sending end.
    pub sender: MakeSender,
}
