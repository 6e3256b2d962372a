//! From elements to a configuration of ours. Knows where sections may stand and how rows find their way through them; what the
//! options of a plug-in mean is read by its protocol's [`FluentForm`].

use super::buffer::{self, Buffering};
use super::{later, overlap};
use crate::config::{
    Action, Compat, Config, Element, ElementReader, Finding, FluentForm, Known, OutputSection, Role, Section,
    Step, Target, check_value, fill_defaults, find_opt, suggestion,
};
use crate::{Options, Protocol, TagPattern};

/// What the elements of a configuration mean; findings that are no notes say that it cannot be used.
pub(super) fn translate(root: &Element, known: Known<'_>, compat: Compat) -> (Config, Vec<Finding>) {
    let config = Config { only_listed: true, ..Config::default() };
    let mut translator = Translator { known, compat, config, findings: Vec::new(), labels: Vec::new() };
    translator.labels = root
        .children
        .iter()
        .flat_map(|child| if child.name == "worker" { child.children.iter().collect() } else { vec![child] })
        .filter(|child| child.name == "label")
        .map(|child| child.argument.clone())
        .collect();
    for child in &root.children {
        translator.top(child);
    }
    translator.whole(root);
    (translator.config, translator.findings)
}

struct Translator<'a> {
    known: Known<'a>,
    compat: Compat,
    config: Config,
    findings: Vec<Finding>,
    /// Names of all labels.
    labels: Vec<String>,
}

impl<'a> Translator<'a> {
    fn wrong(&mut self, at: &Element, message: String) {
        self.find(at, message, false);
    }

    fn note(&mut self, at: &Element, message: String) {
        self.find(at, message, true);
    }

    fn find(&mut self, at: &Element, message: String, note: bool) {
        self.findings.push(Finding { file: at.file.clone(), line: at.line, message, note });
    }

    fn top(&mut self, element: &Element) {
        match element.name.as_str() {
            "source" => self.source(element),
            "match" | "filter" => self.step(element, ""),
            "label" => self.label(element),
            "system" => self.system(element),
            "worker" => {
                self.note(element, "<worker>: one process does all the work here".to_owned());
                element.children.iter().for_each(|child| self.top(child));
            }
            "scoreboard" if self.compat == Compat::Ik => self.scoreboard(element),
            other => {
                let mut names = vec!["source", "match", "filter", "label", "system", "worker"];
                if self.compat == Compat::Ik {
                    names.push("scoreboard");
                }
                let message = match other {
                    "scoreboard" => "<scoreboard> is ik's: read this file with --compat ik".to_owned(),
                    _ => format!("there is no <{other}> here{}", suggestion(other, names.into_iter())),
                };
                self.wrong(element, message);
            }
        }
    }

    fn label(&mut self, element: &Element) {
        if !element.argument.starts_with('@') {
            let message = format!("a label is named with an @: <label @{}>", element.argument);
            return self.wrong(element, message);
        }
        if element.argument == "@FLUENT_LOG" {
            self.note(
                element,
                "<label @FLUENT_LOG> gets nothing: sawlog's own log is not a source".to_owned(),
            );
        }
        for pair in &element.pairs {
            let message = format!("<label> has no option `{}`", pair.key);
            let (file, line) = (pair.file.clone(), pair.line);
            self.findings.push(Finding { file, line, message, note: false });
        }
        for child in &element.children {
            match child.name.as_str() {
                "match" | "filter" => self.step(child, &element.argument),
                "source" => {
                    let message = format!(
                        "a <source> stands outside of labels; move it out and give it `@label {}`",
                        element.argument
                    );
                    self.wrong(child, message);
                }
                other => self.wrong(child, format!("a <label> holds <filter> and <match>, no <{other}>")),
            }
        }
    }

    fn source(&mut self, element: &Element) {
        let Some(kind) = self.kind(element) else { return };
        if let Some(why) = later::source_without_part(kind) {
            return self.note(element, format!("`{kind}` has no effect: {why}"));
        }
        let label = element.get("@label").map(|label| self.label_name(element, label));
        let renamed;
        let element = if self.compat == Compat::Ik {
            renamed = with_expression(element);
            &renamed
        } else {
            element
        };
        let Some((section, _)) = self.part(element, Role::Source, kind, &[]) else { return };
        let label = label.unwrap_or_default();
        self.config.inputs.push(Section { label, ..section });
    }

    /// The name of a label as steps have it, told where there is none.
    fn label_name(&mut self, at: &Element, label: &str) -> String {
        if label == "@ROOT" {
            return String::new();
        }
        if !self.labels.iter().any(|have| have == label) {
            let names = self.labels.clone();
            let near = match names.is_empty() {
                true => "; there are no labels".to_owned(),
                false => suggestion(label, names.iter().map(String::as_str)),
            };
            self.wrong(at, format!("there is no <label {label}>{near}"));
        }
        label.to_owned()
    }

    fn step(&mut self, element: &Element, label: &str) {
        let pattern = if element.argument.is_empty() { "**" } else { element.argument.as_str() };
        let tags = match self.compat {
            Compat::Ik => TagPattern::parse_ik(pattern),
            Compat::Fluentd | Compat::FluentdV0 => TagPattern::parse(pattern),
        };
        let tags = match tags {
            Ok(tags) => tags,
            Err(message) => {
                self.wrong(element, message);
                TagPattern::all()
            }
        };
        let push = |config: &mut Config, action| {
            config.steps.push(Step { label: label.to_owned(), tags: tags.clone(), action });
        };
        if element.name == "filter" {
            let Some(kind) = self.kind(element) else { return };
            if let Some((section, _)) = self.part(element, Role::Filter, kind, &[]) {
                push(&mut self.config, Action::Filter(section));
            }
            return;
        }
        let targets = self.targets(element);
        let count = targets.len();
        for (index, to) in targets.into_iter().enumerate() {
            let last = index + 1 == count && self.compat != Compat::Ik;
            push(&mut self.config, Action::Send { to, last });
        }
    }

    fn kind<'e>(&mut self, element: &'e Element) -> Option<&'e str> {
        let kind = element.get("@type").or(element.get("type"));
        if kind.is_none() {
            let name = &element.name;
            self.wrong(element, format!("this <{name}> has no @type; add `@type …`"));
        }
        kind
    }

    /// Where the rows of a `<match>` or a `<store>` go: all of these get them.
    fn targets(&mut self, element: &Element) -> Vec<Target> {
        let Some(kind) = self.kind(element) else { return Vec::new() };
        match kind {
            "copy" => self.copy(element),
            "relabel" => {
                let label = match element.get("@label") {
                    Some(label) => self.label_name(element, label),
                    None => {
                        self.wrong(element, "`relabel` needs `@label`".to_owned());
                        return Vec::new();
                    }
                };
                self.finish(element, |_| {});
                vec![Target::Label(label)]
            }
            "roundrobin" | "round_robin" => self.roundrobin(element).into_iter().collect(),
            _ => self.output(element, kind).into_iter().map(Target::Output).collect(),
        }
    }

    /// Reports what `read` does not take from an element that is no plug-in of a protocol.
    fn finish(&mut self, element: &Element, read: impl FnOnce(&mut ElementReader<'_>)) {
        let mut reader = ElementReader::compatible(element, self.compat, &mut self.findings);
        read(&mut reader);
        reader.finish();
    }

    fn stores<'e>(&mut self, element: &'e Element) -> Vec<&'e Element> {
        let stores: Vec<&Element> = element.children.iter().filter(|child| child.name == "store").collect();
        if stores.is_empty() {
            self.wrong(element, "it has no <store>".to_owned());
        }
        stores
    }

    fn copy(&mut self, element: &Element) -> Vec<Target> {
        self.finish(element, |reader| {
            let _ = reader.children("store");
            reader.without_effect(
                &["copy_mode", "deep_copy"],
                "rows are never changed in place, so outputs cannot see each other's changes",
            );
        });
        let mut targets = Vec::new();
        for store in self.stores(element) {
            match store.argument.as_str() {
                "" => {}
                "ignore_error" | "ignore_if_prev_success" => {
                    let argument = &store.argument;
                    let message = format!(
                        "`{argument}` has no effect: each <store> has its own queue, and one that fails holds up no other"
                    );
                    self.note(store, message);
                }
                other => self.wrong(store, format!("<store {other}>: it may be `ignore_error`")),
            }
            targets.extend(self.targets(store));
        }
        targets
    }

    fn roundrobin(&mut self, element: &Element) -> Option<Target> {
        self.finish(element, |reader| drop(reader.children("store")));
        let mut choices = Vec::new();
        for store in self.stores(element) {
            let weight = store.get("weight").map_or(Ok(1), str::parse::<u32>);
            let Ok(weight @ 1..) = weight else {
                self.wrong(store, "`weight` is a whole number from 1 on".to_owned());
                continue;
            };
            let mut targets = self.targets(store);
            match (targets.pop(), targets.is_empty()) {
                (Some(target), true) => choices.push((weight, target)),
                (Some(_), false) => {
                    self.wrong(store, "put the `copy` into a <label>, and a `relabel` to it here".to_owned());
                }
                (None, _) => {}
            }
        }
        (!choices.is_empty()).then_some(Target::OneOf(choices))
    }

    fn output(&mut self, element: &Element, kind: &str) -> Option<OutputSection> {
        let secondary = element.children.iter().find(|child| child.name == "secondary");
        let secondary_section = secondary.and_then(|child| {
            let kind = child.get("@type").or(child.get("type")).unwrap_or(kind);
            Some(self.part(child, Role::Match, kind, &[])?.0)
        });
        let (mut section, protocol) = self.part(element, Role::Match, kind, buffer::KNOWN)?;
        let given = Buffering::of(element);
        let (queue, options) = given.read(protocol, secondary.is_some(), self.compat, &mut self.findings);
        for (name, values) in options {
            section.options.0.insert(name, values);
        }
        Some(OutputSection { section, secondary: secondary_section, queue })
    }

    /// A plug-in's options, read by the protocol that knows it.
    fn part(
        &mut self,
        element: &Element,
        role: Role,
        kind: &str,
        elsewhere: &[&'static str],
    ) -> Option<(Section, &'a Protocol)> {
        let Some((protocol, form)) = self.form(role, kind) else {
            let message = self.unknown(role, kind);
            self.wrong(element, message);
            return None;
        };
        let mut reader = ElementReader::compatible(element, self.compat, &mut self.findings);
        reader.knows(elsewhere);
        if element.name == "store" {
            reader.knows(&["weight"]);
        }
        let given = (form.read)(&mut reader);
        reader.without_effect(&["@log_level", "log_level"], "problems are always told on standard error");
        reader.finish();
        let mut options = Options::default();
        for (name, values) in given {
            let told = find_opt(protocol, name)
                .and_then(|opt| values.iter().try_for_each(|value| check_value(opt, value)));
            if let Err(message) = told {
                self.wrong(element, format!("`{name}`: {message}"));
            }
            options.0.insert(name.to_owned(), values);
        }
        fill_defaults(protocol, &mut options);
        let name = element.get("@id").or(element.get("id")).unwrap_or_default().to_owned();
        let section = Section {
            kind: protocol.name.to_owned(),
            name,
            options,
            line: element.line,
            ..Section::default()
        };
        Some((section, protocol))
    }

    fn form(&self, role: Role, kind: &str) -> Option<(&'a Protocol, &'a FluentForm)> {
        let protocols: &'a [&'a Protocol] = self.known.protocols;
        protocols.iter().copied().find_map(|protocol| {
            let mut forms = protocol.fluent.iter();
            Some((protocol, forms.find(|form| form.role == role && form.names.contains(&kind))?))
        })
    }

    fn unknown(&self, role: Role, kind: &str) -> String {
        if let Some(remedy) = later::remedy(role, kind) {
            return format!("there is no `{kind}` yet; {remedy}");
        }
        let forms = self.known.protocols.iter().flat_map(|protocol| protocol.fluent);
        let names = forms.filter(|form| form.role == role).flat_map(|form| form.names.iter().copied());
        let own: &[&str] = if role == Role::Match { &["copy", "relabel", "roundrobin"] } else { &[] };
        let what = match role {
            Role::Source => "source",
            Role::Filter => "filter",
            Role::Match => "output",
        };
        format!("there is no {what} of type `{kind}`{}", suggestion(kind, names.chain(own.iter().copied())))
    }

    fn system(&mut self, element: &Element) {
        let compat = self.compat;
        let mut reader = ElementReader::compatible(element, compat, &mut self.findings);
        let root_dir = reader.text("root_dir").map(str::to_owned);
        reader.without_effect(&["workers", "restart_worker_interval"], "one process does all the work here");
        reader.without_effect(
            &[
                "suppress_repeated_stacktrace",
                "emit_error_log_interval",
                "suppress_config_dump",
                "log_event_verbose",
                "ignore_repeated_log_interval",
                "ignore_same_log_interval",
                "log_level",
                "forced_stacktrace_level",
                "strict_config_value",
            ],
            "problems are always told on standard error, each once",
        );
        reader.without_effect(
            &[
                "process_name",
                "without_source",
                "with_source_only",
                "umask",
                "dir_permission",
                "file_permission",
            ],
            "it is set where the service is started",
        );
        reader.without_effect(
            &[
                "rpc_endpoint",
                "enable_get_dump",
                "enable_input_metrics",
                "enable_size_metrics",
                "enable_msgpack_time_support",
            ],
            "status and metrics have their own page",
        );
        for (name, why) in [
            ("log", "problems are always told on standard error"),
            ("counter_server", "counters are kept in the status"),
            ("counter_client", "counters are kept in the status"),
            ("source_only_buffer", "the journal is always there"),
        ] {
            if let Some(child) = reader.child(name) {
                let message = format!("<{name}> has no effect: {why}");
                reader.note_at(child, message);
            }
        }
        reader.finish();
        if let Some(dir) = root_dir.filter(|_| self.known.settings.iter().any(|(name, ..)| *name == "data")) {
            self.config.settings.insert("data".to_owned(), dir);
        }
    }

    /// ik's page: a setting of the node.
    fn scoreboard(&mut self, element: &Element) {
        let mut reader = ElementReader::compatible(element, self.compat, &mut self.findings);
        let kind = element.get("type");
        let listen = reader.text("listen").unwrap_or_default().to_owned();
        let port = reader.number("port").unwrap_or(24226);
        reader.without_effect(&["read_timeout", "write_timeout"], "requests are short, and bounded");
        reader.finish();
        if kind != Some("html_http") {
            self.wrong(element, "the only <scoreboard> is of `type html_http`".to_owned());
        }
        if self.known.settings.iter().any(|(name, ..)| *name == "status") {
            let host = if listen.is_empty() { "0.0.0.0" } else { &listen };
            self.config.settings.insert("status".to_owned(), format!("{host}:{port}"));
        } else {
            self.note(element, "this program has no page of its state".to_owned());
        }
    }

    /// What can only be said of the whole.
    fn whole(&mut self, root: &Element) {
        if self.compat == Compat::Ik {
            return;
        }
        for (file, line, message) in overlap::told(root) {
            self.findings.push(Finding { file, line, message, note: true });
        }
    }
}

/// What ik calls `regexp` is Fluentd's `expression`; groups are named as in Python there.
fn with_expression(element: &Element) -> Element {
    let mut element = element.clone();
    for pair in element.pairs.iter_mut().filter(|pair| pair.key == "regexp") {
        pair.key = "expression".to_owned();
        pair.value = pair.value.replace("(?P<", "(?<");
    }
    element
}
