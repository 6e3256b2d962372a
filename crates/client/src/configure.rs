//! Wires the parts: contexts to the queue, the queue to the receiver, and the end of the program to the last flush. Until
//! `configure` finds a receiver everything in this crate does nothing.

use std::cell::RefCell;
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use crate::chance;
use crate::fork;
use crate::forward::{Connect, Credentials, Stream, tcp};
use crate::queue::Stats;
use crate::record::{Finished, write_entry};
use crate::sender::{Sender, Travel};
use crate::value::{Key, Value};

const DEFAULT_PORT: u16 = 24224;

/// The environment that names the receiver where the program does not: HOST, HOST:PORT or [v6]:PORT.
const ENVIRONMENT: &str = "SAWLOG_HOST";

static HOST: LazyLock<String> = LazyLock::new(|| gethostname::gethostname().to_string_lossy().into_owned());

/// Counts changes of the recorder; 0 where there is none and never was.
static CHANGES: AtomicU64 = AtomicU64::new(0);
static RECORDER: RwLock<Option<Arc<Recorder>>> = RwLock::new(None);
/// The forks that led to the process that the recorder belongs to, and that process.
static FORKS: AtomicU64 = AtomicU64::new(0);
static PROCESS: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// The recorder as this thread knows it, with the count of its change, and room to write an event.
    static KNOWN: RefCell<(u64, Option<Arc<Recorder>>, Vec<u8>)> = const { RefCell::new((0, None, Vec::new())) };
}

/// A receiver is not to be had from what was given.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigureError {
    /// Write `HOST`, `HOST:PORT` or `[v6]:PORT`.
    #[error("{0:?} is no address of a receiver: write HOST, HOST:PORT or [v6]:PORT")]
    Address(String),
}

/// The receiver, and how events wait and travel.
#[derive(Clone)]
pub struct Options {
    /// `HOST`, `HOST:PORT`, `[v6]` or `[v6]:PORT`; the port is 24224 where none is given.
    pub address: String,
    /// The key that both sides know, where the receiver wants one.
    pub shared_key: Option<String>,
    /// The user, where the receiver wants one.
    pub user: String,
    /// Its password.
    pub password: String,
    /// The name to introduce oneself with; the machine's where it is empty.
    pub hostname: String,
    /// What may wait in memory, in bytes of events as they are sent; above it events are dropped and counted.
    pub queue_bytes: usize,
    /// A message ends when it has so many bytes.
    pub chunk_bytes: usize,
    /// How long an event waits for company.
    pub interval: Duration,
    /// How long a connection may take to be made, and a write to be taken.
    pub connect_timeout: Duration,
    /// Without an acknowledgement for so long all is sent again.
    pub ack_timeout: Duration,
    /// How long the end of the program waits for the receiver.
    pub exit_timeout: Duration,
    /// Makes connections instead of [`tcp`], for TLS.
    pub connect: Option<Connect>,
}

impl Options {
    /// Everything as it is by default, for a receiver.
    pub fn to(address: impl Into<String>) -> Options {
        Options {
            address: address.into(),
            shared_key: None,
            user: String::new(),
            password: String::new(),
            hostname: String::new(),
            queue_bytes: 16 << 20,
            chunk_bytes: 1 << 20,
            interval: Duration::from_millis(200),
            connect_timeout: Duration::from_secs(10),
            ack_timeout: Duration::from_secs(60),
            exit_timeout: Duration::from_secs(2),
            connect: None,
        }
    }

    /// Begins to send; see [`configure`].
    ///
    /// # Errors
    /// Where the address is none. Whether anybody answers there is not asked.
    pub fn configure(self) -> Result<Guard, ConfigureError> {
        let address = with_port(&self.address).ok_or(ConfigureError::Address(self.address))?;
        let hostname = if self.hostname.is_empty() { HOST.clone() } else { self.hostname };
        let travel = Travel {
            address,
            connect: self.connect.unwrap_or_else(|| {
                Arc::new(|address, patience| Ok(Box::new(tcp(address, patience)?) as Box<dyn Stream>))
            }),
            credentials: Credentials {
                shared_key: self.shared_key,
                user: self.user,
                password: self.password,
                hostname,
            },
            queue_bytes: self.queue_bytes,
            chunk_bytes: self.chunk_bytes,
            interval: self.interval,
            connect_timeout: self.connect_timeout,
            ack_timeout: self.ack_timeout,
        };
        install(Some(Recorder::Sender(Sender::new(travel, drop_report))), Duration::ZERO);
        Ok(Guard { exit_timeout: self.exit_timeout })
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Sends what waits when it is dropped, for at most [`Options::exit_timeout`]. Keep it until the end of `main`: a program
/// that ends by `std::process::exit` or a panic of `main`'s thread without unwinding must call [`flush`] before.
#[derive(Debug)]
#[must_use = "events that wait are sent when it is dropped: keep it in main"]
pub struct Guard {
    exit_timeout: Duration,
}

impl Drop for Guard {
    fn drop(&mut self) {
        shutdown(self.exit_timeout);
    }
}

/// Where finished events go.
enum Recorder {
    Sender(Sender),
    Function(Box<dyn Fn(&Finished<'_>) + Send + Sync>),
}

/// Names the receiver; events are sent from now on, until the guard is dropped.
///
/// # Errors
/// Where the address is none. Whether anybody answers there is not asked: events wait until somebody does.
pub fn configure(address: &str) -> Result<Guard, ConfigureError> {
    Options::to(address).configure()
}

/// [`configure`] with the receiver that the environment names in `SAWLOG_HOST`; without one nothing is sent.
///
/// # Errors
/// Where the address is none.
pub fn configure_from_env() -> Result<Option<Guard>, ConfigureError> {
    match std::env::var(ENVIRONMENT) {
        Ok(address) if !address.is_empty() => configure(&address).map(Some),
        _ => Ok(None),
    }
}

/// Gives finished events to a function instead of sending them: for tests, or for another way out. It is called on the
/// thread that ends the event, and must not make events itself.
pub fn record_with(function: impl Fn(&Finished<'_>) + Send + Sync + 'static) -> Guard {
    install(Some(Recorder::Function(Box::new(function))), Duration::ZERO);
    Guard { exit_timeout: Duration::ZERO }
}

/// Waits until all events so far are acknowledged; `false` where they are not within `timeout`.
pub fn flush(timeout: Duration) -> bool {
    match recorder().as_deref() {
        Some(Recorder::Sender(sender)) => sender.flush(timeout),
        _ => true,
    }
}

/// Sends what waits, for at most `timeout`, and does nothing from then on; how many events were not acknowledged.
pub fn shutdown(timeout: Duration) -> u64 {
    install(None, timeout)
}

/// The counts of this process; `None` where nothing is sent.
pub fn stats() -> Option<Stats> {
    match recorder().as_deref() {
        Some(Recorder::Sender(sender)) => Some(sender.stats()),
        _ => None,
    }
}

/// Whether finished events go anywhere. Notices a fork.
pub(crate) fn is_on() -> bool {
    if CHANGES.load(Ordering::Relaxed) == 0 {
        return false;
    }
    if fork::count() != FORKS.load(Ordering::Relaxed) {
        in_child();
    }
    with_known(|recorder, _| recorder.is_some())
}

/// The process as its events bear it.
fn process() -> u32 {
    PROCESS.load(Ordering::Relaxed)
}

/// Brings a finished event on its way. Never waits for the network.
pub(crate) fn record(event: &Finished<'_>) {
    with_known(|recorder, room| match recorder.as_deref() {
        Some(Recorder::Sender(sender)) => {
            room.clear();
            write_entry(room, event, &HOST, process());
            sender.put(event.name, room);
            // One large event must not cost a thread that much memory for ever.
            room.shrink_to(64 << 10);
        }
        Some(Recorder::Function(function)) => function(event),
        None => {}
    });
}

/// Works with the recorder as this thread knows it; does nothing while the thread ends or is recording already.
fn with_known<T: Default>(work: impl FnOnce(&Option<Arc<Recorder>>, &mut Vec<u8>) -> T) -> T {
    let known = KNOWN.try_with(|known| {
        let mut known = known.try_borrow_mut().ok()?;
        let changes = CHANGES.load(Ordering::Acquire);
        if known.0 != changes {
            known.0 = changes;
            known.1 = recorder();
        }
        let (_, recorder, room) = &mut *known;
        Some(work(recorder, room))
    });
    known.ok().flatten().unwrap_or_default()
}

fn recorder() -> Option<Arc<Recorder>> {
    RECORDER.read().unwrap_or_else(PoisonError::into_inner).clone()
}

fn install(recorder: Option<Recorder>, timeout: Duration) -> u64 {
    fork::watch();
    belong();
    let before = {
        let mut place = RECORDER.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *place, recorder.map(Arc::new));
        CHANGES.fetch_add(1, Ordering::Release);
        before
    };
    match before.as_deref() {
        Some(Recorder::Sender(sender)) => sender.close(timeout),
        _ => 0,
    }
}

/// The recorder is this process's from now on.
fn belong() {
    PROCESS.store(std::process::id(), Ordering::Relaxed);
    FORKS.store(fork::count(), Ordering::Relaxed);
}

/// A forked process has neither its parent's thread nor its connection: it begins with an empty queue.
fn in_child() {
    let mut place = RECORDER.write().unwrap_or_else(PoisonError::into_inner);
    if fork::count() == FORKS.load(Ordering::Relaxed) {
        return;
    }
    belong();
    if let Some(before) = place.take() {
        if let Recorder::Sender(sender) = &*before {
            *place = Some(Arc::new(Recorder::Sender(sender.anew())));
        } else {
            *place = Some(before.clone());
        }
        // Its lock may have been held by a thread that is not here: nobody may touch it again, not even to drop it.
        std::mem::forget(before);
    }
    CHANGES.fetch_add(1, Ordering::Release);
}

/// The address with its port; `None` where it is none.
fn with_port(address: &str) -> Option<String> {
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None if address.matches(':').count() == 1 => address.split_at(address.find(':')?),
        None => (address, ""),
    };
    let port = match port.strip_prefix(':') {
        Some(digits) => digits.parse().ok().filter(|port| *port > 0)?,
        None if port.is_empty() => DEFAULT_PORT,
        None => return None,
    };
    if host.is_empty() || host.contains(char::is_whitespace) {
        return None;
    }
    Some(if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") })
}

fn drop_report(count: u64) -> (&'static str, Vec<u8>) {
    let now = SystemTime::now();
    let body: [(Key, Value); 1] = [("count".into(), count.into())];
    let mut entry = Vec::new();
    let event = Finished {
        name: "sawlog.dropped",
        id: &crate::context::new_id(now),
        span: chance::bits(),
        parent: None,
        start: now,
        end: now,
        body: &body,
    };
    write_entry(&mut entry, &event, &HOST, process());
    ("sawlog.dropped", entry)
}
