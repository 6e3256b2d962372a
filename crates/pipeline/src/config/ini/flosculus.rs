//! Flosculus: files that are followed, each line parsed and sent to a Fluentd. What its author promised and it did not do, it
//! does here: remotes are inherited from the global section, zones are minded, a `:` may stand in a path.

use std::path::Path;

use super::{Comments, elements, name, section, told};
use crate::TagPattern;
use crate::config::{
    Action, Config, Element, ElementReader, Finding, Known, OutputSection, QueueOptions, Section, Step,
    Target,
};

/// Format of the only time there is; a line without a zone has the machine's own.
const TIME: &str = "%d/%b/%Y:%H:%M:%S %z";
const TIME_WITHOUT_ZONE: &str = "%d/%b/%Y:%H:%M:%S";

/// The format `nginx`, which is not Fluentd's: it is looked for anywhere in a line, so that what follows the agent does no harm,
/// and a path ends at the last blank.
const NGINX: &str = r#"(?<remote>[^ ]*) (?<host>[^ ]*) (?<user>[^ ]*) \[(?<time>[^\]]*)\] "(?<method>\S+)(?: +(?<path>[^"]*) +\S*)?" (?<code>[^ ]*) (?<size>[^ ]*) "(?<referer>[^"]*)" "(?<agent>[^"]*)""#;

/// Reads a file.
pub(in crate::config) fn read(path: &Path, text: &str, known: Known<'_>) -> (Config, Vec<Finding>) {
    let mut findings = Vec::new();
    let sections = elements(path, text, Comments::Lines, &mut findings);
    let mut config = Config { only_listed: true, ..Config::default() };
    let global = sections.iter().find(|section| name(section) == "flosculus");
    let remote = match global {
        Some(global) => remote(global, ("localhost", 24224), &mut findings, |_| {}),
        None => {
            let at = Element { file: std::sync::Arc::new(path.to_owned()), line: 1, ..Element::default() };
            findings.push(told(&at, "there is no [flosculus] section; add one".to_owned(), false));
            ("localhost".to_owned(), 24224)
        }
    };
    let mut remotes: Vec<(String, i64, usize)> = Vec::new();
    for element in sections.iter().filter(|element| name(element) != "flosculus") {
        let Some(path) = name(element).strip_prefix("log:") else {
            let message = format!("there is no {} here; write [log:/path/of/a/file]", element.name);
            findings.push(told(element, message, false));
            continue;
        };
        let (mut tag, mut format) = (String::new(), String::new());
        let (host, port) = remote_of(element, &remote, &mut findings, |reader| {
            tag = reader.required("tag").trim_matches('.').to_owned();
            format = reader.required("format").to_owned();
        });
        if format.is_empty() {
            continue;
        }
        match input(known, element, path, &tag, &format) {
            Ok(input) => config.inputs.push(Section { label: label(&host, port), ..input }),
            Err(message) => findings.push(told(element, message, false)),
        }
        if !remotes.iter().any(|(have, at, _)| (have, *at) == (&host, port)) {
            remotes.push((host, port, element.line));
        }
    }
    for (host, port, line) in remotes {
        match output(known, &host, port, line) {
            Ok(to) => {
                let action = Action::Send { to, last: true };
                config.steps.push(Step { label: label(&host, port), tags: TagPattern::all(), action });
            }
            Err(message) => findings.push(told(&Element { line, ..sections[0].clone() }, message, false)),
        }
    }
    (config, findings)
}

/// Rows of a file go to the remote of its section.
fn label(host: &str, port: i64) -> String {
    format!("@{host}:{port}")
}

fn remote_of(
    element: &Element,
    inherited: &(String, i64),
    findings: &mut Vec<Finding>,
    more: impl FnOnce(&mut ElementReader<'_>),
) -> (String, i64) {
    remote(element, (&inherited.0, inherited.1), findings, more)
}

fn remote(
    element: &Element,
    inherited: (&str, i64),
    findings: &mut Vec<Finding>,
    more: impl FnOnce(&mut ElementReader<'_>),
) -> (String, i64) {
    let mut reader = ElementReader::new(element, findings);
    let host = reader.text("remote_host").unwrap_or(inherited.0).to_owned();
    let port = reader.number("remote_port").unwrap_or(inherited.1);
    more(&mut reader);
    reader.finish();
    (host, port)
}

fn input(
    known: Known<'_>,
    element: &Element,
    path: &str,
    tag: &str,
    format: &str,
) -> Result<Section, String> {
    let text = |text: &str| vec![text.to_owned()];
    let mut given = vec![
        ("paths", text(path)),
        ("tag", text(tag)),
        ("from_beginning", text("false")),
        ("parse.unmatched", text("drop")),
    ];
    let expression = if format == "nginx" { NGINX.to_owned() } else { format.replace("(?P<", "(?<") };
    if expression.contains("(?<time>") {
        given.extend([
            ("parse.time_type", text("mixed")),
            ("parse.time_format", text(TIME)),
            ("parse.time_format_fallbacks", text(TIME_WITHOUT_ZONE)),
            ("parse.timezone", text("local")),
            ("parse.keep_time_key", text("true")),
        ]);
    }
    given.extend([("parse.type", text("regexp")), ("parse.expression", vec![expression])]);
    section(known, "tail", given, element.line)
}

fn output(known: Known<'_>, host: &str, port: i64, line: usize) -> Result<Target, String> {
    let given = vec![("to", vec![format!("{host}:{port}")]), ("lane", vec!["false".to_owned()])];
    let section = section(known, "forward", given, line)?;
    Ok(Target::Output(OutputSection { section, secondary: None, queue: QueueOptions::default() }))
}
