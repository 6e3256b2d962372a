//! The options of formats and injections, and how Fluentd's configurations give them. Knows nothing of what they do.

use sawlog_pipeline::config::{Element, ElementReader};
use sawlog_pipeline::{Opt, OptKind, opt};

/// Options of `<format>`.
pub const FORMAT: [Opt; 14] = [
    opt(
        "format.type",
        OptKind::Text,
        "",
        "json, ltsv, csv, tsv, msgpack, blueox, out_file, single_value, hash, stdout, ik, logstash, logstash_v0, \
         logstash_msgpack, logstash_v0_msgpack, gelf or stamped.",
    ),
    opt("format.add_newline", OptKind::Bool, "true", "End every event with a newline."),
    opt("format.newline", OptKind::Text, "lf", "What a newline is: `lf` or `crlf`."),
    opt(
        "format.delimiter",
        OptKind::Text,
        "",
        "ltsv, csv, tsv: between fields. out_file: `tab`, `space` or `comma`.",
    ),
    opt("format.label_delimiter", OptKind::Text, ":", "ltsv: between label and value."),
    opt("format.replacement", OptKind::Text, " ", "ltsv: stands for a delimiter in a value."),
    opt("format.keys", OptKind::List, "", "csv, tsv: the fields, in order."),
    opt("format.force_quotes", OptKind::Bool, "true", "csv: quotes also where they need not be."),
    opt("format.message_key", OptKind::Text, "message", "single_value: the field."),
    opt("format.output_type", OptKind::Text, "json", "stdout: the format of the record."),
    opt("format.output_time", OptKind::Bool, "true", "out_file: begin with the time."),
    opt("format.output_tag", OptKind::Bool, "true", "out_file: then the tag."),
    opt("format.time_format", OptKind::Text, "", "out_file, stdout: the time, by the letters of strftime."),
    opt(
        "format.timezone",
        OptKind::Text,
        "",
        "out_file, stdout: `+09:00` or `Asia/Tokyo`; else the machine's own.",
    ),
];

/// Options of `<inject>`.
pub const INJECT: [Opt; 8] = [
    opt("inject.hostname_key", OptKind::Text, "", "Field that gets this machine's name."),
    opt("inject.hostname", OptKind::Text, "", "Another name for it."),
    opt("inject.worker_id_key", OptKind::Text, "", "Field that gets the number of the worker, which is 0."),
    opt("inject.tag_key", OptKind::Text, "", "Field that gets the tag."),
    opt("inject.time_key", OptKind::Text, "", "Field that gets the time."),
    opt(
        "inject.time_type",
        OptKind::Text,
        "float",
        "`float`, `unixtime`, `unixtime_millis`, `unixtime_micros`, `unixtime_nanos` or `string`.",
    ),
    opt("inject.time_format", OptKind::Text, "", "The time as a string, by the letters of strftime."),
    opt("inject.timezone", OptKind::Text, "", "Its zone; else the machine's own."),
];

/// Both.
pub const OPTIONS: &[Opt] = sawlog_pipeline::options![&FORMAT, &INJECT];

/// Options that were read.
pub type Read = Vec<(&'static str, Vec<String>)>;

/// Reads `<format>` and `<inject>` inside of an element, or their older form as options of the element itself.
pub fn from_fluent(reader: &mut ElementReader<'_>) -> Read {
    from_fluent_with(reader, "float", None)
}

/// The same where an output has other defaults for the type and zone of an injected time.
pub fn from_fluent_with(reader: &mut ElementReader<'_>, time_type: &str, zone: Option<&str>) -> Read {
    let mut read = Vec::new();
    match reader.child("format") {
        Some(element) => {
            let mut inside = reader.inside(element);
            let kind = element.get("@type").or(element.get("type"));
            read.extend(kind.map(|kind| ("format.type", vec![kind.to_owned()])));
            read.extend(format(&mut inside));
            inside.finish();
        }
        None => {
            let old = reader.text("format");
            if let Some(kind) = old {
                read.push(("format.type", vec![kind.to_owned()]));
            }
            // Without `format` these belong to the output's own default format.
            read.extend(format(reader));
        }
    }
    read.extend(inject(reader, time_type, zone));
    read
}

fn format(reader: &mut ElementReader<'_>) -> Read {
    let mut read = Vec::new();
    for (key, name) in [
        ("newline", "format.newline"),
        ("delimiter", "format.delimiter"),
        ("label_delimiter", "format.label_delimiter"),
        ("replacement", "format.replacement"),
        ("message_key", "format.message_key"),
        ("output_type", "format.output_type"),
        ("time_format", "format.time_format"),
    ] {
        read.extend(reader.text(key).map(|text| (name, vec![text.to_owned()])));
    }
    for (key, name) in [
        ("add_newline", "format.add_newline"),
        ("force_quotes", "format.force_quotes"),
        ("output_time", "format.output_time"),
        ("output_tag", "format.output_tag"),
    ] {
        read.extend(reader.flag(key).map(|flag| (name, vec![flag.to_string()])));
    }
    let keys = reader.list("keys");
    let keys = reader.list("fields").or(keys);
    read.extend(keys.map(|keys| ("format.keys", keys)));
    read.extend(zone(reader).map(|zone| ("format.timezone", vec![zone])));
    reader.without_effect(&["json_parser"], "there is one");
    read
}

/// The zone that `timezone`, `utc` and `localtime` name; `None` where none of them does.
fn zone(reader: &mut ElementReader<'_>) -> Option<String> {
    let (utc, local) = (reader.flag("utc"), reader.flag("localtime"));
    let name = reader.text("timezone").map(str::to_owned);
    name.or_else(|| (utc == Some(true) || local == Some(false)).then(|| "UTC".to_owned()))
}

fn inject(reader: &mut ElementReader<'_>, time_type: &str, default_zone: Option<&str>) -> Read {
    let mut read = Vec::new();
    let element: Option<&Element> = reader.child("inject");
    if let Some(element) = element {
        let mut inside = reader.inside(element);
        for (key, name) in [
            ("hostname_key", "inject.hostname_key"),
            ("hostname", "inject.hostname"),
            ("worker_id_key", "inject.worker_id_key"),
            ("tag_key", "inject.tag_key"),
            ("time_key", "inject.time_key"),
            ("time_format", "inject.time_format"),
        ] {
            read.extend(inside.text(key).map(|text| (name, vec![text.to_owned()])));
        }
        let time_type = inside.text("time_type").unwrap_or(time_type);
        read.push(("inject.time_type", vec![time_type.to_owned()]));
        let zone = zone(&mut inside).or(default_zone.map(str::to_owned));
        read.extend(zone.map(|zone| ("inject.timezone", vec![zone])));
        inside.finish();
        return read;
    }
    // The older form: what is included is a string.
    let (with_tag, with_time) = (reader.flag("include_tag_key"), reader.flag("include_time_key"));
    let (tag_key, time_key) = (reader.text("tag_key"), reader.text("time_key"));
    if with_tag == Some(true) {
        read.push(("inject.tag_key", vec![tag_key.unwrap_or("tag").to_owned()]));
    }
    if with_time == Some(true) {
        read.push(("inject.time_key", vec![time_key.unwrap_or("time").to_owned()]));
        read.push(("inject.time_type", vec!["string".to_owned()]));
        read.extend(reader.text("time_format").map(|text| ("inject.time_format", vec![text.to_owned()])));
        read.extend(zone(reader).map(|zone| ("inject.timezone", vec![zone])));
    }
    read
}
