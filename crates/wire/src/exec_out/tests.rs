//! Chunks as the program sees them, programs that fail, and what Fluentd's form means.

use std::sync::Arc;
use std::time::Duration;

use sawlog_model::Limits;
use sawlog_pipeline::{Lsn, Origin};
use sawlog_sys::{Sys, task};

use super::*;
use crate::testing::{env, fluent, options_of, rows};

/// Gives rows of two tags to a program; the directory is its `DIR`. What `flush` says comes back.
fn run_in(dir: &Path, command: &str, given: &[(&str, &[&str])], at: u64) -> Result<(), String> {
    let path = dir.display().to_string();
    let command = command.replace("DIR", &path);
    let own: &[(&str, &[&str])] = &[
        ("command", &[command.as_str()]),
        ("buffer.path", &[path.as_str()]),
        ("buffer.flush_mode", &["immediate"]),
        ("format.keys", &["a"]),
    ];
    let runtime = task::runtime("test", 1).unwrap();
    let options = options_of(&PROTOCOL, &[own, given].concat());
    let clock = Sys::real().clock;
    let until = clock.monotonic() + Duration::from_secs(60);
    // The thread of an output before may still be about to leave its directory.
    let output = loop {
        match make(&options, &env(&runtime, Limits::default())) {
            Ok(output) => break output,
            Err(error) if error.to_string().contains("in use") && clock.monotonic() < until => {
                task::sleep(Duration::from_millis(20));
            }
            Err(error) => panic!("{error}"),
        }
    };
    for (number, tag) in ["x", "y z"].into_iter().enumerate() {
        let at = at + number as u64;
        let origin = Origin::Journal { at: Lsn(at), next: Lsn(at + 1), position: None };
        output.take(Arc::new(rows(tag, &[r#"{"a":"1"}"#, r#"{"a":"2"}"#])), origin).unwrap();
    }
    output.flush().map_err(|error| error.to_string())
}

fn run(command: &str, given: &[(&str, &[&str])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    run_in(dir.path(), command, given, 0).unwrap();
    dir
}

fn read(dir: &tempfile::TempDir, name: &str) -> String {
    String::from_utf8(Sys::real().fs.read(&dir.path().join(name)).unwrap()).unwrap()
}

const BY_TAG: (&str, &[&str]) = ("buffer.keys", &["tag"]);

#[test]
fn a_program_gets_each_chunk_as_a_file() {
    let dir = run("cat >>DIR/all", &[BY_TAG]);
    assert_eq!(read(&dir, "all"), "1\n2\n1\n2\n");
}

#[test]
fn places_are_words_of_the_shell() {
    let dir = run("sh -c 'echo \"$1\" >>DIR/tags; cat \"$2\" >>DIR/all' sh ${tag}", &[("buffer.keys", &[])]);
    let mut tags: Vec<String> = read(&dir, "tags").lines().map(str::to_owned).collect();
    tags.sort();
    assert_eq!((tags.join(","), read(&dir, "all")), ("x,y z".to_owned(), "1\n2\n1\n2\n".to_owned()));
    assert_eq!(word("a'; rm -rf $HOME"), "'a'\\''; rm -rf $HOME'");
}

#[test]
fn what_a_program_does_not_take_it_gets_again() {
    let dir = tempfile::tempdir().unwrap();
    // The output's own thread may have asked first, and have been told.
    let told = run_in(dir.path(), "echo >>DIR/tried; exit 7;", &[BY_TAG], 0);
    assert!(told.is_ok() || told.is_err_and(|told| told.contains("status 7")));
    assert!(!read(&dir, "tried").is_empty());
    run_in(dir.path(), "cat >>DIR/all", &[BY_TAG], 2).unwrap();
    assert_eq!(read(&dir, "all"), "1\n2\n".repeat(4));
    let slow = tempfile::tempdir().unwrap();
    let late = run_in(slow.path(), "exec sleep 60;", &[BY_TAG, ("command_timeout", &["50ms"])], 0);
    assert!(late.is_ok() || late.is_err_and(|told| told.contains("took longer than 50ms")));
}

#[test]
fn fluentds_form_means_the_same() {
    let text = "command /bin/x -y\ncommand_timeout 5\n<format>\n@type tsv\nkeys k,tag\n</format>\n\
                <inject>\ntag_key tag\ntime_key time\n</inject>";
    let options = fluent(&PROTOCOL, "match", text).unwrap_or_else(|wrong| panic!("{wrong:?}"));
    for (name, is) in [
        ("command", "/bin/x -y"),
        ("command_timeout", "5s"),
        ("format.keys", "k|tag"),
        ("inject.time_type", "string"),
        ("inject.timezone", "UTC"),
        ("buffer.keys", ""),
    ] {
        assert_eq!(options.list(name).join("|"), is, "{name}");
    }
    assert!(fluent(&PROTOCOL, "match", "").unwrap_err()[0].contains("needs `command`"));
    let runtime = task::runtime("test", 1).unwrap();
    let none = make(&options_of(&PROTOCOL, &[]), &env(&runtime, Limits::default()));
    assert!(none.err().unwrap().to_string().contains("`command`"));
}
