//! The three ports of a node. Knows nothing of what is said over them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use sawlog_pipeline::{ConfigError, Env, Input, Intake, Options, Running};

use super::collect;
use super::control::{self, Control};
use super::stats::Stats;
use super::stream::{self, Hub};
use crate::shared::door::{self, Door, Serve, Shared};

/// Ports that may be taken for the stream.
type Range = std::ops::RangeInclusive<u16>;

struct BlueoxInput {
    listen: SocketAddr,
    control: Option<SocketAddr>,
    range: Range,
    remote: bool,
    forward_file: Option<PathBuf>,
    /// The credential of senders who are a sawlog; `None`: they are not spoken to as such.
    lane: Option<String>,
    door: door::Settings,
}

/// Makes an input from its options.
///
/// # Errors
/// [`ConfigError`] where they cannot be.
pub(super) fn make(options: &Options) -> Result<Box<dyn Input>, ConfigError> {
    let some = |name: &str| Some(options.text(name)).filter(|text| !text.is_empty());
    Ok(Box::new(BlueoxInput {
        listen: options.listen("listen")?,
        control: some("control").map(|_| options.listen("control")).transpose()?,
        range: range(options.text("stream_range"))?,
        remote: options.flag("remote_control"),
        forward_file: some("forward_file").map(PathBuf::from),
        lane: options.flag("lane").then(|| options.text("credential").to_owned()),
        door: door::Settings::read(options),
    }))
}

/// `35000-36000`; `0` for any port.
fn range(text: &str) -> Result<Range, ConfigError> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.trim().parse(), last.trim().parse()) {
        (Ok(first), Ok(last)) if first <= last => Ok(first..=last),
        _ => Err(ConfigError(format!("`stream_range = {text}` is no range of ports, such as 35000-36000"))),
    }
}

impl Input for BlueoxInput {
    fn start(self: Box<Self>, intake: Intake, env: Env) -> Result<Running, String> {
        let mut door = Door::new("blueox", self.door, intake, env)?;
        let shared = door.shared();
        let receive = |credential: String| {
            let Shared { intake, env, stop, .. } = &*shared;
            (crate::LANE.receiver)(&credential, intake.clone(), env.clone(), stop.clone())
        };
        let lane = self.lane.map(receive).transpose()?;
        let serve: Serve = {
            let shared = shared.clone();
            Arc::new(move |stream, peer| Box::pin(collect::serve(stream, peer, shared.clone(), lane.clone())))
        };
        let collection = door.tcp(self.listen, serve)?;
        let Some(address) = self.control else { return Ok(door.running()) };

        let (hub, stats) = (Arc::new(Hub::default()), Arc::new(Stats::default()));
        let serve: Serve = {
            let (shared, hub) = (shared.clone(), hub.clone());
            Arc::new(move |stream, peer| Box::pin(stream::serve(stream, peer, shared.clone(), hub.clone())))
        };
        let streaming = take_port(&mut door, address, self.range, &serve, &*shared.env.sys.random)?;
        let control = Arc::new(Control {
            collect: collection.port(),
            stream: streaming.port(),
            stats: stats.clone(),
            remote: self.remote,
            forward_file: self.forward_file,
        });
        let serve: Serve = {
            let shared = shared.clone();
            Arc::new(move |stream, peer| {
                Box::pin(control::serve(stream, peer, shared.clone(), control.clone()))
            })
        };
        door.tcp(address, serve)?;
        let tap = shared.intake.tap();
        shared.env.runtime.spawn(stream::publish(tap, hub, stats, shared.clone()));
        Ok(door.running())
    }
}

/// Listens on a free port of the range, beginning anywhere in it, so that nodes of one machine seldom try the same.
fn take_port(
    door: &mut Door,
    address: SocketAddr,
    range: Range,
    serve: &Serve,
    random: &dyn sawlog_sys::Random,
) -> Result<SocketAddr, String> {
    let mut bytes = [0; 2];
    random.fill(&mut bytes);
    let count = u32::from(range.end() - range.start()) + 1;
    let first = u32::from(u16::from_le_bytes(bytes)) % count;
    let mut last = String::new();
    for index in 0..count {
        let port = range.start() + ((first + index) % count) as u16;
        match door.tcp(SocketAddr::new(address.ip(), port), serve.clone()) {
            Ok(taken) => return Ok(taken),
            Err(error) => last = error,
        }
    }
    Err(format!("no port of {}-{} is free for the stream: {last}", range.start(), range.end()))
}
