//! Files that are followed as they grow, and files that are imported once: see README.md. Knows nothing of the store or
//! of other protocols.
//!
//! In reading order: `watch` is the thread that follows; `adopt` decides what a file is, with `sources` (known by its
//! inode) and `kin` (known by its bytes); `follower` reads one file, `cutter` makes rows of its bytes and keeps its
//! `mark`; `pack` decompresses; `pool` has the buffers; `import` reads files once.

mod adopt;
mod cutter;
mod delivery;
mod fluent;
mod follower;
mod glob;
mod hash;
mod import;
mod kin;
mod mark;
mod names;
mod options;
mod pack;
mod pool;
mod pos_file;
mod sincedb;
mod sources;
#[cfg(test)]
mod tests;
mod transcode;
mod unpacking;
mod watch;

use sawlog_model::{AccessError, Right};
use sawlog_pipeline::{ConfigError, Env, Input, Intake, Opt, OptKind, Options, Protocol, Running, options};
use sawlog_sys::task;
use sawlog_sys::watch::Watcher;

pub use import::{ImportError, ImportOptions, Imported, Importer, Progress};
pub use options::LineOptions;
pub use pack::Packing;
pub use transcode::Transcoder;

use crate::format::parse;
use delivery::Delivery;
use options::TailOptions;
use pool::Pool;
use watch::Tail;

/// The protocol.
pub const PROTOCOL: Protocol = Protocol {
    name: "tail",
    summary: "Files that are followed as they grow, over rotation, truncation and restarts.",
    options: options![OWN, parse::OPTIONS],
    input: Some(|options| Ok(Box::new(TailInput { options: TailOptions::read(options)? }))),
    fluent: fluent::FORMS,
    ..Protocol::EMPTY
};

/// How the lines of an input with these options are read.
///
/// # Errors
/// Where the options cannot be.
pub(crate) fn line_options(options: &Options) -> Result<LineOptions, ConfigError> {
    Ok(TailOptions::read(options)?.lines)
}

const OWN: &[Opt] = &[
    Opt {
        name: "paths",
        kind: OptKind::List,
        default: "",
        help: "Files or patterns: `*`, `?`, `[a-z]`, `{a,b}` and `**`; a directory means all below it.",
    },
    Opt { name: "exclude", kind: OptKind::List, default: "", help: "Patterns of files to leave out." },
    Opt { name: "format", kind: OptKind::Text, default: "", help: "Format of the lines; empty: detected." },
    Opt {
        name: "encoding",
        kind: OptKind::Text,
        default: "",
        help: "Encoding of the lines where it is not UTF-8, such as shift_jis, iso-8859-1 or utf-16le.",
    },
    Opt {
        name: "timezone",
        kind: OptKind::Text,
        default: "",
        help: "Zone of times without one, as Europe/Zurich or +02:00; empty: UTC.",
    },
    Opt {
        name: "multiline",
        kind: OptKind::Text,
        default: "auto",
        help: "Whether lines are joined to events (true, false); auto: as the format says.",
    },
    Opt {
        name: "from_beginning",
        kind: OptKind::Bool,
        default: "true",
        help: "Whether files seen for the first time are read from their beginning, or only what they get from then on.",
    },
    Opt {
        name: "pos_file",
        kind: OptKind::Text,
        default: "",
        help: "Position file of Fluentd or ik, or Beaver's sincedb, read for files that are not known yet: they are read on from where those stopped.",
    },
    Opt {
        name: "path_timezone",
        kind: OptKind::Text,
        default: "",
        help: "Zone of `%Y%m%d` and the like in paths; empty: this machine's.",
    },
    Opt {
        name: "ignore_empty",
        kind: OptKind::Bool,
        default: "false",
        help: "Whether empty lines are left out.",
    },
    Opt {
        name: "tail_lines",
        kind: OptKind::Number,
        default: "0",
        help: "Of a file that is not read from its beginning, so many of its last lines are read all the same.",
    },
    Opt {
        name: "path_key",
        kind: OptKind::Text,
        default: "",
        help: "Field of all rows that holds the path of their file; empty: none.",
    },
    Opt {
        name: "max_line_size",
        kind: OptKind::Bytes,
        default: "0",
        help: "Lines that are longer are left out and counted; 0: none.",
    },
    Opt {
        name: "read_bytes_limit_per_second",
        kind: OptKind::Bytes,
        default: "0",
        help: "Most bytes that are read of each file in a second; 0: as fast as rows are taken.",
    },
    Opt {
        name: "limit_recently_modified",
        kind: OptKind::Duration,
        default: "0s",
        help: "Files that were not written to for so long are left out; 0s: none.",
    },
    Opt {
        name: "multiline_flush_interval",
        kind: OptKind::Duration,
        default: "500ms",
        help: "After so long without a new byte, lines are given that others might have gone on with; 0s: never.",
    },
    Opt {
        name: "tag",
        kind: OptKind::Text,
        default: "",
        help: "`_tag` of all rows; a `*` in it stands for the path with dots for slashes.",
    },
    Opt {
        name: "host",
        kind: OptKind::Text,
        default: "",
        help: "`_host` of all rows; empty: this machine's name.",
    },
    Opt {
        name: "rescan",
        kind: OptKind::Duration,
        default: "60s",
        help: "How often directories are looked at without being told of a change.",
    },
    Opt {
        name: "token",
        kind: OptKind::Text,
        default: "",
        help: "Token of the tenant that the rows belong to.",
    },
];

struct TailInput {
    options: TailOptions,
}

impl Input for TailInput {
    fn start(self: Box<Self>, intake: Intake, env: Env) -> Result<Running, String> {
        let tenant = env
            .access
            .admit(self.options.token.as_bytes(), Right::Ingest)
            .map_err(|error: AccessError| format!("tail: {error} (option `token`)"))?;
        let watcher = Watcher::new().map_err(|error| format!("tail: files cannot be watched: {error}"))?;
        let waker = watcher.waker();
        let delivery =
            Delivery { intake, stop: env.stop, sys: env.sys, buffers: Pool::default(), failure: None };
        let tail = Tail::new(self.options, delivery, env.limits, tenant, watcher);
        let thread = task::spawn("tail", move || tail.run()).map_err(|error| format!("tail: {error}"))?;
        let join = move || {
            waker.wake();
            thread.join();
        };
        Ok(Running { address: None, join: Box::new(join) })
    }
}

/// See [`crate::fuzz::sincedb`].
pub(crate) fn fuzz_sincedb(bytes: &[u8]) {
    let rows = sincedb::read(bytes).unwrap_or_default();
    assert!(rows.len() <= bytes.len(), "{} rows", rows.len());
}

/// See [`crate::fuzz::transcoded_lines`].
pub(crate) fn fuzz_transcoder(name: &str, bytes: &[u8]) {
    let transcoder = Transcoder::named(name).ok().flatten().expect("an encoding");
    let read = transcoder.text(bytes::Bytes::copy_from_slice(bytes));
    let mut last = 0;
    for at in 0..=read.text.len() {
        let origin = read.origin(at);
        assert!(last <= origin && origin <= bytes.len(), "{at}: {origin} of {}", bytes.len());
        last = origin;
    }
    assert_eq!(read.origin(read.text.len()), bytes.len());
    assert!(read.invalid(read.text.len()) <= 1 + memchr::memchr_iter(b'\n', bytes).count() as u64);
}
