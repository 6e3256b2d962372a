//! `oxd`: what its options ask of a node, as sections of a configuration. Knows nothing of how a node runs.

use std::path::{Path, PathBuf};

use sawlog_pipeline::config::{self, Config, QueueOptions};
use sawlog_pipeline::{Protocol, wiring};
use sawlog_sys::Sys;

use super::flags::{self, Flag, Given, NONE};
use super::{Failure, link, usage};

const FLAGS: &[Flag] = &[
    Flag { short: 'v', long: "verbose", value: "", help: "has no effect: what goes wrong is always told" },
    Flag { short: 't', long: "control", value: "HOST[:PORT]", help: "control port (127.0.0.1:3513)" },
    Flag {
        short: 'c',
        long: "collect",
        value: "HOST[:PORT]",
        help: "collection port (127.0.0.1:3514); * for all addresses",
    },
    Flag { short: 'r', long: "forward", value: "HOST[:PORT]", help: "forward all events to this node" },
    Flag {
        short: 'l',
        long: "log-path",
        value: "DIR",
        help: "write events to files in this directory, one for each type and day",
    },
    Flag {
        short: NONE,
        long: "rotate-hours",
        value: "N",
        help: "one for so many hours, of 1, 2, 3, 4, 6, 8, 12",
    },
    Flag {
        short: NONE,
        long: "stream-range",
        value: "MIN",
        help: "ports for the stream: MIN MAX (35000 36000)",
    },
    Flag { short: NONE, long: "data", value: "DIR", help: "directory of the queue (./sawlog-data)" },
    Flag {
        short: NONE,
        long: "queue-limit",
        value: "SIZE",
        help: "most that waits on disk for the node it forwards to, such as 1GiB; above it clients wait (8GiB)",
    },
    Flag {
        short: NONE,
        long: "http",
        value: "ADDR",
        help: "as `sawlog ox oxd`: page and API (127.0.0.1:7514)",
    },
    Flag {
        short: NONE,
        long: "compress",
        value: "text|lz4|gzip|zstd",
        help: "to another sawlog: compress what is forwarded (zstd)",
    },
];

const HEAD: &str = "oxd [options]: collects events, writes and forwards them";

/// What it is asked to be.
pub struct Daemon {
    given: Given,
    range: Option<String>,
    queue_limit: Option<u64>,
}

/// The file in the directory of the data that a running node is re-pointed by.
const FORWARD_TO: &str = "forward-to";

impl Daemon {
    /// Reads its arguments; `None` where help was asked for.
    ///
    /// # Errors
    /// [`Failure::Usage`].
    pub fn read(arguments: &[String]) -> Result<Option<Daemon>, Failure> {
        let mut arguments = arguments.to_vec();
        let range = take_range(&mut arguments)?;
        let Some(given) = flags::read(HEAD, &arguments, FLAGS)? else { return Ok(None) };
        if let Some(other) = given.rest.first() {
            return Err(usage(format!("unrecognized arguments: {other}")));
        }
        if given.has("rotate-hours") {
            let hours = given.number("rotate-hours", 0)?;
            if !(1..=12).contains(&hours) {
                return Err(usage("--rotate-hours is 1 to 12"));
            }
            if 24 % hours != 0 {
                return Err(usage("--rotate-hours: a day must be a multiple of it"));
            }
        }
        let limit = given.get("queue-limit").map(|text| {
            config::bytes(text)
                .ok_or_else(|| usage(format!("--queue-limit: `{text}` is no size, such as 1GiB")))
        });
        let queue_limit = limit.transpose()?;
        Ok(Some(Daemon { given, range, queue_limit }))
    }

    /// The directory of the data, where it is named.
    pub fn data(&self) -> Option<PathBuf> {
        self.given.get("data").map(PathBuf::from)
    }

    /// Where the page and the API are to be, where it is said.
    pub fn http(&self) -> Option<&str> {
        self.given.get("http")
    }

    /// Its configuration; where it was re-pointed while it ran, as that says.
    ///
    /// # Errors
    /// In words.
    pub fn configuration(&self, sys: &Sys, data: &Path) -> Result<Config, String> {
        let mut config = Config::default();
        let listen = |name: &str, host: &str, port: u16| {
            let text = link::with_port(self.given.get(name).unwrap_or(host), port);
            (name.to_owned(), text)
        };
        let file = data.join(FORWARD_TO);
        let (_, collect) = listen("collect", "127.0.0.1", 3514);
        let (_, control) = listen("control", "127.0.0.1", 3513);
        let mut input = vec![
            ("listen", vec![collect]),
            ("control", vec![control]),
            ("forward_file", vec![file.to_string_lossy().into_owned()]),
        ];
        input.extend(self.range.iter().map(|range| ("stream_range", vec![range.clone()])));
        config.inputs.push(wiring::section(named("blueox")?, &input)?);
        if let Some(dir) = self.given.get("log-path") {
            config.push_output(wiring::section(named("file")?, &self.files(dir, data))?);
        }
        let pointed = sys.fs.read(&file).ok().map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
        if let Some(to) = pointed.as_deref().or(self.given.get("forward")) {
            let compress = self.given.get("compress").unwrap_or("zstd").to_owned();
            let options = [("to", vec![link::with_port(to, 3514)]), ("compress", vec![compress])];
            let queue = QueueOptions { limit: self.queue_limit, ..QueueOptions::default() };
            config.push_queued(wiring::section(named("blueox")?, &options)?, queue);
        }
        if config.outputs().is_empty() {
            // Nothing is kept; the stream shows what comes.
            config.push_output(wiring::section(named("null")?, &[])?);
        }
        Ok(config)
    }

    fn files(&self, dir: &str, data: &Path) -> Vec<(&'static str, Vec<String>)> {
        let (span, letters) = match self.given.get("rotate-hours") {
            Some(hours) => (format!("{hours}h"), "%Y%m%d%H"),
            None => ("1d".to_owned(), "%Y%m%d"),
        };
        let text = |text: &str| vec![text.to_owned()];
        vec![
            ("path", vec![format!("{}/%Y%m%d/${{tag}}-{letters}", dir.trim_end_matches('/'))]),
            ("path_suffix", text(".log")),
            ("append", text("true")),
            ("format.type", text("blueox")),
            // Nothing but events is in the directory: other programs read it.
            ("buffer.path", vec![data.join("files").to_string_lossy().into_owned()]),
            ("buffer.keys", vec!["time".to_owned(), "tag".to_owned()]),
            ("buffer.timekey", vec![span]),
            ("buffer.timekey_use_utc", text("true")),
            ("buffer.flush_mode", text("interval")),
            ("buffer.flush_interval", text("1s")),
        ]
    }
}

/// The protocol of that name.
fn named(name: &str) -> Result<&'static Protocol, String> {
    let found = crate::PROTOCOLS.iter().find(|protocol| protocol.name == name);
    found.copied().ok_or_else(|| format!("this program has no `{name}`"))
}

/// Takes `--stream-range MIN MAX` out of the arguments: it is the only option of two values.
fn take_range(arguments: &mut Vec<String>) -> Result<Option<String>, Failure> {
    let Some(at) = arguments.iter().position(|argument| argument == "--stream-range") else {
        return Ok(None);
    };
    let wrong = || usage("--stream-range takes two ports, 35000 <= MIN < MAX <= 36000");
    let ports: Vec<u16> =
        arguments.iter().skip(at + 1).take(2).filter_map(|text| text.parse().ok()).collect();
    let [first, last] = ports.as_slice() else { return Err(wrong()) };
    if *first < 35_000 || first >= last || *last > 36_000 {
        return Err(wrong());
    }
    let range = format!("{first}-{last}");
    arguments.drain(at..at + 3);
    Ok(Some(range))
}
