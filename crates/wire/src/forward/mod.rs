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
mod rows;
mod samples;
#[cfg(test)]
mod tests;

use sawlog_pipeline::Protocol;

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
