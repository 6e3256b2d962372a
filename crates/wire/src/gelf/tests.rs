//! Messages over real sockets, with a real journal behind.

use bytes::Bytes;
use sawlog_model::{Fields, Marks};

use super::{Chunks, PROTOCOL, SAMPLES};
use crate::shared::door::testing::{Listening, shown};
use crate::shared::tls::tests::Certificates;

#[test]
fn conforms() {
    assert_eq!(sawlog_pipeline::conform::check(&PROTOCOL, 1), Ok(()));
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, text).unwrap();
    encoder.finish().unwrap()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, text).unwrap();
    encoder.finish().unwrap()
}

/// A datagram of pygelf 0.4.3.
const PYGELF: &str = "789c0dcc510a83301045d1adc8fb4e85915a4d3653848e46987442260d94d2bd9bdfcbe1fed0b8d8a96f04d04870b0a8a53e139b6d07f71a594487bd681af2f760d96f9f57eeae9eddd42d65045afc3cd1ba783f4e8f95bc83706341b83b44b5da2f2de17f01899c220d";

fn chunks(message: &[u8], size: usize, id: &[u8; 8]) -> Vec<Vec<u8>> {
    let parts: Vec<&[u8]> = message.chunks(size).collect();
    let head = |number: usize| [b"\x1e\x0f".as_slice(), id, &[number as u8, parts.len() as u8]].concat();
    parts.iter().enumerate().map(|(number, part)| [head(number), part.to_vec()].concat()).collect()
}

#[test]
fn a_message_is_stored_in_its_fields_and_time() {
    let node = Listening::start(&PROTOCOL, &[]);
    node.send(SAMPLES[1].bytes);
    node.each_row(1, |row| {
        let wanted = "gelf | version=1.0 host=vm message=hello from graypy-tcp timestamp=1795218799.2577415 level=4 facility=graypy-tcp file=/srv/app/app.py line=40 function=<module> pid=23822 stack_info=null req_id=7";
        assert_eq!((shown(row).as_str(), row.time()), (wanted, 1_795_218_799_257_741_500));
        assert_eq!(row.marks(), Marks::MAP.with(Marks::JSON));
        assert_eq!(row.batch.source.facts.name, "gelf@3:gelf@127.0.0.1");
    });
    // Names that are taken stay.
    node.send(br#"{"short_message":"s","message":"m","host":"h","_host":"x","_":1,"timestamp":"1.5"}"#);
    node.each_row(1, |row| {
        assert_eq!(shown(row), "gelf | short_message=s message=m host=h _host=x _=1 timestamp=1.5");
        assert_eq!(row.time(), 1_500_000_000);
    });
    for (timestamp, time) in [
        ("1795250396.8893394", 1_795_250_396_889_339_400),
        ("1795250396", 1_795_250_396_000_000_000),
        ("1.7e9", 1_700_000_000_000_000_000),
        ("-1.25", -1_250_000_000),
        ("\"1795250396.1234567891\"", 1_795_250_396_123_456_789),
    ] {
        node.send(format!("{{\"timestamp\":{timestamp}}}").as_bytes());
        node.each_row(1, |row| assert_eq!(row.time(), time, "{timestamp}"));
    }
    for timestamp in ["true", "\"soon\"", "\"1.-5\"", "1e30", "\"\""] {
        node.send(format!("{{\"timestamp\":{timestamp}}}").as_bytes());
        node.each_row(1, |row| {
            assert!(row.marks().has(Marks::NO_TIME) && row.time() == row.received(), "{timestamp}");
        });
    }
}

#[test]
fn datagrams_come_plain_compressed_and_in_chunks() {
    let node = Listening::start(&PROTOCOL, &[("tag", "g")]);
    let pygelf: Vec<u8> =
        (0..PYGELF.len()).step_by(2).map(|at| u8::from_str_radix(&PYGELF[at..at + 2], 16).unwrap()).collect();
    node.datagram(&pygelf);
    assert!(node.rows(1)[0].contains("message=hello from pygelf-udp"));
    let message = format!(r#"{{"short_message":"{}"}}"#, "x".repeat(5_000));
    let wanted = format!("g | message={}", "x".repeat(5_000));
    for bytes in [
        message.clone().into_bytes(),
        zlib(message.as_bytes()),
        gzip(message.as_bytes()),
        [message.as_bytes(), b"\0"].concat(),
    ] {
        node.datagram(&bytes);
        assert_eq!(node.rows(1), [wanted.as_str()]);
    }
    let mut parts = chunks(message.as_bytes(), 1420, b"12345678");
    parts.reverse();
    parts.insert(1, parts[0].clone());
    parts.iter().for_each(|part| node.datagram(part));
    assert_eq!(node.rows(1), [wanted.as_str()]);
    let small = zlib(b"{\"short_message\":\"packed\"}");
    chunks(&small, 10, b"abcdefgh").iter().for_each(|part| node.datagram(part));
    assert_eq!(node.rows(1), ["g | message=packed"]);
    assert_eq!(node.errors(), []);
}

#[test]
fn chunks_are_bounded_in_time_and_memory() {
    let given_up = std::cell::Cell::new(0);
    let mut count = || given_up.set(given_up.get() + 1);
    let mut held = Chunks::new(2_000);
    let parts = |id: &[u8; 8]| chunks(&[b'x'; 900], 450, id).into_iter().map(Bytes::from).collect::<Vec<_>>();
    let (first, second, third) = (parts(b"00000001"), parts(b"00000002"), parts(b"00000003"));
    assert_eq!(held.add("a", &first[0], 0, &mut count), Ok(None));
    assert_eq!(held.add("b", &first[1], 0, &mut count), Ok(None), "another sender's is another message");
    assert_eq!((held.held(), given_up.get()), (2 * 706, 0));
    // No room: the oldest go.
    assert_eq!(held.add("a", &second[0], 1, &mut count), Ok(None));
    assert_eq!((held.held() <= 2_000, given_up.get()), (true, 1));
    assert_eq!(
        held.add("a", &second[1], 4_999_999_999, &mut count).unwrap().map(|whole| whole.len()),
        Some(900)
    );
    assert_eq!(held.add("a", &third[0], 4_999_999_999, &mut count), Ok(None));
    // Five seconds later what is not whole goes.
    assert_eq!(held.add("a", &third[1], 10_000_000_000, &mut count), Ok(None));
    assert_eq!(given_up.get(), 3);
    for bytes in [
        b"\x1e\x0f".as_slice(),
        b"\x1e\x0f12345678\0\0x",
        b"\x1e\x0f12345678\x05\x05x",
        b"\x1e\x0f12345678\x05\x81x",
    ] {
        assert_eq!(held.add("a", &Bytes::copy_from_slice(bytes), 0, &mut count).unwrap_err().reason, "chunk");
    }
    let node = Listening::start(&PROTOCOL, &[("chunks_limit", "300")]);
    chunks(&[b'x'; 900], 450, b"00000001").iter().for_each(|part| node.datagram(part));
    node.wait_for_error("incomplete");
    node.datagram(b"\x1e\x0f1");
    node.wait_for_error("chunk");
}

#[test]
fn what_is_no_message_is_kept_or_refused() {
    let node = Listening::start(&PROTOCOL, &[("message_length_limit", "1KiB")]);
    node.datagram(b"garbage");
    node.each_row(1, |row| {
        assert_eq!((row.raw(), row.marks().has(Marks::UNPARSED)), (&b"garbage"[..], true))
    });
    node.datagram(&zlib(&[b' '; 2_000]));
    node.wait_for_error("too_large");
    node.datagram(b"\x1f\x8bxx");
    node.wait_for_error("compression");
    assert_eq!(node.request("POST /gelf", "", b"garbage").0, 400);
    assert_eq!(node.request("POST /gelf", "", b"[]").0, 400);
    assert_eq!(node.request("POST /gelf", "", &zlib(&[b' '; 2_000])).0, 413);
    assert_eq!(node.request("POST /gelf", "", &[b' '; 2_000]).0, 413);
    assert_eq!(node.output.wait_for_rows(1).len(), 1);
}

#[test]
fn requests_come_on_the_same_port() {
    let node = Listening::start(&PROTOCOL, &[]);
    // The header that graypy and pygelf send, both words of it, whatever the body is.
    let headers = "Content-Encoding: gzip,deflate\r\n";
    for body in [
        b"{\"short_message\":\"a\"}".to_vec(),
        zlib(b"{\"short_message\":\"a\"}"),
        gzip(b"{\"short_message\":\"a\"}"),
    ] {
        let (status, head, answer) = node.request("POST /gelf", headers, &body);
        assert_eq!((status, answer), (202, Vec::new()));
        assert!(head.contains("content-length: 0"), "{head}");
        assert_eq!(node.rows(1), ["gelf | message=a"]);
    }
    assert_eq!(node.crash().output.wait_for_rows(3).len(), 3);
    assert_eq!(node.request("POST /", "", b"{}").0, 404);
    assert_eq!(node.request("GET /gelf", "", b"").0, 405);
    let (status, head, _) = node.request("OPTIONS /gelf", "Origin: http://page\r\n", b"");
    assert_eq!(status, 200);
    assert!(head.contains("access-control-allow-origin: http://page"), "{head}");
    assert!(head.contains("access-control-allow-headers: authorization, content-type"), "{head}");
    let twice = "POST /gelf HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}".to_owned()
        + "POST /gelf HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";
    assert_eq!(String::from_utf8_lossy(&node.exchange(twice.as_bytes())).matches("HTTP/1.1 202").count(), 2);
    node.pipeline.stop();
    assert_eq!(node.request("POST /gelf", "", b"{}").0, 503);
}

#[test]
fn transports_are_as_the_options_say() {
    let node = Listening::start(&PROTOCOL, &[("transports", "tcp")]);
    node.send(b"POST /gelf HTTP/1.1\r\n\r\n");
    node.wait_for_error("transport");
    node.send(b"{\"a\":1}\n{\"b\":2}");
    assert_eq!(node.rows(2), ["gelf | a=1", "gelf | b=2"]);
    let node = Listening::start(&PROTOCOL, &[("transports", "http")]);
    node.send(b"{\"a\":1}\n");
    node.wait_for_error("transport");
    let made = Certificates::new(&["localhost"]);
    let (cert, key, ca) = (made.path("localhost.pem"), made.path("localhost.key"), made.path("ca.pem"));
    let node = Listening::start(&PROTOCOL, &[("tls_cert", &cert), ("tls_key", &key)]);
    node.send_over_tls(&ca, SAMPLES[0].bytes);
    assert!(node.rows(1)[0].contains("message=hello from pygelf-tcp"));
}
