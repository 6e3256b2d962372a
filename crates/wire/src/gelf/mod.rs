//! GELF, Graylog's format, over UDP, TCP and HTTP: see README.md. Knows nothing of the store or of other protocols.

mod chunks;
mod envelope;
mod input;
#[cfg(test)]
mod tests;

use sawlog_pipeline::options;
use sawlog_pipeline::{Opt, OptKind, Protocol, Sample};

use crate::shared::cut::{Cutter, Framing};
use crate::shared::door::{self, RowsDecoder};
use crate::shared::events::EventReading;

/// The protocol.
pub const PROTOCOL: Protocol = Protocol {
    name: "gelf",
    summary: "GELF over UDP, TCP and HTTP, as Graylog takes it.",
    options: options![OWN, door::OPTIONS],
    input: Some(input::make),
    decoder: Some(|limits| {
        let cutter = Cutter::new(Framing::Objects, 2 << 20, limits);
        Box::new(RowsDecoder::new(cutter, Box::new(EventReading::alone("gelf", envelope::open, limits))))
    }),
    samples: SAMPLES,
    ..Protocol::EMPTY
};

pub use self::chunks::Chunks;

const OWN: &[Opt] = &[
    Opt { name: "listen", kind: OptKind::Address, default: "127.0.0.1:12201", help: "Address to listen on." },
    Opt {
        name: "transports",
        kind: OptKind::List,
        default: "",
        help: "`udp`, `tcp`, `http` (on one port, told by the first byte); all where none is given.",
    },
    Opt { name: "tag", kind: OptKind::Text, default: "gelf", help: "Tag of the rows." },
    Opt {
        name: "message_length_limit",
        kind: OptKind::Bytes,
        default: "2MiB",
        help: "Longest message, decompressed.",
    },
    Opt {
        name: "chunks_limit",
        kind: OptKind::Bytes,
        default: "16MiB",
        help: "UDP: memory for chunks of messages that are not whole.",
    },
];

const SAMPLES: &[Sample] = &[
    Sample {
        name: "pygelf TCP",
        events: 1,
        bytes: b"{\"version\":\"1.1\",\"short_message\":\"hello from pygelf-tcp\",\"timestamp\":1795218799.2683477,\"level\":4,\"host\":\"vm\",\"_app\":\"x\"}\0",
    },
    Sample {
        name: "graypy TCP: version 1.0, null among the fields",
        events: 1,
        bytes: b"{\"version\":\"1.0\",\"host\":\"vm\",\"short_message\":\"hello from graypy-tcp\",\"timestamp\":1795218799.2577415,\"level\":4,\"facility\":\"graypy-tcp\",\"file\":\"/srv/app/app.py\",\"line\":40,\"_function\":\"<module>\",\"_pid\":23822,\"_stack_info\":null,\"_req_id\":7}\0",
    },
    Sample {
        name: "Beaver: a zero, then a line feed",
        events: 2,
        bytes: b"{\"version\": \"1.1\", \"level\": 6, \"timestamp\": 1795217077.281, \"_file\": \"/var/log/app/a.log\", \"host\": \"web01\", \"full_message\": \"last \\u00e9 line\", \"short_message\": \"last \\u00e9 line\"}\0\n{\"short_message\":\"b\"}\0\n",
    },
    Sample { name: "line feeds, an object over several lines, no JSON", events: 3, bytes: b"{\"short_message\":\"a\"}\n{\n\"short_message\":\n{}}\nx\n" },
];
