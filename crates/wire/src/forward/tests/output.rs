//! The client's side: against this crate's own server over a connection that is cut, and against a server of the test.

use std::sync::Arc;
use std::time::Duration;

use sawlog_model::value::render;
use sawlog_model::{
    Batch, Context, Kind, Limits, Marks, Position, Row, Slot, Source, SourceFacts, SourceId, Value,
};
use sawlog_pipeline::{Env, Lsn, Options, Origin, Output, OutputError, config};
use sawlog_sys::net::{TcpListener, TcpStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::node::Node;
use crate::forward::PROTOCOL;
use crate::shared::msgpack::{self, Scanner};
use crate::testing::env;

pub(super) fn options(given: &[(&str, &str)]) -> Options {
    let given: Vec<_> = given.iter().map(|(name, value)| (*name, vec![(*value).to_owned()])).collect();
    config::options(&PROTOCOL, &given).expect("options")
}

pub(super) fn output(env: &Env, given: &[(&str, &str)]) -> Box<dyn Output> {
    PROTOCOL.output.expect("an output")(&options(given), env).expect("an output")
}

/// Lines of ten bytes of a file, from line `first` on.
pub(super) fn lines(first: u64, count: u64) -> (Arc<Batch>, Position) {
    let facts = SourceFacts { name: "/var/log/x.log".into(), ..SourceFacts::default() };
    let mut batch = Batch { source: Source { id: SourceId(9), facts }.into(), ..Batch::default() };
    let mut buffer = Vec::new();
    for number in first..first + count {
        let start = buffer.len() as u32;
        buffer.extend_from_slice(format!("{number:09}\n").as_bytes());
        let offset = number * 10;
        batch.rows.push(Row { start, len: 10, offset, time: 5, received: 6, slots_end: 0, marks: Marks(0) });
    }
    batch.buffer = buffer.into();
    (Arc::new(batch), Position { epoch: 0, offset: (first + count) * 10, ..Position::default() })
}

/// Passes connections on to `to`, and cuts each after some bytes of the answers; the later the more.
async fn cutting_proxy(listener: TcpListener, to: std::net::SocketAddr) {
    let mut allowed = 10;
    while let Ok((mut client, _)) = listener.accept().await {
        let mut server = TcpStream::connect(to).await.expect("the node listens");
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let up = tokio::io::copy(&mut from_client, &mut to_server);
        let mut answers = (&mut from_server).take(allowed);
        let down = tokio::io::copy(&mut answers, &mut to_client);
        // The last answer allowed may be cut in its middle: what it answers was taken, but the client does not know.
        tokio::select! { _ = up => {}, _ = down => {} }
        allowed += 77;
    }
}

#[test]
fn a_lane_over_a_connection_that_is_cut_delivers_all_rows_once_in_order() {
    let node = Node::start(&[]);
    let to = node.runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
        let to = listener.local_addr().expect("an address");
        tokio::spawn(cutting_proxy(listener, node.address));
        to.to_string()
    });
    let env = env(&node.runtime, Limits::default());
    let output = output(&env, &[("to", &to), ("compress", "zstd"), ("queue", "2KiB")]);
    for first in (0..300).step_by(3) {
        let (batch, position) = lines(first, 3);
        let origin = Origin::Replayable(position);
        // "Later" is what a pipeline hears that is to try again.
        while let Err(error) = output.take(batch.clone(), origin.clone()) {
            assert!(matches!(error, OutputError::Later(_)), "{error}");
        }
    }
    output.flush().expect("all is acknowledged");
    let wanted: Vec<String> = (0..300).map(|number| format!("{number:09}\n")).collect();
    assert_eq!(node.output.lines(), wanted);
    assert_eq!(output.committed(SourceId(9)), Some((0, 3000)));
    assert_eq!(output.known_sources().len(), 1);
    assert_eq!(node.output.rows()[7].address.offset, 70);
}

#[test]
fn a_lane_delivers_under_every_compression_and_lz4_is_only_for_lanes() {
    for compress in ["text", "gzip", "zstd", "lz4"] {
        let node = Node::start(&[]);
        let env = env(&node.runtime, Limits::default());
        let output = output(&env, &[("to", &node.address.to_string()), ("compress", compress)]);
        // Longer than what is read at once, so that parts are put together.
        let (batch, position) = lines(0, 30_000);
        for (batch, position) in [(batch, position), lines(30_000, 3)] {
            output.take(batch, Origin::Replayable(position)).expect("taken");
        }
        output.flush().expect("acknowledged");
        let wanted: Vec<String> = (0..30_003).map(|number| format!("{number:09}\n")).collect();
        assert!(node.output.lines() == wanted, "{compress}");
        assert_eq!(node.errors(), [], "{compress}");
    }
    let runtime = sawlog_sys::task::runtime("test", 1).expect("a runtime");
    let env = env(&runtime, Limits::default());
    let given = options(&[("lane", "false"), ("compress", "lz4")]);
    let refused = PROTOCOL.output.expect("an output")(&given, &env).err().expect("refused");
    assert!(refused.to_string().contains("only for lanes"), "{refused}");
}

#[test]
fn the_queue_counts_rows_that_wait_and_not_what_they_were_compressed_to() {
    let runtime = sawlog_sys::task::runtime("test", 1).expect("a runtime");
    let env = env(&runtime, Limits::default());
    // It takes connections and says nothing.
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a listener");
    let to = listener.local_addr().expect("an address").to_string();
    let output = output(&env, &[("to", &to), ("compress", "zstd"), ("queue", "64KiB")]);
    let mut taken = 0;
    while taken < 100 {
        let (batch, position) = lines(taken * 1000, 1000);
        if output.take(batch, Origin::Replayable(position)).is_err() {
            break;
        }
        taken += 1;
    }
    // Ten thousand bytes each, and what they are compressed to, a third of that or less.
    assert!((4..=7).contains(&taken), "{taken}");
}

#[test]
fn rows_that_are_given_again_are_dropped_by_their_address() {
    let node = Node::start(&[]);
    let env = env(&node.runtime, Limits::default());
    let to = node.address.to_string();
    let journal = |at, next, position| Origin::Journal { at: Lsn(at), next: Lsn(next), position };
    let first = output(&env, &[("to", &to)]);
    let (batch, position) = lines(0, 3);
    first.take(batch.clone(), journal(0, 10, Some(position.clone()))).expect("taken");
    first.flush().expect("acknowledged");
    assert_eq!(first.cursor(), Lsn(10));
    drop(first);
    // As after a crash before the cursor was saved.
    let second = output(&env, &[("to", &to)]);
    second.take(batch, journal(0, 10, Some(position))).expect("taken");
    let (more, position) = lines(3, 1);
    second.take(more, journal(10, 20, Some(position))).expect("taken");
    second.flush().expect("acknowledged");
    assert_eq!(node.output.lines().len(), 4);
    assert_eq!(node.errors(), []);
}

#[test]
fn without_the_other_side_it_says_why_and_later_goes_on() {
    let runtime = sawlog_sys::task::runtime("test", 2).expect("a runtime");
    let env = env(&runtime, Limits::default());
    // A port that was free a moment ago.
    let address = runtime.block_on(async {
        TcpListener::bind("127.0.0.1:0").await.and_then(|listener| listener.local_addr()).expect("a listener")
    });
    let output = output(&env, &[("to", &address.to_string()), ("queue", "1")]);
    let (batch, position) = lines(0, 1);
    output.take(batch.clone(), Origin::Replayable(position.clone())).expect("one message is always taken");
    let refused = output.take(batch, Origin::Replayable(position)).expect_err("no room");
    assert!(matches!(&refused, OutputError::Later(why) if why.contains("refused")), "{refused}");
}

#[test]
fn keys_and_passwords_are_shown_and_the_servers_is_checked() {
    let node = Node::start(&[("shared_key", "k"), ("users", "u:p")]);
    let env = env(&node.runtime, Limits::default());
    let to = node.address.to_string();
    let attempt = |given: &[(&str, &str)]| {
        let given = [&[("to", to.as_str()), ("queue", "1")], given].concat();
        let output = output(&env, &given);
        let (batch, position) = lines(0, 1);
        output
            .take(batch.clone(), Origin::Replayable(position.clone()))
            .expect("one message is always taken");
        output.take(batch, Origin::Replayable(position)).map_err(|error| error.to_string())
    };
    let words = [("username", "u"), ("password", "p")];
    assert_eq!(attempt(&[&[("shared_key", "k")], &words[..]].concat()), Ok(()));
    let failure = |given: &[(&str, &str)]| attempt(given).expect_err("refused");
    assert!(failure(&[&[("shared_key", "x")], &words[..]].concat()).contains("shared_key mismatch"));
    assert!(failure(&[("shared_key", "k"), ("username", "u")]).contains("username/password mismatch"));
    assert!(
        failure(&[("shared_key", "k"), ("self_hostname", "sawlog"), words[0], words[1]]).contains("own name")
    );
    assert!(failure(&[]).contains("set `shared_key`"));
}

/// Takes one message and gives it, answered.
pub(super) async fn one_message(listener: &TcpListener) -> Value {
    let (mut stream, _) = listener.accept().await.expect("a client");
    let (mut bytes, mut scanner) = (Vec::new(), Scanner::default());
    while scanner.next_end(&bytes, 10, 1 << 20).expect("msgpack").is_none() {
        assert!(stream.read_buf(&mut bytes).await.expect("bytes") > 0);
    }
    let (message, _) = msgpack::value(&bytes, &Limits::default()).expect("msgpack");
    let Value::List(parts) = &message else { panic!("a message") };
    let mut ack = Vec::new();
    msgpack::write(
        &Value::Map(vec![(Value::Str("ack".into()), parts[2].get("chunk").expect("chunk").clone())]),
        &mut ack,
    );
    stream.write_all(&ack).await.expect("it reads");
    message
}

/// A batch of one row with the slots given by name, text and kind, `!` before those outside of the line.
fn row(line: &str, marks: Marks, slots: &[(&str, &str, Kind)]) -> Batch {
    let mut batch =
        Batch { context: Arc::new(Context::new([("_path", "/var/log/x.log")])), ..Batch::default() };
    let mut buffer = format!("{line}\n").into_bytes();
    for (name, text, kind) in slots {
        let start = match name.starts_with('!') {
            true => buffer.len(),
            false => line.find(text).expect("a part of the line"),
        };
        if name.starts_with('!') {
            buffer.extend_from_slice(text.as_bytes());
        }
        let name = Arc::make_mut(&mut batch.names).intern(name.trim_start_matches('!'));
        batch.slots.push(Slot { start: start as u32, len: text.len() as u32, name, kind: *kind, layout: 0 });
    }
    batch.buffer = buffer.into();
    let (len, slots_end) = (line.len() as u32 + 1, slots.len() as u32);
    let time = 1_441_588_984_250_000_000;
    batch.rows.push(Row { start: 0, len, offset: 0, time, received: 6, slots_end, marks });
    batch
}

#[test]
fn fluentd_gets_the_records_that_its_own_tail_would_make() {
    let runtime = sawlog_sys::task::runtime("test", 2).expect("a runtime");
    let env = env(&runtime, Limits::default());
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a listener");
    let to = listener.local_addr().expect("an address").to_string();
    let none = Marks(0);
    let cases = [
        (row("plain \"text\"", none, &[]), r#"{"message":"plain \"text\""}"#),
        (row("GET 200 x", Marks::UNPARSED, &[("code", "200", Kind::Number)]), r#"{"message":"GET 200 x"}"#),
        (
            row(
                "12:00 GET 200 007",
                none,
                &[
                    ("time", "12:00", Kind::Time),
                    ("method", "GET", Kind::Text),
                    ("code", "200", Kind::Number),
                    ("agent", "007", Kind::Number),
                    ("!added", "x", Kind::Text),
                ],
            ),
            r#"{"method":"GET","code":200,"agent":"007","added":"x"}"#,
        ),
        (
            row(
                r#"{"a":{"b":1.0},"c":"\n"}"#,
                Marks::JSON,
                &[("a.b", "1.0", Kind::Number), ("!k", "v", Kind::Text)],
            ),
            r#"{"a":{"b":1.0},"c":"\n","k":"v"}"#,
        ),
        (row(r#"{"a":{"$bin":"/w=="}}"#, Marks::MAP.with(Marks::JSON), &[]), r#"{"a":{"$bin":"/w=="}}"#),
    ];
    for compress in ["text", "gzip"] {
        for (batch, wanted) in &cases {
            let output =
                output(&env, &[("to", &to), ("lane", "false"), ("compress", compress), ("tag", "t.*")]);
            let origin = Origin::Replayable(Position::default());
            output.take(Arc::new(batch.clone()), origin).expect("taken");
            let message = runtime.block_on(one_message(&listener));
            output.flush().expect("acknowledged");
            let Value::List(parts) = &message else { panic!("a message") };
            assert_eq!(parts[0].as_str(), Some("t.var.log.x.log"));
            assert_eq!(parts[2].get("size"), Some(&Value::Int(1)));
            let Value::Bin(payload) = &parts[1] else { panic!("a payload") };
            let payload = match compress {
                "gzip" => crate::shared::inflate::inflate(
                    payload,
                    crate::shared::inflate::Compression::Gzip,
                    1 << 20,
                )
                .expect("gzip"),
                _ => payload.clone(),
            };
            let (Value::List(entry), _) = msgpack::value(&payload, &Limits::default()).expect("an entry")
            else {
                panic!("an entry")
            };
            assert_eq!(entry[0], Value::Time(1_441_588_984_250_000_000));
            let mut record = Vec::new();
            render(&entry[1], &mut record);
            assert_eq!(String::from_utf8(record).expect("text"), *wanted);
        }
    }
}

#[test]
fn a_resend_has_the_id_it_had_before() {
    let runtime = sawlog_sys::task::runtime("test", 2).expect("a runtime");
    let env = env(&runtime, Limits::default());
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a listener");
    let to = listener.local_addr().expect("an address").to_string();
    let id = |first, count| {
        let output = output(&env, &[("to", &to), ("lane", "false")]);
        let (batch, position) = lines(first, count);
        output.take(batch, Origin::Replayable(position)).expect("taken");
        let Value::List(parts) = runtime.block_on(one_message(&listener)) else { panic!("a message") };
        output.flush().expect("acknowledged");
        parts[2].get("chunk").cloned()
    };
    assert_eq!(id(0, 3), id(0, 3));
    assert_ne!(id(0, 3), id(0, 4));
    assert_ne!(id(0, 3), id(1, 2));
}

#[test]
fn a_peer_that_acknowledges_nothing_is_sent_to_without_waiting() {
    let runtime = sawlog_sys::task::runtime("test", 2).expect("a runtime");
    let env = env(&runtime, Limits::default());
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a listener");
    let to = listener.local_addr().expect("an address").to_string();
    let output = output(&env, &[("to", &to), ("lane", "false"), ("ack", "false")]);
    let accepted = runtime.spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut bytes = Vec::new();
        while !bytes.windows(10).any(|window| window.starts_with(b"000000009")) {
            stream.read_buf(&mut bytes).await.expect("bytes");
        }
    });
    for first in 0..10 {
        let (batch, position) = lines(first, 1);
        output.take(batch, Origin::Replayable(position)).expect("taken");
    }
    output.flush().expect("sent");
    runtime
        .block_on(async { tokio::time::timeout(Duration::from_secs(60), accepted).await })
        .expect("in time")
        .expect("all came");
    assert_eq!(output.committed(SourceId(9)), Some((0, 100)));
    let wrong = PROTOCOL.output.expect("an output")(&options(&[("ack", "false")]), &env);
    assert!(wrong.is_err(), "a lane needs answers");
}

#[test]
fn over_tls_with_certificates_of_both_sides_rows_arrive() {
    let made = crate::shared::tls::tests::Certificates::new(&["localhost", "agent"]);
    let path = |name: &str| made.path(name);
    let (cert, key, ca) = (path("localhost.pem"), path("localhost.key"), path("ca.pem"));
    let node =
        Node::start(&[("tls_cert", &cert), ("tls_key", &key), ("tls_client_ca", &ca), ("shared_key", "k")]);
    let env = env(&node.runtime, Limits::default());
    let to = format!("localhost:{}", node.address.port());
    let (cert, key) = (path("agent.pem"), path("agent.key"));
    let given = [("to", to.as_str()), ("tls", "true"), ("tls_ca", &ca), ("shared_key", "k")];
    let trusted = output(&env, &[&given[..], &[("tls_cert", &cert), ("tls_key", &key)]].concat());
    let (batch, position) = lines(0, 3);
    trusted.take(batch.clone(), Origin::Replayable(position.clone())).expect("taken");
    trusted.flush().expect("acknowledged");
    assert_eq!(node.output.lines().len(), 3);
    let stranger = output(&env, &given);
    stranger.take(batch, Origin::Replayable(position)).expect("taken");
    node.wait_for_error("tls");
    let mut plain = node.connect();
    plain.send(b"\x93\xa1t\x90\x80");
    assert!(plain.read(100).len() < 100, "it ends after an alert");
    assert_eq!(node.output.lines().len(), 3);
}
