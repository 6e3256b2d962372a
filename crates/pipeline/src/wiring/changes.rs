//! What differs between two configurations, for whoever asked for the newer one. Knows nothing of what runs.

use crate::config::{Action, Config, Section};
use crate::graph::is_same_section;

/// In sentences: parts that are new, changed or gone, and settings that take a restart.
pub(super) fn told(old: &Config, new: &Config) -> Vec<String> {
    let mut told = parts("input", inputs(old), inputs(new));
    told.extend(parts("filter", filters(old), filters(new)));
    told.extend(parts("output", outputs(old), outputs(new)));
    if told.is_empty() && old.steps != new.steps {
        told.push("the way of rows: changed".to_owned());
    }
    let settings =
        old.settings.keys().chain(new.settings.keys().filter(|name| !old.settings.contains_key(*name)));
    let changed = settings.filter(|name| old.settings.get(*name) != new.settings.get(*name));
    told.extend(changed.map(|name| format!("`{name}` has changed; it takes a restart")));
    told
}

/// A part by what people call it.
type Named<'c> = (&'c str, &'c Section);

fn named(section: &Section) -> Named<'_> {
    (if section.name.is_empty() { &section.kind } else { &section.name }, section)
}

fn inputs(config: &Config) -> Vec<Named<'_>> {
    config.inputs.iter().map(named).collect()
}

fn outputs(config: &Config) -> Vec<Named<'_>> {
    config.outputs().into_iter().map(|output| named(&output.section)).collect()
}

fn filters(config: &Config) -> Vec<Named<'_>> {
    let sections = config.steps.iter().filter_map(|step| match &step.action {
        Action::Filter(section) => Some(section),
        Action::Send { .. } => None,
    });
    sections.map(named).collect()
}

fn parts(role: &str, mut gone: Vec<Named<'_>>, mut come: Vec<Named<'_>>) -> Vec<String> {
    come.retain(|(_, section)| {
        let same = gone.iter().position(|(_, have)| is_same_section(have, section));
        same.map(|at| gone.remove(at)).is_none()
    });
    let mut told = Vec::new();
    for (name, _) in come {
        let what = match gone.iter().position(|(have, _)| *have == name).map(|at| gone.remove(at)) {
            Some(_) => "changed",
            None => "added",
        };
        told.push(format!("{role} {name}: {what}"));
    }
    told.extend(gone.iter().map(|(name, _)| format!("{role} {name}: removed")));
    told
}
