//! A node with a forward input, and a client of it.

use std::net::SocketAddr;
use std::ops::Deref;

use bytes::Bytes;
use sawlog_model::Limits;
use sawlog_pipeline::{Running, config};
use sawlog_sys::net::TcpStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::forward::PROTOCOL;
use crate::shared::msgpack::Scanner;
use crate::testing::Bench;

pub struct Node {
    pub address: SocketAddr,
    bench: Bench,
    running: Option<Running>,
}

impl Deref for Node {
    type Target = Bench;

    fn deref(&self) -> &Bench {
        &self.bench
    }
}

impl Node {
    pub fn start(given: &[(&str, &str)]) -> Node {
        Node::with_limits(given, Limits::default())
    }

    /// With options that have several values.
    pub fn start_with(given: &[(&str, Vec<String>)]) -> Node {
        Node::over_with(Bench::start(Limits::default()), given.to_vec())
    }

    pub fn with_limits(given: &[(&str, &str)], limits: Limits) -> Node {
        Node::over(Bench::start(limits), given)
    }

    /// One with rules of its own for who may send.
    pub fn admitting(access: std::sync::Arc<dyn sawlog_model::Access>, given: &[(&str, &str)]) -> Node {
        let mut bench = Bench::start(Limits::default());
        bench.env.access = access;
        Node::over(bench, given)
    }

    fn over(bench: Bench, given: &[(&str, &str)]) -> Node {
        let given = given.iter().map(|(name, value)| (*name, vec![(*value).to_owned()]));
        Node::over_with(bench, given.collect())
    }

    fn over_with(bench: Bench, given: Vec<(&str, Vec<String>)>) -> Node {
        let mut options = vec![("listen", vec!["127.0.0.1:0".to_owned()])];
        options.extend(given);
        let options = config::options(&PROTOCOL, &options).expect("options");
        let input = PROTOCOL.input.expect("an input")(&options).expect("an input");
        let running = input.start(bench.pipeline.intake("forward"), bench.env.clone()).expect("it starts");
        let address = running.address.expect("it listens");
        Node { address, bench, running: Some(running) }
    }

    /// A node that goes on as if this one had crashed now.
    pub fn crash(&self) -> Node {
        Node::over(self.bench.crash(), &[])
    }

    pub fn connect(&self) -> Client<'_> {
        let stream = self.bench.connect(self.address);
        Client { node: self, stream }
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

    /// Reads so many bytes, or fewer at the end of the connection; waits up to a minute.
    pub fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let (runtime, stream) = (&self.node.runtime, &mut self.stream);
        let read = async {
            let patience = std::time::Duration::from_secs(60);
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
