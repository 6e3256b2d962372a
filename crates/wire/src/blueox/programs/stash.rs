//! `oxstash`: events of the live stream or of standard input to Elasticsearch, by its bulk API. Knows nothing of where they
//! were recorded.

use std::io::{self, IsTerminal};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use sawlog_model::{Limits, Value};
use sawlog_sys::net::TcpStream;
use sawlog_sys::{Sys, task};
use tokio::time::timeout;

use super::flags::{self, Flag, NONE};
use super::{Failure, dates, failed, files, link, usage};
use crate::shared::msgpack;
use crate::shared::record::write_plain;

const FLAGS: &[Flag] = &[
    Flag { short: 'v', long: "verbose", value: "", help: "say what is sent" },
    flags::TYPE_NAME,
    flags::HOST,
    Flag { short: 'l', long: "log-path", value: "DIR", help: "has no effect, as in the original" },
    Flag {
        short: 'e',
        long: "elasticsearch",
        value: "HOST:PORT",
        help: "where to send to (localhost:9200); those after the first are asked in turn",
    },
    Flag { short: 'i', long: "index_name", value: "INDEX", help: "the index" },
    Flag { short: 'p', long: "index_base", value: "BASE", help: "the index is BASE-YYYY.MM.DD (blueox)" },
    Flag { short: NONE, long: "chunk_size", value: "N", help: "events in a request (500)" },
    Flag { short: NONE, long: "request_timeout", value: "SECONDS", help: "longest wait for an answer (10)" },
    Flag {
        short: NONE,
        long: "typeless",
        value: "",
        help: "for Elasticsearch 7 and later: the type is only a field",
    },
];

const HEAD: &str = "oxstash [options] [< FILE]: events to Elasticsearch";

/// Events that came are sent after this time, however few.
const AGE: Duration = Duration::from_secs(1);

/// Longest answer that is read, bytes.
const ANSWER_MOST: usize = 16 << 20;

/// Where and how events go.
pub(super) struct Target {
    pub hosts: Vec<String>,
    pub index: Option<String>,
    pub base: String,
    pub typeless: bool,
    pub chunk: usize,
    pub patience: Duration,
    pub verbose: bool,
}

pub(super) fn run(arguments: &[String], _sys: &Sys) -> Result<u8, Failure> {
    let Some(given) = flags::read(HEAD, arguments, FLAGS)? else { return Ok(0) };
    if let Some(other) = given.rest.first() {
        return Err(usage(format!("unrecognized arguments: {other}")));
    }
    let mut hosts: Vec<String> = given.all("elasticsearch").map(|host| link::with_port(host, 9200)).collect();
    if hosts.is_empty() {
        hosts.push("localhost:9200".to_owned());
    }
    let target = Target {
        hosts,
        index: given.get("index_name").map(str::to_owned),
        base: given.get("index_base").unwrap_or("blueox").to_owned(),
        typeless: given.has("typeless"),
        chunk: given.number("chunk_size", 500)?.max(1) as usize,
        patience: Duration::from_secs(given.number("request_timeout", 10)?.max(1)),
        verbose: given.has("verbose"),
    };
    let runtime = task::runtime("oxstash", 1)?;
    if given.has("host") || io::stdin().is_terminal() {
        return runtime.block_on(live(
            &link::control(&given),
            given.get("type-name").unwrap_or_default(),
            &target,
        ));
    }
    if given.has("type-name") {
        return Err(usage("Can't specify a name from stdin"));
    }
    let mut events = files::Events::new(io::stdin().lock());
    let mut waiting = Vec::new();
    while let Some(event) = events.next()? {
        waiting.push(event);
        if waiting.len() >= target.chunk {
            runtime.block_on(target.send(&mut waiting))?;
        }
    }
    runtime.block_on(target.send(&mut waiting))?;
    Ok(0)
}

async fn live(address: &str, pattern: &str, target: &Target) -> Result<u8, Failure> {
    let mut waiting = Vec::new();
    loop {
        let stream = link::stream_of(address).await;
        let stream = stream.map_err(|error| failed(format!("Failed to connect to server: {error}")))?;
        let mut pipe = link::subscribe(&stream, pattern).await.map_err(failed)?;
        let mut silent = Duration::ZERO;
        // In silence the node is asked again: it may have started anew, with its stream on another port.
        while silent < link::PATIENCE {
            match timeout(AGE, pipe.next_message()).await {
                Ok(Ok(Some(message))) => {
                    silent = Duration::ZERO;
                    let [kind, data] = message.frames.as_slice() else { continue };
                    if files::fits(pattern, &String::from_utf8_lossy(kind)) {
                        waiting.extend(msgpack::value(data, &Limits::default()).map(|(event, _)| event));
                    }
                    if waiting.len() < target.chunk {
                        continue;
                    }
                }
                Ok(_) => break,
                Err(_) => silent += AGE,
            }
            target.send(&mut waiting).await?;
        }
    }
}

impl Target {
    /// Sends all events, and leaves none; hosts are asked in turn until one takes them.
    async fn send(&self, waiting: &mut Vec<Value>) -> Result<(), Failure> {
        if waiting.is_empty() {
            return Ok(());
        }
        let body = Bytes::from(self.body(waiting));
        let mut last = String::new();
        for host in &self.hosts {
            let posted = timeout(self.patience, post(host, body.clone())).await;
            match posted.unwrap_or_else(|_| Err("no answer in time".to_owned())) {
                Ok(refused) => {
                    if self.verbose || refused > 0 {
                        eprintln!("oxstash: {} events to {host}, {refused} of them refused", waiting.len());
                    }
                    waiting.clear();
                    return Ok(());
                }
                Err(error) => last = format!("{host}: {error}"),
            }
        }
        Err(failed(last))
    }

    /// The lines of a bulk request.
    pub fn body(&self, events: &[Value]) -> Vec<u8> {
        let mut out = Vec::new();
        let text = |text: &str| Value::Str(text.to_owned());
        for event in events {
            let kind = files::text(event, "type");
            let end = files::end(event).unwrap_or_default();
            let time = dates::of(end);
            let index = match &self.index {
                Some(index) => index.clone(),
                None => format!("{}-{}", self.base, time.strftime("%Y.%m.%d")),
            };
            let mut action = vec![(text("_index"), Value::Str(index))];
            if !self.typeless {
                action.push((text("_type"), text(&kind)));
            }
            write_plain(&Value::Map(vec![(text("index"), Value::Map(action))]), &mut out);
            out.push(b'\n');
            let Value::Map(mut entries) = event.clone() else { continue };
            let number = |name: &str| match event.get(name) {
                Some(Value::Float(number)) => Some(*number),
                Some(Value::Int(number)) => Some(*number as f64),
                _ => None,
            };
            if let (Some(start), Some(end)) = (number("start"), number("end")) {
                entries.push((text("duration"), Value::Float(end - start)));
            }
            entries.push((
                text("@timestamp"),
                Value::Str(format!("{}Z", time.strftime("%Y-%m-%dT%H:%M:%S.%6f"))),
            ));
            write_plain(&Value::Map(entries), &mut out);
            out.push(b'\n');
        }
        out
    }
}

/// Posts a bulk request; how many of its events were refused.
async fn post(host: &str, body: Bytes) -> Result<usize, String> {
    let stream = TcpStream::connect(host).await.map_err(|error| error.to_string())?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let driver = tokio::spawn(connection);
    let request = hyper::Request::post("/_bulk")
        .header(HOST, host)
        .header(CONTENT_TYPE, "application/x-ndjson")
        .body(Full::new(body))
        .map_err(|error| error.to_string())?;
    let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let body = http_body_util::Limited::new(answer.into_body(), ANSWER_MOST).collect().await;
    let body = body.map_err(|error| error.to_string())?.to_bytes();
    driver.abort();
    if !status.is_success() {
        let words: String = String::from_utf8_lossy(&body).chars().take(500).collect();
        return Err(format!("{status}: {words}"));
    }
    let answer = sawlog_model::value::parse_json(&body, &Limits::default())
        .map_err(|_| "an answer that is no JSON")?;
    let items = match answer.get("items") {
        Some(Value::List(items)) => items.as_slice(),
        _ => &[],
    };
    let is_refused = |item: &&Value| {
        let Value::Map(entries) = item else { return false };
        entries.iter().any(|(_, done)| matches!(done.get("status"), Some(Value::Int(300..))))
    };
    Ok(items.iter().filter(is_refused).count())
}
