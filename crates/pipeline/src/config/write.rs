//! Writes a configuration as `sawlog.toml`: only what differs from the defaults. Knows nothing of where it was read from.

use std::fmt::Write;

use super::sections::overflow_text;
use super::{
    Action, Config, Known, OutputSection, QueueOptions, Section, Step, Target, bytes_text, duration_text,
};
use crate::{Opt, OptKind, Protocol, TagPattern};

/// The text of a configuration; read again it is the same one.
pub fn write(config: &Config, known: Known<'_>) -> String {
    let mut writer = Writer { known, text: String::new() };
    writer.settings(config);
    for input in &config.inputs {
        writer.text.push_str("\n[[input]]\n");
        writer.text_key("type", &input.kind);
        writer.given("label", &input.label);
        writer.given("tenant", &input.tenant);
        writer.section(input, "");
    }
    for step in &config.steps {
        writer.step(step);
    }
    writer.text.trim_start().to_owned()
}

/// The list, the number and the key of a setting that comes in a list of tables.
fn in_list(name: &str) -> Option<(&str, &str, &str)> {
    let (rest, key) = name.rsplit_once('.')?;
    let (list, number) = rest.rsplit_once('.')?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then_some((list, number, key))
}

struct Writer<'a> {
    known: Known<'a>,
    text: String,
}

impl Writer<'_> {
    fn line(&mut self, key: &str, value: &str) {
        let _ = writeln!(self.text, "{key} = {value}");
    }

    fn text_key(&mut self, key: &str, value: &str) {
        self.line(key, &quoted(value));
    }

    /// A text that is left out where it is empty.
    fn given(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.text_key(key, value);
        }
    }

    fn settings(&mut self, config: &Config) {
        let mut table = "";
        if config.only_listed {
            self.line("only_listed", "true");
        }
        let (listed, others): (Vec<_>, Vec<_>) =
            config.settings.iter().partition(|(name, _)| in_list(name).is_some());
        let (plain, grouped): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|(name, _)| !name.contains('.'));
        for (name, value) in plain.into_iter().chain(grouped) {
            let (group, key) = name.split_once('.').unwrap_or(("", name));
            if group != table {
                let _ = writeln!(self.text, "\n[{group}]");
                table = group;
            }
            self.node_wide(name, key, value);
        }
        for (name, value) in listed {
            let Some((list, number, key)) = in_list(name) else { continue };
            let entry = &name[..name.len() - key.len()];
            if entry != table {
                let _ = writeln!(self.text, "\n[[{list}]]");
                table = entry;
            }
            self.node_wide(&name.replacen(number, "*", 1), key, value);
        }
    }

    /// A setting that is known as `name`.
    fn node_wide(&mut self, name: &str, key: &str, value: &str) {
        let known = self.known.settings.iter().find(|(have, ..)| *have == name);
        let value = value_text(known.map_or(OptKind::Text, |(_, kind, _)| *kind), value);
        self.line(key, &value);
    }

    /// The name and the options of a section; `queue` is how an option of that name is to be called.
    fn section(&mut self, section: &Section, queue: &str) {
        self.given("id", &section.name);
        for (name, value) in self.options(section) {
            let name = if name == "queue" && !queue.is_empty() { queue } else { name };
            self.line(name, &value);
        }
    }

    /// Options that are not as by default, with their values as TOML has them.
    fn options(&self, section: &Section) -> Vec<(&'static str, String)> {
        let Some(protocol) = self.known.protocols.iter().find(|protocol| protocol.name == section.kind)
        else {
            return Vec::new();
        };
        let protocol: &Protocol = protocol;
        let mut options = Vec::new();
        for Opt { name, kind, default, .. } in protocol.options {
            let values = section.options.list(name);
            let is_default = if default.is_empty() { values.is_empty() } else { values == [*default] };
            let value = match (kind, values) {
                (OptKind::List, values) => {
                    format!("[{}]", values.iter().map(|value| quoted(value)).collect::<Vec<_>>().join(", "))
                }
                (kind, [value, ..]) => value_text(*kind, value),
                (_, []) => continue,
            };
            if !is_default {
                options.push((*name, value));
            }
        }
        options
    }

    fn step(&mut self, step: &Step) {
        match &step.action {
            Action::Filter(section) => {
                self.text.push_str("\n[[filter]]\n");
                self.text_key("type", &section.kind);
                self.where_it_stands(step);
                self.section(section, "");
            }
            Action::Send { to, last } => {
                self.text.push_str("\n[[output]]\n");
                self.where_it_stands(step);
                if *last {
                    self.line("last", "true");
                }
                self.target(to, "output");
            }
        }
    }

    fn where_it_stands(&mut self, step: &Step) {
        self.given("label", &step.label);
        if step.tags != TagPattern::all() {
            let key = if step.tags.is_ik() { "match_ik" } else { "match" };
            self.text_key(key, &step.tags.to_string());
        }
    }

    fn target(&mut self, target: &Target, path: &str) {
        match target {
            Target::Label(label) => self.text_key("to_label", label),
            Target::Output(output) => self.output(output),
            Target::OneOf(choices) => {
                let path = format!("{path}.one_of");
                for (weight, target) in choices {
                    let _ = writeln!(self.text, "\n[[{path}]]");
                    if *weight != 1 {
                        self.line("weight", &weight.to_string());
                    }
                    self.target(target, &path);
                }
            }
        }
    }

    fn output(&mut self, output: &OutputSection) {
        self.text_key("type", &output.section.kind);
        let has_queue = output.queue != QueueOptions::default();
        self.section(&output.section, if has_queue { "queue.memory" } else { "" });
        self.queue(&output.queue);
        if let Some(secondary) = &output.secondary {
            let mut parts = vec![format!("type = {}", quoted(&secondary.kind))];
            if !secondary.name.is_empty() {
                parts.push(format!("id = {}", quoted(&secondary.name)));
            }
            parts
                .extend(self.options(secondary).into_iter().map(|(name, value)| format!("{name} = {value}")));
            self.line("secondary", &format!("{{ {} }}", parts.join(", ")));
        }
    }

    fn queue(&mut self, queue: &QueueOptions) {
        let default = QueueOptions::default();
        let time = |time: std::time::Duration| {
            quoted(&duration_text(i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)))
        };
        let entries = [
            ("limit", queue.limit.map(|bytes| quoted(&bytes_text(bytes)))),
            ("overflow", (queue.overflow != default.overflow).then(|| quoted(overflow_text(queue.overflow)))),
            ("retry_wait", (queue.retry_wait != default.retry_wait).then(|| time(queue.retry_wait))),
            (
                "retry_max_wait",
                (queue.retry_max_wait != default.retry_max_wait).then(|| time(queue.retry_max_wait)),
            ),
            (
                "retry_growth",
                (queue.retry_growth != default.retry_growth).then(|| queue.retry_growth.to_string()),
            ),
            ("retry_times", queue.retry_times.map(|times| times.to_string())),
            ("retry_time", queue.retry_time.map(time)),
        ];
        for (name, value) in entries {
            if let Some(value) = value {
                self.line(&format!("queue.{name}"), &value);
            }
        }
    }
}

fn value_text(kind: OptKind, value: &str) -> String {
    match kind {
        // A number that TOML would read otherwise (`007`, `+1`) stays a text.
        OptKind::Number if value.parse::<i64>().is_ok_and(|number| number.to_string() == value) => {
            value.to_owned()
        }
        OptKind::Bool if matches!(value, "true" | "false") => value.to_owned(),
        _ => quoted(value),
    }
}

/// A TOML string; one with backslashes or quotes, such as an expression, is left as it is where that can be.
fn quoted(text: &str) -> String {
    let plain = !text.chars().any(char::is_control);
    if plain && text.contains(['\\', '"']) && !text.contains('\'') {
        return format!("'{text}'");
    }
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            other if other.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", other as u32);
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
