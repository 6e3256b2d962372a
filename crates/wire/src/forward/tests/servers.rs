//! The client's side with several servers, and how it finds out which of them are there.

use std::sync::Arc;
use std::time::Duration;

use sawlog_model::{Batch, Limits, Position, Source, SourceFacts, SourceId, Value};
use sawlog_pipeline::{Env, Origin, Output};
use sawlog_sys::net::{self, TcpListener, TcpStream};
use sawlog_sys::task;
use tokio::io::AsyncReadExt;

use super::node::Node;
use super::output::{lines, one_message, options, output};
use crate::forward::PROTOCOL;
use crate::testing::env;

/// So long what must come is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// One line of a source.
fn line_of(source: u128, number: u64) -> (Arc<Batch>, Position) {
    let (batch, position) = lines(number, 1);
    let facts = SourceFacts { name: format!("/var/log/{source}.log"), ..SourceFacts::default() };
    let source = Source { id: SourceId(source), facts };
    (Arc::new(Batch { source: source.into(), ..(*batch).clone() }), position)
}

fn take(output: &dyn Output, (batch, position): (Arc<Batch>, Position)) {
    output.take(batch, Origin::Replayable(position)).expect("taken");
}

/// A port of this machine that nobody listens on.
fn nobody(runtime: &tokio::runtime::Runtime) -> String {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a listener");
    listener.local_addr().expect("an address").to_string()
}

fn with_servers(env: &Env, servers: &[String], given: &[(&str, &str)]) -> Box<dyn Output> {
    let mut all: Vec<_> = given.iter().map(|(name, value)| (*name, vec![(*value).to_owned()])).collect();
    all.push(("servers", servers.to_vec()));
    let options = sawlog_pipeline::config::options(&PROTOCOL, &all).expect("options");
    PROTOCOL.output.expect("an output")(&options, env).expect("an output")
}

fn rows(node: &Node) -> usize {
    node.output.lines().len()
}

#[test]
fn messages_are_spread_by_weight() {
    let (one, two) = (Node::start(&[]), Node::start(&[]));
    let env = env(&one.runtime, Limits::default());
    let servers = [format!("{}?weight=10", one.address), format!("{}?weight=20", two.address)];
    let output = with_servers(&env, &servers, &[("lane", "false")]);
    (0..30).for_each(|number| take(&*output, lines(number, 1)));
    output.flush().expect("acknowledged");
    assert_eq!((rows(&one), rows(&two)), (10, 20));
    assert_eq!(output.committed(SourceId(9)), Some((0, 300)));
}

#[test]
fn a_source_of_a_lane_stays_with_its_server() {
    let (one, two) = (Node::start(&[]), Node::start(&[]));
    let env = env(&one.runtime, Limits::default());
    let output = with_servers(&env, &[one.address.to_string(), two.address.to_string()], &[]);
    for number in 0..5 {
        (1..=20).for_each(|source| take(&*output, line_of(source, number)));
    }
    output.flush().expect("acknowledged");
    assert_eq!(rows(&one) + rows(&two), 100);
    assert!(rows(&one) > 0 && rows(&two) > 0);
    let of = |node: &Node| {
        node.output.rows().iter().map(|row| row.address.source).collect::<std::collections::HashSet<_>>()
    };
    assert!(of(&one).is_disjoint(&of(&two)));
    // As after a crash that lost what was acknowledged: the same servers get the same again, and drop it.
    drop(output);
    let output = with_servers(&env, &[one.address.to_string(), two.address.to_string()], &[]);
    for number in 0..6 {
        (1..=20).for_each(|source| take(&*output, line_of(source, number)));
    }
    output.flush().expect("acknowledged");
    assert_eq!(rows(&one) + rows(&two), 120);
    assert_eq!((one.errors(), two.errors()), (vec![], vec![]));
}

#[test]
fn others_take_over_from_a_server_that_is_away_and_a_standby_too() {
    for (standby, lane) in [(false, "false"), (true, "false"), (false, "true"), (true, "true")] {
        let node = Node::start(&[]);
        let env = env(&node.runtime, Limits::default());
        let other = format!("{}?standby={standby}", node.address);
        let servers = [nobody(&node.runtime), other];
        let output = with_servers(&env, &servers, &[("lane", lane), ("hard_timeout", "200ms")]);
        (1..=20).for_each(|source| take(&*output, line_of(source, 0)));
        output.flush().expect("acknowledged");
        assert_eq!(rows(&node), 20, "standby {standby}, lane {lane}");
        (1..=20).for_each(|source| take(&*output, line_of(source, 1)));
        output.flush().expect("acknowledged");
        assert_eq!((rows(&node), node.errors()), (40, vec![]));
    }
}

#[test]
fn without_failover_rows_wait_for_their_server() {
    let node = Node::start(&[]);
    let env = env(&node.runtime, Limits::default());
    let servers = [nobody(&node.runtime), node.address.to_string()];
    let output = with_servers(&env, &servers, &[("failover", "false"), ("hard_timeout", "1ms")]);
    (1..=20).for_each(|source| take(&*output, line_of(source, 0)));
    task::sleep(Duration::from_millis(700));
    assert!((1..20).contains(&rows(&node)), "{} rows", rows(&node));
}

#[test]
fn a_chunk_without_an_answer_goes_to_another_server_with_the_same_id() {
    let runtime = task::runtime("test", 2).expect("a runtime");
    let env = env(&runtime, Limits::default());
    let listen = || runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a listener");
    let (silent, other) = (listen(), listen());
    let servers = [&silent, &other].map(|listener| listener.local_addr().expect("an address").to_string());
    let given = [("lane", "false"), ("ack_timeout", "100ms"), ("recover_wait", "1h")];
    let output = with_servers(&env, &servers, &given);
    let held = runtime.spawn(async move {
        let (mut stream, _) = silent.accept().await.expect("a client");
        let mut bytes = vec![0; 4096];
        let count = stream.read(&mut bytes).await.expect("a message");
        bytes.truncate(count);
        (bytes, stream, silent)
    });
    take(&*output, lines(0, 1));
    let (unanswered, _stream, _silent) = runtime.block_on(held).expect("a message");
    let answered = runtime.block_on(one_message(&other));
    output.flush().expect("acknowledged");
    let (first, _) = crate::shared::msgpack::value(&unanswered, &Limits::default()).expect("a whole message");
    assert_eq!(first, answered);
}

#[test]
fn a_server_that_is_back_is_used_after_a_while() {
    for (wait, used) in [("10ms", true), ("1h", false)] {
        let node = Node::start(&[]);
        let env = env(&node.runtime, Limits::default());
        let late = nobody(&node.runtime);
        let servers = [late.clone(), node.address.to_string()];
        let output = with_servers(&env, &servers, &[("lane", "false"), ("recover_wait", wait)]);
        (0..4).for_each(|number| take(&*output, lines(number, 1)));
        output.flush().expect("acknowledged");
        assert_eq!(rows(&node), 4, "it does the work of both");
        let listener = node.runtime.block_on(TcpListener::bind(&late)).expect("the port is free");
        let (mut back, _) = node.runtime.block_on(listener.accept()).expect("it is tried again");
        let first = node.runtime.spawn(async move {
            let mut bytes = [0; 1];
            let within = if used { PATIENCE } else { Duration::from_millis(700) };
            tokio::time::timeout(within, back.read_exact(&mut bytes)).await.is_ok()
        });
        // It may take a while until it is known to be back.
        for number in 4..100 {
            task::sleep(Duration::from_millis(100));
            take(&*output, lines(number, 1));
            if first.is_finished() {
                break;
            }
        }
        assert_eq!(node.runtime.block_on(first).expect("it ends"), used, "recover_wait {wait}");
    }
}

#[test]
fn heartbeats_tell_who_is_there() {
    let node = Node::start(&[]);
    let env = env(&node.runtime, Limits::default());
    // It takes connections and reads nothing, and no datagrams.
    let mute = node.runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a listener");
    let servers = [mute.local_addr().expect("an address").to_string(), node.address.to_string()];
    let beats = [("heartbeat", "udp"), ("heartbeat_interval", "20ms"), ("hard_timeout", "200ms")];
    let output = with_servers(&env, &servers, &[&[("lane", "false")], &beats[..]].concat());
    (0..4).for_each(|number| take(&*output, lines(number, 1)));
    output.flush().expect("acknowledged by the one that answers");
    assert_eq!(rows(&node), 4);
    drop(output);

    // Without heartbeats it is only found out by messages, and trusted again after a while.
    let servers = [nobody(&node.runtime), node.address.to_string()];
    let given = [("lane", "false"), ("heartbeat", "none"), ("recover_wait", "1ms")];
    let output = with_servers(&env, &servers, &given);
    (4..8).for_each(|number| take(&*output, lines(number, 1)));
    output.flush().expect("acknowledged");
    assert_eq!(rows(&node), 8);
    let wrong = PROTOCOL.output.expect("an output")(&options(&[("heartbeat", "smoke")]), &env);
    assert!(wrong.is_err_and(|error| error.0.contains("transport, udp and none")));
}

#[test]
fn a_connection_without_work_is_kept_as_long_as_is_said() {
    for (given, kept) in [
        (("keepalive", "true"), true),
        (("keepalive", "false"), false),
        (("keepalive_timeout", "50ms"), false),
    ] {
        let runtime = task::runtime("test", 2).expect("a runtime");
        let env = env(&runtime, Limits::default());
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a listener");
        let to = listener.local_addr().expect("an address").to_string();
        let output = output(&env, &[("to", &to), ("lane", "false"), ("ack", "false"), given]);
        for number in 0..2 {
            take(&*output, lines(number, 1));
            let (mut stream, _) = runtime.block_on(listener.accept()).expect("a client");
            let ends = async {
                let mut bytes = Vec::new();
                let within = if kept { Duration::from_millis(500) } else { PATIENCE };
                tokio::time::timeout(within, stream.read_to_end(&mut bytes)).await.is_ok()
            };
            assert_eq!(runtime.block_on(ends), !kept, "{given:?}");
            if kept {
                break;
            }
        }
    }
}

#[test]
fn connecting_and_sending_take_no_longer_than_they_may() {
    let runtime = task::runtime("test", 2).expect("a runtime");
    let env = env(&runtime, Limits::default());
    let why = |to: &str, given: &[(&str, &str)]| {
        let given = [&[("to", to), ("lane", "false"), ("ack", "false"), ("queue", "1")], given].concat();
        let output = output(&env, &given);
        let mut batch = (*lines(0, 1).0).clone();
        // More than sockets hold.
        let line = [vec![b'x'; 32 << 20], b"\n".to_vec()].concat();
        batch.rows[0].len = line.len() as u32;
        batch.buffer = line.into();
        output.take(Arc::new(batch), Origin::Replayable(lines(0, 1).1)).expect("one is always taken");
        for _ in 0..100 {
            task::sleep(Duration::from_millis(50));
            let (more, position) = lines(1, 1);
            let refused = output.take(more, Origin::Replayable(position)).expect_err("no room").to_string();
            if !refused.contains("behind") {
                return refused;
            }
        }
        panic!("nothing is said");
    };
    // Nobody accepts, and there is no room for more that wait.
    let full = runtime.block_on(async { net::listen_with_backlog(([127, 0, 0, 1], 0).into(), 1) });
    let full = full.expect("a listener");
    let address = full.local_addr().expect("an address");
    let mut waiting = Vec::new();
    runtime.block_on(async {
        while let Ok(Ok(stream)) =
            tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await
        {
            waiting.push(stream);
        }
    });
    let said = why(&address.to_string(), &[("connect_timeout", "50ms")]);
    assert!(said.contains("no connection in time"), "{said}");
    let unread = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a listener");
    let said = why(&unread.local_addr().expect("an address").to_string(), &[("send_timeout", "100ms")]);
    assert!(said.contains("does not read"), "{said}");
}

#[test]
fn at_the_start_a_server_can_be_asked_for() {
    let node = Node::start(&[("shared_key", "k")]);
    let env = env(&node.runtime, Limits::default());
    let address = node.address.to_string();
    let make = |to: &str, key: &str| {
        let given = [("to", to), ("verify_connection_at_startup", "true"), ("shared_key", key)];
        PROTOCOL.output.expect("an output")(&options(&given), &env).map(drop)
    };
    make(&address, "k").expect("it is there");
    let wrong = make(&address, "x").expect_err("another key").0;
    assert!(wrong.contains("shared_key mismatch") && wrong.contains(&address), "{wrong}");
    let away = nobody(&node.runtime);
    assert!(make(&away, "k").expect_err("nobody").0.contains("refused"));
    let lazy = PROTOCOL.output.expect("an output")(&options(&[("to", away.as_str())]), &env);
    lazy.expect("it starts all the same");
}

#[test]
fn times_can_be_whole_seconds() {
    let runtime = task::runtime("test", 2).expect("a runtime");
    let env = env(&runtime, Limits::default());
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a listener");
    let to = listener.local_addr().expect("an address").to_string();
    let output = output(&env, &[("to", &to), ("lane", "false"), ("time_as_integer", "true")]);
    let (batch, position) = lines(0, 1);
    let mut batch = (*batch).clone();
    batch.rows[0].time = 1_700_000_000_500_000_000;
    output.take(Arc::new(batch), Origin::Replayable(position)).expect("taken");
    let Value::List(parts) = runtime.block_on(one_message(&listener)) else { panic!("a message") };
    let Value::Bin(payload) = &parts[1] else { panic!("a payload") };
    let (entry, _) = crate::shared::msgpack::value(payload, &Limits::default()).expect("an entry");
    let Value::List(entry) = entry else { panic!("an entry") };
    assert_eq!(entry[0], Value::Int(1_700_000_000));
}
