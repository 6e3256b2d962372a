//! The consumer: takes messages as they come, makes them durable together, then acknowledges them together. Knows nothing
//! of what is in a message.

use std::collections::VecDeque;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, BasicRejectOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, Consumer};
use sawlog_model::{Right, Tenant};
use sawlog_pipeline::{ConfigError, Env, Input, Intake, Note, Options, Running};
use sawlog_wire::shared::door;
use sawlog_wire::shared::gather::Gather;
use sawlog_wire::shared::messages::{Body, Reading, Settings};
use sawlog_wire::shared::sources::Sources;
use sawlog_wire::shared::tls::Connector;
use sawlog_wire::shared::worker::{SHORTEST, Sessions, Stopped, Workers};
use tokio::task::JoinHandle;

use super::client::{self, Client};
use super::marks::{Digest, Kept};
use super::topology::{Exchange, Queue};
use super::transport::Gate;

/// A batch is closed when it has so many bytes of bodies.
const BATCH_BYTES: usize = 4 << 20;

/// How long the broker may take to answer at the end.
const SETTLING: Duration = Duration::from_secs(2);

/// How long what was read may take to become a message before more is read.
const PARSING: Duration = Duration::from_millis(10);

struct AmqpInput {
    client: Client,
    exchange: Exchange,
    queue: Queue,
    settings: Settings,
    prefetch: u16,
    exclusive: bool,
    longest_wait: Duration,
    buffer: usize,
    credential: String,
}

/// Makes an input from its options.
///
/// # Errors
/// [`ConfigError`] where they cannot be.
pub(super) fn make(options: &Options) -> Result<Box<dyn Input>, ConfigError> {
    let exchange = Exchange::read(options)?;
    Ok(Box::new(AmqpInput {
        client: Client::read(options)?,
        queue: Queue::read(options, &exchange)?,
        exchange,
        settings: Settings::read(options, "${routing_key}")?.rejecting(rejects(options)?),
        prefetch: options.number("prefetch").clamp(1, u64::from(u16::MAX)) as u16,
        exclusive: options.flag("exclusive"),
        longest_wait: options.duration("reconnect").max(SHORTEST),
        buffer: options.bytes("buffer"),
        credential: options.text("credential").to_owned(),
    }))
}

/// Whether what is no event is given back to the broker, for the queue's dead letters.
fn rejects(options: &Options) -> Result<bool, ConfigError> {
    match options.text("malformed") {
        "keep" | "" => Ok(false),
        "reject" => Ok(true),
        other => Err(ConfigError(format!("`malformed = {other}`: there are keep and reject"))),
    }
}

impl Input for AmqpInput {
    fn start(self: Box<Self>, intake: Intake, env: Env) -> Result<Running, String> {
        let admitted = env.access.admit(self.credential.as_bytes(), Right::Ingest);
        let tenant = admitted.map_err(|_| "its `credential` may not send to any tenant".to_owned())?;
        let tls = self.client.connector(&env)?;
        let (workers, longest_wait) = (Workers::new(&env.runtime), self.longest_wait);
        let sources = Sources::new(intake.known_sources(), "amqp", env.sys.random.clone()).of(tenant);
        let name = format!("amqp:{}/{}", self.client.address, self.queue.name);
        let consumer = Consuming {
            reading: Reading::new("amqp", self.settings.clone(), sources, env.limits),
            kept: Kept::read(intake.note(&name)),
            noted: 0,
            gate: Gate::new(self.buffer),
            stop: workers.stopped(),
            input: *self,
            name,
            tls,
            tenant,
            intake,
            env: env.clone(),
        };
        workers.start(consumer, longest_wait);
        Ok(workers.running())
    }
}

/// Why a connection ended: a fixed word for counters, and words.
struct Fault(&'static str, String);

impl From<lapin::Error> for Fault {
    fn from(error: lapin::Error) -> Self {
        Fault("connection", error.to_string())
    }
}

/// An input at work.
struct Consuming {
    input: AmqpInput,
    name: String,
    tls: Option<Connector>,
    tenant: Tenant,
    intake: Intake,
    env: Env,
    reading: Reading,
    kept: Kept,
    /// Marks in the last note that was written.
    noted: usize,
    gate: Gate,
    stop: Stopped,
}

impl Sessions for Consuming {
    async fn session(&mut self, worked: &mut bool) -> Result<(), door::Fault> {
        self.gate.open();
        let mut stop = self.stop.clone();
        let connected = tokio::select! {
            connected = self.input.client.connect(self.tls.as_ref(), &self.gate, "sawlog") => connected,
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        };
        let connection = connected.map_err(|words| door::Fault("connection", words))?;
        let ended = self.consume(&connection, worked).await;
        self.gate.open();
        client::close(&connection).await;
        ended.map_err(|Fault(reason, words)| door::Fault(reason, words))
    }

    fn intake(&self) -> &Intake {
        &self.intake
    }
}

impl Consuming {
    async fn consume(&mut self, connection: &Connection, worked: &mut bool) -> Result<(), Fault> {
        let queue = &self.input.queue;
        let channel = self.input.exchange.declare(connection).await?;
        let channel = queue.declare(connection, channel).await?;
        queue.bind(&channel, &self.kept.bindings).await?;
        if self.kept.bindings != queue.bindings {
            self.kept.bindings.clone_from(&queue.bindings);
            self.write_note().await?;
        }
        channel.basic_qos(self.input.prefetch, BasicQosOptions::default()).await?;
        let options =
            BasicConsumeOptions { exclusive: self.input.exclusive, ..BasicConsumeOptions::default() };
        let queue_name = self.input.queue.name.as_str().into();
        self.kept.connected();
        let mut consumer =
            channel.basic_consume(queue_name, "".into(), options, FieldTable::default()).await?;
        *worked = true;
        let mut asked = VecDeque::new();
        let ended = self.work(&channel, &mut consumer, &mut asked).await;
        if ended.is_ok() {
            // What is told within this time need not be recognised at the next start.
            let _ = tokio::time::timeout(SETTLING, self.settle_all(&mut asked)).await;
        }
        ended
    }

    /// Takes messages until the node stops. What the broker was `asked` and has not answered stays there.
    async fn work(
        &mut self,
        channel: &Channel,
        consumer: &mut Consumer,
        asked: &mut VecDeque<Asked>,
    ) -> Result<(), Fault> {
        let mut stop = self.stop.clone();
        let mut first = None;
        loop {
            let delivery = match first.take() {
                Some(delivery) => delivery,
                None => match self.event(consumer, asked, &mut stop).await {
                    Event::Stopped => return Ok(()),
                    Event::Delivery(delivery) => *delivery,
                    Event::Answer(queue) => {
                        let queue = self.settled(queue, asked)?;
                        first = consumer.next().now_or_never().map(ended);
                        if first.is_none() && asked.is_empty() {
                            self.rest(&queue).await?;
                        }
                        continue;
                    }
                },
            };
            let batch = self.fill(delivery?, consumer)?;
            let digests = self.take(batch, channel).await?;
            // It is not waited for: the answer may stand behind many large messages.
            let looking = self.input.queue.look(channel);
            asked.push_back(Asked { answer: tokio::spawn(looking), digests });
            if *stop.borrow() {
                return Ok(());
            }
        }
    }

    async fn event(&self, consumer: &mut Consumer, asked: &mut VecDeque<Asked>, stop: &mut Stopped) -> Event {
        tokio::select! {
            delivery = next(consumer, &self.gate) => Event::Delivery(Box::new(delivery)),
            queue = answer(asked) => Event::Answer(queue),
            _ = stop.wait_for(|stop| *stop) => Event::Stopped,
        }
    }

    /// The broker has answered what was asked first: it has the acknowledgements before that.
    fn settled(
        &mut self,
        queue: lapin::Result<lapin::Queue>,
        asked: &mut VecDeque<Asked>,
    ) -> Result<lapin::Queue, Fault> {
        let queue = queue?;
        if let Some(asked) = asked.pop_front() {
            self.kept.acknowledged(&asked.digests);
        }
        Ok(queue)
    }

    async fn settle_all(&mut self, asked: &mut VecDeque<Asked>) -> Result<(), Fault> {
        while !asked.is_empty() {
            self.gate.open();
            let queue = answer(asked).await;
            self.settled(queue, asked)?;
        }
        if self.noted > self.kept.len() { self.write_note().await } else { Ok(()) }
    }

    /// A message and those that have come behind it.
    fn fill(&self, first: Delivery, consumer: &mut Consumer) -> Result<Vec<Delivery>, Fault> {
        let mut bytes = first.data.len();
        let mut batch = vec![first];
        while batch.len() < usize::from(self.input.prefetch) && bytes < BATCH_BYTES {
            let Some(delivery) = consumer.next().now_or_never() else { break };
            let delivery = ended(delivery)?;
            bytes += delivery.data.len();
            batch.push(delivery);
        }
        Ok(batch)
    }

    /// Makes messages durable and acknowledges them; gives what is marked of them.
    async fn take(&mut self, batch: Vec<Delivery>, channel: &Channel) -> Result<Vec<Digest>, Fault> {
        let mut gather = Gather::default();
        let (mut new, mut again, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        let (mut last, mut malformed) = (None, 0);
        let received = self.env.sys.clock.now();
        for message in &batch {
            let digest = Digest::of(message);
            if message.redelivered && self.kept.was_stored(digest) {
                again.push(digest);
                last = Some(message.delivery_tag);
                continue;
            }
            let body = self.reading.read(message.routing_key.as_str(), &message.data, received, &mut gather);
            malformed += u64::from(body != Body::Events);
            if body == Body::Refused {
                refused.push(message.delivery_tag);
            } else {
                new.push(digest);
                last = Some(message.delivery_tag);
            }
        }
        drop(batch);
        if malformed > 0 {
            let what = if refused.is_empty() { "kept as they came" } else { "given back as dead letters" };
            let words = format!("messages that are no JSON object, or too long, were {what}");
            self.intake.count_errors("malformed", malformed, &words);
        }
        if !new.is_empty() {
            let note = Note { name: self.name.clone(), state: self.kept.note(&new) };
            let stored = self.intake.submit_noted(gather.take(self.tenant), note).await;
            stored.map_err(|error| Fault("delivery", error.to_string()))?;
            self.kept.stored(&new);
            self.noted = self.kept.len();
        }
        for tag in refused {
            channel.basic_reject(tag, BasicRejectOptions { requeue: false }).await?;
        }
        if let Some(tag) = last {
            channel.basic_ack(tag, BasicAckOptions { multiple: true }).await?;
        }
        new.extend(again);
        Ok(new)
    }

    /// Nothing more has come by now: what is known to be over is written down, so that it is not taken for a message that
    /// is the same by chance and comes in hours.
    async fn rest(&mut self, queue: &lapin::Queue) -> Result<(), Fault> {
        if queue.message_count() == 0 && queue.consumer_count() == 1 {
            // What was given back when a connection broke has come again, or would be waiting.
            self.kept.forget_marks();
        }
        if self.noted > self.kept.len() { self.write_note().await } else { Ok(()) }
    }

    async fn write_note(&mut self) -> Result<(), Fault> {
        let note = Note { name: self.name.clone(), state: self.kept.note(&[]) };
        let written = self.intake.submit_noted(Vec::new(), note).await;
        self.noted = self.kept.len();
        written.map_err(|error| Fault("delivery", error.to_string()))
    }
}

/// What happens while nothing is at hand.
enum Event {
    Delivery(Box<Result<Delivery, Fault>>),
    Answer(lapin::Result<lapin::Queue>),
    Stopped,
}

/// What the broker was asked after messages were acknowledged.
struct Asked {
    answer: JoinHandle<lapin::Result<lapin::Queue>>,
    digests: Vec<Digest>,
}

/// The broker's answer to what it was asked first.
async fn answer(asked: &mut VecDeque<Asked>) -> lapin::Result<lapin::Queue> {
    let Some(first) = asked.front_mut() else { return std::future::pending().await };
    let answered = (&mut first.answer).await;
    answered.unwrap_or_else(|error| Err(std::io::Error::other(error).into()))
}

/// The next message, whenever it comes.
async fn next(consumer: &mut Consumer, gate: &Gate) -> Result<Delivery, Fault> {
    if let Some(delivery) = consumer.next().now_or_never() {
        return ended(delivery);
    }
    gate.open();
    loop {
        tokio::select! {
            biased;
            delivery = consumer.next() => return ended(delivery),
            () = gate.closed() => {
                if let Ok(delivery) = tokio::time::timeout(PARSING, consumer.next()).await {
                    return ended(delivery);
                }
                // It is the beginning of a message that is longer than that.
                gate.open();
            }
        }
    }
}

/// What a consumer gives; it ends when the queue or the connection does.
fn ended(delivery: Option<lapin::Result<Delivery>>) -> Result<Delivery, Fault> {
    let gone = || Fault("connection", "the broker has ended the consumer: is the queue deleted?".to_owned());
    delivery.ok_or_else(gone)?.map_err(Fault::from)
}
