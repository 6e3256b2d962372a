//! Options of the forward protocol. Knows nothing of what is done with them.

use sawlog_pipeline::{Opt, OptKind};

use crate::shared::tls;

const fn opt(name: &'static str, kind: OptKind, default: &'static str, help: &'static str) -> Opt {
    Opt { name, kind, default, help }
}

/// Options of both sides.
pub(super) const OPTIONS: &[Opt] = &[
    opt("listen", OptKind::Address, "127.0.0.1:24224", "Input: address to listen on, TCP and UDP."),
    opt("to", OptKind::Address, "127.0.0.1:24224", "Output: the other side."),
    opt(
        "tag",
        OptKind::Text,
        "",
        "Input: replaces every tag. Output: tag of what has none; `*` is the path, dotted.",
    ),
    opt("add_tag_prefix", OptKind::Text, "", "Input: what is put before every tag, with a dot."),
    opt("dedupe", OptKind::Bool, "true", "Input: take a message with a `chunk` seen lately only once."),
    opt("source_address_key", OptKind::Text, "", "Input: field that gets the sender's IP address."),
    opt("source_hostname_key", OptKind::Text, "", "Input: field that gets the sender's name."),
    opt("resolve_hostname", OptKind::Bool, "false", "Input: ask for the names of senders."),
    opt(
        "chunk_size_limit",
        OptKind::Bytes,
        "0",
        "Input: longer messages are not taken and not acknowledged; 0: any.",
    ),
    opt(
        "chunk_size_warn_limit",
        OptKind::Bytes,
        "0",
        "Input: longer messages are counted in the status; 0: none.",
    ),
    opt(
        "skip_invalid_event",
        OptKind::Bool,
        "true",
        "Input: what is no event is left out; `false`: its message is refused.",
    ),
    opt("unix", OptKind::Text, "", "Input: path of a Unix socket to listen on instead of `listen`."),
    opt("backlog", OptKind::Number, "1024", "Input: most connections that wait to be accepted."),
    opt("linger_timeout", OptKind::Text, "", "Input: how long closing waits; 0s resets the connection."),
    opt("send_keepalive_packet", OptKind::Bool, "false", "Input: the system looks after silent connections."),
    opt("deny_keepalive", OptKind::Bool, "false", "Input: each connection is closed after a message."),
    opt(
        "clients",
        OptKind::List,
        "",
        "Input: whom a key or users are for, each `HOST-OR-NETWORK?shared_key=…&users=a,b`.",
    ),
    opt(
        "allow_anonymous_source",
        OptKind::Bool,
        "true",
        "Input: those that are none of `clients` may send, with the key of all.",
    ),
    opt("credential", OptKind::Text, "", "Input: token of the tenant that all senders act for."),
    opt("connections", OptKind::Number, "4096", "Input: most connections at a time."),
    opt("buffer", OptKind::Bytes, "128MiB", "Input: memory for what is not on stable storage yet."),
    opt("users", OptKind::List, "", "Input: `name:password` of each user that may send."),
    opt("shared_key", OptKind::Text, "", "Key that both sides must know; makes the handshake needed."),
    opt("self_hostname", OptKind::Text, "", "Name of this node in the handshake."),
    opt("username", OptKind::Text, "", "Output: user to send as."),
    opt("password", OptKind::Text, "", "Output: the user's password."),
    opt(
        "servers",
        OptKind::List,
        "",
        "Output: several servers instead of `to`, each `HOST:PORT?weight=60&standby=true&name=…&shared_key=…&username=…&password=…`.",
    ),
    opt(
        "lane",
        OptKind::Bool,
        "true",
        "Output: the other side is a sawlog; rows arrive as they are, exactly once.",
    ),
    opt(
        "compress",
        OptKind::Text,
        "text",
        "Output: `text` (not at all), `gzip` or `zstd`; with a lane also `lz4`.",
    ),
    opt("time_as_integer", OptKind::Bool, "false", "Output: times as whole seconds; not for a lane."),
    opt("ack", OptKind::Bool, "true", "Output: wait for acknowledgements; without, rows can be lost."),
    opt("ack_timeout", OptKind::Duration, "60s", "Output: how long one may take before all is sent again."),
    opt("send_timeout", OptKind::Duration, "60s", "Output: how long the other side may not read."),
    opt("connect_timeout", OptKind::Duration, "10s", "Output: how long connecting may take."),
    opt("queue", OptKind::Bytes, "4MiB", "Output: memory for what is not acknowledged."),
    opt("keepalive", OptKind::Bool, "true", "Output: keep connections that have nothing to do."),
    opt("keepalive_timeout", OptKind::Duration, "0s", "Output: how long; 0 is for ever."),
    opt("dns_round_robin", OptKind::Bool, "false", "Output: connect to the addresses of a name in turn."),
    opt(
        "verify_connection_at_startup",
        OptKind::Bool,
        "false",
        "Output: connect once before anything starts, and do not start where that fails.",
    ),
    opt(
        "heartbeat",
        OptKind::Text,
        "transport",
        "Output: how it is found out that a server is there: `transport` (its connection), `udp`, `none`.",
    ),
    opt("heartbeat_interval", OptKind::Duration, "1s", "Output: how often datagrams are sent."),
    opt(
        "hard_timeout",
        OptKind::Duration,
        "60s",
        "Output: without answers to datagrams for so long a server is away; also how long one of a lane is waited for.",
    ),
    opt(
        "recover_wait",
        OptKind::Duration,
        "10s",
        "Output: how long a server that is back is not used while others are.",
    ),
    opt(
        "failover",
        OptKind::Bool,
        "true",
        "Output: other servers get what one that is away has not acknowledged; `false`: it waits for that one.",
    ),
    tls::CERT,
    tls::KEY,
    tls::CLIENT_CA,
    tls::MIN_VERSION,
    tls::ON,
    tls::CA,
    tls::INSECURE,
    tls::VERIFY_HOSTNAME,
    tls::SERVER_NAME,
];
