//! Encodings that several protocols share. Knows nothing of any one of them.

pub mod budget;
pub(crate) mod bulk;
pub mod chunks;
pub mod cut;
pub(crate) mod dial;
pub mod door;
pub mod events;
pub mod formatter;
pub mod gather;
pub mod held;
pub(crate) mod hmac;
pub(crate) mod http_client;
pub mod inflate;
pub(crate) mod lane;
pub mod lines;
pub mod logstash;
pub mod messages;
pub mod msgpack;
pub mod placeholders;
pub mod record;
pub mod ruby_regex;
pub(crate) mod s3;
pub mod sources;
pub mod stream;
pub mod strftime;
pub mod tls;
pub(crate) mod web;
#[cfg(test)]
pub(crate) mod web_server;
pub(crate) mod window;
pub mod worker;
pub mod zmtp;
