//! What files mean to those who come from Fluentd and ik: their positions, their options, their configurations.

use std::collections::BTreeMap;

use sawlog_pipeline::config::{Element, ElementReader, Pair};

use super::super::fluent::FORMS;
use super::super::options::TailOptions;
use super::*;

fn inode(node: &Node, name: &str) -> u64 {
    node.sys.fs.metadata(&node.log(name)).unwrap().inode
}

fn paths(node: &Node, pattern: &str) -> (&'static str, Vec<String>) {
    ("paths", vec![path_text(&node.log(pattern))])
}

fn given(name: &'static str, value: &str) -> (&'static str, Vec<String>) {
    (name, vec![value.to_owned()])
}

/// Where the rows of each file begin.
fn offsets(output: &Collect) -> BTreeMap<String, Vec<u64>> {
    let mut got: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for row in output.rows() {
        got.entry(row.name).or_default().push(row.address.offset);
    }
    got
}

#[test]
fn a_move_from_fluentd_or_ik_goes_on_at_the_byte_where_they_stopped() {
    let (at, cut) = (text(0, 2).len(), 9_999);
    for ik in [false, true] {
        let node = Node::new();
        for name in ["known.log", "rotated.log", "truncated.log", "other.log", "left.log"] {
            node.append(name, &text(0, 3));
        }
        let line = |name: &str, offset: usize, inode: u64| {
            let path = path_text(&node.log(name));
            match ik {
                false => format!("{path}\t{offset:016x}\t{inode:016x}\n"),
                true => format!("{path}\t{offset:020}\t{:020}\t{inode:020}\n", 64_769),
            }
        };
        let mut pos = line("known.log", 1, inode(&node, "known.log"));
        pos += &line("known.log", at, inode(&node, "known.log"));
        pos += &line("rotated.log", at, inode(&node, "known.log"));
        pos += &line("truncated.log", cut, inode(&node, "truncated.log"));
        pos += &format!("{}\tffffffffffffffff\t{:016x}\n", path_text(&node.log("left.log")), 0);
        pos += "nonsense\n";
        node.append("pos", &pos);
        let output = Collect::new("store");
        let options = [
            paths(&node, "*.log"),
            given("from_beginning", "false"),
            given("pos_file", &path_text(&node.log("pos"))),
        ];
        let _life = node.start_with(&output, &options);
        output.wait_for_rows(7);
        a_while();
        let got = offsets(&output);
        let whole = vec![0, 7, 14];
        let wanted =
            [("known.log", vec![at as u64]), ("rotated.log", whole.clone()), ("truncated.log", whole)];
        let wanted = wanted.map(|(name, offsets)| (path_text(&node.log(name)), offsets));
        assert_eq!(got, BTreeMap::from(wanted), "ik: {ik}");
    }
}

/// A database as SQLite writes it, of one page for each table.
fn sincedb_of(rows: &[(String, String, u8)]) -> Vec<u8> {
    const PAGE: usize = 4096;
    let record = |values: &[&[u8]], types: &[usize]| {
        let types: Vec<u8> =
            types.iter().flat_map(|kind| [(kind >> 7) as u8 | 0x80, (kind & 0x7f) as u8]).collect();
        [&[types.len() as u8 + 1], &types[..], &values.concat()].concat()
    };
    let text = |text: &str| 13 + 2 * text.len();
    let put = |page: &mut [u8], start: usize, records: Vec<Vec<u8>>| {
        page[start] = 13;
        page[start + 3..start + 5].copy_from_slice(&(records.len() as u16).to_be_bytes());
        let mut end = page.len();
        for (index, record) in records.iter().enumerate() {
            let len = [(record.len() >> 7) as u8 | 0x80, (record.len() & 0x7f) as u8];
            let cell = [&len[..], &[index as u8 + 1], record].concat();
            end -= cell.len();
            page[end..end + cell.len()].copy_from_slice(&cell);
            page[start + 8 + 2 * index..][..2].copy_from_slice(&(end as u16).to_be_bytes());
        }
    };
    let mut bytes = vec![0; 2 * PAGE];
    bytes[..16].copy_from_slice(super::super::sincedb::MAGIC);
    bytes[16..18].copy_from_slice(&(PAGE as u16).to_be_bytes());
    bytes[56..60].copy_from_slice(&[0, 0, 0, 1]);
    let schema = record(&[b"table", b"sincedb", b"sincedb", &[2], b""], &[23, 27, 27, 1, 13]);
    put(&mut bytes[..PAGE], 100, vec![schema]);
    let rows = rows.iter().map(|(id, path, lines)| {
        record(&[id.as_bytes(), path.as_bytes(), &[*lines]], &[text(id), text(path), 1])
    });
    put(&mut bytes[PAGE..], 0, rows.collect());
    bytes
}

#[test]
fn a_move_from_beaver_goes_on_behind_the_lines_that_it_had_read() {
    let node = Node::new();
    let names = ["known.log", "rotated.log", "truncated.log", "begun.log", "new.log"];
    names.iter().for_each(|name| node.append(name, &text(0, 3)));
    let row = |name: &str, of: &str, lines: u8| {
        (format!("fe00g{:x}", inode(&node, of)), path_text(&node.log(name)), lines)
    };
    let rows = [
        row("known.log", "known.log", 2),
        row("rotated.log", "known.log", 2),
        row("truncated.log", "truncated.log", 9),
        row("begun.log", "begun.log", 0),
    ];
    node.write_bytes("since.db", &sincedb_of(&rows));
    let output = Collect::new("store");
    let options = [
        paths(&node, "*.log"),
        given("from_beginning", "false"),
        given("pos_file", &path_text(&node.log("since.db"))),
    ];
    let _life = node.start_with(&output, &options);
    output.wait_for_rows(10);
    a_while();
    let got = offsets(&output);
    let wanted = [("begun.log", 0), ("known.log", 14), ("rotated.log", 0), ("truncated.log", 0)];
    let wanted = wanted.map(|(name, from)| {
        (path_text(&node.log(name)), (from / 7..3).map(|line| 7 * line).collect::<Vec<u64>>())
    });
    assert_eq!(got, BTreeMap::from(wanted));
}

#[test]
fn a_database_of_sqlite_itself_is_read_over_all_its_pages() {
    let rows = super::super::sincedb::read(include_bytes!("sincedb.db")).expect("it has the table");
    assert_eq!(rows.len(), 61, "what has no id of Beaver's is passed over");
    for (index, row) in rows[..60].iter().enumerate() {
        let path =
            if index == 7 { format!("/{}", "d".repeat(1500)) } else { format!("/var/log/{index}.log") };
        assert_eq!((row.inode, row.lines, &row.path), (0x1000 + index as u64, index as u64, &path));
    }
    let last = &rows[60];
    assert_eq!((last.inode, last.lines, last.path.as_str()), (0x9c_e7d1, 70_000, "/var/log/app/last.log"));
    assert_eq!(super::super::sincedb::read(b"SQLite format 3\0"), None);
}

#[test]
fn lines_in_another_encoding_are_text_with_the_addresses_that_they_have_in_the_file() {
    let node = Node::new();
    let first = b"\x93\xfa\x96\x7b one\n\x81\xff bad\nplain\n\x93";
    node.write_bytes("app.log", first);
    let output = Collect::new("store");
    let life = node.start_with(&output, &[paths(&node, "*.log"), given("encoding", "Windows-31J")]);
    output.wait_for_rows(3);
    let file = node.sys.fs.open(&node.log("app.log"), Open::Write).expect("the log opens");
    file.write_at(b"\xfa two\n", first.len() as u64).expect("it can be written");
    output.wait_for_rows(4);
    let rows = output.rows();
    let lines: Vec<&[u8]> = rows.iter().map(|row| &row.raw[..]).collect();
    assert_eq!(lines, ["日本 one\n".as_bytes(), b"\x81\xff bad\n", b"plain\n", "日 two\n".as_bytes()]);
    let offsets: Vec<u64> = rows.iter().map(|row| row.address.offset).collect();
    assert_eq!(offsets, [0, 9, 16, 22]);
    let parts = life.pipeline.status().parts();
    let input = parts.iter().find(|part| part.role == "input").expect("the input");
    assert_eq!(input.errors, [("encoding".to_owned(), 1)], "{input:?}");
}

#[test]
fn positions_of_another_program_count_only_until_the_node_has_its_own() {
    let mut node = Node::new();
    node.append("app.log", &text(0, 3));
    let line = format!("{}\t{:016x}\t{:016x}\n", path_text(&node.log("app.log")), 7, inode(&node, "app.log"));
    node.append("pos", &line);
    let options = [paths(&node, "*.log"), given("pos_file", &path_text(&node.log("pos")))];
    let output = Collect::new("store");
    let life = node.start_with(&output, &options);
    assert_eq!(output.wait_for_rows(2), lines(1, 3));
    output.commit();
    let output = node.crash(life, &output);
    node.append("app.log", &text(3, 4));
    let _life = node.start_with(&output, &options);
    output.wait_for_rows(3);
    a_while();
    assert_eq!(output.lines(), lines(1, 4));
}

#[test]
fn from_the_end_a_file_that_comes_later_is_read_whole() {
    let node = Node::new();
    node.append("app.log", &text(0, 3));
    let output = Collect::new("store");
    let _life = node.start_with(&output, &[paths(&node, "app.log"), given("from_beginning", "false")]);
    a_while();
    node.rename("app.log", "app.log.1");
    node.append("app.log", &text(3, 5));
    assert_eq!(output.wait_for_rows(2), lines(3, 5));
}

#[test]
fn the_last_lines_of_a_file_are_read_where_that_is_asked_for() {
    for (count, first) in [("2", 3), ("9", 0)] {
        let node = Node::new();
        node.append("app.log", &text(0, 5));
        node.append("empty.log", "");
        let output = Collect::new("store");
        let options = [paths(&node, "*.log"), given("from_beginning", "false"), given("tail_lines", count)];
        let _life = node.start_with(&output, &options);
        assert_eq!(output.wait_for_rows(5 - first), lines(first, 5));
        assert_eq!(output.rows()[0].address.offset, 7 * first as u64);
    }
}

#[test]
fn empty_lines_are_left_out_where_that_is_asked_for() {
    let node = Node::new();
    node.append("app.log", "a\n\n\r\nb\n");
    let output = Collect::new("store");
    let _life = node.start_with(&output, &[paths(&node, "app.log"), given("ignore_empty", "true")]);
    assert_eq!(output.wait_for_rows(2), ["a\n", "b\n"]);
}

#[test]
fn dates_in_paths_are_those_of_today() {
    let node = Node::new();
    let today = jiff::Timestamp::from_nanosecond(node.sys.clock.now().into()).unwrap();
    let today = today.to_zoned(jiff::tz::TimeZone::get("Asia/Tokyo").unwrap());
    let name = format!("app-{}.log", today.strftime("%Y%m%d"));
    node.append(&name, "today\n");
    node.append("app-20010101.log", "long ago\n");
    let output = Collect::new("store");
    let options = [paths(&node, "app-%Y%m%d.log"), given("path_timezone", "Asia/Tokyo")];
    let _life = node.start_with(&output, &options);
    output.wait_for_rows(1);
    a_while();
    assert_eq!(output.lines(), ["today\n"]);
}

#[test]
fn files_that_were_not_written_to_lately_are_left_out() {
    let node = Node::new();
    node.append("app.log", "old\n");
    a_while();
    let output = Collect::new("store");
    let options = [paths(&node, "*.log"), given("limit_recently_modified", "500ms")];
    let _life = node.start_with(&output, &options);
    node.append("new.log", "new\n");
    output.wait_for_rows(1);
    a_while();
    assert_eq!(output.lines(), ["new\n"]);
    node.append("app.log", "again\n");
    assert_eq!(output.wait_for_rows(3)[1..], ["old\n", "again\n"], "now it is recent");
}

#[test]
fn lines_that_are_too_long_or_do_not_match_are_left_out_and_counted() {
    let node = Node::new();
    node.append("app.log", "a1\nno\na23456789012345\na2\n");
    let output = Collect::new("store");
    let options = [
        paths(&node, "app.log"),
        given("max_line_size", "10"),
        given("parse.type", "regexp"),
        given("parse.expression", "^a(?<number>[0-9]+)$"),
        given("parse.unmatched", "drop"),
    ];
    let life = node.start_with(&output, &options);
    assert_eq!(output.wait_for_rows(2), ["a1\n", "a2\n"]);
    let parts = life.pipeline.status().parts();
    let errors: Vec<(String, u64)> =
        parts.into_iter().filter(|part| part.role == "input").flat_map(|part| part.errors).collect();
    assert_eq!(errors, [("unmatched".to_owned(), 2)]);
    assert_eq!(output.rows()[1].address.offset, 22);
}

#[test]
fn the_last_event_of_several_lines_waits_as_long_as_is_set() {
    for (flush, events) in [("0s", 1), ("100ms", 2)] {
        let node = Node::new();
        node.append("app.log", "begin 1\n more\nbegin 2\n");
        let options = [
            paths(&node, "app.log"),
            given("parse.type", "multiline"),
            given("parse.format_firstline", "^begin"),
            given("parse.expression", "^begin(?<rest>.*)"),
            given("multiline_flush_interval", flush),
        ];
        let output = Collect::new("store");
        let _life = node.start_with(&output, &options);
        output.wait_for_rows(events);
        a_while();
        assert_eq!(output.lines(), ["begin 1\n more\n", "begin 2\n"][..events]);
    }
}

/// Options of ours, and what was found, of a `<source>`.
fn fluent(pairs: &[(&str, &str)], children: Vec<Element>) -> (BTreeMap<String, Vec<String>>, Vec<String>) {
    let pair = |(key, value): &(&str, &str)| Pair {
        key: (*key).to_owned(),
        value: (*value).to_owned(),
        ..Pair::default()
    };
    let element = Element {
        name: "source".to_owned(),
        pairs: pairs.iter().map(pair).collect(),
        children,
        ..Element::default()
    };
    let mut findings = Vec::new();
    let mut reader = ElementReader::new(&element, &mut findings);
    let given = (FORMS[0].read)(&mut reader);
    reader.finish();
    let found = findings
        .iter()
        .map(|finding| format!("{} {}", if finding.note { "note" } else { "wrong" }, finding.message));
    let options = config::options(&PROTOCOL, &given).expect("options of ours");
    (options.0, found.collect())
}

#[test]
fn a_source_of_fluentd_means_these_options() {
    let parse = Element {
        name: "parse".to_owned(),
        pairs: vec![Pair { key: "@type".to_owned(), value: "nginx".to_owned(), ..Pair::default() }],
        ..Element::default()
    };
    let pairs = [
        ("@type", "tail"),
        ("path", "/var/log/%Y/*.log,/srv/a.log"),
        ("exclude_path", r#"["/var/log/*.gz"]"#),
        ("tag", "app.*"),
        ("pos_file", "/var/lib/pos"),
        ("read_from_head", "true"),
        ("refresh_interval", "30"),
        ("path_key", "file"),
        ("path_timezone", "+09:00"),
        ("max_line_size", "8k"),
        ("limit_recently_modified", "1h"),
        ("multiline_flush_interval", "5s"),
        ("emit_unmatched_lines", "true"),
        ("encoding", "UTF-8"),
        ("read_bytes_limit_per_second", "16k"),
    ];
    let (options, found) = fluent(&pairs, vec![parse]);
    assert!(found.is_empty(), "{found:?}");
    let text = |name: &str| options[name].join(" ");
    for (name, value) in [
        ("paths", "/var/log/%Y/*.log /srv/a.log"),
        ("exclude", "/var/log/*.gz"),
        ("tag", "app.*"),
        ("pos_file", "/var/lib/pos"),
        ("from_beginning", "true"),
        ("path_key", "file"),
        ("path_timezone", "+09:00"),
        ("max_line_size", "8192"),
        ("read_bytes_limit_per_second", "16384"),
        ("parse.type", "nginx"),
        ("parse.unmatched", "emit"),
        ("parse.timezone", "local"),
    ] {
        assert_eq!(text(name), value, "{name}");
    }
    let read = TailOptions::read(&sawlog_pipeline::Options(options)).unwrap();
    assert_eq!((read.rescan, read.quiet), (Duration::from_secs(30), Duration::from_secs(5)));
    assert_eq!((read.recent, read.rate), (Duration::from_secs(3600), 16 << 10));
}

#[test]
fn options_without_an_effect_are_noted_and_those_that_cannot_be_are_refused() {
    let base = [("path", "/a"), ("tag", "t"), ("format", "none")];
    let (options, found) =
        fluent(&[&base[..], &[("read_bytes_limit_per_second", "-1")]].concat(), Vec::new());
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(options["read_bytes_limit_per_second"], ["0"]);
    let quiet = options["multiline_flush_interval"].join("");
    assert_eq!((options["from_beginning"].join("").as_str(), quiet.as_str()), ("false", "0s"));
    for key in [
        "rotate_wait",
        "follow_inodes",
        "read_lines_limit",
        "enable_watch_timer",
        "enable_stat_watcher",
        "open_on_every_update",
        "skip_refresh_on_startup",
        "ignore_repeated_permission_error",
        "pos_file_compaction_interval",
    ] {
        let (_, found) = fluent(&[&base[..], &[(key, "1")]].concat(), Vec::new());
        assert_eq!(found.len(), 1, "{key}");
        assert!(found[0].starts_with("note ") && found[0].contains(key), "{found:?}");
    }
    let (_, found) = fluent(&base, vec![Element { name: "group".to_owned(), ..Element::default() }]);
    assert!(found.len() == 1 && found[0].starts_with("note <group>"), "{found:?}");
    let given = [("encoding", "UTF-8"), ("from_encoding", "Shift_JIS")];
    let (options, found) = fluent(&[&base[..], &given].concat(), Vec::new());
    assert!(found.is_empty() && options["encoding"] == ["Shift_JIS"], "{found:?}");
}

#[test]
fn the_path_is_a_field_of_every_row_where_that_is_asked_for() {
    use super::super::cutter::{Cutter, Origin};
    use super::super::mark::Mark;
    use crate::format::More;
    use crate::format::parse::Spec;
    let options = |name: &str, value: &str| (name.to_owned(), vec![value.to_owned()]);
    let spec = Spec::from_options(&sawlog_pipeline::Options(BTreeMap::from([options("parse.type", "ltsv")])))
        .unwrap();
    let settings = crate::format::Settings { parse: Some(spec), ..Default::default() };
    let origin = Origin { tenant: Tenant::DEFAULT, source: Arc::default(), context: Arc::default() };
    let mut cutter = Cutter::new(origin, settings, Limits::default(), Mark::default());
    cutter.add_field("file", "/a/b.log");
    let batch = cutter.cut("x:1\ty:2\nx:3\n".into(), More::No, 5).unwrap();
    let shown: Vec<String> = batch
        .iter()
        .map(|row| {
            let mut line = Vec::new();
            crate::shared::record::write_json(row, &Limits::default(), &mut line);
            String::from_utf8(line).unwrap().trim().to_owned()
        })
        .collect();
    assert_eq!(shown, [r#"{"x":"1","y":"2","file":"/a/b.log"}"#, r#"{"x":"3","file":"/a/b.log"}"#]);
    assert!(batch.iter().all(|row| row.row().time == 5), "a line without a time has that of its reading");
    assert_eq!(batch.row(1).raw(), b"x:3\n");
}
