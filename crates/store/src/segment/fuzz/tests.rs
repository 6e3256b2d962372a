//! A moment of seeded damage on each target.

use std::time::Duration;

use sawlog_model::RowRef;
use sawlog_sys::sim::{Dice, withstand};

use super::*;
use crate::segment::encode::put_strings;

fn text() -> Vec<u8> {
    let mut text = Vec::new();
    for index in 0..160 {
        let line = format!(
            "a=10.0.0.{} b:{} took {index} ms, Caf\u{e9} a b {}\n",
            index % 9,
            index % 4,
            index * 977
        );
        text.extend_from_slice(line.as_bytes());
    }
    text.extend_from_slice(b"a=\r\n\xff\x00 b::17\n=:\nlast a b 17");
    text
}

/// Bytes that get far.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    match name {
        "segment_file" => [Effort::Cheap, Effort::Strong].map(file_seed).to_vec(),
        "segment_column" => column_seeds(),
        _ => vec![text(), b"a=1 a=1\n".repeat(20), b"\n\n\n".to_vec()],
    }
}

fn file_seed(effort: Effort) -> Vec<u8> {
    let text = text();
    let batch = batch_of(&text);
    let rows: Vec<RowRef<'_>> = batch.iter().collect();
    let mut writer = SegmentWriter::new(Tenant(1), effort);
    rows.chunks(90).for_each(|group| writer.add_group(group));
    let bytes = writer.finish().bytes;
    let (before, tail) = bytes.split_at(bytes.len() - footer::TAIL);
    let tail = footer::Tail::read(tail).expect("a tail");
    let (before, packed) = before.split_at(before.len() - tail.packed);
    let footer = tail.unpack(packed).expect("a footer");
    let mut seed = (footer.len() as u16).to_le_bytes().to_vec();
    seed.extend_from_slice(&footer);
    seed.extend_from_slice(&before[footer::HEAD..]);
    seed
}

/// Heads of every form, with bytes for what they name.
fn column_seeds() -> Vec<Vec<u8>> {
    let mut strings = Vec::new();
    let texts: [&[u8]; 3] = [b"a\x00b", b"x", b"\x00"];
    put_strings(texts.into_iter(), &mut strings);
    let heads: [&[u8]; 8] = [
        &[0, 3],
        &[1, 5, 0],
        &[2, 3, 5, 0],
        &[3, 2, 4, 5, 0, 5, 0],
        &[4, 5, 0],
        &[5, 9, 5, 0],
        &[6, 5, 0, 5, 0, 1, 5, 0],
        &[10, 5, 2, 9, 0, 1, 5, 0],
    ];
    let column = |head: &&[u8]| {
        let mut seed = vec![4, 0, 0, head.len() as u8, 60, 60, 60, strings.len() as u8];
        seed.extend_from_slice(head);
        seed.extend((0..60).map(|at| at % 3));
        seed.extend_from_slice(&b"10.0.0.1 a b 17 ".repeat(4)[..60]);
        seed.extend((0..60).map(|at| at % 2));
        seed.extend_from_slice(&strings);
        seed
    };
    heads.iter().map(column).collect()
}

#[test]
fn seeded_damage_breaks_nothing() {
    for (number, (name, target)) in TARGETS.iter().enumerate() {
        withstand(name, target, &seeds(name), &mut Dice(number as u64), Duration::from_millis(600));
    }
}

#[test]
fn seeds_get_far() {
    let segment_seed = file_seed(Effort::Strong);
    let footer = usize::from(u16::from_le_bytes([segment_seed[0], segment_seed[1]]));
    let mut whole = footer::head();
    whole.extend_from_slice(&segment_seed[2 + footer..]);
    footer::seal(&segment_seed[2..2 + footer], &mut whole);
    let body = Body::open(file(&whole), "seed", Arc::new(Cache::new(1 << 20))).expect("a segment");
    let segment = Segment { body: Arc::new(body) };
    assert_eq!(segment.meta().groups.len(), 2);
    assert!(segment.count(0, &questions()[1], TimeRange::ALL).expect("a count") > 0);
}
