//! Options of the output, and how Fluentd's configurations give them: those of fluent-plugin-elasticsearch and
//! fluent-plugin-opensearch. Knows nothing of what is done with them.

use sawlog_pipeline::config::{ElementReader, bytes_text, duration_text};
use sawlog_pipeline::{Opt, OptKind, opt, options};

use crate::shared::tls;

const OWN: &[Opt] = &[
    opt(
        "hosts",
        OptKind::List,
        "http://127.0.0.1:9200",
        "Nodes, used in turns: [http[s]://][USER:PASSWORD@]HOST[:PORT][/PATH].",
    ),
    opt("user", OptKind::Text, "", "User, for basic authentication; where an address names none."),
    opt("password", OptKind::Text, "", "The user's password."),
    opt("index_name", OptKind::Text, "sawlog", "The index: with %Y%m%d, ${tag}, ${tag[1]}, ${FIELD} in it."),
    opt(
        "target_index_key",
        OptKind::Text,
        "",
        "Field that names the index, where a row has it; it is taken out.",
    ),
    opt(
        "allowed_indices",
        OptKind::List,
        "",
        "What names of indices may begin with, where rows choose how they begin.",
    ),
    opt(
        "logstash_format",
        OptKind::Bool,
        "false",
        "Indices by day, PREFIX-2024.12.31, and a field `@timestamp`.",
    ),
    opt(
        "logstash_prefix",
        OptKind::Text,
        "logstash",
        "What their names begin with; places as in `index_name`.",
    ),
    opt("logstash_prefix_separator", OptKind::Text, "-", "What stands between it and the day."),
    opt("logstash_dateformat", OptKind::Text, "%Y.%m.%d", "The day, by the letters of strftime."),
    opt("utc_index", OptKind::Bool, "true", "Days are of UTC, else of the machine's own zone."),
    opt("include_timestamp", OptKind::Bool, "false", "A field `@timestamp` also without `logstash_format`."),
    opt("time_key", OptKind::Text, "@timestamp", "Field that has the time, where a row has it."),
    opt(
        "time_key_exclude_timestamp",
        OptKind::Bool,
        "false",
        "No `@timestamp` where the row has `time_key`.",
    ),
    opt("time_precision", OptKind::Number, "9", "Digits of the seconds of `@timestamp`."),
    opt("include_tag_key", OptKind::Bool, "false", "A field that has the tag."),
    opt("tag_key", OptKind::Text, "tag", "Its name."),
    opt(
        "id_key",
        OptKind::Text,
        "",
        "Field that is the id of a document; else it is made of the row's address.",
    ),
    opt("routing_key", OptKind::Text, "", "Field that is the routing of a document."),
    opt("pipeline", OptKind::Text, "", "The server's ingest pipeline."),
    opt("remove_keys", OptKind::List, "", "Fields that are not sent."),
    opt("write_operation", OptKind::Text, "index", "`index`, `create`, `update` or `upsert`."),
    opt("template_name", OptKind::Text, "", "A template of indices that is to be there, by its name."),
    opt("template_file", OptKind::Text, "", "The file of it, JSON."),
    opt("templates", OptKind::List, "", "More of them, each as `NAME: FILE`."),
    opt(
        "template_overwrite",
        OptKind::Bool,
        "false",
        "Put templates also where there are some of their names.",
    ),
    opt(
        "customize_template",
        OptKind::List,
        "",
        "What is replaced in the files of templates, each as `WORD: TEXT`.",
    ),
    opt("use_legacy_template", OptKind::Bool, "true", "Templates by `_template`, else by `_index_template`."),
    opt("custom_headers", OptKind::List, "", "More headers of requests, each as `NAME: VALUE`."),
    opt("bulk_message_request_threshold", OptKind::Bytes, "20MiB", "Longest body of a request."),
    opt(
        "compression_level",
        OptKind::Text,
        "no_compression",
        "Or `best_speed`, `default_compression`, `best_compression`.",
    ),
    opt("buffer.timekey_use_utc", OptKind::Bool, "false", "Times in `index_name` are of UTC."),
    opt("buffer.timekey_zone", OptKind::Text, "", "Or of this zone; else of the machine's own."),
    opt("request_timeout", OptKind::Duration, "60s", "How long an answer may take."),
    opt("connect_timeout", OptKind::Duration, "10s", "How long connecting may take."),
];

/// All.
pub(super) const OPTIONS: &[Opt] = options![OWN, tls::CLIENT];

/// Texts that are called as in the plug-in.
const TEXTS: &[&str] = &[
    "user",
    "password",
    "target_index_key",
    "logstash_prefix",
    "logstash_prefix_separator",
    "logstash_dateformat",
    "time_key",
    "tag_key",
    "id_key",
    "routing_key",
    "pipeline",
    "write_operation",
    "template_name",
    "template_file",
    "compression_level",
];

const FLAGS: &[&str] = &[
    "logstash_format",
    "utc_index",
    "include_timestamp",
    "time_key_exclude_timestamp",
    "include_tag_key",
    "template_overwrite",
    "use_legacy_template",
];

/// What the plug-in is told of how it is to talk to its client library or servers of old, and what it logs.
const OF_THE_LIBRARY: &[&str] = &[
    "reload_connections",
    "reload_on_failure",
    "reload_after",
    "reconnect_on_error",
    "resurrect_after",
    "with_transporter_log",
    "http_backend",
    "http_backend_excon_nonblock",
    "prefer_oj_serializer",
    "sniffer_class_name",
    "selector_class_name",
    "log_es_400_reason",
    "log_os_400_reason",
    "slow_flush_log_threshold",
    "verify_es_version_at_startup",
    "verify_os_version_at_startup",
    "validate_client_version",
    "default_elasticsearch_version",
    "default_opensearch_version",
    "content_type",
    "emit_error_label_event",
    "bulk_message_request_threshold_log",
];

/// The options of ours that an element means.
pub(super) fn from_fluent(reader: &mut ElementReader<'_>) -> Vec<(&'static str, Vec<String>)> {
    let mut options = vec![("hosts", hosts(reader))];
    let index = reader.text("index_name").unwrap_or("fluentd");
    options.push(("index_name", vec![index.to_owned()]));
    for key in TEXTS {
        options.extend(reader.text(key).map(|text| (*key, vec![text.to_owned()])));
    }
    for key in FLAGS {
        options.extend(reader.flag(key).map(|flag| (*key, vec![flag.to_string()])));
    }
    for key in ["remove_keys", "allowed_indices"] {
        options.extend(reader.list(key).map(|list| (key, list)));
    }
    for key in ["templates", "customize_template", "custom_headers"] {
        let pairs = reader.map(key);
        let pair = |(name, value): (String, String)| format!("{name}: {value}");
        options.extend(pairs.map(|pairs| (key, pairs.into_iter().map(pair).collect())));
    }
    let precision = reader.number("time_precision");
    options.extend(precision.map(|digits| ("time_precision", vec![digits.to_string()])));
    let timeout = reader.time("request_timeout");
    options.extend(timeout.map(|time| ("request_timeout", vec![duration_text(time)])));
    // A negative threshold is none; the body of a request is bounded all the same.
    if reader.element().get("bulk_message_request_threshold").is_some_and(|text| text.starts_with('-')) {
        reader.note("bulk_message_request_threshold", "requests have at most 20 MiB");
        reader.text("bulk_message_request_threshold");
    } else {
        let bytes = reader.size("bulk_message_request_threshold");
        options.extend(bytes.map(|bytes| ("bulk_message_request_threshold", vec![bytes_text(bytes)])));
    }
    for (key, name) in [("ca_file", "tls_ca"), ("client_cert", "tls_cert"), ("client_key", "tls_key")] {
        options.extend(reader.text(key).map(|text| (name, vec![text.to_owned()])));
    }
    options.extend(reader.flag("ssl_verify").map(|flag| ("tls_insecure", vec![(!flag).to_string()])));
    tls::fluent::least_version(reader, "ssl_version", &mut options);
    tls::fluent::least_version(reader, "ssl_min_version", &mut options);
    tls::fluent::no_passphrase(reader, "client_key_pass");
    reader.without_effect(&["ssl_max_version"], "the newest version that both sides know is spoken");
    reader
        .without_effect(&["type_name", "suppress_type_name"], "servers have no types of documents any more");
    reader.without_effect(
        &[
            "max_retry_putting_template",
            "max_retry_get_es_version",
            "max_retry_get_os_version",
            "fail_on_putting_template_retry_exceed",
            "fail_on_detecting_es_version_retry_exceed",
        ],
        "it is tried as often as rows are",
    );
    reader.without_effect(&["include_index_in_url"], "each document says its index");
    reader.without_effect(
        &[
            "unrecoverable_error_types",
            "unrecoverable_record_types",
            "ignore_exceptions",
            "exception_backup",
            "emit_error_for_missing_id",
        ],
        "what is refused for good goes to the dead letters",
    );
    reader.without_effect(OF_THE_LIBRARY, "it is of the plug-in's own client");
    options
}

/// The nodes: `hosts`, or `host` and `port`, with the scheme and the path that stand beside them.
fn hosts(reader: &mut ElementReader<'_>) -> Vec<String> {
    let scheme = reader.text("scheme").unwrap_or("http");
    let port = reader.text("port").unwrap_or("9200");
    let path = reader.text("path").unwrap_or("").trim_matches('/');
    let host = reader.text("host").unwrap_or("localhost").to_owned();
    let hosts = reader.list("hosts").unwrap_or_else(|| vec![host]);
    let whole = |host: String| {
        if host.contains("://") {
            return host;
        }
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let port = if has_port { String::new() } else { format!(":{port}") };
        format!("{scheme}://{host}{port}/{path}").trim_end_matches('/').to_owned()
    };
    hosts.into_iter().map(whole).collect()
}
