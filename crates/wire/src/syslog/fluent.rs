//! `@type syslog` of Fluentd's configurations. Knows nothing of what the options do.

use sawlog_pipeline::config::{ElementReader, FluentForm, Role};

use crate::shared::door;

/// Fluentd's in_syslog.
pub(super) const FORM: FluentForm = FluentForm { role: Role::Source, names: &["syslog"], read };

fn read(reader: &mut ElementReader<'_>) -> Vec<(&'static str, Vec<String>)> {
    let mut options = vec![door::fluent_listen(reader, 5140)];
    let (transport, tls) = door::fluent_transport(reader, "udp");
    options.extend(tls);
    let mut give = |name: &'static str, value: Option<&str>| {
        options.extend(value.map(|value| (name, vec![value.to_owned()])));
    };
    give("tag", Some(reader.required("tag")));
    give("transports", Some(if transport == "tls" { "tcp" } else { &transport }));
    let limit = reader.size("message_length_limit").unwrap_or(2048);
    give("message_length_limit", Some(&limit.to_string()));
    give("frame_type", Some(reader.text("frame_type").unwrap_or("traditional")));
    give("delimiter", reader.text("delimiter"));
    give("facility_key", reader.text("facility_key"));
    let severity = reader.text("severity_key");
    give("severity_key", severity.or(reader.text("priority_key")));
    give("emit_unmatched_lines", Some(&reader.flag("emit_unmatched_lines").unwrap_or(false).to_string()));
    options.extend(door::fluent_peer(reader));
    if let Some(parse) = reader.child("parse") {
        let mut inner = reader.inside(parse);
        match inner.text("@type") {
            None | Some("syslog") => {}
            Some(other) => {
                inner.wrong("@type", &format!("`{other}`: syslog messages are read as syslog here"))
            }
        }
        if let Some(format) = inner.text("message_format")
            && !matches!(format, "rfc3164" | "rfc5424" | "auto")
        {
            inner.wrong("message_format", &format!("`{format}` is none of rfc3164, rfc5424, auto"));
        }
        options.extend(inner.text("timezone").map(|zone| ("timezone", vec![zone.to_owned()])));
        let told = "both forms of a message, with and without a priority, are told apart by themselves";
        let keys = [
            "with_priority",
            "parser_type",
            "parser_engine",
            "time_format",
            "rfc5424_time_format",
            "support_colonless_ident",
        ];
        inner.without_effect(&keys, told);
        inner.finish();
    }
    reader.without_effect(&["blocking_timeout"], "nothing here waits by polling");
    reader.without_effect(&["send_keepalive_packet"], "connections are not asked whether they live");
    options
}
