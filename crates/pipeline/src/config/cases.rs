//! Tests of a pipeline as a configuration has them (`[[test]]`): rows that go in somewhere, and what must come to the outputs.
//! Knows nothing of how rows are made of them, nor of running them.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sawlog_model::{Limits, Nanos, Value, time, value};
use sawlog_sys::Sys;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::sections::{line_of, scalar};
use super::{Finding, fluent, suggestion};

const OF_TEST: &[&str] = &[
    "name", "input", "filter", "label", "tag", "host", "path", "time", "record", "line", "expect", "dropped",
];
const OF_EXPECT: &[&str] = &["record", "tag", "time", "output"];

/// A test.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// What it is called.
    pub name: String,
    /// Where its rows go in.
    pub start: Start,
    /// What goes in.
    pub rows: Given,
    /// Tag of the rows; without one that of the input.
    pub tag: Option<String>,
    /// Host of the rows.
    pub host: Option<String>,
    /// Path of the file that the rows would be of.
    pub path: Option<String>,
    /// Time of the rows that have none of their own, and the reference for times without a year.
    pub time: Option<Nanos>,
    /// What must come to outputs; nothing: all is dropped.
    pub expect: Vec<Expected>,
    /// Line of its file, from 1.
    pub line: usize,
}

/// Where the rows of a test go in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// Before the first step of a label; empty: of those without one.
    Label(String),
    /// As those of the input of that name.
    Input(String),
    /// Before the filter of that name.
    Filter(String),
}

/// What goes in.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// Records, a row each.
    Records(Vec<Value>),
    /// Lines as their source would have them; the input reads them.
    Lines(String),
}

/// A row that must come to an output.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// Its record.
    pub record: Value,
    /// Its tag, where that matters.
    pub tag: Option<String>,
    /// Its time, where that matters.
    pub time: Option<Nanos>,
    /// Which output, where that matters.
    pub output: Option<String>,
}

/// What is wrong with a test, and where.
pub(super) type Wrong = (Range<usize>, String);

/// Reads a file that holds tests and nothing else.
///
/// # Errors
/// Everything that is wrong, each with file and line.
pub fn load_cases(sys: &Sys, path: &Path) -> Result<Vec<Case>, Vec<Finding>> {
    let file = Arc::new(path.to_owned());
    let text = fluent::read_text(&*sys.fs, path).map_err(|message| vec![finding(&file, 0, message)])?;
    let mut wrong = Vec::new();
    let cases = match DeTable::parse(&text) {
        Ok(table) => read_file(&text, table.get_ref(), &mut wrong),
        Err(error) => {
            wrong.push((error.span().unwrap_or(0..0), error.message().to_owned()));
            Vec::new()
        }
    };
    if wrong.is_empty() {
        return Ok(cases);
    }
    wrong.sort_by_key(|(at, _)| at.start);
    Err(wrong.into_iter().map(|(at, message)| finding(&file, line_of(&text, &at), message)).collect())
}

fn finding(file: &Arc<PathBuf>, line: usize, message: String) -> Finding {
    Finding { file: file.clone(), line, message, note: false }
}

fn read_file(text: &str, table: &DeTable<'_>, wrong: &mut Vec<Wrong>) -> Vec<Case> {
    let mut cases = Vec::new();
    for (key, value) in table {
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("test", DeValue::Array(list)) => {
                cases.extend(list.iter().filter_map(|test| read_value(text, test, wrong)));
            }
            ("test", _) => {
                wrong.push((key.span(), "`test` is a list of tables; write it as [[test]]".to_owned()));
            }
            (name, _) => {
                wrong.push((key.span(), format!("`{name}`: this file holds [[test]] and nothing else")))
            }
        }
    }
    cases
}

fn read_value(text: &str, value: &Spanned<DeValue<'_>>, wrong: &mut Vec<Wrong>) -> Option<Case> {
    match value.get_ref() {
        DeValue::Table(table) => read(text, table, value.span(), wrong),
        _ => {
            wrong.push((value.span(), "write it as [[test]]".to_owned()));
            None
        }
    }
}

/// Reads a test; `None` where something is wrong with it.
pub(super) fn read(
    text: &str,
    table: &DeTable<'_>,
    at: Range<usize>,
    wrong: &mut Vec<Wrong>,
) -> Option<Case> {
    let before = wrong.len();
    let mut reader = Reader { table, wrong };
    reader.only(OF_TEST, "a test");
    let name = reader.text("name").unwrap_or_default();
    if name.is_empty() {
        reader.say(at.clone(), "this [[test]] has no name; add name = \"…\"");
    }
    let starts = [
        reader.text("input").map(Start::Input),
        reader.text("filter").map(Start::Filter),
        reader.text("label").map(Start::Label),
    ];
    let starts: Vec<Start> = starts.into_iter().flatten().collect();
    if starts.len() > 1 {
        reader.say(at.clone(), "rows go in at one place: at `input`, at `filter` or at `label`");
    }
    let rows = reader.given(&at);
    let time = reader.time("time");
    let expect = reader.expect(&at);
    let case = Case {
        name,
        start: starts.into_iter().next().unwrap_or(Start::Label(String::new())),
        rows,
        tag: reader.text("tag"),
        host: reader.text("host"),
        path: reader.text("path"),
        time,
        expect,
        line: line_of(text, &at),
    };
    (wrong.len() == before).then_some(case)
}

struct Reader<'a, 't> {
    table: &'a DeTable<'t>,
    wrong: &'a mut Vec<Wrong>,
}

impl Reader<'_, '_> {
    fn say(&mut self, at: Range<usize>, message: &str) {
        self.wrong.push((at, message.to_owned()));
    }

    fn only(&mut self, known: &[&str], what: &str) {
        for (key, _) in self.table.iter().filter(|(key, _)| !known.contains(&key.get_ref().as_ref())) {
            let name = key.get_ref().as_ref();
            let near = suggestion(name, known.iter().copied());
            self.wrong.push((key.span(), format!("{what} has no `{name}`{near}")));
        }
    }

    fn text(&mut self, key: &str) -> Option<String> {
        let value = self.table.get(key)?;
        let text = value.get_ref().as_str().map(str::to_owned);
        if text.is_none() {
            self.say(value.span(), &format!("`{key}` is a text"));
        }
        text
    }

    fn time(&mut self, key: &str) -> Option<Nanos> {
        let value = self.table.get(key)?;
        let time = scalar(value.get_ref()).and_then(|text| instant(&text));
        if time.is_none() {
            self.say(value.span(), &format!("`{key}` is a time such as 2026-05-01T10:00:00.5Z"));
        }
        time
    }

    fn given(&mut self, at: &Range<usize>) -> Given {
        let before = self.wrong.len();
        let given = match (self.table.get("record"), self.table.get("line")) {
            (Some(_), None) => Given::Records(self.records()),
            (None, Some(_)) => Given::Lines(self.text("line").unwrap_or_default()),
            _ => {
                self.say(
                    at.clone(),
                    "say what goes in: `record` (a table, or the text of a JSON object) or `line`",
                );
                return Given::Records(Vec::new());
            }
        };
        let is_empty = match &given {
            Given::Records(records) => records.is_empty(),
            Given::Lines(text) => text.is_empty(),
        };
        // What is wrong with it has been told where it cannot be read.
        if is_empty && self.wrong.len() == before {
            self.say(at.clone(), "nothing goes in");
        }
        given
    }

    /// The record, or the list of records.
    fn records(&mut self) -> Vec<Value> {
        let Some(value) = self.table.get("record") else { return Vec::new() };
        match value.get_ref() {
            DeValue::Array(list) => list.iter().filter_map(|item| self.record(item)).collect(),
            _ => self.record(value).into_iter().collect(),
        }
    }

    fn record(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Value> {
        let read = match value.get_ref() {
            DeValue::String(text) => value::parse(text.as_bytes(), &Limits::default()).ok(),
            DeValue::Table(_) => Some(of_toml(value.get_ref())),
            _ => None,
        };
        let record = read.filter(|value| matches!(value, Value::Map(_)));
        if record.is_none() {
            self.say(value.span(), "a record is a table, or the text of a JSON object");
        }
        record
    }

    fn expect(&mut self, at: &Range<usize>) -> Vec<Expected> {
        let dropped = self.table.get("dropped").map(|value| (value.get_ref().as_bool(), value.span()));
        let list = match (self.table.get("expect").map(|value| (value.get_ref(), value.span())), dropped) {
            (Some((DeValue::Array(list), _)), None) => list,
            (None, Some((Some(true), _))) => return Vec::new(),
            (Some((_, at)), None) => {
                self.say(at, "`expect` is a list of tables; write them as [[test.expect]]");
                return Vec::new();
            }
            (_, Some((_, at))) => {
                self.say(at, "`dropped = true` stands alone; what comes out is written as [[test.expect]]");
                return Vec::new();
            }
            (None, None) => {
                self.say(at.clone(), "say what comes out: [[test.expect]] for each row, or dropped = true");
                return Vec::new();
            }
        };
        let mut expected = Vec::new();
        for item in list.iter() {
            let DeValue::Table(table) = item.get_ref() else {
                self.say(item.span(), "write it as [[test.expect]]");
                continue;
            };
            let mut inside = Reader { table, wrong: &mut *self.wrong };
            inside.only(OF_EXPECT, "an expected row");
            let (tag, time, output) = (inside.text("tag"), inside.time("time"), inside.text("output"));
            match table.get("record") {
                Some(value) => {
                    let record = inside.record(value);
                    expected.extend(record.map(|record| Expected { record, tag, time, output }));
                }
                None => inside.say(item.span(), "an expected row has a `record`"),
            }
        }
        expected
    }
}

/// A time with its zone.
fn instant(text: &str) -> Option<Nanos> {
    let stamp = time::read(text.as_bytes())?;
    stamp.time(stamp.zone?, 0)
}

/// A value of TOML; a map's keys in the order in which they stand.
fn of_toml(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Int(number),
            Err(_) => Value::Str(number.to_string()),
        },
        DeValue::Float(number) => match number.as_str().parse() {
            Ok(number) => Value::Float(number),
            Err(_) => Value::Str(number.to_string()),
        },
        DeValue::Datetime(stamp) => {
            let text = stamp.to_string();
            instant(&text).map_or(Value::Str(text), Value::Time)
        }
        DeValue::String(text) => Value::Str(text.to_string()),
        DeValue::Array(list) => Value::List(list.iter().map(|item| of_toml(item.get_ref())).collect()),
        DeValue::Table(table) => {
            let mut entries: Vec<_> = table.iter().collect();
            entries.sort_by_key(|(key, _)| key.span().start);
            let entry = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
                let key: &std::borrow::Cow<'_, str> = key.get_ref();
                (Value::Str(key.to_string()), of_toml(value.get_ref()))
            };
            Value::Map(entries.into_iter().map(entry).collect())
        }
    }
}
