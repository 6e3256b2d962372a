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

/// Executions of each encoding in the test command.
const EXECUTIONS: u64 = 2_000;

/// With `SAWLOG_EXECUTIONS`, as `cargo xtask soak encodings` sets it, so many of each encoding, from `SAWLOG_SEED` on.
#[test]
fn every_encoding_gives_back_what_was_written() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap());
    if let Some(executions) = number("SAWLOG_EXECUTIONS") {
        return soak(executions, number("SAWLOG_SEED").unwrap_or(1));
    }
    for (number, (name, execute)) in encodings::ENCODINGS.iter().enumerate() {
        let mut dice = Dice(number as u64);
        let tries = EXECUTIONS * if *name == "rows" { 1 } else { 5 };
        let taken = (0..tries).filter(|_| execute(&mut dice)).count() as u64;
        println!("{name}: {taken} of {tries}");
        assert!(taken * 4 > tries, "{name}: only {taken} of {tries} were of this encoding");
    }
}

/// On two threads; a line of Markdown for each encoding.
fn soak(executions: u64, seed: u64) {
    for (name, execute) in encodings::ENCODINGS {
        let clock = sawlog_sys::Sys::real().clock;
        let began = clock.monotonic();
        let threads: Vec<_> = (0..2u64)
            .map(|thread| {
                let (execute, wanted) = (*execute, executions.div_ceil(2));
                sawlog_sys::task::spawn("soak", move || {
                    let (mut dice, mut taken, mut tries) = (Dice(seed.wrapping_mul(2) + thread), 0, 0u64);
                    while taken < wanted {
                        tries += 1;
                        taken += u64::from(execute(&mut dice));
                    }
                    (taken, tries)
                })
                .unwrap()
            })
            .collect();
        let (mut taken, mut tries) = (0, 0);
        for thread in threads {
            let (of_it, of_all) =
                thread.join().unwrap_or_else(|| panic!("{name}: a difference, seed {seed}"));
            (taken, tries) = (taken + of_it, tries + of_all);
        }
        let seconds = (clock.monotonic() - began).as_secs_f64();
        println!("| {name} | {taken} | {tries} | {seconds:.0} |");
    }
}
