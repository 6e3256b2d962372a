//! What must hold for any bytes at all that stand in a payload of a journal: `sawlog_wire::fuzz` feeds it what a fuzzer finds,
//! and in a test a little seeded damage. Knows nothing of frames.

use bytes::Bytes;
use sawlog_journal::Lsn;
use sawlog_model::Batch;

use crate::dead::letter::{self, Change, Head, Why};
use crate::payload::{self, Item};

/// A payload of rows, of what the pipeline saves, of a letter, or of what becomes of letters, as the first byte says: what is
/// read of one is written back and read the same.
///
/// # Panics
/// Where that does not hold.
pub fn payloads(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let bytes = Bytes::copy_from_slice(bytes);
    match kind % 4 {
        0 => rows(bytes),
        1 => {
            if let Ok(saved) = payload::read_saved(bytes) {
                let mut out = Vec::new();
                payload::put_saved(&mut out, &saved);
                assert!(payload::read_saved(out.into()).as_ref() == Ok(&saved));
            }
        }
        2 => one_letter(bytes),
        _ => {
            if let Ok(change) = letter::read_change(bytes) {
                let mut out = Vec::new();
                letter::put_change(&mut out, &change);
                assert_eq!(letter::read_change(out.into()), Ok(change));
            }
        }
    }
}

fn rows(bytes: Bytes) {
    let Ok((items, notes)) = payload::read_all(bytes) else { return };
    let mut out = Vec::new();
    payload::begin(&mut out);
    notes.iter().for_each(|note| payload::put_note(&mut out, note));
    items.iter().for_each(|item| payload::put_item(&mut out, item));
    let (again, noted) = payload::read_all(out.into()).expect("what was written is read");
    let key = |item: &Item| (item.key, item.label.clone(), item.only.clone(), item.position.clone());
    assert!(noted == notes && again.iter().map(key).eq(items.iter().map(key)));
    again.iter().zip(&items).for_each(|(again, item)| same(&again.batch, &item.batch));
}

fn one_letter(bytes: Bytes) {
    let Ok(read) = letter::read(&bytes, Lsn(7)) else { return };
    let (found, _) = letter::read_head(bytes).expect("the head of what is read whole");
    let item = Item {
        batch: read.batch.clone(),
        position: None,
        late: None,
        label: read.label.clone(),
        key: None,
        only: read.again.then(|| read.output.clone()),
        encoded: None,
    };
    let home = &found.home;
    let head =
        Head { output: &home.output, at: home.at, index: home.index, why: read.why, reason: &read.reason };
    let mut out = Vec::new();
    letter::put_letter(&mut out, &head, read.time, &item);
    let again = letter::read(&out.into(), Lsn(7)).expect("what was written is read");
    let told = |letter: &crate::Letter| (letter.to_string(), letter.label.clone(), letter.again);
    assert!(told(&again) == told(&read));
    same(&again.batch, &read.batch);
}

/// Whether both have the same rows, whatever their buffers have beside them.
fn same(one: &Batch, other: &Batch) {
    assert!(one.source == other.source && one.rows.len() == other.rows.len());
    for (one, other) in one.iter().zip(other.iter()) {
        assert!(
            one.raw() == other.raw()
                && one.row().time == other.row().time
                && one.address() == other.address()
        );
        let slots = |row: sawlog_model::RowRef<'_>| -> Vec<(String, Vec<u8>)> {
            let slots = row.slots().iter();
            slots.map(|slot| (row.batch.names.name(slot.name).to_string(), row.slot(slot).to_vec())).collect()
        };
        assert!(slots(one) == slots(other));
    }
}

/// Payloads of every kind, to begin with.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut batch = Batch { buffer: "a=1\nb=2\n".into(), ..Batch::default() };
    for start in [0, 4] {
        let (offset, marks) = (u64::from(start), sawlog_model::Marks(0));
        batch.rows.push(sawlog_model::Row {
            start,
            len: 4,
            offset,
            time: 1,
            received: 2,
            slots_end: 0,
            marks,
        });
    }
    let item = Item {
        batch: batch.into(),
        position: None,
        late: None,
        label: "@X".into(),
        key: Some(9),
        only: None,
        encoded: None,
    };
    let seed = |kind: u8, write: &dyn Fn(&mut Vec<u8>)| {
        let mut out = vec![kind];
        write(&mut out);
        out
    };
    let head = Head { output: &"hub".into(), at: Lsn(5), index: 1, why: Why::Refused, reason: "no\n" };
    vec![
        seed(0, &|out| {
            payload::begin(out);
            payload::put_item(out, &item);
            payload::put_item(out, &Item { key: None, only: Some("hub".into()), ..item.clone() });
        }),
        seed(1, &|out| {
            let cursors = vec![("hub".to_owned(), Lsn(3))];
            payload::put_saved(
                out,
                &payload::Saved { cursors, keys: vec![7, 8], ..payload::Saved::default() },
            );
        }),
        seed(2, &|out| letter::put_letter(out, &head, 5, &item)),
        seed(3, &|out| letter::put_change(out, &Change::Replay { key: 3, numbers: vec![1, 200] })),
        seed(3, &|out| letter::put_change(out, &Change::Dropped(vec![4]))),
    ]
}
