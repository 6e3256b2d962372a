//! A moment of seeded damage on each target.

use std::time::Duration;

use sawlog_model::RowRef;
use sawlog_sys::sim::{Dice, withstand};

use super::encodings::Ran;
use super::*;
use crate::segment::encode::put_strings;
use crate::segment::{parts, tag};

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
        "segment_file" => {
            let mut seeds = [Effort::Cheap, Effort::Strong]
                .map(|effort| file_seed(effort, &batch_of(&text()), 90))
                .to_vec();
            let batch =
                parts::tests::batch(700, parts::tests::As::Event, |at| parts::tests::mixed(at, "\\\""));
            seeds.push(file_seed(Effort::Cheap, &batch, 400));
            seeds
        }
        "segment_parts" => {
            let lines = |quote| (0..300).map(|at| parts::tests::mixed(at, quote) + "\n").collect::<String>();
            [format!("\0{}", lines("\"")), format!("\x01{}", lines("\\\""))].map(String::into_bytes).to_vec()
        }
        "segment_column" => column_seeds(),
        _ => vec![text(), b"a=1 a=1\n".repeat(20), b"\n\n\n".to_vec()],
    }
}

fn file_seed(effort: Effort, batch: &Batch, group: usize) -> Vec<u8> {
    let rows: Vec<RowRef<'_>> = batch.iter().collect();
    let file = written(rows.chunks(group), effort);
    let mut bytes = vec![0; file.metadata().expect("a size").len as usize];
    file.read_exact_at(&mut bytes, 0).expect("its bytes");
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
    let heads: [&[u8]; 12] = [
        &[0, 3],
        &[1, 5, 0],
        &[2, 3, 5, 0],
        &[3, 2, 4, 5, 0, 5, 0],
        &[4, 5, 0],
        &[5, 9, 5, 0],
        &[6, 5, 0, 5, 0, 1, 5, 0],
        &[10, 5, 2, 9, 0, 1, 5, 0],
        &[12, 9, 5, 0],
        &[6, 5, 0, 12, 9, 5, 0],
        &[6, 5, 0, 13, 9, 5, 0],
        &[6, 5, 0, 14, 2, 4, 5, 0, 5, 0],
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
fn an_exception_behind_the_last_time_is_refused() {
    let read = |place| {
        let nothing = || Stream::of(Bytes::new());
        let streams = Streams { numbers: nothing(), lengths: nothing(), text: nothing(), digits: nothing() };
        let sources = Sources {
            head: Bytes::copy_from_slice(&[tag::PRINTED, 1, 0, 1, place, 1, b'x']),
            streams,
            templates: nothing(),
            dictionary: None,
            table: None,
            times: vec![0; 3],
            leader: LedBy::Nobody,
        };
        Column::read(3, sources)
    };
    assert!(read(2).is_ok());
    assert!(read(3).is_err());
}

#[test]
fn seeded_damage_breaks_nothing() {
    for (number, (name, target)) in TARGETS.iter().enumerate() {
        withstand(name, target, &seeds(name), &mut Dice(number as u64), Duration::from_millis(600));
    }
}

#[test]
fn seeds_get_far() {
    let segment_seed = file_seed(Effort::Strong, &batch_of(&text()), 90);
    let footer = usize::from(u16::from_le_bytes([segment_seed[0], segment_seed[1]]));
    let mut whole = footer::head();
    whole.extend_from_slice(&segment_seed[2 + footer..]);
    whole.extend(footer::seal(&segment_seed[2..2 + footer], &mut Compressor::default()));
    let body = Body::open(file(&whole), "seed", Arc::new(Cache::new(1 << 20))).expect("a segment");
    let segment = Segment { body: Arc::new(body) };
    assert_eq!(segment.meta().groups.len(), 2);
    assert!(segment.count(0, &questions()[1], TimeRange::ALL).expect("a count") > 0);
}

/// Executions of each encoding in the test command.
const EXECUTIONS: u64 = 10_000;

/// With `SAWLOG_EXECUTIONS`, as `cargo xtask soak encodings` sets it, so many of each encoding that `SAWLOG_ONLY` names (all
/// without it), from `SAWLOG_SEED` on; what is done is kept in the file `SAWLOG_KEEP`, from where the next run goes on.
#[test]
fn every_encoding_gives_back_what_was_written() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap());
    if let Some(executions) = number("SAWLOG_EXECUTIONS") {
        let only = std::env::var("SAWLOG_ONLY").unwrap_or_default();
        let mut kept = Kept::open();
        for (name, execute) in encodings::ENCODINGS {
            if only.is_empty() || only.split(',').any(|wanted| wanted == *name) {
                soak(name, *execute, executions, number("SAWLOG_SEED").unwrap_or(1), &mut kept);
            }
        }
        return;
    }
    for (number, (name, execute)) in encodings::ENCODINGS.iter().enumerate() {
        let mut dice = Dice(number as u64);
        let mut ran = Ran::default();
        while ran.tries < EXECUTIONS {
            ran += execute(&mut dice);
        }
        println!("{name}: {} of {}", ran.taken, ran.tries);
        assert!(ran.taken * 4 > ran.tries, "{name}: only {ran:?} were of this encoding");
    }
}

/// Executions between two looks at the clock and two lines of what is kept.
const SLICE: u64 = 100_000;

/// What a soak has done so far of an encoding.
#[derive(Clone, Copy, Default, Debug, PartialEq)]
struct Done {
    slices: u64,
    /// Of the encoding, and in all.
    taken: u64,
    tries: u64,
    milliseconds: u64,
}

/// Lines of (encoding, slices, of it, in all, milliseconds), the last of an encoding counts; nowhere without `SAWLOG_KEEP`.
struct Kept {
    sys: sawlog_sys::Sys,
    path: Option<std::path::PathBuf>,
    text: String,
}

impl Kept {
    fn open() -> Kept {
        let sys = sawlog_sys::Sys::real();
        let path = std::env::var_os("SAWLOG_KEEP").map(std::path::PathBuf::from);
        let text = path.as_deref().and_then(|path| sys.fs.read(path).ok()).unwrap_or_default();
        Kept { sys, path, text: String::from_utf8(text).unwrap() }
    }

    fn of(&self, name: &str) -> Done {
        let numbers = self.text.lines().rev().find_map(|line| line.strip_prefix(name)?.strip_prefix('\t'));
        let mut numbers =
            numbers.into_iter().flat_map(|line| line.split('\t')).map(|text| text.parse().unwrap());
        let mut next = || numbers.next().unwrap_or_default();
        Done { slices: next(), taken: next(), tries: next(), milliseconds: next() }
    }

    fn note(&mut self, name: &str, done: Done) {
        let Done { slices, taken, tries, milliseconds } = done;
        self.text.push_str(&format!("{name}\t{slices}\t{taken}\t{tries}\t{milliseconds}\n"));
        let Some(path) = &self.path else { return };
        let file = self.sys.fs.open(path, Open::Create).unwrap();
        file.write_at(self.text.as_bytes(), 0).unwrap();
    }
}

#[test]
fn a_soak_goes_on_where_it_was() {
    let (name, execute) = encodings::ENCODINGS[0];
    let mut kept = Kept { sys: sawlog_sys::Sys::real(), path: None, text: String::new() };
    soak(name, execute, 10, 7, &mut kept);
    let done = kept.of(name);
    assert!((done.slices, done.taken) == (1, 10) && done.tries >= 10, "{done:?}");
    soak(name, execute, 10, 7, &mut kept);
    assert_eq!(kept.of(name), done);
    soak(name, execute, 30, 7, &mut kept);
    let more = kept.of(name);
    assert_eq!((more.slices, more.taken), (2, 30));
}

/// On two threads, each slice from a seed of its own; a line of Markdown at the end.
fn soak(name: &str, execute: encodings::Execute, executions: u64, seed: u64, kept: &mut Kept) {
    let clock = sawlog_sys::Sys::real().clock;
    let mut done = kept.of(name);
    while done.taken < executions {
        let began = clock.monotonic();
        let wanted = (executions - done.taken).min(SLICE).div_ceil(2);
        let threads: Vec<_> = (0..2u64)
            .map(|thread| {
                let seed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(done.slices * 2 + thread);
                sawlog_sys::task::spawn("soak", move || {
                    let (mut dice, mut ran) = (Dice(seed), Ran::default());
                    while ran.taken < wanted {
                        ran += execute(&mut dice);
                    }
                    ran
                })
                .unwrap()
            })
            .collect();
        done.slices += 1;
        for thread in threads {
            let ran = thread
                .join()
                .unwrap_or_else(|| panic!("{name}: a difference, seed {seed}, slice {}", done.slices));
            (done.taken, done.tries) = (done.taken + ran.taken, done.tries + ran.tries);
        }
        done.milliseconds += (clock.monotonic() - began).as_millis() as u64;
        kept.note(name, done);
    }
    println!("| {name} | {} | {} | {:.0} |", done.taken, done.tries, done.milliseconds as f64 / 1e3);
}
