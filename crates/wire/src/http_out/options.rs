//! Options of the output, and how Fluentd's configurations give them. Knows nothing of what is done with them.

use sawlog_model::{Limits, Value};
use sawlog_pipeline::config::ElementReader;
use sawlog_pipeline::{Opt, OptKind, opt, options};

use crate::shared::record::plain_text;
use crate::shared::{formatter, tls};

const OWN: &[Opt] = &[
    opt(
        "endpoint",
        OptKind::Text,
        "",
        "Where to: http:// or https://, with %Y%m%d, ${tag}, ${tag[1]}, ${FIELD}.",
    ),
    opt("http_method", OptKind::Text, "post", "`post` or `put`."),
    opt("json_array", OptKind::Bool, "false", "One list of JSON instead of lines."),
    opt("content_type", OptKind::Text, "", "Else that of the format."),
    opt("headers", OptKind::List, "", "Each as `NAME: VALUE`."),
    opt("headers_from_placeholders", OptKind::List, "", "The same, with places as in `endpoint`."),
    opt("allowed_hosts", OptKind::List, "", "Hosts that rows may choose."),
    opt(
        "retryable_response_codes",
        OptKind::List,
        "503",
        "What is answered so is sent again; else it is given up.",
    ),
    opt("compress", OptKind::Text, "text", "`text` (not at all) or `gzip`."),
    opt("open_timeout", OptKind::Duration, "60s", "How long connecting may take."),
    opt("ssl_timeout", OptKind::Duration, "60s", "How long the handshake of TLS may take."),
    opt("read_timeout", OptKind::Duration, "60s", "How long an answer may take."),
    opt("proxy", OptKind::Text, "", "An HTTP proxy, as http://HOST:PORT."),
    opt("auth.username", OptKind::Text, "", "User, for basic authentication."),
    opt("auth.password", OptKind::Text, "", "The user's password."),
    opt("buffer.keys", OptKind::List, "", "What tells requests apart: `time`, `tag`, names of fields."),
    opt("buffer.timekey", OptKind::Duration, "1d", "With `time`: length of the span that is in one request."),
    opt("buffer.timekey_use_utc", OptKind::Bool, "false", "Spans are of UTC."),
    opt("buffer.timekey_zone", OptKind::Text, "", "Or of this zone; else of the machine's own."),
    opt("buffer.chunk_limit_size", OptKind::Bytes, "8MiB", "Longest body."),
];

/// All.
pub(super) const OPTIONS: &[Opt] = options![OWN, tls::CLIENT, formatter::OPTIONS];

/// A map of texts, given as JSON or as `a:b,c:d`.
fn pairs(reader: &mut ElementReader<'_>, key: &'static str) -> Option<Vec<String>> {
    let text = reader.text(key)?;
    if let Ok(Value::Map(entries)) = sawlog_model::value::parse_json(text.as_bytes(), &Limits::default()) {
        let text = |value: &Value| String::from_utf8_lossy(&plain_text(value)).into_owned();
        return Some(entries.iter().map(|(key, value)| format!("{}: {}", text(key), text(value))).collect());
    }
    let pair =
        |pair: &str| pair.split_once(':').map(|(name, value)| format!("{}: {}", name.trim(), value.trim()));
    let pairs = text.split(',').map(pair).collect();
    if Option::is_none(&pairs) {
        reader.wrong(key, "write it as {\"name\": \"value\"}");
    }
    pairs
}

/// The options of ours that an element means.
pub(super) fn from_fluent(reader: &mut ElementReader<'_>) -> Vec<(&'static str, Vec<String>)> {
    let mut options = vec![("endpoint", vec![reader.required("endpoint").to_owned()])];
    for key in ["http_method", "content_type", "compress", "proxy"] {
        options.extend(reader.text(key).map(|text| (key, vec![text.to_owned()])));
    }
    options.extend(reader.flag("json_array").map(|flag| ("json_array", vec![flag.to_string()])));
    for key in ["open_timeout", "ssl_timeout", "read_timeout"] {
        options
            .extend(reader.time(key).map(|time| (key, vec![sawlog_pipeline::config::duration_text(time)])));
    }
    for key in ["allowed_hosts", "retryable_response_codes"] {
        options.extend(reader.list(key).map(|list| (key, list)));
    }
    for key in ["headers", "headers_from_placeholders"] {
        options.extend(pairs(reader, key).map(|pairs| (key, pairs)));
    }
    for (key, name) in [
        ("tls_ca_cert_path", "tls_ca"),
        ("tls_client_cert_path", "tls_cert"),
        ("tls_private_key_path", "tls_key"),
    ] {
        options.extend(reader.text(key).map(|text| (name, vec![text.to_owned()])));
    }
    match reader.text("tls_verify_mode") {
        None | Some("peer") => {}
        Some("none") => options.push(("tls_insecure", vec!["true".to_owned()])),
        Some(other) => reader.wrong("tls_verify_mode", &format!("`{other}` is not none or peer")),
    }
    tls::fluent::least_version(reader, "tls_version", &mut options);
    tls::fluent::no_passphrase(reader, "tls_private_key_passphrase");
    reader.without_effect(&["tls_ciphers"], "the library's own are good");
    reader.without_effect(&["reuse_connections"], "connections are always reused");
    reader.without_effect(&["error_response_as_unrecoverable"], "what is given up goes to the dead letters");
    if let Some(auth) = reader.child("auth") {
        let mut inside = reader.inside(auth);
        if let Some(other) = inside.text("method").filter(|method| *method != "basic") {
            inside.wrong("method", &format!("`{other}` is not offered; there is basic"));
        }
        for (key, name) in [("username", "auth.username"), ("password", "auth.password")] {
            options.extend(inside.text(key).map(|text| (name, vec![text.to_owned()])));
        }
        inside.finish();
    }
    options.extend(formatter::from_fluent(reader));
    options
}
