//! `@type syslog` of Fluentd's configurations. Knows nothing of what the options do.

use sawlog_pipeline::config::{ElementReader, FluentForm, Role};

use crate::format::parse;
use crate::shared::door;

/// Fluentd's in_syslog.
pub(super) const FORM: FluentForm = FluentForm { role: Role::Source, names: &["syslog"], read };

fn read(reader: &mut ElementReader<'_>) -> Vec<(&'static str, Vec<String>)> {
    let mut options = vec![door::fluent_listen(reader, 5140)];
    let old = reader.text("protocol_type").unwrap_or("udp");
    let (transport, tls) = door::fluent_transport(reader, old);
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
    let mut parser = parse::from_fluent(reader);
    if parser.is_empty() {
        parser =
            vec![("parse.type", vec!["syslog".to_owned()]), ("parse.timezone", vec!["local".to_owned()])];
    }
    if !parser.iter().any(|(name, _)| *name == "parse.with_priority") {
        parser.push(("parse.with_priority", vec!["true".to_owned()]));
    }
    options.extend(parser);
    reader.without_effect(&["blocking_timeout"], "nothing here waits by polling");
    reader.without_effect(&["send_keepalive_packet"], "connections are not asked whether they live");
    options
}
