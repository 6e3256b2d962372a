//! `@type exec` of Fluentd's configurations. Knows nothing of what the options do.

use sawlog_pipeline::config::{ElementReader, FluentForm, Role};

use crate::format::parse;

/// Fluentd's in_exec.
pub(super) const FORM: FluentForm = FluentForm { role: Role::Source, names: &["exec"], read };

type Given = Vec<(&'static str, Vec<String>)>;

fn read(reader: &mut ElementReader<'_>) -> Given {
    let mut given = vec![("command", vec![reader.required("command").to_owned()])];
    given.extend(reader.time("run_interval").map(|time| ("run_interval", vec![format!("{time}ns")])));
    for key in ["tag", "connect_mode", "tag_key"] {
        given.extend(reader.text(key).map(|text| (key, vec![text.to_owned()])));
    }
    let mut parser = parse::from_fluent(reader);
    if parser.is_empty() {
        // Before v0.14, and without <parse>: columns.
        parser.push(("parse.type", vec!["tsv".to_owned()]));
        parser.push(("parse.unmatched", vec!["drop".to_owned()]));
        parser.extend(reader.list("keys").map(|keys| ("parse.keys", keys)));
        for (key, ours) in [("time_key", "parse.time_key"), ("time_format", "parse.time_format")] {
            parser.extend(reader.text(key).map(|text| (ours, vec![text.to_owned()])));
        }
    }
    if let Some(extract) = reader.child("extract") {
        let mut inner = reader.inside(extract);
        given.extend(inner.text("tag_key").map(|key| ("tag_key", vec![key.to_owned()])));
        for (key, ours) in [
            ("time_key", "parse.time_key"),
            ("time_type", "parse.time_type"),
            ("time_format", "parse.time_format"),
            ("timezone", "parse.timezone"),
        ] {
            if let Some(text) = inner.text(key) {
                parser.retain(|(name, _)| *name != ours);
                parser.push((ours, vec![text.to_owned()]));
            }
        }
        inner.finish();
    }
    let has = |name: &str, parser: &Given| parser.iter().any(|(have, _)| *have == name);
    if has("parse.time_key", &parser)
        && !has("parse.time_format", &parser)
        && !has("parse.time_type", &parser)
    {
        // Without a format the time is seconds, also with a fraction.
        parser.push(("parse.time_type", vec!["float".to_owned()]));
    }
    given.extend(parser);
    given
}
