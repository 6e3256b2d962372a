//! Options of the output. Knows nothing of what is done with them.

use sawlog_pipeline::{Opt, OptKind, opt, options};

use crate::shared::{chunks, formatter};

const OWN: [Opt; 10] = [
    opt(
        "path",
        OptKind::Text,
        "",
        "Names of the files, with %Y%m%d, ${tag}, ${tag[1]}, ${chunk_id}, ${FIELD}, `*`.",
    ),
    opt("append", OptKind::Bool, "false", "Add to one file instead of making one for each chunk."),
    opt("compress", OptKind::Text, "text", "`text` (not at all), `gzip` or `zstd`."),
    opt("path_suffix", OptKind::Text, ".log", "What names end in."),
    opt("add_path_suffix", OptKind::Bool, "true", "Whether they do."),
    opt(
        "time_slice_format",
        OptKind::Text,
        "",
        "Letters of strftime for the span; else as many as it needs.",
    ),
    opt("symlink_path", OptKind::Text, "", "A symbolic link to the chunk that is written now."),
    opt("symlink_path_use_relative", OptKind::Bool, "false", "The link names its target relative to itself."),
    opt("file_permission", OptKind::Text, "", "Permissions of files, octal."),
    opt("dir_permission", OptKind::Text, "", "Permissions of directories that it makes, octal."),
];

/// All.
pub(super) const OPTIONS: &[Opt] = options![&OWN, &chunks::BUFFER, formatter::OPTIONS];
