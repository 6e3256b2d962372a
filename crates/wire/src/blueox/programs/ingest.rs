//! `oxingest`: lines of its input, or of files that it follows, as events `{"data": line}`. Knows nothing of what is in lines.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};

use sawlog_model::Value;
use sawlog_sys::net::TcpStream;
use sawlog_sys::{Sys, program, task};
use tokio::io::AsyncWriteExt;

use super::flags::{self, Flag};
use super::{Failure, failed, link, usage};
use crate::blueox::event;
use crate::shared::msgpack;
use crate::shared::zmtp::{Pipe, Role};

const FLAGS: &[Flag] = &[
    Flag { short: 'H', long: "host", value: "HOST[:PORT]", help: "where to send to (127.0.0.1:3514)" },
    Flag {
        short: 'F',
        long: "file",
        value: "[TYPE:]PATH",
        help: "follow this file; may be given several times (TYPE: oxingest.NAME)",
    },
];

const HEAD: &str = "oxingest [options] [TYPE] [< FILE]: an event for each line";

/// Lines that wait to be sent.
const WAITING: usize = 1_000;

/// Longest line, bytes; the rest of a longer one is another line.
const LINE_MOST: u64 = 1 << 20;

pub(super) fn run(arguments: &[String], sys: &Sys) -> Result<u8, Failure> {
    let Some(given) = flags::read(HEAD, arguments, FLAGS)? else { return Ok(0) };
    let kind = match given.rest.as_slice() {
        [] => None,
        [kind] if !kind.is_empty() => Some(kind.as_str()),
        _ => return Err(usage("one TYPE")),
    };
    let files: Vec<(String, String)> =
        given.all("file").map(|text| named(text, kind)).collect::<Result<_, Failure>>()?;
    let address = link::with_port(given.get("host").unwrap_or("127.0.0.1"), 3514);
    let (send, lines) = sync_channel::<(String, Vec<u8>)>(WAITING);
    if files.is_empty() {
        let kind = kind.ok_or_else(|| usage("a TYPE is needed"))?.to_owned();
        task::spawn("lines", move || each_line(std::io::stdin().lock(), &kind, &send))?;
    } else {
        follow(&files, &send)?;
        drop(send);
    }
    let runtime = task::runtime("oxingest", 1)?;
    let mut sender = Sender { address, pipe: None, sys: sys.clone() };
    for (kind, line) in lines {
        if kind.is_empty() {
            // A tail has ended, which the original takes for the end of it all.
            break;
        }
        runtime.block_on(sender.send(&kind, &line)).map_err(failed)?;
    }
    runtime.block_on(sender.close()).map_err(failed)?;
    Ok(0)
}

/// The type and path of `[TYPE:]PATH`.
fn named(text: &str, kind: Option<&str>) -> Result<(String, String), Failure> {
    match (text.split_once(':'), kind) {
        (Some((kind, path)), _) if !kind.is_empty() && !path.is_empty() => {
            Ok((kind.to_owned(), path.to_owned()))
        }
        (None, Some(kind)) => Ok((kind.to_owned(), text.to_owned())),
        (None, None) => Ok((inferred(text), text.to_owned())),
        _ => Err(usage(format!("--file {text}: it is [TYPE:]PATH"))),
    }
}

/// The type of a file's lines where none is given: `oxingest.syslog` for `/var/log/syslog`.
fn inferred(path: &str) -> String {
    let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
    format!("oxingest.{}", name.split('.').next().unwrap_or_default())
}

/// Follows files by `tail`, as the original does.
fn follow(files: &[(String, String)], send: &SyncSender<(String, Vec<u8>)>) -> Result<(), Failure> {
    for (kind, path) in files {
        let words = ["tail", "-n", "0", "-F", "--", path].map(str::to_owned);
        let process = program::start(&words, false).map_err(|error| failed(format!("tail: {error}")))?;
        let (kind, send) = (kind.clone(), send.clone());
        task::spawn("lines", move || {
            each_line(Output(process), &kind, &send);
            // Nobody listens where another one ended before.
            let _ = send.send(Default::default());
        })?;
    }
    Ok(())
}

/// What a program prints.
struct Output(program::Process);

impl Read for Output {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(into)
    }
}

/// Sends every line until the end, or until nobody takes them.
fn each_line(from: impl Read, kind: &str, send: &SyncSender<(String, Vec<u8>)>) {
    let mut from = BufReader::new(from);
    loop {
        let mut line = Vec::new();
        match from.by_ref().take(LINE_MOST).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let end = line.iter().rposition(|byte| !byte.is_ascii_whitespace()).map_or(0, |at| at + 1);
        line.truncate(end);
        if send.send((kind.to_owned(), line)).is_err() {
            return;
        }
    }
}

/// The connection to the collection port.
struct Sender {
    address: String,
    pipe: Option<Pipe<TcpStream>>,
    sys: Sys,
}

impl Sender {
    async fn send(&mut self, kind: &str, line: &[u8]) -> Result<(), String> {
        let pipe = match &mut self.pipe {
            Some(pipe) => pipe,
            None => self.pipe.insert(link::connect(&self.address, Role::Push).await?.0),
        };
        let (now, host) = (self.sys.clock.now() as f64 / 1e9, sawlog_sys::host_name());
        let mut id = [0; 12];
        self.sys.random.fill(&mut id);
        let id = id.iter().fold(format!("{:08x}", now as u32), |id, byte| format!("{id}{byte:02x}"));
        let entry = |key: &str, value: Value| (Value::Str(key.to_owned()), value);
        let text = |text: &str| Value::Str(text.to_owned());
        let event = Value::Map(vec![
            entry("id", Value::Str(id)),
            entry("type", text(kind)),
            entry("host", text(&host)),
            entry("pid", Value::Int(std::process::id().into())),
            entry("start", Value::Float(now)),
            entry("end", Value::Float(now)),
            entry("body", Value::Map(vec![entry("data", Value::Bin(line.to_vec()))])),
        ]);
        let mut data = Vec::new();
        msgpack::write_old(&event, &mut data);
        let sent = pipe.send(&[&event::meta(now, &host, kind), &data]).await;
        sent.map_err(|error| format!("{}: {error}", self.address))
    }

    /// Ends the connection so that what was sent arrives.
    async fn close(&mut self) -> Result<(), String> {
        let Some(pipe) = &mut self.pipe else { return Ok(()) };
        pipe.stream.shutdown().await.map_err(|error| format!("{}: {error}", self.address))?;
        // The other side reads all of it before it closes.
        while let Ok(Some(_)) = pipe.next().await {}
        Ok(())
    }
}
