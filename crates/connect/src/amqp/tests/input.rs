//! The input: what arrives, what is acknowledged, and what happens when somebody goes away.

use std::collections::BTreeMap;

use lapin::ExchangeKind;
use lapin::types::{AMQPValue, FieldTable};
use sawlog_model::{Fields, Kind, Marks};
use sawlog_pipeline::{Tap, Tapped};

use super::broker::{Broker, Peer};
use super::node::{Node, is_soon, options, wait_until};
use super::proxy::Proxy;
use crate::amqp::PROTOCOL;

/// The two events of logcollect 0.14.0, as captured.
const LOGCOLLECT: [&str; 2] = [
    r#"{"@timestamp": "2026-11-20T23:51:56.703375Z", "@version": 1, "message": "hello world", "host": "vm", "tags": [], "type": "Logstash", "seq": 1, "levelname": "INFO", "logger": "test.sub", "stack_info": null, "process": 21251, "req_id": 5, "project": "github", "application": "backend"}"#,
    r#"{"@timestamp": "2026-11-20T23:51:56.723932Z", "@version": 1, "message": "bad", "host": "vm", "tags": [], "type": "Logstash", "seq": 1, "levelname": "ERROR", "logger": "test.sub", "stack_info": null, "process": 21251, "project": "github", "application": "backend", "exc_info": "Traceback (most recent call last):\n  File \"<stdin>\", line 35, in <module>\nZeroDivisionError: division by zero\n", "lineno": 36, "threadName": "MainThread"}"#,
];

/// A row as `TAG@HOST TIME | name=value …`.
fn shown(row: sawlog_model::RowRef<'_>) -> String {
    let context = |name| row.batch.context.get(name).unwrap_or("-");
    let mut text =
        format!("{}@{} {} |", context("_tag"), context("_host"), sawlog_model::time::rfc3339(row.time()));
    for slot in row.slots().iter().filter(|slot| slot.kind != Kind::Time) {
        let name = row.batch.names.name(slot.name);
        let value = row.field(name).expect("its slot is there");
        text += &format!(" {name}={}", value.text().map_or("null".into(), String::from_utf8_lossy));
    }
    text
}

/// The next rows.
fn rows(tap: &mut Tap, count: usize) -> Vec<String> {
    let runtime = sawlog_sys::task::runtime("test", 1).expect("a runtime");
    let mut rows = Vec::new();
    while rows.len() < count {
        let patience = std::time::Duration::from_secs(60);
        let next = runtime.block_on(async { tokio::time::timeout(patience, tap.next()).await });
        let Some(Tapped::Rows(batch)) = next.expect("rows in time") else { panic!("rows") };
        rows.extend(batch.iter().map(shown));
    }
    rows
}

/// Bodies `{"n":FIRST}` and so on.
fn numbered(first: usize, count: usize) -> Vec<String> {
    (first..first + count).map(|n| format!("{{\"n\":{n}}}")).collect()
}

/// How often each line is there.
fn counted(lines: &[String]) -> BTreeMap<&str, usize> {
    let mut counted = BTreeMap::new();
    lines.iter().for_each(|line| *counted.entry(line.trim_end()).or_default() += 1);
    counted
}

/// That each of `numbered(0, count)` is there once, and nothing else.
fn assert_once(lines: &[String], count: usize) {
    let (counted, wanted) = (counted(lines), numbered(0, count));
    let missing: Vec<_> = wanted.iter().filter(|line| !counted.contains_key(line.as_str())).collect();
    let doubled: Vec<_> = counted.iter().filter(|(_, times)| **times > 1).collect();
    assert!(missing.is_empty() && doubled.is_empty(), "missing {missing:?}, doubled {doubled:?}");
    assert_eq!(counted.len(), count);
}

#[test]
fn logcollects_events_are_found_with_every_field() {
    let Some(broker) = Broker::shared("amqp: logcollect's events") else { return };
    let given = [
        ("uri", broker.uri()),
        ("exchange", "lc".into()),
        ("queue", "lc".into()),
        ("tag", "lc:${routing_key}".into()),
    ];
    let given: Vec<(&str, &str)> = given.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let peer = Peer::new(broker);
    // What is published before a queue is bound is nobody's.
    peer.declare("lc", ExchangeKind::Topic, "lc");
    let mut node = Node::start(&given);
    let mut tap = node.pipeline.subscribe();
    peer.publish("lc", "logstash.test.sub", &LOGCOLLECT);
    let first = "lc:logstash.test.sub@vm 2026-11-20T23:51:56.703375Z | @timestamp=2026-11-20T23:51:56.703375Z @version=1 message=hello world host=vm tags=[] type=Logstash seq=1 levelname=INFO logger=test.sub stack_info=null process=21251 req_id=5 project=github application=backend";
    let rows = rows(&mut tap, 2);
    assert_eq!(rows[0], first);
    let wanted = " exc_info=Traceback (most recent call last):\n  File \"<stdin>\", line 35, in <module>\nZeroDivisionError: division by zero\n lineno=36 threadName=MainThread";
    assert!(rows[1].ends_with(wanted), "{}", rows[1]);
    wait_until("all are acknowledged", || peer.waiting("lc") == 0);
    node.stop();
    assert_eq!((peer.waiting("lc"), node.errors("connection")), (0, 0));
}

/// All that logcollect 0.14.0 says in a session with these two events, as captured.
const SESSION: &[u8] = include_bytes!("logcollect-session.bin");

#[test]
fn a_captured_session_of_logcollect_is_decoded() {
    let Some(broker) = Broker::shared("amqp: a captured session") else { return };
    let uri = broker.uri();
    let mut node = Node::start(&[("uri", &uri), ("queue", "captured")]);
    let peer = Peer::new(broker);
    wait_until("it is bound", || peer.has("captured") && peer.reaches("logstash", "logstash.x"));
    // It takes the greeting of an older version, and all up to the wish to close the connection.
    let close_ok = [1, 0, 0, 0, 0, 0, 4, 0, 10, 0, 51, 0xce];
    broker.answers_to(SESSION, &close_ok);
    let events = |lines: &[String]| -> Vec<String> {
        lines.iter().filter(|line| line.contains("@timestamp")).cloned().collect()
    };
    let lines = events(&node.wait_for(|lines| events(lines).len() >= 2));
    node.stop();
    // The same, but for blanks, and the version a text.
    let compact = |event: &str| event.replace("\": ", "\":").replace(", \"", ",\"");
    let wanted = LOGCOLLECT.map(|event| compact(event).replace("@version\":1", "@version\":\"1\"") + "\n");
    assert_eq!(lines, wanted);
}

#[test]
fn what_is_stored_and_not_acknowledged_is_recognised_after_a_crash() {
    let Some(broker) = Broker::shared("amqp: a crash between journal and acknowledgement") else { return };
    let peer = Peer::new(broker);
    peer.declare("crash", ExchangeKind::Topic, "crash");
    let proxy = Proxy::new(broker.port());
    let uri = proxy.uri();
    let given = [
        ("uri", uri.as_str()),
        ("exchange", "crash"),
        ("queue", "crash"),
        ("routing_keys", "#"),
        ("prefetch", "50"),
    ];
    let rounds = if std::env::var_os("SAWLOG_SLOW_TESTS").is_some() { 200 } else { 12 };
    let (mut published, mut not_acknowledged) = (0, 0);
    let mut node = Node::start(&given);
    for round in 0..rounds {
        // What was published before is acknowledged in part, and what comes now not at all.
        peer.publish("crash", "k", &numbered(published, 30));
        published += 30;
        if round % 3 != 0 {
            node.wait_for(|lines| counted(lines).len() >= published);
        }
        proxy.set_deaf(true);
        peer.publish("crash", "k", &numbered(published, 20));
        published += 20;
        if round % 3 != 0 {
            // It takes what comes with the first of these, unless it waits for an answer already.
            let some = || counted(&node.output.lines()).len() > published - 20;
            not_acknowledged += usize::from(is_soon(some));
        }
        if round % 5 == 0 {
            node.output.commit();
        }
        let left = node.left();
        proxy.cut();
        node.kill();
        proxy.set_deaf(false);
        node = Node::again(left, &given);
    }
    assert!(not_acknowledged > 0, "no crash came between journal and acknowledgement");
    node.wait_for(|lines| counted(lines).len() >= published);
    wait_until("all are acknowledged", || peer.waiting("crash") == 0);
    node.stop();
    assert_once(&node.output.lines(), published);
    assert_eq!(peer.waiting("crash"), 0, "nothing was given back at the end");
}

#[test]
fn nothing_is_lost_or_doubled_when_connections_break_at_any_moment() {
    let Some(broker) = Broker::shared("amqp: connections that break") else { return };
    let peer = Peer::new(broker);
    peer.declare("cut", ExchangeKind::Topic, "cut");
    let proxy = Proxy::new(broker.port());
    let uri = proxy.uri();
    let given = [
        ("uri", uri.as_str()),
        ("exchange", "cut"),
        ("queue", "cut"),
        ("routing_keys", "#"),
        ("prefetch", "20"),
        ("reconnect", "200ms"),
    ];
    let mut node = Node::start(&given);
    let (mut published, mut not_acknowledged) = (0, 0);
    for round in 0..20 {
        peer.publish("cut", "k", &numbered(published, 50));
        published += 50;
        let some = published - [0, 7, 40][round % 3];
        node.wait_for(|lines| lines.len() >= some);
        if round % 2 == 0 {
            proxy.set_deaf(true);
            peer.publish("cut", "k", &numbered(published, 10));
            let soon = is_soon(|| node.output.lines().len() > published);
            not_acknowledged += usize::from(soon);
            published += 10;
        }
        proxy.cut();
        proxy.set_deaf(false);
    }
    assert!(not_acknowledged > 0, "nothing was stored without an acknowledgement");
    node.wait_for(|lines| counted(lines).len() >= published);
    wait_until("all are acknowledged", || peer.waiting("cut") == 0);
    node.stop();
    assert_once(&node.output.lines(), published);
    assert_eq!(peer.waiting("cut"), 0, "nothing was given back at the end");
}

#[test]
fn a_broker_that_is_stopped_and_started_again_is_followed() {
    let Some(broker) = Broker::own("amqp: a restart of the broker") else { return };
    let peer = Peer::new(&broker);
    peer.declare("restart", ExchangeKind::Topic, "restart");
    let uri = broker.uri();
    let given = [
        ("uri", uri.as_str()),
        ("exchange", "restart"),
        ("queue", "restart"),
        ("routing_keys", "#"),
        ("reconnect", "1s"),
    ];
    let mut node = Node::start(&given);
    peer.publish("restart", "k", &numbered(0, 500));
    node.wait_for(|lines| !lines.is_empty());
    broker.stop();
    wait_until("it notices", || node.errors("connection") > 0);
    broker.run();
    let peer = Peer::new(&broker);
    peer.publish("restart", "k", &numbered(500, 500));
    node.wait_for(|lines| counted(lines).len() >= 1000);
    wait_until("all are acknowledged", || peer.waiting("restart") == 0);
    node.stop();
    assert_once(&node.output.lines(), 1000);
}

#[test]
fn the_queue_is_bound_to_what_is_configured_and_to_nothing_else() {
    let Some(broker) = Broker::shared("amqp: bindings") else { return };
    let peer = Peer::new(broker);
    let uri = broker.uri();
    let with = |keys: &'static str| {
        [
            ("uri", uri.clone()),
            ("exchange", "keys".to_owned()),
            ("queue", "keys".to_owned()),
            ("routing_keys", keys.to_owned()),
        ]
    };
    let given = with("a.*, b");
    let given: Vec<(&str, &str)> = given.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut node = Node::start(&given);
    wait_until("it is bound", || peer.has("keys") && peer.reaches("keys", "b"));
    for (key, body) in [("a.x", r#"{"n":1}"#), ("a", r#"{"n":2}"#), ("b", r#"{"n":3}"#), ("c", r#"{"n":4}"#)]
    {
        peer.publish("keys", key, &[body]);
    }
    let lines = node.wait_for(|lines| lines.iter().any(|line| line.contains("\"n\":3")));
    assert!(lines.iter().all(|line| !line.contains("\"n\":2") && !line.contains("\"n\":4")), "{lines:?}");
    node.stop();
    let left = node.left();
    // `b` is taken out while it does not run.
    let given = with("c,a.*");
    let given: Vec<(&str, &str)> = given.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut node = Node::again(left, &given);
    wait_until("it is bound anew", || peer.reaches("keys", "c") && !peer.reaches("keys", "b"));
    peer.publish("keys", "a.y", &[r#"{"n":5}"#]);
    node.wait_for(|lines| lines.iter().any(|line| line.contains("\"n\":5")));
    node.stop();
}

#[test]
fn a_queue_and_exchange_that_are_there_are_used_as_they_are() {
    let Some(broker) = Broker::shared("amqp: what is there already") else { return };
    let peer = Peer::new(broker);
    // Durable and of another type; the input would have them transient and `topic`.
    peer.declare("there", ExchangeKind::Fanout, "there");
    let uri = broker.uri();
    let mut node = Node::start(&[("uri", &uri), ("exchange", "there"), ("queue", "there")]);
    peer.publish("there", "", &[r#"{"n":1}"#]);
    node.wait_for(|lines| lines.len() == 1);
    peer.delete("there");
    wait_until("it notices", || node.errors("connection") > 0);
    wait_until("the queue is there again", || peer.has("there"));
    wait_until("it is bound", || peer.reaches("there", "x"));
    node.stop();
}

#[test]
fn what_is_no_event_is_kept_or_goes_to_the_dead_letters() {
    let Some(broker) = Broker::shared("amqp: what is no event") else { return };
    let peer = Peer::new(broker);
    let bodies: [&[u8]; 5] = [b"[web01] text", br#"{"n":1}"#, b"\xff\xfe", b"", br#"[{"n":2},{"n":3}]"#];
    peer.declare("odd", ExchangeKind::Topic, "odd");
    let uri = broker.uri();
    let mut node =
        Node::start(&[("uri", &uri), ("exchange", "odd"), ("queue", "odd"), ("message_length_limit", "20")]);
    peer.publish("odd", "k", &bodies);
    peer.publish("odd", "k", &["{\"n\":\"a long one, which is cut\"}"]);
    node.wait_for(|lines| lines.len() >= 7);
    wait_until("all are acknowledged", || peer.waiting("odd") == 0);
    let shown: Vec<_> = node
        .output
        .rows()
        .iter()
        .map(|row| (String::from_utf8_lossy(&row.raw).into_owned(), row.marks))
        .collect();
    let unparsed = |text: &str| (text.to_owned(), Marks::UNPARSED.with(Marks::NO_TIME));
    let texts: Vec<&str> = shown.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "[web01] text",
            "{\"n\":1}\n",
            "\u{fffd}\u{fffd}",
            "{\"n\":2}\n",
            "{\"n\":3}\n",
            "{\"n\":\"a long one, wh",
            "ich is cut\"}"
        ]
    );
    assert_eq!(shown[0], unparsed("[web01] text"));
    assert!(shown[5].1.has(Marks::CONTINUES) && !shown[6].1.has(Marks::CONTINUES));
    assert_eq!(node.errors("malformed"), 4);
    node.stop();

    peer.declare("dead", ExchangeKind::Fanout, "dead");
    // The exchange stays without a queue.
    peer.declare("poison", ExchangeKind::Topic, "poison");
    peer.delete("poison");
    let mut arguments = FieldTable::default();
    arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString("dead".into()));
    peer.declare_queue("refused", arguments);
    let given = [
        ("uri", uri.as_str()),
        ("exchange", "poison"),
        ("queue", "refused"),
        ("routing_keys", "#"),
        ("malformed", "reject"),
    ];
    let mut node = Node::start(&given);
    wait_until("it is bound", || peer.has("refused") && peer.reaches("poison", "x"));
    peer.publish("poison", "k", &[&b"poison"[..], br#"{"n":1}"#]);
    node.wait_for(|lines| lines.iter().any(|line| line.contains("\"n\":1")));
    let dead = peer.take("dead", 1);
    assert_eq!(dead[0].data, b"poison");
    assert!(node.errors("malformed") >= 1);
    node.stop();
}

#[test]
fn more_than_the_buffer_comes_through_it() {
    let Some(broker) = Broker::shared("amqp: messages larger than the buffer") else { return };
    let peer = Peer::new(broker);
    peer.declare("large", ExchangeKind::Topic, "large");
    let large: Vec<String> =
        (0..8).map(|n| format!("{{\"n\":{n},\"x\":\"{}\"}}", "x".repeat(700_000))).collect();
    peer.publish("large", "k", &large);
    let uri = broker.uri();
    let mut node =
        Node::start(&[("uri", &uri), ("exchange", "large"), ("queue", "large"), ("buffer", "100KiB")]);
    node.wait_for(|lines| lines.len() == 8);
    wait_until("all are acknowledged", || peer.waiting("large") == 0);
    node.stop();
    assert!(node.output.lines().iter().zip(&large).all(|(line, body)| line.trim_end() == body));
}

#[test]
fn tls_is_spoken_and_certificates_are_checked() {
    let Some(broker) = Broker::shared("amqp: TLS") else { return };
    let peer = Peer::new(broker);
    peer.declare("tls", ExchangeKind::Topic, "tls");
    peer.publish("tls", "k", &[r#"{"n":1}"#]);
    let (uri, ca) = broker.uri_with_tls();
    let given = [("uri", uri.as_str()), ("exchange", "tls"), ("queue", "tls"), ("tls_ca", ca.as_str())];
    let mut node = Node::start(&given);
    assert_eq!(node.wait_for(|lines| lines.len() == 1), ["{\"n\":1}\n"]);
    node.stop();
    let other = [given[0], given[1], given[2], given[3], ("tls_server_name", "elsewhere.example")];
    let mut node = Node::start(&other);
    wait_until("it is refused", || node.errors("connection") > 0);
    node.stop();
}

#[test]
fn local_time_is_mended_where_it_is_asked_for() {
    let Some(broker) = Broker::shared("amqp: local time") else { return };
    let peer = Peer::new(broker);
    peer.declare("local", ExchangeKind::Topic, "local");
    let uri = broker.uri();
    let given =
        [("uri", uri.as_str()), ("exchange", "local"), ("queue", "local"), ("local_time", "Asia/Tokyo")];
    let mut node = Node::start(&given);
    let mut tap = node.pipeline.subscribe();
    peer.publish("local", "k", &LOGCOLLECT[..1]);
    let row = rows(&mut tap, 1).remove(0);
    let wanted = "logstash@vm 2026-11-20T14:51:56.703375Z | @timestamp=2026-11-20T14:51:56.703375Z @version=1 message=";
    assert!(row.starts_with(wanted), "{row}");
    node.stop();
}

#[test]
fn what_cannot_be_is_refused_with_the_remedy() {
    for (name, value, wanted) in [
        ("uri", "localhost", "`uri`: write it as amqp://"),
        ("queue", "", "`queue`: name the queue"),
        ("local_time", "Mars/Base", "there is no such zone"),
        ("malformed", "drop", "there are keep and reject"),
    ] {
        let made = PROTOCOL.input.expect("an input")(&options(&[(name, value)]));
        let Err(error) = made else { panic!("{name}") };
        assert!(error.to_string().contains(wanted), "{error}");
    }
}
