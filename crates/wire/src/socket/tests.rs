//! Lines over real sockets, with a real journal behind.

use sawlog_model::{Fields, Marks};

use super::{TCP, UDP, UNIX};
use crate::shared::door::testing::{Listening, shown, source};
use crate::shared::tls::tests::Certificates;

#[test]
fn conforms() {
    assert_eq!(sawlog_pipeline::conform::check(&TCP, 1), Ok(()));
}

#[test]
fn lines_arrive_as_they_came() {
    let node = Listening::start(&TCP, &[]);
    node.send(b"one\n\ntwo\r\n\xff three");
    assert_eq!(node.rows(3), ["tcp | message=one", "tcp | message=two", "tcp | message=\u{fffd} three"]);
    let rows = node.output.wait_for_rows(3);
    assert_eq!(rows[..2], ["one\n", "two\r\n"]);
    let node = Listening::start(&UDP, &[]);
    node.datagram(b"a\n");
    node.each_row(1, |row| {
        assert_eq!((shown(row).as_str(), row.raw()), ("udp | message=a", &b"a\n"[..]));
        assert_eq!(row.batch.source.facts.name, "udp@3:udp@127.0.0.1");
        assert_eq!((row.time(), row.marks()), (row.received(), Marks::NO_TIME));
    });
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s").to_string_lossy().into_owned();
    let node = Listening::start(&UNIX, &[("path", &path), ("tag", "local")]);
    node.send_unix(&path, b"x\ny\n");
    assert_eq!(node.rows(2), ["local | message=x", "local | message=y"]);
}

#[test]
fn a_format_finds_fields_and_time() {
    let node = Listening::start(&TCP, &[("parse.type", "json"), ("tag", "app")]);
    node.send(b"{\"time\":\"2026-11-20T23:24:37Z\",\"a\":{\"b\":1}}\nno json\n");
    let mut rows = Vec::new();
    node.each_row(2, |row| rows.push((shown(row), row.time(), row.marks().has(Marks::UNPARSED))));
    assert_eq!(rows[0], ("app | a.b=1".to_owned(), 1_795_217_077_000_000_000, false));
    assert!(rows[1].2, "{rows:?}");
    let node = Listening::start(&UDP, &[("parse.type", "json"), ("parse.unmatched", "drop")]);
    node.datagram(b"garbage");
    node.datagram(b"{\"a\":1,\"b\":2}");
    assert_eq!(node.rows(1), ["udp | a=1 b=2"]);
    node.wait_for_error("unmatched");
    let expression = r"/^(?<field1>\d+):(?<at>[^ ]+) (?<word>\w+)$/";
    let given = [
        ("parse.type", "regexp"),
        ("parse.expression", expression),
        ("parse.types", "field1:integer"),
        ("parse.time_key", "at"),
    ];
    let zone = [("parse.timezone", "+01:00"), ("source_address_key", "ip")];
    let node = Listening::start(&TCP, &[&given[..], &zone[..]].concat());
    node.send(b"7:2026-11-20T23:24:37 x\nno\n");
    let mut rows = Vec::new();
    node.each_row(2, |row| rows.push((shown(row), row.time(), row.raw().to_vec())));
    assert_eq!(
        rows[0],
        (
            "tcp | field1=7 word=x ip=127.0.0.1".to_owned(),
            1_795_213_477_000_000_000,
            b"7:2026-11-20T23:24:37 x\n".to_vec()
        )
    );
    assert_eq!(rows[1].0, "tcp | ip=127.0.0.1");
    // A value that does not stand in the line as it is.
    let node = Listening::start(&TCP, &[("parse.type", "ltsv"), ("parse.types", "a:integer")]);
    node.send(b"a:007\tb:2\na:008\tb:3\n");
    assert_eq!(node.rows(2), ["tcp | a=7 b=2", "tcp | a=8 b=3"]);
    let node = Listening::start(&TCP, &[("parse.type", "json"), ("parse.unmatched", "emit")]);
    node.send(b"no\n");
    assert_eq!(node.rows(1), ["tcp | unmatched_line=no"]);
}

#[test]
fn delimiters_lengths_and_line_breaks_are_as_the_options_say() {
    let node = Listening::start(&TCP, &[("delimiter", "||"), ("message_length_limit", "4")]);
    node.send(b"one||two\n||123456||");
    node.rows(4);
    assert_eq!(node.output.wait_for_rows(4), ["one", "two\n", "1234", "56"]);
    let node = Listening::start(&UDP, &[("message_length_limit", "3"), ("remove_newline", "false")]);
    node.datagram(b"a\n");
    node.datagram(b"1234\n");
    let mut rows = Vec::new();
    node.each_row(3, |row| rows.push((shown(row), row.marks().has(Marks::CONTINUES))));
    let row = |text: &str, goes_on| (text.to_owned(), goes_on);
    assert_eq!(rows, [row("udp | message=a\n", false), row("udp | message=123", true), row("udp |", false)]);
    for (name, value) in [("parse.type", "x"), ("parse.type", "msgpack"), ("delimiter", "")] {
        let options = sawlog_pipeline::config::options(&TCP, &[(name, vec![value.to_owned()])]).unwrap();
        assert!((TCP.input.unwrap())(&options).is_err(), "{name} = {value}");
    }
    assert!(
        (UNIX.input.unwrap())(&sawlog_pipeline::config::options(&UNIX, &[]).unwrap()).is_err(),
        "no path"
    );
}

#[test]
fn who_sent_is_a_field() {
    let keys = [("source_address_key", "ip"), ("source_hostname_key", "from"), ("resolve_hostname", "true")];
    for protocol in [&TCP, &UDP] {
        let node = Listening::start(protocol, &keys);
        if protocol.name == "tcp" {
            node.send(b"a")
        } else {
            node.datagram(b"a")
        }
        let row = node.rows(1).remove(0);
        assert!(row.ends_with("| message=a from=localhost ip=127.0.0.1"), "{row}");
    }
}

#[test]
fn lines_come_over_tls() {
    let made = Certificates::new(&["localhost"]);
    let (cert, key, ca) = (made.path("localhost.pem"), made.path("localhost.key"), made.path("ca.pem"));
    let node = Listening::start(&TCP, &[("tls_cert", &cert), ("tls_key", &key)]);
    node.send_over_tls(&ca, b"secret\n");
    assert_eq!(node.rows(1), ["tcp | message=secret"]);
}

#[test]
fn connections_beyond_the_most_wait() {
    let node = Listening::start(&TCP, &[("connections", "1")]);
    let first = node.connect(node.address);
    node.send(b"second\n");
    sawlog_sys::task::sleep(std::time::Duration::from_millis(100));
    assert_eq!(node.output.lines(), [] as [&str; 0]);
    drop(first);
    assert_eq!(node.rows(1), ["tcp | message=second"]);
}

#[test]
fn what_was_read_is_delivered_when_the_node_stops() {
    let mut node = Listening::start(&TCP, &[]);
    let mut open = node.connect(node.address);
    node.runtime.block_on(tokio::io::AsyncWriteExt::write_all(&mut open, b"whole\nhalf")).unwrap();
    assert_eq!(node.rows(1), ["tcp | message=whole"]);
    node.stop();
    assert_eq!(node.output.wait_for_rows(2), ["whole\n", "half"]);
}

#[test]
fn fluentds_options_mean_ours() {
    let (options, findings) = source(
        &TCP,
        "@type tcp
         tag tcp.events
         port 20001
         delimiter \\0
         source_host_key from
         source_address_key ip
         resolve_hostname false
         message_length_limit 1k
         emit_unmatched_lines true
         blocking_timeout 1
         <parse>
           @type apache2
           timezone +09:00
         </parse>",
    );
    assert_eq!(findings.len(), 1, "{findings:?}");
    let wanted = "delimiter=\\0 listen=0.0.0.0:20001 message_length_limit=1024 parse.timezone=+09:00 parse.type=apache2 \
        parse.unmatched=keep resolve_hostname=false source_address_key=ip source_hostname_key=from tag=tcp.events";
    assert_eq!(options, wanted);
    let (options, findings) = source(
        &UDP,
        "type udp\ntag u\nformat none\nbody_size_limit 9\nremove_newline false\nreceive_buffer_size 8m",
    );
    assert_eq!(findings, [] as [&str; 0]);
    let wanted = "listen=0.0.0.0:5160 message_length_limit=9 parse.timezone=local parse.type=none parse.unmatched=drop \
        receive_buffer_size=8388608 remove_newline=false resolve_hostname=false tag=u";
    assert_eq!(options, wanted);
    let (_, findings) = source(&UDP, "@type udp\n<parse>\n@type nothing\nkey a\n</parse>");
    assert_eq!(findings.len(), 3, "no tag, no such parser, no such option: {findings:?}");
    assert_eq!(source(&TCP, "@type tcp\ntag t\n<transport udp>\n</transport>").1.len(), 1);
}
