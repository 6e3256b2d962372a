//! The running inputs of a configuration, and putting others in their place. One whose section stays runs on, with its
//! connections. Knows nothing of outputs.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;

use sawlog_model::For;
use sawlog_sys::task::Stop;

use super::protocol;
use crate::config::Section;
use crate::graph::{free_name, is_same_section};
use crate::{Env, Input, Pipeline, Protocol, Running};

/// Options by which inputs say whose token their senders act by.
const CREDENTIALS: [&str; 2] = ["credential", "token"];

struct One {
    section: Section,
    name: String,
    stop: Stop,
    running: Running,
}

/// The running inputs.
#[derive(Default)]
pub(super) struct Inputs(Vec<One>);

/// Inputs that are made but not started.
pub(super) struct Ready(Vec<(Section, String, Box<dyn Input>)>);

impl Inputs {
    /// Makes the inputs of `sections` that do not run yet; nothing is started or stopped.
    ///
    /// # Errors
    /// In words, naming the input.
    pub(super) fn make(
        &self,
        sections: &[Section],
        protocols: &[&'static Protocol],
    ) -> Result<Ready, String> {
        let mut left: Vec<&One> = self.0.iter().collect();
        let mut names: HashSet<String> =
            sections.iter().map(|section| section.name.clone()).filter(|name| !name.is_empty()).collect();
        let mut missing = Vec::new();
        for section in sections {
            match left.iter().position(|one| is_same_section(&one.section, section)) {
                Some(at) => drop(names.insert(left.remove(at).name.clone())),
                None => missing.push(section),
            }
        }
        let mut ready = Vec::new();
        for section in missing {
            let kind = &section.kind;
            let name = match section.name.as_str() {
                "" => free_name(kind, &names),
                name => name.to_owned(),
            };
            names.insert(name.clone());
            let make = protocol(protocols, kind, |protocol| protocol.input.is_some())?
                .input
                .ok_or_else(|| format!("`{kind}` is no input"))?;
            let input = make(&section.options).map_err(|error| format!("input {name}: {error}"))?;
            ready.push((section.clone(), name, input));
        }
        Ok(Ready(ready))
    }

    /// Stops those of which no section is left; their sections.
    pub(super) fn stop_others(&mut self, sections: &[Section]) -> Vec<Section> {
        let mut wanted: Vec<&Section> = sections.iter().collect();
        let (mut stay, mut go) = (Vec::new(), Vec::new());
        for one in self.0.drain(..) {
            match wanted.iter().position(|section| is_same_section(section, &one.section)) {
                Some(at) => {
                    wanted.remove(at);
                    stay.push(one);
                }
                None => go.push(one),
            }
        }
        self.0 = stay;
        go.iter().for_each(|one| one.stop.request());
        go.into_iter()
            .map(|one| {
                (one.running.join)();
                one.section
            })
            .collect()
    }

    /// Starts what was made; all that can be started is.
    ///
    /// # Errors
    /// In words, naming each input that could not.
    pub(super) fn start(&mut self, ready: Ready, pipeline: &Pipeline, env: &Env) -> Result<(), String> {
        let mut errors = Vec::new();
        for (section, name, input) in ready.0 {
            let stop = Stop::default();
            let intake = pipeline.intake(&name).labelled(&section.label);
            let shown =
                CREDENTIALS.iter().map(|option| section.options.text(option)).find(|text| !text.is_empty());
            let intake = intake.by(shown.and_then(|shown| env.access.token_of(shown.as_bytes())));
            let started = For::named(env.access.clone(), &section.tenant).and_then(|access| {
                let env = Env { stop: stop.clone(), access: Arc::new(access), ..env.named(&name) };
                input.start(intake, env)
            });
            match started {
                Ok(running) => self.0.push(One { section, name, stop, running }),
                Err(error) => errors.push(format!("input {name}: {error}")),
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors.join("\n")) }
    }

    /// Names of those that listen, and where.
    pub(super) fn addresses(&self) -> Vec<(String, SocketAddr)> {
        self.0.iter().filter_map(|one| Some((one.name.clone(), one.running.address?))).collect()
    }
}
