//! Duplicates are known by their addresses or by the order of the journal; the cursor never passes what is only here.

use std::sync::Arc;

use bytes::Bytes;
use sawlog_model::{Marks, Position, Row, Source, SourceId};

use super::*;

/// Lines of a file from `offset` on.
fn lines(tenant: u32, source: u128, epoch: u32, offset: u64, lines: &[&str]) -> Arc<Batch> {
    let mut batch = Batch {
        tenant: Tenant(tenant),
        source: Arc::new(Source { id: SourceId(source), ..Source::default() }),
        epoch,
        ..Batch::default()
    };
    let mut buffer = Vec::new();
    for line in lines {
        batch.rows.push(Row {
            start: buffer.len() as u32,
            len: line.len() as u32,
            offset: offset + buffer.len() as u64,
            time: 0,
            received: 0,
            slots_end: 0,
            marks: Marks::default(),
        });
        buffer.extend_from_slice(line.as_bytes());
    }
    batch.buffer = Bytes::from(buffer);
    Arc::new(batch)
}

fn at(epoch: u32, offset: u64) -> Position {
    Position { epoch, offset, resume: Bytes::new() }
}

fn text(memtable: &Memtable, tenant: u32) -> String {
    let entries = memtable.entries(Tenant(tenant));
    entries
        .iter()
        .flat_map(|e| e.batch.iter())
        .map(|row| String::from_utf8_lossy(row.raw()).into_owned())
        .collect()
}

/// An empty memtable that may hold what it likes.
fn over(state: &State) -> Memtable {
    Memtable::new(state, crate::Memory::new("rows", u64::MAX).hold())
}

fn empty() -> Memtable {
    over(&State::default())
}

#[test]
fn what_is_offered_again_is_taken_once() {
    let mut memtable = empty();
    memtable.append(lines(0, 1, 0, 0, &["a\n", "b\n"]), Origin::Replayable(at(0, 4)));
    memtable.append(lines(0, 1, 0, 0, &["a\n", "b\n", "c\n"]), Origin::Replayable(at(0, 6)));
    memtable.append(lines(0, 1, 0, 2, &["b\n"]), Origin::Replayable(at(0, 4)));
    assert_eq!(text(&memtable, 0), "a\nb\nc\n");
    assert_eq!(change_of(&memtable.freeze(&[Tenant(0)])).positions[0].known().position, at(0, 6));
}

#[test]
fn a_row_that_straddles_the_mark_is_cut_at_its_line() {
    let mut memtable = empty();
    memtable.append(lines(0, 1, 0, 0, &["one\n  two\n"]), Origin::Replayable(at(0, 10)));
    memtable.append(lines(0, 1, 0, 0, &["one\n  two\n  three\n", "four\n"]), Origin::Replayable(at(0, 23)));
    assert_eq!(text(&memtable, 0), "one\n  two\n  three\nfour\n");
    let entries = memtable.entries(Tenant(0));
    assert_eq!(entries[1].batch.rows[0].offset, 10);
}

#[test]
fn a_line_longer_than_its_bytes_in_the_source_is_not_kept_twice() {
    let mut memtable = empty();
    // Latin-1 in the file, two bytes in UTF-8: the next row begins before offset plus length.
    let mut batch = Arc::unwrap_or_clone(lines(0, 1, 0, 0, &["ä\n", "b\n"]));
    batch.rows[1].offset = 2;
    memtable.append(Arc::new(batch.clone()), Origin::Replayable(at(0, 4)));
    memtable.append(Arc::new(batch.clone()), Origin::Replayable(at(0, 4)));
    assert_eq!(text(&memtable, 0), "ä\nb\n");
    let mut memtable = empty();
    let first = Batch { rows: batch.rows[..1].to_vec(), ..batch.clone() };
    memtable.append(Arc::new(first), Origin::Replayable(at(0, 2)));
    memtable.append(Arc::new(batch), Origin::Replayable(at(0, 4)));
    assert_eq!(text(&memtable, 0), "ä\nb\n");
}

#[test]
fn a_new_epoch_begins_at_nothing_and_an_old_one_is_stored() {
    let mut memtable = empty();
    memtable.append(lines(0, 1, 0, 100, &["a\n"]), Origin::Replayable(at(0, 102)));
    memtable.append(lines(0, 1, 1, 0, &["b\n"]), Origin::Replayable(at(1, 2)));
    memtable.append(lines(0, 1, 0, 102, &["late\n"]), Origin::Replayable(at(0, 107)));
    assert_eq!(text(&memtable, 0), "a\nb\n");
}

#[test]
fn the_cursor_waits_for_what_is_here_only() {
    let mut memtable = empty();
    memtable.append(lines(0, 1, 0, 0, &["a\n"]), Origin::Journal { at: 10, next: 20, position: None });
    memtable.append(lines(1, 2, 0, 0, &["b\n"]), Origin::Journal { at: 20, next: 30, position: None });
    assert_eq!(memtable.cursor(&[]), 10);
    let frozen = memtable.freeze(&[Tenant(0)]);
    assert_eq!(memtable.cursor(&frozen), 20);
    memtable.append(lines(0, 1, 0, 9, &["c\n"]), Origin::Journal { at: 30, next: 40, position: None });
    memtable.stored(&frozen);
    assert_eq!(memtable.cursor(&[]), 20);
    memtable.stored(&memtable.freeze(&[Tenant(1)]));
    assert_eq!(memtable.cursor(&[]), 30);
    memtable.stored(&memtable.freeze(&[Tenant(0)]));
    assert_eq!(memtable.cursor(&[]), 40);
    assert_eq!(memtable.weight(), 0);
}

#[test]
fn a_late_journaled_frame_waits_for_the_rows_it_copies() {
    let mut memtable = empty();
    memtable.append(lines(0, 1, 0, 0, &["a\n"]), Origin::Replayable(at(0, 2)));
    memtable.journaled(Tenant(0), 50, 60);
    assert_eq!(memtable.cursor(&[]), 50);
    // Read back from the journal while the rows are still here, it adds nothing and waits as well.
    memtable
        .append(lines(0, 1, 0, 0, &["a\n"]), Origin::Journal { at: 70, next: 80, position: Some(at(0, 2)) });
    assert_eq!(text(&memtable, 0), "a\n");
    assert_eq!(memtable.cursor(&[]), 50);
    memtable.stored(&memtable.freeze(&[Tenant(0)]));
    memtable.journaled(Tenant(0), 80, 90);
    assert_eq!(memtable.cursor(&[]), 90);
}

#[test]
fn replay_skips_batches_that_are_stored_and_only_those() {
    let journal = |at, next| Origin::Journal { at, next, position: None };
    let mut memtable = empty();
    memtable.append(lines(0, 1, 0, 0, &["a\n"]), journal(10, 10));
    let mut state = State::default();
    let mut change = change_of(&memtable.freeze(&[Tenant(0)]));
    change.cursor = memtable.cursor(&memtable.freeze(&[Tenant(0)]));
    state.apply(&change);
    assert_eq!(state.cursor, 10, "more batches of the frame follow");
    // The crash came between the batches of one frame.
    let mut memtable = over(&state);
    memtable.append(lines(0, 9, 0, 0, &["older\n"]), journal(5, 10));
    memtable.append(lines(0, 1, 0, 0, &["a\n"]), journal(10, 10));
    memtable.append(lines(1, 3, 0, 0, &["other tenant\n"]), journal(10, 10));
    memtable.append(lines(0, 2, 0, 0, &["b\n"]), journal(10, 20));
    assert_eq!(text(&memtable, 0), "b\n");
    assert_eq!(text(&memtable, 1), "other tenant\n");
}

#[test]
fn batches_without_rows_count_and_hold_nothing() {
    let journal = |at, next| Origin::Journal { at, next, position: None };
    let mut memtable = empty();
    memtable.append(lines(0, 1, 0, 0, &[]), journal(10, 10));
    memtable.append(lines(0, 1, 0, 0, &["a\n"]), journal(10, 20));
    let change = change_of(&memtable.freeze(&[Tenant(0)]));
    memtable.stored(&memtable.freeze(&[Tenant(0)]));
    memtable.append(lines(0, 1, 0, 0, &[]), journal(20, 30));
    assert_eq!((memtable.cursor(&[]), memtable.weight()), (30, 0));
    let mut state = State::default();
    state.apply(&change);
    // By another configuration the first batch has rows; it is the second that is stored.
    let mut memtable = over(&state);
    memtable.append(lines(0, 1, 0, 0, &["new\n"]), journal(10, 10));
    memtable.append(lines(0, 1, 0, 0, &["a\n"]), journal(10, 20));
    assert_eq!(text(&memtable, 0), "");
    // A file's position moves without rows.
    memtable.append(lines(0, 5, 0, 0, &[]), Origin::Journal { at: 30, next: 40, position: Some(at(0, 7)) });
    assert_eq!(change_of(&memtable.freeze(&[Tenant(0)])).positions[0].known().position, at(0, 7));
}

#[test]
fn a_source_that_changed_its_tenant_is_stored_in_one_step() {
    let mut memtable = empty();
    memtable.append(lines(0, 1, 0, 0, &["a\n"]), Origin::Replayable(at(0, 2)));
    memtable.append(lines(1, 1, 0, 2, &["b\n"]), Origin::Replayable(at(0, 4)));
    memtable.append(lines(2, 2, 0, 0, &["c\n"]), Origin::Replayable(at(0, 2)));
    let tenants: Vec<u32> = memtable.freeze(&[Tenant(1)]).iter().map(|frozen| frozen.tenant.0).collect();
    assert_eq!(tenants, [0, 1]);
}

#[test]
fn the_heaviest_are_chosen_first() {
    let mut memtable = empty();
    for tenant in 0..10 {
        let line = "x".repeat(1000 * (tenant as usize + 1)) + "\n";
        let end = line.len() as u64;
        memtable.append(lines(tenant, u128::from(tenant), 0, 0, &[&line]), Origin::Replayable(at(0, end)));
    }
    let chosen = memtable.heaviest(15_000);
    assert_eq!(chosen, [Tenant(9), Tenant(8)]);
}
