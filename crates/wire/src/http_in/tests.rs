//! Requests over real sockets, with a real journal behind.

use sawlog_model::{Fields, Marks};

use super::PROTOCOL;
use crate::shared::door::testing::{Listening, shown, source};
use crate::shared::tls::tests::Certificates;

const JSON: &str = "Content-Type: application/json\r\n";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

#[test]
fn bodies_of_every_type_are_events_of_the_path() {
    let node = Listening::start(&PROTOCOL, &[]);
    let ok = |line: &str, headers: &str, body: &[u8]| {
        let (status, head, body) = node.request(line, headers, body);
        assert_eq!((status, body), (200, Vec::new()), "{head}");
    };
    ok("POST /app.log", JSON, br#"{"a":1,"t":"x"}"#);
    assert_eq!(node.rows(1), ["app.log | a=1 t=x"]);
    ok("POST /app/log", JSON, br#"[{"a":1},{"b":{"c":2}},null]"#);
    assert_eq!(node.rows(2), ["app.log | a=1", "app.log | b.c=2"]);
    ok("POST /t", "Content-Type: application/json; charset=utf-8\r\n", b"null");
    ok("POST /t", "Content-Type: application/x-ndjson\r\n", b"{\"a\":1}\n\n{\"a\":2}\n");
    assert_eq!(node.rows(2), ["t | a=1", "t | a=2"]);
    ok("POST /t", "Content-Type: application/msgpack\r\n", b"\x81\xa1a\xc3\x92\x81\xa1b\x01\x81\xa1b\x02");
    assert_eq!(node.rows(3), ["t | a=true", "t | b=1", "t | b=2"]);
    ok("POST /t", FORM, b"json=%7B%22a%22%3A%22x+y%22%7D");
    assert_eq!(node.rows(1), ["t | a=x y"]);
    ok("POST /t", FORM, b"x=1&msgpack=%81%a1a%ff");
    assert_eq!(node.rows(1), ["t | a=-1"]);
    ok("GET /t?json=%7B%22a%22%3A3%7D", "", b"");
    assert_eq!(node.rows(1), ["t | a=3"]);
    let lines = node.output.wait_for_rows(11);
    assert_eq!((lines[0].as_str(), lines[2].as_str()), ("{\"a\":1,\"t\":\"x\"}\n", "{\"b\":{\"c\":2}}\n"));
    assert_eq!(node.errors(), []);
}

#[test]
fn the_time_is_that_of_the_parameter() {
    let node = Listening::start(&PROTOCOL, &[]);
    node.request("POST /t?time=1441588984.25", JSON, b"{}");
    node.each_row(1, |row| {
        assert_eq!((row.time(), row.marks()), (1_441_588_984_250_000_000, Marks::MAP.with(Marks::JSON)));
        assert_eq!(row.batch.source.facts.name, "http_in@3:t@127.0.0.1");
        assert_eq!((row.batch.tenant.0, row.batch.context.get("_host")), (3, Some("127.0.0.1")));
    });
    for time in ["0", "x", "-1"] {
        node.request(&format!("POST /t?time={time}"), JSON, b"{}");
        node.each_row(1, |row| assert!(row.time() == row.received() && row.marks().has(Marks::NO_TIME)));
    }
}

#[test]
fn what_is_no_event_is_refused_whole() {
    let node = Listening::start(&PROTOCOL, &[("body_size_limit", "100")]);
    let status = |line: &str, headers: &str, body: &[u8]| node.request(line, headers, body).0;
    assert_eq!(status("POST /t", JSON, br#"[{"a":1},3]"#), 400);
    assert_eq!(status("POST /t", JSON, b"{"), 400);
    assert_eq!(status("POST /t", "Content-Type: application/msgpack\r\n", b"\xdf\xff\xff\xff\xff"), 400);
    assert_eq!(status("POST /t", "", b"x"), 400);
    assert_eq!(status("POST /", JSON, b"{}"), 400);
    assert_eq!(status("DELETE /t", JSON, b"{}"), 405);
    assert_eq!(status("POST /t", JSON, &[b' '; 101]), 413);
    let chunked = "Transfer-Encoding: chunked\r\nConnection: close\r\nContent-Type: application/json\r\n";
    let chunks = format!(
        "POST /t HTTP/1.1\r\nHost: h\r\n{chunked}\r\n40\r\n{0}\r\n40\r\n{0}\r\n0\r\n\r\n",
        " ".repeat(64)
    );
    assert!(node.exchange(chunks.as_bytes()).starts_with(b"HTTP/1.1 413"));
    assert_eq!(status("POST /t", "Content-Encoding: br\r\n", b"x"), 415);
    assert_eq!(status("POST /t", "Content-Encoding: gzip\r\n", b"x"), 400);
    assert_eq!(node.output.lines(), [] as [&str; 0]);
    assert_eq!(node.errors().iter().map(|(_, count)| count).sum::<u64>(), 10, "{:?}", node.errors());
    assert!(
        node.pipeline
            .status()
            .parts()
            .iter()
            .any(|part| part.last_error.as_deref().is_some_and(|words| !words.is_empty()))
    );
    let node = Listening::start(&PROTOCOL, &[("dump_error_log", "false")]);
    node.request("POST /t", JSON, b"{");
    assert_eq!(node.errors(), [("malformed".to_owned(), 1)]);
    assert!(
        node.pipeline
            .status()
            .parts()
            .iter()
            .all(|part| part.last_error.as_deref().is_none_or(str::is_empty))
    );
}

#[test]
fn compressed_bodies_are_bounded() {
    let node = Listening::start(&PROTOCOL, &[]);
    let gzip = |text: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut encoder, text).unwrap();
        encoder.finish().unwrap()
    };
    let headers = format!("{JSON}Content-Encoding: gzip\r\n");
    assert_eq!(node.request("POST /t", &headers, &gzip(b"{\"a\":1}")).0, 200);
    assert_eq!(node.rows(1), ["t | a=1"]);
    assert_eq!(node.request("POST /t", &headers, &gzip(&vec![b' '; (256 << 20) + 1])).0, 413);
}

#[test]
fn fields_of_the_request_are_added() {
    let node = Listening::start(
        &PROTOCOL,
        &[("add_http_headers", "true"), ("add_remote_addr", "true"), ("add_query_params", "true")],
    );
    node.request("POST /t?a=b%20c", &format!("{JSON}X-One: 1\r\n"), b"{\"k\":0}");
    node.each_row(1, |row| {
        let text = |name: &str| {
            row.field(name).map(|value| String::from_utf8_lossy(value.text().unwrap()).into_owned())
        };
        assert_eq!(text("HTTP_X_ONE").as_deref(), Some("1"));
        assert_eq!(text("HTTP_CONTENT_TYPE").as_deref(), Some("application/json"));
        assert_eq!(
            (text("REMOTE_ADDR").as_deref(), text("QUERY_A").as_deref()),
            (Some("127.0.0.1"), Some("b c"))
        );
        assert_eq!(row.raw(), b"{\"k\":0}\n");
    });
    node.request("POST /t", &format!("{JSON}X-Forwarded-For: 192.0.2.7, 10.0.0.1\r\n"), b"{}");
    assert!(node.rows(1)[0].contains("REMOTE_ADDR=192.0.2.7"));
    let node = Listening::start(&PROTOCOL, &[("add_tag_prefix", "web")]);
    node.request("POST /t", JSON, b"{}");
    assert_eq!(node.rows(1), ["web.t |"]);
}

#[test]
fn answers_are_as_the_options_say() {
    let node = Listening::start(&PROTOCOL, &[("respond_with_empty_img", "true")]);
    let (status, head, body) = node.request("GET /t?json=%7B%7D", "", b"");
    assert!(status == 200 && head.contains("content-type: image/gif") && body.starts_with(b"GIF89a"));
    let node = Listening::start(&PROTOCOL, &[("use_204_response", "true")]);
    assert_eq!(node.request("POST /t", JSON, b"{}").0, 204);
}

#[test]
fn pages_may_send_where_they_are_allowed() {
    let node = Listening::start(&PROTOCOL, &[]);
    let origin = "Origin: https://a.example.org\r\n";
    let preflight =
        format!("{origin}Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x-one\r\n");
    assert_eq!(node.request("OPTIONS /t", &preflight, b"").0, 403);
    let allowed = [("cors_allow_origins", "https://*.example.org"), ("cors_allow_credentials", "true")];
    let node = Listening::start(&PROTOCOL, &allowed);
    let (status, head, _) = node.request("OPTIONS /t", &preflight, b"");
    assert_eq!(status, 200);
    for line in [
        "access-control-allow-origin: https://a.example.org",
        "access-control-allow-headers: x-one",
        "access-control-allow-methods: post",
        "access-control-allow-credentials: true",
    ] {
        assert!(head.contains(line), "{head}");
    }
    let (status, head, _) = node.request("POST /t", &format!("{origin}{JSON}"), b"{}");
    assert!(status == 200 && head.contains("access-control-allow-origin: https://a.example.org"), "{head}");
    for other in ["https://example.org", "https://evil/.example.org", "https://a.example.org.evil"] {
        assert_eq!(node.request("POST /t", &format!("Origin: {other}\r\n{JSON}"), b"{}").0, 403, "{other}");
    }
    let node = Listening::start(&PROTOCOL, &[("cors_allow_origins", "*")]);
    let (_, head, _) = node.request("POST /t", &format!("{origin}{JSON}"), b"{}");
    assert!(head.contains("access-control-allow-origin: *"), "{head}");
    let given =
        [("cors_allow_origins", vec!["*".to_owned()]), ("cors_allow_credentials", vec!["true".to_owned()])];
    let options = sawlog_pipeline::config::options(&PROTOCOL, &given).unwrap();
    assert!((PROTOCOL.input.unwrap())(&options).is_err());
}

#[test]
fn a_format_reads_lines() {
    let node = Listening::start(&PROTOCOL, &[("parse.type", "ltsv")]);
    assert_eq!(node.request("POST /t", "", b"a:1\tb:2\na:3").0, 200);
    assert_eq!(node.rows(2), ["t | a=1 b=2", "t | a=3"]);
    assert_eq!(node.output.wait_for_rows(2), ["a:1\tb:2\n", "a:3"]);
    let options =
        sawlog_pipeline::config::options(&PROTOCOL, &[("parse.type", vec!["x".to_owned()])]).unwrap();
    assert!((PROTOCOL.input.unwrap())(&options).is_err());
}

#[test]
fn connections_live_as_long_as_they_are_used() {
    let node = Listening::start(&PROTOCOL, &[("keepalive_timeout", "300ms")]);
    let request =
        "POST /t HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    let clock = node.env.sys.clock.clone();
    let began = clock.monotonic();
    // Two requests at once; the connection is closed by the node, a while after the second answer.
    let answers = node.exchange(request.repeat(2).as_bytes());
    let passed = clock.monotonic() - began;
    assert_eq!(String::from_utf8_lossy(&answers).matches("HTTP/1.1 200").count(), 2);
    assert!(passed.as_millis() >= 250 && passed.as_secs() < 8, "{passed:?}");
    assert_eq!(node.output.wait_for_rows(2).len(), 2);
    let none = node.exchange(b"garbage\r\n\r\n");
    assert!(none.starts_with(b"HTTP/1.1 400"));
    node.wait_for_error("http");
}

#[test]
fn nothing_is_answered_before_it_is_stored_and_after_a_stop() {
    let mut node = Listening::start(&PROTOCOL, &[]);
    assert_eq!(node.request("POST /t", JSON, b"{\"a\":1}").0, 200);
    // What was answered is in the journal, whatever happens next.
    let crashed = node.crash();
    assert_eq!(crashed.output.wait_for_rows(1), ["{\"a\":1}\n"]);
    node.pipeline.stop();
    let (status, head, _) = node.request("POST /t", JSON, b"{}");
    assert!(status == 503 && head.contains("retry-after"), "{head}");
    node.stop();
    // The system lets go of the port a moment after the listener is dropped.
    let refused = (0..250).any(|_| {
        let connected = node.runtime.block_on(sawlog_sys::net::TcpStream::connect(node.address));
        if connected.is_ok() {
            sawlog_sys::task::sleep(std::time::Duration::from_millis(20));
        }
        connected.is_err()
    });
    assert!(refused, "nobody listens any more");
}

#[test]
fn requests_come_over_tls() {
    let made = Certificates::new(&["localhost"]);
    let (cert, key, ca) = (made.path("localhost.pem"), made.path("localhost.key"), made.path("ca.pem"));
    let node = Listening::start(&PROTOCOL, &[("tls_cert", &cert), ("tls_key", &key)]);
    let request = format!("POST /t HTTP/1.1\r\nHost: h\r\n{JSON}Content-Length: 7\r\n\r\n{{\"a\":1}}");
    node.send_over_tls(&ca, request.as_bytes());
    node.each_row(1, |row| assert_eq!(shown(row), "t | a=1"));
}

#[test]
fn fluentds_options_mean_ours() {
    let (options, findings) = source(
        &PROTOCOL,
        "@type http
         port 9881
         bind 127.0.0.1
         body_size_limit 32m
         keepalive_timeout 10s
         add_http_headers true
         add_remote_addr
         add_query_params true
         add_tag_prefix p
         cors_allow_origins [\"http://a\", \"http://b\"]
         cors_allow_credentials true
         respond_with_empty_img false
         use_204_response true
         dump_error_log false",
    );
    assert_eq!(findings, [] as [&str; 0]);
    let wanted = "add_http_headers=true add_query_params=true add_remote_addr=true add_tag_prefix=p \
        body_size_limit=33554432 cors_allow_credentials=true cors_allow_origins=http://a,http://b dump_error_log=false \
        keepalive_timeout=10000000000ns listen=127.0.0.1:9881 respond_with_empty_img=false use_204_response=true";
    assert_eq!(options, wanted);
    let (options, findings) = source(&PROTOCOL, "@type http\n<parse>\n@type ltsv\n</parse>");
    assert_eq!(
        (options.as_str(), findings.len()),
        ("listen=0.0.0.0:9880 parse.timezone=local parse.type=ltsv parse.unmatched=drop", 0)
    );
    let (options, findings) = source(
        &PROTOCOL,
        "@type http\nformat default\n<parse>\n@type in_http\n</parse>\n<transport tls>\n</transport>",
    );
    assert_eq!((options.as_str(), findings.len()), ("listen=0.0.0.0:9880", 1));
}
