//! Requests as a server gets them, answers of every kind, and what Fluentd's form means.

use std::sync::Mutex;
use std::sync::mpsc::channel;

use sawlog_pipeline::{Lsn, Origin};

use super::*;
use crate::shared::tls;
use crate::shared::web_server::{Reply, WebServer, serve};
use crate::testing::{env, fluent, options_of, rows};

/// A server that answers with these codes in turn, then with 200.
struct Server(WebServer);

impl std::ops::Deref for Server {
    type Target = WebServer;

    fn deref(&self) -> &WebServer {
        &self.0
    }
}

impl Server {
    fn start(codes: &[u16]) -> Server {
        let codes: Vec<u16> = codes.iter().rev().copied().collect();
        let codes = Mutex::new(codes);
        Server(WebServer::start(move |_| match codes.lock().unwrap().pop().unwrap_or(200) {
            0 => None,
            code => Some(Reply::new(code, "why!")),
        }))
    }

    fn output(&self, given: &[(&str, &[&str])]) -> Box<dyn Output> {
        let endpoint = format!("http://{}/in/${{tag}}", self.address);
        let mut options = options_of(&PROTOCOL, &[&[("endpoint", &[endpoint.as_str()][..])], given].concat());
        for values in options.0.values_mut() {
            values.iter_mut().for_each(|value| *value = value.replace("ADDRESS", &self.address));
        }
        make(&options, &env(&self.runtime, Limits::default())).unwrap_or_else(|error| panic!("{error}"))
    }
}

fn origin(at: u64) -> Origin {
    Origin::Journal { at: Lsn(at), next: Lsn(at + 1), position: None }
}

fn batch() -> Arc<Batch> {
    Arc::new(rows("a.b", &[r#"{"u":"x/y","n":1}"#, r#"{"u":"z","n":2}"#]))
}

#[test]
fn a_batch_is_a_request() {
    let server = Server::start(&[]);
    let output = server.output(&[
        ("headers", &["X-One: 1"]),
        ("headers_from_placeholders", &["X-Tag: <${tag[1]}>"]),
        ("auth.username", &["me"]),
        ("auth.password", &["secret"]),
    ]);
    output.take(batch(), origin(1)).unwrap();
    let (first, headers, body) = server.next();
    assert_eq!(first, "POST /in/a.b HTTP/1.1");
    for header in [
        "content-type: application/x-ndjson",
        "x-one: 1",
        "x-tag: <b>",
        "authorization: Basic bWU6c2VjcmV0",
        &format!("host: {}", server.address),
    ] {
        assert!(headers.iter().any(|have| have == header), "{header} in {headers:?}");
    }
    assert_eq!(body, b"{\"u\":\"x/y\",\"n\":1}\n{\"u\":\"z\",\"n\":2}\n");
    assert_eq!((output.cursor(), output.keeps_positions()), (Lsn(2), false));
}

#[test]
fn bodies_methods_and_kinds() {
    let server = Server::start(&[]);
    server.output(&[("json_array", &["true"]), ("http_method", &["put"])]).take(batch(), origin(1)).unwrap();
    let (first, headers, body) = server.next();
    assert!(first.starts_with("PUT ") && headers.contains(&"content-type: application/json".to_owned()));
    assert_eq!(body, b"[{\"u\":\"x/y\",\"n\":1},{\"u\":\"z\",\"n\":2}]");
    let zipped =
        server.output(&[("compress", &["gzip"]), ("format.type", &["ltsv"]), ("content_type", &["a/b"])]);
    zipped.take(batch(), origin(1)).unwrap();
    let (_, headers, body) = server.next();
    assert!(
        headers.contains(&"content-encoding: gzip".to_owned())
            && headers.contains(&"content-type: a/b".to_owned())
    );
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&body[..]), &mut text).unwrap();
    assert_eq!(text, "u:x/y\tn:1\nu:z\tn:2\n");
    let small = server.output(&[("buffer.chunk_limit_size", &["20"])]);
    small.take(batch(), origin(1)).unwrap();
    assert_eq!((server.next().2.len(), server.next().2.len()), (18, 16));
}

#[test]
fn rows_are_apart_by_what_is_in_the_address_and_cannot_change_it() {
    let server = Server::start(&[]);
    let endpoint = "http://ADDRESS/%Y%m%d/${u}?n=${n}";
    let given: &[(&str, &[&str])] =
        &[("endpoint", &[endpoint]), ("buffer.keys", &["time"]), ("buffer.timekey_use_utc", &["true"])];
    server.output(given).take(batch(), origin(1)).unwrap();
    assert_eq!(server.next().0, "POST /20171128/x%2Fy?n=1 HTTP/1.1");
    assert_eq!(server.next().0, "POST /20171128/z?n=2 HTTP/1.1");
    let hours: &[(&str, &[&str])] = &[
        ("endpoint", &["http://ADDRESS/%Y%m%d%H"]),
        ("buffer.keys", &["time"]),
        ("buffer.timekey", &["1h"]),
        ("buffer.timekey_zone", &["+09:00"]),
    ];
    server.output(hours).take(batch(), origin(1)).unwrap();
    assert_eq!(server.next().0, "POST /2017112811 HTTP/1.1");
    let dots = Arc::new(rows("..", &["{}"]));
    server.output(&[]).take(dots, origin(1)).unwrap();
    assert_eq!(server.next().0, "POST /in/%2E%2E HTTP/1.1");
    let chosen: &[(&str, &[&str])] =
        &[("endpoint", &["http://${h}:PORT/"]), ("allowed_hosts", &["127.0.0.1"])];
    let port = server.address.rsplit(':').next().unwrap();
    let endpoint = chosen[0].1[0].replace("PORT", port);
    let output = server.output(&[("endpoint", &[endpoint.as_str()]), chosen[1]]);
    output.take(Arc::new(rows("t", &[r#"{"h":"127.0.0.1"}"#])), origin(1)).unwrap();
    server.next();
    let other = output.take(Arc::new(rows("t", &[r#"{"h":"127.0.0.2"}"#])), origin(2));
    assert!(matches!(other, Err(OutputError::Refused(message)) if message.contains("allowed hosts")));
}

#[test]
fn answers_say_whether_to_try_again() {
    let server = Server::start(&[503, 200, 404, 429, 0, 200]);
    let output = server.output(&[("retryable_response_codes", &["503", "429"])]);
    let take = |at| output.take(batch(), origin(at));
    assert!(
        matches!(take(1), Err(OutputError::Later(message)) if message.contains("503") && message.contains("why!"))
    );
    assert_eq!(output.cursor(), Lsn(0));
    take(1).unwrap();
    assert!(matches!(take(2), Err(OutputError::Refused(message)) if message.contains("404")));
    assert!(matches!(take(3), Err(OutputError::Later(_))));
    take(3).unwrap();
    assert_eq!(output.cursor(), Lsn(4));
    // One whose connection ended was sent again.
    (0..6).for_each(|_| drop(server.next()));
}

#[test]
fn only_rows_that_the_server_refused_are() {
    let server = Server::start(&[404, 503, 200]);
    let output = server.output(&[("buffer.keys", &["n"])]);
    assert!(matches!(output.take(batch(), origin(1)), Err(OutputError::Later(_))));
    let refused = output.take(batch(), origin(1));
    assert!(
        matches!(refused, Err(OutputError::RefusedRows { rows, reason }) if rows == [0] && reason.contains("404"))
    );
    assert_eq!(output.cursor(), Lsn(2));
}

#[test]
fn what_the_server_has_of_a_batch_is_not_sent_again() {
    let server = Server::start(&[200, 503, 200]);
    let output = server.output(&[("buffer.keys", &["n"])]);
    assert!(output.take(batch(), origin(1)).is_err());
    output.take(batch(), origin(1)).unwrap();
    let bodies: Vec<_> =
        (0..3).map(|_| String::from_utf8(server.next().2).unwrap().contains("\"n\":1")).collect();
    assert_eq!(bodies, [true, false, false]);
}

#[test]
fn nobody_there_and_nothing_said_is_later() {
    let server = Server::start(&[]);
    let nobody = server.output(&[("endpoint", &["http://127.0.0.1:1/"])]);
    assert!(matches!(nobody.take(batch(), origin(1)), Err(OutputError::Later(_))));
    let listener = server.runtime.block_on(sawlog_sys::net::listen(([127, 0, 0, 1], 0).into())).unwrap();
    let silent = format!("http://{}/", listener.local_addr().unwrap());
    let output = server.output(&[("endpoint", &[silent.as_str()]), ("read_timeout", &["100ms"])]);
    assert!(
        matches!(output.take(batch(), origin(1)), Err(OutputError::Later(message)) if message.contains("100ms"))
    );
    let secure = silent.replace("http:", "https:");
    let output = server.output(&[
        ("endpoint", &[secure.as_str()]),
        ("ssl_timeout", &["100ms"]),
        ("tls_insecure", &["true"]),
    ]);
    assert!(
        matches!(output.take(batch(), origin(1)), Err(OutputError::Later(message)) if message.contains("100ms"))
    );
}

#[test]
fn over_tls_to_a_server_that_a_ca_vouches_for() {
    let server = Server::start(&[]);
    let certificates = tls::tests::Certificates::new(&["localhost"]);
    let of_server = options_of(
        &PROTOCOL,
        &[
            ("tls_cert", &[certificates.path("localhost.pem").as_str()]),
            ("tls_key", &[certificates.path("localhost.key").as_str()]),
        ],
    );
    let acceptor = tls::acceptor(&of_server, &Sys::real()).unwrap().unwrap();
    let listener = server.runtime.block_on(sawlog_sys::net::listen(([127, 0, 0, 1], 0).into())).unwrap();
    let endpoint = format!("https://localhost:{}/x", listener.local_addr().unwrap().port());
    let (tell, came) = channel();
    server.runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = tls::accept(&acceptor, stream).await {
                tokio::spawn(serve(stream, Arc::new(|_| Some(Reply::new(200, ""))), tell.clone()));
            }
        }
    });
    let ca = certificates.path("ca.pem");
    let output = server.output(&[("endpoint", &[endpoint.as_str()]), ("tls_ca", &[ca.as_str()])]);
    output.take(batch(), origin(1)).unwrap();
    assert_eq!(came.recv_timeout(Duration::from_secs(60)).unwrap().0, "POST /x HTTP/1.1");
    let others = tls::tests::Certificates::new(&["localhost"]);
    let ca = others.path("ca.pem");
    let output = server.output(&[("endpoint", &[endpoint.as_str()]), ("tls_ca", &[ca.as_str()])]);
    assert!(
        matches!(output.take(batch(), origin(1)), Err(OutputError::Later(message)) if message.contains("TLS"))
    );
}

#[test]
fn through_a_proxy() {
    let server = Server::start(&[]);
    let plain =
        server.output(&[("endpoint", &["http://far.example/x?y"]), ("proxy", &["http://u:p@ADDRESS"])]);
    plain.take(batch(), origin(1)).unwrap();
    let (first, headers, _) = server.next();
    assert_eq!(first, "POST http://far.example/x?y HTTP/1.1");
    assert!(headers.contains(&"proxy-authorization: Basic dTpw".to_owned()), "{headers:?}");
    let secure = server.output(&[
        ("endpoint", &["https://far.example/"]),
        ("proxy", &["http://ADDRESS"]),
        ("ssl_timeout", &["100ms"]),
        ("tls_insecure", &["true"]),
    ]);
    assert!(secure.take(batch(), origin(1)).is_err(), "behind the proxy is no TLS");
    assert_eq!(server.next().0, "CONNECT far.example:443 HTTP/1.1\r\n");
    assert!(http_client::proxy("socks://x").is_err());
}

#[test]
fn fluentds_form_means_the_same() {
    let text = "endpoint https://h/${tag}\nhttp_method put\njson_array true\ncontent_type a/b\nheaders {\"A\":\"b\"}\n\
                headers_from_placeholders c:${tag},d:e\nretryable_response_codes 500,503\nopen_timeout 1\nread_timeout 2\n\
                ssl_timeout 3\ntls_ca_cert_path /ca\ntls_client_cert_path /c\ntls_private_key_path /k\ntls_verify_mode none\n\
                proxy http://p:1\ncompress gzip\nallowed_hosts h,i\nreuse_connections true\nerror_response_as_unrecoverable false\n\
                <auth>\nmethod basic\nusername u\npassword w\n</auth>\n<format>\n@type json\n</format>";
    let options = fluent(&PROTOCOL, "match", text).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    for (name, is) in [
        ("endpoint", "https://h/${tag}"),
        ("http_method", "put"),
        ("json_array", "true"),
        ("content_type", "a/b"),
        ("headers", "A: b"),
        ("headers_from_placeholders", "c: ${tag}|d: e"),
        ("retryable_response_codes", "500|503"),
        ("open_timeout", "1s"),
        ("read_timeout", "2s"),
        ("ssl_timeout", "3s"),
        ("tls_ca", "/ca"),
        ("tls_cert", "/c"),
        ("tls_key", "/k"),
        ("tls_insecure", "true"),
        ("proxy", "http://p:1"),
        ("compress", "gzip"),
        ("allowed_hosts", "h|i"),
        ("auth.username", "u"),
        ("auth.password", "w"),
        ("format.type", "json"),
    ] {
        assert_eq!(options.list(name).join("|"), is, "{name}");
    }
    let wrong = |text: &str| fluent(&PROTOCOL, "match", text).unwrap_err().join("\n");
    assert!(wrong("endpoint http://h\n<auth>\nmethod aws_sigv4\n</auth>").contains("there is basic"));
    assert!(wrong("http_method put").contains("needs `endpoint`"));
    assert!(wrong("endpoint http://h\nheaders x").contains("`headers`"));
}

#[test]
fn what_cannot_be_is_refused() {
    let server = Server::start(&[]);
    let refused = |given: &[(&str, &[&str])]| {
        let made = make(&options_of(&PROTOCOL, given), &env(&server.runtime, Limits::default()));
        made.err().expect("it cannot be").to_string()
    };
    let at = ("endpoint", &["http://h/"][..]);
    assert!(refused(&[]).contains("http://"));
    assert!(refused(&[("endpoint", &["http://${h}/"])]).contains("allowed_hosts"));
    assert!(refused(&[("endpoint", &["http://h/%Y"])]).contains("need `time`"));
    assert!(refused(&[at, ("http_method", &["get"])]).contains("put"));
    assert!(refused(&[at, ("json_array", &["true"]), ("format.type", &["ltsv"])]).contains("json"));
    assert!(refused(&[at, ("headers", &["x"])]).contains("NAME: VALUE"));
    assert!(refused(&[at, ("compress", &["zstd"])]).contains("gzip"));
    assert!(refused(&[at, ("retryable_response_codes", &["x"])]).contains("503"));
    assert!(refused(&[at, ("proxy", &["p"])]).contains("HOST:PORT"));
}
