//! What Fluentd's forms and connection strings mean, and what is refused.

use sawlog_model::Limits;
use sawlog_pipeline::Options;
use sawlog_pipeline::config::{self, ElementReader};
use sawlog_sys::task;

use super::super::connection_string::{Target, target};
use super::super::options::of_replica_set;
use super::deployment::map;
use super::*;
use crate::testing::{element, fluent};

fn asked(given: &[(&str, &[&str])]) -> Result<Target, String> {
    let runtime = task::runtime("test", 1).expect("a runtime");
    target(&options_of(&PROTOCOL, given), &env(&runtime, Limits::default()))
}

#[test]
fn connection_strings() {
    let read = |string: &str| asked(&[("connection_string", &[string])]);
    let whole = read(
        "mongodb://me%40x:s%2Fcret@a,b:1/logs?replicaSet=rs0&authSource=users&w=2&journal=false&wtimeoutMS=500\
         &connectTimeoutMS=1000&socketTimeoutMS=2000&retryWrites=true&authMechanism=SCRAM-SHA-256",
    )
    .unwrap();
    let servers = &whole.servers;
    assert_eq!(
        (&servers.nodes, servers.replica_set.as_str()),
        (&vec!["a:27017".into(), "b:1".into()], "rs0")
    );
    let login = servers.login.as_ref().unwrap();
    assert_eq!([&login.user, &login.password, &login.source], ["me@x", "s/cret", "users"]);
    assert_eq!((servers.connect_timeout.as_secs(), servers.request_timeout.as_secs()), (1, 2));
    assert_eq!(whole.database, "logs");
    assert_eq!(whole.concern, Some(map([("w", Value::Int(2)), ("wtimeout", Value::Int(500))])));
    assert!(servers.connector.is_none());
    let login = |target: Target| target.servers.login.unwrap().source;
    assert_eq!(login(read("mongodb://me:x@a/logs").unwrap()), "logs");
    let options: [(&str, &[&str]); 2] = [("database", &["of_${tag}"]), ("user", &["me"])];
    assert_eq!(login(asked(&options).unwrap()), "admin", "no user is known by what a row says");
    assert!(
        read("mongodb://a/logs?tls=true&tlsAllowInvalidCertificates=true")
            .unwrap()
            .servers
            .connector
            .is_some()
    );
    for (string, word) in [
        ("mongodb+srv://a/logs", "DNS"),
        ("http://a/logs", "mongodb://"),
        ("mongodb://a", "database"),
        ("mongodb:///logs", "hosts"),
        ("mongodb://a/logs?w=0", "lost"),
        ("mongodb://a/logs?w=many", "majority"),
        ("mongodb://a/logs?tls=yes", "true nor false"),
        ("mongodb://a/logs?authMechanism=GSSAPI", "authMechanism"),
        ("mongodb://a/logs?directConnexion=true", "directConnexion"),
        ("mongodb://a/logs?connectTimeoutMS=x", "whole number"),
    ] {
        let refused = read(string).err().unwrap_or_default();
        assert!(refused.contains(word), "{string}: {refused}");
    }
}

#[test]
fn what_cannot_be_is_told_at_the_start() {
    let runtime = task::runtime("test", 1).expect("a runtime");
    for (given, word) in [
        (&[("collection", &["x"][..])][..], "database"),
        (&[("database", &["a b"][..])], "no name of a database"),
        (&[("database", &["a"][..]), ("collection", &["$x"])], "no name of a collection"),
        (&[("database", &["a"][..]), ("capped", &["true"])], "capped_size"),
        (
            &[("database", &["a"][..]), ("expire_after", &["1h"]), ("include_time_key", &["false"])],
            "include_time_key",
        ),
        (&[("database", &["a"][..]), ("date_keys", &["$."])], "date_keys"),
        (&[("database", &["a"][..]), ("write_concern", &["0"])], "lost"),
    ] {
        let refused = make(&options_of(&PROTOCOL, given), &env(&runtime, Limits::default())).err();
        let refused = refused.map(|error| error.to_string()).unwrap_or_default();
        assert!(refused.contains(word), "{given:?}: {refused}");
    }
}

#[test]
fn fluentds_form() {
    let options = fluent(&PROTOCOL, "match", "database logs\ncollection web").unwrap();
    for (name, value) in [
        ("hosts", "localhost:27017"),
        ("database", "logs"),
        ("collection", "web"),
        ("tag_mapped", "false"),
        ("include_time_key", "true"),
        ("time_key", "time"),
        ("include_tag_key", "false"),
        ("journaled", "true"),
        ("write_concern", ""),
        ("tls", "false"),
        ("capped", "false"),
        ("id_of_address", "true"),
    ] {
        assert_eq!(options.text(name), value, "{name}");
    }
    let all = fluent(
        &PROTOCOL,
        "match",
        "host h\nport 1\ndatabase d\ntag_mapped\nremove_tag_prefix app.\nuser u\npassword p\nauth_source a\n\
         write_concern 2\njournaled false\nreplace_dot_in_key_with _\nreplace_dollar_in_key_with S\ninclude_tag_key true\n\
         tag_key t\ntime_key at\ndate_keys x,y\nparse_string_number_date true\ncapped\ncapped_size 1m\ncapped_max 7\n\
         expire_after 1d\nssl true\nssl_verify false\nssl_ca_cert /ca\nssl_cert /c\nssl_key /k\nordered true\nauth_mech scram256",
    )
    .unwrap();
    for (name, value) in [
        ("hosts", "h:1"),
        ("tag_mapped", "true"),
        ("remove_tag_prefix", "app."),
        ("user", "u"),
        ("password", "p"),
        ("auth_source", "a"),
        ("write_concern", "2"),
        ("journaled", "false"),
        ("replace_dot_in_key_with", "_"),
        ("replace_dollar_in_key_with", "S"),
        ("include_tag_key", "true"),
        ("tag_key", "t"),
        ("include_time_key", "true"),
        ("time_key", "at"),
        ("parse_string_number_date", "true"),
        ("capped", "true"),
        ("capped_max", "7"),
        ("tls", "true"),
        ("tls_insecure", "true"),
        ("tls_ca", "/ca"),
        ("tls_cert", "/c"),
        ("tls_key", "/k"),
    ] {
        assert_eq!(all.text(name), value, "{name}");
    }
    assert_eq!((all.bytes("capped_size"), all.duration("expire_after").as_secs()), (1 << 20, 86_400));
    assert_eq!(all.list("date_keys"), ["x", "y"]);
    let inject = "database d\ncollection c\n<inject>\ntag_key t\nhostname_key h\n</inject>";
    let options = fluent(&PROTOCOL, "match", inject).unwrap();
    let flags = ["include_tag_key", "include_time_key"].map(|name| options.text(name).to_owned());
    assert_eq!((flags, options.text("hostname_key")), (["true".to_owned(), "false".to_owned()], "h"));
    for (more, word) in [
        ("collection c", "database"),
        ("database d", "collection"),
        ("database d\ncollection c\nobject_id_keys x", "object_id_keys"),
        ("database d\ncollection c\nauth_mech mongodb_x509", "mongodb_x509"),
        ("database d\ncollection c\ncapped", "capped_size"),
        ("database d\ncollection c\nssl_key_pass_phrase x", "ssl_key_pass_phrase"),
        ("database d\ncollection c\nnobody knows", "nobody"),
        ("database d\ncollection c\n<inject>\nworker_id_key w\n</inject>", "worker_id_key"),
    ] {
        let refused = fluent(&PROTOCOL, "match", more).unwrap_err().join("\n");
        assert!(refused.contains(word), "{more}: {refused}");
    }
}

fn replica_set(text: &str) -> Result<Options, String> {
    let (element, mut findings) = (element("match", text), Vec::new());
    let mut reader = ElementReader::new(&element, &mut findings);
    let given = of_replica_set(&mut reader);
    reader.finish();
    let wrong: Vec<_> =
        findings.iter().filter(|finding| !finding.note).map(|finding| &*finding.message).collect();
    if wrong.is_empty() { Ok(config::options(&PROTOCOL, &given).unwrap()) } else { Err(wrong.join("\n")) }
}

#[test]
fn fluentds_form_of_a_replica_set() {
    let text = "replica_set rs0\nnodes a:1,b:2\nnum_retries 5\nread secondary\ndatabase d\ncollection c";
    let options = replica_set(text).unwrap();
    assert_eq!(
        (options.list("hosts"), options.text("replica_set")),
        (&["a:1".into(), "b:2".into()][..], "rs0")
    );
    for (text, word) in [
        ("nodes a:1\ndatabase d\ncollection c", "replica_set"),
        ("replica_set r\ndatabase d\ncollection c", "nodes"),
        ("replica_set r\nnodes a\nhost h\ndatabase d\ncollection c", "host"),
    ] {
        let refused = replica_set(text).unwrap_err();
        assert!(refused.contains(word), "{text}: {refused}");
    }
    let form = PROTOCOL.fluent.iter().find(|form| form.names.contains(&"mongo_replset"));
    assert!(form.is_some_and(|form| form.role == config::Role::Match));
}
