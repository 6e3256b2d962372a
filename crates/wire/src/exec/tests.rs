//! Programs that print, with a real journal behind.

use std::time::Duration;

use sawlog_model::Fields;
use sawlog_pipeline::config;

use super::PROTOCOL;
use crate::shared::door::testing::{Listening, shown, source};

fn run(given: &[(&str, &[&str])]) -> Listening {
    let given: Vec<(&str, Vec<String>)> = given
        .iter()
        .map(|(name, values)| (*name, values.iter().map(|value| (*value).to_owned()).collect()))
        .collect();
    Listening::with(&PROTOCOL, &given)
}

#[test]
fn lines_are_rows_while_the_program_runs() {
    let mut node = run(&[("command", &["echo one; printf 'two\\n\\nthr'; sleep 100"])]);
    assert_eq!(node.rows(2), ["exec | message=one", "exec | message=two"]);
    // The node's end is the program's; what it printed is kept.
    let began = node.env.sys.clock.monotonic();
    node.stop();
    assert!(node.env.sys.clock.monotonic() - began < Duration::from_secs(4));
    assert_eq!(node.output.wait_for_rows(3), ["one\n", "two\n", "thr"]);
    assert_eq!(node.errors(), []);
}

#[test]
fn a_list_goes_by_no_shell() {
    let node = run(&[("command", &["echo", "$HOME; false"]), ("tag", &["t"])]);
    assert_eq!(node.rows(1), ["t | message=$HOME; false"]);
}

#[test]
fn it_is_run_again() {
    let node = run(&[("command", &["echo x"]), ("run_interval", &["20ms"])]);
    assert_eq!(node.output.wait_for_rows(3)[2], "x\n");
    let node = run(&[("command", &["echo x"])]);
    node.rows(1);
    sawlog_sys::task::sleep(Duration::from_millis(100));
    assert_eq!(node.output.lines().len(), 1, "once is once");
}

#[test]
fn fields_time_and_tag_are_found() {
    let node = run(&[
        ("command", &["printf '7\\tweb\\t1441588984.25\\n8\\t\\t5\\n'"]),
        ("parse.type", &["tsv"]),
        ("parse.keys", &["n", "where", "at"]),
        ("parse.time_key", &["at"]),
        ("parse.time_type", &["float"]),
        ("tag_key", &["where"]),
        ("tag", &["rest"]),
    ]);
    let mut rows = Vec::new();
    node.each_row(2, |row| rows.push((shown(row), row.time(), row.batch.source.facts.name.clone())));
    assert_eq!(rows[0], ("web | n=7".to_owned(), 1_441_588_984_250_000_000, "exec@3:web".to_owned()));
    assert_eq!((rows[1].0.as_str(), rows[1].1), ("rest | n=8", 5_000_000_000));
    let node = run(&[
        ("command", &["echo '{\"t\":\"a\\u0062\",\"x\":1}'; echo no"]),
        ("parse.type", &["json"]),
        ("parse.unmatched", &["drop"]),
        ("tag_key", &["t"]),
    ]);
    assert_eq!(node.rows(1), ["ab | x=1"]);
    node.wait_for_error("unmatched");
}

#[test]
fn errors_of_the_program_are_read_or_counted() {
    let node =
        run(&[("command", &["echo out; echo err >&2; exit 3"]), ("connect_mode", &["read_with_stderr"])]);
    node.output.wait_for_rows(2);
    assert_eq!(node.output.lines(), ["out\n", "err\n"]);
    node.wait_for_error("exec");
    let node = run(&[("command", &["/nothing/here", "x"])]);
    node.wait_for_error("exec");
    for given in [("connect_mode", "write"), ("command", ""), ("parse.type", "msgpack"), ("tag_key", "x")] {
        let command = ("command", vec!["true".to_owned()]);
        let options = config::options(&PROTOCOL, &[command, (given.0, vec![given.1.to_owned()])]).unwrap();
        assert!((PROTOCOL.input.unwrap())(&options).is_err(), "{given:?}");
    }
}

#[test]
fn fluentds_options_mean_ours() {
    let (options, findings) = source(
        &PROTOCOL,
        "@type exec
         command cmd arg arg
         run_interval 10s
         connect_mode read_with_stderr
         tag t
         <parse>
           @type tsv
           keys k1,tag1,time1
         </parse>
         <extract>
           tag_key tag1
           time_key time1
           time_type string
           time_format %Y-%m-%d
         </extract>",
    );
    assert_eq!(findings, [] as [&str; 0]);
    let wanted = "command=cmd arg arg connect_mode=read_with_stderr parse.keys=k1,tag1,time1 parse.time_format=%Y-%m-%d \
        parse.time_key=time1 parse.time_type=string parse.timezone=local parse.type=tsv parse.unmatched=drop \
        run_interval=10000000000ns tag=t tag_key=tag1";
    assert_eq!(options, wanted);
    let (options, findings) = source(&PROTOCOL, "type exec\ncommand c\nkeys a,b\ntag_key a\ntime_key b");
    assert_eq!(findings, [] as [&str; 0]);
    let wanted = "command=c parse.keys=a,b parse.time_key=b parse.time_type=float parse.type=tsv parse.unmatched=drop tag_key=a";
    assert_eq!(options, wanted);
    let (options, findings) = source(&PROTOCOL, "@type exec\ncommand c\nformat json\ntag t");
    assert_eq!((options.contains("parse.type=json"), findings.len()), (true, 0), "{findings:?}");
}
