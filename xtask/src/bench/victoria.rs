//! VictoriaLogs as a peer: started on a free port over a folder of its own, fed JSON lines (one stream per file), merged,
//! asked, and stopped by its pid.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::events::Event;
use super::process::Used;
use super::{events, process};
use crate::needs;

const PROGRAM: &str = "victoria-logs";

/// What an ingest left.
pub(super) struct Stored {
    pub(super) folder: PathBuf,
    /// What it had used when everything was flushed to files and could be found.
    pub(super) flushed: Used,
    /// Seconds of processor time until everything was merged, too.
    pub(super) cpu: f64,
    /// Bytes on disk then.
    pub(super) bytes: u64,
}

/// A running VictoriaLogs; ended when dropped.
pub(super) struct Peer {
    child: Child,
    port: u16,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether it can be started; says so where not.
pub(super) fn is_there() -> bool {
    let there = needs::has(PROGRAM);
    if !there {
        eprintln!("LEFT OUT: {PROGRAM} is not on the PATH");
    }
    there
}

/// Stores all files of the folders of logs, as the events that `event` makes of their lines.
pub(super) fn ingest(folder: &Path, logs: &[PathBuf], event: &mut Event<'_>) -> Result<Stored> {
    let mut peer = Peer::start(folder)?;
    let mut lines = 0;
    let mut counting = |out: &mut Vec<u8>, file: &Path, line: &[u8]| {
        lines += 1;
        event(out, file, line);
    };
    logs.iter().try_for_each(|logs| peer.feed(logs, &mut counting))?;
    peer.get("/internal/force_flush")?;
    peer.must_have(lines)?;
    let flushed = process::used(peer.child.id())?;
    peer.get("/internal/force_merge")?;
    // A merge goes on in the background; it is over when the bytes no longer change.
    let mut bytes = 0;
    let start = Instant::now();
    loop {
        std::thread::sleep(Duration::from_secs(2));
        // Files may go while they are looked at.
        let now = super::size(folder).unwrap_or(0);
        if now == bytes || start.elapsed() > Duration::from_secs(60) {
            break;
        }
        bytes = now;
    }
    let cpu = peer.cpu()?;
    // Killed, it would lose rows that it has merged in memory.
    process::end(&mut peer.child)?;
    Ok(Stored { folder: folder.to_owned(), flushed, cpu, bytes })
}

impl Peer {
    /// Starts it over a folder.
    pub(super) fn start(folder: &Path) -> Result<Peer> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new(PROGRAM);
        command.arg(format!("-storageDataPath={}", folder.display()));
        command.arg(format!("-httpListenAddr=127.0.0.1:{port}")).arg("-retentionPeriod=100y");
        // Its default drops lines of the spark set.
        command.arg("-insert.maxLineSizeBytes=32MiB");
        // Its default ends questions over gigabytes.
        command.arg("-search.maxQueryDuration=2m");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let peer = Peer { child: command.spawn().context(PROGRAM)?, port };
        for _ in 0..200 {
            if peer.get("/health").is_ok() {
                return Ok(peer);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("{PROGRAM} does not answer")
    }

    /// Processor seconds so far.
    pub(super) fn cpu(&self) -> Result<f64> {
        super::processor(self.child.id())
    }

    /// Its process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The body of a GET.
    pub(super) fn get(&self, path: &str) -> Result<Vec<u8>> {
        super::get(&format!("127.0.0.1:{}", self.port), path)
    }

    /// Says loudly where it has not as many rows as it was given lines: its figures are too small then.
    fn must_have(&self, lines: u64) -> Result<()> {
        let answer = self.get("/select/logsql/query?query=*%20%7C%20stats%20count()%20n")?;
        let answer: serde_json::Value = serde_json::from_slice(&answer)?;
        let rows = answer["n"].as_str().and_then(|rows| rows.parse::<u64>().ok());
        if rows != Some(lines) {
            eprintln!("ROWS DIFFER: {PROGRAM} was given {lines} lines and has {rows:?} rows");
        }
        Ok(())
    }

    /// One request for each file, the lines as chunks of it.
    fn feed(&self, logs: &Path, event: &mut Event<'_>) -> Result<()> {
        let mut request: Option<(PathBuf, TcpStream)> = None;
        let end = |request: Option<(PathBuf, TcpStream)>| -> Result<()> {
            let Some((_, mut stream)) = request else { return Ok(()) };
            stream.write_all(b"0\r\n\r\n")?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer)?;
            if !answer.starts_with(b"HTTP/1.1 20") {
                bail!("{PROGRAM} refuses lines: {}", String::from_utf8_lossy(&answer));
            }
            Ok(())
        };
        events::each_body(logs, event, |file, body| {
            if request.as_ref().is_none_or(|(open, _)| open != file) {
                end(request.take())?;
                request = Some((file.to_owned(), self.open()?));
            }
            let Some((_, stream)) = &mut request else { return Ok(()) };
            write!(stream, "{:x}\r\n", body.len())?;
            stream.write_all(body)?;
            Ok(stream.write_all(b"\r\n")?)
        })?;
        end(request)
    }

    fn open(&self) -> Result<TcpStream> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.write_all(
            b"POST /insert/jsonline?_stream_fields=file&_msg_field=_msg&_time_field=_time HTTP/1.1\r\n\
              Host: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n",
        )?;
        Ok(stream)
    }
}
