//! A node: the store, the journal, the pipeline, its inputs and the HTTP side, wired together. Knows how they are joined
//! and in which order they start and stop; what each does is its own.

pub(crate) mod http;
pub(crate) mod local;
mod retention;
pub(crate) mod settings;
pub(crate) mod times;
mod tls;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Error, Result};
use sawlog_model::{Access, Meter, Tenant, TimeRange};
use sawlog_pipeline::config::Config;
use sawlog_pipeline::wiring::{self, Kit, Wired};
use sawlog_pipeline::{Env, Pipeline, PipelineOptions};
use sawlog_server::{Loggers, Named, Questions, Tenancy};
use sawlog_store::{Store, StoreError};
use sawlog_sys::task::{self, Asked, Behind, Stop, Thread};
use sawlog_sys::{Sys, net, pages};
use tokio::runtime::Runtime;
use tokio::sync::Notify;

use self::retention::Retention;
use crate::reach;
use crate::store_output;

/// How often the store is tended: it flushes by pressure on its own, this is for compaction, retention, dead files, and for what was
/// counted of tenants, of which a crash loses no more than of so long.
const TEND_EVERY: Duration = Duration::from_secs(10);
/// A store that had nothing to do so many times is at rest.
const CALM: u32 = 2;

/// Questions stand behind what is sent, what tends the store behind both, and behind all questions of tenants that ask beyond their
/// limit.
const ASKING: Behind = Behind { steps: 5, on_one: false };
const TENDING: Behind = Behind { steps: 10, on_one: false };
const LAST: Behind = Behind { steps: 19, on_one: true };

/// So long a directory that another node holds is waited for.
const GOING: Duration = Duration::from_secs(2);

/// What a node is started with.
pub(crate) struct Plan {
    /// Directory of the data.
    pub(crate) data: PathBuf,
    /// Where HTTP listens.
    pub(crate) http: SocketAddr,
    /// Reads inputs, filters, outputs beside the store, and sizes: at the start, and again when it is asked for.
    pub(crate) read: Box<dyn Fn() -> Result<Config> + Send + Sync>,
}

/// A running node.
pub(crate) struct Node {
    sys: Sys,
    data: PathBuf,
    store: Store,
    running: Arc<Reload>,
    signals: Mutex<task::Signals>,
    tending: Thread<()>,
    env: Env,
    /// Asked for by `POST /api/v1/shutdown`, SIGINT or SIGTERM.
    pub(crate) shutdown: Arc<Notify>,
    serving: tokio::task::JoinHandle<std::io::Result<()>>,
    stop_serving: Arc<Notify>,
    io: Runtime,
    query: Runtime,
    last: Runtime,
}

/// Opens the store. A node that was killed holds its directory until the system has taken its memory back, so that one that is
/// started at once waits for that.
fn open(sys: &Sys, data: &Path, config: &Config) -> Result<Store, StoreError> {
    let until = sys.clock.monotonic() + GOING;
    loop {
        match Store::open(sys, data, settings::store_options(config)) {
            Err(StoreError::Locked(_)) if sys.clock.monotonic() < until => task::sleep(GOING / 40),
            opened => return opened,
        }
    }
}

/// The tenants, with those that the configuration names.
fn tenancy(sys: &Sys, data: &Path, config: &Config) -> Result<Tenancy> {
    let tenancy = Tenancy::open(sys, data).map_err(Error::msg)?;
    let names = config.settings.get("tenants").map(String::as_str).unwrap_or_default();
    let names: Vec<String> =
        names.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
    if let Some(first) = tenancy.ensure(&names).map_err(Error::msg)? {
        let path = tenancy.leave(&first).map_err(Error::msg)?;
        eprintln!(
            "sawlog: a first administrator's token is in {}; take it and remove the file",
            path.display()
        );
    }
    Ok(tenancy)
}

impl Node {
    /// Opens the directory, replays the journal, starts to listen and to follow.
    pub(crate) fn start(sys: Sys, plan: Plan) -> Result<(Node, Vec<(String, String)>)> {
        let Plan { data, http, read } = plan;
        let config = read()?;
        let secure = Arc::new(tls::Listeners::new(tls::read(&sys, &config)?));
        sys.fs.create_dir_all(&data).with_context(|| format!("cannot make {}", data.display()))?;
        let store = open(&sys, &data, &config)?;
        let (journal, recovered) = wiring::journal(&sys, &data.join("journal"), &config)?;
        if let Some(reason) = &recovered.reason {
            eprintln!(
                "sawlog: the journal ended in {} unfinished bytes, dropped ({reason})",
                recovered.dropped_bytes
            );
        }
        // A page asked for anew costs more than what is written to it; whoever tends the store gives back what lies idle.
        task::share_one_heap();
        task::keep_memory();
        let io = task::runtime("io", 2)?;
        let query = task::runtime_behind("query", 2, ASKING)?;
        let last = task::runtime_behind("last", 2, LAST)?;
        let limits = wiring::limits(&config);
        let rules = retention::rules(&config)?;
        let tenancy = tenancy(&sys, &data, &config)?;
        let normalizers = settings::rule_bases(&sys, &config)?;
        tenancy.read_with(normalizers.clone());
        let env = Env {
            name: "".into(),
            sys: sys.clone(),
            dir: data.clone(),
            runtime: io.handle().clone(),
            limits,
            stop: Stop::default(),
            access: Arc::new(tenancy.clone()),
        };
        let signals = io.block_on(async { task::Signals::listen() });
        let tell = Arc::new(|words: &str| eprintln!("sawlog: {words}"));
        let dead = wiring::dead_letters(&sys, &data.join("dead"), &config)?;
        let meter = Some(Arc::new(tenancy.clone()) as Arc<dyn Meter>);
        let options = PipelineOptions { tell, dead, meter, ..PipelineOptions::default() };
        let board = config.settings.get("status").cloned();
        let meniscus_at = settings::meniscus(&config);
        let kit =
            Kit { protocols: &settings::PROTOCOLS, env: env.clone(), builtin: store_output::builtin(&store) };
        let wired = Wired::start(kit, with_store(config), journal, options).map_err(Error::msg)?;
        let running = Arc::new(Reload { sys: sys.clone(), wired, secure: secure.clone(), read });
        let pipeline = running.wired.pipeline().clone();

        let shutdown = Arc::new(Notify::new());
        let stop_serving = Arc::new(Notify::new());
        let listener = io.block_on(net::listen(http))?;
        let address = listener.local_addr()?;
        let loggers = Loggers::open(&sys, &data).map_err(Error::msg)?;
        let retention = Retention::new(&sys, &loggers, &tenancy, rules);
        tenancy.name(|tenant| named(&store, tenant));
        let questions = Questions { usual: query.handle().clone(), last: last.handle().clone() };
        let reload = &running;
        let (owner, counts) = (tenancy.owner_token(), tenancy.clone());
        let side = http::Side {
            env: &env,
            store: &store,
            pipeline: &pipeline,
            questions,
            loggers,
            tenancy,
            reload,
            normalizers,
        };
        let (router, meniscus) = sawlog_server::routers(side.node(
            address,
            meniscus_at.as_ref().map(|(_, set)| set.clone()),
            shutdown.clone(),
        ));
        let (stopped, then) = (stop_serving.clone(), Arc::new(Notify::new()));
        let base = format!("{}://{address}", secure.scheme(0));
        let mut addresses = vec![("http".to_owned(), base.clone())];
        if let (Some(router), Some((at, _))) = (meniscus, meniscus_at) {
            let listener = io.block_on(net::listen(at)).with_context(|| format!("meniscus.listen: {at}"))?;
            let base = format!("{}://{}", secure.scheme(1), listener.local_addr()?);
            addresses.push(("meniscus".to_owned(), base));
            let (then, tls) = (then.clone(), secure.secure(1));
            io.spawn(sawlog_server::serve(listener, router, tls, async move { then.notified().await }));
        }
        let stopping = async move {
            stopped.notified().await;
            then.notify_one();
        };
        let serving = io.spawn(sawlog_server::serve(listener, router, secure.secure(0), stopping));
        reach::announce(&sys, &data, &base, &owner)?;

        let tending = tend(&sys, &store, &pipeline, counts, retention, &env.stop)?;
        if let Some(at) = board {
            let board =
                io.block_on(sawlog_wire::board::start(&at, pipeline.status(), env!("CARGO_PKG_VERSION")));
            addresses.push(("status".to_owned(), format!("http://{}", board.map_err(Error::msg)?)));
        }
        let inputs = running.wired.addresses();
        addresses.extend(inputs.into_iter().map(|(name, address)| (name, address.to_string())));
        let node = Node {
            sys,
            data,
            store,
            running,
            signals: Mutex::new(signals),
            tending,
            env,
            shutdown,
            serving,
            stop_serving,
            io,
            query,
            last,
        };
        Ok((node, addresses))
    }

    /// Waits until somebody asks the node to stop; at SIGHUP it reads its configuration again.
    pub(crate) fn wait(&self) {
        let mut signals = self.signals.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let asked = self.io.block_on(async {
                tokio::select! {
                    () = self.shutdown.notified() => Asked::End,
                    asked = signals.next() => asked,
                }
            });
            match asked {
                Asked::End => return,
                Asked::Reload => match self.running.reload() {
                    Ok(notes) => {
                        eprintln!("sawlog: the configuration was read again");
                        notes.iter().for_each(|note| eprintln!("sawlog: {note}"));
                    }
                    Err(error) => eprintln!("sawlog: the configuration was not read again: {error:#}"),
                },
            }
        }
    }

    /// Stops inputs first, so that what they took is journaled, then the rest. Nothing is flushed: the next start finds
    /// everything as after a crash, which is the one path that must be right.
    pub(crate) fn stop(self) -> Result<()> {
        self.env.stop.request();
        self.stop_serving.notify_one();
        self.running.wired.stop();
        let served = self.io.block_on(self.serving);
        self.tending.join();
        reach::retract(&self.sys, &self.data);
        self.query.shutdown_timeout(Duration::from_secs(2));
        self.last.shutdown_timeout(Duration::from_secs(2));
        self.io.shutdown_timeout(Duration::from_secs(2));
        drop(self.store);
        Ok(served.context("the HTTP side panicked")??)
    }
}

/// A running configuration, and where it is read from.
pub(crate) struct Reload {
    sys: Sys,
    wired: Wired,
    secure: Arc<tls::Listeners>,
    read: Box<dyn Fn() -> Result<Config> + Send + Sync>,
}

impl Reload {
    /// Reads the configuration again and puts it in the place of the one that runs; what of it takes a restart is told.
    /// Blocks for as long as inputs that are gone take to stop.
    ///
    /// # Errors
    /// Everything that is wrong with it; then nothing, or only an input that does not start, has changed.
    pub(crate) fn reload(&self) -> Result<Vec<String>> {
        let config = (self.read)()?;
        let read = tls::read(&self.sys, &config)?;
        let mut notes = self.wired.reload(with_store(config)).map_err(Error::msg)?;
        notes.extend(self.secure.set(read));
        Ok(notes)
    }
}

/// The configuration with the node's own store where it belongs.
fn with_store(mut config: Config) -> Config {
    config.add_unless_listed(store_output::section());
    config
}

/// Removes all that is kept of tenants that are there no more. Names of outputs that are behind, until which rows stand in the
/// journal; `patient` where these are waited for a little.
///
/// # Errors
/// In words; what is left is removed when it is called again.
fn purge(
    store: &Store,
    pipeline: &Pipeline,
    tenancy: &Tenancy,
    patient: bool,
) -> Result<Vec<String>, String> {
    let mut gone: Vec<Tenant> = store.tenants().into_iter().filter(|tenant| !tenancy.has(*tenant)).collect();
    gone.extend(tenancy.removed());
    if gone.is_empty() {
        return Ok(Vec::new());
    }
    let new = pipeline.leave(&gone);
    for tenant in &gone {
        store.forget(*tenant).map_err(|error| error.to_string())?;
    }
    // The journal has rows of all tenants in its files: when the others' are in segments, it needs none of them.
    if new {
        store.flush().map_err(|error| error.to_string())?;
    }
    let mut behind = BTreeSet::new();
    let mut done = Vec::new();
    for tenant in &gone {
        let late = pipeline.forget(*tenant, patient).map_err(|error| error.to_string())?;
        if late.is_empty() {
            done.push(*tenant);
        }
        behind.extend(late);
    }
    tenancy.purged(&done)?;
    Ok(behind.into_iter().collect())
}

/// What the store has by name of a tenant.
fn named(store: &Store, tenant: Tenant) -> Named {
    let fields = store.fields(tenant, TimeRange::ALL).unwrap_or_default();
    let sources = store.sources_of(tenant).unwrap_or_default().into_iter().map(|source| source.0).collect();
    // What begins with an underscore is ours.
    let names = fields.into_iter().map(|field| field.name).filter(|name| !name.starts_with('_'));
    Named { sources, fields: names.collect() }
}

/// One thread that tends the store and the journal, ten seconds apart, until the node stops.
fn tend(
    sys: &Sys,
    store: &Store,
    pipeline: &Pipeline,
    tenancy: Tenancy,
    mut retention: Retention,
    stop: &Stop,
) -> Result<Thread<()>> {
    let (sys, store, pipeline, stop) = (sys.clone(), store.clone(), pipeline.clone(), stop.clone());
    let work = move || {
        task::step_behind(TENDING);
        let mut said = String::new();
        let mut calm = 0;
        while !stop.wait(TEND_EVERY) {
            store.set_tenant_sizes(tenancy.sizes());
            let kept =
                retention.apply(&store, |name| tenancy.tenant(name)).map_err(|error| error.to_string());
            let purged = purge(&store, &pipeline, &tenancy, false).map(drop);
            let tended = store.maintain(pipeline.journal_bytes()).map_err(|error| error.to_string());
            let trimmed = pipeline.maintain().map_err(|error| error.to_string());
            // Whatever took it: this, a question or rows that came in.
            task::give_memory_back();
            calm = if tended == Ok(false) { calm + 1 } else { 0 };
            if calm == CALM {
                // What a start, flushes and merges ran through is half of what a node at rest has resident.
                pages::give_back(&sys);
            }
            tenancy.weigh(|tenant| store.stats_of(tenant).stored_bytes);
            tenancy.name(|tenant| named(&store, tenant));
            let counted = tenancy.save();
            match kept.and(purged).and(tended).and(trimmed).and(counted) {
                Ok(()) => said.clear(),
                // A full disk stays full for a while: its error is told once, not every ten seconds.
                Err(words) if words == said => {}
                Err(words) => {
                    eprintln!("sawlog: {words}");
                    said = words;
                }
            }
        }
        // A day's counts go on where they were. What cannot be written now is told by the next node.
        let _ = tenancy.save();
    };
    Ok(task::spawn("tend", work)?)
}
