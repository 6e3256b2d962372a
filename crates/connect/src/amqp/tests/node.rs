//! A node with one AMQP input and an output that keeps rows in memory; it can crash.

use std::sync::Arc;
use std::time::Duration;

use sawlog_journal::Journal;
use sawlog_model::{Access, AccessError, Limits, Right, Tenant};
use sawlog_pipeline::testing::{Collect, copy_dir};
use sawlog_pipeline::{Env, Output, Pipeline, PipelineOptions, Running, config};
use sawlog_sys::Sys;
use sawlog_sys::task::{self, Stop};

use crate::amqp::PROTOCOL;

/// Lets everybody send.
struct Anyone;

impl Access for Anyone {
    fn admit(&self, _credential: &[u8], _right: Right) -> Result<Tenant, AccessError> {
        Ok(Tenant(3))
    }
}

/// What an input or output is given beside its options.
pub fn env(runtime: &tokio::runtime::Runtime) -> Env {
    Env {
        name: "test".into(),
        sys: Sys::real(),
        dir: std::path::PathBuf::new(),
        runtime: runtime.handle().clone(),
        limits: Limits::default(),
        stop: Stop::default(),
        access: Arc::new(Anyone),
    }
}

/// Options as a configuration gives them.
pub fn options(given: &[(&'static str, &str)]) -> sawlog_pipeline::Options {
    let given: Vec<_> = given.iter().map(|(name, value)| (*name, vec![(*value).to_owned()])).collect();
    config::options(&PROTOCOL, &given).expect("options")
}

pub struct Node {
    pub pipeline: Pipeline,
    pub output: Arc<Collect>,
    pub env: Env,
    runtime: tokio::runtime::Runtime,
    running: Option<Running>,
    dir: tempfile::TempDir,
}

impl Node {
    /// A new node.
    pub fn start(given: &[(&'static str, &str)]) -> Node {
        let dir = tempfile::tempdir().expect("a directory");
        Node::over(dir, Collect::new("collect"), given)
    }

    fn over(dir: tempfile::TempDir, output: Arc<Collect>, given: &[(&'static str, &str)]) -> Node {
        let runtime = task::runtime("node", 2).expect("a runtime");
        let env = env(&runtime);
        let (journal, _) = Journal::open(&env.sys, dir.path(), Default::default()).expect("a journal");
        let outputs = vec![output.clone() as Arc<dyn Output>];
        let pipeline =
            Pipeline::start(&env.sys, journal, outputs, PipelineOptions::default()).expect("a pipeline");
        let input = PROTOCOL.input.expect("an input")(&options(given)).expect("an input");
        let running = input.start(pipeline.intake("amqp"), env.clone()).expect("it starts");
        Node { pipeline, output, env, runtime, running: Some(running), dir }
    }

    /// What is left on disk if the machine crashes now.
    pub fn left(&self) -> (tempfile::TempDir, Arc<Collect>) {
        let dir = tempfile::tempdir().expect("a directory");
        copy_dir(&self.env.sys, self.dir.path(), dir.path());
        (dir, self.output.crashed())
    }

    /// Starts over what was left.
    pub fn again((dir, output): (tempfile::TempDir, Arc<Collect>), given: &[(&'static str, &str)]) -> Node {
        Node::over(dir, output, given)
    }

    /// What the input counted as wrong under `reason`.
    pub fn errors(&self, reason: &str) -> u64 {
        let parts = self.pipeline.status().parts();
        let errors = parts.into_iter().filter(|part| part.role == "input").flat_map(|part| part.errors);
        errors.filter(|(have, _)| have == reason).map(|(_, count)| count).sum()
    }

    /// Waits until rows hold what `ready` asks for, up to three minutes; gives the lines.
    pub fn wait_for(&self, ready: impl Fn(&[String]) -> bool) -> Vec<String> {
        for _ in 0..18 {
            let lines = self.output.wait_for(&ready);
            if ready(&lines) {
                return lines;
            }
        }
        let errors = self.pipeline.status().parts().into_iter().map(|part| format!("{:?}", part.errors));
        panic!("not in time; {} rows, errors {:?}", self.output.lines().len(), errors.collect::<Vec<_>>());
    }

    /// Stops it as a node that ends does.
    pub fn stop(&mut self) {
        self.env.stop.request();
        if let Some(running) = self.running.take() {
            (running.join)();
        }
        self.pipeline.stop();
    }

    /// Ends it without another word to the broker, whose connection must have been cut.
    pub fn kill(mut self) {
        self.running = None;
        self.pipeline.stop();
        self.runtime.shutdown_background();
        std::mem::forget(self.dir.keep());
    }
}

/// Waits until something is so, up to three minutes.
pub fn wait_until(what: &str, so: impl Fn() -> bool) {
    for _ in 0..18_000 {
        if so() {
            return;
        }
        task::sleep(Duration::from_millis(10));
    }
    panic!("{what}: not in time");
}

/// Whether something becomes so within half a second.
pub fn is_soon(so: impl Fn() -> bool) -> bool {
    for _ in 0..50 {
        if so() {
            return true;
        }
        task::sleep(Duration::from_millis(10));
    }
    false
}
