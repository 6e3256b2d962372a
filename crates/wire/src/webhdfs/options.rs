//! Options of the output, and how Fluentd's configurations give them: those of fluent-plugin-webhdfs. Knows nothing of what is
//! done with them.

use sawlog_pipeline::config::{ElementReader, duration_text};
use sawlog_pipeline::{Opt, OptKind, opt, options};

use crate::shared::{chunks, formatter, tls};

const OWN: [Opt; 8] = [
    opt(
        "namenode",
        OptKind::List,
        "http://127.0.0.1:9870",
        "Name nodes (or HttpFS), the next one where one is on standby.",
    ),
    opt(
        "path",
        OptKind::Text,
        "",
        "Names of the files, with %Y%m%d, ${tag}, ${tag[1]}, ${FIELD}, ${chunk_id}, ${hostname}.",
    ),
    opt("username", OptKind::Text, "", "Who asks."),
    opt(
        "append",
        OptKind::Bool,
        "true",
        "Add to one file; else each chunk is a file, whose name must have ${chunk_id}.",
    ),
    opt("compress", OptKind::Text, "text", "`text` (not at all), `gzip` or `zstd`."),
    opt("httpfs", OptKind::Bool, "false", "The server is HttpFS."),
    opt("open_timeout", OptKind::Duration, "30s", "How long connecting may take."),
    opt("read_timeout", OptKind::Duration, "60s", "How long an answer may take."),
];

/// All.
pub(super) const OPTIONS: &[Opt] = options![&OWN, tls::CLIENT, &chunks::buffer("64MiB"), formatter::OPTIONS];

/// The options of ours that an element means.
pub(super) fn from_fluent(reader: &mut ElementReader<'_>) -> Vec<(&'static str, Vec<String>)> {
    let secure = reader.flag("ssl") == Some(true);
    let scheme = if secure { "https" } else { "http" };
    let host = reader.text("host").map(str::to_owned);
    let port = reader.text("port").unwrap_or("50070");
    let first = reader.text("namenode").map(str::to_owned).or(host.map(|host| format!("{host}:{port}")));
    if first.is_none() {
        reader.wrong("host", "write where the name node is: `host` and `port`, or `namenode HOST:PORT`");
    }
    let standby = reader.text("standby_namenode").map(str::to_owned);
    let nodes = first.into_iter().chain(standby).map(|node| format!("{scheme}://{node}")).collect();
    let mut options = vec![("namenode", nodes), ("path", vec![reader.required("path").to_owned()])];
    options.extend(reader.text("username").map(|text| ("username", vec![text.to_owned()])));
    for key in ["append", "httpfs"] {
        options.extend(reader.flag(key).map(|flag| (key, vec![flag.to_string()])));
    }
    let compress = reader.text("compress").map(str::to_owned).or_else(|| {
        let child = reader.child("compress")?;
        child.get("@type").map(str::to_owned)
    });
    options.extend(compress.map(|text| ("compress", vec![text])));
    for key in ["open_timeout", "read_timeout"] {
        options.extend(reader.time(key).map(|time| (key, vec![duration_text(time)])));
    }
    options.extend(reader.text("ssl_ca_file").map(|text| ("tls_ca", vec![text.to_owned()])));
    match reader.text("ssl_verify_mode") {
        None | Some("peer") => {}
        Some("none") => options.push(("tls_insecure", vec!["true".to_owned()])),
        Some(other) => reader.wrong("ssl_verify_mode", &format!("`{other}` is not none or peer")),
    }
    if reader.flag("kerberos") == Some(true) {
        reader.wrong("kerberos", "it is not spoken; HttpFS or Knox can stand between");
    }
    reader.without_effect(
        &["retry_known_errors", "retry_times", "retry_interval"],
        "what fails is tried again",
    );
    reader.without_effect(&["ignore_start_check_error"], "the first chunk tells whether the server is there");
    reader.without_effect(
        &["replace_random_uuid"],
        "what is random in names is the id of the chunk, so that it stays",
    );
    if reader.element().children.iter().any(|child| child.name == "buffer" && child.argument.trim() == "[]") {
        options.push(("buffer.keys", Vec::new()));
    }
    options.extend(formatter::from_fluent(reader));
    options
}
