//! `<buffer>`, and the flat options that v0.12 had for it: what becomes of an output's queue and retries, and what is handed to
//! the output. Knows nothing of what outputs do with that; options that one does not have are told as being without effect.

use std::borrow::Cow;
use std::time::Duration;

use crate::Protocol;
use crate::config::{
    Compat, Element, ElementReader, Finding, Overflow, Pair, QueueOptions, bytes_text, duration_text,
};

/// What an output's section may say of its buffer: sections, and flat options.
pub(super) const KNOWN: &[&str] = &[
    "buffer",
    "secondary",
    "buffer_type",
    "buffer_path",
    "num_threads",
    "flush_interval",
    "flush_mode",
    "try_flush_interval",
    "queued_chunk_flush_interval",
    "disable_retry_limit",
    "retry_limit",
    "retry_wait",
    "max_retry_wait",
    "buffer_chunk_limit",
    "buffer_queue_limit",
    "buffer_queue_full_action",
    "flush_at_shutdown",
    "time_slice_format",
    "time_slice_wait",
];

/// What v0.12's flat options are called in a `<buffer>`.
const FLAT: &[(&str, &str)] = &[
    ("buffer_type", "@type"),
    ("buffer_path", "path"),
    ("num_threads", "flush_thread_count"),
    ("flush_interval", "flush_interval"),
    ("flush_mode", "flush_mode"),
    ("try_flush_interval", "flush_thread_interval"),
    ("queued_chunk_flush_interval", "flush_thread_burst_interval"),
    ("disable_retry_limit", "retry_forever"),
    ("retry_limit", "retry_max_times"),
    ("retry_wait", "retry_wait"),
    ("max_retry_wait", "retry_max_interval"),
    ("buffer_chunk_limit", "chunk_limit_size"),
    ("buffer_queue_limit", "queue_limit_length"),
    ("buffer_queue_full_action", "overflow_action"),
    ("flush_at_shutdown", "flush_at_shutdown"),
    ("time_slice_format", "timekey"),
    ("time_slice_wait", "timekey_wait"),
];

/// After so long Fluentd gives a chunk up.
const FLUENTD_RETRY_TIMEOUT: Duration = Duration::from_hours(72);
/// Part of the tries after which the secondary output gets what the first one does not take.
const SECONDARY_THRESHOLD: f64 = 0.8;
/// Longest wait between tries where none is given.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Bytes of a chunk in v0.12, which its limit of a queue counts.
const FLAT_CHUNK: u64 = 8 << 20;

/// Options for the output: names and values.
type Given = Vec<(String, Vec<String>)>;

/// The buffer of an output, as its author gave it.
pub(super) struct Buffering<'a>(Option<Cow<'a, Element>>);

impl<'a> Buffering<'a> {
    /// Of a `<match>` or `<store>`.
    pub(super) fn of(element: &'a Element) -> Self {
        if let Some(buffer) = element.children.iter().find(|child| child.name == "buffer") {
            return Buffering(Some(Cow::Borrowed(buffer)));
        }
        let pairs: Vec<Pair> = element.pairs.iter().filter_map(flat).collect();
        let argument = if element.get("time_slice_format").is_some() { "time" } else { "" };
        let buffer = || Element {
            name: "buffer".to_owned(),
            argument: argument.to_owned(),
            pairs: pairs.clone(),
            children: Vec::new(),
            file: element.file.clone(),
            line: element.line,
        };
        Buffering((!pairs.is_empty()).then(|| Cow::Owned(buffer())))
    }

    /// The queue, and what the output gets.
    pub(super) fn read(
        &self,
        protocol: &Protocol,
        secondary: bool,
        compat: Compat,
        findings: &mut Vec<Finding>,
    ) -> (QueueOptions, Given) {
        let nothing = Element { name: "buffer".to_owned(), ..Element::default() };
        let element = self.0.as_deref().unwrap_or(&nothing);
        let mut reader = ElementReader::compatible(element, compat, findings);
        let queue = queue(&mut reader, secondary);
        let mut pass = Pass { reader, protocol, given: Vec::new() };
        handed_on(&mut pass);
        let Pass { mut reader, given, .. } = pass;
        if let Some(kind @ ("memory" | "file" | "file_single")) = element.get("@type").or(element.get("type"))
        {
            if kind == "memory" {
                reader.note("@type", "the journal on disk is the buffer: nothing is lost in a crash");
            }
        } else if let Some(other) = element.get("@type") {
            reader.wrong(
                "@type",
                &format!("there is no buffer `{other}`; leave it away, the journal on disk is the buffer"),
            );
        }
        without_effect(&mut reader);
        reader.finish();
        (queue, given)
    }
}

/// A flat option as it stands in a `<buffer>`.
fn flat(pair: &Pair) -> Option<Pair> {
    let (_, key) = FLAT.iter().find(|(flat, _)| *flat == pair.key)?;
    let value = match (pair.key.as_str(), pair.value.as_str()) {
        ("buffer_queue_full_action", "exception") => "throw_exception".to_owned(),
        ("time_slice_format", format) => {
            let seconds = [("%S", "1"), ("%M", "60"), ("%H", "3600")];
            let finest = seconds.iter().find(|(letter, _)| format.contains(letter));
            finest.map_or("86400", |(_, seconds)| seconds).to_owned()
        }
        (_, value) => value.to_owned(),
    };
    Some(Pair { key: (*key).to_owned(), value, ..pair.clone() })
}

fn wait(nanos: Option<i64>) -> Option<Duration> {
    Some(Duration::from_nanos(u64::try_from(nanos?).ok()?))
}

fn queue(reader: &mut ElementReader<'_>, secondary: bool) -> QueueOptions {
    let mut queue = QueueOptions::default();
    let chunk = reader.size("chunk_limit_size").or(reader.size("chunk_bytes_limit"));
    queue.limit = reader.size("total_limit_size");
    if let Some(chunks) = reader.number("queue_limit_length").or(reader.number("queued_chunks_limit_size")) {
        let bytes = u64::try_from(chunks).unwrap_or(0).saturating_mul(chunk.unwrap_or(FLAT_CHUNK));
        queue.limit = queue.limit.or(Some(bytes).filter(|bytes| *bytes > 0));
    }
    queue.overflow = match reader.text("overflow_action") {
        None | Some("block") => Overflow::Block,
        Some("throw_exception") => Overflow::Refuse,
        Some("drop_oldest_chunk") => Overflow::DropOldest,
        Some(other) => {
            let message = format!("`{other}` is not throw_exception, block or drop_oldest_chunk");
            reader.wrong("overflow_action", &message);
            Overflow::Block
        }
    };
    let first = wait(reader.time("retry_wait"));
    let growth = reader.decimal("retry_exponential_backoff_base");
    let most = wait(reader.time("retry_max_interval"));
    let periodic = match reader.text("retry_type") {
        None | Some("exponential_backoff") => false,
        Some("periodic") => true,
        Some(other) => {
            reader.wrong("retry_type", &format!("`{other}` is not exponential_backoff or periodic"));
            false
        }
    };
    if first.is_some() || most.is_some() || periodic || growth.is_some() {
        queue.retry_wait = first.unwrap_or(Duration::from_secs(1));
        queue.retry_max_wait =
            if periodic { queue.retry_wait } else { most.unwrap_or(LONGEST_WAIT.max(queue.retry_wait)) };
    }
    queue.retry_growth =
        if periodic { 100 } else { growth.map_or(200, |base| (base.clamp(1.0, 100.0) * 100.0) as u32) };
    given_up(reader, secondary, &mut queue);
    queue
}

/// When a batch is given up: never, unless it is asked for, or there is another output to take it.
fn given_up(reader: &mut ElementReader<'_>, secondary: bool, queue: &mut QueueOptions) {
    let share = reader.decimal("retry_secondary_threshold").unwrap_or(SECONDARY_THRESHOLD);
    let share = if secondary { share.clamp(0.0, 1.0) } else { 1.0 };
    let times = reader.number("retry_max_times").and_then(|times| u32::try_from(times).ok());
    let time = wait(reader.time("retry_timeout"));
    if reader.flag("retry_forever") == Some(true) {
        if secondary {
            reader.wrong("retry_forever", "the <secondary> would never get anything; leave one of them away");
        }
        return;
    }
    let time = time.or((secondary && times.is_none()).then_some(FLUENTD_RETRY_TIMEOUT));
    queue.retry_times = times.map(|times| ((f64::from(times) * share).ceil() as u32).max(1));
    queue.retry_time = time.map(|time| time.mul_f64(share));
}

/// Hands options on to an output that has them.
struct Pass<'a, 'p> {
    reader: ElementReader<'a>,
    protocol: &'p Protocol,
    given: Given,
}

impl Pass<'_, '_> {
    fn option(&mut self, key: &'static str, value: Option<String>, why_not: &str) {
        let Some(value) = value else { return };
        let name = format!("buffer.{key}");
        if self.protocol.options.iter().any(|opt| opt.name == name) {
            self.given.push((name, vec![value]));
        } else {
            self.reader.note(key, &format!("`{key}` has no effect: {why_not}"));
        }
    }
}

fn handed_on(pass: &mut Pass<'_, '_>) {
    const AT_ONCE: &str = "rows go out as soon as they are on disk, as many at once as there are";
    const NO_TIME: &str = "this output does not sort rows by their time";
    let keys: Vec<String> = pass.reader.element().argument.split([',', ' ']).map(str::to_owned).collect();
    let keys: Vec<String> = keys.into_iter().filter(|key| !key.is_empty() && key != "[]").collect();
    if !keys.is_empty() && pass.protocol.options.iter().any(|opt| opt.name == "buffer.keys") {
        pass.given.push(("buffer.keys".to_owned(), keys));
    } else if !keys.is_empty() {
        let message = format!("<buffer {}>: this output does not sort rows into chunks", keys.join(","));
        let element = pass.reader.element();
        pass.reader.note_at(element, message);
    }
    for (key, why) in [("timekey", NO_TIME), ("timekey_wait", NO_TIME), ("flush_interval", AT_ONCE)] {
        let value = pass.reader.time(key).map(duration_text);
        pass.option(key, value, why);
    }
    let value = pass.reader.flag("timekey_use_utc").map(|flag| flag.to_string());
    pass.option("timekey_use_utc", value, NO_TIME);
    let value = pass.reader.text("timekey_zone").map(str::to_owned);
    pass.option("timekey_zone", value, NO_TIME);
    let value = pass.reader.size("chunk_limit_size").map(bytes_text);
    pass.option("chunk_limit_size", value, AT_ONCE);
    let value = pass.reader.number("chunk_limit_records").map(|number| number.to_string());
    pass.option("chunk_limit_records", value, AT_ONCE);
    let value = match pass.reader.text("flush_mode") {
        Some(mode @ ("default" | "lazy" | "interval" | "immediate")) => Some(mode.to_owned()),
        Some(other) => {
            pass.reader
                .wrong("flush_mode", &format!("`{other}` is not default, lazy, interval or immediate"));
            None
        }
        None => None,
    };
    pass.option("flush_mode", value, AT_ONCE);
    let value = pass.reader.text("path").map(str::to_owned);
    pass.option("path", value, "rows wait in the journal, which lies in the node's data directory");
}

fn without_effect(reader: &mut ElementReader<'_>) {
    reader.without_effect(
        &["flush_at_shutdown"],
        "rows on disk stay there over a restart, and go out as soon as they can",
    );
    reader.without_effect(
        &[
            "flush_thread_count",
            "flush_thread_interval",
            "flush_thread_burst_interval",
            "delayed_commit_timeout",
            "chunk_full_threshold",
        ],
        "there are no chunks: an output reads the journal on, and says how far it is",
    );
    reader
        .without_effect(&["path_suffix", "chunk_format", "calc_num_records"], "there are no files of chunks");
    reader.without_effect(&["compress"], "the journal keeps rows as they came");
    reader.without_effect(&["retry_randomize"], "waits between tries are not varied");
    reader.without_effect(&["disable_chunk_backup"], "what is given up goes to the dead letters");
}
