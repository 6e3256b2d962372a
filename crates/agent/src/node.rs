//! A leaf node: the journal, the pipeline, its inputs and outputs, wired together.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Error, Result};
use sawlog_journal::Journal;
use sawlog_model::{Access, AccessError, Right, Tenant};
use sawlog_pipeline::config::Config;
use sawlog_pipeline::{Env, Pipeline, PipelineOptions, wiring};
use sawlog_sys::Sys;
use sawlog_sys::daemon::Background;
use sawlog_sys::task::{self, Stop};

use crate::protocols;

/// Whoever reaches a leaf node on its loopback addresses may send to it.
struct Open;

impl Access for Open {
    fn admit(&self, _credential: &[u8], right: Right) -> Result<Tenant, AccessError> {
        if right == Right::Ingest { Ok(Tenant::DEFAULT) } else { Err(AccessError) }
    }
}

/// What a leaf node may hold in memory. Of what is pending the greater part is acknowledged and only not yet forgotten, so
/// that it is a few times what an output holds.
fn small() -> PipelineOptions {
    PipelineOptions {
        pending_bytes: 12 << 20,
        in_flight_bytes: 6 << 20,
        queue_bytes: 6 << 20,
        frame_bytes: 2 << 20,
        ..PipelineOptions::default()
    }
}

/// Runs until SIGINT or SIGTERM; `data` exists. Tells that it is ready on standard output or, in the background, who
/// started it.
pub(crate) fn run(sys: Sys, data: &Path, config: &Config, background: Option<Background>) -> Result<()> {
    let (journal, recovered) = Journal::open(&sys, &data.join("journal"), wiring::journal_options(config))?;
    if let Some(reason) = &recovered.reason {
        eprintln!(
            "sawlog-agent: the journal ended in {} unfinished bytes, dropped ({reason})",
            recovered.dropped_bytes
        );
    }
    // One thread: what a leaf node does over sockets is little.
    let runtime = task::runtime("io", 1)?;
    let env = Env {
        name: "".into(),
        sys: sys.clone(),
        runtime: runtime.handle().clone(),
        limits: wiring::limits(config),
        stop: Stop::default(),
        access: Arc::new(Open),
    };
    let graph = wiring::graph(config, protocols(), &env, &|_, _| None).map_err(Error::msg)?;
    let tell = Arc::new(|words: &str| eprintln!("sawlog-agent: {words}"));
    let pipeline = Pipeline::start(&sys, journal, graph, PipelineOptions { tell, ..small() })?;
    let inputs = wiring::start_inputs(&config.inputs, protocols(), &pipeline, &env).map_err(Error::msg)?;
    let mut line = String::from("sawlog-agent ready");
    for (name, running) in &inputs {
        line.extend(running.address.map(|address| format!("  {name}={address}")));
    }
    line.push_str(&format!("  data={}", data.display()));
    let _settled = match background {
        Some(background) => Some(background.ready(&line)?),
        None => {
            println!("{line}");
            None
        }
    };
    runtime.block_on(task::asked_to_end());
    env.stop.request();
    for (_, running) in inputs {
        (running.join)();
    }
    pipeline.stop();
    Ok(())
}
