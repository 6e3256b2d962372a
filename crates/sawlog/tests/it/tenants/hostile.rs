//! Two tenants with hostile names and words side by side, of whom none sees a byte of the other, in answers, exports, metrics or what
//! the node prints.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{agent, ask, ask_for, ingest, run, tiny_http, wait_for};
use crate::node::{Node, sawlog};

/// A tenant of the isolation test: a hostile name, a word that stands in all it sends, and its tokens.
struct Party {
    name: &'static str,
    word: &'static str,
    sender: String,
    reader: String,
    admin: String,
    /// What the browser of its user shows, whose name has its word in it.
    cookie: String,
    /// That of an administrator.
    boss: String,
}

const ROUNDS: usize = 200;

/// Sends rounds of events by every way there is, each with the party's word in it.
fn send_all(node: &Node, party: &Party, port: u16, own_port: u16) {
    let word = party.word;
    let quoted = party.name.replace('\\', "\\\\").replace('"', "\\\"").replace(']', "\\]");
    let mut syslog = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    for round in 0..ROUNDS {
        let lines = format!(
            "{{\"msg\":\"{word} {round}\",\"user\":\"u{word}\",\"_tenant\":\"0\",\"tenant\":1,\"k{word}\":{round}}}\n"
        );
        assert_eq!(ingest(node, &party.sender, &format!("tag.{word}"), &lines), 200);
        let message = format!(
            "<13>1 2026-11-20T23:51:34Z host{word} app{word} - - [meniscus tenant=\"{quoted}\" token=\"{}\"][x y=\"{word}\"] {word} {round}\n",
            party.sender
        );
        syslog.write_all(message.as_bytes()).unwrap();
        udp.send_to(
            format!("<13>Nov 20 23:51:31 h{word} a: {word} {round}").as_bytes(),
            ("127.0.0.1", own_port),
        )
        .unwrap();
    }
    // One with the other's name, or nobody's token, is refused, whatever else it says.
    for wrong in
        ["[meniscus tenant=\"default\" token=\"x\"]", "[meniscus tenant=\"0\" token=\"\"]", "[meniscus]"]
    {
        syslog.write_all(format!("<13>1 - h a - - {wrong} {word} stray\n").as_bytes()).unwrap();
    }
}

#[test]
fn two_tenants_under_load_see_nothing_of_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let (data, config) = (folder.path().join("data"), folder.path().join("sawlog.toml"));
    let names = [("../t0/a\"; DROP TABLE logs; --", "xanadu"), ("t1' OR '1'='1]*", "zymurgy")];
    let party = |(name, word)| {
        run(&data, "", &["tenant", "add", name]);
        let token = |role: &str| run(&data, "", &["token", "add", "--tenant", name, "--role", role]);
        let (sender, reader, admin) = (token("ingest"), token("read"), token("admin"));
        let (cookie, boss) = (String::new(), String::new());
        Party { name, word, sender, reader, admin, cookie, boss }
    };
    let mut parties = names.map(party);
    let own: String = parties
        .iter()
        .zip(["one", "two"])
        .map(|(party, id)| {
            format!(
                "[[input]]\ntype = \"syslog\"\nid = \"{id}\"\ntenant = '''{}'''\nlisten = \"127.0.0.1:0\"\ntransports = [\"udp\"]\n",
                party.name
            )
        })
        .collect();
    let shared =
        "[[input]]\ntype = \"syslog\"\nid = \"all\"\ncredentials = \"require\"\nlisten = \"127.0.0.1:0\"\n";
    // What comes over HTTP is refused by an output: each has dead letters, too.
    let refused = format!(
        "[[output]]\ntype = \"http\"\nid = \"sink\"\nendpoint = \"http://127.0.0.1:{}/\"\nmatch = \"tag.**\"\n",
        tiny_http(400)
    );
    std::fs::write(&config, format!("{shared}{own}{refused}")).unwrap();
    let printed = std::fs::File::create(folder.path().join("printed")).unwrap();
    let node =
        Node::start_by(sawlog().stderr(Stdio::from(printed)), &data, &["--config", config.to_str().unwrap()]);
    let port = |id: &str| -> u16 {
        let key = format!("{id}=");
        let at = node
            .ready
            .split_whitespace()
            .find_map(|word| word.strip_prefix(key.as_str()))
            .expect("it listens");
        at.rsplit(':').next().unwrap().parse().unwrap()
    };
    for party in &mut parties {
        (party.cookie, party.boss) =
            (sign_in_as(&node, &data, party, "read"), sign_in_as(&node, &data, party, "admin"));
    }
    let [first, second] = &parties;
    // A live tail of the one is open all the time.
    let mut tail = agent()
        .get(format!("{}/api/v1/tail", node.http))
        .header("authorization", format!("Bearer {}", first.reader))
        .call()
        .unwrap();
    let tailed = std::thread::spawn(move || {
        let mut seen = String::new();
        let mut lines = BufReader::new(tail.body_mut().as_reader());
        // Until the node ends.
        while lines.read_line(&mut seen).is_ok_and(|read| read > 0) {}
        seen
    });
    std::thread::scope(|scope| {
        let (all, one, two) = (port("all"), port("one"), port("two"));
        let node = &node;
        scope.spawn(move || send_all(node, first, all, one));
        scope.spawn(move || send_all(node, second, all, two));
        let ask_on = move |party: &Party| {
            for _ in 0..50 {
                ask(node, "/api/v1/search", &[("query", "*")], &party.reader);
            }
        };
        scope.spawn(move || ask_on(first));
        scope.spawn(move || ask_on(second));
    });
    for party in &parties {
        wait_for(&node, &party.reader, party.word, ROUNDS * 3);
        wait_for(&node, &party.reader, "stray", 0);
        let start = Instant::now();
        while !ask(&node, "/api/v1/dead", &[], &party.reader).1.contains(party.word) {
            assert!(start.elapsed() < Duration::from_secs(30), "no dead letter of {}", party.name);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    for round in ["in memory", "in segments"] {
        for (party, other) in [(first, second), (second, first)] {
            for answer in questions(&node, party, other) {
                assert!(
                    !answer.contains(other.word),
                    "{round}: {} sees {}: {answer}",
                    party.name,
                    other.word
                );
                assert!(!answer.contains(&other.sender), "{round}: a token of {}", other.name);
            }
            for answer in by_cookie(&node, party, other) {
                assert!(!answer.contains(other.word), "{round}: a user of {} sees {answer}", party.name);
            }
            let exported = run(&data, party.name, &["export", "--format", "jsonl"]);
            assert!(exported.contains(party.word) && !exported.contains(other.word));
            let (status, _) = ask_for(&node, "/api/v1/search", other.name, &party.admin);
            assert_eq!(status, 401, "a token of one tenant for another");
        }
        run(&data, "", &["search", "x"]);
        let owner = run(&data, "", &["token", "add", "--role", "admin"]);
        assert_eq!(
            ask(&node, "/api/v1/search", &[("query", "*")], &owner).1,
            "",
            "the owner has nothing of its own"
        );
        let request = agent()
            .post(format!("{}/api/v1/flush", node.http))
            .header("authorization", format!("Bearer {owner}"));
        assert_eq!(request.send_empty().unwrap().status().as_u16(), 200);
    }
    // What each has lies in a directory of its own, by number.
    for number in ["t1", "t2"] {
        assert!(std::fs::read_dir(data.join(number)).unwrap().count() > 0, "{number}");
    }
    assert!(!data.join("t0").exists() || std::fs::read_dir(data.join("t0")).unwrap().count() == 0);
    node.shut_down();
    let seen = tailed.join().unwrap();
    assert!(seen.contains(first.word) && !seen.contains(second.word), "a live tail");
    let mut printed = String::new();
    std::fs::File::open(folder.path().join("printed")).unwrap().read_to_string(&mut printed).unwrap();
    for party in &parties {
        assert!(!printed.contains(party.word) && !printed.contains(&party.sender), "{printed}");
    }
}

/// Makes a user of a party with a hostile name, by its administrator, and signs in as that; what the browser then shows.
fn sign_in_as(node: &Node, data: &Path, party: &Party, role: &str) -> String {
    let name = format!("../{}\"; DROP TABLE users; -- {role}", party.word);
    let password = format!("' OR 1=1 -- {}", party.word);
    let mut command = sawlog();
    command.args(["user", "add", &name, "--role", role, "--tenant", party.name, "--data"]).arg(data);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    let body = serde_json::json!({ "name": name, "password": password }).to_string();
    let sent =
        agent().post(format!("{}/api/v1/login", node.http)).content_type("application/json").send(&body);
    let response = sent.unwrap();
    assert_eq!(response.status().as_u16(), 200, "{name}");
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

/// What a party's users see by their sessions, also where they name the other's tenant, which is to be refused; and their letters and
/// counts, which are to be there.
fn by_cookie(node: &Node, party: &Party, other: &Party) -> Vec<String> {
    let mut answers = Vec::new();
    for cookie in [&party.cookie, &party.boss] {
        let mut see = |path: &str, tenant: &str| {
            let mut asked = agent().get(format!("{}{path}", node.http)).header("cookie", cookie);
            if !tenant.is_empty() {
                asked = asked.header("x-sawlog-tenant", tenant);
            }
            let mut response = asked.call().unwrap();
            let said = response.body_mut().read_to_string().unwrap_or_default();
            answers.push(said.clone());
            (response.status().as_u16(), said)
        };
        for path in [
            "/api/v1/search",
            "/api/v1/dead",
            "/api/v1/usage",
            "/api/v1/session",
            "/metrics",
            "/api/v1/fields",
        ] {
            let (status, said) = see(path, "");
            assert_eq!(status, 200, "{path}");
            if matches!(path, "/api/v1/dead" | "/api/v1/search") {
                assert!(said.contains(party.word), "{path}");
            }
            if path == "/api/v1/usage" {
                let said: Value = serde_json::from_str(&said).unwrap();
                assert_eq!(said["tenants"].as_array().unwrap().len(), 1, "{said}");
                assert!(said["tenants"][0]["days"][0]["records"].as_u64() >= Some(ROUNDS as u64), "{said}");
            }
            assert_eq!(see(path, other.name).0, 401, "{path} for the other's tenant");
            assert_eq!(see(path, "default").0, 401, "{path} for the owner's");
        }
        see("/api/v1/users", "");
        see("/api/v1/tokens", "");
    }
    let post = |path: &str| {
        let asked = agent().post(format!("{}{path}", node.http)).header("cookie", &party.boss);
        let asked = asked.header("origin", &node.http).content_type("application/json");
        asked.send("{\"name\":\"x\"}").unwrap().status().as_u16()
    };
    assert_eq!(post("/api/v1/tenants/remove"), 401, "it does not own the node");
    let stolen = format!("/api/v1/users/remove?name={}", "..%2F".to_owned() + other.word);
    assert_ne!(post(&stolen), 200);
    answers
}

/// Every route that gives something to read, with questions that try to see more than they should.
fn questions(node: &Node, party: &Party, other: &Party) -> Vec<String> {
    let hostile = [
        String::new(),
        "*".to_owned(),
        "_tenant:0 OR _tenant:1 OR _tenant:2".to_owned(),
        format!("tenant:1 OR k{}:* OR user:*", &other.word[..4]),
        "NOT nothing | stats count() by (_tag, _host, _source)".to_owned(),
        "* | union [*]".to_owned(),
        "* | join user [*]".to_owned(),
        "* | patterns".to_owned(),
        "* | top user".to_owned(),
    ];
    let statements = [
        "SELECT * FROM logs".to_owned(),
        "SELECT _line, _tag, _fields FROM logs".to_owned(),
        "SELECT * FROM information_schema.tables".to_owned(),
        "SELECT * FROM \"t1\".logs UNION SELECT * FROM \"t2\".logs".to_owned(),
        "SELECT _line FROM logs WHERE _tenant = 1 OR _tenant = 2 OR true".to_owned(),
        "SELECT count(*) FROM logs; SELECT _line FROM logs".to_owned(),
    ];
    let mut answers = Vec::new();
    let mut put =
        |path: &str, query: &[(&str, &str)], token: &str| answers.push(ask(node, path, query, token).1);
    for query in &hostile {
        for path in ["/api/v1/search", "/api/v1/hits"] {
            put(path, &[("query", query)], &party.reader);
        }
        for field in ["user", "_tag", "_host", "_source", "msg"] {
            put("/api/v1/values", &[("field", field), ("query", query)], &party.reader);
        }
    }
    for statement in &statements {
        put("/api/v1/sql", &[("query", statement)], &party.reader);
    }
    for path in [
        "/api/v1/users",
        "/api/v1/usage",
        "/api/v1/dead",
        "/api/v1/fields",
        "/api/v1/events",
        "/api/v1/loggers",
        "/api/v1/status",
        "/metrics",
        "/api/v1/openapi.json",
        "/api/v1/session",
        "/api/v1/tenants",
        "/api/v1/tokens",
        "/grep/",
        "/api/grep/x/",
        "/v1/status",
    ] {
        put(path, &[], &party.reader);
        put(path, &[], &party.admin);
    }
    answers
}
