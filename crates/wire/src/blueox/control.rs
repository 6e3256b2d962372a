//! The control port: one request, one answer, each a map. Knows nothing of events.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use sawlog_model::Value;
use sawlog_sys::Open;
use sawlog_sys::task::{self, Asked};

use super::collect::HANDSHAKE;
use super::stats::Stats;
use crate::shared::door::{Fault, Peer, Shared};
use crate::shared::msgpack;
use crate::shared::stream::Stream;
use crate::shared::zmtp::{Message, Pipe, Role, Session};

/// Longest request, bytes.
const REQUEST_MOST: usize = 64 << 10;

/// What there is to tell and to do.
pub(super) struct Control {
    pub collect: u16,
    pub stream: u16,
    pub stats: Arc<Stats>,
    /// Other machines may ask for everything.
    pub remote: bool,
    /// Where the address to forward to is written.
    pub forward_file: Option<PathBuf>,
}

/// An answer, and what is to be asked of this process once it was given.
type Answer = (Value, Option<Asked>);

/// Serves a connection until its end.
///
/// # Errors
/// [`Fault`]: why it could not go on.
pub(super) async fn serve(
    stream: Stream,
    peer: Arc<Peer>,
    shared: Arc<Shared>,
    control: Arc<Control>,
) -> Result<(), Fault> {
    let mut pipe = Pipe::new(stream, Session::new(Role::Rep, &[], REQUEST_MOST));
    let mut stop = shared.stop.clone();
    let served = async {
        pipe.greet(HANDSHAKE).await?;
        while let Some(message) = pipe.next_message().await? {
            let Some((envelope, request)) = open(&message) else {
                shared
                    .intake
                    .count_error("request", &format!("{}: a request without an envelope", peer.host));
                continue;
            };
            let (answer, asked) = control.answer(request, &peer, &shared);
            let mut out = Vec::new();
            msgpack::write_old(&answer, &mut out);
            let mut frames: Vec<&[u8]> = envelope.iter().map(|frame| &frame[..]).collect();
            frames.push(&out);
            pipe.send(&frames).await?;
            if let Some(asked) = asked
                && let Err(error) = task::ask(asked)
            {
                shared.intake.count_error("request", &format!("cannot do what was asked: {error}"));
            }
        }
        Ok(())
    };
    tokio::select! {
        served = served => served,
        _ = stop.wait_for(|stop| *stop) => Ok(()),
    }
}

/// The frames up to the empty one, which the answer repeats, and the request.
fn open(message: &Message) -> Option<(&[Bytes], &Bytes)> {
    let end = message.frames.iter().position(Bytes::is_empty)?;
    let (envelope, rest) = message.frames.split_at(end + 1);
    Some((envelope, rest.first().filter(|_| message.count == envelope.len() + 1)?))
}

fn map(key: &str, value: Value) -> Value {
    Value::Map(vec![(Value::Str(key.to_owned()), value)])
}

fn error(words: &str) -> Answer {
    (map("error", Value::Str(words.to_owned())), None)
}

impl Control {
    fn answer(&self, request: &Bytes, peer: &Peer, shared: &Shared) -> Answer {
        let unknown = |what: &str| {
            shared.intake.count_error("request", &format!("{}: {what}", peer.host));
            error("Unknown Command")
        };
        let Ok((value, _)) = msgpack::value(request, &shared.env.limits) else {
            return unknown("a request that is no msgpack");
        };
        match value.get("cmd").map(msgpack_text).unwrap_or_default().as_str() {
            "SOCK_STREAM" => (map("port", Value::Int(self.stream.into())), None),
            "SOCK_COLLECT" => (map("port", Value::Int(self.collect.into())), None),
            "STATUS" => (self.stats.answer(), None),
            "SHUTDOWN" | "FORWARD" if !self.may(peer) => {
                shared
                    .intake
                    .count_error("denied", &format!("{}: a request from another machine", peer.host));
                error("not from another machine: see `remote_control`")
            }
            "SHUTDOWN" => (map("ok", Value::Bool(true)), Some(Asked::End)),
            "FORWARD" => self.forward(value.get("to").map(msgpack_text).unwrap_or_default().trim(), shared),
            "" => unknown("a request without `cmd`"),
            other => unknown(&format!("the unknown command {}", other.chars().take(40).collect::<String>())),
        }
    }

    fn may(&self, peer: &Peer) -> bool {
        self.remote || peer.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Writes down where to forward to, and has the configuration read again.
    fn forward(&self, to: &str, shared: &Shared) -> Answer {
        let Some(path) = &self.forward_file else {
            return error("this node forwards as its configuration says: change that, and send it SIGHUP");
        };
        let (host, port) = to.rsplit_once(':').unwrap_or((to, "3514"));
        if host.is_empty() || port.parse::<u16>().is_err() || to.contains(char::is_whitespace) {
            return error("`to` is no address, such as backup:3514");
        }
        let fs = &shared.env.sys.fs;
        let new = path.with_extension("new");
        // One that a crash left behind.
        let _ = fs.unlink(&new);
        let written = fs.open(&new, Open::New).and_then(|file| {
            file.write_at(format!("{host}:{port}\n").as_bytes(), 0)?;
            file.sync()?;
            fs.rename(&new, path)
        });
        match written {
            Ok(()) => (map("ok", Value::Bool(true)), Some(Asked::Reload)),
            Err(failed) => error(&format!("cannot write {}: {failed}", path.display())),
        }
    }
}

fn msgpack_text(value: &Value) -> String {
    match value {
        Value::Str(text) => text.clone(),
        Value::Bin(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    }
}
