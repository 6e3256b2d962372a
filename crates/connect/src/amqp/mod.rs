//! AMQP 0-9-1, as RabbitMQ speaks it: a queue of Logstash's events as input, an exchange as output: see README.md. Knows
//! nothing of the store or of other protocols.

mod address;
mod client;
mod input;
mod marks;
mod output;
mod topology;
mod transport;

#[cfg(test)]
mod tests;

use sawlog_pipeline::{Opt, OptKind, Protocol, opt, options};
use sawlog_wire::shared::{formatter, tls};

/// The protocol.
pub const PROTOCOL: Protocol = Protocol {
    name: "amqp",
    summary: "RabbitMQ: a queue bound to an exchange, as logcollect and python-logstash publish to; or an exchange to publish to.",
    options: options![OWN, tls::CLIENT, formatter::OPTIONS],
    input: Some(input::make),
    output: Some(output::make),
    ..Protocol::EMPTY
};

const OWN: &[Opt] = &[
    opt(
        "uri",
        OptKind::Text,
        "amqp://guest:guest@127.0.0.1:5672/",
        "The broker: amqp:// or amqps://USER:PASSWORD@HOST:PORT/VHOST.",
    ),
    opt("exchange", OptKind::Text, "logstash", "The exchange."),
    opt("exchange_type", OptKind::Text, "topic", "`topic`, `fanout`, `direct` or `headers`."),
    opt("exchange_durable", OptKind::Bool, "false", "Declare the exchange durable."),
    opt(
        "exchange_auto_delete",
        OptKind::Bool,
        "false",
        "Declare that the exchange goes with its last queue.",
    ),
    opt(
        "declare",
        OptKind::Bool,
        "true",
        "Declare exchange and queue; what is there already is used as it is.",
    ),
    opt("heartbeat", OptKind::Duration, "60s", "A broker that is silent for so long is gone."),
    opt("queue", OptKind::Text, "logstash", "Input: the queue."),
    opt(
        "routing_keys",
        OptKind::List,
        "logstash.#",
        "Input: what the queue is bound to; it is unbound from what stood here before.",
    ),
    opt("durable", OptKind::Bool, "false", "Declare the queue durable."),
    opt("exclusive", OptKind::Bool, "false", "Input: be the only consumer of the queue."),
    opt("prefetch", OptKind::Number, "1000", "Input: most messages that are not acknowledged."),
    opt("tag", OptKind::Text, "logstash", "Input: tag of the rows; `${routing_key}` is the message's."),
    opt(
        "local_time",
        OptKind::Text,
        "",
        "Input: zone of senders that write local time and label it Z, as logcollect does.",
    ),
    opt("message_length_limit", OptKind::Bytes, "2MiB", "Input: longest body that is read as JSON."),
    opt(
        "malformed",
        OptKind::Text,
        "keep",
        "Input: what is no JSON object is a row as it came (`keep`), or goes to the queue's dead letters (`reject`).",
    ),
    opt("buffer", OptKind::Bytes, "64MiB", "Input: memory for messages that are not on stable storage yet."),
    opt("reconnect", OptKind::Duration, "30s", "Longest wait before connecting again."),
    opt("credential", OptKind::Text, "", "Input: token of the tenant that all senders act for."),
    opt(
        "bind_queue",
        OptKind::Text,
        "",
        "Output: a queue that is declared and bound by the routing key, so that messages wait in it; empty: none.",
    ),
    opt("routing_key", OptKind::Text, "${tag}", "Output: routing key; `${tag}` is the row's tag."),
    opt(
        "persistent",
        OptKind::Bool,
        "true",
        "Output: messages outlive a restart of the broker in durable queues.",
    ),
    opt(
        "mandatory",
        OptKind::Bool,
        "false",
        "Output: wait where no queue is bound, instead of losing the message.",
    ),
];
