//! Options of the output, and how Fluentd's configurations give them: those of fluent-plugin-s3. Knows nothing of what is done
//! with them.

use sawlog_pipeline::config::ElementReader;
use sawlog_pipeline::{Opt, OptKind, opt, options};

use crate::shared::{chunks, formatter, tls};

const OWN: [Opt; 23] = [
    opt("s3_bucket", OptKind::Text, "", "The bucket."),
    opt("s3_region", OptKind::Text, "us-east-1", "Its region."),
    opt("s3_endpoint", OptKind::Text, "", "The server, where it is not Amazon's: http[s]://HOST[:PORT]."),
    opt(
        "force_path_style",
        OptKind::Bool,
        "false",
        "The bucket stands in the path and not in the name of the host.",
    ),
    opt("aws_key_id", OptKind::Text, "", "Who asks; else as AWS_ACCESS_KEY_ID says."),
    opt("aws_sec_key", OptKind::Text, "", "The secret; else as AWS_SECRET_ACCESS_KEY says."),
    opt("aws_session_token", OptKind::Text, "", "The token of a session; else as AWS_SESSION_TOKEN says."),
    opt("path", OptKind::Text, "", "What names begin with: %Y/%m/%d, ${tag}, ${tag[1]}, ${FIELD} in it."),
    opt(
        "s3_object_key_format",
        OptKind::Text,
        "%{path}%{time_slice}_%{index}.%{file_extension}",
        "Names, with %{path}, %{time_slice}, %{index}, %{file_extension}, %{hostname}, %{uuid_flush}, %{hex_random}.",
    ),
    opt(
        "time_slice_format",
        OptKind::Text,
        "",
        "Letters of strftime for %{time_slice}; else as many as it needs.",
    ),
    opt("index_format", OptKind::Text, "%d", "How %{index} is written; `%04d` with zeros."),
    opt("store_as", OptKind::Text, "gzip", "`gzip`, `zstd`, `text`, `json` (without compression)."),
    opt(
        "check_object",
        OptKind::Bool,
        "true",
        "Look whether there is an object of the name, and take the next one.",
    ),
    opt("overwrite", OptKind::Bool, "false", "Replace an object of the name where names have no %{index}."),
    opt("auto_create_bucket", OptKind::Bool, "true", "Make the bucket where it is missing."),
    opt("check_bucket", OptKind::Bool, "true", "Look whether the bucket is there."),
    opt("acl", OptKind::Text, "", "Access to objects, as `private`."),
    opt("storage_class", OptKind::Text, "", "As `STANDARD_IA`."),
    opt("use_server_side_encryption", OptKind::Text, "", "`AES256` or `aws:kms`."),
    opt("ssekms_key_id", OptKind::Text, "", "With `aws:kms`: the key."),
    opt("s3_metadata", OptKind::List, "", "Metadata of objects, each as `NAME: VALUE`."),
    opt("request_timeout", OptKind::Duration, "60s", "How long an answer may take."),
    opt("connect_timeout", OptKind::Duration, "10s", "How long connecting may take."),
];

/// All.
pub(super) const OPTIONS: &[Opt] = options![&OWN, tls::CLIENT, &chunks::buffer("64MiB"), formatter::OPTIONS];

const TEXTS: &[&str] = &[
    "s3_bucket",
    "s3_region",
    "s3_endpoint",
    "aws_key_id",
    "aws_sec_key",
    "path",
    "s3_object_key_format",
    "time_slice_format",
    "index_format",
    "store_as",
    "acl",
    "storage_class",
    "use_server_side_encryption",
    "ssekms_key_id",
];

/// The options of ours that an element means.
pub(super) fn from_fluent(reader: &mut ElementReader<'_>) -> Vec<(&'static str, Vec<String>)> {
    let mut options = Vec::new();
    reader.required("s3_bucket");
    for key in TEXTS {
        options.extend(reader.text(key).map(|text| (*key, vec![text.to_owned()])));
    }
    for key in ["force_path_style", "check_object", "overwrite", "auto_create_bucket", "check_bucket"] {
        options.extend(reader.flag(key).map(|flag| (key, vec![flag.to_string()])));
    }
    let pairs = reader.map("s3_metadata");
    let pair = |(name, value): (String, String)| format!("{name}: {value}");
    options.extend(pairs.map(|pairs| ("s3_metadata", pairs.into_iter().map(pair).collect())));
    options.extend(reader.text("ssl_ca_bundle").map(|text| ("tls_ca", vec![text.to_owned()])));
    options.extend(reader.flag("ssl_verify_peer").map(|flag| ("tls_insecure", vec![(!flag).to_string()])));
    reader.without_effect(&["check_apikey_on_start"], "the first object tells");
    reader.without_effect(
        &["hex_random_length", "uuid_type"],
        "what is random in names is the id of the chunk, so that it stays",
    );
    reader.without_effect(&["warn_for_delay", "log_level"], "the status tells how far the output is");
    reader.without_effect(&["signature_version"], "requests are signed by version 4");
    if reader.element().children.iter().any(|child| child.name == "buffer" && child.argument.trim() == "[]") {
        options.push(("buffer.keys", Vec::new()));
    }
    options.extend(formatter::from_fluent(reader));
    options
}
