//! What is told without looking at rows is what looking at them tells.

use std::sync::Arc;

use sawlog_model::{Batch, Kind, Marks, Names, Predicate, Row, RowRef, Slot, Test, TimeRange};

use crate::segment::Effort;
use crate::segment::heads::Heads;
use crate::segment::tests::{check_round_trip, check_select, lines};

/// Rows with a level and a message of few templates.
fn plain_rows(count: usize) -> Batch {
    let mut names = Names::default();
    let (level, message) = (names.intern("level"), names.intern("message"));
    let mut batch = lines(&[]);
    let mut buffer: Vec<u8> = Vec::new();
    for index in 0..count {
        let start = buffer.len();
        let levels = ["info", "warn", "info", "error"];
        let messages = [
            format!("connection {index} was reset by peer"),
            format!("took {index} ms to flush"),
            "nothing to do for now, waiting".to_owned(),
        ];
        for (name, value) in [(level, levels[index % 4]), (message, &messages[index % 3])] {
            let (from, len) = (buffer.len() as u32, value.len() as u32);
            batch.slots.push(Slot { start: from, len, name, kind: Kind::Text, layout: 0 });
            buffer.extend_from_slice(value.as_bytes());
            buffer.extend_from_slice(if name == level { b": " } else { b"\n" });
        }
        batch.rows.push(Row {
            start: start as u32,
            len: (buffer.len() - start) as u32,
            offset: start as u64,
            time: index as i64,
            received: index as i64,
            slots_end: batch.slots.len() as u32,
            marks: Marks::default(),
        });
    }
    batch.buffer = buffer.into();
    batch.names = Arc::new(names);
    batch
}

#[test]
fn words_of_templates_and_dictionaries_are_counted_without_rows() {
    let dir = tempfile::tempdir().expect("a directory");
    let batch = plain_rows(6_000);
    let rows: Vec<RowRef<'_>> = batch.iter().collect();
    let phrase = |text: &str| Test::Phrase { text: text.to_owned(), fold: true };
    let field = |name: &str, test| Predicate::Field(name.to_owned(), test);
    let told = [
        (Predicate::All, true),
        (Predicate::Any(phrase("flush")), true),
        (Predicate::Any(phrase("reset by peer")), true),
        (Predicate::Any(phrase("was reset")), true),
        (Predicate::Any(phrase("warn")), true),
        (Predicate::Any(phrase("absent")), true),
        (Predicate::Not(Box::new(Predicate::Any(phrase("ms to flush")))), true),
        (field("level", Test::Is("error".to_owned())), true),
        (field("level", Test::regex("^(info|warn)$", false).expect("an expression")), true),
        (field("level", Test::Exists), true),
        (field("missing", Test::Exists), true),
        // Variables, and across the edges of one.
        (Predicate::Any(phrase("4711")), true),
        (Predicate::Any(phrase("took 7")), true),
        (field("message", Test::regex("took [0-9]*7 ms", false).expect("an expression")), true),
        // Across the edge of a slot.
        (Predicate::Any(phrase("info: took")), false),
    ];
    for effort in [Effort::Cheap, Effort::Strong] {
        let segment = check_round_trip(&rows, 2_500, effort, dir.path());
        for (predicate, is_told) in &told {
            check_select(&segment, &rows, predicate, TimeRange::ALL);
            let heads = Heads::open(segment.body.clone(), 0).expect("heads");
            let counted = heads.count(predicate).expect("counts");
            assert_eq!(counted.is_some(), *is_told, "{predicate:?}");
        }
    }
}
