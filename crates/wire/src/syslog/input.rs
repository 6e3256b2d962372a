//! The listener: what its options say, and its ports. Knows nothing of what is in messages.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;
use sawlog_model::Limits;
use sawlog_pipeline::{ConfigError, Env, Input, Intake, Options, Running};

use super::reading::SyslogReading;
use crate::format;
use crate::format::parse::Spec;
use crate::shared::cut::{Cutter, Framing};
use crate::shared::door::{self, Door, pump};

/// What the options say.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub tag: String,
    pub framing: Framing,
    pub longest: usize,
    pub facility_key: Option<String>,
    pub severity_key: Option<String>,
    pub unmatched: bool,
    pub timezone: Option<String>,
    /// How messages are read; where nothing is configured, by the line format.
    pub spec: Option<Spec>,
    /// Whether the parser sees the priority.
    pub whole: bool,
    pub credentials: Credentials,
}

/// What is done with credentials in structured data, on a node that asks for some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Credentials {
    /// A message that shows some is let in or refused by them.
    Accept,
    /// A message that shows none is refused, too.
    Require,
    /// They are data.
    Ignore,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            tag: "syslog".to_owned(),
            framing: Framing::Told(b"\n".as_slice().into()),
            longest: 64 << 10,
            facility_key: None,
            severity_key: None,
            unmatched: true,
            timezone: None,
            spec: None,
            whole: false,
            credentials: Credentials::Accept,
        }
    }
}

impl Settings {
    fn read(options: &Options) -> Result<Self, ConfigError> {
        let some = |name: &str| Some(options.text(name).to_owned()).filter(|text| !text.is_empty());
        let delimiter = door::unescaped(options.text("delimiter")).into_boxed_slice();
        if delimiter.is_empty() {
            return Err(ConfigError("`delimiter` is empty; write it as \\n".to_owned()));
        }
        let framing = match options.text("frame_type") {
            "auto" => Framing::Told(delimiter),
            "traditional" => Framing::Delimiter(delimiter),
            "octet_count" => Framing::Octets,
            other => {
                let words = format!("`frame_type = {other}` is none of auto, traditional, octet_count");
                return Err(ConfigError(words));
            }
        };
        let credentials = match options.text("credentials") {
            "accept" => Credentials::Accept,
            "require" => Credentials::Require,
            "ignore" => Credentials::Ignore,
            other => {
                let words = format!("`credentials = {other}` is none of accept, require, ignore");
                return Err(ConfigError(words));
            }
        };
        let timezone = some("timezone");
        let checked = format::Settings { timezone: timezone.clone(), ..format::Settings::default() }.check();
        checked.map_err(|error| ConfigError(error.to_string()))?;
        Ok(Settings {
            tag: options.text("tag").to_owned(),
            framing,
            longest: options.bytes("message_length_limit").max(1),
            facility_key: some("facility_key"),
            severity_key: some("severity_key"),
            unmatched: options.flag("emit_unmatched_lines"),
            timezone,
            spec: Some(Spec::from_options(options)?).filter(|spec| !spec.is_auto()),
            whole: options.flag("parse.with_priority"),
            credentials,
        })
    }

    /// Cuts the bytes of a connection.
    pub fn cutter(&self, limits: Limits) -> Cutter {
        Cutter::new(self.framing.clone(), self.longest, limits)
    }
}

/// The input.
struct SyslogInput {
    listen: SocketAddr,
    udp: bool,
    tcp: bool,
    settings: Arc<Settings>,
    door: door::Settings,
}

/// Makes an input from its options.
///
/// # Errors
/// [`ConfigError`] where they cannot be.
pub(super) fn make(options: &Options) -> Result<Box<dyn Input>, ConfigError> {
    let [udp, tcp] = door::transports(options, ["udp", "tcp"])?;
    Ok(Box::new(SyslogInput {
        listen: options.listen("listen")?,
        udp,
        tcp,
        settings: Arc::new(Settings::read(options)?),
        door: door::Settings::read(options),
    }))
}

impl Input for SyslogInput {
    fn start(self: Box<Self>, intake: Intake, env: Env) -> Result<Running, String> {
        let (settings, limits) = (self.settings, env.limits);
        let mut door = Door::new("syslog", self.door, intake, env)?;
        let shared = door.shared();
        let reading = {
            let (settings, shared) = (settings.clone(), shared.clone());
            move || {
                let (sources, intake) = (shared.sources.clone(), Some(shared.intake.clone()));
                let (access, now) = (Some(shared.env.access.clone()), shared.env.sys.clock.now());
                Box::new(SyslogReading::new(&settings, sources, intake, access, now, limits))
            }
        };
        let mut listen = self.listen;
        if self.tcp {
            let (reading, settings) = (reading.clone(), settings.clone());
            let serve: door::Serve = Arc::new(move |stream, peer| {
                let cutter = settings.cutter(limits);
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
