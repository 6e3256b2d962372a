//! Options of the output, and how Fluentd's configurations give them: those of fluent-plugin-mongo. Knows nothing of what is done
//! with them.

use sawlog_pipeline::config::{ElementReader, bytes_text, duration_text};
use sawlog_pipeline::{Opt, OptKind, opt, options};

use crate::shared::tls;

const OWN: &[Opt] = &[
    opt("hosts", OptKind::List, "127.0.0.1:27017", "Servers, HOST[:PORT]; of a replica set some."),
    opt(
        "connection_string",
        OptKind::Text,
        "",
        "mongodb://[USER:PASSWORD@]HOST[:PORT][,HOST…][/DATABASE][?OPTIONS], which goes before the others.",
    ),
    opt("replica_set", OptKind::Text, "", "The name of the replica set that it must be."),
    opt("user", OptKind::Text, "", "User, by SCRAM-SHA-256."),
    opt("password", OptKind::Text, "", "The user's password."),
    opt("auth_source", OptKind::Text, "", "Database that knows the user; else `database`."),
    opt("database", OptKind::Text, "", "The database: with %Y%m%d, ${tag}, ${tag[1]}, ${FIELD} in it."),
    opt("collection", OptKind::Text, "untagged", "The collection; places as in `database`."),
    opt(
        "tag_mapped",
        OptKind::Bool,
        "false",
        "The collection is the tag; `collection` where nothing is left of it.",
    ),
    opt("remove_tag_prefix", OptKind::Text, "", "What is taken from the beginning of the collection's name."),
    opt(
        "write_concern",
        OptKind::Text,
        "",
        "How many servers must have it, or `majority`; else what they have set.",
    ),
    opt("journaled", OptKind::Bool, "true", "It must be in their journals, too."),
    opt("replace_dot_in_key_with", OptKind::Text, "", "What stands for dots in keys."),
    opt(
        "replace_dollar_in_key_with",
        OptKind::Text,
        "",
        "What stands for a dollar at the beginning of a key.",
    ),
    opt("include_time_key", OptKind::Bool, "true", "A field that has the time, as a date."),
    opt("time_key", OptKind::Text, "time", "Its name."),
    opt("include_tag_key", OptKind::Bool, "false", "A field that has the tag."),
    opt("tag_key", OptKind::Text, "tag", "Its name."),
    opt("hostname_key", OptKind::Text, "", "Field that gets this machine's name."),
    opt("hostname", OptKind::Text, "", "Another name for it."),
    opt("date_keys", OptKind::List, "", "Fields that become dates: seconds, milliseconds, or texts."),
    opt("parse_string_number_date", OptKind::Bool, "false", "Texts of those may be numbers."),
    opt(
        "id_of_address",
        OptKind::Bool,
        "true",
        "Records without `_id` get one of their row's address, so that none is there twice.",
    ),
    opt("capped", OptKind::Bool, "false", "Make collections that are not there capped."),
    opt("capped_size", OptKind::Bytes, "0B", "Their size."),
    opt("capped_max", OptKind::Number, "0", "Most documents in them; 0 is any number."),
    opt(
        "expire_after",
        OptKind::Duration,
        "0s",
        "How long documents are kept, by an index over `time_key`; 0 keeps all.",
    ),
    opt("buffer.timekey_use_utc", OptKind::Bool, "false", "Times in names are of UTC."),
    opt("buffer.timekey_zone", OptKind::Text, "", "Or of this zone; else of the machine's own."),
    opt("connect_timeout", OptKind::Duration, "10s", "How long connecting may take."),
    opt("request_timeout", OptKind::Duration, "60s", "How long an answer may take."),
];

/// All.
pub(super) const OPTIONS: &[Opt] = options![OWN, &[tls::ON], tls::CLIENT];

/// Texts that are called as in the plug-in.
const TEXTS: &[&str] = &[
    "connection_string",
    "database",
    "user",
    "password",
    "auth_source",
    "remove_tag_prefix",
    "replace_dot_in_key_with",
    "replace_dollar_in_key_with",
];

type Given = Vec<(&'static str, Vec<String>)>;

/// The options of ours that an element means.
pub(super) fn from_fluent(reader: &mut ElementReader<'_>) -> Given {
    let host = reader.text("host").unwrap_or("localhost");
    let port = reader.text("port").unwrap_or("27017");
    let mut options = shared(reader);
    options.push(("hosts", vec![format!("{host}:{port}")]));
    options
}

/// The same of an element of a replica set.
pub(super) fn of_replica_set(reader: &mut ElementReader<'_>) -> Given {
    let name = reader.required("replica_set").to_owned();
    let nodes = reader.list("nodes");
    let mut options = shared(reader);
    options.push(("replica_set", vec![name]));
    match nodes {
        Some(nodes) => options.push(("hosts", nodes)),
        None if options.iter().any(|(name, _)| *name == "connection_string") => {}
        None => reader.wrong("nodes", "write where its servers are: `nodes HOST:PORT,HOST:PORT`"),
    }
    reader.without_effect(&["read"], "nothing is read");
    reader.without_effect(&["num_retries"], "what fails is tried again");
    options
}

fn shared(reader: &mut ElementReader<'_>) -> Given {
    let mut options = Given::new();
    for key in TEXTS {
        options.extend(reader.text(key).map(|text| (*key, vec![text.to_owned()])));
    }
    let given = |options: &Given, key: &str| options.iter().any(|(name, _)| *name == key);
    if !given(&options, "database") && !given(&options, "connection_string") {
        reader.wrong("database", "write `database` or `connection_string`");
    }
    // It counts as soon as it is written, whatever it says.
    let mapped = reader.text("tag_mapped").is_some();
    options.push(("tag_mapped", vec![mapped.to_string()]));
    match reader.text("collection") {
        Some(text) => options.push(("collection", vec![text.to_owned()])),
        None if mapped => {}
        None => reader.wrong("collection", "write `collection`"),
    }
    options.extend(reader.number("write_concern").map(|count| ("write_concern", vec![count.to_string()])));
    for key in ["journaled", "parse_string_number_date"] {
        options.extend(reader.flag(key).map(|flag| (key, vec![flag.to_string()])));
    }
    options.extend(reader.list("date_keys").map(|keys| ("date_keys", keys)));
    if reader.text("object_id_keys").is_some_and(|text| !text.is_empty()) {
        reader.wrong(
            "object_id_keys",
            "fields are not made ids of objects here; leave it out to have them as texts",
        );
    }
    mechanism(reader);
    injected(reader, &mut options);
    collections(reader, &mut options);
    secured(reader, &mut options);
    reader
        .without_effect(&["ordered"], "the others are inserted where one cannot be; those are dead letters");
    reader.without_effect(
        &["mongodb_smaller_bson_limit", "mongo_log_level", "ignore_invalid_record", "exclude_broken_fields"],
        "it is of the plug-in's own client",
    );
    options
}

fn mechanism(reader: &mut ElementReader<'_>) {
    match reader.text("auth_mech") {
        None | Some("" | "scram256") => {}
        Some(other) => reader.wrong("auth_mech", &format!("`{other}` is not spoken; scram256 is")),
    }
}

/// What is put into records. The time is, unless it is said that it is not.
fn injected(reader: &mut ElementReader<'_>, options: &mut Given) {
    let mut set = |key: &'static str, value: &str| options.push((key, vec![value.to_owned()]));
    if let Some(element) = reader.child("inject") {
        let mut inside = reader.inside(element);
        for (key, flag) in [("time_key", "include_time_key"), ("tag_key", "include_tag_key")] {
            let name = inside.text(key);
            set(flag, if name.is_some() { "true" } else { "false" });
            name.into_iter().for_each(|name| set(key, name));
        }
        for key in ["hostname_key", "hostname"] {
            inside.text(key).into_iter().for_each(|text| set(key, text));
        }
        inside.without_effect(
            &["time_type", "time_format", "timezone", "utc", "localtime"],
            "the time is a date",
        );
        inside.finish();
        return;
    }
    for (key, flag) in [("time_key", "include_time_key"), ("tag_key", "include_tag_key")] {
        reader.flag(flag).into_iter().for_each(|on| set(flag, &on.to_string()));
        reader.text(key).into_iter().for_each(|name| set(key, name));
    }
    reader.without_effect(&["time_format", "timezone", "utc", "localtime"], "the time is a date");
}

/// How collections are made.
fn collections(reader: &mut ElementReader<'_>, options: &mut Given) {
    // It counts as soon as it is written, whatever it says.
    if reader.text("capped").is_some() {
        options.push(("capped", vec!["true".to_owned()]));
        if reader.text("capped_size").is_none() {
            reader.wrong("capped", "write `capped_size`");
        }
    }
    options.extend(reader.size("capped_size").map(|size| ("capped_size", vec![bytes_text(size)])));
    options.extend(reader.size("capped_max").map(|most| ("capped_max", vec![most.to_string()])));
    options.extend(reader.time("expire_after").map(|time| ("expire_after", vec![duration_text(time)])));
}

fn secured(reader: &mut ElementReader<'_>, options: &mut Given) {
    options.extend(reader.flag("ssl").map(|flag| ("tls", vec![flag.to_string()])));
    for (key, name) in [("ssl_ca_cert", "tls_ca"), ("ssl_cert", "tls_cert"), ("ssl_key", "tls_key")] {
        options.extend(reader.text(key).map(|text| (name, vec![text.to_owned()])));
    }
    tls::fluent::no_passphrase(reader, "ssl_key_pass_phrase");
    let verified = reader.flag("ssl_verify");
    options.extend(verified.map(|flag| ("tls_insecure", vec![(!flag).to_string()])));
    let is_on = options.iter().any(|(name, value)| *name == "tls" && value[0] == "true");
    if is_on && verified.is_none() {
        reader.note("ssl", "the server's certificate is verified, as with `ssl_verify true`");
    }
}
