//! Commands as a user calls them, over files of all kinds.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use crate::node::{output, real_logs, sawlog, succeed};

fn import(data: &Path, paths: &[&Path]) {
    succeed(sawlog().arg("import").arg("--data").arg(data).args(paths));
}

fn export(data: &Path, source: &Path) -> Vec<u8> {
    succeed(sawlog().args(["export", "--format", "text", "--data"]).arg(data).arg("--source").arg(source))
}

fn stats(data: &Path) -> serde_json::Value {
    let text = succeed(sawlog().args(["store", "stats", "--json", "--data"]).arg(data));
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn a_file_comes_back_byte_for_byte_whatever_bytes_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut long = vec![b'x'; 3 << 20];
    long.push(b'\n');
    let cases: &[(&str, &[u8])] = &[
        ("empty.log", b""),
        ("blank.log", b"\n\n\r\n\n"),
        ("no-end.log", b"2026-01-02 03:04:05 INFO a\n2026-01-02 03:04:06 INFO the last line has no end"),
        ("crlf.log", b"2026-01-02 03:04:05 INFO a\r\n2026-01-02 03:04:06 INFO b\r\n"),
        ("bytes.log", b"\x00\x01\xff\xfe line\n\xc3\x28 not UTF-8\n\x1b[31mred\x1b[0m\n"),
        ("json.log", b"{\"a\":1,\"b\":{\"c\":\"x \\u00e9 \\n\"}}\n{\"a\": 1.50, \"a\": \"twice\"}\n{broken\n[1,2]\n"),
        ("trace.log", b"2026-01-02 03:04:05 ERROR boom\njava.lang.X: y\n\tat a.b(C.java:1)\n2026-01-02 03:04:06 INFO ok\n"),
        ("long.log", &long),
    ];
    let logs = folder.path().join("logs");
    std::fs::create_dir(&logs).unwrap();
    for (name, bytes) in cases {
        std::fs::write(logs.join(name), bytes).unwrap();
    }
    import(&data, &[&logs]);
    let before = stats(&data);
    // Importing again adds nothing.
    import(&data, &[&logs]);
    assert_eq!(stats(&data)["records"], before["records"]);
    for compacted in [false, true] {
        if compacted {
            succeed(sawlog().args(["store", "compact", "--data"]).arg(&data));
        }
        for (name, bytes) in cases.iter().filter(|(_, bytes)| !bytes.is_empty()) {
            assert!(
                export(&data, &logs.join(name)) == *bytes,
                "{name} came back changed (compacted: {compacted})"
            );
        }
    }
}

#[test]
fn compressed_files_are_read_as_what_is_in_them() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let text: String = (0..1000).map(|n| format!("2026-01-02 03:04:05 INFO line {n} of a file\n")).collect();
    let plain = folder.path().join("a.log");
    std::fs::write(&plain, &text).unwrap();
    let mut made = Vec::new();
    for (program, ending) in [("gzip", "gz"), ("bzip2", "bz2"), ("xz", "xz"), ("zstd", "zst")] {
        let path = folder.path().join(format!("{program}.log.{ending}"));
        let out = std::fs::File::create(&path).unwrap();
        match Command::new(program).arg("-c").arg(&plain).stdout(out).status() {
            Ok(status) if status.success() => made.push(path),
            _ => println!("SKIPPED import of {ending}: there is no {program} to make one"),
        }
    }
    for path in &made {
        import(&data, &[path]);
        assert_eq!(export(&data, path), text.as_bytes(), "{}", path.display());
    }
    assert!(!made.is_empty());
}

#[test]
fn real_logs_come_back_byte_for_byte() {
    let Some(logs) = real_logs("real_logs_come_back_byte_for_byte") else { return };
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let whole = std::env::var_os("SAWLOG_SLOW").is_some();
    let sample = [
        "loghub",
        "kafka",
        "mysql",
        "mongodb",
        "lnav",
        "loki_drain",
        "cloudtrail_invictus",
        "tomcat_japanese",
    ];
    let sets: Vec<_> =
        if whole { vec![logs.clone()] } else { sample.iter().map(|set| logs.join(set)).collect() };
    let mut files = Vec::new();
    for set in &sets {
        collect(set, &mut files);
    }
    assert!(!files.is_empty());
    let paths: Vec<&Path> = sets.iter().map(|set| set.as_path()).collect();
    import(&data, &paths);
    let mut compared = 0;
    for file in files.iter().step_by(if whole { 1 } else { 5 }) {
        let bytes = std::fs::read(file).unwrap();
        if bytes.is_empty() || is_compressed(&bytes) {
            continue;
        }
        assert!(export(&data, file) == bytes, "{} came back changed", file.display());
        compared += 1;
    }
    assert!(compared > 20, "only {compared} files were compared");
}

fn is_compressed(bytes: &[u8]) -> bool {
    [&b"\x1f\x8b"[..], b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd"].iter().any(|magic| bytes.starts_with(magic))
}

fn collect(path: &Path, files: &mut Vec<std::path::PathBuf>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            collect(&entry.unwrap().path(), files);
        }
    } else {
        files.push(path.to_owned());
    }
}

#[test]
fn the_same_answers_from_a_directory_and_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let log = folder.path().join("web.log");
    let mut file = std::fs::File::create(&log).unwrap();
    for n in 0..500 {
        let status = if n % 50 == 0 { 500 } else { 200 };
        writeln!(file, r#"10.0.0.{} - - [20/Nov/2026:10:{:02}:{:02} +0000] "GET /a/{n} HTTP/1.1" {status} {} "-" "curl/8""#, n % 7, n / 60, n % 60, n * 3).unwrap();
    }
    import(&data, &[&log]);
    let run = |arguments: &[&str]| -> Vec<serde_json::Value> {
        let text = String::from_utf8(succeed(sawlog().args(arguments).arg("--data").arg(&data))).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    assert_eq!(run(&["search", "status:>=500", "--json"]).len(), 10);
    let newest = run(&["search", "", "--json", "--limit", "3"]);
    assert_eq!(newest.len(), 3);
    assert_eq!(newest[0]["_time"], "2026-11-20T10:08:19Z");
    let counts =
        run(&["search", "* | stats count() as n, max(bytes) as most by (status) | sort n desc", "--json"]);
    assert_eq!(counts[0]["n"], 490);
    assert_eq!(counts[0]["most"], 1497);
    let rows = run(&["sql", "SELECT status, count(*) AS n FROM logs GROUP BY status ORDER BY n", "--json"]);
    assert_eq!(rows[0]["n"], 10);
    let text = String::from_utf8(succeed(sawlog().args(["search", "gett", "--data"]).arg(&data))).unwrap();
    assert!(text.is_empty(), "words, not parts of them: {text}");
    let lines =
        String::from_utf8(succeed(sawlog().args(["export", "--format", "jsonl", "--data"]).arg(&data)))
            .unwrap();
    assert_eq!(lines.lines().count(), 500);
    let parquet = folder.path().join("out.parquet");
    succeed(
        sawlog().args(["export", "--format", "parquet", "--data"]).arg(&data).arg("--output").arg(&parquet),
    );
    let bytes = std::fs::read(&parquet).unwrap();
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
}

#[test]
fn errors_name_the_place_and_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let words = |command: &mut Command| {
        let output = output(command);
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let nowhere = folder.path().join("nowhere");
    let said = words(sawlog().args(["search", "x", "--data"]).arg(&nowhere));
    assert!(said.contains("there is no") && said.contains("--data"), "{said}");
    let said = words(sawlog().args(["status", "--data"]).arg(&nowhere));
    assert!(said.contains("sawlog run --data"), "{said}");
    let said = words(sawlog().arg("import").arg("--data").arg(folder.path().join("d")).arg(&nowhere));
    assert!(said.contains("nowhere"), "{said}");
    let config = folder.path().join("sawlog.toml");
    std::fs::write(&config, "[[input]]\ntype = \"tial\"\n\n[stor]\nx = 1\n").unwrap();
    let said = words(sawlog().arg("check").arg("-c").arg(&config));
    assert!(said.contains("sawlog.toml:2: ") && said.contains("did you mean `tail`"), "{said}");
    assert!(said.contains("sawlog.toml:5: "), "{said}");
    let log = folder.path().join("a.log");
    std::fs::write(&log, "a b c\n").unwrap();
    let data = folder.path().join("data");
    import(&data, &[&log]);
    let said = words(sawlog().args(["search", "a | stast count()", "--data"]).arg(&data));
    assert!(said.contains("stats"), "{said}");
}

#[test]
fn a_store_is_looked_at_mended_and_rid_of_what_is_not_to_be_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (data, log) = (folder.path().join("data"), folder.path().join("a.log"));
    let lines: String =
        (0..2_000).map(|n| format!("2026-01-02 03:04:05 INFO user{} did {n}\n", n % 4)).collect();
    std::fs::write(&log, lines).unwrap();
    import(&data, &[&log]);
    let store = |action: &[&str]| {
        let ended = output(sawlog().arg("store").args(action).arg("--data").arg(&data));
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (ended.status.success(), text(ended.stdout), text(ended.stderr))
    };
    let said = |(status, out, err): (bool, String, String)| {
        assert!(status, "{err}");
        out
    };
    assert!(said(store(&["inspect"])).contains("2000"));
    assert!(said(store(&["inspect", "--segment", "0"])).contains("heads"));
    assert!(!store(&["inspect", "--segment", "77"]).0);
    assert!(said(store(&["verify"])).contains("can be read"));
    let (status, _, error) = store(&["delete", " "]);
    assert!(!status && error.contains("what to delete"), "{error}");
    assert_eq!(said(store(&["delete", "user3", "--since", "2026-01-03"])), "0 events deleted\n");
    assert_eq!(said(store(&["delete", "user3"])), "500 events deleted\n");
    assert_eq!(stats(&data)["records"], 1_500);
    // Read, not imported again: where the file stands is known.
    import(&data, &[&log]);
    assert_eq!(stats(&data)["records"], 1_500);
    let segments = std::fs::read_dir(data.join("t0")).unwrap().map(|entry| entry.unwrap().path());
    let segment = segments.max().unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[40] ^= 0x40;
    std::fs::write(&segment, bytes).unwrap();
    let (status, out, error) = store(&["verify"]);
    assert!(!status && out.contains("is damaged") && error.contains("store repair"), "{out}{error}");
    assert!(said(store(&["repair"])).contains("events are lost"));
    assert!(data.join("quarantine/t0").join(segment.file_name().unwrap()).is_file());
    assert!(said(store(&["verify"])).contains("can be read"));
}
