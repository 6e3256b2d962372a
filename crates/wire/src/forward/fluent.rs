//! What Fluentd's and ik's configurations say of this protocol. Knows nothing of what the options do.

use sawlog_pipeline::config::{ElementReader, FluentForm, Role, duration_text};

/// Options of ours.
type Given = Vec<(&'static str, Vec<String>)>;

/// Both sides.
pub(super) const FORMS: &[FluentForm] = &[
    FluentForm { role: Role::Source, names: &["forward", "secure_forward"], read: source },
    FluentForm { role: Role::Match, names: &["forward", "secure_forward"], read: output },
];

fn text(reader: &mut ElementReader<'_>, key: &'static str, ours: &'static str, given: &mut Given) {
    given.extend(reader.text(key).map(|text| (ours, vec![text.to_owned()])));
}

fn source(reader: &mut ElementReader<'_>) -> Given {
    let mut given = Given::new();
    let port = reader.number("port").unwrap_or(24224);
    // `listen` is ik's name.
    let host = reader.text("bind").or(reader.text("listen")).unwrap_or("0.0.0.0");
    given.push(("listen", vec![format!("{host}:{port}")]));
    for key in ["tag", "add_tag_prefix", "source_address_key"] {
        text(reader, key, key, &mut given);
    }
    if let Some(security) = reader.child("security") {
        let mut inside = reader.inside(security);
        for key in ["shared_key", "self_hostname"] {
            text(&mut inside, key, key, &mut given);
        }
        let asked = inside.flag("user_auth").unwrap_or(false);
        let mut users = Vec::new();
        for user in inside.children("user") {
            let mut one = inside.inside(user);
            users.push(format!("{}:{}", one.required("username"), one.required("password")));
            one.finish();
        }
        if asked {
            given.push(("users", users));
        }
        inside.finish();
    }
    reader.without_effect(
        &["backlog", "linger_timeout", "send_keepalive_packet", "blocking_timeout"],
        "connections are kept as the system keeps them",
    );
    reader.without_effect(
        &["chunk_size_warn_limit", "skip_invalid_event"],
        "what is no event is counted in the status",
    );
    given
}

fn output(reader: &mut ElementReader<'_>) -> Given {
    let mut given = Given::new();
    let servers: Vec<_> = reader.children("server").collect();
    let mut targets = Vec::new();
    for server in servers {
        let mut one = reader.inside(server);
        let (host, port) = (one.required("host"), one.number("port").unwrap_or(24224));
        targets.push(format!("{host}:{port}"));
        for key in ["username", "password"] {
            text(&mut one, key, key, &mut given);
        }
        one.without_effect(&["name"], "a server is called by its address");
        one.finish();
    }
    if targets.len() > 1 {
        let message = "several servers are not used yet; use a `roundrobin` with one <server> each";
        reader.wrong("server", message);
    }
    if targets.is_empty() {
        // v0.10 and ik.
        let (host, port) =
            (reader.text("host").unwrap_or("localhost"), reader.number("port").unwrap_or(24224));
        targets.push(format!("{host}:{port}"));
    }
    given.push(("to", targets));
    given.push(("lane", vec!["false".to_owned()]));
    // Without acknowledgements rows can be lost, as Fluentd's default has it; every forward server gives them.
    let ack = reader.flag("require_ack_response").unwrap_or(true);
    given.push(("ack", vec![ack.to_string()]));
    let timeout = reader.time("ack_response_timeout").map(duration_text);
    given.extend(timeout.map(|text| ("ack_timeout", vec![text])));
    text(reader, "compress", "compress", &mut given);
    if let Some(security) = reader.child("security") {
        let mut inside = reader.inside(security);
        for key in ["shared_key", "self_hostname"] {
            text(&mut inside, key, key, &mut given);
        }
        inside.finish();
    }
    reader.without_effect(
        &[
            "send_timeout",
            "connect_timeout",
            "recover_wait",
            "heartbeat_type",
            "heartbeat_interval",
            "phi_failure_detector",
            "phi_threshold",
            "hard_timeout",
            "expire_dns_cache",
            "dns_round_robin",
            "ignore_network_errors_at_startup",
            "verify_connection_at_startup",
            "keepalive",
            "keepalive_timeout",
            "time_as_integer",
            "slow_flush_log_threshold",
        ],
        "one connection is kept, and made anew where it fails",
    );
    given
}
