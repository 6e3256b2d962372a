//! Runs a program of VRL on each row. Knows nothing of routes.
//!
//! In reading order: `program` compiles and runs, `convert` maps values, here rows become events and events rows.

mod convert;
mod program;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use sawlog_model::{Batch, Context, Limits, NameId, Nanos, RowRef, Value as Ours, strip_terminator};
use sawlog_pipeline::config::{ElementReader, FluentForm, Role};
use sawlog_pipeline::{
    ConfigError, Env, Failed, Filter, Filtered, Opt, OptKind, Options, Protocol, Told, WrongOption, opt,
    tag_of,
};
use sawlog_wire::shared::record::{Piece, Rewriter, entries, select};
use vrl::compiler::TimeZone;
use vrl::compiler::runtime::Runtime;
use vrl::value::{KeyString, ObjectMap, Value};

use convert::Entries;
use program::{Compiled, Ended, Event};

/// The filter.
pub const PROTOCOL: Protocol = Protocol {
    name: "remap",
    summary: "Runs a program of VRL on each row.",
    options: OPTIONS,
    filter: Some(make),
    check: Some(check),
    fluent: &[FluentForm { role: Role::Filter, names: &["remap"], read: from_fluent }],
    ..Protocol::EMPTY
};

const OPTIONS: &[Opt] = &[
    opt("source", OptKind::Text, "", "The program."),
    opt(
        "file",
        OptKind::Text,
        "",
        "File with the program, instead of `source`; read at the start, and at a reload that changes the section.",
    ),
    opt(
        "timezone",
        OptKind::Text,
        "local",
        "Zone of times that the program reads without one: a name, or `local`.",
    ),
    opt(
        "drop_on_error",
        OptKind::Bool,
        "false",
        "Rows on which it fails leave, to the label `@ERROR` where there is one.",
    ),
    opt("drop_on_abort", OptKind::Bool, "true", "Rows on which it says `abort` leave."),
    opt(
        "reroute_aborted",
        OptKind::Bool,
        "false",
        "Rows that leave by `abort` go to the label `@ERROR` where there is one.",
    ),
];

/// Most bytes of a program's file.
const LONGEST_PROGRAM: u64 = 1 << 20;

fn from_fluent(reader: &mut ElementReader<'_>) -> Vec<(&'static str, Vec<String>)> {
    let mut options = Vec::new();
    for key in ["source", "file", "timezone"] {
        options.extend(reader.text(key).map(|text| (key, vec![text.to_owned()])));
    }
    for key in ["drop_on_error", "drop_on_abort", "reroute_aborted"] {
        options.extend(reader.flag(key).map(|flag| (key, vec![flag.to_string()])));
    }
    let given = Options(options.iter().map(|(key, values)| ((*key).to_owned(), values.clone())).collect());
    for wrong in check(&given) {
        reader.tell_at(wrong.option, wrong.line, &wrong.message, wrong.note);
    }
    options
}

/// What is wrong with the program, or what VRL warns of in it, with its line.
fn check(options: &Options) -> Vec<WrongOption> {
    let wrong = |option, line, message: String| WrongOption { option, line, message, note: false };
    let zone = match zone(options) {
        Ok(zone) => zone,
        Err(ConfigError(message)) => return vec![wrong("timezone", 0, message)],
    };
    let source = options.text("source");
    match (source.is_empty(), options.text("file").is_empty()) {
        (false, true) => {}
        (true, false) => return Vec::new(),
        (true, true) => return vec![wrong("type", 0, "it needs `source`, a program, or `file`".to_owned())],
        (false, false) => return vec![wrong("file", 0, "write either `source` or `file`".to_owned())],
    }
    let (told, note) = match program::compile(source, zone) {
        Ok(compiled) => (compiled.warnings, true),
        Err(wrong) => (wrong, false),
    };
    told.into_iter().map(|told| WrongOption { note, ..wrong("source", told.line, told.message) }).collect()
}

fn zone(options: &Options) -> Result<TimeZone, ConfigError> {
    let text = options.text("timezone");
    TimeZone::parse(text).ok_or_else(|| {
        ConfigError(format!("there is no zone `{text}`; write a name such as Europe/Zurich, or local"))
    })
}

struct Remap {
    program: Compiled,
    drop_on_error: bool,
    drop_on_abort: bool,
    reroute_aborted: bool,
    limits: Limits,
}

fn make(options: &Options, env: &Env) -> Result<Box<dyn Filter>, ConfigError> {
    let file = options.text("file");
    let (name, source) = match (options.text("source"), file) {
        (source, "") if !source.is_empty() => ("`source`", source.to_owned()),
        ("", file) if !file.is_empty() => (file, read(env, file)?),
        _ => return Err(ConfigError("it needs either `source`, a program, or `file`".to_owned())),
    };
    let program = program::compile(&source, zone(options)?).map_err(|told| {
        let lines = told.iter().map(|wrong| format!("{name}:{}: {}", wrong.line + 1, wrong.message));
        ConfigError(lines.collect::<Vec<_>>().join("\n"))
    })?;
    Ok(Box::new(Remap {
        program,
        drop_on_error: options.flag("drop_on_error"),
        drop_on_abort: options.text("drop_on_abort") != "false",
        reroute_aborted: options.flag("reroute_aborted"),
        limits: env.limits,
    }))
}

/// The text of a program's file.
fn read(env: &Env, file: &str) -> Result<String, ConfigError> {
    let wrong = |what: String| ConfigError(format!("`file = {file}`: {what}"));
    let path = Path::new(file);
    let metadata = env.sys.fs.metadata(path).map_err(|error| wrong(error.to_string()))?;
    if metadata.len > LONGEST_PROGRAM {
        return Err(wrong(format!("it has more than {LONGEST_PROGRAM} bytes")));
    }
    let bytes = env.sys.fs.read(path).map_err(|error| wrong(error.to_string()))?;
    String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8".to_owned()))
}

/// Why a row is not as the program would have it.
struct Why {
    reason: &'static str,
    detail: String,
}

fn why(reason: &'static str, detail: impl Into<String>) -> Why {
    Why { reason, detail: detail.into() }
}

/// What becomes of a row.
enum Outcome {
    /// It goes on as it came.
    Kept,
    /// It has another time, and these fields more.
    Added(Nanos, Vec<(NameId, Piece)>),
    /// It is another record.
    Replaced(Nanos, Entries),
    /// The program aborted.
    Aborted(Why),
    /// The program failed.
    Failed(Why),
}

/// The filter at work on one batch.
struct Work<'a> {
    filter: &'a Remap,
    batch: &'a Arc<Batch>,
    rewriter: Rewriter<'a>,
    runtime: Runtime,
    /// What metadata have in common.
    metadata: ObjectMap,
    changed: bool,
    /// Rows that leave for `@ERROR`, and why the last one does.
    failed: Vec<usize>,
    last: Option<Why>,
    /// Rows that stay though something went wrong with them.
    told: Vec<Told>,
    /// The tag that the batch gets; `None` until a row says it.
    tag: Option<String>,
    /// Rows whose tag is another one.
    other_tags: u64,
}

impl Work<'_> {
    fn row(&mut self, row: RowRef<'_>) {
        match self.outcome(row) {
            Outcome::Kept => self.rewriter.keep(row),
            Outcome::Added(time, fields) => {
                self.changed = true;
                self.rewriter.add(row, time, &fields);
            }
            Outcome::Replaced(time, record) => {
                self.changed = true;
                if !self.rewriter.replace(row, time, record) {
                    self.fail(row, why("too_large", "the new records of a batch take more than 4 GiB"));
                }
            }
            Outcome::Aborted(why) => self.abort(row, why),
            Outcome::Failed(why) => self.fail(row, why),
        }
    }

    fn abort(&mut self, row: RowRef<'_>, why: Why) {
        if !self.filter.drop_on_abort {
            return self.rewriter.keep(row);
        }
        self.changed = true;
        if self.filter.reroute_aborted {
            self.failed.push(row.index);
            self.last = Some(why);
        }
    }

    fn fail(&mut self, row: RowRef<'_>, why: Why) {
        if !self.filter.drop_on_error {
            self.tell(why, 1);
            return self.rewriter.keep(row);
        }
        self.changed = true;
        self.failed.push(row.index);
        self.last = Some(why);
    }

    fn tell(&mut self, why: Why, count: u64) {
        let Why { reason, detail } = why;
        match self.told.iter_mut().find(|told| told.reason == reason) {
            Some(told) => {
                told.count += count;
                told.detail = detail;
            }
            None => self.told.push(Told { count, reason, detail }),
        }
    }

    fn outcome(&mut self, row: RowRef<'_>) -> Outcome {
        let limits = &self.filter.limits;
        let before = entries(row, limits);
        let mut event = Event {
            record: Value::Object(convert::object(&before)),
            metadata: Value::Object(self.metadata(row)),
            touched: false,
        };
        match self.filter.program.run(&mut event, &mut self.runtime) {
            Ok(()) => {}
            Err(Ended::Aborted(words)) => return Outcome::Aborted(why("abort", words)),
            Err(Ended::Failed(words)) => return Outcome::Failed(why("error", words)),
            Err(Ended::Exhausted) => {
                return Outcome::Failed(why(
                    "exhausted",
                    "the program takes more than a million steps on a row",
                ));
            }
        }
        let time = match self.said(row, &event.metadata) {
            Ok(time) => time,
            Err(why) => return Outcome::Failed(why),
        };
        let unchanged = match &event.record {
            Value::Object(object) => !event.touched || convert::is_object(&before, object),
            _ => false,
        };
        if unchanged {
            return match time == row.row().time {
                true => Outcome::Kept,
                false => Outcome::Added(time, Vec::new()),
            };
        }
        let Value::Object(object) = event.record else {
            return Outcome::Failed(why("no_map", "the record must be a map: `.` was given another value"));
        };
        let record = convert::entries(object, &before);
        if convert::weight(&record) > limits.event {
            let most = limits.event;
            return Outcome::Failed(why("too_large", format!("the new record takes more than {most} bytes")));
        }
        match self.additions(&before, &record) {
            Some(fields) => Outcome::Added(time, fields),
            None => Outcome::Replaced(time, record),
        }
    }

    /// What is not of the record, for one row.
    fn metadata(&self, row: RowRef<'_>) -> ObjectMap {
        if !self.filter.program.uses_metadata {
            return ObjectMap::new();
        }
        let mut metadata = self.metadata.clone();
        metadata.insert(KeyString::from("time"), convert::time(row.row().time));
        metadata.insert(KeyString::from("received"), convert::time(row.row().received));
        if self.filter.program.uses_line {
            let line = row.batch.buffer.slice_ref(strip_terminator(row.raw()));
            metadata.insert(KeyString::from("line"), Value::Bytes(line));
        }
        metadata
    }

    /// The time that the program leaves to the row; its tag is noted.
    fn said(&mut self, row: RowRef<'_>, metadata: &Value) -> Result<Nanos, Why> {
        if !self.filter.program.uses_metadata {
            return Ok(row.row().time);
        }
        let field = |name: &str| metadata.as_object().and_then(|metadata| metadata.get(name));
        let time = match field("time") {
            Some(Value::Timestamp(time)) => time.timestamp_nanos_opt(),
            _ => None,
        };
        let time = time.ok_or_else(|| why("time", "`%time` must be a timestamp from 1677 to 2262"))?;
        let tag = field("tag").and_then(Value::to_str_lossy);
        let tag = tag.ok_or_else(|| why("tag", "`%tag` must be a text"))?;
        match &self.tag {
            None => self.tag = Some(tag.into_owned()),
            Some(have) if **have == *tag => {}
            Some(_) => self.other_tags += 1,
        }
        Ok(time)
    }

    /// The fields that the new record has more, where that is all there is to it: then the line can stay.
    fn additions(&mut self, before: &Entries, record: &Entries) -> Option<Vec<(NameId, Piece)>> {
        let more = record.get(before.len()..)?;
        let same = |((name, value), (old, other)): (&(Ours, Ours), &(Ours, Ours))| {
            name.same(old) && value.same(other)
        };
        if !record.iter().zip(before).all(same) {
            return None;
        }
        // A dotted name may be that of a field inside another one.
        let names = more.iter().map(|(name, _)| name.as_str().filter(|name| !name.contains('.')));
        let names = names.collect::<Option<Vec<_>>>()?;
        let mut fields = Vec::with_capacity(more.len());
        for (name, (_, value)) in names.into_iter().zip(more) {
            let piece = self.rewriter.put(value)?;
            fields.push((self.rewriter.name(name), piece));
        }
        Some(fields)
    }

    fn finish(mut self) -> Filtered {
        let old = tag_of(self.batch);
        let mut tag = self.tag.take().filter(|tag| *tag != *old);
        if self.other_tags > 0 {
            // A batch has one tag, and which rows are in it is chance.
            tag = None;
            let words = "rows of one batch were given different tags, so that all keep theirs: `%tag` may depend on \
                         what they have in common; send them to labels by `grep` for the rest";
            let count = self.other_tags;
            self.tell(why("tag", words), count);
        }
        let failed = self.last.take().map(|Why { reason, detail }| Failed {
            batch: select(self.batch, |row| self.failed.binary_search(&row.index).is_ok()),
            reason,
            detail,
        });
        let mut batch = if self.changed { self.rewriter.finish() } else { self.batch.clone() };
        if let Some(tag) = tag {
            let mut context: Context = (*batch.context).clone();
            context.set("_tag", tag);
            Arc::make_mut(&mut batch).context = Arc::new(context);
        }
        Filtered { batch, failed, told: self.told }
    }
}

/// What the metadata of all rows of a batch have.
fn common(batch: &Batch) -> ObjectMap {
    let mut metadata = ObjectMap::new();
    for (name, value) in batch.context.iter() {
        metadata.insert(KeyString::from(name.strip_prefix('_').unwrap_or(name)), Value::from(value));
    }
    metadata.insert(KeyString::from("tag"), Value::from(tag_of(batch)));
    metadata
}

impl Filter for Remap {
    fn apply(&self, batch: Arc<Batch>) -> Filtered {
        let metadata = if self.program.uses_metadata { common(&batch) } else { ObjectMap::new() };
        let mut work = Work {
            filter: self,
            batch: &batch,
            rewriter: Rewriter::new(&batch, &self.limits),
            runtime: Runtime::default(),
            metadata,
            changed: false,
            failed: Vec::new(),
            last: None,
            told: Vec::new(),
            tag: None,
            other_tags: 0,
        };
        batch.iter().for_each(|row| work.row(row));
        work.finish()
    }
}
