//! The listener. Knows nothing of what is in events.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;
use sawlog_pipeline::{ConfigError, Env, Input, Intake, Options, Running};

use crate::shared::cut::{Cutter, Framing};
use crate::shared::door::{self, Door, pump};
use crate::shared::events::EventReading;
use crate::shared::logstash;

/// Each event ends with a line feed.
pub(super) fn framing() -> Framing {
    Framing::Delimiter(b"\n".as_slice().into())
}

struct LogstashInput {
    listen: SocketAddr,
    udp: bool,
    tcp: bool,
    tag: String,
    longest: usize,
    door: door::Settings,
}

/// Makes an input from its options.
///
/// # Errors
/// [`ConfigError`] where they cannot be.
pub(super) fn make(options: &Options) -> Result<Box<dyn Input>, ConfigError> {
    let [udp, tcp] = door::transports(options, ["udp", "tcp"])?;
    Ok(Box::new(LogstashInput {
        listen: options.listen("listen")?,
        udp,
        tcp,
        tag: options.text("tag").to_owned(),
        longest: options.bytes("message_length_limit").max(1),
        door: door::Settings::read(options),
    }))
}

impl Input for LogstashInput {
    fn start(self: Box<Self>, intake: Intake, env: Env) -> Result<Running, String> {
        let (limits, longest, tag) = (env.limits, self.longest, self.tag);
        let mut door = Door::new("logstash", self.door, intake, env)?;
        let shared = door.shared();
        let reading = {
            let shared = shared.clone();
            move || {
                Box::new(EventReading::new("logstash", &tag, logstash::open, shared.sources.clone(), limits))
            }
        };
        let mut listen = self.listen;
        if self.tcp {
            let reading = reading.clone();
            let serve: door::Serve = Arc::new(move |stream, peer| {
                let cutter = Cutter::new(framing(), longest, limits);
                Box::pin(pump(stream, BytesMut::new(), peer, cutter, reading(), shared.clone()))
            });
            listen = door.tcp(listen, serve)?;
        }
        if self.udp {
            door.udp(listen, reading())?;
        }
        Ok(door.running())
    }
}
