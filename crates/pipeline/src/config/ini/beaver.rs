//! Beaver: files that are followed and shipped as Logstash has them. Positions are bytes here, so what it did wrong after a
//! rotation or a restart does not happen.

use std::path::{Path, PathBuf};

use sawlog_model::value::{self, Value};
use sawlog_sys::Fs;

use super::transport::{self, Transport};
use super::{Comments, elements, is_file, name, section, told};
use crate::TagPattern;
use crate::config::{
    Action, Config, Element, ElementReader, Finding, Known, OutputSection, QueueOptions, Section, Step,
    Target,
};

/// Where further sections lie unless the file says otherwise.
const CONF_D: &str = "/etc/beaver/conf.d";
/// Reads a file and those of its `conf.d`.
pub(in crate::config) fn read(
    fs: &dyn Fs,
    path: &Path,
    text: &str,
    known: Known<'_>,
) -> (Config, Vec<Finding>) {
    let mut findings = Vec::new();
    let mut sections = elements(path, text, Comments::Inline, &mut findings);
    let mut global = Element {
        name: "[beaver]".to_owned(),
        file: std::sync::Arc::new(path.to_owned()),
        line: 1,
        ..Element::default()
    };
    // One that stands again goes on with the first, and its keys go over those before.
    for section in sections.extract_if(.., |section| name(section) == "beaver") {
        let pairs = std::mem::take(&mut global.pairs);
        global =
            Element { pairs: pairs.into_iter().chain(section.pairs.iter().cloned()).collect(), ..section };
    }
    let (globals, transport) = global_keys(&global, &mut findings);
    for file in conf_d(fs, &globals.confd) {
        more_sections(fs, &file, &mut sections, &mut findings);
    }
    if sections.is_empty() {
        let paths = if globals.files.is_empty() {
            vec![format!("{}/*.log", globals.path)]
        } else {
            globals.files.clone()
        };
        sections
            .extend(paths.into_iter().map(|path| Element { name: format!("[{path}]"), ..global.clone() }));
        sections.iter_mut().for_each(|section| section.pairs.clear());
    }
    let mut config = Config { only_listed: true, ..Config::default() };
    for element in &sections {
        match input(element, &globals, known, &mut findings) {
            Ok(followed) => {
                let steps = steps(element, &followed, &globals, transport.as_ref(), known);
                let steps = steps.unwrap_or_else(|message| {
                    findings.push(told(element, message, false));
                    Vec::new()
                });
                let label = steps.first().map_or_else(String::new, |step| step.label.clone());
                config.steps.extend(steps);
                config.inputs.push(Section { label, ..followed.input });
            }
            Err(message) => findings.push(told(element, message, false)),
        }
    }
    match transport.map(|transport| transport.output(known, &globals.format, None)) {
        Some(Ok(output)) => config.push_output(output),
        Some(Err(message)) => findings.push(told(&global, message, false)),
        None => {}
    }
    (config, findings)
}

/// What becomes of the rows of a section that differ from those of others: a label of their own with fields, then an output in
/// another format or place, or the way of all.
fn steps(
    element: &Element,
    followed: &Followed,
    globals: &Globals,
    transport: Option<&Transport>,
    known: Known<'_>,
) -> Result<Vec<Step>, String> {
    let label = format!("@{}", name(element));
    let step = |action| Step { label: label.clone(), tags: TagPattern::all(), action };
    let mut steps = Vec::new();
    if !followed.fields.is_empty() {
        let set = vec![("set", followed.fields.clone())];
        steps.push(step(Action::Filter(section(known, "record_transformer", set, element.line)?)));
    }
    let differs = |transport: &&Transport| {
        followed.format != globals.format || (followed.keys.is_some() && transport.has_keys())
    };
    let to = match transport.filter(differs) {
        Some(transport) => {
            let section = transport.output(known, &followed.format, followed.keys.as_deref())?;
            Target::Output(OutputSection { section, secondary: None, queue: QueueOptions::default() })
        }
        None if steps.is_empty() => return Ok(steps),
        None => Target::Label(String::new()),
    };
    steps.push(step(Action::Send { to, last: true }));
    Ok(steps)
}

/// What holds for all files.
struct Globals {
    confd: String,
    path: String,
    files: Vec<String>,
    host: String,
    format: String,
    /// Where it kept its positions; empty: nowhere.
    sincedb: String,
}

fn conf_d(fs: &dyn Fs, dir: &str) -> Vec<PathBuf> {
    let entries = fs.list(Path::new(dir)).unwrap_or_default();
    entries.into_iter().map(|entry| entry.path).filter(|path| is_file(fs, path)).collect()
}

/// A section of a later file stands for the one of the same name before it; `[beaver]` is only read in the first file.
fn more_sections(fs: &dyn Fs, file: &Path, sections: &mut Vec<Element>, findings: &mut Vec<Finding>) {
    let text = match crate::config::fluent::read_text(fs, file) {
        Ok(text) => text,
        Err(message) => {
            let at = Element { file: std::sync::Arc::new(file.to_owned()), line: 1, ..Element::default() };
            return findings.push(told(&at, message, false));
        }
    };
    for element in elements(file, &text, Comments::Inline, findings) {
        if name(&element) == "beaver" {
            findings.push(told(&element, "[beaver] has no effect in a file of conf.d".to_owned(), true));
            continue;
        }
        match sections.iter_mut().find(|have| have.name == element.name) {
            Some(have) => *have = element,
            None => sections.push(element),
        }
    }
}

fn global_keys(global: &Element, findings: &mut Vec<Finding>) -> (Globals, Option<Transport>) {
    // Keys of ways out that are not taken say nothing.
    let mut own = global.clone();
    let chosen = own.get("transport").unwrap_or("stdout").to_owned();
    own.pairs.retain(|pair| !transport::is_of_another(&pair.key, &chosen));
    let mut reader = ElementReader::new(&own, findings);
    let globals = Globals {
        confd: reader.text("confd_path").unwrap_or(CONF_D).to_owned(),
        path: reader.text("path").unwrap_or("/var/log").trim_end_matches('/').to_owned(),
        files: reader.list("files").unwrap_or_default(),
        host: reader.text("hostname").unwrap_or_default().to_owned(),
        format: reader.text("format").unwrap_or("json").to_owned(),
        sincedb: reader.text("sincedb_path").unwrap_or_default().to_owned(),
    };
    if let Err(message) = transport::check_format(&globals.format) {
        reader.wrong("format", &message);
    }
    let transport = Transport::read(&mut reader, own.line);
    reader.without_effect(
        &[
            "queue_timeout",
            "max_queue_size",
            "wait_timeout",
            "refresh_worker_process",
            "number_of_consumer_processes",
            "respawn_delay",
            "max_failure",
            "subprocess_poll_sleep",
        ],
        "one process does all, and its journal is the queue",
    );
    reader.without_effect(
        &["discover_interval", "update_file_mapping_time", "ignore_old_files", "sincedb_write_interval"],
        "files are found as they appear, and positions are kept in the node's data",
    );
    reader.without_effect(
        &["fqdn", "pid", "debug", "daemonize", "logfile"],
        "it is said where the program is started",
    );
    reader.finish();
    match transport {
        Ok(transport) => (globals, Some(transport)),
        Err(message) => {
            findings.push(told(&own, message, false));
            (globals, None)
        }
    }
}

/// A section, and how its rows differ from those of others.
struct Followed {
    input: Section,
    /// Fields that its rows get.
    fields: Vec<String>,
    format: String,
    /// Keys of its own in Redis.
    keys: Option<Vec<String>>,
}

fn input(
    element: &Element,
    globals: &Globals,
    known: Known<'_>,
    findings: &mut Vec<Finding>,
) -> Result<Followed, String> {
    let text = |text: &str| vec![text.to_owned()];
    let mut reader = ElementReader::new(element, findings);
    let mut given = vec![("paths", text(name(element)))];
    if !globals.sincedb.is_empty() {
        given.push(("pos_file", text(&globals.sincedb)));
    }
    given.push(("tag", text(reader.text("type").unwrap_or("file"))));
    if !globals.host.is_empty() {
        given.push(("host", text(&globals.host)));
    }
    if let Some(expression) = reader.text("exclude").filter(|expression| !expression.is_empty()) {
        match glob_of(expression) {
            Some(glob) => given.push(("exclude", vec![glob])),
            None => reader.wrong(
                "exclude",
                &format!("`{expression}` cannot be written as a pattern of paths; run `sawlog convert` without it and add one"),
            ),
        }
    }
    let beginning = match reader.text("start_position") {
        None | Some("end" | "") => "false",
        Some("beginning") => "true",
        Some(other) => {
            reader.wrong("start_position", &format!("`{other}`: only end and beginning are known here"));
            "false"
        }
    };
    given.push(("from_beginning", text(beginning)));
    let format = reader.text("format").unwrap_or(&globals.format).to_owned();
    if format != globals.format
        && let Err(message) = transport::check_format(&format)
    {
        reader.wrong("format", &message);
    }
    let kind = if format == "rawjson" { "json" } else { "none" };
    let keys = reader.list("redis_namespace").filter(|keys| !keys.is_empty());
    given.push(("parse.type", text(kind)));
    given
        .extend(reader.text("encoding").filter(|name| !name.is_empty()).map(|name| ("encoding", text(name))));
    if reader.text("delimiter").is_some_and(|delimiter| !matches!(delimiter, "\\n" | "\n" | "")) {
        reader.wrong("delimiter", "only lines are read; leave it away");
    }
    let fields = fields(&mut reader);
    for (theirs, ours) in
        [("multiline_regex_before", "parse.join_before"), ("multiline_regex_after", "parse.join_after")]
    {
        given.extend(reader.text(theirs).filter(|value| !value.is_empty()).map(|value| (ours, text(value))));
    }
    let empty = reader.text("ignore_empty").is_some_and(|value| !matches!(value, "" | "0"));
    if empty {
        given.push(("ignore_empty", text("true")));
    }
    if let Some(count) = reader.number("tail_lines").filter(|count| *count > 0) {
        given.push(("tail_lines", text(&count.to_string())));
    }
    reader.without_effect(
        &["ignore_truncate", "size_limit", "sincedb_write_interval", "stat_interval"],
        "every line is read once, whatever becomes of its file",
    );
    reader.without_effect(
        &["discover_interval", "debug", "message_format"],
        "it did nothing, or of a transport that is not here",
    );
    reader.finish();
    Ok(Followed { input: section(known, "tail", given, element.line)?, fields, format, keys })
}

/// Fields that every row gets, as `record_transformer` sets them: those of the file itself are lists of one text.
fn fields(reader: &mut ElementReader<'_>) -> Vec<String> {
    let mut fields = Vec::new();
    if let Some(tags) = reader.list("tags").filter(|tags| !tags.is_empty()) {
        fields.push(format!("tags={}", json(&tags)));
    }
    for key in ["add_field", "add_field_env"] {
        let words = reader.list(key).unwrap_or_default();
        if words.len() % 2 == 1 {
            reader.wrong(key, "it takes names and values by turns: name,value,name,value");
        }
        for pair in words.chunks_exact(2) {
            let value = match key {
                "add_field" => json(&pair[1..]),
                _ => std::env::var(&pair[1]).unwrap_or_default(),
            };
            fields.push(format!("{}={value}", pair[0]));
        }
    }
    fields
}

fn json(texts: &[String]) -> String {
    let mut line = Vec::new();
    value::render(&Value::List(texts.iter().cloned().map(Value::Str).collect()), &mut line);
    String::from_utf8_lossy(&line).into_owned()
}

/// A pattern of paths that fits where the expression is found in a path; such that have no more than literals, `.`, `.*`,
/// groups of alternatives and an end.
fn glob_of(expression: &str) -> Option<String> {
    let (mut glob, mut depth) = (String::new(), 0_usize);
    let (body, ends) = match expression.strip_suffix('$') {
        Some(body) if !body.ends_with('\\') => (body, true),
        _ => (expression, false),
    };
    let mut characters = body.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next()? {
                escaped if escaped.is_ascii_punctuation() && !"*?[]{}".contains(escaped) => {
                    glob.push(escaped)
                }
                _ => return None,
            },
            '.' if characters.next_if_eq(&'*').is_some() => glob.push('*'),
            '.' => glob.push('?'),
            '(' => {
                depth += 1;
                glob.push('{');
            }
            '|' if depth > 0 => glob.push(','),
            ')' => {
                depth = depth.checked_sub(1)?;
                glob.push('}');
            }
            // A `/` would have to be told from the directories of the pattern.
            '/' | '^' | '|' | '*' | '+' | '?' | '[' | ']' | '{' | '}' | ',' | '$' => return None,
            other => glob.push(other),
        }
    }
    (depth == 0).then(|| format!("/**/*{glob}{}", if ends { "" } else { "*" }))
}
