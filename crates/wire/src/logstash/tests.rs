//! Events over real sockets, with a real journal behind.

use sawlog_model::{Fields, Marks};

use super::{PROTOCOL, SAMPLES};
use crate::shared::door::testing::{Listening, shown};
use crate::shared::tls::tests::Certificates;

#[test]
fn conforms() {
    assert_eq!(sawlog_pipeline::conform::check(&PROTOCOL, 1), Ok(()));
}

#[test]
fn both_versions_give_the_same_fields() {
    let node = Listening::start(&PROTOCOL, &[]);
    node.send(SAMPLES[2].bytes);
    let mut rows = Vec::new();
    node.each_row(2, |row| rows.push((shown(row), row.time())));
    let mut words: Vec<Vec<&str>> = rows.iter().map(|(row, _)| row.split(' ').collect()).collect();
    words.iter_mut().for_each(|words| words.sort_unstable());
    // The sender itself calls the path by another name in version 1.
    let same = |words: &[&str]| {
        words.iter().map(|word| word.replace("file=/", "path=/")).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(same(&words[0]), same(&words[1]));
    let wanted = "logstash | tags=[\"tag1\",\"tag2\"] env=[\"prod\"] @timestamp=2026-11-20T23:24:37.281Z path=/var/log/app/a.log host=web01 message=last \u{e9} line type=mytype @version=1";
    assert_eq!(rows[1], (wanted.to_owned(), 1_795_217_077_281_000_000));
    assert_eq!(rows[0].1, rows[1].1);
    assert!(rows[0].0.contains("@version=1") && rows[0].0.contains("file=/var/log/app/a.log"));
}

#[test]
fn python_logstash_is_read_over_tcp_and_udp() {
    let node = Listening::start(&PROTOCOL, &[("tag", "py")]);
    node.datagram(SAMPLES[1].bytes.trim_ascii());
    let wanted = "py | @timestamp=2026-11-20T23:53:19.276Z message=oops host=vm path=/srv/app/app.py tags=[] type=logstash levelname=ERROR logger=ls-tcp-v0 a=1 @version=1";
    assert_eq!(node.rows(1), [wanted]);
    node.send(SAMPLES[0].bytes);
    let row = node.rows(1).remove(0);
    assert!(
        row.contains(" stack_trace=Traceback (most recent call last):\n  File ")
            && row.contains(" lineno=49"),
        "{row}"
    );
}

#[test]
fn names_that_are_taken_stay_where_they_were() {
    let node = Listening::start(&PROTOCOL, &[]);
    node.datagram(br#"{"@message":"a","host":"inner","@source_host":"h","@fields":{"host":"f","message":"m","x":1},"@source":"s"}"#);
    assert_eq!(
        node.rows(1),
        ["logstash | message=a host=inner @source_host=h x=1 @fields.host=f @fields.message=m @version=1"]
    );
}

#[test]
fn what_is_no_event_is_kept_and_marked() {
    let node = Listening::start(&PROTOCOL, &[("message_length_limit", "10"), ("source_address_key", "ip")]);
    node.send(b"text\n\n{\"a\":\"123456789\"}\n");
    let mut rows = Vec::new();
    node.each_row(3, |row| {
        rows.push((row.raw().to_vec(), row.marks().has(Marks::UNPARSED), row.marks().has(Marks::CONTINUES)))
    });
    let row = |text: &str, goes_on| (text.as_bytes().to_vec(), true, goes_on);
    assert_eq!(rows, [row("text\n", false), row("{\"a\":\"1234", true), row("56789\"}\n", false)]);
    node.send(b"{}\n");
    assert_eq!(node.rows(1), ["logstash | ip=127.0.0.1"]);
}

#[test]
fn transports_are_as_the_options_say() {
    let node = Listening::start(&PROTOCOL, &[("transports", "udp")]);
    assert!(node.runtime.block_on(sawlog_sys::net::TcpStream::connect(node.address)).is_err());
    let options =
        sawlog_pipeline::config::options(&PROTOCOL, &[("transports", vec!["x".to_owned()])]).unwrap();
    assert!((PROTOCOL.input.unwrap())(&options).is_err());
    let made = Certificates::new(&["localhost"]);
    let (cert, key, ca) = (made.path("localhost.pem"), made.path("localhost.key"), made.path("ca.pem"));
    let node = Listening::start(&PROTOCOL, &[("tls_cert", &cert), ("tls_key", &key)]);
    node.send_over_tls(&ca, b"{\"a\":1}\n");
    assert_eq!(node.rows(1), ["logstash | a=1"]);
}
