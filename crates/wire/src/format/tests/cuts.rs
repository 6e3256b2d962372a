//! The same rows, however the bytes are cut into buffers and wherever the reader is restarted from its state.

use bytes::Bytes;
use proptest::prelude::*;
use sawlog_model::{Batch, Limits, Row};

use super::super::{More, Parser, Settings};
use super::{settings, show};

/// Sources in small, of all kinds.
const SOURCES: &[&str] = &[
    "2023-01-01 00:00:00 ERROR a.B: x\n\tat y\n\nz\r\n2023-01-01 00:00:01 INFO a: b\nend",
    "{\"time\":\"2023-01-01T00:00:00Z\",\"a\":1}\n{\"a\":2}\n\nnot json\n{\"b\":{\"c\":[1]}}\r\n",
    "1.2.3.4 - - [26/Jan/2019:19:45:25 +0330] \"GET / HTTP/1.1\" 200 5 \"-\" \"M\"\nx\n",
    "Nov  3 09:23:38 v a[1]: x\n  y\nNov  3 09:23:39 v b: y\n<13>Nov  3 09:23:40 v b: y\n",
    "plain\n text\n\nand so on, longer than the limit of an event in one of these tests\nx",
    "2026/08/05 00:17:58 [error] 8#9: *2 x \"a\nStack\n b\" while, client: 1.2.3.4, server: s, host: \"h\"\nmore\n",
    "a=1 ts=2023-01-01T00:00:00Z msg=\"x y\"\nb\n",
    "time:2023-01-01T00:00:00Z\thost:a\n",
    "2016-10-06T00:17:09.669794202Z stdout P log\n2016-10-06T00:17:09.7Z stdout F g\n",
    "{\"log\":\"a\",\"stream\":\"stdout\",\"time\":\"2023-01-29T08:43:15.103485158Z\"}\n",
    "#Version: 1.0\n#Fields: date time c-ip x\n2015-01-13 00:32:17 1.2.3.4 \"a b\"\nx\n",
    "#Date: 2015-01-13 00:00:00\n#Fields: time c-ip\n00:32:17 1.2.3.4\n",
    "#fields\tts\ta\n1320279566.452687\tb\n",
    "# Time: 140714 14:16:52\n# User@Host: r[r] @ h []\n# Query_time: 2  Rows_sent: 1\nSELECT 1\n  x;\n\
     # Query_time: 3  Rows_sent: 1\nSET timestamp=1405347413;\nSELECT 2;\n",
    "\u{FEFF}2023-01-01T00:00:00Z first\nsecond\n",
];

/// A row as it can be compared across parsers, whose buffers differ.
type Shown = (u64, u32, String);

fn shown(parser: &Parser, buffer: &Bytes, rows: Vec<Row>, slots: Vec<sawlog_model::Slot>) -> Vec<Shown> {
    let batch = Batch { buffer: buffer.clone(), names: parser.names(), rows, slots, ..Batch::default() };
    (0..batch.rows.len())
        .map(|index| (batch.rows[index].offset, batch.rows[index].len, show(&batch, index)))
        .collect()
}

/// All rows of `source`, given in pieces that end at `cuts`; the parser is made anew from its state at each cut if
/// `restart`.
fn read(source: &[u8], cuts: &[usize], restart: bool, limits: Limits, settings: &Settings) -> Vec<Shown> {
    let mut parser = Parser::new(settings.clone(), limits);
    let (mut all, mut done) = (Vec::new(), 0);
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (source.len() + 1)).collect();
    ends.sort_unstable();
    for end in ends {
        if end < done {
            continue;
        }
        let buffer = Bytes::copy_from_slice(&source[done..end]);
        let parsed = parser.parse(&buffer, done as u64, More::Yes);
        let consumed = parsed.consumed;
        all.extend(shown(&parser, &buffer, parsed.rows, parsed.slots));
        done += consumed;
        if restart {
            let state = parser.state();
            assert!(state.len() <= 4096);
            parser = Parser::new(settings.clone(), limits);
            parser.restore(&state);
        }
    }
    let buffer = Bytes::copy_from_slice(&source[done..]);
    let parsed = parser.parse(&buffer, done as u64, More::No);
    assert_eq!(done + parsed.consumed, source.len());
    all.extend(shown(&parser, &buffer, parsed.rows, parsed.slots));
    all
}

#[test]
fn events_that_are_too_long_are_cut_alike() {
    let starts = ["2023-01-01 00:00:00 x\n", "# Time: 140714 14:16:52\n# Query_time: 1\n"];
    let lines = ["y\n", "# Query_time: 2\nSET timestamp=1405347413;\n", "\tz\n"];
    for (start, line) in starts.iter().flat_map(|start| lines.map(|line| (start, line))) {
        let source = format!("{start}{}{start}", line.repeat(1_700)).repeat(2).into_bytes();
        let whole = read(&source, &[], false, Limits::default(), &settings());
        let ends: Vec<usize> = (0..40).map(|cut| cut * source.len() / 40).collect();
        for restart in [false, true] {
            assert_eq!(read(&source, &ends, restart, Limits::default(), &settings()), whole, "{start}{line}");
        }
    }
}

proptest! {
    #[test]
    fn any_cuts_give_the_same_rows(
        which in 0..SOURCES.len(),
        times in prop_oneof![Just(1usize), Just(60), Just(200)],
        cuts in prop::collection::vec(0usize..100_000, 0..12),
        restart: bool,
        event in prop_oneof![Just(1usize << 20), Just(40), Just(17)],
        noise in prop::collection::vec((0usize..100_000, any::<u8>()), 0..4),
    ) {
        let mut source = SOURCES[which].repeat(times).into_bytes();
        for (at, byte) in noise {
            let at = at % source.len();
            source[at] = byte;
        }
        let limits = Limits { event, ..Limits::default() };
        let whole = read(&source, &[], false, limits, &settings());
        prop_assert_eq!(whole.iter().map(|row| row.1 as usize).sum::<usize>(), source.len());
        prop_assert_eq!(read(&source, &cuts, restart, limits, &settings()), whole);
    }

    #[test]
    fn no_bytes_break_a_parser(bytes in prop::collection::vec(any::<u8>(), 0..400), which in 0usize..64) {
        let names: Vec<&str> = super::super::format_names().collect();
        let format = names.get(which % (names.len() + 1)).map(|name| (*name).to_owned());
        let rows = read(&bytes, &[], false, Limits::default(), &Settings { format, ..settings() });
        prop_assert_eq!(rows.iter().map(|row| row.1 as usize).sum::<usize>(), bytes.len());
    }

    #[test]
    fn no_line_breaks_a_format(which in 0..SOURCES.len(), format in 0usize..64, noise in prop::collection::vec((0usize..1000, any::<u8>()), 0..6)) {
        let names: Vec<&str> = super::super::format_names().collect();
        let format = Some(names[format % names.len()].to_owned());
        let mut source = SOURCES[which].as_bytes().to_vec();
        for (at, byte) in noise {
            let at = at % source.len();
            source[at] = byte;
        }
        let rows = read(&source, &[], false, Limits::default(), &Settings { format, ..settings() });
        prop_assert_eq!(rows.iter().map(|row| row.1 as usize).sum::<usize>(), source.len());
    }
}
