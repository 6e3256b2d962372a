//! Runs the program in a thread, and reads it. Knows nothing of configurations.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use bytes::BytesMut;
use sawlog_model::{Context, FieldValue, Nanos, Right, Tenant, strip_terminator};
use sawlog_pipeline::{ConfigError, Env, Input, Intake, Options, Running};
use sawlog_sys::program::{self, Ending, Process};
use sawlog_sys::task::{self, Stop};

use crate::shared::cut::{Cutter, Framing, Piece};
use crate::shared::gather::{Gather, NewRow, Place};
use crate::shared::lines::{LineReading, LineSettings, Read};
use crate::shared::sources::Sources;

/// Bytes read at once.
const READ: usize = 64 << 10;

/// How long a program may take to end before it is made to.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longest tag that a line may have, bytes.
const TAG_MOST: usize = 1024;

/// Tags that are remembered.
const TAGS: usize = 10_000;

/// What the options say.
#[derive(Clone)]
struct Settings {
    command: Vec<String>,
    again: Option<Duration>,
    tag_key: Option<String>,
    errors: bool,
    lines: LineSettings,
}

struct ExecInput(Settings);

/// Makes an input from its options.
///
/// # Errors
/// [`ConfigError`] where they cannot be.
pub(super) fn make(options: &Options) -> Result<Box<dyn Input>, ConfigError> {
    let errors = match options.text("connect_mode") {
        "read" => false,
        "read_with_stderr" => true,
        other => {
            return Err(ConfigError(format!("`connect_mode = {other}` is none of read, read_with_stderr")));
        }
    };
    let command = options.list("command").to_vec();
    if command.iter().all(String::is_empty) {
        return Err(ConfigError("`command` is missing: what is to be run".to_owned()));
    }
    let settings = Settings {
        command,
        again: Some(options.duration("run_interval")).filter(|time| !time.is_zero()),
        tag_key: Some(options.text("tag_key").to_owned()).filter(|key| !key.is_empty()),
        errors,
        lines: LineSettings::read(options, "exec")?,
    };
    if settings.tag_key.is_some() && !settings.lines.is_configured() {
        return Err(ConfigError("`tag_key` needs `parse.type`: without it lines have no fields".to_owned()));
    }
    Ok(Box::new(ExecInput(settings)))
}

impl Input for ExecInput {
    fn start(self: Box<Self>, intake: Intake, env: Env) -> Result<Running, String> {
        let (stop, current) = (Stop::default(), Arc::new(Mutex::new(Ending::default())));
        let (alive, ended) = mpsc::channel::<()>();
        let tenant = env.access.admit(b"", Right::Ingest).map_err(|error| error.to_string())?;
        let runner = Runner {
            reading: Reading::new(self.0, &intake, &env, tenant),
            tenant,
            intake,
            env,
            stop: stop.clone(),
            current: current.clone(),
        };
        let started = task::spawn("exec", move || {
            runner.run();
            drop(alive);
        });
        started.map_err(|error| error.to_string())?;
        let join = move || {
            stop.request();
            let ending = || current.lock().unwrap_or_else(PoisonError::into_inner).clone();
            ending().ask();
            // Nobody sends: the channel closes when the thread has ended.
            if let Err(mpsc::RecvTimeoutError::Timeout) = ended.recv_timeout(PATIENCE) {
                ending().force();
                let _ = ended.recv_timeout(PATIENCE);
            }
        };
        Ok(Running { address: None, join: Box::new(join) })
    }
}

struct Runner {
    reading: Reading,
    intake: Intake,
    env: Env,
    tenant: Tenant,
    stop: Stop,
    current: Arc<Mutex<Ending>>,
}

impl Runner {
    fn run(mut self) {
        loop {
            if let Err(words) = self.once() {
                self.intake.count_error("exec", &words);
            }
            match self.reading.settings.again {
                Some(time) if !self.stop.wait(time) => {}
                _ => return,
            }
        }
    }

    fn once(&mut self) -> Result<(), String> {
        let settings = &self.reading.settings;
        let process =
            program::start(&settings.command, settings.errors).map_err(|error| error.to_string())?;
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = process.ending();
        if self.stop.requested() {
            process.ending().ask();
        }
        let ending = process.ending();
        let read = self.read(process);
        if read.is_err() {
            // Nobody reads what it prints any more.
            ending.force();
        }
        read
    }

    /// Delivers what it prints, until its end.
    fn read(&mut self, mut process: Process) -> Result<(), String> {
        let limits = self.env.limits;
        let mut cutter = Cutter::new(Framing::Delimiter(b"\n".as_slice().into()), limits.event, limits);
        let (mut buffer, mut gather, mut bytes) = (BytesMut::new(), Gather::default(), vec![0; READ]);
        loop {
            let len = process.read(&mut bytes).map_err(|error| error.to_string())?;
            buffer.extend_from_slice(&bytes[..len]);
            let received = self.env.sys.clock.now();
            while let Some(piece) = cutter.cut(&mut buffer).map_err(|error| error.to_string())? {
                self.reading.read(&piece, received, &mut gather);
            }
            if len == 0
                && let Some(piece) = cutter.rest(&mut buffer)
            {
                self.reading.read(&piece, received, &mut gather);
            }
            if !gather.is_empty() {
                let submitted = self.env.runtime.block_on(self.intake.submit(gather.take(self.tenant)));
                submitted.map_err(|error| error.to_string())?;
            }
            if len == 0 {
                let status = process.wait().map_err(|error| error.to_string())?;
                let asked = self.stop.requested();
                return if status.success() || asked {
                    Ok(())
                } else {
                    Err(format!("the program ended: {status}"))
                };
            }
        }
    }
}

/// Lines to rows; the tag may be one of their fields.
struct Reading {
    settings: Settings,
    lines: LineReading,
    sources: Sources,
    places: HashMap<String, Place>,
    /// Where the line stands that goes on.
    last: Option<Place>,
}

impl Reading {
    fn new(settings: Settings, intake: &Intake, env: &Env, tenant: Tenant) -> Self {
        let sources = Sources::new(intake.known_sources(), "exec", env.sys.random.clone()).of(tenant);
        let (now, count) = (env.sys.clock.now(), Some(intake.clone()));
        let lines = LineReading::new(&settings.lines, "exec", sources.clone(), count, now, env.limits);
        Reading { settings, lines, sources, places: HashMap::new(), last: None }
    }

    fn read(&mut self, piece: &Piece, received: Nanos, gather: &mut Gather) {
        if strip_terminator(&piece.bytes).is_empty() {
            return;
        }
        let Some(mut read) = self.lines.parse(piece, "exec", received) else { return };
        if !piece.inside {
            let tag = self.tag(piece, &mut read);
            self.last = Some(self.place(tag.as_deref().unwrap_or(&self.settings.lines.tag.clone())));
        }
        let Some(place) = &self.last else { return };
        let Read { slots, made, time, marks } = read;
        let row = NewRow { raw: &piece.bytes, made: &made, slots: &slots, time, received, marks, added: &[] };
        gather.push(place, row);
        gather.names = self.lines.names();
    }

    /// Takes the field out that is the tag.
    fn tag(&mut self, piece: &Piece, read: &mut Read) -> Option<String> {
        let key = self.lines.name(self.settings.tag_key.as_deref()?);
        let at = read.slots.iter().rposition(|slot| slot.name == key)?;
        let slot = read.slots.remove(at);
        let (start, end) = (slot.start as usize, (slot.start + slot.len) as usize);
        let base = piece.bytes.len();
        let bytes =
            if start < base { &piece.bytes[start..end] } else { &read.made[start - base..end - base] };
        let value = FieldValue::read(slot.kind, Cow::Borrowed(bytes));
        let tag = String::from_utf8_lossy(value.text()?).into_owned();
        Some(tag).filter(|tag| !tag.is_empty() && tag.len() <= TAG_MOST)
    }

    fn place(&mut self, tag: &str) -> Place {
        if let Some(place) = self.places.get(tag) {
            return place.clone();
        }
        if self.places.len() >= TAGS {
            self.places.clear();
        }
        let context = Arc::new(Context::new([("_tag", tag)]));
        let place = Place { source: self.sources.get(&format!("exec:{tag}")), context };
        self.places.insert(tag.to_owned(), place.clone());
        place
    }
}
