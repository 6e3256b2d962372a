//! The options of the server's side.

use sawlog_model::value::parse_json;
use sawlog_model::{Fields, Limits};
use sawlog_pipeline::{Origin, Tapped, config};
use sawlog_sys::net::UnixStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::node::Node;
use super::output::{lines, output};
use crate::forward::PROTOCOL;
use crate::shared::msgpack;
use crate::testing::{Bench, env};

/// msgpack of JSON.
fn pack(json: &str) -> Vec<u8> {
    let mut out = Vec::new();
    msgpack::write(&parse_json(json.as_bytes(), &Limits::default()).expect("JSON"), &mut out);
    out
}

fn refused(given: &[(&str, &str)]) -> String {
    let given: Vec<_> = given.iter().map(|(name, value)| (*name, vec![(*value).to_owned()])).collect();
    let options = config::options(&PROTOCOL, &given).expect("options");
    PROTOCOL.input.expect("an input")(&options).err().expect("refused").0
}

#[test]
fn the_name_of_a_sender_becomes_a_field() {
    let node = Node::start(&[("source_hostname_key", "host"), ("source_address_key", "ip")]);
    let mut tap = node.pipeline.subscribe();
    let mut client = node.connect();
    client.send(&pack(r#"["t",1,{"a":1},{"chunk":"1"}]"#));
    client.value();
    let Some(Tapped::Rows(batch)) = tap.try_next() else { panic!("rows") };
    let row = batch.row(0);
    let field = |name: &str| {
        row.field(name).and_then(|value| Some(String::from_utf8_lossy(value.text()?).into_owned()))
    };
    let known = sawlog_sys::net::name_of([127, 0, 0, 1].into());
    assert_eq!(field("host"), Some(known.unwrap_or_else(|| "127.0.0.1".into())));
    assert_eq!(field("ip").as_deref(), Some("127.0.0.1"));
}

#[test]
fn messages_above_the_limit_are_neither_taken_nor_acknowledged() {
    let node = Node::start(&[("chunk_size_limit", "200"), ("chunk_size_warn_limit", "100")]);
    let mut client = node.connect();
    let message = |chunk: &str, len: usize| {
        pack(&format!(r#"["t",1,{{"a":"{}"}},{{"chunk":"{chunk}"}}]"#, "x".repeat(len)))
    };
    client.send(&[message("1", 10), message("2", 300), message("3", 120), message("4", 10)].concat());
    for chunk in ["1", "3", "4"] {
        assert_eq!(client.value(), pack(&format!(r#"{{"ack":"{chunk}"}}"#)));
    }
    assert_eq!(node.output.lines().len(), 3);
    let counted = [("chunk_size_limit".to_owned(), 1), ("chunk_size_warn_limit".to_owned(), 1)];
    let mut errors = node.errors();
    errors.sort();
    assert_eq!(errors, counted);
}

#[test]
fn a_message_with_what_is_no_event_can_be_refused() {
    let node = Node::start(&[("skip_invalid_event", "false")]);
    let mut client = node.connect();
    client.send(&pack(r#"["t",[[1,{"a":1}],[2,"no map"]],{"chunk":"1"}]"#));
    assert!(client.is_closed(), "without an answer");
    node.wait_for_error("not_a_map");
    let mut client = node.connect();
    client.send(&pack(r#"["t",1,{"a":2},{"chunk":"2"}]"#));
    client.value();
    assert_eq!(node.output.lines(), ["{\"a\":2}\n"]);
}

#[test]
fn a_connection_may_be_for_one_message() {
    let node = Node::start(&[("deny_keepalive", "true"), ("shared_key", "k")]);
    let env = env(&node.runtime, Limits::default());
    let to = node.address.to_string();
    let output = output(&env, &[("to", &to), ("lane", "false"), ("shared_key", "k")]);
    for number in 0..5 {
        let (batch, position) = lines(number, 1);
        output.take(batch, Origin::Replayable(position)).expect("taken");
    }
    output.flush().expect("acknowledged, each on its connection");
    assert_eq!((node.output.lines().len(), node.errors()), (5, vec![]));
    let bare = Node::start(&[("deny_keepalive", "true")]);
    let mut client = bare.connect();
    client.send(&pack(r#"["t",1,{"a":1},{"chunk":"1"}]"#));
    assert_eq!(client.value(), pack(r#"{"ack":"1"}"#));
    assert!(client.is_closed());
    let both = refused(&[("deny_keepalive", "true"), ("send_keepalive_packet", "true")]);
    assert!(both.contains("exclude each other"), "{both}");
}

#[test]
fn clients_have_their_own_keys_and_users() {
    let attempt = |security: &[(&str, &str)], sender: &[(&str, &str)]| {
        let node = Node::start(security);
        let env = env(&node.runtime, Limits::default());
        let to = node.address.to_string();
        let output = output(&env, &[&[("to", to.as_str()), ("queue", "1")], sender].concat());
        let (batch, position) = lines(0, 1);
        output.take(batch.clone(), Origin::Replayable(position.clone())).expect("taken");
        match output.take(batch, Origin::Replayable(position)) {
            Ok(()) => "admitted".to_owned(),
            Err(error) => error.to_string(),
        }
    };
    let key = ("shared_key", "k");
    let own = ("clients", "127.0.0.0/8?shared_key=own");
    assert_eq!(attempt(&[key, own], &[("shared_key", "own")]), "admitted");
    assert!(attempt(&[key, own], &[key]).contains("shared_key mismatch"));
    assert_eq!(attempt(&[key, ("clients", "10.0.0.1?shared_key=own")], &[key]), "admitted", "anonymous");
    let strict = ("allow_anonymous_source", "false");
    let denied = attempt(&[key, ("clients", "10.0.0.1"), strict], &[key]);
    assert!(denied.contains("anonymous source host '127.0.0.1' denied"), "{denied}");
    assert_eq!(attempt(&[key, ("clients", "localhost"), strict], &[key]), "admitted");
    let users = ("users", "u:p");
    let as_user = [key, ("username", "u"), ("password", "p")];
    assert_eq!(attempt(&[key, users, ("clients", "127.0.0.1?users=u")], &as_user), "admitted");
    let given = vec![
        ("shared_key", vec!["k".to_owned()]),
        ("users", vec!["u:p".to_owned(), "v:q".to_owned()]),
        ("clients", vec!["127.0.0.1?users=v".to_owned()]),
    ];
    let node = Node::start_with(&given);
    let env = env(&node.runtime, Limits::default());
    let to = node.address.to_string();
    for (name, word, admitted) in [("v", "q", true), ("u", "p", false)] {
        let output =
            output(&env, &[("to", &to), ("queue", "1"), key, ("username", name), ("password", word)]);
        let (batch, position) = lines(0, 1);
        output.take(batch.clone(), Origin::Replayable(position.clone())).expect("taken");
        assert_eq!(output.take(batch, Origin::Replayable(position)).is_ok(), admitted, "{name}");
    }
    assert!(refused(&[key, ("clients", "127.0.0.1?users=x")]).contains("names `x`"));
    assert!(refused(&[("clients", "127.0.0.1")]).contains("need a `shared_key`"));
}

#[test]
fn a_unix_socket_is_as_good_as_a_port() {
    let bench = Bench::start(Limits::default());
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("forward.sock");
    let start = || {
        let given = [("unix", vec![path.to_string_lossy().into_owned()])];
        let options = config::options(&PROTOCOL, &given).expect("options");
        let input = PROTOCOL.input.expect("an input")(&options).expect("an input");
        input.start(bench.pipeline.intake("forward"), bench.env.clone())
    };
    let running = start().expect("it starts");
    assert!(running.address.is_none());
    let error = start().err().expect("somebody listens there");
    assert!(error.contains("forward.sock"), "{error}");
    let answer = bench.runtime.block_on(async {
        let mut stream = UnixStream::connect(&path).await.expect("it listens");
        stream.write_all(&pack(r#"["t",1,{"a":1},{"chunk":"1"}]"#)).await.expect("written");
        let mut answer = vec![0; 7];
        stream.read_exact(&mut answer).await.expect("an answer");
        answer
    });
    assert_eq!(answer, pack(r#"{"ack":"1"}"#));
    assert_eq!(bench.output.rows()[0].name, "forward@3:t@unix");
    bench.env.stop.request();
    (running.join)();
    // What it left behind does not keep the next one from listening.
    (start().expect("it starts again").join)();
    bench.pipeline.stop();
}

#[test]
fn a_source_keeps_its_id_over_a_restart() {
    let id = |node: &Node| {
        let mut tap = node.pipeline.subscribe();
        let mut client = node.connect();
        client.send(&pack(r#"["t",1,{"a":1},{"chunk":"x"}]"#));
        client.send(&pack(&format!(r#"["t",1,{{"a":1}},{{"chunk":"{}"}}]"#, node.address.port())));
        client.value();
        client.value();
        loop {
            if let Some(Tapped::Rows(batch)) = tap.try_next() {
                return batch.source.id;
            }
        }
    };
    let node = Node::start(&[]);
    let first = id(&node);
    let second = node.crash();
    assert_eq!(id(&second), first);
    assert_eq!(id(&second.crash()), first);
}
