//! The decoder as the conformance suite and the fuzzers see it: bytes of a connection in, events out.

use bytes::Bytes;
use sawlog_model::{Limits, Value};
use sawlog_pipeline::{DecodeError, Decoder};

use super::frame::Framer;
use super::message::{self, Entry, Message};
use crate::shared::msgpack;

/// Reads one connection; entries that are no events are left out, as the input does.
pub(super) struct ForwardDecoder {
    framer: Framer,
    limits: Limits,
}

impl ForwardDecoder {
    pub(super) fn new(limits: Limits) -> Self {
        ForwardDecoder { framer: Framer::new(limits), limits }
    }

    fn message(&self, bytes: &Bytes, events: &mut dyn FnMut(&str, Value)) -> Result<(), DecodeError> {
        let Message::Events(message) = message::read(bytes, &self.limits)? else { return Ok(()) };
        if message.placed.is_some() {
            return Ok(());
        }
        message.each(&self.limits, &mut |entry| {
            if let Entry::Event(event) = entry {
                let (record, _) = msgpack::value(event.record, &self.limits)
                    .map_err(|error| super::frame::broken(error, 0))?;
                events(&message.tag, record);
            }
            Ok(())
        })
    }
}

impl Decoder for ForwardDecoder {
    fn feed(&mut self, bytes: &[u8], events: &mut dyn FnMut(&str, Value)) -> Result<(), DecodeError> {
        self.framer.buffer().extend_from_slice(bytes);
        while let Some(message) = self.framer.next_message()? {
            self.message(&message, events)?;
        }
        Ok(())
    }

    fn held(&self) -> usize {
        self.framer.held()
    }
}
