//! The collection port's bytes as the conformance suite and the fuzzers see them. Knows nothing of sockets.

use bytes::BytesMut;
use sawlog_model::{Fields, Limits, Tenant, Value};
use sawlog_pipeline::{DecodeError, Decoder};
use sawlog_sys::Sys;

use super::event::{self, Events};
use crate::shared::gather::Gather;
use crate::shared::record;
use crate::shared::sources::Sources;
use crate::shared::zmtp::{Event, Role, Session};

/// When everything came, as far as the suite can tell.
const RECEIVED: i64 = 1_795_000_000_000_000_000;

/// Bytes of a frame's head that may wait, beside a message.
const HEAD: usize = 16;

pub(super) struct BlueoxDecoder {
    session: Session,
    buffer: BytesMut,
    events: Events,
    gather: Gather,
    limits: Limits,
}

impl BlueoxDecoder {
    pub fn new(limits: Limits) -> Self {
        let sources = Sources::new(Vec::new(), "blueox", Sys::real().random);
        BlueoxDecoder {
            session: Session::new(Role::Pull, &[], limits.message.saturating_sub(HEAD)),
            buffer: BytesMut::new(),
            events: Events::new(sources, limits),
            gather: Gather::default(),
            limits,
        }
    }
}

impl Decoder for BlueoxDecoder {
    fn feed(&mut self, bytes: &[u8], events: &mut dyn FnMut(&str, Value)) -> Result<(), DecodeError> {
        self.buffer.extend_from_slice(bytes);
        loop {
            let next = self.session.next(&mut self.buffer);
            self.session.take_output();
            let Some(next) = next? else { return Ok(()) };
            let Event::Message(message) = next else { continue };
            // What is no event is left out, and the connection goes on.
            let Ok(event) = event::read(&message, &self.limits) else { continue };
            if self.events.push(&event, &[], RECEIVED, &mut self.gather).is_err() {
                continue;
            }
            for batch in self.gather.take(Tenant(0)) {
                let tag = batch.context.get("_tag").unwrap_or_default();
                for row in batch.iter() {
                    let mut fields = record::entries(row, &self.limits);
                    fields.push((Value::Str("_time".to_owned()), Value::Time(row.time())));
                    events(tag, Value::Map(fields));
                }
            }
        }
    }

    fn held(&self) -> usize {
        self.buffer.len() + self.session.held() + self.gather.weight()
    }
}
