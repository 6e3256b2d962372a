//! What a server gets over TCP, TLS and UDP, and what happens when it goes.

use sawlog_model::Limits;
use sawlog_pipeline::{Lsn, Origin};
use sawlog_sys::net::TcpListener;
use sawlog_sys::task;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::runtime::Runtime;

use super::*;
use crate::shared::tls::tests::Certificates;
use crate::testing::{env, lines, options_of, rows};

const PATIENCE: Duration = Duration::from_secs(30);

fn origin() -> Origin {
    Origin::Journal { at: Lsn(1), next: Lsn(2), position: None }
}

fn made(runtime: &Runtime, protocol: &Protocol, given: &[(&str, &[&str])]) -> Box<dyn Output> {
    let make = protocol.output.expect("an output");
    let made = make(&options_of(protocol, given), &env(runtime, Limits::default()));
    made.unwrap_or_else(|error| panic!("{error}"))
}

fn batch() -> Arc<Batch> {
    Arc::new(rows("app", &[r#"{"n":1}"#, r#"{"n":2,"text":"é"}"#]))
}

/// Accepts a connection and reads so many lines from it.
async fn read(listener: &TcpListener, count: usize) -> Vec<String> {
    let (stream, _) = listener.accept().await.expect("a client");
    let mut lines = BufReader::new(stream).lines();
    let mut read = Vec::new();
    while read.len() < count {
        read.push(lines.next_line().await.expect("bytes").expect("a line"));
    }
    read
}

#[test]
fn lines_go_over_tcp_and_over_a_new_connection_when_the_server_has_closed_it() {
    let runtime = task::runtime("test", 2).unwrap();
    let listener = runtime.block_on(sawlog_sys::net::listen(([127, 0, 0, 1], 0).into())).unwrap();
    let to = listener.local_addr().unwrap().to_string();
    let output = made(&runtime, &TCP, &[("to", &[&to])]);
    for _ in 0..2 {
        // The first connection is closed when its lines were read.
        output.take(batch(), origin()).unwrap();
        let got = runtime.block_on(async { timeout(PATIENCE, read(&listener, 2)).await });
        assert_eq!(got.unwrap(), [r#"{"n":1}"#, r#"{"n":2,"text":"é"}"#]);
    }
    drop(listener);
    let failed = output.take(batch(), origin()).unwrap_err();
    assert!(matches!(&failed, OutputError::Later(why) if why.starts_with(&to)), "{failed}");
}

#[test]
fn lines_go_over_tls() {
    let files = Certificates::new(&["localhost"]);
    let (cert, key, ca) = (files.path("localhost.pem"), files.path("localhost.key"), files.path("ca.pem"));
    let runtime = task::runtime("test", 2).unwrap();
    let server = Options(
        [("tls_cert", cert), ("tls_key", key), ("tls_min_version", "1.2".to_owned())]
            .map(|(name, value)| (name.to_owned(), vec![value]))
            .into(),
    );
    let acceptor = tls::acceptor(&server, &sawlog_sys::Sys::real()).unwrap().unwrap();
    let listener = runtime.block_on(sawlog_sys::net::listen(([127, 0, 0, 1], 0).into())).unwrap();
    let to = format!("localhost:{}", listener.local_addr().unwrap().port());
    let served = runtime.spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let stream = tls::accept(&acceptor, stream).await.unwrap();
        BufReader::new(stream).lines().next_line().await.unwrap()
    });
    let output = made(&runtime, &TCP, &[("to", &[&to]), ("tls", &["true"]), ("tls_ca", &[&ca])]);
    output.take(batch(), origin()).unwrap();
    let line = runtime.block_on(async { timeout(PATIENCE, served).await });
    assert_eq!(line.unwrap().unwrap().as_deref(), Some(r#"{"n":1}"#));
}

#[test]
fn each_event_is_a_datagram_and_one_that_is_too_long_is_refused() {
    let runtime = task::runtime("test", 2).unwrap();
    let socket = runtime.block_on(UdpSocket::bind("127.0.0.1:0")).unwrap();
    let to = socket.local_addr().unwrap().to_string();
    let output = made(&runtime, &UDP, &[("to", &[&to]), ("format.add_newline", &["false"])]);
    output.take(batch(), origin()).unwrap();
    let long = "x".repeat(70_000);
    let failed = output.take(Arc::new(lines("app", &["short", &long])), origin()).unwrap_err();
    assert!(matches!(&failed, OutputError::Refused(why) if why.starts_with("1 events")), "{failed}");
    for wanted in [r#"{"n":1}"#, r#"{"n":2,"text":"é"}"#, r#"{"message":"short"}"#] {
        let mut bytes = [0; 1000];
        let got = runtime.block_on(async { timeout(PATIENCE, socket.recv(&mut bytes)).await });
        assert_eq!(&bytes[..got.unwrap().unwrap()], wanted.as_bytes());
    }
}

#[test]
fn an_address_without_a_port_is_refused() {
    let runtime = task::runtime("test", 1).unwrap();
    for protocol in [&TCP, &UDP] {
        let make = protocol.output.unwrap();
        let options = options_of(protocol, &[("to", &["host"])]);
        let refused = make(&options, &env(&runtime, Limits::default())).err().expect("no port").0;
        assert!(refused.contains("HOST:PORT"), "{refused}");
    }
}
