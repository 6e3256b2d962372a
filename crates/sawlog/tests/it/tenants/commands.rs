//! Tenants, tokens, users and limits as the commands make and remove them.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{agent, ask, changing_http, ingest, run, tiny_http, wait_for};
use crate::node::{Node, output, sawlog};

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
    for entry in std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(with_word(&entry, word));
        } else if std::fs::read(&entry)
            .unwrap_or_default()
            .windows(word.len())
            .any(|bytes| bytes == word.as_bytes())
        {
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

#[test]
fn a_removal_waits_for_an_output_that_is_behind_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (data, config) = (folder.path().join("data"), folder.path().join("sawlog.toml"));
    let status = Arc::new(AtomicU16::new(503));
    let port = changing_http(status.clone());
    let sink = format!(
        "[[output]]\ntype = \"http\"\nid = \"slow\"\nendpoint = \"http://127.0.0.1:{port}/\"\nmatch = \"**\"\n"
    );
    std::fs::write(&config, format!("tenants = \"gone, stays\"\n{sink}")).unwrap();
    let arguments = ["--config", config.to_str().unwrap()];
    let node = Node::start(&data, &arguments);
    let tokens =
        ["gone", "stays"].map(|name| run(&data, "", &["token", "add", "--tenant", name, "--role", "admin"]));
    for (token, word) in tokens.iter().zip(["quagmire", "sassafras"]) {
        assert_eq!(ingest(&node, token, word, &format!("{{\"a\":\"{word}\"}}\n")), 200);
        wait_for(&node, token, word, 1);
    }
    let removed = output(sawlog().args(["tenant", "remove", "gone", "--yes", "--data"]).arg(&data));
    let said = String::from_utf8(removed.stderr).unwrap();
    assert!(!removed.status.success() && said.contains("is removed") && said.contains("slow"), "{said}");
    let left = with_word(&data, "quagmire");
    assert!(!left.is_empty() && left.iter().all(|file| file.starts_with(data.join("journal"))), "{left:?}");
    assert_eq!(ask(&node, "/api/v1/search", &[], &tokens[0]).0, 401);
    // A later run goes on with it.
    node.kill();
    let node = Node::start(&data, &arguments);
    assert!(!with_word(&data, "quagmire").is_empty());
    status.store(200, Ordering::Relaxed);
    let start = Instant::now();
    while !with_word(&data, "quagmire").is_empty() {
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", with_word(&data, "quagmire"));
        std::thread::sleep(Duration::from_millis(100));
    }
    wait_for(&node, &tokens[1], "sassafras", 1);
    let kept = std::fs::read_to_string(data.join("access.json")).unwrap();
    assert!(!kept.contains("going"), "nothing is left to do: {kept}");
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
