//! What tests of protocols share: a pipeline whose journal is in a temporary directory and whose output keeps rows in memory,
//! batches of rows, filters and outputs from their options. Knows nothing of any protocol.

use std::sync::Arc;

use sawlog_journal::Journal;
use sawlog_model::{
    Access, AccessError, Batch, Context, Correlation, Limits, Marks, Message, Right, Row, Tenant, Value,
    value,
};
use sawlog_pipeline::config::{self, Element, ElementReader, Pair, Role};
use sawlog_pipeline::testing::{Collect, copy_dir};
use sawlog_pipeline::{Env, Filter, Options, Output, Pipeline, PipelineOptions, Protocol};
use sawlog_sys::task::{self, Stop};
use sawlog_sys::{Sys, net};

use crate::shared::record;

/// Lets everybody send, for tenant 3.
pub struct Anyone;

impl Access for Anyone {
    fn admit(&self, _credential: &[u8], _right: Right) -> Result<Tenant, AccessError> {
        Ok(Tenant(3))
    }
}

/// Two tenants, `1022` and `7`, whose tokens are `tok` and `key`.
pub struct Two;

impl Access for Two {
    fn admit(&self, credential: &[u8], _right: Right) -> Result<Tenant, AccessError> {
        let known = [(&b"tok"[..], Tenant(1)), (b"key", Tenant(2))];
        known.iter().find(|(token, _)| *token == credential).map(|(_, tenant)| *tenant).ok_or(AccessError)
    }

    fn tenant(&self, name: &str) -> Option<Tenant> {
        [("1022", Tenant(1)), ("7", Tenant(2))]
            .iter()
            .find(|(have, _)| *have == name)
            .map(|(_, tenant)| *tenant)
    }

    fn token_of(&self, credential: &[u8]) -> Option<Arc<str>> {
        std::str::from_utf8(credential)
            .ok()
            .filter(|text| !text.is_empty())
            .map(|text| format!("id of {text}").into())
    }

    /// Of the first, what `web` says is of a producer, and what `vault` says of one that is encrypted.
    fn correlate(&self, tenant: Tenant, message: &Message<'_>) -> Option<Correlation> {
        let is_one = tenant == Tenant(1) && message.program == "web" && message.host == "vm";
        let text = String::from_utf8_lossy(message.text);
        let fields = match text.strip_prefix("GET ") {
            Some(path) => {
                let size = Value::Map(vec![(Value::Str("bytes".to_owned()), Value::Int(7))]);
                vec![("path".to_owned(), Value::Str(path.trim_end().to_owned())), ("size".to_owned(), size)]
            }
            None => Vec::new(),
        };
        if tenant == Tenant(1) && message.program == "vault" {
            let pattern = "vault".to_owned();
            return Some(Correlation { number: 4, pattern, encrypted: true, ..Correlation::default() });
        }
        let pattern = "apache/x".to_owned();
        is_one.then_some(Correlation { number: 3, pattern, fields, encrypted: false })
    }

    fn asks(&self) -> bool {
        true
    }
}

/// What an input or output is given beside its options.
pub fn env(runtime: &tokio::runtime::Runtime, limits: Limits) -> Env {
    Env {
        name: "test".into(),
        sys: Sys::real(),
        dir: std::path::PathBuf::new(),
        runtime: runtime.handle().clone(),
        limits,
        stop: Stop::default(),
        access: Arc::new(Anyone),
    }
}

/// A running pipeline.
pub struct Bench {
    pub runtime: tokio::runtime::Runtime,
    pub pipeline: Pipeline,
    pub output: Arc<Collect>,
    pub env: Env,
    dir: tempfile::TempDir,
}

impl Bench {
    pub fn start(limits: Limits) -> Bench {
        Bench::over(tempfile::tempdir().expect("a directory"), Collect::new("collect"), limits)
    }

    fn over(dir: tempfile::TempDir, output: Arc<Collect>, limits: Limits) -> Bench {
        let runtime = task::runtime("test", 2).expect("a runtime");
        let env = env(&runtime, limits);
        let (journal, _) = Journal::open(&env.sys, dir.path(), Default::default()).expect("a journal");
        let outputs = vec![output.clone() as Arc<dyn Output>];
        let pipeline =
            Pipeline::start(&env.sys, journal, outputs, PipelineOptions::default()).expect("a pipeline");
        Bench { runtime, pipeline, output, env, dir }
    }

    /// Goes on as if the machine had crashed now, over what is left of journal and output.
    pub fn crash(&self) -> Bench {
        let dir = tempfile::tempdir().expect("a directory");
        copy_dir(&self.env.sys, self.dir.path(), dir.path());
        Bench::over(dir, self.output.crashed(), self.env.limits)
    }

    /// A path in its directory.
    pub fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// What inputs counted as wrong, by reason.
    pub fn errors(&self) -> Vec<(String, u64)> {
        let parts = self.pipeline.status().parts();
        parts.into_iter().filter(|part| part.role == "input").flat_map(|part| part.errors).collect()
    }

    /// Waits until something was counted under `reason`, up to ten seconds.
    pub fn wait_for_error(&self, reason: &str) {
        for _ in 0..1_000 {
            if self.errors().iter().any(|(have, _)| have == reason) {
                return;
            }
            task::sleep(std::time::Duration::from_millis(10));
        }
        panic!("no error `{reason}`, but {:?}", self.errors());
    }

    /// A connection to a listener of this machine.
    pub fn connect(&self, address: std::net::SocketAddr) -> net::TcpStream {
        self.runtime.block_on(net::TcpStream::connect(address)).expect("it listens")
    }
}

/// A batch of rows with this tag that came as maps, each given as JSON.
pub fn rows(tag: &str, records: &[&str]) -> Batch {
    let limits = Limits::default();
    let mut batch = Batch { context: Arc::new(Context::new([("_tag", tag)])), ..Batch::default() };
    let mut buffer = Vec::new();
    for (index, record) in records.iter().enumerate() {
        let start = buffer.len();
        let value = value::parse(record.as_bytes(), &limits).expect("JSON");
        let slots = value::Slots::new("", &limits, &mut batch.names, &mut batch.slots);
        value::render_slots(&value, slots, &mut buffer);
        buffer.push(b'\n');
        batch.rows.push(Row {
            start: start as u32,
            len: (buffer.len() - start) as u32,
            offset: index as u64,
            time: 1_511_836_993_814_351_757 + index as i64,
            received: 1,
            slots_end: batch.slots.len() as u32,
            marks: Marks::MAP.with(Marks::JSON),
        });
    }
    batch.buffer = buffer.into();
    batch
}

/// A batch of lines in which nothing was found.
pub fn lines(tag: &str, lines: &[&str]) -> Batch {
    let mut batch = Batch { context: Arc::new(Context::new([("_tag", tag)])), ..Batch::default() };
    let mut buffer = Vec::new();
    for line in lines {
        let (start, len) = (buffer.len() as u32, line.len() as u32 + 1);
        buffer.extend_from_slice(line.as_bytes());
        buffer.push(b'\n');
        let (time, marks) = (1_511_836_993_814_351_757, Marks::default());
        batch.rows.push(Row { start, len, offset: u64::from(start), time, received: 1, slots_end: 0, marks });
    }
    batch.buffer = buffer.into();
    batch
}

/// The records of a batch, each as JSON with forms for what JSON lacks.
pub fn records(batch: &Batch) -> Vec<String> {
    let text = |row| {
        let mut out = Vec::new();
        value::render(&sawlog_model::Value::Map(record::entries(row, &Limits::default())), &mut out);
        String::from_utf8(out).expect("a line of a record is text")
    };
    batch.iter().map(text).collect()
}

/// A filter with these options.
pub fn filter(protocol: &Protocol, given: &[(&str, &[&str])]) -> Box<dyn Filter> {
    made(protocol, &options_of(protocol, given)).expect("a filter")
}

/// A filter, or why there is none.
pub fn made(protocol: &Protocol, options: &Options) -> Result<Box<dyn Filter>, String> {
    let runtime = task::runtime("test", 1).expect("a runtime");
    let env = env(&runtime, Limits::default());
    protocol.filter.expect("it is a filter")(options, &env).map_err(|error| error.to_string())
}

/// An element: `key value` lines, and `<name>` … `</name>` inside.
pub fn element(name: &str, text: &str) -> Element {
    let mut open = vec![Element { name: name.to_owned(), line: 1, ..Element::default() }];
    for (number, line) in text.lines().enumerate() {
        let (line, number) = (line.trim(), number + 2);
        if line.starts_with("</") {
            let child = open.pop().expect("an open element");
            open.last_mut().expect("a parent").children.push(child);
        } else if let Some(head) = line.strip_prefix('<') {
            let (name, argument) =
                head.trim_end_matches('>').split_once(' ').unwrap_or((head.trim_end_matches('>'), ""));
            let (name, argument) = (name.to_owned(), argument.to_owned());
            open.push(Element { name, argument, line: number, ..Element::default() });
        } else if !line.is_empty() {
            let (key, value) = line.split_once(' ').unwrap_or((line, ""));
            let (key, value) = (key.to_owned(), value.trim().to_owned());
            let pair = Pair { key, value, line: number, ..Pair::default() };
            open.last_mut().expect("an element").pairs.push(pair);
        }
    }
    open.pop().expect("the element")
}

/// The options that an element of Fluentd's means, or everything that is wrong with it.
pub fn fluent(protocol: &Protocol, name: &str, text: &str) -> Result<Options, Vec<String>> {
    let element = element(name, text);
    let mut findings = Vec::new();
    let mut reader = ElementReader::new(&element, &mut findings);
    let role = match name {
        "filter" => Role::Filter,
        "source" => Role::Source,
        _ => Role::Match,
    };
    let form = protocol.fluent.iter().find(|form| form.role == role).expect("a form for the role");
    let given = (form.read)(&mut reader);
    reader.finish();
    if findings.iter().any(|finding| !finding.note) {
        return Err(findings
            .into_iter()
            .map(|finding| format!("{}: {}", finding.line, finding.message))
            .collect());
    }
    Ok(config::options(protocol, &given).expect("options that the protocol has"))
}

/// Options of a protocol, defaults and all.
pub fn options_of(protocol: &Protocol, given: &[(&str, &[&str])]) -> Options {
    let owned = |values: &&[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    let given: Vec<_> = given.iter().map(|(name, values)| (*name, owned(values))).collect();
    config::options(protocol, &given).expect("options that the protocol has")
}
