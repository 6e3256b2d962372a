//! What must hold for any bytes at all, one function per decoder: `fuzz/` feeds them what a fuzzer finds, the tests what a few
//! seconds of seeded damage give. Each panics where something does not hold.

use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use jiff::tz::TimeZone;
use sawlog_model::value::{Line, Slots, parse, parse_json, render, render_slots};
use sawlog_model::{Batch, Limits, Marks, Row, Value, frame};
use sawlog_pipeline::config::{self, Compat, Known};
use sawlog_pipeline::{Protocol, wiring};
use sawlog_sys::Open;
use sawlog_sys::sim::World;

use crate::filter;
use crate::format::lognorm::{Memory, RuleBase};
use crate::format::{More, Parser, Settings};
use crate::mongo::{self, message};
use crate::redis::resp;
use crate::shared::record::Accessor;
use crate::shared::strftime::TimeFormat;
use crate::shared::zmtp::{Role, Session};
use crate::shared::{chunks, msgpack, ruby_regex};
use crate::{blueox, forward, gelf, http_in, logstash, socket, syslog, tail};

/// A decoder's function.
pub type Target = fn(&[u8]);

/// All, by the names that they have in `fuzz/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("forward", forward_stream),
    ("forward_ping", forward_ping),
    ("syslog", syslog_stream),
    ("logstash", logstash_stream),
    ("gelf", gelf_stream),
    ("blueox", blueox_stream),
    ("zmtp", zmtp_sessions),
    ("http_body", http_body),
    ("lines", lines_stream),
    ("value_parse", value_parse),
    ("msgpack", msgpack_value),
    ("frame", batch_frame),
    ("format", format_lines),
    ("template", templates),
    ("lognorm", rule_bases),
    ("expression", expressions),
    ("strptime", time_formats),
    ("fluent_config", fluent_config),
    ("ini_config", ini_config),
    ("payload", sawlog_pipeline::fuzz::payloads),
    ("redis_answer", redis_answers),
    ("mongo_answer", mongo_answers),
    ("sincedb", sincedb),
    ("chunk_state", chunk_state),
    ("transcode", transcoded_lines),
];

const LIMITS: Limits = Limits { event: 64 << 10, message: 256 << 10, depth: 64, fields: 200, names: 200 };

/// A connection of the forward protocol: cut anywhere it gives the same, and what is held is bounded.
///
/// # Panics
/// Where that does not hold.
pub fn forward_stream(bytes: &[u8]) {
    stream(&forward::PROTOCOL, bytes);
}

/// Connections of syslog: as [`forward_stream`].
///
/// # Panics
/// Where that does not hold.
pub fn syslog_stream(bytes: &[u8]) {
    stream(&syslog::PROTOCOL, bytes);
}

/// Connections of lines: as [`forward_stream`].
///
/// # Panics
/// Where that does not hold.
pub fn lines_stream(bytes: &[u8]) {
    stream(&socket::TCP, bytes);
}

/// A body of `http_in`, its type told by the first byte: its events have lines that give them back.
///
/// # Panics
/// Where that does not hold.
pub fn http_body(bytes: &[u8]) {
    const TYPES: [&str; 4] = [
        "application/json",
        "application/x-ndjson",
        "application/msgpack",
        "application/x-www-form-urlencoded",
    ];
    let Some((first, body)) = bytes.split_first() else { return };
    let Ok(decoded) = http_in::decode_body(TYPES[usize::from(first % 4)], "", body, &LIMITS) else { return };
    for event in decoded.events {
        let mut line = Vec::new();
        render(&event, &mut line);
        let back = parse(&line, &Limits::default()).expect("its own line is read");
        assert!(back.same(&event), "{event:?} is read back as {back:?}");
    }
}

/// Connections of gelf: as [`forward_stream`].
///
/// # Panics
/// Where that does not hold.
pub fn gelf_stream(bytes: &[u8]) {
    stream(&gelf::PROTOCOL, bytes);
}

/// Connections of logstash: as [`forward_stream`].
///
/// # Panics
/// Where that does not hold.
pub fn logstash_stream(bytes: &[u8]) {
    stream(&logstash::PROTOCOL, bytes);
}

/// Connections to BlueOx's collection port: as [`forward_stream`].
///
/// # Panics
/// Where that does not hold.
pub fn blueox_stream(bytes: &[u8]) {
    stream(&blueox::PROTOCOL, bytes);
}

/// Answers of Redis, one behind the other: each takes some bytes, and its values no more than that, nor than they may.
///
/// # Panics
/// Where that does not hold.
pub fn redis_answers(mut bytes: &[u8]) {
    const MOST: usize = 4 << 10;
    loop {
        let before = bytes.len();
        let read = pin!(resp::read(&mut bytes, MOST)).poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(read) = read else { panic!("it waits, though nothing more comes") };
        let Ok(reply) = read else { return };
        let values = match reply {
            resp::Reply::List(items) => items,
            one => vec![one],
        };
        let held = values.iter().map(|one| if let resp::Reply::Value(value) = one { value.len() } else { 0 });
        let (held, taken) = (held.sum::<usize>(), before - bytes.len());
        assert!(taken > 0 && held <= taken.min(MOST), "{held} bytes are held of {taken}");
    }
}

/// Answers of MongoDB to the first message, one behind the other: each takes some bytes, and what is held of it is bounded by them. What
/// it says of documents is of some that were sent, and a document of its values is read back as it was written.
///
/// # Panics
/// Where that does not hold.
pub fn mongo_answers(mut bytes: &[u8]) {
    const MOST: usize = 64 << 10;
    loop {
        let before = bytes.len();
        let read = pin!(message::read(&mut bytes, 1, MOST)).poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(read) = read else { panic!("it waits, though nothing more comes") };
        let Ok(answer) = read else { return };
        assert!(bytes.len() < before);
        mongo::check_answer(&answer);
    }
}

/// A connection of ZeroMQ to a socket of a kind told by the first byte: cut anywhere it gives the same events and answers, and
/// what is held is bounded.
///
/// # Panics
/// Where that does not hold.
pub fn zmtp_sessions(bytes: &[u8]) {
    const ROLES: [Role; 6] = [Role::Pub, Role::Sub, Role::Req, Role::Rep, Role::Pull, Role::Push];
    const MOST: usize = 4 << 10;
    let Some((first, bytes)) = bytes.split_first() else { return };
    let run = |pieces: &[&[u8]]| {
        let mut session = Session::new(ROLES[usize::from(first % 6)], &[("X-Fuzzed", b"1")], MOST);
        let (mut buffer, mut events, mut said) = (BytesMut::new(), Vec::new(), Vec::new());
        for piece in pieces {
            buffer.extend_from_slice(piece);
            let end = loop {
                let event = session.next(&mut buffer);
                said.extend_from_slice(&session.take_output());
                match event {
                    Ok(Some(event)) => events.push(event),
                    Ok(None) => break None,
                    Err(error) => break Some(error.reason),
                }
            };
            if end.is_some() {
                return (events, said, end);
            }
            assert!(
                session.held() + buffer.len() <= MOST + 16 + piece.len(),
                "{} bytes are held",
                session.held()
            );
        }
        (events, said, None)
    };
    let cut = usize::from(*first) * bytes.len() / 256;
    assert!(run(&[bytes]) == run(&[&bytes[..cut], &bytes[cut..]]), "otherwise when cut at {cut}");
}

fn stream(protocol: &Protocol, bytes: &[u8]) {
    let Some(make) = protocol.decoder else { return };
    let run = |pieces: &[&[u8]]| {
        let (mut decoder, mut events) = (make(LIMITS), Vec::new());
        for piece in pieces {
            let fed = decoder.feed(piece, &mut |tag, event| events.push((tag.to_owned(), event)));
            if let Err(error) = fed {
                return (events, Some(error.reason));
            }
            assert!(decoder.held() <= LIMITS.message + piece.len(), "{} bytes are held", decoder.held());
        }
        (events, None)
    };
    let (whole, end) = run(&[bytes]);
    let cut = bytes.first().map_or(0, |first| usize::from(*first) * bytes.len() / 256);
    let (parts, end_of_parts) = run(&[&bytes[..cut], &bytes[cut..]]);
    assert_eq!(end, end_of_parts);
    let same = whole.iter().zip(&parts).all(|(a, b)| a.0 == b.0 && a.1.same(&b.1));
    assert!(whole.len() == parts.len() && same, "other events when cut at {cut}");
}

/// A database that should be Beaver's.
///
/// # Panics
/// Where reading it breaks.
pub fn sincedb(bytes: &[u8]) {
    tail::fuzz_sincedb(bytes);
}

/// What an output that gathers rows in files has noted of them.
///
/// # Panics
/// Where reading it breaks, holds more than there is, or what is read is not read again from the bytes that it is written as.
pub fn chunk_state(bytes: &[u8]) {
    chunks::state::fuzz_state(bytes);
}

/// A page of a list of objects that should be S3's.
///
/// # Panics
/// Where reading it breaks.
pub fn s3_listing(bytes: &[u8]) {
    // Objects and the token are of the bytes, which references only make shorter.
    if let Ok(page) = crate::shared::s3::fuzz_listing(bytes) {
        let len: usize = page.objects.iter().map(|(name, _)| name.len()).sum();
        assert!(len + page.next.map_or(0, |next| next.len()) <= bytes.len(), "more than there is");
    }
}

/// Lines in the encoding that the first byte says: every place of their text is one of theirs, in order, and each line of the
/// text begins where it does in them.
///
/// # Panics
/// Where that does not hold.
pub fn transcoded_lines(bytes: &[u8]) {
    const NAMES: [&str; 8] =
        ["shift_jis", "gb18030", "utf-16le", "utf-16be", "iso-2022-jp", "big5", "euc-kr", "windows-1252"];
    let Some((first, bytes)) = bytes.split_first() else { return };
    tail::fuzz_transcoder(NAMES[usize::from(first % 8)], bytes);
}

/// A peer's part of forward's handshake.
///
/// # Panics
/// Where a PING does not read as it was written.
pub fn forward_ping(bytes: &[u8]) {
    forward::check_ping(bytes, &LIMITS);
}

/// A line of an event: what is read has a line that gives it back.
///
/// # Panics
/// Where that does not hold.
pub fn value_parse(bytes: &[u8]) {
    for value in [parse(bytes, &LIMITS), parse_json(bytes, &LIMITS)].into_iter().flatten() {
        let mut line = Vec::new();
        render(&value, &mut line);
        // The line of a value can be longer and, where maps are written as pairs, deeper than what it was read from.
        let back = parse(&line, &Limits::default()).expect("its own line is read");
        assert!(back.same(&value), "{value:?} is read back as {back:?}");
    }
}

/// msgpack: its line is that of its value, and writing the value gives the value back.
///
/// # Panics
/// Where that does not hold.
pub fn msgpack_value(bytes: &[u8]) {
    let Ok((value, len)) = msgpack::value(bytes, &LIMITS) else { return };
    let measured = msgpack::measure(bytes, &LIMITS).expect("it was read");
    assert_eq!(measured.len, len);
    let (mut direct, mut by_value, mut written) = (Vec::new(), Vec::new(), Vec::new());
    msgpack::line(bytes, &measured, &mut Line::new(&mut direct)).expect("it was measured");
    render(&value, &mut by_value);
    assert_eq!(direct, by_value);
    msgpack::write(&value, &mut written);
    let (back, _) = msgpack::value(&written, &Limits::default()).expect("its own bytes are read");
    assert!(back.same(&value), "{value:?} is read back as {back:?}");
}

/// A batch: every span can be followed, and encoding what was read gives it back.
///
/// # Panics
/// Where that does not hold.
pub fn batch_frame(bytes: &[u8]) {
    let Ok(batch) = frame::decode(Bytes::copy_from_slice(bytes), &LIMITS) else { return };
    for row in batch.iter() {
        let spans: usize = row.slots().iter().map(|slot| row.slot(slot).len()).sum();
        assert!(row.raw().len() <= batch.buffer.len() && spans <= row.slots().len() * batch.buffer.len());
    }
    let (mut once, mut twice) = (Vec::new(), Vec::new());
    frame::encode(&batch, &mut once);
    let again = frame::decode(once.clone().into(), &LIMITS).expect("its own bytes are read");
    frame::encode(&again, &mut twice);
    assert_eq!(once, twice);
    assert!(batch.iter().zip(again.iter()).all(|(a, b)| a.raw() == b.raw() && a.address() == b.address()));
}

/// A rule base of liblognorm, and behind a NUL a line for it: both give something in bounded time, and the line is of a rule
/// where it has no rest.
///
/// # Panics
/// Where that does not hold.
pub fn rule_bases(bytes: &[u8]) {
    let (rules, line) = match bytes.iter().position(|byte| *byte == 0) {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &bytes[..0]),
    };
    // Rules may descend to themselves.
    let load = |name: &str| if name == "rules" { Ok(rules.to_vec()) } else { Err("not there".to_owned()) };
    let Ok(base) = RuleBase::compile("rules", &load, LIMITS) else { return };
    let mut memory = Memory::default();
    let found = base.find(line, &mut memory).is_ok();
    let made = base.normalize(line, &mut memory);
    assert_eq!(made, base.normalize(line, &mut memory));
    assert!(found || made.get("unparsed-data").is_some());
    let (mut written, mut rendered) = (Vec::new(), Vec::new());
    assert_eq!(base.write_json(line, &mut memory, &mut written), found);
    render(&made, &mut rendered);
    assert_eq!(written, rendered);
}

/// Record accessors, texts with `${…}` and regular expressions as a configuration has them, and a record that they are used
/// on: what an accessor removed it no longer finds, and what is read from a row is what is read from its record.
///
/// # Panics
/// Where that does not hold.
pub fn templates(bytes: &[u8]) {
    let (record, text) = bytes.split_at(bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0));
    let text = String::from_utf8_lossy(text);
    let text = text.trim_start();
    let Ok(Value::Map(mut entries)) = parse_json(record, &LIMITS) else { return };
    let batch = one_row(&entries);
    let row = batch.row(0);
    if let Ok(accessor) = Accessor::parse(text) {
        let bound = accessor.of_batch(&batch);
        let (found, seen) = (accessor.find(&entries).cloned(), bound.value(row, &LIMITS));
        if let Some(found) = &found {
            assert!(seen.is_some() && bound.may_have(row, &LIMITS), "{found:?} is not seen in the row");
        }
        if !text.starts_with("$[") || !text.ends_with("]") || text.ends_with("']") {
            accessor.remove(&mut entries);
            let left = accessor.find(&entries);
            assert!(left.is_none() || text.contains('['), "{left:?} is left");
        }
    }
    let _ = ruby_regex::compile(text).map(|regex| regex.is_match(record));
    if let Ok(template) = filter::record_transformer::Template::parse(text) {
        let (host, time) = ("h", TimeFormat::new(text, TimeZone::UTC));
        let scope = filter::record_transformer::Scope::new(&batch, host, &time, &LIMITS);
        let fields: Vec<_> = template.fields().map(|field| field.of_batch(&batch)).collect();
        let expanded = template.text(&scope, Some(row), &fields);
        assert!(text.contains("${") || expanded == text, "{expanded} was {text}");
    }
}

/// A batch of one row that came as this map.
fn one_row(entries: &[(Value, Value)]) -> Batch {
    let mut batch = Batch::default();
    let mut line = Vec::new();
    let slots = Slots::new("", &LIMITS, &mut batch.names, &mut batch.slots);
    render_slots(&Value::Map(entries.to_vec()), slots, &mut line);
    let (len, slots_end) = (line.len() as u32, batch.slots.len() as u32);
    let marks = Marks::MAP.with(Marks::JSON);
    batch.rows.push(Row { start: 0, len, offset: 0, time: 0, received: 0, slots_end, marks });
    batch.buffer = line.into();
    batch
}

/// Lines in any format: rows stand one behind the other and take all bytes, slots stand in their rows and in order.
///
/// # Panics
/// Where that does not hold.
pub fn format_lines(bytes: &[u8]) {
    let buffer = Bytes::copy_from_slice(bytes);
    let mut parser = Parser::new(Settings::default(), LIMITS);
    let parsed = parser.parse(&buffer, 0, More::No);
    assert_eq!(parsed.consumed, bytes.len());
    let (mut at, mut slot_at) = (0, 0);
    for row in &parsed.rows {
        assert_eq!(row.start as usize, at, "rows stand one behind the other");
        at += row.len as usize;
        let slots = &parsed.slots[slot_at..row.slots_end as usize];
        slot_at = row.slots_end as usize;
        let mut end = row.start;
        for slot in slots {
            assert!(
                slot.start >= end && slot.start + slot.len <= row.start + row.len,
                "a slot out of its place"
            );
            end = slot.start + slot.len;
            assert!((slot.name.0 as usize) < parser.names().len());
        }
    }
    assert_eq!(at, parsed.consumed);
}

/// An expression, a line break, a text: what it was lowered to finds what the general engine finds.
///
/// # Panics
/// Where that does not hold.
pub fn expressions(bytes: &[u8]) {
    let Some(end) = memchr::memchr(b'\n', bytes).filter(|end| *end < 200) else { return };
    if let Ok(expression) = std::str::from_utf8(&bytes[..end]) {
        crate::format::parse::engines_agree(expression, &bytes[end + 1..]);
    }
}

/// A time format, a line break, a text: no text breaks reading.
///
/// # Panics
/// Where one does.
pub fn time_formats(bytes: &[u8]) {
    let Some(end) = memchr::memchr(b'\n', bytes) else { return };
    if let Ok(format) = std::str::from_utf8(&bytes[..end]) {
        crate::format::parse::read_time(format, &bytes[end + 1..]);
    }
}

/// A configuration of Fluentd (the first byte says whose dialect); what is taken is written and read back the same.
///
/// # Panics
/// Where that does not hold.
pub fn fluent_config(bytes: &[u8]) {
    let Some((first, text)) = bytes.split_first() else { return };
    let compat = [Compat::Fluentd, Compat::FluentdV0, Compat::Ik][usize::from(*first) % 3];
    configuration(text, Some(compat));
}

/// A configuration whose kind is told by its text: of Flosculus or Beaver, or of sawlog.
///
/// # Panics
/// Where what is taken is not written and read back the same.
pub fn ini_config(bytes: &[u8]) {
    configuration(bytes, None);
}

fn configuration(text: &[u8], compat: Option<Compat>) {
    const PROTOCOLS: &[&Protocol] = &[
        &crate::tail::PROTOCOL,
        &forward::PROTOCOL,
        &crate::stdout::PROTOCOL,
        &crate::file::PROTOCOL,
        &filter::grep::PROTOCOL,
        &filter::record_transformer::PROTOCOL,
    ];
    const KNOWN: Known<'static> = Known { protocols: PROTOCOLS, settings: wiring::SETTINGS };
    let (sys, path) = (World::new(0).sys(), Path::new("/fuzzed"));
    let file = sys.fs.open(path, Open::New).expect("the disk is empty");
    file.write_at(text, 0).expect("there is room");
    let Ok(loaded) = config::load(&sys, path, KNOWN, compat) else { return };
    let written = config::write(&loaded.config, KNOWN);
    match config::read(&written, PROTOCOLS, wiring::SETTINGS) {
        Ok(back) => assert_eq!(config::write(&back, KNOWN), written),
        // A label without steps can be sent to in the other dialects; here that is told as a mistake.
        Err(problems) => {
            let labels = problems.iter().all(|problem| problem.message.contains("has the label"));
            assert!(labels, "{problems:?}\n{written}");
        }
    }
}

#[cfg(test)]
mod tests;
