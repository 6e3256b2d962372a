//! Random lives of a store: what is delivered, flushed, merged and reopened in any order is there once, in every order
//! of reading.

use proptest::prelude::*;
use sawlog_model::Tenant;
use sawlog_sys::Sys;

use super::support::Stage;
use crate::Options;

#[derive(Clone, Debug)]
enum Op {
    /// Lines are written to a file: times relative to a slowly growing clock.
    Write(usize, Vec<i8>),
    Offer(usize, usize),
    Settle(usize),
    Truncate(usize),
    Submit(u32, Vec<u8>),
    Flush,
    Maintain(u64),
    Compact,
    Reopen(bool),
    Check,
}

fn op() -> impl Strategy<Value = Op> {
    let file = 0..3usize;
    prop_oneof![
        4 => (file.clone(), prop::collection::vec(any::<i8>(), 1..40)).prop_map(|(f, t)| Op::Write(f, t)),
        6 => (file.clone(), 0..60usize).prop_map(|(f, n)| Op::Offer(f, n)),
        2 => file.clone().prop_map(Op::Settle),
        1 => file.prop_map(Op::Truncate),
        3 => (0..2u32, prop::collection::vec(1..20u8, 1..4)).prop_map(|(t, b)| Op::Submit(t, b)),
        2 => Just(Op::Flush),
        2 => (0..40_000u64).prop_map(Op::Maintain),
        1 => Just(Op::Compact),
        2 => any::<bool>().prop_map(Op::Reopen),
        1 => Just(Op::Check),
    ]
}

const LEVELS: [&str; 3] = ["info", "warn", "error"];

fn line(clock: &mut i64, spread: i8, number: usize) -> String {
    *clock += 3;
    let time = *clock * 10 + i64::from(spread);
    format!("{time} {} request {number} took {}ms\n", LEVELS[number % 3], number * 7 % 100)
}

fn live(ops: Vec<Op>) {
    let dir = tempfile::tempdir().expect("a directory");
    let options = Options { memtable_bytes: 30_000, segment_bytes: 9_000, ..Options::default() };
    let mut stage = Stage::new(Sys::real(), dir.path(), options, 3);
    stage.open(false).expect("it opens");
    let (mut clock, mut number) = (0, 0);
    let mut make = |spread: i8| {
        number += 1;
        line(&mut clock, spread, number)
    };
    for op in ops {
        match op {
            Op::Write(file, spreads) => {
                let lines: Vec<String> = spreads.into_iter().map(&mut make).collect();
                stage.files[file].epochs.last_mut().expect("an epoch").extend(lines);
            }
            Op::Offer(file, count) => stage.offer(file, count).expect("it is taken"),
            Op::Settle(file) => stage.settle(file),
            Op::Truncate(file) => stage.truncate(file).expect("it is taken"),
            Op::Submit(tenant, counts) => {
                let batches: Vec<Vec<String>> =
                    counts.into_iter().map(|count| (0..count).map(|at| make(at as i8)).collect()).collect();
                stage.submit(Tenant(tenant), &batches).expect("it is taken");
            }
            Op::Flush => stage.store().flush().expect("it flushes"),
            Op::Maintain(journal_bytes) => {
                stage.store().maintain(journal_bytes).expect("it maintains");
            }
            Op::Compact => stage.store().compact(&mut |_, _| ()).expect("it compacts"),
            Op::Reopen(whole_journal) => stage.open(whole_journal).expect("it opens again"),
            Op::Check => stage.check(),
        }
    }
    stage.check();
    stage.open(true).expect("it opens again");
    stage.check();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn every_row_is_there_once_in_every_order(ops in prop::collection::vec(op(), 1..60)) {
        live(ops);
    }
}
