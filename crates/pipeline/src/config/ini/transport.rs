//! Beaver's ways out: what its keys and formats mean as outputs of ours. Knows nothing of files.

use super::section;
use crate::config::{ElementReader, Known, Section, suggestion};

/// Ways out that there are.
const HERE: &[&str] = &["stdout", "tcp", "udp", "redis", "http", "rabbitmq"];
/// Ways out that it had and that there are not here.
const OTHER: &[&str] = &["zmq", "kafka", "mqtt", "stomp", "sns", "sqs", "kinesis"];
/// Global keys that ways out had, and a tunnel.
const PREFIXES: &[&str] = &[
    "tcp_",
    "udp_",
    "redis_",
    "rabbitmq_",
    "zeromq_",
    "kafka_",
    "mqtt_",
    "stomp_",
    "sns_",
    "sqs_",
    "kinesis_",
    "http_",
    "ssh_",
];
/// Formats that it had.
const FORMATS: &[&str] = &["json", "rawjson", "raw", "string", "msgpack", "gelf"];
/// Where it put events in Redis.
const NAMESPACE: &str = "logstash:beaver";

/// Whether a global key is of another way out than `transport`, and says nothing.
pub(super) fn is_of_another(key: &str, transport: &str) -> bool {
    let own = format!("{transport}_");
    PREFIXES.iter().any(|prefix| key.starts_with(prefix) && *prefix != own)
}

/// Whether there is such a format; else what to do.
pub(super) fn check_format(format: &str) -> Result<(), String> {
    let unknown = || format!("there is no format `{format}`{}", suggestion(format, FORMATS.iter().copied()));
    FORMATS.contains(&format).then_some(()).ok_or_else(unknown)
}

type Given = Vec<(&'static str, Vec<String>)>;

/// A way out.
pub(super) struct Transport {
    kind: &'static str,
    given: Given,
    /// Version of Logstash's events.
    version: String,
    line: usize,
}

impl Transport {
    /// Reads the keys of the way out that `[beaver]` chooses.
    pub fn read(reader: &mut ElementReader<'_>, line: usize) -> Result<Transport, String> {
        let version = reader.text("logstash_version").unwrap_or("1").to_owned();
        if !matches!(version.as_str(), "0" | "1") {
            reader.wrong("logstash_version", &format!("`{version}` is not 0 or 1"));
        }
        let name = reader.text("transport").unwrap_or("stdout").to_owned();
        let file = reader.text("output").map(str::to_owned);
        let (kind, given) = match (name.as_str(), file) {
            ("stdout", None) => ("stdout", Given::new()),
            ("stdout", Some(path)) => ("file", vec![("path", vec![path]), ("append", one("true"))]),
            ("tcp", _) => ("tcp", tcp(reader)),
            ("udp", _) => ("udp", vec![("to", one(&address(reader, "udp_host", "udp_port")))]),
            ("redis", _) => ("redis", redis(reader)),
            ("rabbitmq", _) => ("amqp", rabbitmq(reader)),
            ("http", _) => {
                // One event in each request, as it sent them.
                let url = reader.required("http_url").to_owned();
                ("http", vec![("endpoint", vec![url]), ("buffer.chunk_limit_size", one("1"))])
            }
            (other, _) if OTHER.contains(&other) => {
                return Err(format!(
                    "there is no transport `{other}` yet; there are {}, and an [[output]] of type \"forward\" in a \
                     sawlog.toml",
                    HERE.join(", ")
                ));
            }
            (other, _) => {
                let known = HERE.iter().chain(OTHER).copied();
                return Err(format!("there is no transport `{other}`{}", suggestion(other, known)));
            }
        };
        Ok(Transport { kind, given, version, line })
    }

    /// Whether it puts events under keys.
    pub fn has_keys(&self) -> bool {
        self.kind == "redis"
    }

    /// The output for events in this format, in Redis under these keys instead of those of all.
    pub fn output(&self, known: Known<'_>, format: &str, keys: Option<&[String]>) -> Result<Section, String> {
        let first = self.version == "1";
        let format = match format {
            "raw" => "single_value",
            "string" => "stamped",
            "gelf" => "gelf",
            "msgpack" if first => "logstash_msgpack",
            "msgpack" => "logstash_v0_msgpack",
            _ if first => "logstash",
            _ => "logstash_v0",
        };
        let mut given = self.given.clone();
        given.push(("format.type", one(format)));
        if matches!(self.kind, "udp" | "http") {
            given.push(("format.add_newline", one("false")));
        }
        if let Some(keys) = keys.filter(|_| self.has_keys()) {
            given.retain(|(name, _)| *name != "key");
            given.push(("key", keys.to_vec()));
        }
        section(known, self.kind, given, self.line)
    }
}

fn one(text: &str) -> Vec<String> {
    vec![text.to_owned()]
}

fn address(reader: &mut ElementReader<'_>, host: &'static str, port: &'static str) -> String {
    let host = reader.text(host).filter(|host| !host.is_empty()).unwrap_or("127.0.0.1").to_owned();
    format!("{host}:{}", reader.number(port).unwrap_or(9999))
}

fn is_on(text: Option<&str>) -> bool {
    text.is_some_and(|text| !matches!(text.to_ascii_lowercase().as_str(), "" | "0" | "false" | "no"))
}

fn tcp(reader: &mut ElementReader<'_>) -> Given {
    let mut given = vec![("to", one(&address(reader, "tcp_host", "tcp_port")))];
    let secure = is_on(reader.text("tcp_ssl_enabled"));
    // It never looked at certificates; here it must be asked for.
    let verifies = reader.text("tcp_ssl_verify").is_none_or(|text| is_on(Some(text)));
    let files = [("tcp_ssl_cacert", "tls_ca"), ("tcp_ssl_cert", "tls_cert"), ("tcp_ssl_key", "tls_key")];
    for (theirs, ours) in files {
        let path = reader.text(theirs).filter(|path| !path.is_empty() && secure).map(one);
        given.extend(path.map(|path| (ours, path)));
    }
    if secure {
        given.push(("tls", one("true")));
        given.push(("tls_insecure", one(if verifies { "false" } else { "true" })));
    }
    given
}

fn redis(reader: &mut ElementReader<'_>) -> Given {
    let list = |reader: &mut ElementReader<'_>, key, default: &str| {
        reader.list(key).filter(|values| !values.is_empty()).unwrap_or_else(|| one(default))
    };
    let kind = reader.text("redis_data_type").filter(|kind| !kind.is_empty()).unwrap_or("list").to_owned();
    vec![
        ("to", list(reader, "redis_url", "redis://localhost:6379/0")),
        ("key", list(reader, "redis_namespace", NAMESPACE)),
        ("data_type", vec![kind]),
    ]
}

fn rabbitmq(reader: &mut ElementReader<'_>) -> Given {
    let mut text = |key: &'static str, default: &str| {
        reader.text(key).filter(|text| !text.is_empty()).unwrap_or(default).to_owned()
    };
    let secure = is_on(Some(&text("rabbitmq_ssl", "0")));
    let (user, password) = (text("rabbitmq_username", "guest"), text("rabbitmq_password", "guest"));
    let (host, vhost) = (text("rabbitmq_host", "localhost"), text("rabbitmq_vhost", "/"));
    let port = text("rabbitmq_port", "5672");
    let (scheme, at) = (if secure { "amqps" } else { "amqp" }, escaped(&vhost));
    let uri = format!("{scheme}://{}:{}@{host}:{port}/{at}", escaped(&user), escaped(&password));
    let yes = |on: bool| one(if on { "true" } else { "false" });
    let mut given = vec![
        ("uri", one(&uri)),
        ("exchange", one(&text("rabbitmq_exchange", "logstash-exchange"))),
        ("exchange_type", one(&text("rabbitmq_exchange_type", "direct"))),
        ("exchange_durable", yes(is_on(Some(&text("rabbitmq_exchange_durable", "0"))))),
        ("routing_key", one(&text("rabbitmq_key", "logstash-key"))),
        ("bind_queue", one(&text("rabbitmq_queue", "logstash-queue"))),
        ("durable", yes(is_on(Some(&text("rabbitmq_queue_durable", "0"))))),
        ("persistent", yes(text("rabbitmq_delivery_mode", "1") == "2")),
    ];
    for (theirs, ours) in [
        ("rabbitmq_ssl_cacert", "tls_ca"),
        ("rabbitmq_ssl_cert", "tls_cert"),
        ("rabbitmq_ssl_key", "tls_key"),
    ] {
        let path = text(theirs, "");
        given.extend((secure && !path.is_empty()).then(|| (ours, one(&path))));
    }
    reader.without_effect(
        &["rabbitmq_ha_queue", "rabbitmq_arguments"],
        "a policy of the broker says how queues are kept; what is declared already is used as it is",
    );
    reader.without_effect(
        &["rabbitmq_timeout"],
        "a message counts as handed on when the broker has confirmed it",
    );
    given
}

/// As a part of a URI.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02x}") })
        .collect()
}
