//! Fluentd's forward protocol, both sides: see README.md. Knows nothing of the store or of other protocols.

mod decoder;
mod fluent;
mod frame;
mod handshake;
mod input;
mod message;
mod notation;
mod options;
mod output;
pub mod plain;
mod rows;
mod samples;
#[cfg(test)]
mod tests;

use sawlog_pipeline::Protocol;

use crate::shared::lane::Lane;

/// The protocol.
pub const PROTOCOL: Protocol = Protocol {
    name: "forward",
    summary: "Fluentd's forward protocol, as spoken by fluentd, Fluent Bit and the fluent-logger libraries.",
    options: options::OPTIONS,
    input: Some(input::make),
    output: Some(output::make),
    decoder: Some(|limits| Box::new(decoder::ForwardDecoder::new(limits))),
    samples: samples::SAMPLES,
    fluent: fluent::FORMS,
    ..Protocol::EMPTY
};

/// Both ends of a lane, for protocols whose connections lead over to one.
pub(crate) const LANE: Lane = Lane { receiver: input::receiver, sender: output::sender };

/// A peer's first message, as the fuzzers see it: what is a PING is written so that it reads the same.
///
/// # Panics
/// Where that does not hold.
pub(crate) fn check_ping(bytes: &[u8], limits: &sawlog_model::Limits) {
    let read = |bytes: &[u8]| {
        let (value, _) = crate::shared::msgpack::value(bytes, limits).ok()?;
        handshake::Ping::read(&value)
    };
    if let Some(ping) = read(bytes) {
        // What was no UTF-8 became longer, which may be too long now.
        let again = read(&ping.clone().message());
        assert!(again.is_none_or(|again| again == ping), "a PING that reads otherwise");
    }
}
