//! Events at their rate.

use super::PROTOCOL;
use crate::shared::door::testing::{Listening, source};

#[test]
fn events_take_turns_and_are_counted() {
    let samples = r#"[{"a":1},{"b":{"c":"x"}}]"#;
    let node = Listening::start(
        &PROTOCOL,
        &[("sample", samples), ("size", "3"), ("rate", "1"), ("auto_increment_key", "n"), ("tag", "t")],
    );
    assert_eq!(node.rows(3), ["t | a=1 n=0", "t | b.c=x n=1", "t | a=1 n=2"]);
    assert_eq!(node.output.wait_for_rows(3)[0], "{\"a\":1,\"n\":0}\n");
}

#[test]
fn the_rate_is_kept() {
    let node = Listening::start(&PROTOCOL, &[("rate", "200")]);
    let began = node.env.sys.clock.monotonic();
    let lines = node.output.wait_for_rows(60);
    let passed = node.env.sys.clock.monotonic() - began;
    assert!(passed.as_millis() >= 200, "60 events in {passed:?}");
    assert_eq!(lines[0], "{\"message\":\"sample\"}\n");
    let node = Listening::start(&PROTOCOL, &[("rate", "0")]);
    sawlog_sys::task::sleep(std::time::Duration::from_millis(50));
    assert_eq!(node.output.lines().len(), 0);
}

#[test]
fn what_is_no_object_is_refused() {
    for text in ["3", "[]", "[{}, 1]", "{"] {
        let options =
            sawlog_pipeline::config::options(&PROTOCOL, &[("sample", vec![text.to_owned()])]).unwrap();
        assert!((PROTOCOL.input.unwrap())(&options).is_err(), "{text}");
    }
}

#[test]
fn fluentds_options_mean_ours() {
    let (options, findings) = source(
        &PROTOCOL,
        "@type dummy\ntag d\ndummy {\"hello\":\"world\"}\nsize 2\nrate 5\nauto_increment_key id",
    );
    assert_eq!(findings, [] as [&str; 0]);
    assert_eq!(options, "auto_increment_key=id rate=5 sample={\"hello\":\"world\"} size=2 tag=d");
    let (_, findings) = source(&PROTOCOL, "@type sample\nreuse_record true\nsuspend true");
    assert_eq!(findings.len(), 3, "{findings:?}");
}
