//! What becomes of connections of a tenant, or of a token, at its limit, by protocol: they wait or are told, those of another tenant
//! go on, and nothing that was acknowledged is lost.

use std::io::Write;
use std::net::{TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{agent, ask, ingest, run};
use crate::fleet::Application;
use crate::forward::Sender;
use crate::node::Node;

/// Records of each of two goes: the first uses the rate up, on credit where it comes at once.
const GO: usize = 60;

/// How a sender at a limit is held back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Held {
    /// Its connection is not read from, or not answered.
    Waits,
    /// It is told, and comes again.
    Told,
    /// What it sends is dropped, and counted.
    Dropped,
}

/// A way of sending.
struct Way {
    name: &'static str,
    held: Held,
    /// Section of the configuration; empty where it comes by the API.
    input: &'static str,
    /// Sends so many records to a port; returns when they are taken, where the protocol says so. Counts how often it was refused.
    send: fn(&Node, u16, &str) -> usize,
}

const WAYS: [Way; 9] = [
    Way {
        name: "ingest",
        held: Held::Told,
        input: "",
        send: |node, _, token| until_taken(|| ingest(node, token, "x", &json_lines())),
    },
    Way { name: "publish", held: Held::Told, input: "", send: publish },
    Way { name: "http", held: Held::Waits, input: "type = \"http\"", send: http },
    Way {
        name: "syslog",
        held: Held::Waits,
        input: "type = \"syslog\"\ntransports = [\"tcp\"]",
        send: |_, port, _| over_tcp(port, "<13>1 2026-11-20T23:51:34Z vm app - - - one\n"),
    },
    Way {
        name: "datagrams",
        held: Held::Dropped,
        input: "type = \"syslog\"\ntransports = [\"udp\"]",
        send: |_, port, _| {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
            for _ in 0..GO {
                socket
                    .send_to(b"<13>1 2026-11-20T23:51:34Z vm app - - - one", ("127.0.0.1", port))
                    .expect("sent");
            }
            0
        },
    },
    Way {
        name: "gelf",
        held: Held::Waits,
        input: "type = \"gelf\"\ntransports = [\"tcp\"]",
        send: |_, port, _| {
            over_tcp(port, "{\"version\":\"1.1\",\"host\":\"vm\",\"short_message\":\"one\"}\0")
        },
    },
    Way {
        name: "lines",
        held: Held::Waits,
        input: "type = \"tcp\"",
        send: |_, port, _| over_tcp(port, "one line\n"),
    },
    Way { name: "forward", held: Held::Waits, input: "type = \"forward\"", send: forward },
    Way {
        name: "blueox",
        held: Held::Waits,
        input: "type = \"blueox\"\ncontrol = \"\"",
        send: |_, port, _| {
            let mut application = Application::new(port, "vm");
            application.send(GO as u64).expect("sent");
            // What the node said is unread: an end of the connection now would take along what is under way.
            std::mem::forget(application);
            0
        },
    },
];

fn json_lines() -> String {
    "{\"a\":1}\n".repeat(GO)
}

/// Comes again until it is taken; how often it was told to wait.
fn until_taken(mut once: impl FnMut() -> u16) -> usize {
    let start = Instant::now();
    for told in 0.. {
        match once() {
            200 | 204 => return told,
            status => assert_eq!(status, 429),
        }
        assert!(start.elapsed() < Duration::from_secs(60), "it is refused for ever");
    }
    unreachable!("there are more numbers")
}

fn publish(node: &Node, _port: u16, token: &str) -> usize {
    let url = format!("{}/v1/tenant/{}/publish", node.http, owner_of(node, token));
    let once = || {
        let request = agent().post(&url).header("message-token", token).content_type("application/json");
        let sent = "{\"log_message\":{\"host\":\"vm\",\"pname\":\"app\",\"time\":\"2026-11-20T23:51:34Z\",\"msg\":\"one\"}}";
        request.send(sent).expect("an answer").status().as_u16()
    };
    (0..GO).map(|_| until_taken(once)).sum()
}

/// The tenant of a token, as the node says it.
fn owner_of(node: &Node, token: &str) -> String {
    let said: Value = serde_json::from_str(&ask(node, "/api/v1/session", &[], token).1).expect("JSON");
    said["tenant"].as_str().expect("a tenant").to_owned()
}

fn http(_node: &Node, port: u16, _token: &str) -> usize {
    let request = agent().post(format!("http://127.0.0.1:{port}/x")).content_type("application/x-ndjson");
    assert_eq!(request.send(json_lines()).expect("an answer").status().as_u16(), 200);
    0
}

fn over_tcp(port: u16, record: &str) -> usize {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.write_all(record.repeat(GO).as_bytes()).expect("sent");
    0
}

fn forward(_node: &Node, port: u16, _token: &str) -> usize {
    let mut sender = Sender::connect(port).expect("it listens");
    for number in 0..GO as u64 {
        let chunk = format!("{port} {number} {:?}", std::thread::current().id());
        assert!(sender.send("x", 1_795_217_048, 0, number, &chunk).expect("an answer"));
    }
    0
}

/// What somebody finds.
fn count(node: &Node, token: &str) -> usize {
    ask(node, "/api/v1/search", &[("query", "*")], token).1.lines().count()
}

/// What an input counted as limited.
fn limited(node: &Node, owner: &str, input: &str) -> usize {
    let said: Value = serde_json::from_str(&ask(node, "/api/v1/status", &[], owner).1).expect("JSON");
    let parts = said["parts"].as_array().expect("parts");
    let of = parts.iter().filter(|part| part["name"].as_str().is_some_and(|name| name.contains(input)));
    of.filter_map(|part| part["errors"]["limited"].as_u64()).sum::<u64>() as usize
}

fn wait_until(what: &str, mut ready: impl FnMut() -> bool) {
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// A sender and where it sends to.
struct Party {
    way: &'static Way,
    input: String,
    loud: bool,
    tenant: String,
    token: String,
}

#[test]
fn at_the_limit_of_a_tenant_its_connections_wait_and_those_of_others_go_on() {
    go(false);
}

#[test]
fn at_the_limit_of_a_token_its_connections_wait_and_those_of_others_go_on() {
    go(true);
}

fn go(by_token: bool) {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let owner = run(&data, "", &["tenant", "add", "first"]);
    let mut config = String::new();
    let mut parties = Vec::new();
    for way in &WAYS {
        for loud in [true, false] {
            let tenant = format!("{}-{}", way.name, if loud { "loud" } else { "calm" });
            run(&data, "", &["tenant", "add", &tenant]);
            let token = run(&data, "", &["token", "add", "--tenant", &tenant, "--role", "write"]);
            let input = tenant.clone();
            if !way.input.is_empty() {
                let whose = if by_token {
                    format!("credential = \"{token}\"")
                } else {
                    format!("tenant = \"{tenant}\"")
                };
                config.push_str(&format!(
                    "[[input]]\nid = \"{input}\"\n{}\nlisten = \"127.0.0.1:0\"\n{whose}\n",
                    way.input
                ));
            }
            parties.push(Party { way, input, loud, tenant, token });
        }
    }
    let path = folder.path().join("sawlog.toml");
    std::fs::write(&path, config).expect("written");
    let node = Node::start(&data, &["--forward", "off", "--config", path.to_str().expect("text")]);
    let limit = |party: &Party, most: &str| {
        let id = party.token.split('_').nth(1).expect("an id");
        match by_token {
            true => run(&data, &party.tenant, &["token", "limit", id, "--records-per-second", most]),
            false => run(&data, "", &["tenant", "limit", &party.tenant, "--records-per-second", most]),
        };
    };
    parties.iter().filter(|party| party.loud).for_each(|party| limit(party, "1"));
    std::thread::scope(|scope| {
        let send = |party: &'_ Party| {
            let (node, send, token) = (&node, party.way.send, party.token.clone());
            let port = if party.way.input.is_empty() { 0 } else { node.port(&party.input) };
            scope.spawn(move || send(node, port, &token))
        };
        let mut loud = Vec::new();
        for goes in 1..=2 {
            let mut calm = Vec::new();
            for party in &parties {
                let sending = send(party);
                if party.loud { loud.push((party.way, sending)) } else { calm.push(sending) }
            }
            assert!(calm.into_iter().all(|sending| sending.join().expect("sent") == 0), "who has no limit");
            for party in parties.iter().filter(|party| !party.loud) {
                wait_until(&party.tenant, || count(&node, &party.token) == goes * GO);
            }
            // Some of what came first is there, and the rate is used up.
            for party in parties.iter().filter(|party| party.loud) {
                wait_until(&party.tenant, || count(&node, &party.token) > 0);
            }
        }
        for party in parties.iter().filter(|party| party.loud) {
            assert!(count(&node, &party.token) < 2 * GO, "{} is not held back", party.tenant);
            if party.way.held != Held::Told {
                wait_until(&party.tenant, || limited(&node, &owner, &party.input) > 0);
            }
            limit(party, "0");
        }
        for (way, sending) in loud {
            let told = sending.join().expect("sent");
            assert!(way.held == Held::Told || told == 0, "{}", way.name);
        }
        for party in parties.iter().filter(|party| party.loud) {
            let dropped = || match party.way.held {
                Held::Dropped => limited(&node, &owner, &party.input),
                _ => 0,
            };
            wait_until(&party.tenant, || count(&node, &party.token) + dropped() >= 2 * GO);
            assert_eq!(count(&node, &party.token) + dropped(), 2 * GO, "{}", party.tenant);
        }
    });
    node.shut_down();
}
