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
        ],
        "files are followed over any rotation",
    );
    given
}
