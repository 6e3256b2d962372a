//! What Fluentd's and ik's configurations say of this input. Knows nothing of what the options do.

use sawlog_pipeline::config::{Element, ElementReader, FluentForm, Role, duration_text};

/// Options of ours.
type Given = Vec<(&'static str, Vec<String>)>;

/// Its one form.
pub(super) const FORMS: &[FluentForm] =
    &[FluentForm { role: Role::Source, names: &["tail", "tail_ex"], read: source }];

fn source(reader: &mut ElementReader<'_>) -> Given {
    let mut given = Given::new();
    reader.required("path");
    given.extend(reader.list("path").map(|paths| ("paths", paths)));
    given.extend(reader.list("exclude_path").map(|paths| ("exclude", paths)));
    given.push(("tag", vec![reader.required("tag").to_owned()]));
    let beginning = reader.flag("read_from_head").unwrap_or(false);
    given.push(("from_beginning", vec![beginning.to_string()]));
    let rescan = reader.time("refresh_interval").map(duration_text);
    given.extend(rescan.map(|text| ("rescan", vec![text])));
    if let Some(parse) = reader.child("parse") {
        let mut inside = reader.inside(parse);
        lines(parse.get("@type").or(parse.get("type")), &mut inside, &mut given);
        inside.finish();
    } else {
        let kind = reader.text("format");
        lines(kind, reader, &mut given);
    }
    reader.without_effect(
        &["pos_file", "pos_file_compaction_interval"],
        "positions are kept in the node's data",
    );
    reader.without_effect(
        &[
            "rotate_wait",
            "enable_watch_timer",
            "enable_stat_watcher",
            "follow_inodes",
            "open_on_every_update",
            "skip_refresh_on_startup",
            "read_buffer_size",
            "read_lines_limit",
            "ignore_repeated_permission_error",
            "emit_unmatched_lines",
        ],
        "files are followed over any rotation, and every line is a row",
    );
    given
}

/// How lines are read.
fn lines(kind: Option<&str>, reader: &mut ElementReader<'_>, given: &mut Given) {
    let element: &Element = reader.element();
    let format = match kind {
        None | Some("none") => "text",
        Some("json") => "json",
        Some("ltsv") => "ltsv",
        Some("logfmt") => "logfmt",
        Some("nginx" | "apache" | "apache2" | "apache_combined") => "access",
        Some("syslog") => "syslog",
        Some(other) => {
            let key = if element.name == "parse" { "@type" } else { "format" };
            let message = format!(
                "lines are not read as `{other}`; there are none, json, ltsv, logfmt, nginx, apache2, syslog"
            );
            return reader.wrong(key, &message);
        }
    };
    given.push(("format", vec![format.to_owned()]));
    given.extend(reader.text("timezone").map(|zone| ("timezone", vec![zone.to_owned()])));
    reader.without_effect(
        &["time_key", "time_format", "time_type", "keep_time_key", "types", "json_parser", "message_key"],
        "times and types are told from the lines",
    );
}
