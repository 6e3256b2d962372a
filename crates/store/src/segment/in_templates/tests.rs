//! Phrases over the parts of templates are found where looking at every text finds them.

use sawlog_model::{Predicate, RowRef, Test, TimeRange};
use sawlog_sys::sim::Dice;

use super::{Part, goes_on};
use crate::segment::Effort;
use crate::segment::tests::{check_round_trip, check_select, lines};

/// Up to one more than `most` of the pieces, one behind the other.
fn pieces(dice: &mut Dice, from: &[&str], most: usize) -> String {
    (0..=dice.below(most)).map(|_| dice.pick(from)).collect()
}

fn tests_of(text: &str) -> Vec<Test> {
    let (folded, text) = (text.to_lowercase(), text.to_owned());
    vec![
        Test::Phrase { text: text.clone(), fold: false },
        Test::Part { text, fold: false },
        Test::Phrase { text: folded.clone(), fold: true },
        Test::Part { text: folded, fold: true },
    ]
}

#[test]
fn addresses_and_versions_are_found_however_they_are_cut() {
    let mut all = Vec::new();
    for index in 0..600 {
        let address = format!("10.0.{}.{}", index % 7, index % 5);
        all.push(format!("client {address} port {index} is up\n"));
        all.push(format!("Client {address}/24, v{address}-rc{index} done\n"));
        all.push(format!("see a{address} or {address}.5 or {address}5 or \u{e9}{address}\n"));
        all.push(format!("{address}\n"));
        all.push(format!("-{index}::{index} ({address}) [x]\n"));
    }
    let texts: Vec<&[u8]> = all.iter().map(|line| line.as_bytes()).collect();
    let batch = lines(&texts);
    let rows: Vec<RowRef<'_>> = batch.iter().collect();
    let dir = tempfile::tempdir().expect("a directory");
    for effort in [Effort::Cheap, Effort::Strong] {
        let segment = check_round_trip(&rows, 1_100, effort, dir.path());
        for text in [
            "10.0.3.4",
            ".3.4",
            "0.3",
            "10.0.3.4 port",
            "port 17",
            "client 10",
            "client 10.0.3.4 port 3",
            "10.0.3.4/24",
            "4-rc1",
            "rc17 done",
            "-rc1",
            "3.4-rc",
            "(10.0.3.4)",
            "(10",
            "4) [x]",
            "-5::5",
            "::",
            "::5 (",
            "5::",
            "up",
            "10.0.9.4",
            "10.0.3.4 Port",
            "10.0.3.45",
            "0.3.4.5",
            "\u{e9}10.0",
            "a10.0.3.4 or 10.0.3.4.5",
            "10.0.3.4,",
            "4, v",
        ] {
            for test in tests_of(text) {
                check_select(&segment, &rows, &Predicate::Any(test), TimeRange::ALL);
            }
        }
    }
}

#[test]
fn odd_texts_hold_what_they_hold() {
    let parts = ["10", ".", "a", "7x", " ", "-", "\u{e9}", "(", "Bc", "=", "done", "0", "_", "/", "\\u0041"];
    let mut dice = Dice(11);
    let texts: Vec<String> = (0..700).map(|_| pieces(&mut dice, &parts, 9) + "\n").collect();
    let texts: Vec<&[u8]> = texts.iter().map(|line| line.as_bytes()).collect();
    let batch = lines(&texts);
    let rows: Vec<RowRef<'_>> = batch.iter().collect();
    let dir = tempfile::tempdir().expect("a directory");
    for effort in [Effort::Cheap, Effort::Strong] {
        let segment = check_round_trip(&rows, 350, effort, dir.path());
        for _ in 0..250 {
            for test in tests_of(&pieces(&mut dice, &parts, 4)) {
                check_select(&segment, &rows, &Predicate::Any(test.clone()), TimeRange::ALL);
                check_select(&segment, &rows, &Predicate::Field("_line".to_owned(), test), TimeRange::ALL);
            }
        }
    }
}

#[test]
fn digits_are_found_whatever_stands_beside_them() {
    let mut dice = Dice(12);
    let line = |dice: &mut Dice| {
        let (dump, id) = (dice.roll(), dice.roll() >> 40);
        let bytes = if dice.below(9) == 0 { "DEADbeef".to_owned() } else { format!("{dump:016x}{dump:x}") };
        let user = dice.pick(&["root", "abba", "fed"]);
        format!(
            "data of stream {} bytes={bytes}, key Z{id:x}q by {user}{} end\n",
            dice.below(40),
            dice.below(9)
        )
    };
    let texts: Vec<String> = (0..900).map(|_| line(&mut dice)).collect();
    let texts: Vec<&[u8]> = texts.iter().map(|line| line.as_bytes()).collect();
    let batch = lines(&texts);
    let rows: Vec<RowRef<'_>> = batch.iter().collect();
    let dir = tempfile::tempdir().expect("a directory");
    for effort in [Effort::Cheap, Effort::Strong] {
        let segment = check_round_trip(&rows, 450, effort, dir.path());
        let sizes = segment.sizes();
        for part in ["digits", "lengths"] {
            assert!(sizes.iter().any(|(name, _)| name.ends_with(part)), "{part}: {sizes:?}");
        }
        for _ in 0..60 {
            let text = texts[dice.below(texts.len())];
            let from = dice.below(text.len() - 1);
            let len = 1 + dice.below((text.len() - 1 - from).min(20));
            let text = String::from_utf8_lossy(&text[from..from + len]).into_owned();
            for text in [text.to_uppercase(), text] {
                for test in tests_of(&text) {
                    check_select(&segment, &rows, &Predicate::Any(test.clone()), TimeRange::ALL);
                    check_select(
                        &segment,
                        &rows,
                        &Predicate::Field("_line".to_owned(), test),
                        TimeRange::ALL,
                    );
                }
            }
        }
    }
}

#[test]
fn a_phrase_goes_on_only_where_its_signs_are() {
    let parts = [Part::Variable, Part::Literal(b"."), Part::Variable, Part::Literal(b" up")];
    let goes = |rest: &[u8]| goes_on(&parts, rest, &[], true);
    assert!(goes(b"17.4 up") && goes(b"17.4") && goes(b"17.") && goes(b"17") && goes(b"17.4 u"));
    assert!(!goes(b"17-4") && !goes(b".4") && !goes(b"17.4.4") && !goes(b"17.4 up!"));
}
