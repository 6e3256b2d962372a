//! What programs print for golden events and for the files of a real oxd.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use sawlog_model::{Limits, Value};
use sawlog_sys::{Open, Sys};

use super::daemon::Daemon;
use super::files::LogFile;
use super::stash::Target;
use super::view::testing::{of_bytes, of_files};
use super::{Failure, bucket, ctl, dates, link, store};
use crate::shared::msgpack;
use crate::shared::s3::Bucket;
use crate::shared::s3::testing::Objects;

fn event(kind: &str, id: &str, start: f64, end: f64) -> Vec<u8> {
    let text = |text: &str| Value::Str(text.to_owned());
    let body = Value::Map(vec![(text("user"), text("S\u{e4}ra")), (text("n"), Value::Int(5))]);
    let event = Value::Map(vec![
        (text("body"), body),
        (text("end"), Value::Float(end)),
        (text("pid"), Value::Int(7)),
        (text("start"), Value::Float(start)),
        (text("host"), text("vm")),
        (text("type"), text(kind)),
        (text("id"), text(id)),
    ]);
    let mut out = Vec::new();
    msgpack::write_old(&event, &mut out);
    out
}

#[test]
fn oxview_prints_json_as_python_does() {
    let line = of_bytes(&[], &event("request", "0123456789abcdef", 1.5, 2.5));
    let wanted = r#"{"body": {"user": "S\u00e4ra", "n": 5}, "end": 2.5, "pid": 7, "start": 1.5, "host": "vm", "type": "request", "id": "0123456789abcdef"}"#;
    assert_eq!(line, format!("{wanted}\n"));
    let odd = of_bytes(
        &[],
        b"\x84\xa1a\xcb\x3e\xc0\0\0\0\0\0\0\xa1b\xcb\x7f\xf8\0\0\0\0\0\0\xa1c\x90\xa1d\xa1\xff",
    );
    assert_eq!(odd, "{\"a\": 1.9073486328125e-06, \"b\": NaN, \"c\": [], \"d\": \"\\ufffd\"}\n");
}

#[test]
fn oxview_is_pretty_where_asked() {
    let text = of_bytes(&["-p"], &event("request", "0123456789abcdef", 1.5, 2.5));
    let wanted = "\n=== request (0123456789ab@vm:7)  (1000 ms)\n{\n    \"body\": {\n        \"n\": 5,\n        \"user\": \"S\\u00e4ra\"\n    },\n    \"end\": 2.5,\n    \"host\": \"vm\",\n    \"id\": \"0123456789abcdef\",\n    \"pid\": 7,\n    \"start\": 1.5,\n    \"type\": \"request\"\n}\n";
    assert_eq!(text, wanted);
    let slow = of_bytes(&["--pretty"], &event("request", "i", 0.0, 12.34));
    assert!(slow.starts_with("\n=== request (i@vm:7)  (12.3 s)\n"), "{slow}");
    assert!(of_bytes(&["-p"], b"\x82\xa4type\xa1t\xa2id\xa1i").starts_with("\n=== t (i)\n"));
}

#[test]
fn oxview_groups_and_filters() {
    let bytes =
        [event("a.b", "1", 0.0, 1.0), event("a.b", "2", 0.0, 1.0), event("a", "1", 0.0, 1.0)].concat();
    let grouped = of_bytes(&["--group"], &bytes);
    assert_eq!(grouped.lines().count(), 1);
    assert!(grouped.starts_with("[{") && grouped.contains("\"a.b\"") && !grouped.contains("\"id\": \"2\""));
    assert_eq!(of_bytes(&["--filter", "id:\"2\""], &bytes).lines().count(), 1);
    assert_eq!(of_bytes(&["--filter=body.n:5"], &bytes).lines().count(), 3);
    assert_eq!(of_bytes(&["--filter=body.n:6"], &bytes), "");
}

#[test]
fn names_of_files_are_read() {
    let read = |name: &str| {
        let file = LogFile::read(&Path::new("/x").join(name))?;
        Some(format!("{} {} {} {}", file.kind, file.from, file.host, file.is_packed()))
    };
    for (name, wanted) in [
        ("request-20261120.log", Some("request 2026-11-20T00:00:00  false")),
        ("request.sql-2026112006.log", Some("request.sql 2026-11-20T06:00:00  false")),
        ("a-b-20261120-web-1.log.bz2", Some("a-b 2026-11-20T00:00:00 web-1 true")),
        ("a-20261120web.log.gz", Some("a 2026-11-20T00:00:00 web true")),
        ("a-20269920.log", None),
        ("a-2026112025.log", None),
        ("a-2026112.log", None),
        ("a-20261120.txt", None),
        ("-20261120.log", None),
    ] {
        assert_eq!(read(name).as_deref(), wanted, "{name}");
    }
}

/// The files that a real oxd wrote, where they are.
fn captured() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/captures");
    let given = std::env::var_os("SAWLOG_CAPTURES").map(PathBuf::from).unwrap_or(beside);
    let dir = given.join("blueox-oxd-log");
    Sys::real().fs.metadata(&dir).is_ok().then_some(dir)
}

#[test]
fn files_of_a_real_oxd_are_shown() {
    let Some(dir) = captured() else {
        println!(
            "SKIPPED files_of_a_real_oxd_are_shown: neither SAWLOG_CAPTURES nor ../shared/captures is there"
        );
        return;
    };
    let count = |arguments: &[&str]| of_files(arguments, &dir).0.lines().count();
    assert_eq!(count(&[]), 6);
    assert_eq!(count(&["--type-name=request"]), 2);
    assert_eq!(count(&["-n", "request.*", "--start-date=20261120", "--end-date=20261120"]), 4);
    assert_eq!(count(&["--start-date=20261120 23:24"]), 6);
    assert_eq!(count(&["--start-date", "20261120 23:24", "--end-date", "20261120 23:24"]), 0);
    assert_eq!(count(&["--start-date=20261119", "--end-date=20261119"]), 0);
    let (text, code) = of_files(&["-n", "request.sql"], &dir);
    assert_eq!(code, 0);
    assert!(
        text.lines()
            .next()
            .is_some_and(|line| line.contains(r#"{"query": "sel\u00e9ct", "dt": "2013-12-10", "d": "1.5"}"#)),
        "{text}"
    );
}

/// A directory with days of files.
fn directory(now: i64) -> tempfile::TempDir {
    let sys = Sys::real();
    let dir = tempfile::tempdir().unwrap();
    for ago in [0, 1, 9] {
        let day = dates::of(now - ago * 86_400_000_000_000).strftime("%Y%m%d").to_string();
        let path = dir.path().join(&day);
        sys.fs.create_dir_all(&path).unwrap();
        for kind in ["a", "b.c"] {
            let seconds = (now / 1_000_000_000 - ago * 86_400) as f64;
            let file = sys.fs.open(&path.join(format!("{kind}-{day}.log")), Open::New).unwrap();
            file.write_at(&event(kind, &day, seconds, seconds), 0).unwrap();
        }
    }
    dir
}

#[test]
fn oxstore_zips_prunes_and_reads() {
    let sys = Sys::real();
    let now = sys.clock.now();
    let dir = directory(now);
    let names = || {
        let files = super::files::list(&sys, dir.path()).unwrap();
        files.iter().filter(|file| file.is_packed()).count() * 10
            + files.iter().filter(|file| !file.is_packed()).count()
    };
    assert_eq!(names(), 6);
    store::zip(&sys, dir.path(), false).unwrap();
    // Today's are written to; just after midnight yesterday's may be, too.
    assert_eq!(names(), 42);
    store::zip(&sys, dir.path(), false).unwrap();
    assert_eq!(names(), 42);
    let start = dates::of(now - 10 * 86_400_000_000_000).strftime("%Y%m%d").to_string();
    let end = dates::of(now).strftime("%Y%m%d").to_string();
    let bytes = store::cat_with(&sys, dir.path(), "b.c", &["--local", "-s", &start, "-e", &end]).unwrap();
    assert_eq!(of_bytes(&[], &bytes).lines().count(), 3, "packed ones are read, too");
    let today = store::cat_with(&sys, dir.path(), "a", &["--local"]).unwrap();
    assert_eq!(of_bytes(&[], &today).lines().count(), 1);
    assert_eq!(of_files(&[], dir.path()).0.lines().count(), 6);
    store::prune(&sys, dir.path(), 7, false).unwrap();
    assert_eq!(names(), 22);
    assert_eq!(super::files::days(&sys, dir.path()).unwrap().len(), 2);
}

#[test]
fn oxstash_writes_bulk_requests() {
    let target = Target {
        hosts: Vec::new(),
        index: None,
        base: "blueox".to_owned(),
        typeless: false,
        chunk: 1,
        patience: link::PATIENCE,
        verbose: false,
    };
    let (event, _) =
        msgpack::value(&event("request", "i", 1_795_217_048.0, 1_795_217_048.5), &Limits::default()).unwrap();
    let body = String::from_utf8(target.body(std::slice::from_ref(&event))).unwrap();
    let lines: Vec<&str> = body.lines().collect();
    assert_eq!(lines[0], r#"{"index":{"_index":"blueox-2026.11.20","_type":"request"}}"#);
    assert!(
        lines[1].ends_with(r#""duration":0.5,"@timestamp":"2026-11-20T23:24:08.500000Z"}"#),
        "{}",
        lines[1]
    );
    let target = Target { typeless: true, index: Some("x".to_owned()), ..target };
    let body = String::from_utf8(target.body(&[event])).unwrap();
    assert!(body.starts_with("{\"index\":{\"_index\":\"x\"}}\n"), "{body}");
}

#[test]
fn oxctl_prints_what_a_node_tells() {
    let text = |text: &str| Value::Str(text.to_owned());
    let last = |seconds: f64| Value::Map(vec![(text("last"), Value::Float(seconds))]);
    let answer = Value::Map(vec![
        (text("last"), Value::Float(1_795_217_048.25)),
        (text("lag"), Value::Float(0.5)),
        (text("events"), Value::Map(vec![(text("request"), last(1_795_217_040.0))])),
        (text("hosts"), Value::Map(vec![(text("vm"), last(1_795_217_047.0))])),
    ]);
    let shown = ctl::status("127.0.0.1:3513", &answer, 1_795_217_050_000_000_000, &TimeZone::UTC);
    let name = |name: &str| format!("  {name:>32}");
    assert_eq!(
        shown,
        format!(
            "Host: 127.0.0.1:3513\nLast: 2026-11-20 23:24:08.250000 (1 secs ago)\nLag: 0.500000 secs\n\n{}  Last 2026-11-20 23:24:07 (3 secs ago)\n\n{}  Last 2026-11-20 23:24:00 (10 secs ago)\n",
            name("vm"),
            name("request")
        )
    );
}

#[test]
fn oxd_is_what_its_options_say() {
    let dir = tempfile::tempdir().unwrap();
    let daemon = |line: &str| {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Daemon::read(&arguments).map(|daemon| daemon.expect("no help"))
    };
    let config = |line: &str| daemon(line).unwrap().configuration(&Sys::real(), dir.path()).unwrap();
    let outputs = |line: &str| {
        let config = config(line);
        let kinds = config.outputs().iter().map(|output| output.section.kind.clone()).collect::<Vec<_>>();
        let input = config.inputs[0].options.clone();
        (
            input.text("listen").to_owned(),
            input.text("control").to_owned(),
            input.text("stream_range").to_owned(),
            kinds,
        )
    };
    let own = |text: &str| text.to_owned();
    assert_eq!(
        outputs("--collect=*:3514 --log-path=/tmp/ox -v -v"),
        (own("*:3514"), own("127.0.0.1:3513"), own("35000-36000"), vec![own("file")])
    );
    assert_eq!(
        outputs("-c 0.0.0.0 -t localhost:99 --stream-range 35010 35020"),
        (own("0.0.0.0:3514"), own("localhost:99"), own("35010-35020"), vec![own("null")])
    );
    let forward = config("--forward=master:3514 --queue-limit=1MiB --compress lz4");
    let output = forward.outputs()[0];
    assert_eq!((output.section.options.text("to"), output.queue.limit), ("master:3514", Some(1 << 20)));
    assert_eq!(output.section.options.text("compress"), "lz4");
    for wrong in [
        "--rotate-hours 13",
        "--rotate-hours=0",
        "--stream-range 1 2",
        "--no-such",
        "x",
        "--log-path",
        "--queue-limit=x",
    ] {
        assert!(matches!(daemon(wrong), Err(Failure::Usage(_))), "{wrong}");
    }
}

#[test]
fn addresses_get_their_ports() {
    for (given, wanted) in [
        ("master", "master:3514"),
        ("master:9", "master:9"),
        ("*", "*:3514"),
        ("tcp://a:1", "a:1"),
        ("[::1]", "[::1]:3514"),
        ("[::1]:5", "[::1]:5"),
    ] {
        assert_eq!(link::with_port(given, 3514), wanted);
    }
    assert_eq!(link::other_port("[::1]:5", 7), "[::1]:7");
}

fn bucket_of(objects: &Objects) -> Bucket {
    let endpoint = objects.endpoint();
    let variable = |name: &str| match name {
        "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" => Some("K".to_owned()),
        "AWS_SESSION_TOKEN" => Some("T".to_owned()),
        "AWS_REGION" => Some("eu-x-1".to_owned()),
        "AWS_DEFAULT_REGION" => Some("another".to_owned()),
        "AWS_ENDPOINT_URL_S3" => Some(endpoint.clone()),
        "AWS_ENDPOINT_URL" => Some("http://another".to_owned()),
        _ => None,
    };
    bucket::open("b", variable, &objects.server.runtime, &Sys::real()).unwrap()
}

#[test]
fn oxstore_uploads_what_is_whole_and_finds_it_again() {
    let (sys, dir) = (Sys::real(), tempfile::tempdir().unwrap());
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        sys.fs.create_dir_all(path.parent().unwrap()).unwrap();
        sys.fs.open(&path, Open::Create).unwrap().write_at(bytes, 0).unwrap();
    };
    write("20171127/request-20171127.log", b"first");
    write("20171128/request-2017112813.log", b"of an hour");
    write("20171128/other-20171128-h.log", b"another type");
    store::zip(&sys, dir.path(), false).unwrap();
    write("20171128/request-20171128.log", b"plain");
    let objects = Objects::start(1);
    let bucket = bucket_of(&objects);
    bucket::upload(&sys, dir.path(), &bucket, true, false).unwrap();
    let host = sawlog_sys::host_name();
    let mut names = vec![
        format!("20171127/request-20171127-{host}.log.bz2"),
        format!("20171128/request-2017112813-{host}.log.bz2"),
        "20171128/other-20171128-h.log.bz2".to_owned(),
    ];
    let have = || objects.there.lock().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(have(), names.iter().cloned().collect());
    let headers = objects.server.next().1;
    assert!(headers.contains(&"x-amz-security-token: T".to_owned()), "{headers:?}");
    assert!(headers.iter().any(|header| header.contains("/eu-x-1/s3/aws4_request")), "{headers:?}");
    bucket::upload(&sys, dir.path(), &bucket, false, false).unwrap();
    names.push(format!("20171128/request-20171128-{host}.log"));
    assert_eq!(have(), names.iter().cloned().collect());

    let span = |start, end| dates::span(Some(start), Some(end), 0).unwrap();
    let printed = |kind: &str, span| {
        let mut out = Vec::new();
        bucket::cat(&bucket, kind, span, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    assert_eq!(printed("request", span("20171127", "20171128")), "firstplainof an hour");
    assert_eq!(printed("*", span("20171128 14:00", "20171128 15:00")), "another typeplain");
    assert_eq!(printed("request", span("20171201", "20171202")), "");
    let into = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        bucket::download(&sys, into.path(), &bucket, "other", span("20171127", "20171128"), false).unwrap();
        let there: Vec<_> = sys.fs.list(into.path()).unwrap().into_iter().map(|entry| entry.path).collect();
        assert_eq!(there, [into.path().join("other-20171128-h.log.bz2")]);
    }
    // What is there is not asked for again, what is of the same size not sent again.
    let mut asked = Vec::new();
    while let Ok((line, ..)) = objects.server.came.try_recv() {
        asked.push(line);
    }
    let count = |start: &str| asked.iter().filter(|line| line.starts_with(start)).count();
    assert_eq!((count("PUT "), count("GET /b/20171128/other-20171128-h")), (4, 2));
}

#[test]
fn oxstore_tells_which_bucket_cannot_be() {
    let objects = Objects::start(1);
    let opened = |name: &str, variables: &'static [(&str, &str)]| {
        let variable = |name: &str| {
            variables.iter().find(|(have, _)| *have == name).map(|(_, value)| (*value).to_owned())
        };
        match bucket::open(name, variable, &objects.server.runtime, &Sys::real()) {
            Err(Failure::Failed(words)) => words,
            _ => String::new(),
        }
    };
    assert!(opened("a/b", &[]).contains("no name of a bucket"));
    assert!(opened("b", &[("AWS_ENDPOINT_URL", "here")]).contains("https://HOST"));
    assert!(opened("b", &[("AWS_ACCESS_KEY_ID", "K")]).contains("together"));
    assert_eq!(opened("b", &[("AWS_ENDPOINT_URL", "http://h:1")]), "");
}
