//! Ingest over the network: the same lines as JSON lines over HTTP and by the forward protocol (packed, acknowledged) into
//! a node, and as JSON lines over HTTP into VictoriaLogs ([`super::victoria`]). What counts is the processor time of the
//! whole server until everything is in files and can be found, and what it keeps on disk after compaction.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use super::http::Http;
use super::process::{Process, Used, word};
use super::{Bench, Cost, cost, events, messages, size};

/// What one way cost.
#[derive(Clone, Copy, Default)]
pub(super) struct Measured {
    /// Until all was flushed.
    pub(super) flushed: Used,
    pub(super) compact: Cost,
    /// Bytes of the directory after compaction, without the journal: its last file stays until it is full.
    pub(super) bytes: u64,
}

/// Brings all files of a folder over HTTP, a megabyte a request, each acknowledged before the next.
pub(super) fn http(bench: &Bench, logs: &Path) -> Result<Measured> {
    let node = Node::start(bench, "http")?;
    node.take(logs)?;
    node.finish(bench)
}

/// Brings them by the forward protocol, a megabyte a message, each acknowledged before the next.
pub(super) fn forward(bench: &Bench, logs: &Path) -> Result<Measured> {
    let node = Node::start(bench, "forward")?;
    let mut connection = BufReader::new(TcpStream::connect(&node.forward)?);
    let mut packer = messages::Packer::default();
    events::each_body(logs, &mut events::plain(), |_, body| {
        let (message, ack) = packer.pack(body)?;
        connection.get_mut().write_all(&message)?;
        let mut answer = vec![0; ack.len()];
        connection.read_exact(&mut answer)?;
        ensure!(answer == ack, "no acknowledgement but {answer:?}");
        Ok(())
    })?;
    node.finish(bench)
}

/// A node that stores.
pub(super) struct Node {
    pub(super) process: Process,
    data: std::path::PathBuf,
    http: String,
    forward: String,
}

impl Node {
    /// Starts one over nothing; `way` names its folder.
    pub(super) fn start(bench: &Bench, way: &str) -> Result<Node> {
        let scratch = bench.scratch.join("ingest").join(way);
        if scratch.is_dir() {
            std::fs::remove_dir_all(&scratch)?;
        }
        std::fs::create_dir_all(&scratch)?;
        let data = scratch.join("data");
        let mut command = Command::new(&bench.sawlog);
        command.args(["run", "--http", "127.0.0.1:0", "--forward", "127.0.0.1:0", "--data"]).arg(&data);
        let mut process = Process::start(&mut command, &scratch, "node")?;
        let line = process.first_line()?;
        let http = word(&line, "http=")?.trim_start_matches("http://").to_owned();
        Ok(Node { process, data, http, forward: word(&line, "forward=")?.to_owned() })
    }

    /// Brings it all files of a folder over HTTP; gives the bytes of the bodies.
    pub(super) fn take(&self, logs: &Path) -> Result<u64> {
        let mut connection = Http::open(&self.http, "")?;
        let mut bytes = 0;
        events::each_body(logs, &mut events::plain(), |_, body| {
            bytes += body.len() as u64;
            connection.post("/api/v1/ingest", "application/x-ndjson", body)
        })?;
        Ok(bytes)
    }

    /// Flushes it, ends it and compacts what it has.
    fn finish(self, bench: &Bench) -> Result<Measured> {
        Http::open(&self.http, "")?.post("/api/v1/flush", "application/json", b"")?;
        let flushed = self.process.used()?;
        self.process.end()?;
        let (sawlog, data) = (bench.sawlog.to_string_lossy(), self.data.to_string_lossy());
        let compact = cost(&[&sawlog, "store", "compact", "--data", &data])?;
        Ok(Measured { flushed, compact, bytes: size(&self.data)? - size(&self.data.join("journal"))? })
    }
}
