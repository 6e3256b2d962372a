//! The publisher: each row is a message, and a batch counts as handed on when the broker has confirmed all of them. Knows
//! nothing of where rows come from.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, Connection};
use sawlog_model::{Batch, Fields, RowRef};
use sawlog_pipeline::{ConfigError, Env, Options, Output, OutputError};
use sawlog_sys::task::Stop;
use sawlog_wire::shared::formatter::Formatter;
use sawlog_wire::shared::held::{AtOnce, HandOn};
use sawlog_wire::shared::record;
use sawlog_wire::shared::tls::Connector;
use tokio::time::timeout;

use super::client::Client;
use super::topology::{Exchange, Queue, short};
use super::transport::Gate;

/// Messages that are published before their confirmations are waited for.
const AT_ONCE: usize = 500;

/// How long the broker may take to confirm them.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a broker may say before it is heard: confirmations are small.
const GATE: usize = 8 << 20;

/// Stands in a routing key for the tag.
const TAG: &str = "${tag}";

struct AmqpOutput {
    publisher: Arc<Publisher>,
    routing_key: String,
    formatter: Formatter,
    persistent: bool,
    /// Messages of a batch that the broker has, while the rest of it waits to be tried again.
    done: Mutex<(u128, usize)>,
    runtime: tokio::runtime::Handle,
    stop: Stop,
}

/// Makes an output from its options.
///
/// # Errors
/// [`ConfigError`] where they cannot be.
pub(super) fn make(options: &Options, env: &Env) -> Result<Box<dyn Output>, ConfigError> {
    let client = Client::read(options)?;
    let tls = client.connector(env).map_err(ConfigError)?;
    let publisher = Publisher {
        client,
        tls,
        queue: Queue::bound(options)?,
        exchange: Exchange::read(options)?,
        mandatory: options.flag("mandatory"),
        open: tokio::sync::Mutex::new(None),
    };
    let output = AmqpOutput {
        publisher: Arc::new(publisher),
        routing_key: short("routing_key", options.text("routing_key"))?,
        formatter: Formatter::new(options, "json", env.limits)?,
        persistent: options.flag("persistent"),
        done: Mutex::default(),
        runtime: env.runtime.clone(),
        stop: env.stop.clone(),
    };
    Ok(Box::new(AtOnce::new(&env.name, output)))
}

/// A message.
struct Message {
    key: String,
    body: Vec<u8>,
    properties: BasicProperties,
}

/// A connection that is made when it is needed.
struct Publisher {
    client: Client,
    tls: Option<Connector>,
    exchange: Exchange,
    mandatory: bool,
    /// A queue in which messages wait.
    queue: Option<Queue>,
    open: tokio::sync::Mutex<Option<(Connection, Channel)>>,
}

impl Publisher {
    /// Publishes messages; gives how many of them, from the first one on, the broker has confirmed.
    async fn publish(&self, messages: Vec<Message>) -> (usize, Result<(), String>) {
        let mut open = self.open.lock().await;
        let mut confirmed = 0;
        let published = self.try_publish(&mut open, messages, &mut confirmed).await;
        if published.is_err() {
            *open = None;
        }
        (confirmed, published)
    }

    async fn try_publish(
        &self,
        open: &mut Option<(Connection, Channel)>,
        messages: Vec<Message>,
        confirmed: &mut usize,
    ) -> Result<(), String> {
        let told = |error: lapin::Error| format!("{}: {error}", self.client.address);
        if open.as_ref().is_none_or(|(_, channel)| !channel.status().connected()) {
            let connection = self.client.connect(self.tls.as_ref(), &Gate::new(GATE), "sawlog").await?;
            let mut channel = self.exchange.declare(&connection).await.map_err(told)?;
            if let Some(queue) = &self.queue {
                channel = queue.declare(&connection, channel).await.map_err(told)?;
                queue.bind(&channel, &BTreeSet::new()).await.map_err(told)?;
            }
            channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(told)?;
            *open = Some((connection, channel));
        }
        let Some((_, channel)) = open else { return Ok(()) };
        let mut under_way = Vec::with_capacity(messages.len());
        for message in messages {
            let (exchange, key) = (self.exchange.name.as_str().into(), message.key.as_str().into());
            let options = BasicPublishOptions { mandatory: self.mandatory, ..BasicPublishOptions::default() };
            let sent = channel.basic_publish(exchange, key, options, &message.body, message.properties).await;
            under_way.push(sent.map_err(told)?);
        }
        for confirmation in under_way {
            match timeout(PATIENCE, confirmation).await {
                Ok(Ok(Confirmation::Ack(None) | Confirmation::NotRequested)) => *confirmed += 1,
                Ok(Ok(Confirmation::Ack(Some(_)))) => {
                    return Err(format!("{}: no queue is bound for the message", self.client.address));
                }
                Ok(Ok(Confirmation::Nack(_))) => {
                    return Err(format!("{}: the broker could not keep a message", self.client.address));
                }
                Ok(Err(error)) => return Err(told(error)),
                Err(_) => return Err(format!("{}: no confirmation for {PATIENCE:?}", self.client.address)),
            }
        }
        Ok(())
    }
}

impl AmqpOutput {
    fn message(&self, row: RowRef<'_>, tag: &str) -> Result<Message, OutputError> {
        let mut body = Vec::new();
        self.formatter.write(row, tag, &mut body);
        body.truncate(body.trim_ascii_end().len());
        let key = self.routing_key.replace(TAG, tag);
        if key.len() > 255 {
            return Err(OutputError::Refused(format!("the routing key `{key}` is longer than 255 bytes")));
        }
        let address = row.address();
        let id = format!("{:032x}-{}-{}", address.source.0, address.epoch, address.offset);
        let seconds = u64::try_from(row.time().div_euclid(1_000_000_000)).unwrap_or(0);
        let properties = BasicProperties::default()
            .with_content_type(self.formatter.content_type().into())
            .with_delivery_mode(if self.persistent { 2 } else { 1 })
            .with_message_id(id.into())
            .with_timestamp(seconds);
        Ok(Message { key, body, properties })
    }

    /// Publishes, from a thread of the pipeline.
    fn send(&self, messages: Vec<Message>) -> (usize, Result<(), String>) {
        let publisher = self.publisher.clone();
        let (tell, told) = mpsc::channel();
        self.runtime.spawn(async move {
            // Where nobody waits any more the answer is nobody's.
            let _ = tell.send(publisher.publish(messages).await);
        });
        loop {
            match told.recv_timeout(Duration::from_millis(200)) {
                Ok(published) => return published,
                Err(mpsc::RecvTimeoutError::Timeout) if !self.stop.requested() => {}
                Err(_) => return (0, Err("no confirmation before the end".to_owned())),
            }
        }
    }
}

/// What tells a batch from another one.
fn mark(batch: &Batch) -> u128 {
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    hash.update(&batch.source.id.0.to_le_bytes());
    hash.update(&batch.epoch.to_le_bytes());
    batch.rows.iter().for_each(|row| hash.update(&row.offset.to_le_bytes()));
    hash.digest128()
}

impl HandOn for AmqpOutput {
    fn hand_on(&self, batch: &Batch) -> Result<(), OutputError> {
        let mark = mark(batch);
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        if done.0 != mark {
            *done = (mark, 0);
        }
        let tag = record::tag(batch);
        let mut refused = None;
        while done.1 < batch.rows.len() {
            let rows = (done.1..batch.rows.len().min(done.1 + AT_ONCE)).map(|index| batch.row(index));
            let made: Vec<_> = rows.map(|row| self.message(row, &tag)).collect();
            let count = made.len();
            let (good, bad): (Vec<_>, Vec<_>) = made.into_iter().partition(Result::is_ok);
            refused = bad.into_iter().find_map(Result::err).or(refused);
            let few = good.len() < count;
            let (confirmed, published) = self.send(good.into_iter().flatten().collect());
            match published {
                Ok(()) => done.1 += count,
                Err(words) => {
                    // Where some are left out, what is confirmed cannot be told by its number.
                    done.1 += if few { 0 } else { confirmed };
                    return Err(OutputError::Later(words));
                }
            }
        }
        *done = (0, 0);
        refused.map_or(Ok(()), Err)
    }
}
