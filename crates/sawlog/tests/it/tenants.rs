//! Tenants from outside: what the commands make, who sees what, what they weigh.

mod commands;
mod hostile;
mod load;
mod waiting;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use crate::node::{Node, sawlog, succeed};

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

fn ask_for(node: &Node, path: &str, tenant: &str, token: &str) -> (u16, String) {
    let request =
        agent().get(format!("{}{path}", node.http)).header("authorization", format!("Bearer {token}"));
    let mut response = request.header("x-sawlog-tenant", tenant).call().unwrap();
    (response.status().as_u16(), response.body_mut().read_to_string().unwrap_or_default())
}

/// A server that answers everything with one status; its port.
fn tiny_http(status: u16) -> u16 {
    changing_http(Arc::new(AtomicU16::new(status)))
}

/// A server that answers everything with the status that holds; its port.
fn changing_http(status: Arc<AtomicU16>) -> u16 {
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
            let status = status.load(Ordering::Relaxed);
            let _ = write!(stream, "HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    port
}
