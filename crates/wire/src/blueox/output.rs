//! Forwarding to another node. A sawlog is recognised by a property of its READY, and the connection goes on as a lane: nothing
//! is lost, nothing doubled. An original oxd gets [META, DATA] and acknowledges nothing: what is in the buffers of a connection
//! that breaks is lost. Knows nothing of queues.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sawlog_model::Limits;
use sawlog_pipeline::{ConfigError, Env, Options, Output};

use super::event;
use crate::shared::lane::{Given, Later, Opened, Way};
use crate::shared::stream::Stream;
use crate::shared::zmtp::{Pipe, Role, Session, Version};

/// The property of READY by which two nodes know each other, and its value.
pub(super) const LANE: (&str, &[u8]) = ("X-Sawlog-Lane", b"1");

/// What either side says of itself.
pub(super) const WITH_LANE: &[(&str, &[u8])] = &[LANE];

/// Makes an output from its options.
///
/// # Errors
/// [`ConfigError`] where they cannot be.
pub(super) fn make(options: &Options, env: &Env) -> Result<Box<dyn Output>, ConfigError> {
    let text = |name: &str| vec![options.text(name).to_owned()];
    let to = super::programs::with_port(options.text("to"), 3514);
    let given: Given = vec![
        ("to", vec![to.clone()]),
        ("lane", vec!["true".to_owned()]),
        ("compress", text("compress")),
        ("queue", text("queue")),
        ("ack_timeout", text("ack_timeout")),
    ];
    let lane = options.flag("lane");
    let way = Zmtp { lane, to, limits: env.limits, told: AtomicBool::default() };
    (crate::LANE.sender)(given, env, Arc::new(way))
}

struct Zmtp {
    /// Another sawlog is spoken to as such.
    lane: bool,
    to: String,
    limits: Limits,
    /// It was said that the other side acknowledges nothing.
    told: AtomicBool,
}

impl Way for Zmtp {
    fn open(&self, stream: Stream) -> Later<'_, Result<Opened, String>> {
        Box::pin(self.greet(stream))
    }
}

impl Zmtp {
    async fn greet(&self, stream: Stream) -> Result<Opened, String> {
        let properties = if self.lane { WITH_LANE } else { &[] };
        let mut pipe = Pipe::new(stream, Session::new(Role::Push, properties, self.limits.message));
        let ready = pipe.greet(super::collect::HANDSHAKE).await.map_err(|error| error.to_string())?;
        // What the handshake still had to say (an identity, to a peer of ZMTP 2).
        pipe.answer().await.map_err(|error| error.to_string())?;
        let Pipe { stream, session, .. } = pipe;
        if self.lane
            && ready.version == Version::V3
            && ready.property(LANE.0).is_some_and(|value| value == LANE.1)
        {
            self.told.store(false, Ordering::Relaxed);
            return Ok(Opened::Lane(stream));
        }
        if !self.told.swap(true, Ordering::Relaxed) {
            eprintln!(
                "sawlog: {} acknowledges nothing: what is on the way when a connection breaks is lost",
                self.to
            );
        }
        let limits = self.limits;
        Ok(Opened::Plain(
            stream,
            Arc::new(move |batch, out| {
                for row in batch.iter() {
                    let event = event::from_row(row, &limits);
                    session.write(&[&event.meta, &event.data], out);
                }
            }),
        ))
    }
}
