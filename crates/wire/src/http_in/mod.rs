//! Events over HTTP as Fluentd's `http` source takes them, on a listener of its own: see README.md. Knows nothing of the
//! node's API.

mod body;
mod cors;
mod input;
#[cfg(test)]
mod tests;

pub use self::body::decode as decode_body;

use sawlog_pipeline::config::{ElementReader, FluentForm, Role};
use sawlog_pipeline::options;
use sawlog_pipeline::{Opt, OptKind, Protocol};

use crate::format::parse;
use crate::shared::{door, lines};

/// The input.
pub const PROTOCOL: Protocol = Protocol {
    name: "http",
    summary: "Events over HTTP, the path being their tag.",
    options: options![OWN, SHARED],
    input: Some(input::make),
    fluent: &[FluentForm { role: Role::Source, names: &["http"], read }],
    ..Protocol::EMPTY
};

const fn flag(name: &'static str, default: &'static str, help: &'static str) -> Opt {
    Opt { name, kind: OptKind::Bool, default, help }
}

/// With a parser all bodies are lines of it, whatever their type.
const SHARED: &[Opt] = options![parse::OPTIONS, door::OPTIONS];

const OWN: &[Opt] = &[
    Opt { name: "listen", kind: OptKind::Address, default: "127.0.0.1:9880", help: "Address to listen on." },
    Opt {
        name: "add_tag_prefix",
        kind: OptKind::Text,
        default: "",
        help: "What is put before every tag, with a dot.",
    },
    Opt { name: "body_size_limit", kind: OptKind::Bytes, default: "32MiB", help: "Longest body." },
    Opt {
        name: "keepalive_timeout",
        kind: OptKind::Duration,
        default: "10s",
        help: "How long a connection may be silent between requests.",
    },
    flag("add_http_headers", "false", "Add the request's headers as fields `HTTP_…`."),
    flag("add_remote_addr", "false", "Add the sender's address as the field `REMOTE_ADDR`."),
    flag("add_query_params", "false", "Add what stands in the query as fields `QUERY_…`."),
    Opt {
        name: "cors_allow_origins",
        kind: OptKind::List,
        default: "",
        help: "Web pages that may send: origins, `https://*.example.org` or `*`.",
    },
    flag("cors_allow_credentials", "false", "Those pages may send cookies; needs origins that are named."),
    flag("respond_with_empty_img", "false", "Answer with an image of one pixel."),
    flag("use_204_response", "false", "Answer 204 instead of 200."),
    flag(
        "dump_error_log",
        "true",
        "Keep the words of what was refused for the status; it is counted in any case.",
    ),
];

fn read(reader: &mut ElementReader<'_>) -> Vec<(&'static str, Vec<String>)> {
    let mut given = vec![door::fluent_listen(reader, 9880)];
    let (transport, tls) = door::fluent_transport(reader, "tcp");
    if !matches!(transport.as_str(), "tcp" | "tls") {
        reader.wrong("transport", &format!("`{transport}`: HTTP goes over tcp and tls"));
    }
    given.extend(tls);
    given.extend(reader.text("add_tag_prefix").map(|text| ("add_tag_prefix", vec![text.to_owned()])));
    given.extend(reader.size("body_size_limit").map(|size| ("body_size_limit", vec![size.to_string()])));
    given.extend(
        reader.time("keepalive_timeout").map(|time| ("keepalive_timeout", vec![format!("{time}ns")])),
    );
    for key in [
        "add_http_headers",
        "add_remote_addr",
        "add_query_params",
        "cors_allow_credentials",
        "respond_with_empty_img",
        "use_204_response",
        "dump_error_log",
    ] {
        given.extend(reader.flag(key).map(|flag| (key, vec![flag.to_string()])));
    }
    given.extend(reader.list("cors_allow_origins").map(|list| ("cors_allow_origins", list)));
    let own = |name: Option<&str>| matches!(name, None | Some("in_http" | "default"));
    let parse = reader.element().children.iter().find(|child| child.name == "parse");
    if own(reader.text("format")) && own(parse.and_then(|parse| parse.get("@type"))) {
        if let Some(parse) = reader.child("parse") {
            let mut inner = reader.inside(parse);
            let told = "records have the time of the request's `time`, else that of their arrival";
            inner.without_effect(&["keep_time_key", "time_key", "time_type", "time_format"], told);
            inner.finish();
        }
    } else {
        given.extend(lines::fluent_parse(reader));
    }
    reader.without_effect(&["backlog", "blocking_timeout"], "connections wait as the system lets them");
    given
}
