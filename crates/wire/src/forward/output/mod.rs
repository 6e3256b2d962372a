//! The forward client: rows are sent as packed messages, pipelined on one connection to each server, and count as held when
//! a server has acknowledged them.

mod compress;
mod connection;
mod encode;
mod heartbeat;
mod queue;
mod servers;

use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use sawlog_model::{Batch, KnownSource, Position, SourceId, Tenant};
use sawlog_pipeline::{ConfigError, Env, Failing, Lsn, Options, Origin, Output, OutputError, config};

use self::compress::{Compress, Compressor};
use self::connection::{Manner, Target};
use self::encode::{Span, Style};
use self::heartbeat::Heartbeat;
use self::queue::{Meaning, Queue};
use self::servers::{Server, Spread};
use crate::shared::lane::{Given, Way};
use crate::shared::tls;

/// How long `take` waits for room before it says "later"; what is over stays in its file or in the journal.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long `flush` waits for the last acknowledgement.
const FLUSH: Duration = Duration::from_secs(10);

/// The output.
struct ForwardOutput {
    name: String,
    style: Style,
    compressor: Mutex<Compressor>,
    queue: Arc<Queue>,
}

/// Makes an output from its options.
///
/// # Errors
/// [`ConfigError`] where they cannot be.
pub(super) fn make(options: &Options, env: &Env) -> Result<Box<dyn Output>, ConfigError> {
    make_by(options, env, None)
}

/// Makes an output whose servers are greeted in another protocol's way.
///
/// # Errors
/// [`ConfigError`] where an option cannot be.
pub(super) fn sender(given: Given, env: &Env, way: Arc<dyn Way>) -> Result<Box<dyn Output>, ConfigError> {
    let options = config::options(&super::PROTOCOL, &given).map_err(ConfigError)?;
    make_by(&options, env, Some(way))
}

fn make_by(options: &Options, env: &Env, way: Option<Arc<dyn Way>>) -> Result<Box<dyn Output>, ConfigError> {
    let compress = match options.text("compress") {
        "text" | "" => Compress::Text,
        "gzip" => Compress::Gzip,
        "zstd" => Compress::Zstd,
        "lz4" if options.flag("lane") => Compress::Lz4,
        "lz4" => {
            return Err(ConfigError("`compress = lz4` is only for lanes: Fluentd cannot read it".to_owned()));
        }
        other => {
            return Err(ConfigError(format!("`compress = {other}`: there are text, gzip, zstd and lz4")));
        }
    };
    let style = Style {
        lane: options.flag("lane"),
        tag: or(options, "tag", "*"),
        whole_seconds: options.flag("time_as_integer"),
        limits: env.limits,
    };
    let manner = Arc::new(Manner { way, ..manner(options, env)? });
    if style.lane && !manner.wants_ack {
        return Err(ConfigError("a lane needs `ack = true`: it is what makes it exact".to_owned()));
    }
    let servers = servers::read(options)?;
    let spread = if style.lane { Spread::Sources } else { Spread::Turns };
    let queue = Arc::new(Queue::new(options.bytes("queue").max(1), &servers, spread));
    let addresses: Vec<&str> = servers.iter().map(|server| server.address.as_str()).collect();
    let name =
        if env.name.is_empty() { format!("forward:{}", addresses.join(",")) } else { env.name.to_string() };
    if options.flag("verify_connection_at_startup") {
        servers.iter().try_for_each(|server| verify(server, &manner, &queue, env))?;
    }
    for (number, server) in servers.into_iter().enumerate() {
        if let Heartbeat::Udp(interval, hard_timeout) = manner.heartbeat {
            let (address, queue, sys) = (server.address.clone(), queue.clone(), env.sys.clone());
            let times = (interval, hard_timeout);
            env.runtime.spawn(heartbeat::run(number, address, times, manner.recover_wait, queue, sys));
        }
        let target = Target::new(number, server, manner.clone(), queue.clone(), env.sys.clone());
        env.runtime.spawn(target.run());
    }
    let compressor = Mutex::new(Compressor::new(compress));
    Ok(Box::new(ForwardOutput { name, style, compressor, queue }))
}

fn or(options: &Options, name: &str, default: &str) -> String {
    let text = options.text(name);
    if text.is_empty() { default.to_owned() } else { text.to_owned() }
}

/// How servers are spoken to.
fn manner(options: &Options, env: &Env) -> Result<Manner, ConfigError> {
    let hard_timeout = options.duration("hard_timeout");
    let heartbeat = match options.text("heartbeat") {
        "transport" | "tcp" | "" => Heartbeat::Transport,
        "udp" => {
            let interval = options.duration("heartbeat_interval").max(Duration::from_millis(10));
            Heartbeat::Udp(interval, hard_timeout)
        }
        "none" => Heartbeat::None,
        other => {
            return Err(ConfigError(format!("`heartbeat = {other}`: there are transport, udp and none")));
        }
    };
    let idle = match options.duration("keepalive_timeout") {
        _ if !options.flag("keepalive") => Some(Duration::ZERO),
        Duration::ZERO => None,
        time => Some(time),
    };
    let away = if options.flag("lane") { hard_timeout } else { Duration::ZERO };
    Ok(Manner {
        way: None,
        wants_ack: options.flag("ack"),
        ack_timeout: options.duration("ack_timeout"),
        send_timeout: options.duration("send_timeout"),
        connect_timeout: options.duration("connect_timeout"),
        hostname: or(options, "self_hostname", "sawlog-forwarder"),
        tls: tls::connector(options, &env.sys).map_err(ConfigError)?,
        idle,
        rotates: options.flag("dns_round_robin"),
        heartbeat,
        away: options.flag("failover").then_some(away),
        recover_wait: options.duration("recover_wait"),
    })
}

/// Connects to a server once, so that a wrong key, name or certificate is told at the start.
fn verify(server: &Server, manner: &Arc<Manner>, queue: &Arc<Queue>, env: &Env) -> Result<(), ConfigError> {
    let address = server.address.clone();
    let target = Target::new(0, server.clone(), manner.clone(), queue.clone(), env.sys.clone());
    // The runtime's own threads must not wait for it, so that a task does and tells.
    let (tell, told) = mpsc::channel();
    env.runtime.spawn(async move {
        let _ = tell.send(target.open().await.map(drop));
    });
    let opened = told.recv().unwrap_or_else(|_| Err("the runtime has ended".to_owned()));
    opened.map_err(|error| {
        ConfigError(format!(
            "{address}: {error} (`verify_connection_at_startup = false` starts all the same)"
        ))
    })
}

impl ForwardOutput {
    /// Where the source stands before and after the batch, for a server that was given it up to `given`.
    fn span(&self, batch: &Batch, given: Option<(u32, u64)>, position: Option<&Position>) -> Span {
        let end = batch.rows.last().map_or(0, |row| row.offset + 1);
        let to = position.map_or((batch.epoch, end), Position::mark);
        let first = (batch.epoch, batch.rows.first().map_or(0, |row| row.offset));
        // What is given again from the journal was queued before: then nothing is claimed.
        Span { from: given.filter(|given| *given <= first), to }
    }
}

impl Output for ForwardOutput {
    fn name(&self) -> &str {
        &self.name
    }

    fn take(&self, batch: Arc<Batch>, origin: Origin) -> Result<(), OutputError> {
        self.queue.wait_for_room(PATIENCE).map_err(OutputError::Later)?;
        let (frame, position) = match origin {
            Origin::Replayable(position) => (None, Some(position)),
            Origin::Journal { at, next, position } => (Some((at, next)), position),
        };
        let known =
            position.clone().map(|position| KnownSource { source: (*batch.source).clone(), position });
        let meaning = Meaning { frame, known };
        if batch.rows.is_empty() {
            self.queue.note(meaning);
            return Ok(());
        }
        let source = batch.source.id;
        let (server, given) = self.queue.assign(source);
        let span = self.span(&batch, given, position.as_ref());
        let message = {
            // Nothing of one payload is used for the next, so that one which failed does no harm.
            let mut compressor = self.compressor.lock().unwrap_or_else(PoisonError::into_inner);
            encode::encode(&batch, span, &self.style, &mut compressor).map_err(OutputError::Refused)?
        };
        self.queue.push(server, message, source, span.to, meaning);
        Ok(())
    }

    fn journaled(&self, _tenant: Tenant, at: Lsn, next: Lsn) {
        self.queue.note(Meaning { frame: Some((at, next)), known: None });
    }

    fn cursor(&self) -> Lsn {
        self.queue.cursor()
    }

    fn known_sources(&self) -> Vec<KnownSource> {
        self.queue.known()
    }

    fn committed(&self, source: SourceId) -> Option<(u32, u64)> {
        self.queue.committed(source)
    }

    fn keeps_positions(&self) -> bool {
        false
    }

    fn best_effort(&self) -> u64 {
        self.queue.best_effort()
    }

    fn failing(&self) -> Option<Failing> {
        self.queue.failing()
    }

    fn forget(&self, below: Lsn) {
        self.queue.forget(below);
    }

    fn flush(&self) -> Result<(), OutputError> {
        self.queue.wait_for_end(FLUSH).map_err(OutputError::Later)
    }
}

impl Drop for ForwardOutput {
    fn drop(&mut self) {
        self.queue.close();
    }
}
