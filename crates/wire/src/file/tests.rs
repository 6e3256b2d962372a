//! Names, permissions, links, every option, and that each row is in exactly one file wherever the process or the machine ends.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sawlog_model::{Batch, Limits, Position, Source, SourceId};
use sawlog_pipeline::{Lsn, Origin};
use sawlog_sys::Sys;
use sawlog_sys::sim::{Tail, World};
use sawlog_sys::task;

use super::*;
use crate::shared::chunks::{Chunks, Settings};
use crate::shared::placeholders::Keys;
use crate::testing::{env, fluent, lines, options_of, rows};

/// All files below, by their path from there, chunks left out.
fn files(sys: &Sys, dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in sys.fs.list(dir).unwrap() {
        let name = entry.path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with(".sawlog-") {
            continue;
        }
        if entry.is_dir {
            found.extend(
                files(sys, &entry.path).into_iter().map(|(path, bytes)| (format!("{name}/{path}"), bytes)),
            );
        } else {
            found.insert(name, sys.fs.read(&entry.path).unwrap());
        }
    }
    found
}

fn names(files: &BTreeMap<String, Vec<u8>>) -> Vec<&str> {
    files.keys().map(String::as_str).collect()
}

/// Writes batches with these options, closes every chunk, and gives the files.
fn written(given: &[(&str, &[&str])], batches: &[Batch]) -> BTreeMap<String, Vec<u8>> {
    let dir = tempfile::tempdir().unwrap();
    write_in(dir.path(), given, batches);
    files(&Sys::real(), dir.path())
}

fn write_in(dir: &Path, given: &[(&str, &[&str])], batches: &[Batch]) {
    let mut options = options_of(&PROTOCOL, given);
    for (name, values) in &mut options.0 {
        if matches!(name.as_str(), "path" | "symlink_path") {
            values.iter_mut().for_each(|value| *value = value.replace("DIR", &dir.display().to_string()));
        }
    }
    let mut at = 0;
    for batch in batches {
        let runtime = task::runtime("test", 1).unwrap();
        let output =
            make(&options, &env(&runtime, Limits::default())).unwrap_or_else(|error| panic!("{error}"));
        at = at.max(output.cursor().0);
        let origin = Origin::Journal { at: Lsn(at), next: Lsn(at + 1), position: None };
        output.take(Arc::new(batch.clone()), origin).unwrap();
        output.flush().unwrap();
        assert_eq!(output.cursor(), Lsn(at + 1));
    }
}

/// Chunks are whole at once.
const NOW: (&str, &[&str]) = ("buffer.flush_mode", &["immediate"]);
const UTC: (&str, &[&str]) = ("buffer.timekey_use_utc", &["true"]);
const JSON: (&str, &[&str]) = ("format.type", &["json"]);

#[test]
fn names_are_fluentds() {
    let batch = rows("app.web", &[r#"{"a":"x"}"#]);
    let name = |given: &[(&str, &[&str])]| {
        let files = written(&[given, &[NOW, UTC, JSON]].concat(), std::slice::from_ref(&batch));
        assert_eq!(files.values().next().unwrap(), b"{\"a\":\"x\"}\n");
        names(&files).join(" ")
    };
    assert_eq!(name(&[("path", &["DIR/p"])]), "p.20171128_0.log");
    assert_eq!(name(&[("path", &["DIR/p"]), ("buffer.timekey", &["1h"])]), "p.2017112802_0.log");
    assert_eq!(name(&[("path", &["DIR/p"]), ("buffer.timekey", &["1m"])]), "p.201711280243_0.log");
    assert_eq!(name(&[("path", &["DIR/p"]), ("buffer.timekey", &["5s"])]), "p.20171128024310_0.log");
    assert_eq!(name(&[("path", &["DIR/p.*.data"])]), "p.20171128_0.data");
    assert_eq!(name(&[("path", &["DIR/%Y/%m/%d/${tag[0]}"])]), "2017/11/28/app_0.log");
    assert_eq!(name(&[("path", &["DIR/${tag}.${a}"]), ("append", &["true"])]), "app.web.x.20171128.log");
    assert_eq!(name(&[("path", &["DIR/p"]), ("path_suffix", &[".txt"])]), "p.20171128_0.txt");
    assert_eq!(name(&[("path", &["DIR/p"]), ("add_path_suffix", &["false"])]), "p.20171128_0");
    assert_eq!(name(&[("path", &["DIR/p"]), ("buffer.keys", &["tag"])]), "p_0.log");
    assert_eq!(name(&[("path", &["DIR/p"]), ("time_slice_format", &["%d-%H"])]), "p.28-00_0.log");
    let id = name(&[("path", &["DIR/${chunk_id}"]), ("buffer.keys", &["tag"])]);
    assert!(id.len() == "0123456789abcdef_0.log".len() && id.ends_with("_0.log"), "{id}");
    let tokyo: &[(&str, &[&str])] =
        &[("path", &["DIR/p"]), ("buffer.timekey_zone", &["+09:00"]), ("buffer.timekey", &["1h"])];
    let files = written(&[tokyo, &[NOW, JSON]].concat(), &[batch]);
    assert_eq!(names(&files), ["p.2017112811_0.log"]);
}

#[test]
fn files_are_numbered_or_added_to() {
    let batches = ["1", "2", "3"].map(|line| lines("t", &[line]));
    let single: &[(&str, &[&str])] = &[("path", &["DIR/p"]), NOW, UTC, ("format.type", &["single_value"])];
    let numbered = written(single, &batches);
    assert_eq!(names(&numbered), ["p.20171128_0.log", "p.20171128_1.log", "p.20171128_2.log"]);
    assert_eq!(numbered["p.20171128_1.log"], b"2\n");
    let added = written(&[single, &[("append", &["true"])]].concat(), &batches);
    assert_eq!(added, BTreeMap::from([("p.20171128.log".to_owned(), b"1\n2\n3\n".to_vec())]));
    let gzip = written(&[single, &[("append", &["true"]), ("compress", &["gzip"])]].concat(), &batches);
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(&gzip["p.20171128.log.gz"][..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, "1\n2\n3\n");
    let zstd = written(&[single, &[("compress", &["zstd"])]].concat(), &batches);
    assert_eq!(zstd::decode_all(&zstd["p.20171128_2.log.zstd"][..]).unwrap(), b"3\n");
}

#[test]
fn rows_are_apart_by_what_is_in_the_name() {
    let batch = rows("t", &[r#"{"u":"a","n":1}"#, r#"{"u":"b","n":2}"#, r#"{"u":"a","n":3}"#]);
    let given: &[(&str, &[&str])] =
        &[("path", &["DIR/${u}/log"]), NOW, UTC, ("format.type", &["tsv"]), ("format.keys", &["n"])];
    let files = written(given, &[batch]);
    assert_eq!(files["a/log.20171128_0.log"], b"1\n3\n");
    assert_eq!(files["b/log.20171128_0.log"], b"2\n");
}

#[test]
fn rows_cannot_lead_out_of_the_directory() {
    let long = "x".repeat(500);
    let users = ["../../etc/passwd", "..", ".", "/etc", "a\0b\n", "", &long];
    let records: Vec<_> = users.iter().map(|user| format!("{{\"u\":{}}}", serde_text(user))).collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("in");
    let path = format!("{}/${{tag}}/${{u}}/f", dir.display());
    write_in(&dir, &[("path", &[&path]), NOW, JSON, ("buffer.keys", &["tag"])], &[rows("../..", &records)]);
    let sys = Sys::real();
    assert_eq!(sys.fs.list(outer.path()).unwrap().len(), 1);
    let files = files(&sys, &dir);
    assert_eq!(files.len(), users.len());
    assert!(files.keys().all(|name| name.starts_with(".._../")), "{:?}", files.keys());
    assert!(names(&files).contains(&".._../__/f_0.log"), "{:?}", files.keys());
    assert!(names(&files).contains(&".._../_/f_0.log"));
}

/// Text as JSON.
fn serde_text(text: &str) -> String {
    let mut out = Vec::new();
    crate::shared::record::quote(text.as_bytes(), &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn permissions_and_the_link_to_what_is_written_now() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let given: &[(&str, &[&str])] = &[
        ("path", &["DIR/d/${tag}/p"]),
        ("file_permission", &["0600"]),
        ("dir_permission", &["0710"]),
        ("symlink_path", &["DIR/now"]),
        ("buffer.keys", &["tag"]),
        ("format.type", &["single_value"]),
    ];
    let late = ("buffer.flush_interval", &["1h"][..]);
    write_in(dir.path(), &[given, &[late]].concat(), &[lines("t", &["1"])]);
    let sys = Sys::real();
    assert_eq!(sys.fs.read(&dir.path().join("now")).unwrap(), b"1\n");
    let link = |relative: &str| {
        let relative = [relative];
        let options = [given, &[late, ("symlink_path_use_relative", &relative)]].concat();
        let dir = tempfile::tempdir().unwrap();
        write_in(dir.path(), &options, &[lines("t", &["1"])]);
        let target = std::fs::read_link(dir.path().join("now")).unwrap();
        assert_eq!(sys.fs.read(&dir.path().join("now")).unwrap(), b"1\n");
        target
    };
    assert!(link("true").is_relative() && link("false").is_absolute());
    write_in(dir.path(), &[given, &[NOW]].concat(), &[lines("t", &["2"])]);
    let mode = |path: &str| {
        #[expect(clippy::disallowed_methods, reason = "looks at permissions")]
        let metadata = std::fs::metadata(dir.path().join(path)).unwrap();
        metadata.permissions().mode() & 0o7777
    };
    assert_eq!((mode("d/t"), mode("d/t/p_0.log")), (0o710, 0o600));
}

#[test]
fn what_cannot_be_is_refused() {
    let refused = |given: &[(&str, &[&str])]| {
        let runtime = task::runtime("test", 1).unwrap();
        let made = make(&options_of(&PROTOCOL, given), &env(&runtime, Limits::default()));
        made.err().expect("it cannot be").to_string()
    };
    assert!(refused(&[]).contains("`path`"));
    assert!(refused(&[("path", &["/tmp/*"]), ("buffer.keys", &["tag"])]).contains("`*`"));
    assert!(refused(&[("path", &["/tmp/%Y"]), ("buffer.keys", &["tag"])]).contains("letters of a time"));
    assert!(refused(&[("path", &["/tmp/%Y/a"])]).contains("need all of %Y%m%d"));
    assert!(refused(&[("path", &["/tmp/a"]), ("compress", &["lzo"])]).contains("gzip"));
    assert!(refused(&[("path", &["/tmp/a"]), ("file_permission", &["0999"])]).contains("0640"));
    assert!(refused(&[("path", &["/tmp/a"]), ("buffer.flush_mode", &["soon"])]).contains("immediate"));
    let lazy: &[(&str, &[&str])] =
        &[("path", &["/tmp/a"]), ("buffer.flush_mode", &["lazy"]), ("buffer.keys", &["tag"])];
    assert!(refused(lazy).contains("needs `time`"));
}

#[test]
fn fluentds_form_means_the_same() {
    let options = |text: &str| fluent(&PROTOCOL, "match", text).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    let all = options(
        "path /x/y\nappend true\ncompress gz\nrecompress\nsymlink_path /x/l\nsymlink_path_use_relative\n\
         add_path_suffix false\npath_suffix .x\nfile_permission 0640\ndir_permission 0750\n<format>\n@type json\n</format>\n\
         <inject>\ntag_key t\n</inject>",
    );
    for (name, is) in [
        ("path", "/x/y"),
        ("append", "true"),
        ("compress", "gz"),
        ("symlink_path", "/x/l"),
        ("symlink_path_use_relative", "true"),
        ("add_path_suffix", "false"),
        ("path_suffix", ".x"),
        ("file_permission", "0640"),
        ("dir_permission", "0750"),
        ("format.type", "json"),
        ("inject.tag_key", "t"),
        ("buffer.keys", "time"),
    ] {
        assert_eq!(all.text(name), is, "{name}");
    }
    assert_eq!(options("path /x\npermission 0600").text("file_permission"), "0600");
    let element = crate::testing::element("match", "path /x\n<buffer []>\n</buffer>\ntime_slice_format %Y");
    let mut findings = Vec::new();
    let mut reader = ElementReader::new(&element, &mut findings);
    let given = from_fluent(&mut reader);
    assert!(
        given.contains(&("buffer.keys", Vec::new()))
            && given.contains(&("time_slice_format", vec!["%Y".into()]))
    );
}

/// The output's parts on a simulated machine: chunks are whole ten seconds after they were begun.
fn on(world: &World, append: bool, compress: Compress) -> Result<Chunks, String> {
    let number = if append { "" } else { NUMBER };
    let path = Placeholders::parse(&format!("/logs/${{tag}}{number}.log")).unwrap();
    let sink = FileSink::new(&world.sys(), path, compress, append);
    let keys = Keys { time: None, tag: true, fields: Vec::new() };
    let age = Some(Duration::from_secs(10));
    let settings = Settings { dir: "/logs/.sawlog-x".into(), keys, wait: 0, age, limit: 1 << 20, mode: None };
    Chunks::open(&world.sys(), settings, Box::new(sink), Limits::default())
}

/// Frames of the journal and pieces of a file, from where the output stands; `Err` where the machine ended.
fn feed(world: &World, chunks: &Chunks) -> Result<(), ()> {
    let from = chunks.recorded();
    let source = Arc::new(Source { id: SourceId(9), ..Source::default() });
    let held = chunks.known().get(&source.id).map_or(0, |known| known.position.offset);
    let put = |batch: &Batch, origin| {
        chunks.take(batch, origin, |row, out| out.extend_from_slice(row.raw())).map_err(drop)
    };
    for number in 0..4u64 {
        let (at, end) = (Lsn(10 + number * 10), Lsn(20 + number * 10));
        if at >= from {
            let frame = |next| Origin::Journal { at, next, position: None };
            put(&lines("a", &[&format!("first {number}"), "x"]), frame(at))?;
            put(&lines("b", &[&format!("second {number}")]), frame(end))?;
        }
        if number >= held {
            let position = Position { epoch: 0, offset: number + 1, ..Position::default() };
            let batch = Batch { source: source.clone(), ..lines("a", &[&format!("file {number}")]) };
            put(&batch, Origin::Replayable(position))?;
        }
        world.advance(Duration::from_secs(4));
        chunks.record().map_err(drop)?;
    }
    Ok(())
}

/// Every line of every file, sorted.
fn all_lines(world: &World, compress: Compress) -> Vec<String> {
    let mut all = Vec::new();
    for bytes in files(&world.sys(), Path::new("/logs")).into_values() {
        let mut text = String::new();
        match compress {
            Compress::Gzip => {
                flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap()
            }
            _ => (&bytes[..]).read_to_string(&mut text).unwrap(),
        };
        all.extend(text.lines().map(str::to_owned));
    }
    all.sort();
    all
}

/// Ends the machine at every call, looks at each state that may come after, goes on, and counts.
fn each_row_once(append: bool, compress: Compress) {
    let whole = World::new(5);
    let finish = |world: &World, what: &str| {
        let chunks = on(world, append, compress).unwrap_or_else(|error| panic!("{what}: {error}"));
        feed(world, &chunks).unwrap_or_else(|()| panic!("{what}: it does not go on"));
        for _ in 0..3 {
            world.advance(Duration::from_secs(40));
            chunks.record().unwrap_or_else(|error| panic!("{what}: {error}"));
        }
        all_lines(world, compress)
    };
    let wanted = finish(&whole, "without a crash");
    assert_eq!(wanted.len(), 16);
    let ops = {
        let world = World::new(5);
        let chunks = on(&world, append, compress).unwrap();
        feed(&world, &chunks).unwrap();
        world.advance(Duration::from_secs(40));
        chunks.record().unwrap();
        world.ops()
    };
    for op in 1..=ops {
        let world = World::new(5);
        world.crash_at(op);
        if let Ok(chunks) = on(&world, append, compress)
            && feed(&world, &chunks).is_ok()
        {
            world.advance(Duration::from_secs(40));
            let _ = chunks.record();
        }
        assert!(world.crashed(), "call {op} of {ops}");
        let after = Tail::ALL.iter().map(|tail| (format!("{tail:?}"), world.restart(*tail)));
        for (tail, next) in after.chain([("killed".to_owned(), world.kill())]) {
            let what = format!("call {op} of {ops}, {tail}");
            assert_eq!(finish(&next, &what), wanted, "{what}");
        }
    }
}

#[test]
fn each_row_is_in_one_numbered_file_wherever_it_ends() {
    each_row_once(false, Compress::Text);
}

#[test]
fn each_row_is_in_one_compressed_file_wherever_it_ends() {
    each_row_once(false, Compress::Gzip);
}

#[test]
fn each_row_is_added_once_wherever_it_ends() {
    each_row_once(true, Compress::Text);
}

#[test]
fn each_row_is_added_compressed_once_wherever_it_ends() {
    each_row_once(true, Compress::Gzip);
}
