//! BlueOx, the daemon's side of it: the collection port that clients push events to, the control port, the stream of what
//! comes in, forwarding to another collection port: see README.md. Knows nothing of the store or of other protocols.

mod collect;
mod control;
mod decoder;
pub mod event;
mod input;
mod output;
pub mod programs;
mod samples;
mod stats;
mod stream;
#[cfg(test)]
mod tests;

use sawlog_pipeline::options;
use sawlog_pipeline::{Opt, OptKind, Protocol};

use crate::shared::door;

/// The protocol.
pub const PROTOCOL: Protocol = Protocol {
    name: "blueox",
    summary: "BlueOx's collection, control and stream ports, as its clients and programs know them; forwarding to such a port.",
    options: options![OWN, door::OPTIONS],
    input: Some(input::make),
    output: Some(output::make),
    decoder: Some(|limits| Box::new(decoder::BlueoxDecoder::new(limits))),
    samples: samples::SAMPLES,
    ..Protocol::EMPTY
};

const OWN: &[Opt] = &[
    Opt {
        name: "listen",
        kind: OptKind::Address,
        default: "127.0.0.1:3514",
        help: "Collection port: what clients and other nodes push to.",
    },
    Opt {
        name: "lane",
        kind: OptKind::Bool,
        default: "true",
        help: "Another sawlog is spoken to in a way that loses and doubles nothing.",
    },
    Opt {
        name: "to",
        kind: OptKind::Address,
        default: "127.0.0.1:3514",
        help: "Output: the other side's collection port.",
    },
    Opt {
        name: "compress",
        kind: OptKind::Text,
        default: "text",
        help: "Output: `lz4`, `zstd` or `gzip` to another sawlog; `text` for none.",
    },
    Opt {
        name: "queue",
        kind: OptKind::Bytes,
        default: "8MiB",
        help: "Output: memory for what is not acknowledged.",
    },
    Opt {
        name: "ack_timeout",
        kind: OptKind::Duration,
        default: "60s",
        help: "Output: longest wait for an acknowledgement of another sawlog.",
    },
    Opt {
        name: "control",
        kind: OptKind::Text,
        default: "127.0.0.1:3513",
        help: "Control port; empty: none, and no stream either.",
    },
    Opt {
        name: "stream_range",
        kind: OptKind::Text,
        default: "35000-36000",
        help: "The stream takes a free port of these, on the address of the control port.",
    },
    Opt {
        name: "remote_control",
        kind: OptKind::Bool,
        default: "false",
        help: "Other machines, too, may ask the node to shut down or to forward to another address.",
    },
    Opt {
        name: "forward_file",
        kind: OptKind::Text,
        default: "",
        help: "Where the control port writes the address that is to be forwarded to, before the configuration is read again.",
    },
];
