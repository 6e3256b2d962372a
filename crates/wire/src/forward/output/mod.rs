//! The forward client: rows are sent as packed messages, pipelined on one connection, and count as held when the other side
//! has acknowledged them.

mod connection;
mod encode;
mod queue;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sawlog_model::{Batch, KnownSource, Position, SourceId, Tenant};
use sawlog_pipeline::Lsn;
use sawlog_pipeline::{ConfigError, Env, Options, Origin, Output, OutputError};

use self::connection::Target;
use self::encode::{Compress, Span, Style};
use self::queue::{Meaning, Queue};

/// How long `take` waits for room before it says "later"; what is over stays in its file or in the journal.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long `flush` waits for the last acknowledgement.
const FLUSH: Duration = Duration::from_secs(10);

/// The output.
struct ForwardOutput {
    name: String,
    style: Style,
    queue: Arc<Queue>,
    /// Up to where each source was queued.
    queued: Mutex<HashMap<SourceId, (u32, u64)>>,
}

/// Makes an output from its options.
///
/// # Errors
/// [`ConfigError`] where they cannot be.
pub(super) fn make(options: &Options, env: &Env) -> Result<Box<dyn Output>, ConfigError> {
    let or = |name: &str, default: &str| {
        let text = options.text(name);
        if text.is_empty() { default.to_owned() } else { text.to_owned() }
    };
    let compress = match options.text("compress") {
        "text" | "" => Compress::Text,
        "gzip" => Compress::Gzip,
        "zstd" => Compress::Zstd,
        other => return Err(ConfigError(format!("`compress = {other}`: there are text, gzip and zstd"))),
    };
    let lane = options.flag("lane");
    let wants_ack = options.flag("ack");
    if lane && !wants_ack {
        return Err(ConfigError("a lane needs `ack = true`: it is what makes it exact".to_owned()));
    }
    let target = Target {
        to: or("to", "127.0.0.1:24224"),
        wants_ack,
        ack_timeout: options.duration("ack_timeout"),
        hostname: or("self_hostname", "sawlog-forwarder"),
        shared_key: or("shared_key", ""),
        user: or("username", ""),
        password: or("password", ""),
        tls: crate::shared::tls::connector(options, &env.sys).map_err(ConfigError)?,
    };
    let name = format!("forward:{}", target.to);
    let style = Style { lane, tag: or("tag", "*"), compress, limits: env.limits };
    let queue = Arc::new(Queue::new(options.bytes("queue").max(1)));
    env.runtime.spawn(connection::run(target, queue.clone(), env.sys.clone()));
    Ok(Box::new(ForwardOutput { name, style, queue, queued: Mutex::default() }))
}

impl ForwardOutput {
    /// Where the source stands before and after the batch.
    fn span(&self, batch: &Batch, position: Option<&Position>) -> Span {
        let end = batch.rows.last().map_or(0, |row| row.offset + 1);
        let to = position.map_or((batch.epoch, end), Position::mark);
        let first = (batch.epoch, batch.rows.first().map_or(0, |row| row.offset));
        let before = self.queued().get(&batch.source.id).copied();
        // What is given again from the journal was queued before: then nothing is claimed.
        Span { from: before.filter(|before| *before <= first), to }
    }

    fn queued(&self) -> MutexGuard<'_, HashMap<SourceId, (u32, u64)>> {
        self.queued.lock().unwrap_or_else(PoisonError::into_inner)
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
        let span = self.span(&batch, position.as_ref());
        let known = position.map(|position| KnownSource { source: (*batch.source).clone(), position });
        let meaning = Meaning { frame, known };
        if batch.rows.is_empty() {
            self.queue.push(Bytes::new(), String::new(), meaning);
            return Ok(());
        }
        let encoded = encode::encode(&batch, span, &self.style).map_err(OutputError::Refused)?;
        self.queued().insert(batch.source.id, span.to);
        self.queue.push(encoded.bytes.into(), encoded.chunk, meaning);
        Ok(())
    }

    fn journaled(&self, _tenant: Tenant, at: Lsn, next: Lsn) {
        self.queue.push(Bytes::new(), String::new(), Meaning { frame: Some((at, next)), known: None });
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

    fn flush(&self) -> Result<(), OutputError> {
        self.queue.wait_for_end(FLUSH).map_err(OutputError::Later)
    }
}

impl Drop for ForwardOutput {
    fn drop(&mut self) {
        self.queue.close();
    }
}
