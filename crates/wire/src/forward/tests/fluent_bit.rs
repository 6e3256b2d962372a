//! What Fluent Bit said over the wire, against both sides. It was caught once from the real program; the tests need only what
//! was caught.

use std::sync::Arc;

use sawlog_model::{Fields, Limits, Value};
use sawlog_pipeline::{Origin, Tapped};
use sawlog_sys::net::{TcpListener, TcpStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::node::Node;
use super::output::{lines, output};
use crate::forward::handshake::{Ping, bytes_of, key_digest, password_digest};
use crate::shared::msgpack::{self, Scanner};
use crate::testing::env;

/// One connection.
#[derive(Default)]
struct Caught {
    name: &'static str,
    /// What the client said, and what the server did.
    up: Vec<u8>,
    down: Vec<u8>,
    /// Time, tag and line of each event.
    rows: Vec<(i64, &'static str, &'static str)>,
}

fn hex(text: &str) -> Vec<u8> {
    let pairs = text.trim().as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn caught() -> Vec<Caught> {
    let mut all: Vec<Caught> = Vec::new();
    for line in include_str!("fluent_bit.txt").lines() {
        match line.split_once(' ') {
            Some((name, _)) if name.starts_with('[') => {
                let name = name.trim_matches(['[', ']']);
                all.push(Caught { name, ..Caught::default() });
            }
            Some(("up", bytes)) => all.last_mut().unwrap().up = hex(bytes),
            Some(("down", bytes)) => all.last_mut().unwrap().down = hex(bytes),
            Some(("row", row)) => {
                let mut words = row.splitn(3, ' ');
                let mut word = || words.next().unwrap();
                all.last_mut().unwrap().rows.push((word().parse().unwrap(), word(), word()));
            }
            _ => {}
        }
    }
    all
}

fn one(name: &str) -> Caught {
    caught().into_iter().find(|one| one.name == name).unwrap_or_else(|| panic!("{name} was caught"))
}

/// The first value of a stream, and what follows.
fn first(bytes: &[u8]) -> (Vec<Value>, &[u8]) {
    let (value, len) = msgpack::value(bytes, &Limits::default()).expect("msgpack");
    let Value::List(parts) = value else { panic!("a list") };
    (parts, &bytes[len..])
}

#[test]
fn its_events_are_rows_with_their_times_and_its_chunks_are_acknowledged() {
    let sent: Vec<Caught> = caught()
        .into_iter()
        .filter(|one| !one.rows.is_empty() && !one.up.starts_with(b"\x96\xa4PING"))
        .collect();
    assert_eq!(sent.len(), 9);
    for caught in sent {
        let node = Node::start(&[]);
        let mut tap = node.pipeline.subscribe();
        let mut client = node.connect();
        client.send(&caught.up);
        assert_eq!(client.read(caught.down.len()), caught.down, "{}", caught.name);
        node.output.wait_for_rows(caught.rows.len());
        let mut rows = caught.rows.iter();
        while let Some(Tapped::Rows(batch)) = tap.try_next() {
            for row in batch.iter() {
                let (time, tag, line) = rows.next().expect("no more than were sent");
                let text = |name: &str| {
                    let value = row.field(name)?;
                    Some(String::from_utf8_lossy(value.text()?).into_owned())
                };
                assert_eq!(row.time(), *time, "{}", caught.name);
                assert_eq!(text("_tag").as_deref(), Some(*tag));
                assert_eq!(row.raw(), format!("{line}\n").as_bytes(), "{}", caught.name);
                let metadata = (text("_metadata.level"), text("_metadata.n"));
                let with = (Some("info".to_owned()), Some("7".to_owned()));
                assert_eq!(metadata, if caught.name == "metadata" { with } else { (None, None) });
            }
        }
        assert_eq!(rows.len(), 0, "{}: rows that are missing", caught.name);
        assert_eq!(node.errors(), []);
    }
}

/// It writes salts as text, whatever their bytes are.
#[test]
fn its_ping_is_read_and_its_proofs_are_ours() {
    for (name, user) in [("secured", "u"), ("securedack", "u"), ("keyonly", "")] {
        let caught = one(name);
        let (helo, rest) = first(&caught.down);
        let fact = |key: &str| helo[1].get(key).and_then(bytes_of).unwrap().to_vec();
        let (ping, _) = first(&caught.up);
        let ping = Ping::read(&Value::List(ping)).expect("a PING");
        assert_eq!(ping.key_digest, key_digest(&ping.salt, "client", &fact("nonce"), "secret"), "{name}");
        assert_eq!((ping.hostname.as_str(), ping.user.as_str()), ("client", user));
        if !user.is_empty() {
            assert_eq!(ping.password_digest, password_digest(&fact("auth"), "u", "p"));
        }
        // What it took for the proof of the server.
        let (pong, _) = first(rest);
        let proof = key_digest(&ping.salt, "server", &fact("nonce"), "secret");
        assert_eq!((pong[1].clone(), pong[4].as_str()), (Value::Bool(true), Some(proof.as_str())));
    }
}

/// Reads one message from a client.
async fn message(stream: &mut TcpStream) -> Value {
    let (mut bytes, mut scanner) = (Vec::new(), Scanner::default());
    while scanner.next_end(&bytes, 10, 1 << 20).expect("msgpack").is_none() {
        assert!(stream.read_buf(&mut bytes).await.expect("bytes") > 0, "the client is there");
    }
    msgpack::value(&bytes, &Limits::default()).expect("msgpack").0
}

/// Its HELO as it was, nonce and salt as text of any bytes, the salt also where it knows no users; PONG and acknowledgement
/// in its form.
#[test]
fn its_handshake_and_acknowledgement_are_understood() {
    for (name, user) in [("to-key", ""), ("to-users", "u")] {
        let caught = one(name);
        let (helo, rest) = first(&caught.down);
        let helo_bytes = caught.down[..caught.down.len() - rest.len()].to_vec();
        let (pong, ack) = first(rest);
        let runtime = sawlog_sys::task::runtime("test", 2).expect("a runtime");
        let env = env(&runtime, Limits::default());
        let (listener, address) = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("an address");
            (listener, address)
        });
        let fact = |key: &str| helo[1].get(key).and_then(bytes_of).unwrap().to_vec();
        let (nonce, auth, user) = (fact("nonce"), fact("auth"), user.to_owned());
        let (ack, mut pong) = (ack.to_vec(), pong);
        let served = runtime.spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            stream.write_all(&helo_bytes).await.expect("it reads");
            let ping = Ping::read(&message(&mut stream).await).expect("a PING");
            assert_eq!(ping.key_digest, key_digest(&ping.salt, "client", &nonce, "secret"));
            assert_eq!(ping.user, user);
            if !user.is_empty() {
                assert_eq!(ping.password_digest, password_digest(&auth, "u", "p"));
            }
            pong[4] = Value::Str(key_digest(&ping.salt, "flb", &nonce, "secret"));
            let mut bytes = Vec::new();
            msgpack::write(&Value::List(pong), &mut bytes);
            stream.write_all(&bytes).await.expect("it reads");
            let Value::List(parts) = message(&mut stream).await else { panic!("a message") };
            let chunk = parts[2].get("chunk").and_then(bytes_of).expect("a chunk").to_vec();
            // All but the id is as it was.
            let head = ack.len() - chunk.len();
            stream.write_all(&[&ack[..head], &chunk].concat()).await.expect("it reads");
        });
        let to = address.to_string();
        let mut given = vec![
            ("to", to.as_str()),
            ("lane", "false"),
            ("shared_key", "secret"),
            ("self_hostname", "client"),
        ];
        if name == "to-users" {
            given.extend([("username", "u"), ("password", "p")]);
        }
        let output = output(&env, &given);
        let (batch, position) = lines(0, 1);
        output.take(Arc::clone(&batch), Origin::Replayable(position)).expect("taken");
        output.flush().expect("acknowledged");
        runtime.block_on(served).expect("the server is content");
    }
}

/// What it took and acknowledged is what this side writes: the proofs of a captured connection are made again.
#[test]
fn our_messages_that_it_took_read_as_what_was_sent() {
    for name in ["to-ack", "to-zstd"] {
        let caught = one(name);
        let node = Node::start(&[]);
        let mut client = node.connect();
        client.send(&caught.up);
        assert_eq!(client.read(caught.down.len()), caught.down, "acknowledged as by Fluent Bit");
        let wanted = |number| {
            format!(
                "{{\"number\":{number},\"text\":\"größe {number}\",\"f\":1.5,\"list\":[1,null,{{\"a\":true}}]}}\n"
            )
        };
        assert_eq!(node.output.lines(), (0..5).map(wanted).collect::<Vec<_>>(), "{name}");
    }
}
