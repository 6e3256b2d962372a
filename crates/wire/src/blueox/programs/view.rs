//! `oxview`: shows events, of the live stream, of the files of a directory, or of its standard input. Knows nothing of how
//! they came there.

use std::collections::{HashMap, VecDeque};
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;
use std::time::Duration;

use sawlog_model::{Limits, Value};
use sawlog_sys::{Sys, task};
use tokio::time::{sleep, timeout};

use super::flags::{self, Flag, Given, NONE};
use super::json::{self, Layout};
use super::{Failure, dates, failed, files, link, usage};
use crate::shared::msgpack;

const FLAGS: &[Flag] = &[
    Flag { short: 'v', long: "verbose", value: "", help: "say more on standard error; may be given twice" },
    flags::TYPE_NAME,
    flags::HOST,
    Flag { short: 'l', long: "log-path", value: "DIR", help: "the files of this directory" },
    Flag {
        short: 's',
        long: "start-date",
        value: "DATE",
        help: "with --log-path: YYYYMMDD or \"YYYYMMDD HH:MM\", in UTC",
    },
    Flag { short: 'e', long: "end-date", value: "DATE", help: "with --log-path: likewise; the whole day" },
    Flag {
        short: 'p',
        long: "pretty",
        value: "",
        help: "a heading for each event, and its JSON over several lines",
    },
    Flag { short: NONE, long: "group", value: "", help: "an event with all below it, as a list" },
    Flag {
        short: NONE,
        long: "filter",
        value: "PATH:JSON",
        help: "only where the field has this value: 'body.name:\"Sara\"'",
    },
    Flag { short: NONE, long: "json", value: "", help: "has no effect: there is no other format" },
];

const HEAD: &str = "oxview [options] [< FILE]: events as JSON, one per line";

/// Most ids whose events are gathered.
const GROUPS: usize = 1_000;

pub(super) fn run(arguments: &[String], sys: &Sys) -> Result<u8, Failure> {
    let Some(given) = flags::read(HEAD, arguments, FLAGS)? else { return Ok(0) };
    if let Some(other) = given.rest.first() {
        return Err(usage(format!("unrecognized arguments: {other}")));
    }
    let stdin = io::stdin();
    let mut show = Show::new(&given, Box::new(io::stdout()))?;
    if let Some(dir) = given.get("log-path").filter(|_| !given.has("host")) {
        return stored(&given, Path::new(dir), sys, &mut show);
    }
    if given.has("start-date") || given.has("end-date") {
        return Err(usage("dates need --log-path"));
    }
    if given.has("host") || stdin.is_terminal() {
        let runtime = task::runtime("oxview", 1)?;
        return runtime.block_on(live(&link::control(&given), given.has("verbose"), &mut show));
    }
    if given.has("type-name") {
        return Err(usage("Can't specify a name from stdin"));
    }
    from_reader(stdin.lock(), &mut show)
}

fn from_reader(from: impl Read, show: &mut Show) -> Result<u8, Failure> {
    let mut events = files::Events::new(from);
    while let Some(event) = events.next()? {
        show.event(event)?;
    }
    Ok(0)
}

/// Shows the files of a directory, in the order of their times.
fn stored(given: &Given, dir: &Path, sys: &Sys, show: &mut Show) -> Result<u8, Failure> {
    let (start, end) = (given.get("start-date"), given.get("end-date"));
    let span = match (start, end) {
        (None, None) => None,
        _ => Some(dates::span(start.or(end), end, sys.clock.now())?),
    };
    let all = files::list(sys, dir).map_err(|error| failed(format!("{}: {error}", dir.display())))?;
    // A file may hold events of the day before, which came late.
    let day = 86_400 * sawlog_model::SECOND;
    let near = |file: &&files::LogFile| {
        let from = dates::nanos(file.from);
        span.is_none_or(|(start, end)| from < end + day && from + day > start)
    };
    let mut wrong = 0;
    let pattern = show.pattern.clone();
    for file in all.iter().filter(|file| files::fits(&pattern, &file.kind)).filter(near) {
        let mut events = files::Events::new(files::unpacked(sys, file)?);
        loop {
            match events.next() {
                Ok(Some(event)) => {
                    let at = files::end(&event);
                    let within = |(start, end)| at.is_some_and(|at| (start..end).contains(&at));
                    if span.is_none_or(within) {
                        show.event(event)?;
                    }
                }
                Ok(None) => break,
                // The file that is being written to may end in the middle of an event; the others are shown all the same.
                Err(error) => {
                    eprintln!("oxview: {}: {error}", file.path.display());
                    wrong = 1;
                    break;
                }
            }
        }
    }
    Ok(wrong)
}

/// Shows the stream of a node until it cannot be reached any more.
async fn live(address: &str, verbose: bool, show: &mut Show) -> Result<u8, Failure> {
    loop {
        let stream = link::stream_of(address).await.map_err(|error| {
            if verbose {
                eprintln!("oxview: {error}");
            }
            failed("Failed to connect to server")
        })?;
        if let Err(error) = watch(&stream, show).await? {
            if verbose {
                eprintln!("oxview: {error}");
            }
            sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Shows one connection's events until it is silent for long; the inner error where it ended.
async fn watch(stream: &str, show: &mut Show) -> Result<Result<(), String>, Failure> {
    let mut pipe = match link::subscribe(stream, &show.pattern).await {
        Ok(pipe) => pipe,
        Err(error) => return Ok(Err(error)),
    };
    loop {
        let message = match timeout(link::PATIENCE, pipe.next_message()).await {
            // The node may have started anew, with its stream on another port.
            Err(_) => return Ok(Ok(())),
            Ok(Ok(Some(message))) => message,
            Ok(Ok(None)) => return Ok(Err("the stream was closed".to_owned())),
            Ok(Err(error)) => return Ok(Err(error.to_string())),
        };
        let [kind, data] = message.frames.as_slice() else { continue };
        if !files::fits(&show.pattern, &String::from_utf8_lossy(kind)) {
            continue;
        }
        if let Ok((event, _)) = msgpack::value(data, &Limits::default()) {
            show.event(event)?;
        }
    }
}

/// How events are shown.
pub(super) struct Show {
    /// Which types.
    pub pattern: String,
    pretty: bool,
    filter: Option<(Vec<String>, Value)>,
    groups: Option<Groups>,
    out: Box<dyn Write>,
}

impl Show {
    fn new(given: &Given, out: Box<dyn Write>) -> Result<Show, Failure> {
        let filter = given.get("filter").map(|text| -> Result<_, Failure> {
            let (path, value) =
                text.split_once(':').ok_or_else(|| usage("--filter takes PATH:JSON, such as 'body.n:5'"))?;
            Ok((path.split('.').map(str::to_owned).collect(), json::read(value)))
        });
        Ok(Show {
            pattern: given.get("type-name").unwrap_or_default().to_owned(),
            pretty: given.has("pretty"),
            filter: filter.transpose()?,
            groups: given.has("group").then(Groups::default),
            out,
        })
    }

    pub fn event(&mut self, event: Value) -> Result<(), Failure> {
        if let Some((path, wanted)) = &self.filter {
            let mut value = Some(&event);
            for part in path {
                value = value.and_then(|value| value.get(part));
            }
            if !value.is_some_and(|value| same(value, wanted)) {
                return Ok(());
            }
        }
        let shown = match &mut self.groups {
            None => event,
            Some(groups) => match groups.add(event) {
                Some(group) => Value::List(group),
                None => return Ok(()),
            },
        };
        let mut text = String::new();
        let layout = if self.pretty { Layout::Pretty } else { Layout::Line };
        if self.pretty {
            let last = match &shown {
                Value::List(group) => group.last(),
                one => Some(one),
            };
            text = last.map(heading).unwrap_or_default();
        }
        json::dump(&shown, layout, 0, &mut text);
        text.push('\n');
        self.out.write_all(text.as_bytes())?;
        Ok(self.out.flush()?)
    }
}

/// Numbers are the same whatever their type.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Int(int), Value::Float(float)) | (Value::Float(float), Value::Int(int)) => {
            *int as f64 == *float
        }
        _ => a == b,
    }
}

/// The heading of an event.
fn heading(event: &Value) -> String {
    let seconds = |name: &str| match event.get(name) {
        Some(Value::Float(seconds)) => Some(*seconds),
        Some(Value::Int(seconds)) => Some(*seconds as f64),
        _ => None,
    };
    let text = |name: &str| files::text(event, name);
    let (Some(start), Some(end)) = (seconds("start"), seconds("end")) else {
        return format!("\n=== {} ({})\n", text("type"), text("id"));
    };
    let duration = end - start;
    let took = if duration < 2.0 {
        format!("{} ms", (duration * 1_000.0).round() as i64)
    } else {
        format!("{duration:.1} s")
    };
    let id: String = text("id").chars().take(12).collect();
    format!("\n=== {} ({id}@{}:{})  ({took})\n", text("type"), text("host"), text("pid"))
}

/// Events of ids whose outermost one has not come yet.
#[derive(Default)]
struct Groups {
    open: HashMap<String, Vec<Value>>,
    order: VecDeque<String>,
}

impl Groups {
    /// Adds an event; all of its id, where it is the outermost.
    fn add(&mut self, event: Value) -> Option<Vec<Value>> {
        let (id, outermost) = (files::text(&event, "id"), !files::text(&event, "type").contains('.'));
        if outermost {
            self.order.retain(|have| *have != id);
            let mut group = self.open.remove(&id).unwrap_or_default();
            group.push(event);
            return Some(group);
        }
        if !self.open.contains_key(&id) {
            if self.order.len() >= GROUPS
                && let Some(oldest) = self.order.pop_front()
            {
                self.open.remove(&oldest);
            }
            self.order.push_back(id.clone());
        }
        self.open.entry(id).or_default().push(event);
        None
    }
}

#[cfg(test)]
pub(super) mod testing {
    //! What is shown, kept.

    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    pub struct Kept(pub Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("one test").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What these arguments show of events.
    pub fn shown(
        arguments: &[&str],
        work: impl FnOnce(&Given, &mut Show) -> Result<u8, Failure>,
    ) -> (String, u8) {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let given = flags::read(HEAD, &arguments, FLAGS).expect("options").expect("no help");
        let kept = Kept::default();
        let mut show = Show::new(&given, Box::new(kept.clone())).expect("a filter");
        let code = work(&given, &mut show).expect("shown");
        let text = String::from_utf8(kept.0.lock().expect("one test").clone()).expect("text");
        (text, code)
    }

    /// What is shown of the bytes of events.
    pub fn of_bytes(arguments: &[&str], bytes: &[u8]) -> String {
        shown(arguments, |_, show| from_reader(bytes, show)).0
    }

    /// What is shown of a directory.
    pub fn of_files(arguments: &[&str], dir: &Path) -> (String, u8) {
        shown(arguments, |given, show| stored(given, dir, &Sys::real(), show))
    }
}
