//! The server's side.

use sawlog_model::value::{Line, Slots, parse_json};
use sawlog_model::{Batch, Fields, Limits, Marks, Names, Row, Slot, Source, SourceId, Value, frame};
use sawlog_pipeline::Tapped;
use sawlog_sys::net::UdpSocket;

use super::node::Node;
use crate::format::{More, Parser, Settings};
use crate::forward::handshake::{self, key_digest, password_digest};
use crate::forward::samples::SAMPLES;
use crate::shared::msgpack;

/// msgpack of JSON.
fn pack(json: &str) -> Vec<u8> {
    let mut out = Vec::new();
    msgpack::write(&parse_json(json.as_bytes(), &Limits::default()).expect("JSON"), &mut out);
    out
}

/// A message in packed mode.
fn packed(tag: &str, entries: &[u8], options: Vec<(&str, Value)>) -> Vec<u8> {
    let mut out = Vec::new();
    let options = options.into_iter().map(|(key, value)| (handshake::text(key), value)).collect();
    let parts = vec![handshake::text(tag), Value::Bin(entries.to_vec()), Value::Map(options)];
    msgpack::write(&Value::List(parts), &mut out);
    out
}

#[test]
fn messages_of_real_clients_are_rows_and_acknowledged() {
    let node = Node::start(&[]);
    let mut events = 0;
    for sample in SAMPLES {
        let mut client = node.connect();
        client.send(sample.bytes);
        events += sample.events;
        let chunk = sample.bytes.windows(6).position(|window| window == b"\xa5chunk");
        if let Some(at) = chunk {
            let chunk = &sample.bytes[at + 6..at + 6 + 25];
            assert_eq!(client.value(), [b"\x81\xa3ack", chunk].concat(), "{}", sample.name);
        }
        node.output.wait_for_rows(events);
    }
    let lines = node.output.lines();
    assert_eq!(lines.len(), events);
    assert!(lines.iter().all(|line| line.starts_with('{') && line.ends_with("}\n")), "{lines:?}");
    let mixed =
        r#"{"u":"é","b":{"$bin":"/wA="},"f":1.5,"n":null,"neg":-1,"big":1099511627776,"l":[1,"x"],"t":true}"#;
    assert!(lines.contains(&format!("{mixed}\n")), "{lines:?}");
    assert_eq!(node.errors(), []);
}

#[test]
fn a_row_has_its_time_fields_context_and_source() {
    let node = Node::start(&[("add_tag_prefix", "x"), ("source_address_key", "peer")]);
    let mut tap = node.pipeline.subscribe();
    let time = node.env.sys.clock.now();
    let mut client = node.connect();
    client.send(&pack(r#"["p.l",[[[1441588984,{"k":{"m":1}}],{"a":{"b":"c"}}],[0,{"d":1}]],{"chunk":"1"}]"#));
    client.value();
    client.send(&pack(r#"["p.l",1,{"e":2},{"chunk":"2"}]"#));
    client.value();
    let Some(Tapped::Rows(first)) = tap.try_next() else { panic!("rows") };
    let Some(Tapped::Rows(second)) = tap.try_next() else { panic!("rows") };
    assert_eq!(first.source, second.source, "a tag of a host is one source");
    assert_eq!(first.source.facts.name, "forward@3:x.p.l@127.0.0.1");
    assert_eq!(first.tenant.0, 3);
    let row = first.row(0);
    assert_eq!((row.time(), row.raw()), (1_441_588_984_000_000_000, &b"{\"a\":{\"b\":\"c\"}}\n"[..]));
    assert_eq!(row.marks(), Marks::MAP.with(Marks::JSON));
    let field = |name: &str| {
        row.field(name).and_then(|value| Some(String::from_utf8_lossy(value.text()?).into_owned()))
    };
    assert_eq!(field("a.b").as_deref(), Some("c"));
    assert_eq!(field("_metadata.k.m").as_deref(), Some("1"));
    assert_eq!(field("peer").as_deref(), Some("127.0.0.1"));
    assert_eq!((field("_tag").as_deref(), field("_host").as_deref()), (Some("x.p.l"), Some("127.0.0.1")));
    let untimed = first.row(1);
    assert!(
        untimed.marks().has(Marks::NO_TIME) && untimed.time() == untimed.received() && untimed.time() >= time
    );
    assert_eq!(untimed.raw(), b"{\"d\":1}\n");
    assert!(second.rows[0].offset > first.rows[1].offset, "addresses grow");
}

#[test]
fn a_message_sent_again_is_taken_once() {
    let node = Node::start(&[]);
    let message = pack(r#"["t",1,{"a":1},{"chunk":"c"}]"#);
    // Both at once on two connections, then once more on one of them.
    let (mut first, mut second) = (node.connect(), node.connect());
    first.send(&message);
    second.send(&message);
    let ack = pack(r#"{"ack":"c"}"#);
    assert_eq!((first.value(), second.value()), (ack.clone().into(), ack.clone().into()));
    first.send(&[message.clone(), message].concat());
    assert_eq!(first.read(2 * ack.len()), ack.repeat(2));
    // The chunk of another tag is another message.
    first.send(&pack(r#"["other",1,{"b":1},{"chunk":"c"}]"#));
    first.value();
    assert_eq!(node.output.lines(), ["{\"a\":1}\n", "{\"b\":1}\n"]);
}

#[test]
fn a_chunk_may_come_twice_where_that_is_asked_for() {
    let node = Node::start(&[("dedupe", "false")]);
    let mut client = node.connect();
    for _ in 0..2 {
        client.send(&pack(r#"["t",1,{"a":1},{"chunk":"c"}]"#));
        assert_eq!(client.value(), pack(r#"{"ack":"c"}"#));
    }
    assert_eq!(node.output.lines(), ["{\"a\":1}\n", "{\"a\":1}\n"]);
}

#[test]
fn senders_act_for_the_tenant_of_the_credential() {
    struct Word;
    impl sawlog_model::Access for Word {
        fn admit(
            &self,
            credential: &[u8],
            _right: sawlog_model::Right,
        ) -> Result<sawlog_model::Tenant, sawlog_model::AccessError> {
            if credential == b"word" { Ok(sawlog_model::Tenant(3)) } else { Err(sawlog_model::AccessError) }
        }
    }
    for (credential, rows) in [("word", 1), ("other", 0)] {
        let node = Node::admitting(std::sync::Arc::new(Word), &[("credential", credential)]);
        let mut client = node.connect();
        client.send(&pack(r#"["t",1,{"a":1},{"chunk":"c"}]"#));
        if rows == 1 {
            assert_eq!(client.value(), pack(r#"{"ack":"c"}"#));
        } else {
            assert!(client.is_closed());
            node.wait_for_error("denied");
        }
        assert_eq!(node.output.lines().len(), rows);
    }
}

#[test]
fn a_chunk_is_known_after_a_crash() {
    let node = Node::start(&[]);
    let message = pack(r#"["t",1,{"a":1},{"chunk":"c"}]"#);
    let mut client = node.connect();
    client.send(&message);
    client.value();
    let node = node.crash();
    let mut client = node.connect();
    client.send(&message);
    assert_eq!(client.value(), pack(r#"{"ack":"c"}"#));
    assert_eq!(node.output.lines(), ["{\"a\":1}\n"]);
}

#[test]
fn pipelined_messages_are_acknowledged_in_order() {
    let node = Node::start(&[]);
    let messages = (0..500).map(|n| pack(&format!(r#"["t",1,{{"n":{n}}},{{"chunk":"{n:03}"}}]"#)));
    let acks: Vec<u8> = (0..500).flat_map(|n| pack(&format!(r#"{{"ack":"{n:03}"}}"#))).collect();
    let mut client = node.connect();
    client.send(&messages.collect::<Vec<_>>().concat());
    assert_eq!(client.read(acks.len()), acks);
    let wanted: Vec<String> = (0..500).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    assert_eq!(node.output.lines(), wanted);
}

#[test]
fn messages_without_a_chunk_share_batches_and_keep_their_fields() {
    let node = Node::start(&[]);
    let mut tap = node.pipeline.subscribe();
    let messages =
        (0..500).map(|n| pack(&format!(r#"["{}",{},{{"n":{n},"k{}":"v"}}]"#, n / 100, n + 1, n % 7)));
    let mut client = node.connect();
    client.send(&messages.collect::<Vec<_>>().concat());
    node.output.wait_for_rows(500);
    let (mut n, mut batches) = (0, 0);
    while let Some(Tapped::Rows(batch)) = tap.try_next() {
        batches += 1;
        for row in batch.iter() {
            let field = |name: &str| row.field(name).and_then(|value| value.text().map(<[u8]>::to_vec));
            assert_eq!(field("n"), Some(n.to_string().into_bytes()));
            assert_eq!(field(&format!("k{}", n % 7)), Some(b"v".to_vec()));
            assert_eq!(field("_tag"), Some((n / 100).to_string().into_bytes()));
            assert_eq!(row.time(), (n + 1) * 1_000_000_000);
            n += 1;
        }
    }
    assert_eq!(n, 500);
    assert!(batches < 250, "{batches} batches");
}

#[test]
fn what_is_no_event_is_counted_and_acknowledged_all_the_same() {
    let node = Node::start(&[]);
    let mut client = node.connect();
    client.send(&pack(r#"["t",[[1,{"a":1}],[1,"text"],["soon",{}],[1],7,[2,{"b":1}]],{"chunk":"x"}]"#));
    assert_eq!(client.value(), pack(r#"{"ack":"x"}"#));
    client.send(&pack(r#"[7,1,{},{"chunk":"y"}]"#));
    client.send(&pack(r#"["t",1,{},{"chunk":"z","fluent_signal":1}]"#));
    client.send(&pack("7"));
    client.send(&pack(r#"["t",1,{"c":1},{"chunk":"w"}]"#));
    let acks = ["y", "z", "w"].map(|chunk| pack(&format!(r#"{{"ack":"{chunk}"}}"#))).concat();
    assert_eq!(client.read(acks.len()), acks);
    assert_eq!(node.output.lines(), ["{\"a\":1}\n", "{\"b\":1}\n", "{\"c\":1}\n"]);
    let mut errors = node.errors();
    errors.sort();
    let wanted = [
        ("bad_time", 1),
        ("no_tag", 1),
        ("not_a_map", 1),
        ("not_a_message", 1),
        ("not_an_entry", 2),
        ("not_logs", 1),
    ];
    assert_eq!(errors, wanted.map(|(reason, count)| (reason.to_owned(), count)));
}

#[test]
fn compressed_payloads_of_several_parts_are_read_up_to_the_limit() {
    let limits = Limits { message: 100_000, ..Limits::default() };
    let node = Node::with_limits(&[], limits);
    let entry = pack(r#"[1,{"a":1}]"#);
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut encoder, bytes).expect("memory");
        encoder.finish().expect("memory")
    };
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 3).expect("memory");
    let option = |name: &str| vec![("compressed", handshake::text(name)), ("chunk", handshake::text(name))];
    let mut client = node.connect();
    client.send(&packed("t", &[gzip(&entry), gzip(&entry)].concat(), option("gzip")));
    client.send(&packed("t", &[zstd(&entry), zstd(&entry)].concat(), option("zstd")));
    assert_eq!(
        (client.value(), client.value()),
        (pack(r#"{"ack":"gzip"}"#).into(), pack(r#"{"ack":"zstd"}"#).into())
    );
    assert_eq!(node.output.lines().len(), 4);

    client.send(&packed(
        "t",
        &gzip(&entry.repeat(10_001)),
        vec![("compressed", handshake::text("gzip")), ("chunk", handshake::text("bomb"))],
    ));
    assert!(client.is_closed(), "not acknowledged");
    node.wait_for_error("too_large");
    assert_eq!(node.output.lines().len(), 4);
}

#[test]
fn what_passes_a_limit_closes_its_connection_and_no_other() {
    let limits = Limits { message: 10_000, depth: 20, ..Limits::default() };
    let node = Node::with_limits(&[], limits);
    let mut good = node.connect();
    let cases = [
        ("too_large", vec![0x93, 0xa1, b't', 0xdb, 0xff, 0xff, 0xff, 0xff]),
        ("too_large", vec![0xdd, 0xff, 0xff, 0xff, 0xff]),
        ("broken", vec![0x93, 0xc1]),
        ("too_deep", vec![0x91; 1_000]),
        ("too_deep", pack(&format!(r#"["t",1,{{"a":{}1{}}}]"#, "[".repeat(20), "]".repeat(20)))),
        ("broken", packed("t", &[0x92, 1], vec![("chunk", handshake::text("cut"))])),
        ("broken", packed("t", b"plain", vec![("compressed", handshake::text("gzip"))])),
        ("broken", packed("t", b"plain", vec![("compressed", handshake::text("snappy"))])),
        ("too_large", packed("t", b"plain", vec![("compressed", handshake::text("lz4"))])),
        ("broken", b"[}".to_vec()),
    ];
    for (reason, bytes) in cases {
        let mut bad = node.connect();
        let is_json = bytes[0] == b'[';
        if !is_json {
            bad.send(&pack(r#"["t",1,{"before":1},{"chunk":"b"}]"#));
        }
        bad.send(&bytes);
        if !is_json {
            assert_eq!(bad.value(), pack(r#"{"ack":"b"}"#), "what came before is acknowledged");
        }
        assert!(bad.is_closed(), "{reason}");
        node.wait_for_error(reason);
    }
    good.send(&pack(r#"["t",1,{"good":1},{"chunk":"g"}]"#));
    assert_eq!(good.value(), pack(r#"{"ack":"g"}"#));
    let mut cut = node.connect();
    cut.send(&[0x93, 0xa1]);
    drop(cut);
    node.wait_for_error("cut_off");
}

#[test]
fn json_is_answered_in_json() {
    let node = Node::start(&[]);
    let mut client = node.connect();
    client.send(
        br#"["t",1,{"$bin":"AA=="},{"chunk":"a\"b"}] {"not":"a message"} ["t",1,{"x":1.0},{"chunk":"2"}]"#,
    );
    let acks = br#"{"ack":"a\"b"}{"ack":"2"}"#;
    assert_eq!(client.read(acks.len()), acks);
    assert_eq!(node.output.lines(), ["{\"$map\":[[\"$bin\",\"AA==\"]]}\n", "{\"x\":1.0}\n"]);
}

#[test]
fn heartbeats_are_answered() {
    let node = Node::start(&[]);
    let mut client = node.connect();
    client.send(&[0xc0]);
    let answer = node.runtime.block_on(async {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        let mut answer = [1; 10];
        // The socket is bound in a task of its own; a client asks every second, too.
        for _ in 0..100 {
            socket.send_to(&[0], node.address).await.expect("sent");
            let wait = std::time::Duration::from_millis(100);
            if let Ok(Ok(count)) = tokio::time::timeout(wait, socket.recv(&mut answer)).await {
                return answer[..count].to_vec();
            }
        }
        Vec::new()
    });
    assert_eq!(answer, [0]);
}

/// HELO's nonce and salt.
fn helo(bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (Value::List(parts), _) = msgpack::value(bytes, &Limits::default()).expect("HELO") else {
        panic!("HELO")
    };
    assert_eq!(parts[0].as_str(), Some("HELO"));
    let bytes = |key: &str| handshake::bytes_of(parts[1].get(key).expect(key)).expect("bytes").to_vec();
    (bytes("nonce"), bytes("auth"))
}

#[test]
fn only_those_who_know_key_and_password_are_let_in() {
    let options = [("shared_key", "k"), ("users", "u:p"), ("self_hostname", "srv")];
    let node = Node::start(&options);
    let ping = |key: &str, user: &str, password: &str| {
        let mut client = node.connect();
        let (nonce, auth) = helo(&client.value());
        let word = |text: &str| handshake::text(text);
        let digests = [key_digest(b"salt", "cli", &nonce, key), password_digest(&auth, user, password)];
        let [key, password] = digests;
        let parts = vec![word("PING"), word("cli"), word("salt"), word(&key), word(user), word(&password)];
        client.send(&handshake::message(parts));
        (client, key_digest(b"salt", "srv", &nonce, "k"))
    };
    let (mut client, proof) = ping("k", "u", "p");
    assert_eq!(client.value(), pack(&format!(r#"["PONG",true,"","srv","{proof}"]"#)));
    client.send(&pack(r#"["t",1,{"a":1},{"chunk":"x"}]"#));
    assert_eq!(client.value(), pack(r#"{"ack":"x"}"#));

    for (key, user, password, reason) in [
        ("wrong", "u", "p", "shared_key mismatch"),
        ("k", "u", "wrong", "username/password mismatch"),
        ("k", "wrong", "p", "username/password mismatch"),
        ("k", "", "", "username/password mismatch"),
    ] {
        let (mut client, _) = ping(key, user, password);
        assert_eq!(client.value(), pack(&format!(r#"["PONG",false,"{reason}","",""]"#)));
        assert!(client.is_closed());
    }
    let mut client = node.connect();
    client.send(&pack(r#"["t",1,{"sneaked":1},{"chunk":"x"}]"#));
    helo(&client.value());
    assert_eq!(client.value(), pack(r#"["PONG",false,"invalid ping message","",""]"#));
    assert!(client.is_closed());
    assert_eq!(node.output.lines(), ["{\"a\":1}\n"]);
}

/// A captured handshake of other programs (server `srv`, client `cli`, key `k`, user `u`, password `p`).
#[test]
fn digests_are_those_of_a_captured_handshake() {
    let hex = |text: &str| -> Vec<u8> {
        text.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    };
    let nonce = hex("7d11be0b59f1e981eee5a93bfe72e205");
    let auth = hex("21eecf329396de18dd6ed6074d910bdf");
    let salt = hex("6332306361626661396537366532626538323463663666323232623266306630");
    let starts = [
        (key_digest(&salt, "cli", &nonce, "k"), "32316664363065376530343766613165"),
        (password_digest(&auth, "u", "p"), "32353232386438636435386130323436"),
        (key_digest(&salt, "srv", &nonce, "k"), "61666363666333393032636537616235"),
    ];
    for (digest, start) in starts {
        assert!(digest.len() == 128 && digest.as_bytes().starts_with(&hex(start)), "{digest}");
    }
}

/// A batch of a file's lines, one for each offset, of ten bytes each.
fn lane(epoch: u32, offsets: &[u64], from: Option<(u32, u64)>, chunk: &str) -> Vec<u8> {
    let mut batch = Batch { epoch, ..Batch::default() };
    let facts = sawlog_model::SourceFacts { name: "/var/log/x".into(), ..Default::default() };
    batch.source = Source { id: SourceId(9), facts }.into();
    let mut buffer = Vec::new();
    for offset in offsets {
        let start = buffer.len() as u32;
        buffer.extend_from_slice(format!("{epoch} {offset:07}\n").as_bytes());
        batch.rows.push(Row {
            start,
            len: 10,
            offset: *offset,
            time: 5,
            received: 6,
            slots_end: 0,
            marks: Marks(0),
        });
    }
    batch.buffer = buffer.into();
    let mut bytes = Vec::new();
    frame::encode(&batch, &mut bytes);
    let mark = |mark: (u32, u64)| Value::List(vec![Value::Int(mark.0.into()), Value::Int(mark.1 as i64)]);
    let to = (epoch, offsets.last().expect("a row") + 10);
    let mut options = vec![("chunk", handshake::text(chunk)), ("sawlog_to", mark(to))];
    options.extend(from.map(|from| ("sawlog_from", mark(from))));
    packed("lane", &bytes, options)
}

#[test]
fn rows_of_a_lane_keep_their_addresses_and_are_taken_once() {
    let node = Node::start(&[]);
    let mut client = node.connect();
    let mut send = |message: Vec<u8>| {
        client.send(&message);
        client.value()
    };
    let ack = pack(r#"{"ack":"c"}"#);
    assert_eq!(send(lane(0, &[100, 110], Some((0, 100)), "c")), ack, "a source may begin anywhere");
    assert_eq!(send(lane(0, &[100, 110], Some((0, 100)), "c")), ack, "sent again");
    assert_eq!(send(lane(0, &[110, 120], Some((0, 110)), "c")), ack, "cut otherwise");
    assert_eq!(send(lane(0, &[140], None, "c")), ack, "from a sender that does not know where it stood");
    assert_eq!(send(lane(1, &[0, 10], Some((0, 150)), "c")), ack, "a new epoch");
    assert_eq!(send(lane(0, &[150], Some((0, 150)), "c")), ack, "an old epoch");
    assert_eq!(send(lane(1, &[30], Some((1, 30)), "c")), "", "a gap is not acknowledged");
    node.wait_for_error("gap");
    let wanted = [(0, 100), (0, 110), (0, 120), (0, 140), (1, 0), (1, 10)];
    let rows = node.output.rows();
    let found: Vec<_> = rows.iter().map(|row| (row.address.epoch, row.address.offset)).collect();
    assert_eq!(found, wanted);
    assert!(rows.iter().all(|row| row.address.source == SourceId(9) && row.name == "/var/log/x"));
    let known = node.pipeline.intake("forward").known_sources();
    assert_eq!(known[0].position.mark(), (1, 20));
}

/// What this crate's own lines are read as by the reader of JSON lines, which a store may do with them, too.
#[test]
fn the_reader_of_json_lines_finds_the_same_fields() {
    let record = r#"{"a":{"b":"c\n","":1},"l":[1,{"x":2}],"e":{},"n":null,"t":true,"f":-1.5e300,"a":2}"#;
    let bytes = pack(record);
    let limits = Limits::default();
    let (mut line, mut slots, mut names) = (Vec::new(), Vec::new(), std::sync::Arc::default());
    let measured = msgpack::measure(&bytes, &limits).expect("msgpack");
    let sink = Slots::new("", &limits, &mut names, &mut slots);
    msgpack::line(&bytes, &measured, &mut Line::with_slots(sink, &mut line)).expect("a line");
    let settings = Settings { format: Some("json".to_owned()), ..Settings::default() };
    let mut parser = Parser::new(settings, limits);
    let parsed = parser.parse(&line.clone().into(), 0, More::No);
    let shown = |slots: &[Slot], names: &Names| -> Vec<String> {
        slots
            .iter()
            .map(|slot| format!("{} {:?} {}+{}", names.name(slot.name), slot.kind, slot.start, slot.len))
            .collect()
    };
    assert_eq!(shown(&slots, &names), shown(&parsed.slots, &parser.names()));
}
