//! msgpack both ways, cut and damaged.

use sawlog_model::value::{Line, render};
use sawlog_model::{Limits, Value};
use sawlog_sys::sim::Dice;

use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn bytes_of(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, &mut out);
    out
}

/// The line, by way of a value and directly, which must be the same.
fn line_of(bytes: &[u8]) -> String {
    let limits = Limits::default();
    let (value, len) = value(bytes, &limits).expect("msgpack");
    let (mut by_value, mut direct) = (Vec::new(), Vec::new());
    render(&value, &mut by_value);
    let measured = measure(bytes, &limits).expect("msgpack");
    assert_eq!(measured.len, len);
    line(bytes, &measured, &mut Line::new(&mut direct)).expect("what was measured");
    assert_eq!(String::from_utf8_lossy(&direct), String::from_utf8_lossy(&by_value));
    String::from_utf8(direct).expect("a line is text")
}

/// Every marker, in all its lengths.
#[test]
fn all_forms_are_read() {
    let cases = [
        ("c0", "null"),
        ("c2", "false"),
        ("c3", "true"),
        ("7f", "127"),
        ("e0", "-32"),
        ("ccff", "255"),
        ("cdffff", "65535"),
        ("ceffffffff", "4294967295"),
        ("cfffffffffffffffff", "18446744073709551615"),
        ("cf0000010000000000", "1099511627776"),
        ("d080", "-128"),
        ("d18000", "-32768"),
        ("d280000000", "-2147483648"),
        ("d38000000000000000", "-9223372036854775808"),
        ("ca3fc00000", r#"{"$f32":1.5}"#),
        ("cb3ff8000000000000", "1.5"),
        ("a2c3a9", r#""é""#),
        ("d90161", r#""a""#),
        ("da000161", r#""a""#),
        ("db0000000161", r#""a""#),
        ("a1ff", r#"{"$bin":"/w=="}"#),
        ("c401ff", r#"{"$bin":"/w=="}"#),
        ("c50001ff", r#"{"$bin":"/w=="}"#),
        ("c600000001ff", r#"{"$bin":"/w=="}"#),
        ("d401ff", r#"{"$ext":[1,"/w=="]}"#),
        ("d501ffff", r#"{"$ext":[1,"//8="]}"#),
        ("d6ff00000001", r#"{"$ext":[-1,"AAAAAQ=="]}"#),
        ("d70055ece6f80ee6b280", r#"{"$time":"1441588984250000000"}"#),
        ("c7080055ece6f80ee6b280", r#"{"$time":"1441588984250000000"}"#),
        ("d70055ece6f8ffffffff", r#"{"$ext":[0,"Vezm+P////8="]}"#),
        ("c70001", r#"{"$ext":[1,""]}"#),
        ("c8000101ff", r#"{"$ext":[1,"/w=="]}"#),
        ("c90000000101ff", r#"{"$ext":[1,"/w=="]}"#),
        ("9201a178", r#"[1,"x"]"#),
        ("dc000101", "[1]"),
        ("dd0000000101", "[1]"),
        ("80", "{}"),
        ("82a16101a16280", r#"{"a":1,"b":{}}"#),
        ("de0001a16101", r#"{"a":1}"#),
        ("df00000001a16101", r#"{"a":1}"#),
        ("8201a178c0c0", r#"{"$map":[[1,"x"],[null,null]]}"#),
        ("81a16181a42462696ea178", r#"{"a":{"$map":[["$bin","x"]]}}"#),
        ("de0001a42462696ea178", r#"{"$map":[["$bin","x"]]}"#),
        ("82a42462696ea178a16181c001", r#"{"$bin":"x","a":{"$map":[[null,1]]}}"#),
        ("8181c001c0", r#"{"$map":[[{"$map":[[null,1]]},null]]}"#),
        ("81a1ff01", r#"{"$map":[[{"$bin":"/w=="},1]]}"#),
    ];
    for (bytes, wanted) in cases {
        assert_eq!(line_of(&hex(bytes)), wanted, "{bytes}");
    }
}

#[test]
fn lying_lengths_are_named_before_anything_is_held() {
    let limits = Limits { event: 1000, ..Limits::default() };
    for head in ["dbffffffff", "c6ffffffff", "c9ffffffff00", "ddffffffff", "dfffffffff", "da0400", "dc0400"] {
        let bytes = hex(head);
        assert_eq!(measure(&bytes, &limits).err(), Some(MsgpackError::Long(1000)), "{head}");
    }
    assert_eq!(measure(&hex("c1"), &limits).err(), Some(MsgpackError::Syntax(0)));
    assert_eq!(measure(&hex("92c1"), &limits).err(), Some(MsgpackError::Syntax(1)));
    assert_eq!(measure(&hex("9201"), &limits).err(), Some(MsgpackError::Syntax(2)));
}

#[test]
fn depth_is_bounded() {
    let limits = Limits { depth: 10, ..Limits::default() };
    let nested = |depth: usize| [vec![0x91; depth], vec![0xc0]].concat();
    assert!(measure(&nested(10), &limits).is_ok());
    assert_eq!(measure(&nested(100_000), &limits).err(), Some(MsgpackError::Deep(10)));
    let deepest = Limits { depth: usize::MAX, ..Limits::default() };
    assert_eq!(line_of_deep(&nested(DEPTH_MOST), &deepest), Ok(DEPTH_MOST * 2 + 4));
    assert_eq!(line_of_deep(&nested(DEPTH_MOST + 1), &deepest), Err(MsgpackError::Deep(DEPTH_MOST)));
}

fn line_of_deep(bytes: &[u8], limits: &Limits) -> Result<usize, MsgpackError> {
    let measured = measure(bytes, limits)?;
    let mut out = Vec::new();
    line(bytes, &measured, &mut Line::new(&mut out))?;
    drop(value(bytes, limits)?);
    Ok(out.len())
}

/// Any value that msgpack can hold, nested up to `depth`.
fn any_value(dice: &mut Dice, depth: usize) -> Value {
    let kinds = if depth > 0 { 14 } else { 11 };
    match dice.below(kinds) {
        0 => Value::Nil,
        1 => Value::Bool(dice.below(2) == 0),
        2 => Value::Int(dice.roll() as i64 >> dice.below(64)),
        3 => Value::UInt(dice.roll() | 1 << 63),
        4 => Value::Float(f64::from_bits(dice.roll())),
        5 => Value::Float32(f32::from_bits(dice.roll() as u32)),
        6 | 7 => Value::Str(any_text(dice)),
        8 => Value::Bin(any_bytes(dice)),
        9 => Value::Time((dice.roll() % (4_294_967_296 * 1_000_000_000)) as i64),
        10 => Value::Ext(1 + dice.below(127) as i8, any_bytes(dice)),
        11 => Value::List((0..dice.below(20)).map(|_| any_value(dice, depth - 1)).collect()),
        _ => {
            let key = |dice: &mut Dice| match dice.below(9) {
                0 => any_value(dice, depth - 1),
                _ => Value::Str(any_text(dice)),
            };
            Value::Map((0..dice.below(20)).map(|_| (key(dice), any_value(dice, depth - 1))).collect())
        }
    }
}

fn any_text(dice: &mut Dice) -> String {
    const TEXTS: [&str; 7] = ["$bin", "$map", "a", "", "é\n\"\\", "\u{0}\u{1f}", "b.c"];
    TEXTS[dice.below(7)].repeat([1, 1, 1, 2, 100][dice.below(5)])
}

fn any_bytes(dice: &mut Dice) -> Vec<u8> {
    (0..[0, 1, 2, 4, 8, 16, 20, 300][dice.below(8)]).map(|_| dice.roll() as u8).collect()
}

#[test]
fn written_is_read_back() {
    let mut dice = Dice(1);
    for _ in 0..1_000 {
        let value = any_value(&mut dice, 4);
        let bytes = bytes_of(&value);
        let (back, len) = super::value(&bytes, &Limits::default()).expect("its own bytes");
        assert_eq!(len, bytes.len());
        assert!(back.same(&value), "{value:?} read as {back:?}");
        line_of(&bytes);
    }
}

#[test]
fn the_scanner_ends_where_the_value_ends() {
    let mut dice = Dice(2);
    for step in (1..9).cycle().take(200) {
        let all: Vec<Vec<u8>> = (0..3).map(|_| bytes_of(&any_value(&mut dice, 3))).collect();
        let stream = all.concat();
        let (mut scanner, mut start, mut found) = (Scanner::default(), 0, Vec::new());
        for end in (0..stream.len()).step_by(step).chain([stream.len()]) {
            while let Some(len) = scanner.next_end(&stream[start..end], 128, 1 << 20).expect("msgpack") {
                found.push(len);
                start += len;
            }
        }
        assert_eq!(found, all.iter().map(Vec::len).collect::<Vec<_>>());
    }
}

#[test]
fn no_bytes_make_it_panic() {
    let mut dice = Dice(3);
    for _ in 0..3_000 {
        let mut bytes = bytes_of(&any_value(&mut dice, 3));
        for _ in 0..=dice.below(3) {
            let at = dice.below(bytes.len());
            bytes[at] = dice.roll() as u8;
        }
        if let Ok((back, _)) = super::value(&bytes, &Limits::default()) {
            line_of(&bytes);
            let _ = bytes_of(&back);
        }
    }
}

#[test]
fn small_maps_of_texts_are_measured_as_all_others_are() {
    let limits = Limits { event: 60, ..Limits::default() };
    let whole = |bytes: &[u8]| Scanner::default().next_end(bytes, limits.depth, limits.event).ok().flatten();
    let seeds =
        ["82a161a178d90162da000179", "81a424626960a0", "83a0a0a161a0a162db0000000131", "81a2c3a9a2c3a9"]
            .map(hex);
    for seed in &seeds {
        assert_eq!(measure(seed, &limits).expect("msgpack").len, seed.len());
        line_of(seed);
    }
    let mut dice = Dice(5);
    for _ in 0..20_000 {
        let mut bytes = seeds[dice.below(seeds.len())].clone();
        let at = dice.below(bytes.len());
        bytes[at] = dice.roll() as u8;
        bytes.truncate(dice.below(bytes.len() + 1));
        bytes.extend(std::iter::repeat_n(b'a', dice.below(80)));
        assert_eq!(measure(&bytes, &limits).ok().map(|measured| measured.len), whole(&bytes), "{bytes:x?}");
    }
}
