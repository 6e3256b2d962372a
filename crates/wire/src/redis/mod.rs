//! Lists and channels of Redis, as input and output: see README.md. Knows nothing of the store or of other protocols.

mod input;
mod output;
pub(crate) mod resp;
mod server;
#[cfg(test)]
mod tests;

use sawlog_pipeline::{ConfigError, Opt, OptKind, Options, Protocol, opt, options};

use crate::shared::{formatter, tls};

/// The protocol.
pub const PROTOCOL: Protocol = Protocol {
    name: "redis",
    summary: "Lists and channels of Redis: Logstash's events in them, as Beaver puts them there, or rows to put there.",
    options: options![OWN, tls::CLIENT, formatter::OPTIONS],
    input: Some(input::make),
    output: Some(output::make),
    ..Protocol::EMPTY
};

const OWN: &[Opt] = &[
    opt(
        "to",
        OptKind::List,
        "redis://127.0.0.1:6379/0",
        "Servers; an output uses them in turns: redis://[[USER]:PASSWORD@]HOST[:PORT][/DB], with TLS rediss://.",
    ),
    opt("key", OptKind::List, "sawlog", "Lists or channels that each event goes to, or is taken from."),
    opt("data_type", OptKind::Text, "list", "`list`, `channel`, or, of inputs, `pattern` of channels."),
    opt(
        "tag",
        OptKind::Text,
        "logstash",
        "Input: tag of the rows; `${key}` is the list's or channel's name.",
    ),
    opt("local_time", OptKind::Text, "", "Input: zone of senders that write local time and label it Z."),
    opt("message_length_limit", OptKind::Bytes, "2MiB", "Input: longest event that is read as JSON."),
    opt("reconnect", OptKind::Duration, "30s", "Input: longest wait before connecting again."),
    opt("credential", OptKind::Text, "", "Input: token of the tenant that all senders act for."),
    opt("connect_timeout", OptKind::Duration, "10s", "How long connecting may take."),
    opt("send_timeout", OptKind::Duration, "60s", "Output: how long sending and the answers may take."),
];

/// The servers, and the lists or channels.
///
/// # Errors
/// [`ConfigError`] where there is none of either.
fn names(options: &Options) -> Result<(Vec<String>, Vec<String>), ConfigError> {
    let given = |name: &str| -> Vec<String> {
        options.list(name).iter().filter(|text| !text.is_empty()).cloned().collect()
    };
    let (to, keys) = (given("to"), given("key"));
    if keys.is_empty() || to.is_empty() {
        return Err(ConfigError("`to` and `key` must name a server and a list or channel".to_owned()));
    }
    Ok((to, keys))
}
