//! Rows to a list or a channel of Redis: see README.md. Knows nothing of where rows come from.

mod resp;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use sawlog_model::Batch;
use sawlog_pipeline::{ConfigError, Env, Opt, OptKind, Options, Output, OutputError, Protocol, concat, opt};
use sawlog_sys::Sys;
use sawlog_sys::task::Stop;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::sync::Mutex;
use tokio::time::timeout;

use self::resp::Reply;
use crate::shared::dial::{Dial, wait};
use crate::shared::formatter::{self, Formatter};
use crate::shared::held::{AtOnce, HandOn};
use crate::shared::record::tag;
use crate::shared::stream::Stream;
use crate::shared::tls;

/// The output.
pub const PROTOCOL: Protocol = Protocol {
    name: "redis",
    summary: "Puts rows into a list of Redis, or publishes them.",
    options: &concat::<{ OWN.len() + formatter::OPTIONS.len() }>(OWN, &formatter::OPTIONS),
    output: Some(make),
    ..Protocol::EMPTY
};

const OWN: &[Opt] = &[
    opt(
        "to",
        OptKind::List,
        "redis://127.0.0.1:6379/0",
        "Servers, used in turns: redis://[[USER]:PASSWORD@]HOST[:PORT][/DB], with TLS rediss://.",
    ),
    opt("key", OptKind::List, "sawlog", "Lists or channels that each event goes to."),
    opt("data_type", OptKind::Text, "list", "`list` (RPUSH) or `channel` (PUBLISH)."),
    opt("connect_timeout", OptKind::Duration, "10s", "How long connecting may take."),
    opt("send_timeout", OptKind::Duration, "60s", "How long sending and the answers may take."),
    tls::CERT,
    tls::KEY,
    tls::MIN_VERSION,
    tls::CA,
    tls::INSECURE,
    tls::VERIFY_HOSTNAME,
    tls::SERVER_NAME,
];

/// A server that failed is left alone for so long, while others are there.
const AWAY: Duration = Duration::from_secs(5);
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
    dial: Dial,
    /// What is said first over a connection.
    greeting: Vec<Vec<u8>>,
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

fn make(options: &Options, env: &Env) -> Result<Box<dyn Output>, ConfigError> {
    let command = match options.text("data_type") {
        "list" => "RPUSH",
        "channel" => "PUBLISH",
        other => return Err(ConfigError(format!("`data_type = {other}`: there are list and channel"))),
    };
    let given = |name: &str| -> Vec<String> {
        options.list(name).iter().filter(|text| !text.is_empty()).cloned().collect()
    };
    let (keys, to) = (given("key"), given("to"));
    if keys.is_empty() || to.is_empty() {
        return Err(ConfigError("`to` and `key` must name a server and a list or channel".to_owned()));
    }
    let servers = to.iter().map(|url| server(url, options, env)).collect::<Result<_, _>>();
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

/// Reads `redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]`.
fn server(url: &str, options: &Options, env: &Env) -> Result<Arc<Server>, String> {
    let wrong = || format!("`{url}`: write it as redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]");
    let (secure, rest) = match url.strip_prefix("rediss://") {
        Some(rest) => (true, rest),
        None => (false, url.strip_prefix("redis://").ok_or_else(wrong)?),
    };
    let (rest, db) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, address) = rest.rsplit_once('@').map_or(("", rest), |(login, address)| (login, address));
    if address.is_empty() || !db.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    let has_port = address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let to = if has_port { address.to_owned() } else { format!("{address}:6379") };
    let mut greeting = Vec::new();
    match login.split_once(':') {
        Some(("", password)) => greeting.push(resp::command(&[b"AUTH", password.as_bytes()])),
        Some((user, password)) => {
            greeting.push(resp::command(&[b"AUTH", user.as_bytes(), password.as_bytes()]));
        }
        None if login.is_empty() => {}
        None => return Err(wrong()),
    }
    if !matches!(db, "" | "0") {
        greeting.push(resp::command(&[b"SELECT", db.as_bytes()]));
    }
    let mut for_tls = options.clone();
    for_tls.0.insert("tls".to_owned(), vec![secure.to_string()]);
    let connector = tls::connector(&for_tls, &env.sys)?;
    Ok(Arc::new(Server {
        dial: Dial { to, connector, patience: options.duration("connect_timeout") },
        greeting,
        send_timeout: options.duration("send_timeout"),
        kept: Mutex::default(),
        away_until: Lock::default(),
    }))
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
                    return Err(OutputError::Refused(format!("{}: {text}", server.dial.to)));
                }
                Some(Err(Failure::Connection(text))) => why = text,
                None => return Err(OutputError::Later("not sent before the end".to_owned())),
            }
            why = format!("{}: {why}", server.dial.to);
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
        let mut stream = BufReader::new(self.dial.connect().await.map_err(Failure::Connection)?);
        self.exchange(&mut stream, &self.greeting).await?;
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
                    if let Reply::Error(text) = resp::read(stream).await? {
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

/// Reads answers to the end; see [`crate::fuzz::redis_answers`].
pub(crate) fn fuzz_answers(bytes: &[u8]) {
    let mut stream = bytes;
    let lines = memchr::memchr_iter(b'\n', bytes).count();
    let mut read = 0;
    // All bytes are there, so that nothing is waited for.
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        let mut answer = std::pin::pin!(resp::read(&mut stream));
        let std::task::Poll::Ready(answer) = answer.as_mut().poll(&mut context) else {
            unreachable!("what is there is read at once")
        };
        let Ok(reply) = answer else { break };
        if let resp::Reply::Error(words) = reply {
            resp::may_pass(&words);
        }
        read += 1;
    }
    assert!(read <= lines, "{read} answers of {lines} lines");
}
