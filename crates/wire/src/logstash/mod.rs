//! Logstash's JSON events, of version 0 and 1, over TCP and UDP: see README.md. Knows nothing of the store or of other
//! protocols.

mod input;
#[cfg(test)]
mod tests;

use sawlog_pipeline::options;
use sawlog_pipeline::{Opt, OptKind, Protocol, Sample};

use crate::shared::cut::Cutter;
use crate::shared::door::{self, RowsDecoder};
use crate::shared::events::EventReading;
use crate::shared::logstash;

/// The protocol.
pub const PROTOCOL: Protocol = Protocol {
    name: "logstash",
    summary: "Logstash's JSON events over TCP and UDP, as python-logstash and Beaver send them.",
    options: options![OWN, door::OPTIONS],
    input: Some(input::make),
    decoder: Some(|limits| {
        let cutter = Cutter::new(input::framing(), 2 << 20, limits);
        Box::new(RowsDecoder::new(cutter, Box::new(EventReading::alone("logstash", logstash::open, limits))))
    }),
    samples: SAMPLES,
    ..Protocol::EMPTY
};

const OWN: &[Opt] = &[
    Opt { name: "listen", kind: OptKind::Address, default: "127.0.0.1:5959", help: "Address to listen on." },
    Opt {
        name: "transports",
        kind: OptKind::List,
        default: "",
        help: "`udp`, `tcp`; both where none is given.",
    },
    Opt { name: "tag", kind: OptKind::Text, default: "logstash", help: "Tag of the rows." },
    Opt {
        name: "message_length_limit",
        kind: OptKind::Bytes,
        default: "2MiB",
        help: "Longest message; a longer one is kept as text, in several rows.",
    },
];

const SAMPLES: &[Sample] = &[
    Sample {
        name: "python-logstash: version 1, with an exception",
        events: 1,
        bytes: b"{\"@timestamp\": \"2026-11-20T23:53:19.278Z\", \"@version\": \"1\", \"message\": \"bad\", \"host\": \"vm\", \"path\": \"/srv/app/app.py\", \"tags\": [], \"type\": \"logstash\", \"level\": \"ERROR\", \"logger_name\": \"ls-tcp-v1\", \"stack_trace\": \"Traceback (most recent call last):\\n  File \\\"/srv/app/app.py\\\", line 48\", \"lineno\": 49, \"process\": 23822}\n",
    },
    Sample {
        name: "python-logstash: version 0",
        events: 1,
        bytes: b"{\"@timestamp\": \"2026-11-20T23:53:19.276Z\", \"@message\": \"oops\", \"@source\": \"logstash://vm//srv/app/app.py\", \"@source_host\": \"vm\", \"@source_path\": \"/srv/app/app.py\", \"@tags\": [], \"@type\": \"logstash\", \"@fields\": {\"levelname\": \"ERROR\", \"logger\": \"ls-tcp-v0\", \"a\": 1}}\n",
    },
    Sample {
        name: "Beaver: versions 1 and 0",
        events: 2,
        bytes: b"{\"env\": [\"prod\"], \"tags\": [\"tag1\", \"tag2\"], \"@version\": 1, \"@timestamp\": \"2026-11-20T23:24:37.281Z\", \"host\": \"web01\", \"file\": \"/var/log/app/a.log\", \"message\": \"last \\u00e9 line\", \"type\": \"mytype\"}\n{\"@tags\": [\"tag1\", \"tag2\"], \"@fields\": {\"env\": [\"prod\"]}, \"@timestamp\": \"2026-11-20T23:24:37.281Z\", \"@source_path\": \"/var/log/app/a.log\", \"@source\": \"file:///var/log/app/a.log\", \"@source_host\": \"web01\", \"@message\": \"last \\u00e9 line\", \"@type\": \"mytype\"}\n",
    },
    Sample { name: "no JSON", events: 2, bytes: b"[web01] [2026-11-20T23:24:37.281Z] last line\n3\n" },
];
