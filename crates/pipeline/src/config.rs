//! `sawlog.toml`: which inputs and outputs a node has, and the sizes it works with. Reading is pure: nothing is opened,
//! and everything that is wrong is told at once, with its line and a remedy. Knows nothing of what a protocol does with
//! its options.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use sawlog_sys::Sys;

use crate::{Opt, OptKind, Options, Protocol, TagPattern};

pub mod cases;
mod element;
pub mod fluent;
mod ini;
mod load;
mod sections;
mod write;

pub use element::{Element, ElementReader, Finding, FluentForm, Given, Pair, Role};
pub use load::{Loaded, lines, load, load_beaver};
pub use write::write;

/// Whose configurations are read: it decides on syntax, units and routing where they differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compat {
    /// Fluentd since v0.12, v1 syntax; the first `<match>` that fits takes the rows.
    #[default]
    Fluentd,
    /// Fluentd v0.10: values are not quoted and go up to the end of the line.
    FluentdV0,
    /// ik: as v0.10, with Go's durations and sizes in 1000s; every `<match>` that fits gets the rows.
    Ik,
}

/// A configuration as written, checked against the protocols there are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// Node-wide settings: `data`, `http`, and what `[store]`, `[journal]` and `[limits]` hold, as `store.memtable`.
    pub settings: BTreeMap<String, String>,
    /// Inputs in the order of the file.
    pub inputs: Vec<Section>,
    /// Filters and outputs of all labels, in the order of the file.
    pub steps: Vec<Step>,
    /// Rows go to the listed outputs only. Otherwise a node with a store of its own keeps all rows there, too, unless it is
    /// listed. (A Fluentd configuration lists.)
    pub only_listed: bool,
    /// Its tests; nothing that runs looks at them.
    pub tests: Vec<cases::Case>,
}

impl Config {
    /// Adds an output that gets all rows, and leaves them to those after it.
    pub fn push_output(&mut self, section: Section) {
        self.push_queued(section, QueueOptions::default());
    }

    /// As [`Config::push_output`], with this queue before it.
    pub fn push_queued(&mut self, section: Section, queue: QueueOptions) {
        let output = OutputSection { section, secondary: None, queue };
        let action = Action::Send { to: Target::Output(output), last: false };
        self.steps.push(Step { label: String::new(), tags: TagPattern::all(), action });
    }

    /// Adds an output that gets the rows of all inputs before any other step, unless only listed outputs count or one of its
    /// kind is listed.
    pub fn add_unless_listed(&mut self, section: Section) {
        if self.only_listed || self.outputs().iter().any(|output| output.section.kind == section.kind) {
            return;
        }
        let output = OutputSection { section, secondary: None, queue: QueueOptions::default() };
        let mut labels: Vec<String> = self.inputs.iter().map(|input| input.label.clone()).collect();
        // What comes by the HTTP side of a node is of no input in the configuration.
        labels.push(String::new());
        labels.sort();
        labels.dedup();
        let to = |label| {
            let action = Action::Send { to: Target::Output(output.clone()), last: false };
            Step { label, tags: TagPattern::all(), action }
        };
        self.steps.splice(0..0, labels.into_iter().map(to));
    }

    /// All outputs, in the order of the file; those that several share stand here as often.
    pub fn outputs(&self) -> Vec<&OutputSection> {
        fn visit<'a>(target: &'a Target, found: &mut Vec<&'a OutputSection>) {
            match target {
                Target::Output(output) => found.push(output),
                Target::Label(_) => {}
                Target::OneOf(targets) => targets.iter().for_each(|(_, target)| visit(target, found)),
            }
        }
        let mut found = Vec::new();
        for step in &self.steps {
            if let Action::Send { to, .. } = &step.action {
                visit(to, &mut found);
            }
        }
        found
    }

    /// A node-wide setting as a number of bytes.
    pub fn bytes(&self, name: &str) -> Option<u64> {
        bytes(self.settings.get(name)?)
    }

    /// A node-wide setting as a time in nanoseconds.
    pub fn duration(&self, name: &str) -> Option<i64> {
        duration(self.settings.get(name)?)
    }
}

/// One input, filter or output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// Name of the protocol.
    pub kind: String,
    /// What status, errors and the journal's cursors call it (`id` in a configuration). Empty: made from the kind where
    /// parts are made.
    pub name: String,
    /// The label that an input's rows go to; empty for the steps that stand in no label.
    pub label: String,
    /// Name of the tenant that an input's senders act for; empty for the one that owns the node, and that of a credential.
    pub tenant: String,
    /// Its options, complete: what is not given has its default.
    pub options: Options,
    /// Line of the file, from 1; 0 where it is of none.
    pub line: usize,
}

/// A step on the way of rows. Rows of a label meet its steps in their order; each looks at those whose tag fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The label that it stands in; empty for none.
    pub label: String,
    /// Rows with other tags pass it by.
    pub tags: TagPattern,
    /// What is done with the rows.
    pub action: Action,
}

/// What a step does.
#[expect(clippy::large_enum_variant, reason = "a configuration holds few of them, and none is copied often")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Rows go on as the filter makes them.
    Filter(Section),
    /// Rows go there, and, unless it is the `last`, also on to the next step. (Fluentd's `<match>` is last; of the stores
    /// of a `copy` only the last one is.)
    Send {
        /// Where to.
        to: Target,
        /// Whether no later step sees the rows.
        last: bool,
    },
}

/// Where rows go.
#[expect(clippy::large_enum_variant, reason = "a configuration holds few of them, and none is copied often")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To an output.
    Output(OutputSection),
    /// To the steps of a label.
    Label(String),
    /// To one of several, each batch to the one that its address chooses, by weight.
    OneOf(Vec<(u32, Target)>),
}

/// An output with what is done where it fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputSection {
    /// The output.
    pub section: Section,
    /// Takes what the output gave up; must write at once (a file, stdout).
    pub secondary: Option<Section>,
    /// Its queue and retries.
    pub queue: QueueOptions,
}

/// The queue of an output (its part of the journal) and its retries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueOptions {
    /// Most bytes of the journal that wait for this output; `None`: as many as the journal may have.
    pub limit: Option<u64>,
    /// What happens above it.
    pub overflow: Overflow,
    /// First wait before an output that said "later" is asked again.
    pub retry_wait: Duration,
    /// Longest wait.
    pub retry_max_wait: Duration,
    /// By which each wait is longer than the one before, in hundredths: 200 doubles it, 100 leaves it.
    pub retry_growth: u32,
    /// After so many tries, or so much time since the first, a batch is given up; `None`: never.
    pub retry_times: Option<u32>,
    /// See `retry_times`.
    pub retry_time: Option<Duration>,
}

impl Default for QueueOptions {
    fn default() -> Self {
        QueueOptions {
            limit: None,
            overflow: Overflow::Block,
            retry_wait: Duration::from_millis(20),
            retry_max_wait: Duration::from_secs(1),
            retry_growth: 200,
            retry_times: None,
            retry_time: None,
        }
    }
}

/// What happens when more waits for an output than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// Senders wait.
    Block,
    /// Senders get an error.
    Refuse,
    /// The oldest rows are passed over, and counted.
    DropOldest,
}

/// What a program without it says of the filter `remap`.
const NOT_IN_AGENT: &str =
    "it runs in `sawlog` and not in `sawlog-agent`: forward the rows to a `sawlog`, and give it this filter";

/// Something that is wrong in a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong and what would do.
    pub message: String,
}

/// A node-wide setting: its name (`store.memtable`), what it takes, and a sentence.
pub type Setting = (&'static str, OptKind, &'static str);

/// What a configuration may name.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// Inputs, filters and outputs.
    pub protocols: &'a [&'a Protocol],
    /// Node-wide settings.
    pub settings: &'a [Setting],
}

/// Reads a configuration.
///
/// # Errors
/// Every problem, in the order of the file.
pub fn read(text: &str, protocols: &[&Protocol], settings: &[Setting]) -> Result<Config, Vec<Problem>> {
    sections::read(text, Known { protocols, settings }).map(|(config, _)| config)
}

/// Reads a configuration file of any dialect; all its problems, each with file and line, are the error.
///
/// # Errors
/// In words.
pub fn read_file(
    sys: &Sys,
    path: &Path,
    protocols: &[&Protocol],
    settings: &[Setting],
) -> Result<Config, String> {
    let loaded = load(sys, path, Known { protocols, settings }, None);
    loaded.map(|loaded| loaded.config).map_err(|findings| lines(&findings, false))
}

/// Options of a protocol with `given` ones set and defaults elsewhere; for wiring without a configuration file.
///
/// # Errors
/// In words, where an option is unknown or has the wrong kind of value.
pub fn options(protocol: &Protocol, given: &[(&str, Vec<String>)]) -> Result<Options, String> {
    let mut options = Options::default();
    for (name, values) in given {
        let opt = find_opt(protocol, name)?;
        for value in values {
            check_value(opt, value)?;
        }
        options.0.insert((*name).to_owned(), values.clone());
    }
    fill_defaults(protocol, &mut options);
    Ok(options)
}

fn find_opt<'p>(protocol: &'p Protocol, name: &str) -> Result<&'p Opt, String> {
    protocol.options.iter().find(|opt| opt.name == name).ok_or_else(|| {
        let known = protocol.options.iter().map(|opt| opt.name);
        format!("`{}` has no option `{name}`{}", protocol.name, suggestion(name, known))
    })
}

fn fill_defaults(protocol: &Protocol, options: &mut Options) {
    for opt in protocol.options {
        options.0.entry(opt.name.to_owned()).or_insert_with(|| {
            if opt.default.is_empty() { Vec::new() } else { vec![opt.default.to_owned()] }
        });
    }
}

fn kind_words(kind: OptKind) -> &'static str {
    match kind {
        OptKind::Text => "a text",
        OptKind::List => "a text or a list of texts",
        OptKind::Bool => "true or false",
        OptKind::Number => "a whole number",
        OptKind::Bytes => "a number of bytes, such as \"64MiB\"",
        OptKind::Duration => "a time, such as \"5s\" or \"30d\"",
        OptKind::Address => "an address with a port, such as \"127.0.0.1:24224\"",
    }
}

fn check_value(opt: &Opt, text: &str) -> Result<(), String> {
    let fits = match opt.kind {
        OptKind::Text | OptKind::List => true,
        OptKind::Bool => matches!(text, "true" | "false"),
        OptKind::Number => text.parse::<i64>().is_ok(),
        OptKind::Bytes => bytes(text).is_some(),
        OptKind::Duration => duration(text).is_some(),
        OptKind::Address => text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()),
    };
    if fits { Ok(()) } else { Err(format!("`{text}` is not {}", kind_words(opt.kind))) }
}

/// A number of bytes: digits and a unit (`k`, `kB`, `KiB`, `MB`, `MiB`, `GiB`, …; a lone letter counts in 1024s).
pub fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "kb" => 1_000,
        "m" | "mib" => 1 << 20,
        "mb" => 1_000_000,
        "g" | "gib" => 1 << 30,
        "gb" => 1_000_000_000,
        "t" | "tib" => 1 << 40,
        "tb" => 1_000_000_000_000,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// A time in nanoseconds: digits and a unit (`ns us ms s m h d w`; none: seconds).
pub fn duration(text: &str) -> Option<i64> {
    let (number, unit) = split_unit(text)?;
    let factor: i64 = match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "" | "s" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        "w" => 604_800_000_000_000,
        _ => return None,
    };
    i64::try_from(number).ok()?.checked_mul(factor)
}

/// A time as the shortest text that [`duration`] reads.
pub fn duration_text(nanos: i64) -> String {
    const UNITS: [(&str, i64); 6] = [
        ("d", 86_400_000_000_000),
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
    ];
    match UNITS.iter().find(|(_, factor)| nanos != 0 && nanos % factor == 0) {
        Some((unit, factor)) => format!("{}{unit}", nanos / factor),
        None if nanos == 0 => "0s".to_owned(),
        None => format!("{nanos}ns"),
    }
}

/// A number of bytes as the shortest text that [`bytes`] reads.
pub fn bytes_text(number: u64) -> String {
    const UNITS: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.iter().find(|(_, factor)| number != 0 && number.is_multiple_of(*factor)) {
        Some((unit, factor)) => format!("{}{unit}", number / factor),
        None => number.to_string(),
    }
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, text[end..].trim()))
}

/// `; did you mean …?` where a known name is near, else the names there are.
pub fn suggestion<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let near = known.clone().map(|have| (distance(name, have), have)).min();
    match near {
        Some((steps, have)) if steps <= 2.max(name.len() / 3) => format!("; did you mean `{have}`?"),
        _ => format!("; there are: {}", known.collect::<Vec<_>>().join(", ")),
    }
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = before + usize::from(x != *y);
            before = row[j + 1];
            row[j + 1] = change.min(before + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests;
