//! Bodies to rows.

use bytes::Bytes;
use sawlog_model::{Fields, Limits, Tenant};
use sawlog_pipeline::Tapped;

use super::*;
use crate::testing::Bench;

struct Node {
    bench: Bench,
    http: HttpIngest,
}

impl std::ops::Deref for Node {
    type Target = Bench;

    fn deref(&self) -> &Bench {
        &self.bench
    }
}

impl Node {
    fn start(limits: Limits) -> Node {
        Node::over(Bench::start(limits))
    }

    fn over(bench: Bench) -> Node {
        let http = HttpIngest::new(bench.pipeline.intake("http"), bench.env.clone());
        Node { bench, http }
    }

    fn ingest(&self, delivery: Delivery) -> Result<Accepted, IngestError> {
        self.runtime.block_on(self.http.ingest(delivery))
    }

    /// The rows of a body of this type, each with whether it was taken as what it should be.
    fn rows(&self, content_type: &str, text: &str) -> Vec<(String, bool)> {
        let before = self.output.rows().len();
        self.ingest(body(content_type, text)).expect("accepted");
        let rows = self.output.rows().split_off(before);
        let shown = |raw: &[u8]| String::from_utf8_lossy(raw).into_owned();
        rows.iter().map(|row| (shown(&row.raw), !row.marks.has(Marks::UNPARSED))).collect()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.bench.pipeline.stop();
    }
}

fn body(content_type: &str, text: &str) -> Delivery {
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    Delivery { body: bytes, content_type: content_type.to_owned(), ..Delivery::default() }
}

fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut encoder, bytes).expect("memory");
    encoder.finish().expect("memory").into()
}

#[test]
fn json_lines_keep_their_bytes_and_broken_ones_are_marked() {
    let node = Node::start(Limits::default());
    let text = "{\"a\": 1.0 }\r\n{broken\n\n{\"b\":2}";
    let rows = node.rows("application/x-ndjson", text);
    assert_eq!(rows.concat_raw(), text, "not a byte is changed");
    assert_eq!(rows[0], ("{\"a\": 1.0 }\r\n".to_owned(), true));
    assert_eq!(rows[1], ("{broken\n".to_owned(), false));
    assert_eq!(rows.last(), Some(&("{\"b\":2}".to_owned(), true)));
    let accepted = node.ingest(body("application/x-ndjson", "{\"a\":1}\nx\n")).expect("accepted");
    assert_eq!((accepted.records, accepted.invalid, accepted.bytes), (2, 1, 10));
    assert!(node.errors().iter().any(|(reason, _)| reason == "invalid"));
}

trait ConcatRaw {
    fn concat_raw(&self) -> String;
}

impl ConcatRaw for Vec<(String, bool)> {
    fn concat_raw(&self) -> String {
        self.iter().map(|(raw, _)| raw.as_str()).collect()
    }
}

#[test]
fn a_list_gives_its_elements_and_an_object_itself() {
    let node = Node::start(Limits::default());
    let lines = |text: &str| -> Vec<String> {
        node.rows("application/json", text)
            .into_iter()
            .map(|(raw, parsed)| {
                assert!(parsed, "{raw}");
                raw
            })
            .collect()
    };
    assert_eq!(
        lines(r#" [ {"a": "],[\""} ,{"b":[1,2]}, {"c":{}} ] "#),
        ["{\"a\": \"],[\\\"\"}\n", "{\"b\":[1,2]}\n", "{\"c\":{}}\n"]
    );
    assert_eq!(lines("{\n  \"a\": \"b  c\",\r\n  \"n\": 1.0\n}\n"), ["{\"a\":\"b  c\",\"n\":1.0}\n"]);
    assert_eq!(lines("[{\n\"a\":\n1},{\"b\": 2}]"), ["{\"a\":1}\n", "{\"b\": 2}\n"]);
    assert_eq!(lines("{\"a\":1}\n{\"b\":2}\n"), ["{\"a\":1}\n", "{\"b\":2}\n"]);
    assert_eq!(lines("[]"), [""; 0]);
    assert_eq!(lines(""), [""; 0]);
    let broken = node.ingest(body("application/json", "[{\"a\":1},{]"));
    assert!(matches!(broken, Err(IngestError::Malformed(_))), "{broken:?}");
}

#[test]
fn lines_of_other_formats_are_read_as_such() {
    let node = Node::start(Limits::default());
    let mut tap = node.pipeline.subscribe();
    let line = "127.0.0.1 - - [03/Dec/2013:16:29:19 +0700] \"GET /x HTTP/1.1\" 404 198 \"-\" \"curl\"\n";
    let mut sent = body("text/plain", &line.repeat(3));
    (sent.tag, sent.host) = (Some("web".to_owned()), Some("h1".to_owned()));
    assert_eq!(node.ingest(sent).map(|accepted| accepted.records), Ok(3));
    let Some(Tapped::Rows(batch)) = tap.try_next() else { panic!("rows") };
    assert_eq!(batch.source.facts.name, "http:web@h1");
    let row = batch.row(2);
    assert_eq!(row.time(), 1_386_062_959_000_000_000);
    assert_eq!((row.context().get("_tag"), row.context().get("_host")), (Some("web"), Some("h1")));
    assert!(!batch.slots.is_empty());
    assert_eq!(node.rows("", "just a line")[0].0, "just a line");
    assert_eq!(node.rows("application/x-www-form-urlencoded", "{\"a\":1}")[0].0, "{\"a\":1}");
}

#[test]
fn encodings_types_and_sizes_that_cannot_be_are_told() {
    let node = Node::start(Limits { message: 1_000, ..Limits::default() });
    let send = |encoding: &str, bytes: Bytes| {
        node.ingest(Delivery { body: bytes, content_encoding: encoding.to_owned(), ..Delivery::default() })
    };
    let zeros = vec![b'0'; 1_001];
    assert_eq!(send("gzip", gzip(b"a\nb\n")).map(|accepted| (accepted.records, accepted.bytes)), Ok((2, 4)));
    assert_eq!(
        send("zstd", zstd::encode_all(&b"a"[..], 1).expect("memory").into()).map(|a| a.records),
        Ok(1)
    );
    assert!(matches!(send("gzip", gzip(&zeros)), Err(IngestError::TooLarge(_))));
    assert!(matches!(send("", zeros.into()), Err(IngestError::TooLarge(_))));
    assert!(matches!(send("gzip", "plain".into()), Err(IngestError::Malformed(_))));
    assert!(matches!(send("br", "x".into()), Err(IngestError::Unsupported(_))));
    assert!(matches!(node.ingest(body("image/png", "x")), Err(IngestError::Unsupported(_))));
    let long = Delivery { tag: Some("x".repeat(2_000)), ..Delivery::default() };
    assert!(matches!(node.ingest(long), Err(IngestError::Malformed(_))));
}

#[test]
fn a_body_under_a_key_is_stored_once_also_after_a_crash() {
    let node = Node::start(Limits::default());
    let keyed = |key: &str| Delivery { idempotency_key: Some(key.to_owned()), ..body("", "{\"a\":1}\n") };
    let both = async { tokio::join!(node.http.ingest(keyed("k")), node.http.ingest(keyed("k"))) };
    let (first, second) = node.runtime.block_on(both);
    assert_eq!(first, second);
    node.ingest(Delivery { tenant: Tenant(1), ..keyed("k") }).expect("accepted");
    assert_eq!(node.output.rows().len(), 2, "another tenant's key is another key");
    let after = Node::over(node.bench.crash());
    after.ingest(keyed("k")).expect("accepted");
    assert_eq!(after.output.rows().len(), 2);
    after.ingest(keyed("other")).expect("accepted");
    assert_eq!(after.output.rows().len(), 3);
}
