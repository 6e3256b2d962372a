//! What is printed, in each form.

use std::cell::RefCell;

use sawlog_model::{Limits, Position};
use sawlog_pipeline::{Lsn, Origin, Output, config};
use sawlog_sys::task;

use super::*;
use crate::testing::{env, fluent, lines, options_of, rows};

thread_local! {
    static PRINTED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Writes to what this thread printed.
struct Printed;

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        PRINTED.with_borrow_mut(|printed| printed.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn stdout(options: &Options) -> Stdout<Printed> {
    let runtime = task::runtime("test", 1).unwrap();
    Stdout::new(options, &env(&runtime, Limits::default()), || Printed).unwrap()
}

fn printed(options: &Options, batch: &Batch) -> String {
    let filtered = stdout(options).apply(Arc::new(batch.clone()));
    assert_eq!(filtered.batch.rows, batch.rows);
    String::from_utf8(PRINTED.take()).unwrap()
}

#[test]
fn a_row_is_printed_with_time_and_tag_and_steers_no_terminal() {
    let mut batch = lines("p.l", &["{\"a\":1} \x1b[2J"]);
    batch.rows[0].time = 1_500_000_000;
    let text = printed(&options_of(&PROTOCOL, &[]), &batch);
    assert_eq!(text, "1970-01-01T00:00:01.500Z p.l: {\"a\":1} \\u{1b}[2J\n");
}

#[test]
fn fluentds_and_iks_forms() {
    let batch = rows("t.x", &[r#"{"a":1,"b":"y"}"#]);
    let text = |element: &str| printed(&fluent(&PROTOCOL, "match", element).unwrap(), &batch);
    let time = "2017-11-28 02:43:13.814351757 +0000";
    assert_eq!(text("utc"), format!("{time} t.x: {{\"a\":1,\"b\":\"y\"}}\n"));
    assert_eq!(text("format hash\nutc"), format!("{time} t.x: {{\"a\"=>1, \"b\"=>\"y\"}}\n"));
    assert_eq!(text("<format>\n@type ltsv\n</format>\nuse_logger false"), "a:1\tb:y\n");
    assert_eq!(
        text("utc\n<inject>\ntag_key a\n</inject>"),
        format!("{time} t.x: {{\"a\":\"t.x\",\"b\":\"y\"}}\n")
    );
    let filter = fluent(&PROTOCOL, "filter", "utc").unwrap();
    assert_eq!(printed(&filter, &batch), format!("{time} t.x: {{\"a\":1,\"b\":\"y\"}}\n"));
    let element = crate::testing::element("match", "");
    let mut findings = Vec::new();
    let mut reader = ElementReader::compatible(&element, Compat::Ik, &mut findings);
    let ik = config::options(&PROTOCOL, &from_fluent(&mut reader)).unwrap();
    assert_eq!(printed(&ik, &batch), "1511836993 t.x: map[a:1 b:y]\n");
}

#[test]
fn what_was_printed_is_held() {
    let output = AtOnce::new(&"stdout".into(), stdout(&options_of(&PROTOCOL, &[])));
    let batch = Arc::new(lines("t", &["1"]));
    let position = Position { epoch: 1, offset: 7, ..Position::default() };
    output.take(batch.clone(), Origin::Replayable(position)).unwrap();
    assert_eq!(output.committed(batch.source.id), Some((1, 7)));
    output.take(batch, Origin::Journal { at: Lsn(1), next: Lsn(9), position: None }).unwrap();
    assert_eq!((output.cursor(), output.known_sources().len()), (Lsn(9), 1));
    assert_eq!(PRINTED.take().iter().filter(|byte| **byte == b'\n').count(), 2);
}
