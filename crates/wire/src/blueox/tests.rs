//! The ports over real sockets, with a real journal behind.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use sawlog_model::{Batch, Fields, Limits, Tenant, Value};
use sawlog_pipeline::{Lsn, Origin, Output};
use sawlog_sys::net::TcpStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::samples::SAMPLES;
use super::{PROTOCOL, event};
use crate::shared::door::testing::{Listening, shown};
use crate::shared::msgpack;
use crate::shared::zmtp::{Event, Message, Pipe, Role, Session};
use crate::testing::{env, rows};

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn conforms() {
    assert_eq!(sawlog_pipeline::conform::check(&PROTOCOL, 1), Ok(()));
}

/// A node with all three ports, and the port of control.
fn node(given: &[(&str, &str)]) -> (Listening, std::net::SocketAddr) {
    let control = free();
    let address = control.to_string();
    let mut options = vec![("control", address.as_str()), ("stream_range", "0")];
    options.extend_from_slice(given);
    (Listening::start(&PROTOCOL, &options), control)
}

/// An address that is free now.
fn free() -> std::net::SocketAddr {
    let runtime = sawlog_sys::task::runtime("test", 1).expect("a runtime");
    let listener = runtime.block_on(sawlog_sys::net::listen("127.0.0.1:0".parse().expect("an address")));
    listener.expect("a listener").local_addr().expect("an address")
}

fn client(node: &Listening, address: std::net::SocketAddr, role: Role) -> Pipe<TcpStream> {
    let mut pipe = Pipe::new(node.connect(address), Session::new(role, &[], 1 << 20));
    node.runtime.block_on(pipe.greet(PATIENCE)).expect("a handshake");
    pipe
}

/// Sends the bytes of a connection, and reads what is answered until both sides have closed it.
fn push(node: &Listening, bytes: &[u8]) {
    let mut stream = node.connect(node.address);
    let pushed = async {
        stream.write_all(bytes).await?;
        stream.shutdown().await?;
        timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await.expect("it closes in time")
    };
    node.runtime.block_on(pushed).expect("the node reads");
}

fn ask(node: &Listening, pipe: &mut Pipe<TcpStream>, request: &[u8]) -> Value {
    let answer = node.runtime.block_on(async {
        pipe.send(&[b"", request]).await?;
        timeout(PATIENCE, pipe.next_message()).await.expect("an answer in time")
    });
    let message = answer.expect("an answer").expect("not closed");
    assert_eq!((message.count, message.frames[0].len()), (2, 0), "the envelope comes back");
    msgpack::value(&message.frames[1], &Limits::default()).expect("msgpack").0
}

/// Records that the node took from senders who are told nothing.
fn best_effort(node: &Listening) -> u64 {
    let parts = node.pipeline.status().parts();
    parts.iter().filter(|part| part.role == "input").map(|part| part.best_effort).sum()
}

fn command(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    msgpack::write(&Value::Map(vec![(Value::Str("cmd".into()), Value::Str(name.into()))]), &mut out);
    out
}

/// Messages of a sample, as frames.
fn messages(sample: usize) -> Vec<Message> {
    let mut session = Session::new(Role::Pull, &[], 1 << 20);
    let mut buffer = BytesMut::from(SAMPLES[sample].bytes);
    std::iter::from_fn(|| session.next(&mut buffer).expect("valid"))
        .filter_map(|event| match event {
            Event::Message(message) => Some(message),
            _ => None,
        })
        .collect()
}

#[test]
fn events_become_rows_with_types_and_times() {
    let (node, _) = node(&[("source_address_key", "ip")]);
    push(&node, SAMPLES[0].bytes);
    let mut rows = Vec::new();
    node.each_row(3, |row| {
        rows.push((row.batch.context.get("_host").unwrap_or_default().to_owned(), row.time(), shown(row)))
    });
    assert_eq!(
        rows[0],
        (
            "vm".to_owned(),
            1_795_217_048_071_435_000,
            "request.sql | body.query=sel\u{e9}ct body.dt=2013-12-10 body.d=1.5 end=1795217048.071435 pid=19779 \
             start=1795217048.07095 host=vm type=request.sql id=6b00d69868c346a92b8185986603cb46 ip=127.0.0.1"
                .to_owned()
        )
    );
    assert_eq!(rows[2].1, 1_795_217_048_071_776_000);
    assert!(
        rows[2].2.contains(" body.response.status=200 ") && rows[2].2.contains(" body.n=5 "),
        "{}",
        rows[2].2
    );
    assert!(node.errors().is_empty(), "{:?}", node.errors());
    assert_eq!(best_effort(&node), 3, "its client is told nothing");
}

#[test]
fn peers_of_older_libraries_are_read() {
    for (sample, kind) in [(1, "request |"), (2, "request.sql |")] {
        let (node, _) = node(&[]);
        push(&node, SAMPLES[sample].bytes);
        let row = node.rows(1).remove(0);
        assert!(row.starts_with(kind), "{row}");
    }
}

#[test]
fn what_goes_out_is_what_came_in() {
    let (node, _) = node(&[]);
    push(&node, SAMPLES[0].bytes);
    let mut events = Vec::new();
    node.each_row(3, |row| events.push(event::from_row(row, &Limits::default())));
    for (event, message) in events.iter().zip(messages(0)) {
        assert_eq!(event.meta, message.frames[0]);
        assert_eq!(event.data, message.frames[1], "{}", event.kind);
    }
}

#[test]
fn what_is_no_event_is_counted_and_nobody_else_is_disturbed() {
    let (node, _) = node(&[]);
    let mut good = client(&node, node.address, Role::Push);
    let events = messages(0);
    let (meta, data) = (events[0].frames[0].to_vec(), events[0].frames[1].to_vec());
    let mut other_version = meta.clone();
    other_version[0] = 2;
    let bad: &[(&str, &[&[u8]])] = &[
        ("version", &[&other_version, &data]),
        ("version", &[b"", &data]),
        ("meta", &[&meta[..136], &data]),
        ("frames", &[&data]),
        ("frames", &[&meta, &data, b"x"]),
        ("data", &[&meta, &data[..20]]),
        ("data", &[&meta, b"\x80\x80"]),
        ("data", &[&meta, b"\xdd\xff\xff\xff\xff"]),
        ("not_a_map", &[&meta, b"\x93\x01\x02\x03"]),
    ];
    let mut sender = client(&node, node.address, Role::Push);
    for (reason, frames) in bad {
        let count = |node: &Listening| {
            node.errors().iter().find(|(have, _)| have == reason).map_or(0, |(_, count)| *count)
        };
        let before = count(&node);
        // What follows on the same connection, and what comes on another, arrives.
        node.runtime
            .block_on(async {
                sender.send(frames).await?;
                sender.send(&[&meta, &data]).await?;
                good.send(&[&meta, &data]).await
            })
            .expect("both are open");
        assert_eq!(node.rows(2).len(), 2);
        assert_eq!(count(&node), before + 1, "{reason}: {:?}", node.errors());
    }
    // A lying length ends its own connection only.
    let mut liar = node.connect(node.address);
    let lie = [&SAMPLES[0].bytes[..64 + 28], &[3, 0x7f, 255, 255, 255, 255, 255, 255, 255]].concat();
    node.runtime.block_on(liar.write_all(&lie)).expect("written");
    node.wait_for_error("too_large");
    node.runtime.block_on(good.send(&[&meta, &data])).expect("open");
    assert_eq!(node.rows(1).len(), 1);
}

#[test]
fn control_answers_what_it_is_asked() {
    let (node, address) = node(&[]);
    let mut control = client(&node, address, Role::Req);
    let collect = ask(&node, &mut control, &command("SOCK_COLLECT"));
    assert_eq!(collect.get("port"), Some(&Value::Int(node.address.port().into())));
    let status = ask(&node, &mut control, &command("STATUS"));
    assert_eq!((status.get("last"), status.get("lag")), (Some(&Value::Nil), Some(&Value::Nil)));
    push(&node, SAMPLES[0].bytes);
    node.rows(3);
    let mut tries = 0;
    let status = loop {
        let status = ask(&node, &mut control, &command("STATUS"));
        tries += 1;
        if status.get("events").and_then(|events| events.get("request")).is_some() || tries > 1_000 {
            break status;
        }
        sawlog_sys::task::sleep(Duration::from_millis(10));
    };
    let last = status.get("events").and_then(|events| events.get("request.log")?.get("last"));
    assert_eq!(last, Some(&Value::Float(1_795_217_048.071_709)));
    let last = status.get("hosts").and_then(|hosts| hosts.get("vm")?.get("last"));
    assert_eq!(last, Some(&Value::Float(1_795_217_048.071_776)));
    assert!(
        matches!(status.get("lag"), Some(Value::Float(_)))
            && matches!(status.get("last"), Some(Value::Float(_)))
    );
    let unknown = Some(Value::Str("Unknown Command".to_owned()));
    for request in
        [command("NO"), b"\x80".to_vec(), b"\x93\x01\x02\x03".to_vec(), b"\xc1".to_vec(), Vec::new()]
    {
        assert_eq!(ask(&node, &mut control, &request).get("error").cloned(), unknown, "{request:x?}");
    }
    assert_eq!(node.errors(), [("request".to_owned(), 5)]);
    let answer = ask(&node, &mut control, &command("FORWARD"));
    assert!(matches!(answer.get("error"), Some(Value::Str(words)) if words.contains("configuration")));
}

#[test]
fn a_node_with_a_file_for_it_is_told_where_to_forward_to() {
    let (node, address) = node(&[("forward_file", "/nowhere/forward"), ("remote_control", "true")]);
    let mut control = client(&node, address, Role::Req);
    let answer = ask(&node, &mut control, &command("FORWARD"));
    assert!(
        matches!(answer.get("error"), Some(Value::Str(words)) if words.contains("no address")),
        "{answer:?}"
    );
}

#[test]
fn the_stream_shows_what_is_subscribed_to() {
    let (node, address) = node(&[]);
    let mut control = client(&node, address, Role::Req);
    let Some(Value::Int(port)) = ask(&node, &mut control, &command("SOCK_STREAM")).get("port").cloned()
    else {
        panic!("a port")
    };
    let port = u16::try_from(port).expect("a port");
    let stream = std::net::SocketAddr::new(address.ip(), port);
    let [mut logs, mut all] = [b"\x01request.log".as_slice(), b"\x01"].map(|subscription| {
        let mut viewer = client(&node, stream, Role::Sub);
        node.runtime.block_on(viewer.send(&[subscription])).expect("subscribed");
        viewer
    });
    // A subscription takes effect some time after it was sent: events are sent until the first one comes.
    let sent = messages(0);
    let next = |viewer: &mut Pipe<TcpStream>, patience| {
        node.runtime.block_on(async { timeout(patience, viewer.next_message()).await })
    };
    let (mut tries, mut firsts) = (0, Vec::new());
    for viewer in [&mut logs, &mut all] {
        let first = loop {
            push(&node, SAMPLES[0].bytes);
            tries += 1;
            assert!(tries < 100, "nothing is streamed");
            if let Ok(message) = next(viewer, Duration::from_millis(500)) {
                break message.expect("valid").expect("not closed");
            }
        };
        firsts.push(first);
    }
    assert_eq!(firsts[0].frames, [&b"request.log"[..], &sent[1].frames[1][..]]);
    let kinds = ["request.sql", "request.log", "request"];
    let of = kinds.iter().position(|kind| kind.as_bytes() == firsts[1].frames[0]).expect("one of them");
    assert_eq!(firsts[1].frames[1], sent[of].frames[1]);
}

/// An output to that address, with what keeps it running.
fn output(to: std::net::SocketAddr, given: &[(&str, &str)]) -> (Box<dyn Output>, tokio::runtime::Runtime) {
    let runtime = sawlog_sys::task::runtime("test", 1).expect("a runtime");
    let to = to.to_string();
    let mut options = vec![("to", vec![to])];
    options.extend(given.iter().map(|(name, value)| (*name, vec![(*value).to_owned()])));
    let options = sawlog_pipeline::config::options(&PROTOCOL, &options).expect("options");
    let output = PROTOCOL.output.expect("an output")(&options, &env(&runtime, Limits::default()));
    (output.expect("an output"), runtime)
}

/// Gives rows to an output as of a journal frame, and waits until it holds them for good.
fn give(output: &dyn Output, batch: Batch, at: u64) {
    let next = Lsn(at + 10);
    output.take(Arc::new(batch), Origin::Journal { at: Lsn(at), next, position: None }).expect("taken");
    output.flush().expect("acknowledged");
    assert_eq!(output.cursor(), next);
}

const EVENTS: &[&str] = &[
    r#"{"id":"i","type":"request","host":"h","pid":7,"start":1.5,"end":2.5,"body":{"n":5,"f":1.0}}"#,
    r#"{"id":"i","type":"request","host":"h","pid":7,"start":2.5,"end":3.5,"body":null}"#,
];

#[test]
fn two_nodes_know_each_other_and_double_nothing() {
    for given in [vec![], vec![("compress", "zstd")], vec![("compress", "lz4")], vec![("compress", "gzip")]] {
        let (node, _) = node(&[]);
        let (output, _runtime) = output(node.address, &given);
        give(&*output, rows("request", EVENTS), 0);
        let mut seen = Vec::new();
        node.each_row(2, |row| seen.push((row.time(), row.batch.tenant, shown(row))));
        // The address and the time are those of the sending node, not of the event.
        assert_eq!((seen[1].0, seen[1].1), (1_511_836_993_814_351_758, Tenant(3)));
        let wanted = "request | id=i type=request host=h pid=7 start=1.5 end=2.5 body.n=5 body.f=1.0";
        assert_eq!(seen[0].2, wanted);
        // What was here comes again with something new: only that is taken.
        let more = rows("request", &[EVENTS[0], EVENTS[1], r#"{"new":1}"#]);
        give(&*output, more, 10);
        assert_eq!(node.rows(1), ["request | new=1"]);
        assert!(node.errors().is_empty(), "{:?}", node.errors());
        assert_eq!((output.best_effort(), best_effort(&node)), (0, 0), "all were acknowledged");
    }
}

#[test]
fn an_original_gets_frames() {
    let (node, _) = node(&[("lane", "false")]);
    for (at, given) in [(0, vec![]), (20, vec![("lane", "false")]), (40, vec![("compress", "zstd")])] {
        let (output, _runtime) = output(node.address, &given);
        give(&*output, rows("request", EVENTS), at);
        let mut seen = Vec::new();
        node.each_row(2, |row| seen.push((row.time(), shown(row))));
        assert_eq!(seen[1].0, 3_500_000_000);
        assert_eq!(
            seen[0].1,
            "request | id=i type=request host=h pid=7 start=1.5 end=2.5 body.n=5 body.f=1.0"
        );
        // What is no event becomes the body of one.
        give(&*output, rows("app.x", &[r#"{"a":1}"#]), at + 10);
        let row = node.rows(1).remove(0);
        assert!(row.starts_with("app.x | id=5a1c") && row.contains(" body.a=1"), "{row}");
        assert_eq!(output.best_effort(), 3);
    }
}

#[test]
fn what_waits_goes_when_the_other_side_is_there() {
    let address = free();
    let (output, _runtime) = output(address, &[]);
    let origin = Origin::Journal { at: Lsn(0), next: Lsn(10), position: None };
    output.take(Arc::new(rows("request", EVENTS)), origin).expect("queued");
    let text = address.to_string();
    let node = Listening::start(&PROTOCOL, &[("control", ""), ("listen", &text)]);
    assert_eq!(node.rows(2).len(), 2);
}
