//! BlueOx's programs beside the daemon's ports: `oxview`, `oxctl`, `oxstore`, `oxingest`, `oxstash`, and what `oxd` is asked to
//! be, each with the original's options. Both binaries carry them. Knows nothing of pipelines.

mod bucket;
mod ctl;
pub mod daemon;
mod dates;
mod files;
mod flags;
mod ingest;
mod json;
mod link;
mod stash;
mod store;
#[cfg(test)]
mod tests;
mod view;

use std::io;

use sawlog_sys::Sys;

/// A program: its name, a sentence, and what it does with the arguments behind its name; the exit code.
pub struct Program {
    /// The name that it is called by.
    pub name: &'static str,
    /// One sentence.
    pub summary: &'static str,
    run: fn(&[String], &Sys) -> Result<u8, Failure>,
}

/// All but `oxd`, which is a node.
pub const PROGRAMS: &[Program] = &[
    Program {
        name: "oxview",
        summary: "Shows events: of the live stream, of files, of its input",
        run: view::run,
    },
    Program {
        name: "oxctl",
        summary: "Shows how a node is doing, shuts it down, re-points it",
        run: ctl::run,
    },
    Program {
        name: "oxstore",
        summary: "Keeps the files of events: zips, uploads, prunes, reads",
        run: store::run,
    },
    Program { name: "oxingest", summary: "Makes events of lines", run: ingest::run },
    Program { name: "oxstash", summary: "Sends events to Elasticsearch", run: stash::run },
];

impl Program {
    /// Runs it to its end; the exit code.
    pub fn run(&self, arguments: &[String], sys: &Sys) -> u8 {
        match (self.run)(arguments, sys) {
            Ok(code) => code,
            // Whoever reads what it prints has seen enough.
            Err(Failure::Unread) => 0,
            Err(Failure::Usage(words)) => {
                eprintln!("{}: {words}", self.name);
                2
            }
            Err(Failure::Failed(words)) => {
                eprintln!("{words}");
                1
            }
        }
    }
}

/// Why a program ends.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    /// It was called in a wrong way.
    Usage(String),
    /// It could not do what it was to do.
    Failed(String),
    /// Nobody reads its output any more.
    Unread,
}

fn usage(words: impl Into<String>) -> Failure {
    Failure::Usage(words.into())
}

fn failed(words: impl std::fmt::Display) -> Failure {
    Failure::Failed(words.to_string())
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::Unread,
            _ => Failure::Failed(error.to_string()),
        }
    }
}

pub(super) use self::link::with_port;

/// The variable of the environment, where it is set to anything.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
