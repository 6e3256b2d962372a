//! Sessions, byte for byte: what libzmq 4.3.5 and 2.2.0 send, how two of ours talk, what is refused.

use bytes::{Bytes, BytesMut};

use super::*;

const MOST: usize = 10_000;

/// `ff 00 "READY"*3`: bytes in hex, text in quotes, repetition by a star.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for word in text.split_whitespace() {
        let (word, times) =
            word.split_once('*').map_or((word, 1), |(word, times)| (word, times.parse().unwrap()));
        let one = match word.strip_prefix('"') {
            Some(text) => text.trim_end_matches('"').as_bytes().to_vec(),
            None => (0..word.len() / 2)
                .map(|at| u8::from_str_radix(&word[2 * at..2 * at + 2], 16).unwrap())
                .collect(),
        };
        out.extend(one.repeat(times));
    }
    out
}

/// The greeting of libzmq 4.3.5.
pub(crate) const GREETING: &str = "ff 00*7 01 7f 03 01 \"NULL\" 00*16 00 00*31";

fn all(session: &mut Session, input: &[u8], step: usize) -> Result<Vec<Event>, DecodeError> {
    let (mut buffer, mut events) = (BytesMut::new(), Vec::new());
    for piece in input.chunks(step.max(1)) {
        buffer.extend_from_slice(piece);
        while let Some(event) = session.next(&mut buffer)? {
            events.push(event);
        }
    }
    Ok(events)
}

fn message(frames: &[&[u8]]) -> Event {
    let count = frames.len();
    Event::Message(Message {
        frames: frames.iter().map(|frame| Bytes::copy_from_slice(frame)).collect(),
        count,
    })
}

fn ready(version: Version, properties: &[(&str, &str)]) -> Event {
    let property =
        |(name, value): &(&str, &str)| ((*name).to_owned(), Bytes::copy_from_slice(value.as_bytes()));
    Event::Ready(Ready { version, properties: properties.iter().map(property).collect() })
}

#[test]
fn a_push_of_zmtp_3_is_read_however_it_is_cut() {
    let input = bytes(&format!(
        "{GREETING} 04 1a 05 \"READY\" 0b \"Socket-Type\" 00000004 \"PUSH\" 01 04 \"meta\" 02 000000000000012c 78*300"
    ));
    for step in [1, 2, 7, 64, 1_000] {
        let mut session = Session::new(Role::Pull, &[], MOST);
        let events = all(&mut session, &input, step).unwrap();
        let wanted = [ready(Version::V3, &[("Socket-Type", "PUSH")]), message(&[b"meta", &[b'x'; 300]])];
        assert_eq!(events, wanted, "pieces of {step}");
        let said = session.take_output();
        let wanted = "ff 00*7 01 7f 03 00 \"NULL\" 00*16 00 00*31 04 1a 05 \"READY\" 0b \"Socket-Type\" 00000004 \"PULL\"";
        assert_eq!(said, bytes(wanted));
        assert_eq!(session.held(), 0);
    }
    // Older releases leave the eighth byte of the padding zero.
    let old =
        bytes("ff 00*8 7f 03 00 \"NULL\" 00*48 04 1a 05 \"READY\" 0b \"Socket-Type\" 00000004 \"PUSH\"");
    assert_eq!(all(&mut Session::new(Role::Pull, &[], MOST), &old, 9).unwrap().len(), 1);
}

#[test]
fn a_push_of_zmtp_1_is_read() {
    let input = bytes("01 00  05 01 \"meta\"  ff 000000000000012d 00 78*300  04 00 \"one\"  01 00");
    for step in [1, 3, 500] {
        let mut session = Session::new(Role::Pull, &[], MOST);
        let events = all(&mut session, &input, step).unwrap();
        let wanted =
            [ready(Version::V1, &[]), message(&[b"meta", &[b'x'; 300]]), message(&[b"one"]), message(&[b""])];
        assert_eq!(events, wanted);
        assert_eq!(session.take_output(), bytes("ff 00*7 01 7f"), "which is an identity to it");
    }
    let long = bytes("ff 0000000000000101 00 41*256 04 00 \"one\"");
    assert_eq!(
        all(&mut Session::new(Role::Pull, &[], MOST), &long, 5).unwrap(),
        [ready(Version::V1, &[]), message(&[b"one"])],
        "with an identity of 256 bytes"
    );
}

#[test]
fn a_push_of_zmtp_2_is_read() {
    let input = bytes("ff 00*7 01 7f 01 08  00 00  01 04 \"meta\" 00 01 \"x\"");
    let mut session = Session::new(Role::Pull, &[], MOST);
    assert_eq!(all(&mut session, &input, 1).unwrap(), [ready(Version::V2, &[]), message(&[b"meta", b"x"])]);
    assert_eq!(session.take_output(), bytes("ff 00*7 01 7f 03 07 00 00"));
    let wrong = bytes("ff 00*7 01 7f 01 02  00 00");
    assert_eq!(all(&mut Session::new(Role::Pull, &[], MOST), &wrong, 1).unwrap_err().reason, "greeting");
}

#[test]
fn requests_and_answers_have_their_envelopes() {
    let ready_of_req = "04 26 05 \"READY\" 0b \"Socket-Type\" 00000003 \"REQ\" 08 \"Identity\" 00000000";
    let input = bytes(&format!("{GREETING} {ready_of_req} 01 00 00 0c 81a3636d64a6535441545553"));
    let mut session = Session::new(Role::Rep, &[], MOST);
    let events = all(&mut session, &input, 4).unwrap();
    assert_eq!(events[1], message(&[b"", &bytes("81a3636d64a6535441545553")]));
    let mut out = Vec::new();
    session.write(&[b"", b"x"], &mut out);
    assert_eq!(out, bytes("01 00 00 01 \"x\""));

    let mut session = Session::new(Role::Rep, &[], MOST);
    let events = all(&mut session, &bytes("01 00  01 01  0d 00 81a3636d64a6535441545553"), 1).unwrap();
    assert_eq!(events[1], message(&[b"", &bytes("81a3636d64a6535441545553")]));
    let mut out = Vec::new();
    session.write(&[b"", &bytes("81a26f6bc3")], &mut out);
    assert_eq!(out, bytes("01 01   06 00 81a26f6bc3"));
    let mut out = Vec::new();
    session.write(&[&[7; 254]], &mut out);
    assert_eq!(out[..10], bytes("ff 00000000000000ff 00"));
}

#[test]
fn subscriptions_come_as_messages_or_as_commands() {
    let of_sub = "04 19 05 \"READY\" 0b \"Socket-Type\" 00000003 \"SUB\"";
    let input = bytes(&format!(
        "{GREETING} {of_sub} 00 08 01 \"request\" 04 11 09 \"SUBSCRIBE\" \"request\" 00 01 00 04 07 06 \"CANCEL\""
    ));
    let events = all(&mut Session::new(Role::Pub, &[], MOST), &input, 3).unwrap();
    let prefix = Bytes::from_static(b"request");
    let wanted = [
        Event::Subscribe(true, prefix.clone()),
        Event::Subscribe(true, prefix),
        Event::Subscribe(false, Bytes::new()),
        Event::Subscribe(false, Bytes::new()),
    ];
    assert_eq!(events[1..], wanted);
}

#[test]
fn a_ping_is_answered() {
    let of_push = "04 1a 05 \"READY\" 0b \"Socket-Type\" 00000004 \"PUSH\"";
    let mut session = Session::new(Role::Pull, &[], MOST);
    let input = bytes(&format!("{GREETING} {of_push} 04 09 04 \"PING\" 0064 \"ab\""));
    assert_eq!(all(&mut session, &input, 100).unwrap().len(), 1);
    assert!(session.take_output().ends_with(&bytes("04 07 04 \"PONG\" \"ab\"")));
}

#[test]
fn two_of_ours_agree() {
    const ONE: &[(&str, &[u8])] = &[("X-Of-Ours", b"1")];
    let (mut push, mut pull) = (Session::new(Role::Push, ONE, MOST), Session::new(Role::Pull, &[], MOST));
    let (mut to_push, mut to_pull) = (BytesMut::new(), BytesMut::new());
    let (mut first, mut second) = (None, None);
    for _ in 0..5 {
        to_pull.extend_from_slice(&push.take_output());
        to_push.extend_from_slice(&pull.take_output());
        first = push.next(&mut to_push).unwrap().or(first);
        second = pull.next(&mut to_pull).unwrap().or(second);
    }
    let Some(Event::Ready(said)) = second else { panic!("a handshake") };
    assert_eq!(said.property("x-of-ours").map(|value| &value[..]), Some(&b"1"[..]));
    assert!(matches!(first, Some(Event::Ready(said)) if said.property("x-of-ours").is_none()));
}

#[test]
fn what_is_wrong_is_named() {
    let of_push = "04 1a 05 \"READY\" 0b \"Socket-Type\" 00000004 \"PUSH\"";
    for (input, reason) in [
        ("ff 00*7 01 7f 03 01 \"PLAIN\" 00*15 00 00*31".to_owned(), "greeting"),
        ("ff 00*7 01 7f 00".to_owned(), "greeting"),
        (format!("{GREETING} 04 19 05 \"READY\" 0b \"Socket-Type\" 00000003 \"REQ\""), "socket_type"),
        (format!("{GREETING} 04 06 05 \"READY\""), "socket_type"),
        (format!("{GREETING} 04 0d 05 \"READY\" 0b \"Socket\""), "handshake"),
        (format!("{GREETING} 04 19 05 \"READY\" 0b \"Socket-Type\" ffffffff \"REQ\""), "handshake"),
        (format!("{GREETING} 04 01 09"), "handshake"),
        (format!("{GREETING} 00 01 \"x\""), "handshake"),
        (format!("{GREETING} {of_push} 02 7fffffffffffffff"), "too_large"),
        (format!("{GREETING} {of_push} 01 ff 78*255 02 0000000000002711"), "too_large"),
        (
            format!("{GREETING} {of_push} 03 0000000000002000 78*8192 02 0000000000001fff 78*8191"),
            "too_large",
        ),
        (format!("{GREETING} {of_push} f8 01"), "frame"),
        ("01 00 00 00".to_owned(), "frame"),
        (format!("{GREETING} {of_push} 04 08 05 \"ERROR\" 01 \"x\""), "handshake"),
    ] {
        let error = all(&mut Session::new(Role::Pull, &[], MOST), &bytes(&input), 50).expect_err(&input);
        assert_eq!(error.reason, reason, "{input}: {error}");
    }
    let of_sub = "04 19 05 \"READY\" 0b \"Socket-Type\" 00000003 \"SUB\"";
    let input = bytes(&format!("{GREETING} {of_sub} 00 01 07"));
    assert_eq!(all(&mut Session::new(Role::Pub, &[], MOST), &input, 50).unwrap_err().reason, "subscription");
}

#[test]
fn of_very_many_frames_only_the_number_is_kept() {
    let of_push = "04 1a 05 \"READY\" 0b \"Socket-Type\" 00000004 \"PUSH\"";
    let input = bytes(&format!("{GREETING} {of_push}"));
    let mut session = Session::new(Role::Pull, &[], MOST);
    all(&mut session, &input, 100).unwrap();
    let mut buffer = BytesMut::new();
    for _ in 0..100_000 {
        buffer.extend_from_slice(&[1, 1, b'x']);
        assert!(session.next(&mut buffer).unwrap().is_none());
    }
    assert!(session.held() < 1_000);
    buffer.extend_from_slice(&[0, 0]);
    let Some(Event::Message(message)) = session.next(&mut buffer).unwrap() else { panic!("a message") };
    assert_eq!((message.frames.len(), message.count), (8, 100_001));
}
