//! A leaf node: the journal, the pipeline, its inputs and outputs, wired together.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Error, Result};
use sawlog_model::{Access, AccessError, PartStatus, Right, Tenant};
use sawlog_pipeline::config::Config;
use sawlog_pipeline::wiring::{self, Kit, Wired};
use sawlog_pipeline::{Env, PipelineOptions};
use sawlog_sys::daemon::Background;
use sawlog_sys::task::{self, Asked, Stop};
use sawlog_sys::{Sys, pages};

use tokio::sync::mpsc;

use crate::control::{self, AskReload, Desk};
use crate::protocols;

/// So long after it is ready outputs have their connections and files were looked at: what only the start needed is given back.
const STARTED: Duration = Duration::from_secs(2);

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
        pending_bytes: 8 << 20,
        in_flight_bytes: 6 << 20,
        queue_bytes: 6 << 20,
        frame_bytes: 2 << 20,
        ..PipelineOptions::default()
    }
}

/// What every part has passed on since the start, in one line.
fn ended(parts: &[PartStatus]) -> String {
    let passed = parts.iter().map(|part| format!("  {} {}={} rows", part.role, part.name, part.records));
    format!("sawlog-agent ended{}", passed.collect::<String>())
}

/// Runs until SIGINT or SIGTERM; `data` exists. Tells that it is ready on standard output or, in the background, who
/// started it. At SIGHUP it reads its configuration again, by `read`.
pub(crate) fn run(
    sys: Sys,
    data: &Path,
    config: Config,
    read: &dyn Fn() -> Result<Config>,
    background: Option<Background>,
) -> Result<()> {
    let (journal, recovered) = wiring::journal(&sys, &data.join("journal"), &config)?;
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
        dir: data.to_owned(),
        runtime: runtime.handle().clone(),
        limits: wiring::limits(&config),
        stop: Stop::default(),
        access: Arc::new(Open),
    };
    let mut signals = runtime.block_on(async { task::Signals::listen() });
    let kit = Kit { protocols: protocols(), env, builtin: wiring::no_builtin() };
    let tell = Arc::new(|words: &str| eprintln!("sawlog-agent: {words}"));
    let dead = wiring::dead_letters(&sys, &data.join("dead"), &config)?;
    let board = config.settings.get("status").cloned();
    let options = PipelineOptions { tell, dead, ..small() };
    let wired = Wired::start(kit, config, journal, options).map_err(Error::msg)?;
    let (ask, mut asked) = mpsc::channel::<AskReload>(1);
    let desk = Arc::new(Desk { pipeline: wired.pipeline().clone(), reload: ask });
    if let Err(error) = runtime.block_on(control::listen(&sys, data, desk)) {
        // What it is for is not what it can be asked for.
        eprintln!("sawlog-agent: it cannot be asked for its state: {error}");
    }
    let mut line = String::from("sawlog-agent ready");
    for (name, address) in wired.addresses() {
        line.push_str(&format!("  {name}={address}"));
    }
    if let Some(at) = board {
        let status = wired.pipeline().status();
        let board = runtime.block_on(sawlog_wire::board::start(&at, status, env!("CARGO_PKG_VERSION")));
        line.push_str(&format!("  status=http://{}", board.map_err(Error::msg)?));
    }
    line.push_str(&format!("  data={}", data.display()));
    let _settled = match background {
        Some(background) => Some(background.ready(&line)?),
        None => {
            println!("{line}");
            None
        }
    };
    let ours = sys.clone();
    runtime.spawn(async move {
        tokio::time::sleep(STARTED).await;
        pages::give_back(&ours);
    });
    loop {
        let tell = runtime.block_on(async {
            tokio::select! {
                signal = signals.next() => (signal == Asked::Reload).then_some(None),
                Some(tell) = asked.recv() => Some(Some(tell)),
            }
        });
        let Some(tell) = tell else { break };
        let reloaded = read().and_then(|config| wired.reload(config).map_err(Error::msg));
        match &reloaded {
            Ok(notes) => {
                eprintln!("sawlog-agent: the configuration was read again");
                notes.iter().for_each(|note| eprintln!("sawlog-agent: {note}"));
            }
            Err(error) => eprintln!("sawlog-agent: the configuration was not read again: {error:#}"),
        }
        if let Some(tell) = tell {
            // Who asked may have gone.
            let _ = tell.send(reloaded);
        }
    }
    wired.stop();
    eprintln!("{}", ended(&wired.pipeline().status().parts()));
    Ok(())
}
