//! What holds for all protocols of this crate.

use std::path::Path;
use std::sync::Arc;

use sawlog_model::{Access, AccessError, Limits, Right, Tenant};
use sawlog_pipeline::testing::claims;

use crate::testing::{Bench, options_of};

#[test]
fn every_option_is_named_by_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let more = [root.join("../agent/tests"), root.join("clients")];
    let unnamed = claims::unnamed(crate::PROTOCOLS, &root.join("src"), &more);
    assert_eq!(unnamed, Vec::<String>::new(), "each option that is claimed has a test that names it");
    let none = claims::unnamed(crate::PROTOCOLS, &root.join("src/null"), &[]);
    assert!(none.len() > 100, "without tests none is named: {}", none.len());
}

#[test]
fn every_option_of_fluentd_means_something_or_is_told_not_to() {
    let beside: [&[(&str, &str)]; 5] = [
        &[("path", "/a"), ("tag", "t"), ("format", "csv"), ("compress", "gzip")],
        &[("path", "/a"), ("transport", "tls"), ("endpoint", "https://h/"), ("format", "json")],
        &[("host", "h"), ("format", "single_value")],
        &[("path", "/a"), ("include_tag_key", "true"), ("include_time_key", "true")],
        &[("path", "/a"), ("tag", "t"), ("format", "multiline"), ("format_firstline", "/x/")],
    ];
    assert_eq!(claims::idle(crate::PROTOCOLS, &beside), Vec::<String>::new());
}

#[test]
fn outputs_show_rows_to_nobody_where_they_speak_tls_or_stay_here() {
    let private = |name: &str, given: &[(&str, &str)]| {
        let protocol = crate::PROTOCOLS.iter().find(|one| one.name == name && one.output.is_some());
        let protocol = protocol.expect("there is one");
        let given: Vec<_> = given.iter().map(|(name, value)| (*name, std::slice::from_ref(value))).collect();
        (protocol.private)(&options_of(protocol, &given))
    };
    for (name, given, wanted) in [
        ("forward", &[("to", "h:1")][..], false),
        ("forward", &[("to", "h:1"), ("tls", "true")], true),
        ("forward", &[("to", "h:1"), ("tls", "true"), ("tls_insecure", "true")], false),
        ("http", &[("endpoint", "http://h/")], false),
        ("http", &[("endpoint", "https://h/"), ("proxy", "http://p:1")], true),
        ("elasticsearch", &[("hosts", "https://h")], true),
        ("elasticsearch", &[("hosts", "http://h")], false),
        ("s3", &[], true),
        ("s3", &[("s3_endpoint", "http://h:1")], false),
        ("file", &[("path", "/a")], true),
        ("mongo", &[("hosts", "h")], false),
        ("mongo", &[("hosts", "h"), ("tls", "true")], true),
        ("mongo", &[("hosts", "h"), ("tls", "true"), ("tls_insecure", "true")], false),
        ("mongo", &[("connection_string", "mongodb://h/d?tls=true")], true),
        ("mongo", &[("connection_string", "mongodb://h/d?tls=true&tlsInsecure=true")], false),
        ("webhdfs", &[("namenode", "https://h:1")], true),
        ("webhdfs", &[("namenode", "http://h:1")], false),
        ("stdout", &[], true),
        ("redis", &[("to", "rediss://h")], true),
        ("redis", &[("to", "h:1")], false),
        ("udp", &[("to", "h:1")], false),
    ] {
        assert_eq!(private(name, given), wanted, "{name} {given:?}");
    }
}

/// Lets those send who know the word.
struct Word;

impl Access for Word {
    fn admit(&self, credential: &[u8], _right: Right) -> Result<Tenant, AccessError> {
        if credential == b"word" { Ok(Tenant(3)) } else { Err(AccessError) }
    }
}

#[test]
fn a_credential_says_for_whom_all_senders_act() {
    let mut bench = Bench::start(Limits::default());
    bench.env.access = Arc::new(Word);
    let with = crate::PROTOCOLS.iter().filter(|protocol| {
        // Who is admitted is told of each connection there.
        protocol.options.iter().any(|option| option.name == "credential")
            && !["forward", "blueox"].contains(&protocol.name)
    });
    let mut tried = 0;
    for protocol in with {
        let start = |credential: &str| {
            let mut given: Vec<(&str, &[&str])> = vec![("credential", std::slice::from_ref(&credential))];
            let socket = bench.path("socket");
            let socket = [socket.as_str()];
            match protocol.name {
                "unix" => given.push(("path", &socket)),
                "redis" => given.extend([("to", &["redis://127.0.0.1:1"][..]), ("key", &["events"])]),
                _ => given.push(("listen", &["127.0.0.1:0"])),
            }
            let input = protocol.input.expect("an input")(&options_of(protocol, &given)).expect("an input");
            input.start(bench.pipeline.intake(protocol.name), bench.env.clone())
        };
        let refused = start("other").err().unwrap_or_else(|| panic!("{} takes any", protocol.name));
        assert!(refused.contains("credential"), "{}: {refused}", protocol.name);
        let running = start("word").unwrap_or_else(|error| panic!("{}: {error}", protocol.name));
        bench.env.stop.request();
        (running.join)();
        bench.env.stop = Default::default();
        tried += 1;
    }
    assert!(tried >= 6, "{tried}");
    bench.pipeline.stop();
}
