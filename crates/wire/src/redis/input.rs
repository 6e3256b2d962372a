//! The consumer of lists and channels. Knows nothing of what is in an event.
//!
//! A list gives an element away when it is taken, so elements are moved, not popped: to a list of this input's own, named by
//! its id and the number of the batch. The batch is stored together with its number, in one append of the journal, and then
//! the list is deleted. After a crash the list of the stored number is deleted, and what the next one has is taken first: so
//! nothing is lost or doubled. A channel has no such thing: what comes while nobody listens is gone.

use std::time::Duration;

use bytes::Bytes;
use sawlog_model::frame::{Reader, put_varint};
use sawlog_model::{Right, Tenant};
use sawlog_pipeline::{ConfigError, Env, Input, Intake, Note, Options, Running};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::time::timeout;

use super::resp::{self, Reply};
use super::server::Called;
use crate::shared::door::Fault;
use crate::shared::gather::Gather;
use crate::shared::messages::{Body, Reading, Settings};
use crate::shared::sources::Sources;
use crate::shared::stream::Stream;
use crate::shared::worker::{SHORTEST, Sessions, Stopped, Workers};

/// A batch is closed when it has so many events, or so many bytes of rows.
const BATCH: usize = 1000;
const BATCH_BYTES: usize = 4 << 20;
/// Commands that go out before their answers are read.
const AT_ONCE: usize = 16;
/// Longest event, bytes.
const LONGEST: usize = 64 << 20;
/// How long the server is asked to wait for an element, in seconds: the node may stop in between.
const BLOCKED: &[u8] = b"1";
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// A channel that is silent for so long is asked whether it still is there.
const SILENCE: Duration = Duration::from_secs(30);

struct RedisInput {
    to: Vec<String>,
    keys: Vec<String>,
    /// With which channels are listened to; `None` for lists.
    subscribe: Option<&'static str>,
    settings: Settings,
    longest_wait: Duration,
    credential: String,
    options: Options,
}

/// Makes an input from its options.
///
/// # Errors
/// [`ConfigError`] where they cannot be.
pub(super) fn make(options: &Options) -> Result<Box<dyn Input>, ConfigError> {
    let (to, keys) = super::names(options)?;
    let subscribe = match options.text("data_type") {
        "list" => None,
        "channel" => Some("SUBSCRIBE"),
        "pattern" => Some("PSUBSCRIBE"),
        other => {
            return Err(ConfigError(format!("`data_type = {other}`: there are list, channel and pattern")));
        }
    };
    Ok(Box::new(RedisInput {
        to,
        keys,
        subscribe,
        settings: Settings::read(options, "${key}")?,
        longest_wait: options.duration("reconnect").max(SHORTEST),
        credential: options.text("credential").to_owned(),
        options: options.clone(),
    }))
}

impl Input for RedisInput {
    fn start(self: Box<Self>, intake: Intake, env: Env) -> Result<Running, String> {
        let admitted = env.access.admit(self.credential.as_bytes(), Right::Ingest);
        let tenant = admitted.map_err(|_| "its `credential` may not send to any tenant".to_owned())?;
        let sources = Sources::new(intake.known_sources(), "redis", env.sys.random.clone()).of(tenant);
        let workers = Workers::new(&env.runtime);
        let work = |url: &str| {
            Ok::<_, String>(Work {
                called: Called::read(url, &self.options, &env)?,
                reading: Reading::new("redis", self.settings.clone(), sources.clone(), env.limits),
                gather: Gather::default(),
                tenant,
                intake: intake.clone(),
                env: env.clone(),
                stop: workers.stopped(),
            })
        };
        for url in &self.to {
            if let Some(subscribe) = self.subscribe {
                let channels = Channels { subscribe, names: self.keys.clone(), work: work(url)? };
                workers.start(channels, self.longest_wait);
                continue;
            }
            for key in &self.keys {
                workers.start(List::new(url, key, work(url)?), self.longest_wait);
            }
        }
        Ok(workers.running())
    }
}

/// What lists and channels have in common.
struct Work {
    called: Called,
    reading: Reading,
    gather: Gather,
    tenant: Tenant,
    intake: Intake,
    env: Env,
    stop: Stopped,
}

impl Work {
    /// A new connection; `None` where the node stops.
    async fn link(&mut self) -> Result<Option<Link>, Fault> {
        let connected = tokio::select! {
            connected = self.called.dial.connect() => connected,
            _ = self.stop.wait_for(|stop| *stop) => return Ok(None),
        };
        let stream = connected.map_err(|words| Fault("connection", words))?;
        let mut link = Link(BufReader::new(stream));
        link.ask(&self.called.greeting).await?;
        Ok(Some(link))
    }

    fn read(&mut self, name: &str, event: &[u8]) {
        let received = self.env.sys.clock.now();
        if self.reading.read(name, event, received, &mut self.gather) != Body::Events {
            self.intake.count_error(
                "malformed",
                "events that are no JSON object, or too long, were kept as they came",
            );
        }
    }

    /// Makes what was read durable.
    async fn store(&mut self, note: Option<Note>) -> Result<(), Fault> {
        let batches = self.gather.take(self.tenant);
        let stored = match note {
            Some(note) => self.intake.submit_noted(batches, note).await,
            None => self.intake.submit(batches).await,
        };
        stored.map_err(|error| Fault::new("delivery", error))
    }
}

/// A connection.
struct Link(BufReader<Stream>);

impl Link {
    async fn send(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let sent = async {
            self.0.write_all(bytes).await?;
            self.0.flush().await
        };
        sent.await.map_err(|error| Fault::new("connection", error))
    }

    async fn answer(&mut self) -> Result<Reply, Fault> {
        let read = timeout(PATIENCE, resp::read(&mut self.0, LONGEST)).await;
        let read = read.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        match read.map_err(|words| Fault("connection", words))? {
            Reply::Error(words) => Err(Fault("refused", words)),
            reply => Ok(reply),
        }
    }

    /// The answers to commands; all go out before the first is read.
    async fn ask(&mut self, commands: &[Vec<u8>]) -> Result<Vec<Reply>, Fault> {
        self.send(&commands.concat()).await?;
        let mut replies = Vec::new();
        for _ in commands {
            replies.push(self.answer().await?);
        }
        Ok(replies)
    }
}

/// A list at work.
struct List {
    key: String,
    /// Name of its note.
    note: String,
    /// What tells its lists from those of other nodes; 0 where it has none yet.
    id: u128,
    /// Number of the last batch that is stored.
    stored: u64,
    work: Work,
}

impl List {
    fn new(url: &str, key: &str, work: Work) -> List {
        // Without what is secret in it.
        let place = url.rsplit(['@']).next().unwrap_or_default().trim_start_matches("redis://");
        let note = format!("redis:{place}/{key}");
        let (id, stored) = work.intake.note(&note).and_then(noted).unwrap_or_default();
        List { key: key.to_owned(), note, id, stored, work }
    }

    /// The list of a batch.
    fn taken(&self, number: u64) -> Vec<u8> {
        format!("{}:sawlog:{:032x}:{number}", self.key, self.id).into_bytes()
    }

    /// Stores what was read as the batch of the next number, and the number with it.
    async fn store(&mut self) -> Result<(), Fault> {
        let state = note(self.id, self.stored + 1);
        self.work.store(Some(Note { name: self.note.clone(), state })).await?;
        self.stored += 1;
        Ok(())
    }

    /// Reads elements while commands give some, up to a batch, and while rows have less than `most` bytes.
    async fn read(
        &mut self,
        link: &mut Link,
        most: usize,
        command: impl Fn(usize) -> Vec<u8>,
    ) -> Result<usize, Fault> {
        let mut events = 0;
        while events < BATCH && self.work.gather.weight() < most {
            let commands: Vec<Vec<u8>> = (events..events + AT_ONCE).map(&command).collect();
            let mut ended = false;
            for reply in link.ask(&commands).await? {
                match reply {
                    Reply::Value(event) => {
                        self.work.read(&self.key, &event);
                        events += 1;
                    }
                    _ => ended = true,
                }
            }
            if ended {
                break;
            }
        }
        Ok(events)
    }

    /// What an earlier session has taken and not stored, however much it was.
    async fn left(&mut self, link: &mut Link) -> Result<(), Fault> {
        let list = self.taken(self.stored + 1);
        let mut events = 0;
        loop {
            let index =
                |event: usize| resp::command(&[b"LINDEX", &list, (events + event).to_string().as_bytes()]);
            match self.read(link, usize::MAX, index).await? {
                0 => break,
                read => events += read,
            }
        }
        if events > 0 { self.stored_and_gone(link).await } else { Ok(()) }
    }

    async fn stored_and_gone(&mut self, link: &mut Link) -> Result<(), Fault> {
        self.store().await?;
        link.ask(&[resp::command(&[b"DEL", &self.taken(self.stored)])]).await?;
        Ok(())
    }
}

impl Sessions for List {
    async fn session(&mut self, worked: &mut bool) -> Result<(), Fault> {
        // What was read over the connection before is read again.
        drop(self.work.gather.take(self.work.tenant));
        let Some(mut link) = self.work.link().await? else { return Ok(()) };
        if self.id == 0 {
            self.id = self.work.env.sys.random.id();
            self.store().await.inspect_err(|_| self.id = 0)?;
        }
        link.ask(&[resp::command(&[b"DEL", &self.taken(self.stored)])]).await?;
        self.left(&mut link).await?;
        *worked = true;
        while !*self.work.stop.borrow() {
            let (from, to) = (self.key.clone().into_bytes(), self.taken(self.stored + 1));
            let wait = resp::command(&[b"BLMOVE", &from, &to, b"LEFT", b"RIGHT", BLOCKED]);
            let Some(Reply::Value(first)) = link.ask(&[wait]).await?.pop() else { continue };
            self.work.read(&self.key, &first);
            let more = resp::command(&[b"LMOVE", &from, &to, b"LEFT", b"RIGHT"]);
            self.read(&mut link, BATCH_BYTES, |_| more.clone()).await?;
            self.stored_and_gone(&mut link).await?;
        }
        Ok(())
    }

    fn intake(&self) -> &Intake {
        &self.work.intake
    }
}

fn note(id: u128, stored: u64) -> Bytes {
    let mut out = id.to_le_bytes().to_vec();
    put_varint(&mut out, stored);
    out.into()
}

/// The id and the number that a note holds.
pub(super) fn noted(note: Bytes) -> Option<(u128, u64)> {
    let mut reader = Reader::new(note);
    let id = reader.take(16, "id").ok()?;
    Some((u128::from_le_bytes(id[..].try_into().ok()?), reader.varint("number").ok()?))
}

/// Channels of a server at work.
struct Channels {
    subscribe: &'static str,
    names: Vec<String>,
    work: Work,
}

impl Channels {
    /// Waits until something came, and asks whether the server is there where nothing does.
    async fn heard(&mut self, link: &mut Link) -> Result<bool, Fault> {
        for asked in [false, true] {
            let filled = tokio::select! {
                filled = timeout(SILENCE, link.0.fill_buf()) => filled,
                _ = self.work.stop.wait_for(|stop| *stop) => return Ok(false),
            };
            match filled {
                Ok(Ok([])) => return Err(Fault::new("connection", "it has closed the connection")),
                Ok(Ok(_)) => return Ok(true),
                Ok(Err(error)) => return Err(Fault::new("connection", error)),
                Err(_) if asked => break,
                Err(_) => link.send(&resp::command(&[b"PING"])).await?,
            }
        }
        Err(Fault::new("connection", "no answer in time"))
    }
}

impl Sessions for Channels {
    async fn session(&mut self, worked: &mut bool) -> Result<(), Fault> {
        let Some(mut link) = self.work.link().await? else { return Ok(()) };
        let words: Vec<&[u8]> = [self.subscribe]
            .into_iter()
            .chain(self.names.iter().map(String::as_str))
            .map(str::as_bytes)
            .collect();
        link.send(&resp::command(&words)).await?;
        *worked = true;
        while self.heard(&mut link).await? {
            while !link.0.buffer().is_empty() && self.work.gather.weight() < BATCH_BYTES {
                let Reply::List(said) = link.answer().await? else { continue };
                // [message, CHANNEL, EVENT] or [pmessage, PATTERN, CHANNEL, EVENT].
                if let [Reply::Value(kind), .., Reply::Value(channel), Reply::Value(event)] = &said[..]
                    && matches!(&kind[..], b"message" | b"pmessage")
                {
                    self.work.read(&String::from_utf8_lossy(channel), event);
                }
            }
            self.work.store(None).await?;
        }
        Ok(())
    }

    fn intake(&self) -> &Intake {
        &self.work.intake
    }
}
