//! The output: what is published, and that nothing counts as handed on before the broker has confirmed it.

use std::sync::Arc;

use lapin::ExchangeKind;
use sawlog_model::{Batch, Context, Marks, Row};
use sawlog_pipeline::{Lsn, Origin, Output, OutputError};
use sawlog_sys::task;

use super::broker::{Broker, Peer};
use super::node::{env, options};
use super::proxy::Proxy;
use crate::amqp::PROTOCOL;

/// Lines as rows, the first one at `offset`.
fn batch(tag: &str, offset: u64, lines: &[&str]) -> Arc<Batch> {
    let mut batch = Batch { context: Arc::new(Context::new([("_tag", tag)])), ..Batch::default() };
    let mut start = 0;
    for (index, line) in lines.iter().enumerate() {
        let (len, offset) = (line.len() as u32, offset + index as u64);
        let time = 1_511_836_993_000_000_000;
        let marks = Marks::default();
        batch.rows.push(Row { start, len, offset, time, received: 1, slots_end: 0, marks });
        start += len;
    }
    batch.buffer = lines.concat().into_bytes().into();
    Arc::new(batch)
}

fn origin(next: u64) -> Origin {
    Origin::Journal { at: Lsn(next - 1), next: Lsn(next), position: None }
}

fn make(runtime: &tokio::runtime::Runtime, given: &[(&'static str, &str)]) -> Box<dyn Output> {
    PROTOCOL.output.expect("an output")(&options(given), &env(runtime)).expect("an output")
}

#[test]
fn rows_are_published_and_confirmed() {
    let Some(broker) = Broker::shared("amqp: the output") else { return };
    let peer = Peer::new(broker);
    peer.declare("out", ExchangeKind::Topic, "out");
    let (runtime, uri) = (task::runtime("test", 2).expect("a runtime"), broker.uri());
    let output = make(&runtime, &[("uri", &uri), ("exchange", "out"), ("routing_key", "x.${tag}")]);
    let lines: Vec<String> = (0..1200).map(|n| format!("line {n}\n")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    output.take(batch("app.web", 7, &lines), origin(9)).expect("taken");
    assert_eq!(output.cursor(), Lsn(9));
    let messages = peer.take("out", 1200);
    assert_eq!(messages[3].routing_key.as_str(), "x.app.web");
    assert_eq!(String::from_utf8_lossy(&messages[3].data), r#"{"message":"line 3"}"#);
    let properties = &messages[3].properties;
    assert_eq!(properties.delivery_mode(), &Some(2));
    assert_eq!(properties.timestamp(), &Some(1_511_836_993));
    let id = properties.message_id().as_ref().map(|id| id.as_str().to_owned());
    assert_eq!(id.as_deref(), Some("00000000000000000000000000000000-0-10"));
    assert_eq!(messages.iter().filter(|message| message.data.ends_with(b"99\"}")).count(), 12);
}

#[test]
fn messages_wait_in_a_queue_of_the_output_s_own_making() {
    let Some(broker) = Broker::shared("amqp: the output's queue") else { return };
    let peer = Peer::new(broker);
    let (runtime, uri) = (task::runtime("test", 2).expect("a runtime"), broker.uri());
    let output = make(
        &runtime,
        &[
            ("uri", &uri),
            ("exchange", "beaver-exchange"),
            ("exchange_type", "direct"),
            ("routing_key", "beaver-key"),
            ("bind_queue", "beaver-queue"),
            ("mandatory", "true"),
        ],
    );
    output.take(batch("a", 0, &["one\n", "two\n"]), origin(3)).expect("taken");
    let messages = peer.take("beaver-queue", 2);
    let bodies = messages.iter().map(|message| String::from_utf8_lossy(&message.data).into_owned());
    assert_eq!(bodies.collect::<Vec<_>>(), [r#"{"message":"one"}"#, r#"{"message":"two"}"#]);
}

#[test]
fn nothing_is_handed_on_before_it_is_confirmed() {
    let Some(broker) = Broker::shared("amqp: confirmations") else { return };
    let peer = Peer::new(broker);
    peer.declare("confirm", ExchangeKind::Topic, "confirm");
    let proxy = Proxy::new(broker.port());
    let (runtime, uri) = (task::runtime("test", 2).expect("a runtime"), proxy.uri());
    let output = make(&runtime, &[("uri", &uri), ("exchange", "confirm"), ("persistent", "false")]);
    output.take(batch("a", 0, &["1\n"]), origin(5)).expect("taken");
    proxy.set_deaf(true);
    let cut = std::thread::scope(|scope| {
        let taken = scope.spawn(|| output.take(batch("a", 1, &["2\n"]), origin(6)));
        task::sleep(std::time::Duration::from_millis(300));
        proxy.cut();
        taken.join().expect("it answers")
    });
    assert!(matches!(cut, Err(OutputError::Later(_))), "{cut:?}");
    assert_eq!(output.cursor(), Lsn(5));
    proxy.set_deaf(false);
    output.take(batch("a", 1, &["2\n"]), origin(6)).expect("taken");
    assert_eq!(output.cursor(), Lsn(6));
    let messages = peer.take("confirm", 2);
    assert_eq!(messages[1].properties.delivery_mode(), &Some(1));
    assert_eq!(peer.waiting("confirm"), 0);
}

#[test]
fn a_message_that_no_queue_gets_waits_where_it_is_mandatory() {
    let Some(broker) = Broker::shared("amqp: mandatory messages") else { return };
    let peer = Peer::new(broker);
    let (runtime, uri) = (task::runtime("test", 2).expect("a runtime"), broker.uri());
    let given = [("uri", uri.as_str()), ("exchange", "nobody"), ("exchange_durable", "true")];
    make(&runtime, &given).take(batch("a", 0, &["1\n"]), origin(5)).expect("the broker drops it");
    let output = make(&runtime, &[given[0], given[1], given[2], ("mandatory", "true")]);
    let rows = batch("a", 1, &["2\n", "3\n"]);
    let taken = output.take(rows.clone(), origin(6));
    assert!(
        matches!(&taken, Err(OutputError::Later(words)) if words.contains("no queue is bound")),
        "{taken:?}"
    );
    peer.declare("nobody", ExchangeKind::Topic, "somebody");
    output.take(rows, origin(6)).expect("taken");
    let bodies = peer.take("somebody", 2).into_iter().map(|message| message.data);
    assert_eq!(bodies.collect::<Vec<_>>(), [br#"{"message":"2"}"#, br#"{"message":"3"}"#]);
}

#[test]
fn what_cannot_be_sent_is_refused_and_the_rest_is_sent() {
    let Some(broker) = Broker::shared("amqp: a long routing key") else { return };
    let peer = Peer::new(broker);
    peer.declare("long", ExchangeKind::Topic, "long");
    let (runtime, uri) = (task::runtime("test", 2).expect("a runtime"), broker.uri());
    let output = make(&runtime, &[("uri", &uri), ("exchange", "long")]);
    let taken = output.take(batch(&"t".repeat(256), 0, &["1\n"]), origin(5));
    assert!(matches!(taken, Err(OutputError::Refused(_))), "{taken:?}");
    assert_eq!(output.cursor(), Lsn(5));
    output.take(batch("t", 1, &["2\n"]), origin(6)).expect("taken");
    assert_eq!(peer.take("long", 1)[0].data, br#"{"message":"2"}"#);
}
