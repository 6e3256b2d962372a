//! VictoriaLogs as a peer: started on a free port over a folder of its own, fed JSON lines (JSON logs as fields, other
//! lines as the message; one stream per file; times a millisecond apart), merged, asked, and stopped by its pid.

use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::needs;

const PROGRAM: &str = "victoria-logs";

/// What an ingest left.
pub(super) struct Stored {
    pub(super) folder: PathBuf,
    /// Seconds of processor time until everything was stored and merged.
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

/// Stores all files of a folder; `None` where the peer is not there.
pub(super) fn ingest(folder: &Path, logs: &Path) -> Result<Option<Stored>> {
    if !needs::has(PROGRAM) {
        eprintln!("LEFT OUT: {PROGRAM} is not on the PATH");
        return Ok(None);
    }
    let peer = Peer::start(folder)?;
    peer.feed(logs)?;
    peer.get("/internal/force_flush")?;
    peer.get("/internal/force_merge")?;
    // A merge goes on in the background; it is over when the bytes no longer change.
    let mut bytes = super::size(folder)?;
    let start = Instant::now();
    loop {
        std::thread::sleep(Duration::from_secs(2));
        let now = super::size(folder)?;
        if now == bytes || start.elapsed() > Duration::from_secs(60) {
            break;
        }
        bytes = now;
    }
    let cpu = peer.cpu()?;
    Ok(Some(Stored { folder: folder.to_owned(), cpu, bytes: super::size(folder)? }))
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

    /// The body of a GET.
    pub(super) fn get(&self, path: &str) -> Result<Vec<u8>> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        if !answer.starts_with(b"HTTP/1.1 2") {
            bail!("{PROGRAM} answered {}", String::from_utf8_lossy(&answer[..answer.len().min(200)]));
        }
        Ok(answer)
    }

    fn feed(&self, logs: &Path) -> Result<()> {
        let mut time = 1_767_225_600_000u64;
        for file in super::files(logs)? {
            let mut lines = BufReader::with_capacity(1 << 20, std::fs::File::open(&file)?);
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            stream.write_all(
                b"POST /insert/jsonline?_stream_fields=file&_msg_field=_msg&_time_field=_time HTTP/1.1\r\n",
            )?;
            stream
                .write_all(b"Host: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            let mut out = BufWriter::with_capacity(1 << 20, stream.try_clone()?);
            let (mut line, mut chunk) = (Vec::new(), Vec::new());
            loop {
                line.clear();
                let read = lines.read_until(b'\n', &mut line)?;
                if read == 0 || chunk.len() > 1 << 19 {
                    if !chunk.is_empty() {
                        write!(out, "{:x}\r\n", chunk.len())?;
                        out.write_all(&chunk)?;
                        out.write_all(b"\r\n")?;
                        chunk.clear();
                    }
                    if read == 0 {
                        break;
                    }
                }
                time += 1;
                event(&mut chunk, &file, time, line.trim_ascii_end());
            }
            out.write_all(b"0\r\n\r\n")?;
            out.flush()?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer)?;
        }
        Ok(())
    }
}

fn event(out: &mut Vec<u8>, file: &Path, time: u64, line: &[u8]) {
    let head = format!("{{\"_time\":\"{time}\",\"file\":{:?}", file.to_string_lossy());
    out.extend_from_slice(head.as_bytes());
    if line.starts_with(b"{") && line.ends_with(b"}") && line.len() > 2 {
        out.push(b',');
        out.extend_from_slice(&line[1..]);
    } else {
        out.extend_from_slice(b",\"_msg\":\"");
        for character in String::from_utf8_lossy(line).chars() {
            match character {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                c if c.is_control() => out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes()),
                c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        out.extend_from_slice(b"\"}");
    }
    out.push(b'\n');
}
