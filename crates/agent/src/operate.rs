//! Commands about a running agent, and about the dead letters in its directory. Knows nothing of how an agent runs.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use sawlog_journal::JournalError;
use sawlog_model::time::rfc3339;
use sawlog_model::{Batch, Limits};
use sawlog_pipeline::{DeadLetters, Letter, Which, tag_of, wiring};
use sawlog_sys::Sys;
use sawlog_wire::shared::record;

use crate::control;

/// Where the data lie.
#[derive(Args)]
pub(crate) struct DataArg {
    /// Directory of the journal
    #[arg(long, value_name = "DIR", default_value = "./sawlog-data")]
    data: PathBuf,
}

#[derive(Args)]
pub(crate) struct Tap {
    /// Only tags that fit, as in configurations: 'app.*', '{app,web}.**'
    #[arg(value_name = "TAG-PATTERN", default_value = "**")]
    tags: String,
    #[command(flatten)]
    data: DataArg,
}

#[derive(Args)]
pub(crate) struct Dead {
    #[command(subcommand)]
    command: DeadCommand,
}

#[derive(Subcommand)]
enum DeadCommand {
    /// One line for each letter: its number, when, which output, why
    List(WhichArg),
    /// Letters with their rows and the rows' addresses
    Show(WhichArg),
    /// Send rows on their way again, to the output that did not get them
    Replay(ChangeArg),
    /// Let go of letters for good
    Drop(ChangeArg),
}

#[derive(Args)]
struct WhichArg {
    /// Numbers of letters, as `list` shows them
    numbers: Vec<u64>,
    /// Those of one output
    #[arg(long, value_name = "NAME", conflicts_with = "numbers")]
    output: Option<String>,
    #[command(flatten)]
    data: DataArg,
}

#[derive(Args)]
struct ChangeArg {
    #[command(flatten)]
    which: WhichArg,
    /// All there are
    #[arg(long)]
    all: bool,
}

impl WhichArg {
    fn which(self) -> Which {
        Which::of(self.output, self.numbers)
    }
}

impl ChangeArg {
    fn which(self) -> Result<Which> {
        match self.which.which() {
            Which::All if !self.all => bail!("name letters by number or --output, or all of them with --all"),
            which => Ok(which),
        }
    }
}

/// Whether the failure is only that nobody reads our output any more.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.into_iter().any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// Asks the running agent and prints what it answers; whether it said anything.
fn print(data: &DataArg, request: &str) -> Result<bool> {
    let mut out = io::stdout().lock();
    let mut said = false;
    let answered = control::ask(&data.data, request, |line| {
        said = true;
        writeln!(out, "{line}")?;
        Ok(out.flush()?)
    })?;
    match answered {
        Some(()) => Ok(said),
        None => bail!("no agent runs on {}; name its directory with --data", data.data.display()),
    }
}

pub(crate) fn status(data: &DataArg) -> Result<()> {
    print(data, "status").map(drop)
}

pub(crate) fn reload(data: &DataArg) -> Result<()> {
    if !print(data, "reload")? {
        println!("nothing has changed");
    }
    Ok(())
}

impl Tap {
    pub(crate) fn run(self) -> Result<()> {
        print(&self.data, &format!("tap {}", self.tags))?;
        bail!("the agent ended")
    }
}

/// Records as they are tapped: time, tag and the record as JSON.
pub(crate) fn lines(batch: &Batch) -> Vec<u8> {
    let (limits, tag) = (Limits::default(), tag_of(batch));
    let mut out = Vec::new();
    for row in batch.iter() {
        out.extend_from_slice(format!("{} {} ", rfc3339(row.row().time), tag.escape_debug()).as_bytes());
        record::write_json(row, &limits, &mut out);
        out.push(b'\n');
    }
    out
}

impl Dead {
    pub(crate) fn run(self) -> Result<()> {
        let mut out = io::stdout().lock();
        match self.command {
            DeadCommand::List(which) => {
                for letter in letters(which)? {
                    writeln!(out, "{}", letter?)?;
                }
                Ok(())
            }
            DeadCommand::Show(which) => {
                for letter in letters(which)? {
                    let letter = letter?;
                    writeln!(out, "{letter}")?;
                    show(&letter, &mut out)?;
                }
                Ok(())
            }
            DeadCommand::Replay(arg) => change("replay", arg),
            DeadCommand::Drop(arg) => change("drop", arg),
        }
    }
}

fn letters(which: WhichArg) -> Result<impl Iterator<Item = Result<Letter, JournalError>>> {
    let letters = DeadLetters::read(&Sys::real(), &which.data.data.join("dead"))?;
    let which = which.which();
    Ok(letters.filter(move |letter| letter.as_ref().map_or(true, |letter| which.means(letter))))
}

fn show(letter: &Letter, out: &mut impl Write) -> Result<()> {
    let limits = Limits::default();
    let mut json = Vec::new();
    for row in letter.batch.iter() {
        let (address, name) = (row.address(), row.batch.source.facts.name.escape_debug());
        write!(out, "          {}:{}:{}  {name}  ", address.source, address.epoch, address.offset)?;
        json.clear();
        record::write_json(row, &limits, &mut json);
        json.push(b'\n');
        out.write_all(&json)?;
    }
    Ok(())
}

/// Replays or drops: by the agent that runs on the directory; else letters are dropped here, and replayed at the next start.
fn change(verb: &str, arg: ChangeArg) -> Result<()> {
    let data = arg.which.data.data.clone();
    let which = &arg.which()?;
    let request = format!("{verb} {}", control::write_which(which));
    let (sys, dir) = (Sys::real(), data.join("dead"));
    let mut answered = None;
    // An agent that starts holds the directory before it can be asked.
    let dead = wiring::patiently(&sys, || {
        let print = |line: &str| Ok(writeln!(io::stdout(), "{line}")?);
        answered = control::ask(&data, &request, print).transpose();
        let is_here = answered.is_none() && sys.fs.metadata(&dir).is_ok();
        is_here.then(|| DeadLetters::open(&sys, &dir, u64::MAX)).transpose()
    })?;
    if let Some(answered) = answered {
        return answered;
    }
    let dead = dead.with_context(|| format!("there are no dead letters in {}", data.display()))?;
    let ((letters, rows), done) = match verb {
        "replay" => (dead.ask_for_replay(which)?, "will be replayed when an agent starts here"),
        _ => (dead.drop_letters(which)?, "dropped"),
    };
    Ok(writeln!(io::stdout(), "{letters} letters with {rows} records {done}")?)
}
