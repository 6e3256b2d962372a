//! What a program prints, line by line: see README.md. Knows nothing of the store or of other protocols.

mod fluent;
mod input;
#[cfg(test)]
mod tests;

use sawlog_pipeline::options;
use sawlog_pipeline::{Opt, OptKind, Protocol};

use crate::format::parse;

/// The input.
pub const PROTOCOL: Protocol = Protocol {
    name: "exec",
    summary: "What a program prints, line by line.",
    options: options![OWN, parse::OPTIONS],
    input: Some(input::make),
    fluent: &[fluent::FORM],
    ..Protocol::EMPTY
};

const OWN: &[Opt] = &[
    Opt {
        name: "command",
        kind: OptKind::List,
        default: "",
        help: "One text: a line for /bin/sh. A list: the program and its arguments, with no shell between.",
    },
    Opt {
        name: "run_interval",
        kind: OptKind::Duration,
        default: "",
        help: "How long after its end it is run again; without it, it is run once and read while it runs.",
    },
    Opt { name: "tag", kind: OptKind::Text, default: "exec", help: "Tag of the rows." },
    Opt {
        name: "tag_key",
        kind: OptKind::Text,
        default: "",
        help: "Field that is the tag, and no field then.",
    },
    Opt {
        name: "connect_mode",
        kind: OptKind::Text,
        default: "read",
        help: "`read`: what it prints; `read_with_stderr`: its errors, too.",
    },
];
