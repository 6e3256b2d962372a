//! The listeners: what their options say, and their ports and paths. Knows nothing of what is in lines.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::BytesMut;
use sawlog_model::Limits;
use sawlog_pipeline::{ConfigError, Env, Input, Intake, Options, Running};

use crate::shared::cut::{Cutter, Framing, Piece};
use crate::shared::door::{self, Door, Peer, Reading, pump};
use crate::shared::gather::Gather;
use crate::shared::lines::{LineReading, LineSettings};

/// Longest line where nothing else is said, bytes.
pub(super) const LONGEST: usize = 1 << 20;

/// Each line ends with a line feed.
pub(super) fn line_framing() -> Framing {
    Framing::Delimiter(b"\n".as_slice().into())
}

/// Where an input listens.
enum Place {
    Tcp(SocketAddr),
    Udp(SocketAddr),
    Unix(PathBuf),
}

/// The input.
struct SocketInput {
    kind: &'static str,
    place: Place,
    framing: Framing,
    longest: usize,
    lines: LineSettings,
    door: door::Settings,
}

fn make(options: &Options, kind: &'static str, place: Place) -> Result<Box<dyn Input>, ConfigError> {
    let delimiter = door::unescaped(options.text("delimiter"));
    let framing = match place {
        Place::Udp(_) => line_framing(),
        _ if delimiter.is_empty() => {
            return Err(ConfigError("`delimiter` is empty; write it as \\n".to_owned()));
        }
        _ => Framing::Delimiter(delimiter.into()),
    };
    let longest = options.bytes("message_length_limit").max(1);
    let (lines, door) = (LineSettings::read(options, kind)?, door::Settings::read(options));
    Ok(Box::new(SocketInput { kind, place, framing, longest, lines, door }))
}

/// Makes an input from its options.
///
/// # Errors
/// [`ConfigError`] where they cannot be.
pub(super) fn tcp(options: &Options) -> Result<Box<dyn Input>, ConfigError> {
    make(options, "tcp", Place::Tcp(options.listen("listen")?))
}

/// As [`tcp`].
pub(super) fn udp(options: &Options) -> Result<Box<dyn Input>, ConfigError> {
    make(options, "udp", Place::Udp(options.listen("listen")?))
}

/// As [`tcp`].
pub(super) fn unix(options: &Options) -> Result<Box<dyn Input>, ConfigError> {
    let path = options.text("path");
    if path.is_empty() {
        return Err(ConfigError("`path` is missing: where the socket is to be".to_owned()));
    }
    make(options, "unix", Place::Unix(path.into()))
}

impl Input for SocketInput {
    fn start(self: Box<Self>, intake: Intake, env: Env) -> Result<Running, String> {
        let SocketInput { kind, place, framing, longest, lines, door } = *self;
        let limits = env.limits;
        let mut door = Door::new(kind, door, intake, env)?;
        let shared = door.shared();
        let reading = {
            let shared = shared.clone();
            move || {
                let (sources, intake) = (shared.sources.clone(), Some(shared.intake.clone()));
                LineReading::new(&lines, kind, sources, intake, shared.env.sys.clock.now(), limits)
            }
        };
        if let Place::Udp(address) = place {
            door.udp(address, Box::new(Datagram { inner: reading(), longest, limits }))?;
            return Ok(door.running());
        }
        let serve: door::Serve = Arc::new(move |stream, peer| {
            let cutter = Cutter::new(framing.clone(), longest, limits);
            Box::pin(pump(stream, BytesMut::new(), peer, cutter, Box::new(reading()), shared.clone()))
        });
        match place {
            Place::Unix(path) => door.unix(&path, serve)?,
            Place::Tcp(address) | Place::Udp(address) => drop(door.tcp(address, serve)?),
        }
        Ok(door.running())
    }
}

/// Reads datagrams, a message each; one that is longer than the limit in pieces.
struct Datagram {
    inner: LineReading,
    longest: usize,
    limits: Limits,
}

impl Reading for Datagram {
    fn read(
        &mut self,
        piece: &Piece,
        peer: &Arc<Peer>,
        received: sawlog_model::Nanos,
        gather: &mut Gather,
    ) -> Result<(), sawlog_pipeline::DecodeError> {
        let longest = self.longest.min(self.limits.event).max(1);
        let mut at = 0;
        loop {
            let end = (at + longest).min(piece.bytes.len());
            let goes_on = end < piece.bytes.len();
            let part = Piece { bytes: piece.bytes.slice(at..end), inside: at > 0, goes_on };
            self.inner.read(&part, peer, received, gather)?;
            if !goes_on {
                return Ok(());
            }
            at = end;
        }
    }
}
