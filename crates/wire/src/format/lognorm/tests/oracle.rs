//! Debian's `lognormalizer` beside this engine: the same of each line.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sawlog_sys::{Open, Sys};

use super::documented::examples;
use super::nested::nested;
use super::rules::{ACCESS, Case, SYSLOG, SYSLOG_V1, together, types};
use super::*;

/// What the program says of each line; `None` where there is no such program.
fn asked(case: &Case, lines: &[String]) -> Option<Vec<String>> {
    let dir = tempfile::tempdir().unwrap();
    let rules = &case.rules;
    for (name, text) in case.files.iter().copied().chain([("rules", &**rules)]) {
        let file = Sys::real().fs.open(&dir.path().join(name), Open::New).unwrap();
        file.write_at(text.as_bytes(), 0).unwrap();
    }
    let started = Command::new("lognormalizer")
        .args(["-r", "rules"])
        .current_dir(dir.path())
        .args(["-e", "json", "-T"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut process = started.ok()?;
    let mut to = process.stdin.take().unwrap();
    let text = lines.concat();
    let writer = sawlog_sys::task::spawn("lines", move || {
        // It may end before it has read all: then its answers are too few.
        let _ = to.write_all(text.as_bytes());
    });
    let output = process.wait_with_output().unwrap();
    writer.unwrap().join();
    let mut answers: Vec<String> =
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    if output.status.code().is_none() {
        // It crashes on some texts: what it had said before counts, but for a line that is cut off.
        answers.pop();
        return Some(answers);
    }
    assert_eq!(answers.len(), lines.len(), "{rules}\n{answers:?}");
    Some(answers)
}

/// What the program writes that does the same.
fn written(base: &RuleBase, line: &str, memory: &mut Memory) -> String {
    let mut out = Vec::new();
    base.write_json(line.as_bytes(), memory, &mut out);
    String::from_utf8(out).unwrap()
}

/// Compares; gives how many lines were of a rule, and words about those that differ.
fn compare(case: &Case) -> Option<(usize, Vec<String>)> {
    let lines: Vec<String> = case.lines.iter().map(|line| format!("{line}\n")).collect();
    let theirs = asked(case, &lines)?;
    let base = base_of(&case.rules, &case.files).unwrap_or_else(|error| panic!("{}\n{error}", case.rules));
    let (mut matched, mut differ) = (0, Vec::new());
    let mut memory = Memory::default();
    for (line, theirs) in case.lines.iter().zip(theirs) {
        let ours = base.normalize(line.as_bytes(), &mut memory);
        assert_eq!(written(&base, line, &mut memory), {
            let mut text = Vec::new();
            value::render(&ours, &mut text);
            String::from_utf8(text).unwrap()
        });
        matched += usize::from(ours.get("originalmsg").is_none());
        // Numbers are written as they stand in the line, also where JSON has no such number: then it is the text that is the same.
        let same = match parse_json(theirs.as_bytes(), &Limits::default()) {
            Ok(read) => sorted(ours) == sorted(read),
            Err(_) => case.rules.contains(":float{") && ours.get("f").is_some(),
        };
        if !same {
            differ.push(format!("{line:?}\n  theirs {theirs}\n  ours   {}", json(&base, line)));
        }
    }
    Some((matched, differ))
}

fn skipped(name: &str) {
    println!("SKIPPED {name}: there is no lognormalizer; it is in Debian's package liblognorm-utils");
}

fn all(name: &str, cases: Vec<Case>) {
    let mut wrong = Vec::new();
    for case in cases {
        let Some((_, differ)) = compare(&case) else { return skipped(name) };
        wrong.extend(differ.into_iter().map(|words| format!("{}{words}", case.rules)));
    }
    assert!(wrong.is_empty(), "{} lines differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_type_of_field() {
    all("lognorm: every type of field beside lognormalizer", types());
}

#[test]
fn fields_that_are_made_of_others() {
    all("lognorm: fields made of others beside lognormalizer", nested());
}

#[test]
fn examples_of_the_documentation() {
    all("lognorm: examples of the documentation beside lognormalizer", examples());
}

#[test]
fn rules_together() {
    all("lognorm: rules together beside lognormalizer", together());
}

/// A file of the real logs.
fn real(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("SAWLOG_DATA").map(PathBuf::from)?;
    let path = root.join(name);
    Sys::real().fs.metadata(&path).ok().map(|_| path)
}

fn lines(path: &Path, most: usize) -> Vec<String> {
    let bytes = Sys::real().fs.read(path).unwrap();
    let lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    lines
        .filter(|line| !line.is_empty())
        .take(most)
        .map(|line| line.trim_end_matches('\r').to_owned())
        .collect()
}

#[test]
fn ten_thousand_real_lines() {
    let name = "lognorm: real lines beside lognormalizer";
    let (Some(syslog), Some(access)) = (real("loghub_full/Linux.log"), real("elastic_examples/apache_logs"))
    else {
        println!("SKIPPED {name}: SAWLOG_DATA does not name the real logs");
        return;
    };
    let (syslog, access) = (lines(&syslog, 5_000), lines(&access, 5_000));
    let behind_blank: Vec<String> = access.iter().map(|line| format!(" {line}")).collect();
    let cases = [
        (SYSLOG, syslog.clone(), 4_900),
        (ACCESS, access, 4_900),
        (SYSLOG_V1, syslog, 2_000),
        (APACHE, behind_blank, 4_900),
    ];
    for (rules, lines, least) in cases {
        let Some((matched, differ)) = compare(&Case { rules: rules.to_owned(), lines, ..Case::default() })
        else {
            return skipped(name);
        };
        let shown = differ.iter().take(5).cloned().collect::<Vec<_>>().join("\n");
        assert!(differ.is_empty(), "{} differ:\n{shown}", differ.len());
        assert!(matched >= least, "{matched} of {least} lines are of a rule");
    }
}
