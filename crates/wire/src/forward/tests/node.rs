//! A node with a forward input, a journal in a temporary directory and an output that keeps rows in memory.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use sawlog_journal::Journal;
use sawlog_model::{Access, AccessError, Limits, Right, Tenant};
use sawlog_pipeline::testing::Collect;
use sawlog_pipeline::{Env, Output, Pipeline, PipelineOptions, Running, config};
use sawlog_sys::task::Stop;
use sawlog_sys::{Sys, net::TcpStream, task};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::forward::PROTOCOL;
use crate::shared::msgpack::Scanner;

/// Lets everybody send.
pub struct Anyone;

impl Access for Anyone {
    fn admit(&self, _credential: &[u8], _right: Right) -> Result<Tenant, AccessError> {
        Ok(Tenant(3))
    }
}

pub struct Node {
    pub runtime: tokio::runtime::Runtime,
    pub pipeline: Pipeline,
    pub output: Arc<Collect>,
    pub address: SocketAddr,
    pub env: Env,
    running: Option<Running>,
    _dir: tempfile::TempDir,
}

pub fn env(runtime: &tokio::runtime::Runtime, limits: Limits) -> Env {
    Env {
        sys: Sys::real(),
        runtime: runtime.handle().clone(),
        limits,
        stop: Stop::default(),
        access: Arc::new(Anyone),
    }
}

impl Node {
    pub fn start(given: &[(&str, &str)]) -> Node {
        Node::with_limits(given, Limits::default())
    }

    pub fn with_limits(given: &[(&str, &str)], limits: Limits) -> Node {
        let runtime = task::runtime("test", 2).expect("a runtime");
        let dir = tempfile::tempdir().expect("a directory");
        let env = env(&runtime, limits);
        let (journal, _) = Journal::open(&env.sys, dir.path(), Default::default()).expect("a journal");
        let output = Collect::new("collect");
        let outputs = vec![output.clone() as Arc<dyn Output>];
        let pipeline =
            Pipeline::start(&env.sys, journal, outputs, PipelineOptions::default()).expect("a pipeline");
        let mut options = vec![("listen", vec!["127.0.0.1:0".to_owned()])];
        options.extend(given.iter().map(|(name, value)| (*name, vec![(*value).to_owned()])));
        let options = config::options(&PROTOCOL, &options).expect("options");
        let input = PROTOCOL.input.expect("an input")(&options).expect("an input");
        let running = input.start(pipeline.intake("forward"), env.clone()).expect("it starts");
        let address = running.address.expect("it listens");
        Node { runtime, pipeline, output, address, env, running: Some(running), _dir: dir }
    }

    pub fn connect(&self) -> Client<'_> {
        let stream = self.runtime.block_on(TcpStream::connect(self.address)).expect("it listens");
        Client { node: self, stream }
    }

    /// What the input counted as wrong, by reason.
    pub fn errors(&self) -> Vec<(String, u64)> {
        let parts = self.pipeline.status().parts();
        parts.into_iter().find(|part| part.role == "input").map(|part| part.errors).unwrap_or_default()
    }

    /// Waits until something was counted under `reason`, up to ten seconds.
    pub fn wait_for_error(&self, reason: &str) {
        let found = || self.errors().iter().any(|(have, _)| have == reason);
        for _ in 0..1_000 {
            if found() {
                return;
            }
            task::sleep(std::time::Duration::from_millis(10));
        }
        panic!("no error `{reason}`, but {:?}", self.errors());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.env.stop.request();
        if let Some(running) = self.running.take() {
            (running.join)();
        }
        self.pipeline.stop();
    }
}

pub struct Client<'a> {
    node: &'a Node,
    stream: TcpStream,
}

impl Client<'_> {
    pub fn send(&mut self, bytes: &[u8]) {
        self.node.runtime.block_on(self.stream.write_all(bytes)).expect("the node reads");
    }

    /// Reads so many bytes, or fewer at the end of the connection; waits up to ten seconds.
    pub fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let (runtime, stream) = (&self.node.runtime, &mut self.stream);
        let read = async {
            let patience = std::time::Duration::from_secs(10);
            tokio::time::timeout(patience, stream.take(count as u64).read_to_end(&mut bytes)).await
        };
        // A connection that is reset has ended, too.
        let _ = runtime.block_on(read).expect("an answer in time");
        bytes
    }

    /// The next msgpack value; empty at the end.
    pub fn value(&mut self) -> Bytes {
        let (mut bytes, mut scanner) = (Vec::new(), Scanner::default());
        loop {
            let more = self.read(1);
            if more.is_empty() {
                return Bytes::new();
            }
            bytes.extend(more);
            if scanner.next_end(&bytes, 10, 10_000).expect("msgpack").is_some() {
                return bytes.into();
            }
        }
    }

    pub fn is_closed(&mut self) -> bool {
        self.read(1).is_empty()
    }
}
