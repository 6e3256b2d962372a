//! A scripted life of a store on a simulated disk: crashed at every call in every way, and with every call failing
//! once. What was committed is there, rows and positions agree, and nothing is lost or doubled by going on.

use std::path::Path;

use sawlog_model::{KnownSource, Tenant};
use sawlog_sys::sim::{Fault, Tail, World};

use super::support::Stage;
use crate::{Options, Order, StoreError};

const DIR: &str = "/data";

fn stage(world: &World) -> Stage {
    let options = Options { memtable_bytes: 9_000, segment_bytes: 4_000, ..Options::default() };
    let mut stage = Stage::new(world.sys(), Path::new(DIR), options, 3);
    let mut number = 0;
    for file in &mut stage.files {
        file.epochs[0] = (0..60)
            .map(|_| {
                number += 1;
                format!("{} info line {number}\n", number * 7919 % 1000)
            })
            .collect();
    }
    stage
}

/// What had been promised when the crash came.
#[derive(Default)]
struct Promised {
    sources: Vec<KnownSource>,
    cursor: u64,
}

/// The script. Checkpoints are far apart on purpose of their own: many small commits reach two of them.
fn script(stage: &mut Stage, promised: &mut Promised) -> Result<(), StoreError> {
    let mut opened = Ok(());
    for _ in 0..=stage.retries {
        opened = stage.open(false);
        if opened.is_ok() {
            break;
        }
    }
    opened?;
    for round in 0..6 {
        for file in 0..3 {
            stage.offer(file, 7 + round)?;
        }
        let line = |index: usize| format!("{} warn network {round} {index}\n", index * 31 % 700);
        stage.submit(Tenant(round as u32 % 2), &[(0..5).map(line).collect(), (5..9).map(line).collect()])?;
        if round % 2 == 0 {
            stage.settle(round % 3);
        }
        if round != 1 {
            stage.attempt(crate::Store::flush)?;
            promised.sources = stage.store().sources();
            promised.cursor = stage.store().cursor();
        }
        if round == 3 {
            stage.attempt(|store| store.compact(&mut |_, _| ()))?;
        }
        if round == 4 {
            stage.attempt(|store| store.maintain(1_000_000).map(|_| ()))?;
        }
    }
    Ok(())
}

/// After a crash, before anything is read again: a file's rows are those below its position.
fn rows_and_positions_agree(stage: &Stage, promised: &Promised) {
    let sources = stage.store().sources();
    for known in &promised.sources {
        let have = sources.iter().find(|have| have.source.id == known.source.id).expect("a promised source");
        assert!(have.position.mark() >= known.position.mark(), "a promised position");
    }
    assert!(stage.store().cursor() >= promised.cursor);
    for file in &stage.files {
        let position = sources.iter().find(|known| known.source.id == file.id).map(|known| &known.position);
        let rows = stage.lines(file.tenant, Order::Source(file.id), None);
        let bytes: u64 = rows.iter().map(|row| row.raw.len() as u64).sum();
        assert_eq!(bytes, position.map_or(0, |position| position.offset), "rows up to the position");
        let text: String = rows.into_iter().map(|row| row.raw).collect();
        assert!(file.epochs[0].concat().starts_with(&text), "the file's own bytes");
    }
}

#[test]
fn a_crash_at_any_call_loses_and_doubles_nothing() {
    let world = World::new(1);
    let mut first = stage(&world);
    script(&mut first, &mut Promised::default()).expect("it runs without faults");
    first.check();
    let calls = world.ops();
    assert!(calls > 100, "{calls} calls");
    for call in 1..=calls {
        for tail in Tail::ALL {
            let world = World::new(call);
            world.crash_at(call);
            let mut stage = stage(&world);
            let mut promised = Promised::default();
            let result = script(&mut stage, &mut promised);
            assert!(result.is_err() || world.crashed() || call > calls - 20, "call {call}");
            let world = world.restart(tail);
            stage.store = None;
            stage.sys = world.sys();
            let store = crate::Store::open(&stage.sys, &stage.dir, stage.options)
                .unwrap_or_else(|error| panic!("call {call}, {tail:?}: {error}"));
            stage.store = Some(store);
            rows_and_positions_agree(&stage, &promised);
            stage.open(call % 2 == 0).expect("it opens");
            stage.check();
            for file in 0..3 {
                stage.offer(file, 100).expect("it goes on");
            }
            stage.store().flush().expect("it flushes");
            stage.check();
            stage.open(true).expect("it opens again");
            stage.check();
        }
    }
}

#[test]
fn a_call_that_fails_once_holds_back_and_loses_nothing() {
    let world = World::new(1);
    let mut first = stage(&world);
    script(&mut first, &mut Promised::default()).expect("it runs without faults");
    for call in 1..=world.ops() {
        for fault in [Fault::Io, Fault::NoSpace] {
            let world = World::new(call);
            world.fail(call..=call, fault);
            let mut stage = stage(&world);
            stage.retries = 3;
            script(&mut stage, &mut Promised::default())
                .unwrap_or_else(|error| panic!("call {call}, {fault:?}: {error}"));
            world.mend();
            stage.check();
            stage.open(true).expect("it opens again");
            stage.check();
        }
    }
}

#[test]
fn a_failed_call_and_then_the_end_agree_whatever_became_of_the_commit() {
    let world = World::new(1);
    script(&mut stage(&world), &mut Promised::default()).expect("it runs without faults");
    for call in 1..=world.ops() {
        for tail in Tail::ALL {
            let world = World::new(call);
            world.fail(call..=call, Fault::Io);
            let mut stage = stage(&world);
            let mut promised = Promised::default();
            // Some failures are made good on the spot; then this is a run like any other.
            let _ = script(&mut stage, &mut promised);
            // The process ends, and perhaps the machine with it: without that, what a failed sync left undone is seen.
            stage.store = None;
            if tail != Tail::Kept {
                stage.sys = world.restart(tail).sys();
            }
            stage.store = Some(
                crate::Store::open(&stage.sys, &stage.dir, stage.options)
                    .unwrap_or_else(|error| panic!("call {call}, {tail:?}: {error}")),
            );
            rows_and_positions_agree(&stage, &promised);
            stage.open(true).expect("it opens");
            stage.check();
        }
    }
}
