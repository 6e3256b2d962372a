//! Parsers in Fluentd's configurations: a `<parse>` section, or, as before v0.14, options of the input itself with `format`.
//! Knows nothing of what the options do.

use sawlog_pipeline::config::ElementReader;

/// Options of ours.
type Given = Vec<(&'static str, Vec<String>)>;

/// Options that are the same here: their name there, and ours.
const SAME: &[(&str, &str)] = &[
    ("time_key", "parse.time_key"),
    ("time_type", "parse.time_type"),
    ("time_format", "parse.time_format"),
    ("null_value_pattern", "parse.null_value_pattern"),
    ("delimiter", "parse.delimiter"),
    ("delimiter_pattern", "parse.delimiter_pattern"),
    ("label_delimiter", "parse.label_delimiter"),
    ("message_key", "parse.message_key"),
    ("message_format", "parse.message_format"),
    ("rfc5424_time_format", "parse.rfc5424_time_format"),
    ("format_firstline", "parse.format_firstline"),
    ("rulebase", "parse.rulebase"),
];
const FLAGS: &[(&str, &str)] = &[
    ("keep_time_key", "parse.keep_time_key"),
    ("estimate_current_event", "parse.estimate_current_event"),
    ("null_empty_string", "parse.null_empty_string"),
    ("with_priority", "parse.with_priority"),
];
const FORMATS: [&str; 20] = [
    "format1", "format2", "format3", "format4", "format5", "format6", "format7", "format8", "format9",
    "format10", "format11", "format12", "format13", "format14", "format15", "format16", "format17",
    "format18", "format19", "format20",
];
/// Types of other plug-ins by the names of ours.
const ALIASES: &[(&str, &str)] =
    &[("apache", "apache2"), ("apache_combined", "apache2"), ("regex", "regexp")];

/// The options of ours that the parser of an element means; lines that do not match are dropped as Fluentd does. Nothing where
/// the element has none. What is wrong is reported to the reader.
pub fn from_fluent(reader: &mut ElementReader<'_>) -> Given {
    let mut given = Given::new();
    if let Some(parse) = reader.child("parse") {
        let mut inside = reader.inside(parse);
        let kind = inside.text("@type").or_else(|| inside.text("type"));
        match kind {
            Some(kind) => read(kind, "@type", &mut inside, &mut given),
            None => inside.wrong("@type", "this <parse> needs `@type`"),
        }
        inside.finish();
    } else if let Some(kind) = reader.text("format") {
        read(kind, "format", reader, &mut given);
    }
    given
}

fn read(kind: &str, key: &'static str, reader: &mut ElementReader<'_>, given: &mut Given) {
    let mut put = |name: &'static str, value: String| given.push((name, vec![value]));
    let kind = ALIASES.iter().find(|(alias, _)| *alias == kind).map_or(kind, |(_, name)| *name);
    let mut expression = reader.text("expression").map(str::to_owned);
    let mut name = kind;
    if kind.starts_with('/') && kind.len() > 1 {
        (expression, name) = (Some(kind.to_owned()), "regexp");
    }
    let lines: Vec<&str> = FORMATS.iter().map_while(|format| reader.text(format)).collect();
    if name == "multiline" && !lines.is_empty() {
        let inner =
            |text: &&str| text.strip_prefix('/').and_then(|text| text.strip_suffix('/')).map(str::to_owned);
        match lines.iter().map(inner).collect::<Option<Vec<String>>>() {
            Some(parts) => expression = Some(format!("/{}/m", parts.concat())),
            None => reader.wrong("format1", "write each of these as /…/"),
        }
    }
    for (flag, letter) in [("ignorecase", 'i'), ("multiline", 'm')] {
        if reader.flag(flag) == Some(true)
            && let Some(text) = &mut expression
        {
            *text =
                if text.starts_with('/') { format!("{text}{letter}") } else { format!("/{text}/{letter}") };
        }
    }
    put("parse.type", name.to_owned());
    put("parse.unmatched", "drop".to_owned());
    if let Some(text) = expression {
        put("parse.expression", text);
    }
    for (theirs, ours) in SAME {
        if let Some(text) = reader.text(theirs) {
            put(ours, text.to_owned());
        }
    }
    for (theirs, ours) in FLAGS {
        if let Some(flag) = reader.flag(theirs) {
            put(ours, flag.to_string());
        }
    }
    let utc = reader.flag("utc").or_else(|| reader.flag("localtime").map(|local| !local)).unwrap_or(false);
    let zone = reader.text("timezone").unwrap_or(if utc { "UTC" } else { "local" });
    put("parse.timezone", zone.to_owned());
    given.extend(reader.list("keys").map(|keys| ("parse.keys", keys)));
    given
        .extend(reader.list("time_format_fallbacks").map(|formats| ("parse.time_format_fallbacks", formats)));
    given.extend(reader.text("types").map(|types| ("parse.types", vec![types.to_owned()])));
    reader.without_effect(&["timeout"], "no expression can take long");
    reader.without_effect(
        &["json_parser", "stream_buffer_size", "parser_type", "parser_engine", "support_colonless_ident"],
        "there is one way to read it",
    );
    check(key, reader, given);
}

/// Tells what is wrong where it stands.
fn check(key: &'static str, reader: &mut ElementReader<'_>, given: &Given) {
    let options = given.iter().map(|(name, values)| ((*name).to_owned(), values.clone())).collect();
    let Err(error) = super::Spec::from_options(&sawlog_pipeline::Options(options)) else { return };
    let option =
        error.0.strip_prefix("`parse.").and_then(|rest| rest.split('`').next()).unwrap_or(key).to_owned();
    let message = error.0.split_once(": ").map_or(error.0.as_str(), |(_, message)| message).to_owned();
    let place = match option.as_str() {
        "expression" if reader.element().get("expression").is_none() => {
            if reader.element().get("format1").is_some() { "format1" } else { key }
        }
        "type" => key,
        other => other,
    };
    reader.wrong(place, &message);
}
