//! Rows to a list or a channel of Redis. Knows nothing of where rows come from.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use sawlog_model::Batch;
use sawlog_pipeline::{ConfigError, Env, Options, Output, OutputError};
use sawlog_sys::Sys;
use sawlog_sys::task::Stop;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::resp::{self, Reply};
use super::server::Called;
use crate::shared::dial::wait;
use crate::shared::formatter::Formatter;
use crate::shared::held::{AtOnce, HandOn};
use crate::shared::record::tag;
use crate::shared::stream::Stream;

/// A server that failed is left alone for so long, while others are there.
const AWAY: Duration = Duration::from_secs(5);
/// Longest answer, bytes: a number, or words.
const ANSWER: usize = 64 << 10;
/// Commands that go out before their answers are read.
const AT_ONCE: usize = 1000;

struct Redis {
    servers: Vec<Arc<Server>>,
    next: AtomicUsize,
    keys: Vec<String>,
    command: &'static str,
    formatter: Formatter,
    runtime: tokio::runtime::Handle,
    stop: Stop,
    sys: Sys,
}

struct Server {
    called: Called,
    send_timeout: Duration,
    kept: Mutex<Option<BufReader<Stream>>>,
    /// When it may be used again.
    away_until: Lock<Duration>,
}

/// Why not all is there.
enum Failure {
    /// The connection; all of it again.
    Connection(String),
    /// What the server said of some command.
    Answer(String),
}

/// Makes an output from its options.
///
/// # Errors
/// [`ConfigError`] where they cannot be.
pub(super) fn make(options: &Options, env: &Env) -> Result<Box<dyn Output>, ConfigError> {
    let command = match options.text("data_type") {
        "list" => "RPUSH",
        "channel" => "PUBLISH",
        other => return Err(ConfigError(format!("`data_type = {other}`: there are list and channel"))),
    };
    let (to, keys) = super::names(options)?;
    let server = |url: &String| {
        let called = Called::read(url, options, env)?;
        let send_timeout = options.duration("send_timeout");
        Ok(Arc::new(Server { called, send_timeout, kept: Mutex::default(), away_until: Lock::default() }))
    };
    let servers = to.iter().map(server).collect::<Result<_, String>>();
    let redis = Redis {
        servers: servers.map_err(|message| ConfigError(format!("`to`: {message}")))?,
        next: AtomicUsize::new(0),
        keys,
        command,
        // A value of its own needs no line feed.
        formatter: Formatter::new(&without_newline(options), "json", env.limits)?,
        runtime: env.runtime.clone(),
        stop: env.stop.clone(),
        sys: env.sys.clone(),
    };
    Ok(Box::new(AtOnce::new(&env.name, redis)))
}

fn without_newline(options: &Options) -> Options {
    let mut options = options.clone();
    options.0.insert("format.add_newline".to_owned(), vec!["false".to_owned()]);
    options
}

impl HandOn for Redis {
    fn hand_on(&self, batch: &Batch) -> Result<(), OutputError> {
        let (tag, mut value) = (tag(batch), Vec::new());
        let mut commands = Vec::new();
        for row in batch.iter() {
            value.clear();
            self.formatter.write(row, &tag, &mut value);
            let command = |key: &String| resp::command(&[self.command.as_bytes(), key.as_bytes(), &value]);
            commands.extend(self.keys.iter().map(command));
        }
        if commands.is_empty() {
            return Ok(());
        }
        let commands = Arc::new(commands);
        let mut why = String::new();
        for server in self.in_turn() {
            let (commands, asked) = (commands.clone(), server.clone());
            let answer = wait(&self.runtime, &self.stop, async move { asked.send(&commands).await });
            match answer {
                Some(Ok(())) => return Ok(()),
                Some(Err(Failure::Answer(text))) if resp::may_pass(&text) => why = text,
                Some(Err(Failure::Answer(text))) => {
                    return Err(OutputError::Refused(format!("{}: {text}", server.called.dial.to)));
                }
                Some(Err(Failure::Connection(text))) => why = text,
                None => return Err(OutputError::Later("not sent before the end".to_owned())),
            }
            why = format!("{}: {why}", server.called.dial.to);
            *server.away_until() = self.sys.clock.monotonic() + AWAY;
        }
        Err(OutputError::Later(why))
    }
}

impl Redis {
    /// The servers, from the next one on; those that are away last.
    fn in_turn(&self) -> Vec<Arc<Server>> {
        let mut servers = self.servers.clone();
        let first = self.next.fetch_add(1, Ordering::Relaxed) % servers.len();
        servers.rotate_left(first);
        let now = self.sys.clock.monotonic();
        servers.sort_by_key(|server| *server.away_until() > now);
        servers
    }
}

impl Server {
    fn away_until(&self) -> std::sync::MutexGuard<'_, Duration> {
        self.away_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends commands, some at a time, and reads their answers; once more over a new connection where the one that was kept
    /// has ended meanwhile.
    async fn send(&self, commands: &[Vec<u8>]) -> Result<(), Failure> {
        let mut kept = self.kept.lock().await;
        if let Some(mut stream) = kept.take() {
            match self.exchange(&mut stream, commands).await {
                Err(Failure::Connection(_)) => {}
                answered => {
                    *kept = Some(stream);
                    return answered;
                }
            }
        }
        let mut stream = BufReader::new(self.called.dial.connect().await.map_err(Failure::Connection)?);
        self.exchange(&mut stream, &self.called.greeting).await?;
        let answered = self.exchange(&mut stream, commands).await;
        if !matches!(answered, Err(Failure::Connection(_))) {
            *kept = Some(stream);
        }
        answered
    }

    async fn exchange(&self, stream: &mut BufReader<Stream>, commands: &[Vec<u8>]) -> Result<(), Failure> {
        let mut refused = None;
        for some in commands.chunks(AT_ONCE) {
            let exchanged = async {
                stream.write_all(&some.concat()).await.map_err(|error| error.to_string())?;
                stream.flush().await.map_err(|error| error.to_string())?;
                let mut refused = None;
                for _ in some {
                    if let Reply::Error(text) = resp::read(stream, ANSWER).await? {
                        refused.get_or_insert(text);
                    }
                }
                Ok(refused)
            };
            let answers = timeout(self.send_timeout, exchanged).await;
            let answers = answers.unwrap_or_else(|_| Err("no answer in time".to_owned()));
            refused = refused.or(answers.map_err(Failure::Connection)?);
        }
        refused.map_or(Ok(()), |text| Err(Failure::Answer(text)))
    }
}
