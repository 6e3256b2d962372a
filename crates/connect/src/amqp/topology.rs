//! Exchange, queue and bindings, as the options want them. What is there already and made otherwise is used as it is: a
//! broker refuses to change it. Knows nothing of messages.

use std::collections::BTreeSet;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ExchangeKind};
use sawlog_pipeline::{ConfigError, Options};

/// The exchange.
#[derive(Clone)]
pub(super) struct Exchange {
    pub name: String,
    kind: ExchangeKind,
    durable: bool,
    auto_delete: bool,
    declare: bool,
}

/// A short text of AMQP.
///
/// # Errors
/// [`ConfigError`] where it is longer than 255 bytes.
pub(super) fn short(name: &str, text: &str) -> Result<String, ConfigError> {
    if text.len() > 255 {
        return Err(ConfigError(format!("`{name}`: AMQP allows at most 255 bytes")));
    }
    Ok(text.to_owned())
}

impl Exchange {
    /// What the options say.
    ///
    /// # Errors
    /// [`ConfigError`] where they cannot be.
    pub fn read(options: &Options) -> Result<Self, ConfigError> {
        let kind = match options.text("exchange_type") {
            "topic" | "" => ExchangeKind::Topic,
            "fanout" => ExchangeKind::Fanout,
            "direct" => ExchangeKind::Direct,
            "headers" => ExchangeKind::Headers,
            other => ExchangeKind::Custom(other.to_owned()),
        };
        Ok(Exchange {
            name: short("exchange", options.text("exchange"))?,
            kind,
            durable: options.flag("exchange_durable"),
            auto_delete: options.flag("exchange_auto_delete"),
            declare: options.flag("declare"),
        })
    }

    /// Sees to it that the exchange is there; gives a channel that is open.
    pub async fn declare(&self, connection: &Connection) -> lapin::Result<Channel> {
        let channel = connection.create_channel().await?;
        // The nameless one and those of the broker itself cannot be declared.
        if !self.declare || self.name.is_empty() || self.name.starts_with("amq.") {
            return Ok(channel);
        }
        let given = ExchangeDeclareOptions {
            durable: self.durable,
            auto_delete: self.auto_delete,
            ..ExchangeDeclareOptions::default()
        };
        let declared = self.ask(&channel, given).await;
        if !is_refused(&declared) {
            return declared.map(|()| channel);
        }
        let channel = connection.create_channel().await?;
        let passive = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        self.ask(&channel, passive).await.map(|()| channel)
    }

    async fn ask(&self, channel: &Channel, options: ExchangeDeclareOptions) -> lapin::Result<()> {
        let name = self.name.as_str().into();
        channel.exchange_declare(name, self.kind.clone(), options, FieldTable::default()).await
    }
}

/// Whether the broker has refused it and closed the channel (it is there and made otherwise, or may not be made by this user).
fn is_refused<T>(declared: &lapin::Result<T>) -> bool {
    declared.as_ref().is_err_and(lapin::Error::is_amqp_soft_error)
}

/// The queue.
pub(super) struct Queue {
    pub name: String,
    durable: bool,
    declare: bool,
    /// Exchanges and routing keys.
    pub bindings: BTreeSet<(String, String)>,
}

impl Queue {
    /// What the options say.
    ///
    /// # Errors
    /// [`ConfigError`] where they cannot be.
    pub fn read(options: &Options, exchange: &Exchange) -> Result<Self, ConfigError> {
        let name = short("queue", options.text("queue"))?;
        if name.is_empty() {
            return Err(ConfigError("`queue`: name the queue, so that it is found again".to_owned()));
        }
        let mut bindings = BTreeSet::new();
        // ALCO writes several into one text.
        let keys = options.list("routing_keys").iter().flat_map(|keys| keys.split(',')).map(str::trim);
        for key in keys.filter(|key| !key.is_empty()) {
            bindings.insert((exchange.name.clone(), short("routing_keys", key)?));
        }
        if exchange.name.is_empty() {
            // Every queue hangs on the nameless exchange by its own name.
            bindings.clear();
        }
        Ok(Queue { name, durable: options.flag("durable"), declare: options.flag("declare"), bindings })
    }

    /// The queue in which an output's messages wait, where one is configured.
    ///
    /// # Errors
    /// As [`Queue::read`].
    pub fn bound(options: &Options) -> Result<Option<Self>, ConfigError> {
        let name = short("bind_queue", options.text("bind_queue"))?;
        if name.is_empty() {
            return Ok(None);
        }
        let exchange = short("exchange", options.text("exchange"))?;
        let bindings = BTreeSet::from([(exchange, short("routing_key", options.text("routing_key"))?)]);
        Ok(Some(Queue { name, durable: options.flag("durable"), declare: options.flag("declare"), bindings }))
    }

    /// Sees to it that the queue is there; gives a channel that is open.
    pub async fn declare(&self, connection: &Connection, channel: Channel) -> lapin::Result<Channel> {
        if self.declare {
            let given = QueueDeclareOptions { durable: self.durable, ..QueueDeclareOptions::default() };
            let declared =
                channel.queue_declare(self.name.as_str().into(), given, FieldTable::default()).await;
            if !is_refused(&declared) {
                return declared.map(|_| channel);
            }
        }
        let channel =
            if channel.status().connected() { channel } else { connection.create_channel().await? };
        self.look(&channel).await.map(|_| channel)
    }

    /// The queue as the broker has it: how many messages wait, and how many consumers there are. The broker answers after it
    /// has done what it was asked for over this channel before.
    pub fn look(&self, channel: &Channel) -> impl Future<Output = lapin::Result<lapin::Queue>> + use<> {
        let (channel, name) = (channel.clone(), self.name.clone());
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        async move { channel.queue_declare(name.as_str().into(), passive, FieldTable::default()).await }
    }

    /// Binds the queue to what is configured, and unbinds it from what was bound `before` and is not.
    pub async fn bind(&self, channel: &Channel, before: &BTreeSet<(String, String)>) -> lapin::Result<()> {
        let name = || self.name.as_str().into();
        for (exchange, key) in &self.bindings {
            let (exchange, key) = (exchange.as_str().into(), key.as_str().into());
            channel
                .queue_bind(name(), exchange, key, QueueBindOptions::default(), FieldTable::default())
                .await?;
        }
        for (exchange, key) in before.difference(&self.bindings) {
            let (exchange, key) = (exchange.as_str().into(), key.as_str().into());
            channel.queue_unbind(name(), exchange, key, FieldTable::default()).await?;
        }
        Ok(())
    }
}
