//! What a merge holds in memory.

use std::path::Path;
use std::sync::Arc;

use sawlog_model::{Position, SourceId, Tenant};
use sawlog_sys::Sys;

use super::*;
use crate::tests::support::batch;
use crate::{Options, Origin, Store};

const T: Tenant = Tenant(0);
const SEGMENTS: usize = 3;

/// Segments of more than two groups each, all rows of which came at the same moment, as those of a file without times do.
fn store_of_one_moment(dir: &Path) -> Store {
    let store = Store::open(&Sys::real(), dir, Options::default()).expect("it opens");
    let lines = GROUP_ROWS * 5 / 2;
    for round in 0..SEGMENTS {
        let from = (round * lines) as u64;
        let lines: Vec<(u64, &str)> = (from..from + lines as u64).map(|at| (at * 2, "x\n")).collect();
        let mut rows = batch(T, SourceId(7), 0, &lines);
        rows.rows.iter_mut().for_each(|row| row.time = 5);
        let position = Position { offset: (from + lines.len() as u64) * 2, ..Position::default() };
        store.append(Arc::new(rows), Origin::Replayable(position)).expect("rows are taken");
        store.flush().expect("a flush");
    }
    store
}

#[test]
fn groups_of_one_moment_are_opened_one_after_the_other() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = store_of_one_moment(dir.path());
    let handles = store.engine.handles(T);
    assert_eq!(handles.len(), SEGMENTS);
    let spans = spans(&handles).expect("spans");
    let largest = spans.iter().map(|(_, _, bytes)| *bytes).max().expect("groups");
    assert!(most_open(&spans) <= largest, "{} of {largest}", most_open(&spans));
    let mut merge = Merge::new(&handles).expect("a merge");
    let (mut last, mut rows) = (None, 0);
    while let Some(picked) = merge.next_row().expect("a row") {
        let key = (picked.row().row().time, picked.row().address());
        assert!(last.is_none_or(|last| last < key), "{last:?} is before {key:?}");
        assert!(merge.waiting.is_empty(), "{} groups wait", merge.waiting.len());
        (last, rows) = (Some(key), rows + 1);
    }
    assert_eq!(rows, SEGMENTS * (GROUP_ROWS * 5 / 2));
}

#[test]
fn a_merge_leaves_the_blocks_of_questions_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = store_of_one_moment(dir.path());
    let before = store.shares().blocks.held();
    store.compact(&mut |_, _| ()).expect("a merge");
    assert_eq!(store.segments().len(), 1);
    assert_eq!(store.shares().blocks.held(), before);
    assert_eq!(store.shares().compaction.held(), 0);
}
