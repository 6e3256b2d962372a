//! What was given up can be read back, from the files that the options name.

use std::io::Read;
use std::sync::Arc;

use sawlog_pipeline::{Lsn, Origin};
use sawlog_sys::task;

use super::*;
use crate::testing::{env, fluent, options_of, rows};

fn written(given: &[(&str, &[&str])]) -> Vec<(String, Vec<u8>)> {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options_of(&PROTOCOL, given);
    let at = format!("{}/{}", dir.path().display(), options.text("directory"));
    options.0.insert("directory".to_owned(), vec![at]);
    let runtime = task::runtime("test", 1).unwrap();
    let output = make(&options, &env(&runtime, Limits::default())).unwrap_or_else(|error| panic!("{error}"));
    for at in 0..2 {
        let origin = Origin::Journal { at: Lsn(at), next: Lsn(at + 1), position: None };
        output.take(Arc::new(rows("a.b", &[r#"{"n":1}"#])), origin).unwrap();
    }
    assert_eq!((output.cursor(), output.keeps_positions()), (Lsn(2), false));
    let sys = Sys::real();
    let mut found = Vec::new();
    for entry in sys.fs.list(&dir.path().join("d")).unwrap() {
        let name = entry.path.file_name().unwrap().to_string_lossy().into_owned();
        found.push((name, sys.fs.read(&entry.path).unwrap()));
    }
    found
}

fn names(files: &[(String, Vec<u8>)]) -> Vec<&str> {
    files.iter().map(|(name, _)| name.as_str()).collect()
}

const DIRECTORY: (&str, &[&str]) = ("directory", &["d"]);

#[test]
fn files_are_numbered_or_added_to() {
    let files = written(&[DIRECTORY]);
    assert_eq!(names(&files), ["dump.bin.0", "dump.bin.1"]);
    let (entry, len) = msgpack::value(&files[0].1, &Limits::default()).unwrap();
    assert_eq!(len, files[0].1.len());
    let record = Value::Map(vec![(Value::Str("n".into()), Value::Int(1))]);
    assert_eq!(entry, Value::List(vec![Value::Time(1_511_836_993_814_351_757), record]));
    let added = written(&[DIRECTORY, ("append", &["true"]), ("basename", &["x-${tag[1]}"])]);
    assert_eq!((names(&added), added[0].1.len()), (vec!["x-b"], 2 * len));
    let gzip = written(&[DIRECTORY, ("compress", &["gzip"])]);
    assert_eq!(names(&gzip), ["dump.bin.0.gz", "dump.bin.1.gz"]);
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(&gzip[1].1[..]).read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, files[0].1);
}

#[test]
fn fluentds_form_and_what_is_refused() {
    let options = fluent(&PROTOCOL, "match", "directory /d\nbasename b\nappend true\ncompress gzip").unwrap();
    let all = ["directory", "basename", "append", "compress"].map(|name| options.text(name).to_owned());
    assert_eq!(all, ["/d", "b", "true", "gzip"]);
    let runtime = task::runtime("test", 1).unwrap();
    let refused = |given: &[(&str, &[&str])]| {
        make(&options_of(&PROTOCOL, given), &env(&runtime, Limits::default())).err().unwrap().to_string()
    };
    assert!(refused(&[]).contains("`directory`"));
    assert!(refused(&[DIRECTORY, ("basename", &["a/b"])]).contains("`basename"));
    assert!(refused(&[DIRECTORY, ("compress", &["xz"])]).contains("gzip"));
}
