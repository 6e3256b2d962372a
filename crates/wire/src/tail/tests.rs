//! Real files, a real journal and an output that the test commits and crashes.

mod files;
mod imports;
mod moves;
mod parts;
mod random;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sawlog_journal::Journal;
use sawlog_model::{Access, AccessError, Limits, Right, Tenant};
use sawlog_pipeline::testing::{Collect, copy_dir, wait_until};
use sawlog_pipeline::{Env, Output, Pipeline, PipelineOptions, Running, config};
use sawlog_sys::task::{self, Stop};
use sawlog_sys::{Open, Sys};

use super::PROTOCOL;

struct Anyone;

impl Access for Anyone {
    fn admit(&self, _credential: &[u8], _right: Right) -> Result<Tenant, AccessError> {
        Ok(Tenant::DEFAULT)
    }
}

/// A node with a directory of logs; crashes are copies of its journal.
struct Node {
    sys: Sys,
    dir: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    lives: usize,
    options: PipelineOptions,
}

/// A node that runs.
struct Life {
    pipeline: Pipeline,
    stop: Stop,
    tail: Option<Running>,
}

impl Life {
    fn stop(&mut self) {
        self.stop.request();
        if let Some(tail) = self.tail.take() {
            (tail.join)();
        }
        self.pipeline.stop();
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Node {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let sys = Sys::real();
        sys.fs.create_dir_all(&dir.path().join("logs")).expect("a directory");
        let options =
            PipelineOptions { late_after: Some(Duration::from_millis(20)), ..PipelineOptions::default() };
        let runtime = task::runtime("test", 1).expect("a runtime");
        Node { sys, dir, runtime, lives: 0, options }
    }

    /// One whose rows are journaled only when they are settled.
    fn slow() -> Self {
        let mut node = Node::new();
        node.options.late_after = Some(Duration::from_secs(60));
        node
    }

    fn log(&self, name: &str) -> PathBuf {
        self.dir.path().join("logs").join(name)
    }

    fn journal_dir(&self) -> PathBuf {
        self.dir.path().join(format!("journal{}", self.lives))
    }

    fn pipeline(&self, output: &Arc<Collect>) -> Pipeline {
        let journal = Journal::open(&self.sys, &self.journal_dir(), Default::default()).expect("a journal").0;
        let outputs = vec![Arc::clone(output) as Arc<dyn Output>];
        Pipeline::start(&self.sys, journal, outputs, self.options.clone()).expect("a pipeline")
    }

    fn start(&self, output: &Arc<Collect>, pattern: &str) -> Life {
        self.start_with(output, &[("paths", vec![self.log(pattern).display().to_string()])])
    }

    /// Follows `pattern` with an `app.log` of `rows` lines, all of which have come.
    fn followed(&self, pattern: &str, rows: usize) -> (Arc<Collect>, Life) {
        self.append("app.log", &text(0, rows));
        let output = Collect::new("store");
        let life = self.start(&output, pattern);
        assert_eq!(output.wait_for_rows(rows), lines(0, rows));
        (output, life)
    }

    fn start_with(&self, output: &Arc<Collect>, given: &[(&str, Vec<String>)]) -> Life {
        let pipeline = self.pipeline(output);
        let mut given = given.to_vec();
        // Lines of tests have no time and no structure; a set format is known from the first line on.
        if given.iter().all(|(name, _)| *name != "parse.type") {
            given.push(("format", vec!["text".to_owned()]));
        }
        given.push(("multiline", vec!["false".to_owned()]));
        given.push(("host", vec!["here".to_owned()]));
        let options = config::options(&PROTOCOL, &given).expect("options");
        let make = PROTOCOL.input.expect("it is an input");
        let stop = Stop::default();
        let env = Env {
            name: "tail".into(),
            sys: self.sys.clone(),
            dir: PathBuf::new(),
            runtime: self.runtime.handle().clone(),
            limits: Limits::default(),
            stop: stop.clone(),
            access: Arc::new(Anyone),
        };
        let input = make(&options).expect("an input");
        let tail = input.start(pipeline.intake("tail"), env).expect("it starts");
        Life { pipeline, stop, tail: Some(tail) }
    }

    /// What is left after a crash now; whatever the node does from here on is not seen.
    fn crash(&mut self, mut life: Life, output: &Collect) -> Arc<Collect> {
        let left = output.crashed();
        let from = self.journal_dir();
        self.lives += 1;
        copy_dir(&self.sys, &from, &self.journal_dir());
        life.stop();
        left
    }

    fn append(&self, name: &str, text: &str) {
        let file = self.sys.fs.open(&self.log(name), Open::Create).expect("the log opens");
        let len = file.metadata().expect("it has a length").len;
        file.write_at(text.as_bytes(), len).expect("it can be written");
    }

    fn truncate(&self, name: &str) {
        self.sys.fs.open(&self.log(name), Open::Write).expect("the log opens").set_len(0).expect("it is cut");
    }

    fn rename(&self, from: &str, to: &str) {
        self.sys.fs.rename(&self.log(from), &self.log(to)).expect("it is renamed");
    }

    fn unlink(&self, name: &str) {
        self.sys.fs.unlink(&self.log(name)).expect("it is removed");
    }

    fn write_bytes(&self, name: &str, bytes: &[u8]) {
        let file = self.sys.fs.open(&self.log(name), Open::Create).expect("the file opens");
        file.set_len(0).expect("it is cut");
        file.write_at(bytes, 0).expect("it can be written");
    }

    fn copy(&self, from: &str, to: &str) {
        let bytes = self.sys.fs.read(&self.log(from)).expect("it can be read");
        self.write_bytes(to, &bytes);
    }

    fn gzip(&self, name: &str) {
        let bytes = self.sys.fs.read(&self.log(name)).expect("it can be read");
        self.write_bytes(&format!("{name}.gz"), &gzip(&bytes));
        self.unlink(name);
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// Lines `from` to `to` of a log.
fn lines(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|index| format!("line {index}\n")).collect()
}

fn text(from: usize, to: usize) -> String {
    lines(from, to).concat()
}

/// Gives notices and quiet lines the time to do harm.
fn a_while() {
    task::sleep(Duration::from_millis(700));
}

fn path_text(path: &Path) -> String {
    path.display().to_string()
}
