//! A running configuration: the pipeline with its graph and its inputs, and putting a changed one in its place. Shared by the
//! binaries; knows nothing of where configurations come from.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use sawlog_journal::Journal;

use super::changes;
use super::inputs::Inputs;
use super::{Builtin, Maker};
use crate::config::Config;
use crate::{Env, Graph, Pipeline, PipelineOptions, Protocol, lock};

/// What a binary brings along for any configuration.
pub struct Kit {
    /// The protocols that it speaks.
    pub protocols: &'static [&'static Protocol],
    /// What parts are given beside their options.
    pub env: Env,
    /// Outputs that it makes itself; asked before `protocols`.
    pub builtin: Builtin,
}

/// A running configuration.
pub struct Wired {
    kit: Kit,
    pipeline: Pipeline,
    now: Mutex<Now>,
}

struct Now {
    config: Config,
    inputs: Inputs,
}

impl Wired {
    /// Makes and starts everything that the configuration lists.
    ///
    /// # Errors
    /// In words; then nothing runs.
    pub fn start(
        kit: Kit,
        config: Config,
        journal: Journal,
        options: PipelineOptions,
    ) -> Result<Wired, String> {
        let mut inputs = Inputs::default();
        let ready = inputs.make(&config.inputs, kit.protocols)?;
        let graph = Graph::build(&config.steps, &mut Maker::new(&kit))?;
        let pipeline =
            Pipeline::start(&kit.env.sys, journal, graph, options).map_err(|error| error.to_string())?;
        if let Err(error) = inputs.start(ready, &pipeline, &kit.env) {
            inputs.stop_others(&[]);
            pipeline.stop();
            return Err(error);
        }
        Ok(Wired { kit, pipeline, now: Mutex::new(Now { config, inputs }) })
    }

    /// The pipeline.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Inputs that listen, by name, and where.
    pub fn addresses(&self) -> Vec<(String, SocketAddr)> {
        lock(&self.now).inputs.addresses()
    }

    /// Puts `config` in the place of what runs. What is the same in both runs on: inputs with their connections, outputs with
    /// what they have under way. Blocks until it is done, for as long as inputs that are gone take to stop. Tells, in
    /// sentences, what has changed and what of it takes a restart.
    ///
    /// # Errors
    /// In words, all of it. Where a part cannot be made, nothing has changed; where an input does not start (its port is taken)
    /// the rest has.
    pub fn reload(&self, config: Config) -> Result<Vec<String>, String> {
        let mut now = lock(&self.now);
        let Kit { protocols, env, .. } = &self.kit;
        let ready = now.inputs.make(&config.inputs, protocols)?;
        let current = self.pipeline.graph();
        let graph = Graph::build_on(&current, &config.steps, &mut Maker::new(&self.kit))?;
        // Inputs that go first: what they still took goes the way that they were made for.
        let gone = now.inputs.stop_others(&config.inputs);
        if let Err(error) = self.pipeline.reload(graph) {
            let again = now.inputs.make(&now.config.inputs, protocols);
            let again = again.and_then(|ready| now.inputs.start(ready, &self.pipeline, env));
            let words = again.err().map(|error| format!("\n{error}")).unwrap_or_default();
            return Err(format!("{error}; the configuration before still holds{words}"));
        }
        drop(gone);
        let notes = changes::told(&now.config, &config);
        let started = now.inputs.start(ready, &self.pipeline, env);
        now.config = config;
        started.map(|()| notes)
    }

    /// Stops the inputs, so that what they took is journaled, then the pipeline.
    pub fn stop(&self) {
        self.kit.env.stop.request();
        lock(&self.now).inputs.stop_others(&[]);
        self.pipeline.stop();
    }
}

impl<'a> Maker<'a> {
    fn new(kit: &'a Kit) -> Self {
        Maker { protocols: kit.protocols, env: &kit.env, builtin: &kit.builtin }
    }
}

/// No outputs of a binary's own.
pub fn no_builtin() -> Builtin {
    Arc::new(|_, _| None)
}
