//! Syslog over the network, RFC 3164 and RFC 5424: see README.md. Knows nothing of the store or of other protocols; lines
//! are read by the line format of the same name.

mod credentials;
mod fluent;
mod input;
mod priority;
mod reading;
mod samples;
#[cfg(test)]
mod tests;

use sawlog_model::Limits;
use sawlog_pipeline::options;
use sawlog_pipeline::{Decoder, Opt, OptKind, Protocol};

use crate::format::parse;
use crate::shared::door::{self, RowsDecoder};

/// The protocol.
pub const PROTOCOL: Protocol = Protocol {
    name: "syslog",
    summary: "Syslog, RFC 3164 and RFC 5424, over UDP and TCP.",
    options: options![OWN, SHARED],
    input: Some(input::make),
    fluent: &[fluent::FORM],
    decoder: Some(decoder),
    samples: samples::SAMPLES,
    ..Protocol::EMPTY
};

/// With a parser of the type `syslog` rows have the fields that Fluentd would find.
const SHARED: &[Opt] = options![parse::OPTIONS, door::OPTIONS];

const OWN: &[Opt] = &[
    Opt { name: "listen", kind: OptKind::Address, default: "127.0.0.1:5140", help: "Address to listen on." },
    Opt {
        name: "transports",
        kind: OptKind::List,
        default: "",
        help: "`udp`, `tcp`; both where none is given.",
    },
    Opt {
        name: "tag",
        kind: OptKind::Text,
        default: "syslog",
        help: "Tag of the rows; facility and severity follow it, with dots.",
    },
    Opt {
        name: "frame_type",
        kind: OptKind::Text,
        default: "auto",
        help: "TCP: `auto` (the first byte tells), `traditional` (a delimiter ends each) or `octet_count`.",
    },
    Opt {
        name: "delimiter",
        kind: OptKind::Text,
        default: "\\n",
        help: "TCP: what ends a message; `\\n`, `\\r`, `\\t`, `\\0`.",
    },
    Opt {
        name: "message_length_limit",
        kind: OptKind::Bytes,
        default: "64KiB",
        help: "Longest message; the rest of a longer one goes on in the next row.",
    },
    Opt {
        name: "facility_key",
        kind: OptKind::Text,
        default: "",
        help: "Field that gets the facility's name.",
    },
    Opt {
        name: "severity_key",
        kind: OptKind::Text,
        default: "",
        help: "Field that gets the severity's name.",
    },
    Opt {
        name: "emit_unmatched_lines",
        kind: OptKind::Bool,
        default: "true",
        help: "Keep what is not syslog, under the tag with `unmatched` behind it; else it is dropped and counted.",
    },
    Opt {
        name: "timezone",
        kind: OptKind::Text,
        default: "",
        help: "Zone of times without one, such as Europe/Zurich or +02:00; UTC where it is not given.",
    },
    Opt {
        name: "credentials",
        kind: OptKind::Text,
        default: "accept",
        help: "On a node with tenants, `[meniscus tenant=\"…\" token=\"…\"]` in structured data: `accept`, `require` or `ignore`.",
    },
];

/// A connection's bytes to events.
fn decoder(limits: Limits) -> Box<dyn Decoder> {
    let settings = input::Settings::default();
    let reading = reading::SyslogReading::alone(&settings, limits);
    Box::new(RowsDecoder::new(settings.cutter(limits), Box::new(reading)))
}
