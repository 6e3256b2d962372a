//! Tenants and tokens from outside: the commands, and two tenants with hostile names and words side by side, of whom none sees a
//! byte of the other, in answers, exports, metrics or what the node prints.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::node::{Node, output, sawlog, succeed};

/// Runs a command over a directory; what it prints.
fn run(data: &Path, tenant: &str, arguments: &[&str]) -> String {
    let mut command = sawlog();
    if !tenant.is_empty() {
        command.env("SAWLOG_TENANT", tenant);
    }
    let printed = succeed(command.args(arguments).arg("--data").arg(data));
    String::from_utf8(printed).expect("text").trim_end().to_owned()
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().into()
}

/// Asks with a token; status and body.
fn ask(node: &Node, path: &str, query: &[(&str, &str)], token: &str) -> (u16, String) {
    let mut request =
        agent().get(format!("{}{path}", node.http)).header("authorization", format!("Bearer {token}"));
    for (name, value) in query {
        request = request.query(*name, *value);
    }
    let mut response = request.call().expect("an answer");
    (response.status().as_u16(), response.body_mut().read_to_string().unwrap_or_default())
}

/// Sends lines of JSON with a token; the status.
fn ingest(node: &Node, token: &str, tag: &str, lines: &str) -> u16 {
    let request = agent().post(format!("{}/api/v1/ingest", node.http)).query("tag", tag);
    let request = request.header("authorization", format!("Bearer {token}"));
    request.content_type("application/x-ndjson").send(lines).expect("an answer").status().as_u16()
}

/// Waits until a tenant finds so many records.
fn wait_for(node: &Node, token: &str, query: &str, count: usize) {
    let start = Instant::now();
    loop {
        let (_, found) = ask(node, "/api/v1/search", &[("query", query)], token);
        if found.lines().count() == count {
            return;
        }
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "{query} finds {} of {count}",
            found.lines().count()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_commands_make_tenants_and_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let first = run(&data, "", &["tenant", "add", "acme", "--title", "Acme Corp"]);
    assert!(first.starts_with("sawlog_"), "the first tenant gives an administrator's token: {first}");
    assert_eq!(run(&data, "", &["tenant", "add", "globex"]), "");
    let sender = run(&data, "", &["token", "add", "--tenant", "acme", "--role", "ingest", "--expires", "1h"]);
    let node = Node::start(&data, &["--syslog", "off"]);
    assert_eq!(ingest(&node, &sender, "web", "{\"a\":1}\n{\"a\":2}\n"), 200);
    assert_eq!(ingest(&node, "", "web", "{\"a\":3}\n"), 401);
    let reader = run(&data, "acme", &["token", "add", "--role", "read", "--name", "grafana"]);
    wait_for(&node, &reader, "a:*", 2);
    assert_eq!(ask(&node, "/api/v1/search", &[], &sender).0, 401, "who may send may not read");
    assert_eq!(run(&data, "acme", &["search", "a:*"]).lines().count(), 2);
    assert_eq!(run(&data, "globex", &["search", "a:*"]), "");
    assert_eq!(run(&data, "", &["search", "a:*"]), "", "the tenant that owns the node has none");
    let listed = run(&data, "", &["tenant", "list"]);
    assert!(listed.lines().count() == 3 && listed.contains("Acme Corp"), "{listed}");
    let listed: Value = serde_json::from_str(&run(&data, "acme", &["token", "list", "--json"])).unwrap();
    let of = |name: &str| {
        let all = listed["tokens"].as_array().unwrap();
        all.iter().find(|token| token["name"] == name).unwrap()["id"].as_str().unwrap().to_owned()
    };
    let next = run(&data, "acme", &["token", "rotate", &of("grafana"), "--keep", "1h"]);
    assert_eq!(
        (ask(&node, "/api/v1/fields", &[], &reader).0, ask(&node, "/api/v1/fields", &[], &next).0),
        (200, 200)
    );
    run(&data, "acme", &["token", "remove", &of("grafana")]);
    assert_eq!(ask(&node, "/api/v1/fields", &[], &next).0, 401);
    assert_eq!(ask(&node, "/api/v1/tenants", &[], &first).0, 200);
    node.shut_down();
    // Where no node runs, the directory is read for the tenant.
    assert_eq!(run(&data, "acme", &["search", "a:*"]).lines().count(), 2);
    assert_eq!(run(&data, "globex", &["search", "a:*"]), "");
    let wrong = output(sawlog().env("SAWLOG_TENANT", "none").args(["search", "a:*", "--data"]).arg(&data));
    assert!(!wrong.status.success());
    run(&data, "", &["tenant", "add", "late"]);
    let node = Node::start(&data, &["--syslog", "off"]);
    let asked = output(sawlog().args(["tenant", "remove", "acme", "--data"]).arg(&data));
    assert!(String::from_utf8_lossy(&asked.stderr).contains("--yes"), "{asked:?}");
    assert_eq!(ingest(&node, &sender, "web", "{\"a\":4}\n"), 200, "nothing was done yet");
    run(&data, "", &["tenant", "remove", "acme", "--yes"]);
    assert_eq!(ingest(&node, &sender, "web", "{\"a\":4}\n"), 401, "its tokens are gone with it");
}

#[test]
fn configured_tenants_get_a_first_token_in_a_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (data, config) = (folder.path().join("data"), folder.path().join("sawlog.toml"));
    std::fs::write(&config, "tenants = \"acme, globex\"\n[meniscus]\nlisten = \"127.0.0.1:0\"\n").unwrap();
    let node = Node::start(&data, &["--config", config.to_str().unwrap()]);
    let left = data.join("first-token");
    let token = std::fs::read_to_string(&left).unwrap().trim_end().to_owned();
    for path in [left, data.join("access.json"), data.join("node.json")] {
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600,
            "{}",
            path.display()
        );
    }
    let (status, listed) = ask(&node, "/api/v1/tenants", &[], &token);
    assert!(status == 200 && listed.contains("globex"), "{listed}");
    // Meniscus's API, by its own port: a message to a tenant, and where it is.
    let base = node.ready.split_whitespace().find_map(|word| word.strip_prefix("meniscus=")).unwrap();
    let get = |path: &str| {
        let mut response = agent().get(format!("{base}{path}")).call().unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        serde_json::from_str::<Value>(&text).unwrap()
    };
    assert_eq!(get("/"), serde_json::json!({ "v1": "current" }));
    let message_token = get("/v1/acme/token")["token"]["valid"].as_str().unwrap().to_owned();
    let send = |path: &str, body: &str| {
        let request = agent().post(format!("{base}{path}")).header("MESSAGE-TOKEN", &message_token);
        request.content_type("application/json").send(body).unwrap()
    };
    let producer = "{\"event_producer\":{\"name\":\"pay\",\"pattern\":\"pay\",\"durable\":true}}";
    assert_eq!(send("/v1/acme/producers", producer).status().as_u16(), 201);
    let message = "{\"log_message\":{\"host\":\"h\",\"pname\":\"pay\",\"time\":\"2026-03-19T18:16:48Z\",\"msg\":\"durable one\"}}";
    let mut sent = send("/v1/acme/publish", message);
    assert_eq!(sent.status().as_u16(), 202);
    let said: Value = serde_json::from_str(&sent.body_mut().read_to_string().unwrap()).unwrap();
    let path = said["job_status_uri"].as_str().unwrap().strip_prefix(base).unwrap().to_owned();
    let start = Instant::now();
    while get(&path)["job_status"] != "complete" {
        assert!(start.elapsed() < Duration::from_secs(30), "{}", get(&path));
        std::thread::sleep(Duration::from_millis(20));
    }
    let found = run(&data, "acme", &["search", "durable", "--json"]);
    assert!(found.contains("durable one") && found.contains("2026-03-19T18:16:48"), "{found}");
    node.shut_down();
    let node = Node::start(&data, &["--config", config.to_str().unwrap()]);
    let base = node.ready.split_whitespace().find_map(|word| word.strip_prefix("meniscus=")).unwrap();
    let mut again = agent().get(format!("{base}{path}")).call().unwrap();
    assert!(again.body_mut().read_to_string().unwrap().contains("complete"), "a job outlives a restart");
}

#[test]
fn users_sign_in_by_password_and_commands_never_show_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let typed = |arguments: &[&str], password: &str| {
        let mut command = sawlog();
        command.args(arguments).arg("--data").arg(&data).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    // Where no node runs it is made in the directory; the first one asks for credentials from then on.
    let first = typed(&["user", "add", "root", "--role", "admin"], "first and best");
    assert!(first.starts_with("sawlog_"), "{first}");
    run(&data, "", &["tenant", "add", "acme"]);
    let node = Node::start(&data, &["--syslog", "off"]);
    typed(&["user", "add", "ann", "--tenant", "acme", "--role", "read"], "correct horse");
    assert!(run(&data, "acme", &["user", "list"]).starts_with("ann "));
    let listed = run(&data, "", &["user", "list"]);
    assert!(listed.contains("admin of default"), "{listed}");
    let sign_in = |name: &str, password: &str| {
        let body = serde_json::json!({ "name": name, "password": password }).to_string();
        let sent = agent().post(format!("{}/api/v1/login", node.http)).content_type("application/json");
        let response = sent.send(&body).unwrap();
        let cookie = response.headers().get("set-cookie").map(|cookie| cookie.to_str().unwrap().to_owned());
        (response.status().as_u16(), cookie.unwrap_or_default().split(';').next().unwrap().to_owned())
    };
    let (status, cookie) = sign_in("ann", "correct horse");
    assert_eq!((status, sign_in("ann", "wrong horse").0), (200, 401));
    let see = |path: &str, cookie: &str| {
        let asked = agent().get(format!("{}{path}", node.http)).header("cookie", cookie);
        asked.call().unwrap().status().as_u16()
    };
    assert_eq!((see("/api/v1/fields", &cookie), see("/api/v1/tokens", &cookie)), (200, 401));
    typed(&["user", "password", "ann", "--tenant", "acme"], "another horse");
    assert_eq!((see("/api/v1/fields", &cookie), sign_in("ann", "correct horse").0), (401, 401));
    let (_, cookie) = sign_in("ann", "another horse");
    node.shut_down();
    let node = Node::start(&data, &["--syslog", "off"]);
    let asked = agent().get(format!("{}/api/v1/fields", node.http)).header("cookie", &cookie);
    assert_eq!(asked.call().unwrap().status().as_u16(), 200, "a session outlives a restart");
    run(&data, "acme", &["user", "rm", "ann"]);
    assert!(!run(&data, "", &["user", "list"]).contains("ann"));
    assert!(!std::fs::read_to_string(data.join("access.json")).unwrap().contains("horse"));
}

/// Files below a folder in which a word stands.
fn with_word(folder: &Path, word: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(with_word(&entry, word));
        } else if std::fs::read(&entry).unwrap().windows(word.len()).any(|bytes| bytes == word.as_bytes()) {
            found.push(entry);
        }
    }
    found
}

#[test]
fn of_a_tenant_that_is_removed_no_byte_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (data, config) = (folder.path().join("data"), folder.path().join("sawlog.toml"));
    // An output that refuses every row for good, so that there are dead letters.
    let refusing = tiny_http(400);
    let sink = format!(
        "[[output]]\ntype = \"http\"\nid = \"sink\"\nendpoint = \"http://127.0.0.1:{refusing}/\"\nmatch = \"gone.*\"\n"
    );
    std::fs::write(&config, format!("tenants = \"gone, stays\"\n{sink}")).unwrap();
    let node = Node::start(&data, &["--config", config.to_str().unwrap()]);
    let tokens =
        ["gone", "stays"].map(|name| run(&data, "", &["token", "add", "--tenant", name, "--role", "admin"]));
    // Words that a line's encoding does not break up, in a tag, a field's name and a value.
    for (token, word) in tokens.iter().zip(["quagmire", "sassafras"]) {
        for round in 0..20 {
            let lines = format!("{{\"{word}field\":\"{word}\",\"n\":{round}}}\n");
            assert_eq!(ingest(&node, token, &format!("{word}tag"), &lines), 200);
        }
    }
    assert_eq!(ingest(&node, &tokens[0], "gone.dead", "{\"why\":\"quagmire\"}\n"), 200);
    wait_for(&node, &tokens[0], "quagmire", 21);
    wait_for(&node, &tokens[1], "sassafras", 20);
    let start = Instant::now();
    while !ask(&node, "/api/v1/dead", &[], &tokens[0]).1.contains("quagmire") {
        assert!(start.elapsed() < Duration::from_secs(30), "no dead letter");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!ask(&node, "/api/v1/dead", &[], &tokens[1]).1.contains("quagmire"), "another's letter");
    let logger = serde_json::json!({ "name": "quagmirelog", "selector": "quagmire" }).to_string();
    let set = agent().post(format!("{}/api/v1/loggers/set", node.http));
    let set = set.header("authorization", format!("Bearer {}", tokens[0])).content_type("application/json");
    assert_eq!(set.send(&logger).unwrap().status().as_u16(), 200);
    assert!(!with_word(&data, "quagmire").is_empty());

    run(&data, "", &["tenant", "remove", "gone", "--yes"]);
    assert_eq!(with_word(&data, "quagmire"), Vec::<std::path::PathBuf>::new());
    assert!(!data.join("t1").exists(), "its directory");
    wait_for(&node, &tokens[1], "sassafras", 20);
    assert_eq!(ask(&node, "/api/v1/search", &[], &tokens[0]).0, 401);
    // The name anew: nothing of the old one, in this run and the next.
    run(&data, "", &["tenant", "add", "gone"]);
    let again = run(&data, "", &["token", "add", "--tenant", "gone", "--role", "admin"]);
    for path in
        ["/api/v1/search", "/api/v1/fields", "/api/v1/loggers", "/api/v1/dead", "/api/v1/usage", "/metrics"]
    {
        let (status, said) = ask(&node, path, &[], &again);
        assert!(status == 200 && !said.contains("quagmire"), "{path}: {said}");
    }
    let usage: Value = serde_json::from_str(&ask(&node, "/api/v1/usage", &[], &again).1).unwrap();
    assert!(usage["tenants"][0]["days"].as_array().unwrap().iter().all(|day| day["records"] == 0), "{usage}");
    node.kill();
    let node = Node::start(&data, &["--config", config.to_str().unwrap()]);
    assert_eq!(ask(&node, "/api/v1/search", &[], &again).1, "");
    wait_for(&node, &tokens[1], "sassafras", 20);
    assert_eq!(with_word(&data, "quagmire"), Vec::<std::path::PathBuf>::new());
    assert_eq!(ingest(&node, &again, "web", "{\"a\":1}\n"), 200);
    wait_for(&node, &again, "a:1", 1);
}

/// A server that answers everything with one status; its port.
fn tiny_http(status: u16) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut length, mut line) = (0, String::new());
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                let lower = line.to_ascii_lowercase();
                length =
                    lower.strip_prefix("content-length:").map_or(length, |text| text.trim().parse().unwrap());
                line.clear();
            }
            let _ = reader.take(length).read_to_end(&mut Vec::new());
            let mut stream = stream;
            let _ = write!(stream, "HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    port
}

#[test]
fn a_tenants_limits_hold_each_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for name in ["acme", "globex"] {
        run(&data, "", &["tenant", "add", name]);
    }
    let [acme, globex] =
        ["acme", "globex"].map(|name| run(&data, "", &["token", "add", "--tenant", name, "--role", "admin"]));
    let node = Node::start(&data, &["--syslog", "off"]);
    let limit = |arguments: &[&str]| run(&data, "", &[&["tenant", "limit", "acme"], arguments].concat());
    let refused = |token: &str, tag: &str, lines: &str| {
        let request = agent().post(format!("{}/api/v1/ingest", node.http)).query("tag", tag);
        let request = request.header("authorization", format!("Bearer {token}"));
        let mut sent = request.content_type("application/x-ndjson").send(lines).unwrap();
        (sent.status().as_u16(), sent.body_mut().read_to_string().unwrap())
    };
    // Sources: a tag is one. Fields: by name.
    limit(&["--sources", "2", "--fields", "3"]);
    assert_eq!(ingest(&node, &acme, "a", "{\"x\":1,\"y\":2}\n"), 200);
    assert_eq!(ingest(&node, &acme, "b", "{\"x\":1,\"z\":2}\n"), 200);
    let (status, said) = refused(&acme, "c", "{\"x\":1}\n");
    assert!(status == 429 && said.contains("2 sources (sources)"), "{status} {said}");
    let (status, said) = refused(&acme, "a", "{\"x\":1,\"more\":1}\n");
    assert!(status == 429 && said.contains("3 names (fields), and \\\"more\\\""), "{status} {said}");
    assert_eq!(ingest(&node, &acme, "a", "{\"z\":1}\n"), 200, "of what is there, more");
    assert_eq!(ingest(&node, &globex, "c", "{\"more\":1}\n"), 200, "others may");
    let usage = run(&data, "", &["tenant", "usage"]);
    assert!(usage.lines().any(|line| line.contains("acme") && line.contains("2 limited")), "{usage}");
    limit(&["--sources", "0", "--fields", "0"]);
    // Memory of a question.
    let many: String = (0..3_000).map(|n| format!("{{\"key\":\"value {n}\",\"n\":{n}}}\n")).collect();
    for _ in 0..3 {
        assert_eq!(ingest(&node, &acme, "a", &many), 200);
    }
    wait_for(&node, &acme, "key:*", 9_000);
    let heavy = [("query", "SELECT a.key, b.n FROM logs a JOIN logs b ON a.key = b.key ORDER BY b.n, a.key")];
    assert_eq!(ask(&node, "/api/v1/sql", &heavy, &acme).0, 200);
    limit(&["--query-memory", "100KiB"]);
    let (status, said) = ask(&node, "/api/v1/sql", &heavy, &acme);
    assert!(said.contains("(query_memory)") && matches!(status, 200 | 422), "{status} {said}");
    assert_eq!(
        ask(&node, "/api/v1/search", &[("query", "n:7")], &acme).0,
        200,
        "others of its questions go on"
    );
    limit(&["--query-memory", "0"]);
    assert!(!ask(&node, "/api/v1/sql", &heavy, &acme).1.contains("query_memory"));
    // Age: rows older than that go, with their bytes.
    limit(&["--keep", "1s"]);
    let start = Instant::now();
    while !ask(&node, "/api/v1/search", &[], &acme).1.is_empty() {
        assert!(start.elapsed() < Duration::from_secs(60), "they are still there");
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(ask(&node, "/api/v1/search", &[], &globex).1.lines().count(), 1, "others keep theirs");
    let held: Value = serde_json::from_str(&ask(&node, "/api/v1/usage", &[], &acme).1).unwrap();
    assert_eq!(held["tenants"][0]["stored_bytes"], 0, "{held}");
    limit(&["--keep", "0", "--keep-bytes", "1"]);
    assert_eq!(ingest(&node, &acme, "a", &many), 200);
    wait_for(&node, &acme, "key:*", 3_000);
    let owner = run(&data, "", &["token", "add", "--role", "admin"]);
    let flush = agent().post(format!("{}/api/v1/flush", node.http));
    assert_eq!(
        flush.header("authorization", format!("Bearer {owner}")).send_empty().unwrap().status().as_u16(),
        200
    );
    let start = Instant::now();
    while !ask(&node, "/api/v1/search", &[], &acme).1.is_empty() {
        assert!(start.elapsed() < Duration::from_secs(60), "they are more than it keeps");
        std::thread::sleep(Duration::from_millis(200));
    }
}

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

fn ask_for(node: &Node, path: &str, tenant: &str, token: &str) -> (u16, String) {
    let request =
        agent().get(format!("{}{path}", node.http)).header("authorization", format!("Bearer {token}"));
    let mut response = request.header("x-sawlog-tenant", tenant).call().unwrap();
    (response.status().as_u16(), response.body_mut().read_to_string().unwrap_or_default())
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

/// The time that takes longer than 99 of 100, of bodies that a tenant sends one after the other.
fn slow_end(node: &Node, token: &str, count: usize) -> Duration {
    let mut took: Vec<Duration> = (0..count)
        .map(|number| {
            let start = Instant::now();
            assert_eq!(ingest(node, token, "x", &format!("{{\"n\":{number}}}\n")), 200);
            start.elapsed()
        })
        .collect();
    took.sort();
    took[count * 99 / 100]
}

/// So much more a machine that does other things besides may show.
const NOISE: Duration = Duration::from_millis(5);

#[test]
fn a_tenant_at_its_limit_is_told_and_does_not_slow_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    for name in ["loud", "calm"] {
        run(&data, "", &["tenant", "add", name]);
    }
    let [loud, calm] =
        ["loud", "calm"].map(|name| run(&data, "", &["token", "add", "--tenant", name, "--role", "ingest"]));
    let node = Node::start(&data, &["--syslog", "off"]);
    run(&data, "", &["tenant", "limit", "loud", "--records-per-second", "100"]);
    slow_end(&node, &calm, 200);
    let (sending, stop) = (AtomicBool::new(false), AtomicBool::new(false));
    let (alone, beside, refused) = std::thread::scope(|scope| {
        let (node, sending, stop, loud) = (&node, &sending, &stop, &loud);
        let sender = scope.spawn(move || {
            let body = "{\"n\":1}\n".repeat(50);
            let mut refused = 0;
            while !stop.load(Ordering::Relaxed) {
                // As a sender that goes on without heed to what it is told.
                std::thread::sleep(Duration::from_millis(5));
                if !sending.load(Ordering::Relaxed) {
                    continue;
                }
                let status = ingest(node, loud, "x", &body);
                assert!(matches!(status, 200 | 429), "{status}");
                refused += u32::from(status == 429);
            }
            refused
        });
        // Alternating, and the best of either kind, since other programs run on the machine.
        let mut best = [Duration::MAX; 2];
        for round in 0..12 {
            sending.store(round % 2 == 1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(20));
            best[round % 2] = best[round % 2].min(slow_end(node, &calm, 200));
        }
        stop.store(true, Ordering::Relaxed);
        (best[0], best[1], sender.join().unwrap())
    });
    println!(
        "p99 of a tenant: alone {alone:?}, beside one at its limit {beside:?}; {refused} bodies refused"
    );
    assert!(refused > 10, "{refused}");
    assert!(beside <= alone.mul_f64(1.5) + NOISE, "{beside:?} and not {alone:?}");
    let usage = run(&data, "", &["tenant", "usage"]);
    assert!(usage.contains("loud") && usage.contains("limited"), "{usage}");
}

#[test]
fn a_thousand_tenants_with_little_data_are_light_beside_ten_with_much() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let config = folder.path().join("sawlog.toml");
    let mut names: Vec<String> = (0..1_000).map(|number| format!("tenant-{number}")).collect();
    let many: Vec<String> = (0..10).map(|number| format!("large-{number}")).collect();
    names.extend(many.iter().cloned());
    std::fs::write(&config, format!("tenants = \"{}\"\n", names.join(", "))).unwrap();
    let node = Node::start(&data, &["--config", config.to_str().unwrap()]);
    let owner = std::fs::read_to_string(data.join("first-token")).unwrap().trim_end().to_owned();
    for (number, name) in names.iter().take(1_000).enumerate() {
        let lines = format!("{{\"number\":{number},\"text\":\"only {name} has this\"}}\n").repeat(10);
        let request = agent().post(format!("{}/api/v1/ingest", node.http)).header("x-sawlog-tenant", name);
        let request = request.header("authorization", format!("Bearer {owner}"));
        assert_eq!(request.content_type("application/x-ndjson").send(&lines).unwrap().status().as_u16(), 200);
    }
    let resident = |node: &Node| {
        let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    };
    let written = resident(&node);
    let segments = |data: &Path| {
        let dirs = std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path());
        let of = |dir: std::path::PathBuf| std::fs::read_dir(dir).map_or(0, |files| files.count());
        dirs.filter(|dir| dir.file_name().is_some_and(|name| name.to_string_lossy().starts_with('t')))
            .map(of)
            .sum::<usize>()
    };
    assert_eq!(
        segments(&data),
        0,
        "little data is in memory and in one journal: no tenant makes a file of its own"
    );
    // Ten with much, several times what is kept in memory where SAWLOG_MUCH says so.
    let times = std::env::var("SAWLOG_MUCH").map_or(4, |text| text.parse::<usize>().unwrap());
    let mut raw = 0;
    for (tenant, name) in many.iter().enumerate() {
        for part in 0..times {
            let line = |row: usize| {
                let number = part * 5_000 + row;
                format!(
                    "{{\"number\":{number},\"path\":\"/{tenant}/{}\",\"text\":\"request {} of {name} took {} ms\"}}\n",
                    number % 977,
                    number * 7919 % 100_003,
                    number * 31 % 5_000
                )
            };
            let lines: String = (0..5_000).map(line).collect();
            raw += lines.len();
            let request =
                agent().post(format!("{}/api/v1/ingest", node.http)).header("x-sawlog-tenant", name);
            let request = request.header("authorization", format!("Bearer {owner}"));
            assert_eq!(
                request.content_type("application/x-ndjson").send(&lines).unwrap().status().as_u16(),
                200
            );
        }
    }
    let with_many = resident(&node);
    node.shut_down();
    let start = Instant::now();
    let node = Node::start(&data, &["--config", config.to_str().unwrap()]);
    let ready = start.elapsed();
    let (_, counted) =
        ask_for(&node, "/api/v1/search?query=*%20%7C%20stats%20count()%20as%20n", "large-7", &owner);
    assert!(counted.contains(&format!("{}", times * 5_000)), "{counted}");
    let (_, found) = ask_for(&node, "/api/v1/search", "tenant-777", &owner);
    assert_eq!((found.lines().count(), found.contains("only tenant-777 has this")), (10, true));
    let begun = resident(&node);
    let flush = agent()
        .post(format!("{}/api/v1/flush", node.http))
        .header("authorization", format!("Bearer {owner}"));
    assert_eq!(flush.send_empty().unwrap().status().as_u16(), 200);
    let files = segments(&data);
    let bytes: u64 = (1..=1_000)
        .flat_map(|number| std::fs::read_dir(data.join(format!("t{number}"))).unwrap())
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum();
    println!(
        "1,000 tenants of 10 records: {written} MB resident when written; ten more with {raw} bytes of {} records: {with_many} MB; \
         {begun} MB after a start that took {ready:?}; flushed by force {files} files, {bytes} bytes those of the thousand",
        times * 50_000
    );
    assert!(written < 200 && with_many < 300 && begun < 300 && ready < Duration::from_secs(5));
    assert!((1_010..1_100).contains(&files), "{files}");
}
