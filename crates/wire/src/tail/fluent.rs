//! What Fluentd's and ik's configurations say of this input. Knows nothing of what the options do.

use sawlog_pipeline::config::{ElementReader, FluentForm, Role, duration_text};

use crate::format::parse;

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
    let mut parser = parse::from_fluent(reader);
    if reader.flag("emit_unmatched_lines") == Some(true) {
        let unmatched = parser.iter_mut().filter(|(name, _)| *name == "parse.unmatched");
        unmatched.for_each(|(_, value)| *value = vec!["emit".to_owned()]);
    }
    given.extend(parser);
    let texts = [("pos_file", "pos_file"), ("path_key", "path_key"), ("path_timezone", "path_timezone")];
    for (theirs, ours) in texts {
        given.extend(reader.text(theirs).map(|text| (ours, vec![text.to_owned()])));
    }
    let size = reader.size("max_line_size").map(|bytes| bytes.to_string());
    given.extend(size.map(|text| ("max_line_size", vec![text])));
    // -1 is no limit there.
    if reader.text("read_bytes_limit_per_second").is_some_and(|text| text != "-1") {
        let rate = reader.size("read_bytes_limit_per_second").map(|bytes| bytes.to_string());
        given.extend(rate.map(|text| ("read_bytes_limit_per_second", vec![text])));
    }
    let recent = reader.time("limit_recently_modified").map(duration_text);
    given.extend(recent.map(|text| ("limit_recently_modified", vec![text])));
    let quiet = reader.time("multiline_flush_interval").map_or_else(|| "0s".to_owned(), duration_text);
    given.push(("multiline_flush_interval", vec![quiet]));
    // Text leaves Fluentd as UTF-8 whatever its `encoding` is; what `from_encoding` says is what the file is written in.
    let encoding = ["encoding", "from_encoding"].map(|key| reader.text(key).map(str::to_owned));
    if let Some(name) = encoding.into_iter().flatten().next_back() {
        given.push(("encoding", vec![name]));
    }
    if reader.child("group").is_some() {
        let element = reader.element();
        reader.note_at(
            element,
            "<group> has no effect: files have turns, and none can starve another".to_owned(),
        );
    }
    reader.without_effect(&["pos_file_compaction_interval"], "positions are kept in the node's data");
    reader.without_effect(
        &["rotate_wait", "follow_inodes"],
        "a rotated file is followed by its inode until nothing more is written to it",
    );
    reader.without_effect(
        &["read_buffer_size", "read_lines_limit", "throttling"],
        "files have turns of 8 MiB, and are read as fast as rows are taken",
    );
    reader.without_effect(
        &[
            "enable_watch_timer",
            "enable_stat_watcher",
            "open_on_every_update",
            "skip_refresh_on_startup",
            "ignore_repeated_permission_error",
        ],
        "changes are told by the system, and an error is counted once for each look",
    );
    given
}
