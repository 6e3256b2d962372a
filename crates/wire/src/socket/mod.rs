//! Lines over TCP, UDP and Unix sockets: see README.md. Knows nothing of the store or of other protocols; what a line says
//! is the line format's business.

mod input;
#[cfg(test)]
mod tests;

use sawlog_pipeline::config::{ElementReader, FluentForm, Role};
use sawlog_pipeline::options;
use sawlog_pipeline::{Opt, OptKind, Protocol, Sample};

use crate::shared::cut::Cutter;
use crate::shared::door::{self, RowsDecoder};
use crate::shared::lines::{self, LineReading};

/// Lines over TCP.
pub const TCP: Protocol = Protocol {
    name: "tcp",
    summary: "Lines of any format over TCP.",
    options: options![TCP_OWN, SHARED],
    input: Some(input::tcp),
    fluent: &[FluentForm { role: Role::Source, names: &["tcp"], read: fluent_tcp }],
    decoder: Some(|limits| {
        let cutter = Cutter::new(input::line_framing(), input::LONGEST, limits);
        Box::new(RowsDecoder::new(cutter, Box::new(LineReading::alone(&Default::default(), "tcp", limits))))
    }),
    samples: SAMPLES,
    ..Protocol::EMPTY
};

/// Datagrams of a line each.
pub const UDP: Protocol = Protocol {
    name: "udp",
    summary: "Lines of any format, one in each datagram.",
    options: options![UDP_OWN, SHARED],
    input: Some(input::udp),
    fluent: &[FluentForm { role: Role::Source, names: &["udp"], read: fluent_udp }],
    ..Protocol::EMPTY
};

/// Lines over a socket in the file system.
pub const UNIX: Protocol = Protocol {
    name: "unix",
    summary: "Lines of any format over a Unix socket.",
    options: options![UNIX_OWN, SHARED],
    input: Some(input::unix),
    ..Protocol::EMPTY
};

const SHARED: &[Opt] = options![lines::OPTIONS, door::OPTIONS];

const DELIMITER: Opt = Opt {
    name: "delimiter",
    kind: OptKind::Text,
    default: "\\n",
    help: "What ends a message; `\\n`, `\\r`, `\\t`, `\\0`.",
};

const LENGTH: Opt = Opt {
    name: "message_length_limit",
    kind: OptKind::Bytes,
    default: "1MiB",
    help: "Longest message; the rest of a longer one goes on in the next row.",
};

const TCP_OWN: &[Opt] = &[
    Opt { name: "listen", kind: OptKind::Address, default: "127.0.0.1:5170", help: "Address to listen on." },
    DELIMITER,
    LENGTH,
];

const UDP_OWN: &[Opt] = &[
    Opt { name: "listen", kind: OptKind::Address, default: "127.0.0.1:5160", help: "Address to listen on." },
    LENGTH,
];

const UNIX_OWN: &[Opt] = &[
    Opt {
        name: "path",
        kind: OptKind::Text,
        default: "",
        help: "Path of the socket; who may write to it may send.",
    },
    DELIMITER,
    LENGTH,
];

const SAMPLES: &[Sample] = &[
    Sample { name: "lines", bytes: b"one\ntwo\r\n\n\xff\xfethree\n", events: 3 },
    Sample { name: "a JSON object on each", bytes: b"{\"a\":1}\n{\"b\":[1,2]}\n", events: 2 },
];

type Given = Vec<(&'static str, Vec<String>)>;

fn fluent_tcp(reader: &mut ElementReader<'_>) -> Given {
    let mut given = vec![door::fluent_listen(reader, 5170)];
    let (transport, tls) = door::fluent_transport(reader, "tcp");
    if !matches!(transport.as_str(), "tcp" | "tls") {
        reader.wrong("transport", &format!("`{transport}`: a `tcp` source has tcp and tls"));
    }
    given.extend(tls);
    given.extend(reader.text("delimiter").map(|text| ("delimiter", vec![text.to_owned()])));
    shared(reader, &mut given);
    given
}

fn fluent_udp(reader: &mut ElementReader<'_>) -> Given {
    let mut given = vec![door::fluent_listen(reader, 5160)];
    given.push(("remove_newline", vec![reader.flag("remove_newline").unwrap_or(true).to_string()]));
    given.extend(
        reader.size("receive_buffer_size").map(|size| ("receive_buffer_size", vec![size.to_string()])),
    );
    shared(reader, &mut given);
    given
}

fn shared(reader: &mut ElementReader<'_>, given: &mut Given) {
    given.push(("tag", vec![reader.required("tag").to_owned()]));
    let limit = reader.size("message_length_limit").or(reader.size("body_size_limit"));
    given.extend(limit.map(|limit| ("message_length_limit", vec![limit.to_string()])));
    given.extend(door::fluent_peer(reader));
    given.extend(lines::fluent_parse(reader));
    reader.without_effect(&["blocking_timeout"], "nothing here waits by polling");
    reader.without_effect(&["send_keepalive_packet"], "connections are not asked whether they live");
}
