//! `sawlog dead list|show|replay|drop`: rows that outputs refused for good or that were given up. They are read from the
//! directory, whether a node runs there or not; a running node replays and drops by itself.

use std::io::{Read, Write};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use sawlog_model::{RowRef, time::rfc3339};
use sawlog_pipeline::{DeadLetters, Letter, Which, wiring};
use sawlog_sys::Sys;
use serde_json::{Value, json};

use super::DataArg;
use crate::node::local;
use crate::{reach, terminal};

/// Show, replay or drop rows that outputs refused
#[derive(Args)]
pub(crate) struct DeadCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// One line for each letter: its number, when, which output, why
    List {
        #[command(flatten)]
        which: WhichArg,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Letters with their rows and the rows' addresses
    Show {
        #[command(flatten)]
        which: WhichArg,
        /// One JSON object a row
        #[arg(long)]
        json: bool,
    },
    /// Send rows on their way again, to the output that did not get them
    Replay {
        #[command(flatten)]
        which: WhichArg,
        /// All there are
        #[arg(long)]
        all: bool,
    },
    /// Let go of letters for good
    Drop {
        #[command(flatten)]
        which: WhichArg,
        /// All there are
        #[arg(long)]
        all: bool,
    },
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

impl WhichArg {
    fn which(self) -> Which {
        Which::of(self.output, self.numbers)
    }

    /// What is to be changed must be named.
    fn named(self, all: bool) -> Result<Which> {
        match self.which() {
            Which::All if !all => bail!("name letters by number or --output, or all of them with --all"),
            which => Ok(which),
        }
    }
}

impl DeadCommand {
    pub(crate) fn run(self) -> Result<()> {
        let sys = Sys::real();
        let mut out = std::io::stdout().lock();
        match self.command {
            Command::List { which, json } => {
                for letter in letters(&sys, which)? {
                    list(&letter?, json, &mut out)?;
                }
                Ok(())
            }
            Command::Show { which, json } => {
                for letter in letters(&sys, which)? {
                    show(&letter?, json, &mut out)?;
                }
                Ok(())
            }
            Command::Replay { which, all } => {
                change(&sys, &which.data.clone(), which.named(all)?, true, &mut out)
            }
            Command::Drop { which, all } => {
                change(&sys, &which.data.clone(), which.named(all)?, false, &mut out)
            }
        }
    }
}

/// Of these letters those of the tenant for which the command is called, where one is named.
fn of_tenant(sys: &Sys, data: &DataArg, which: Which) -> Result<Which> {
    match reach::tenant() {
        None => Ok(which),
        Some(_) => Ok(Which::OfTenant(local::tenant(sys, &data.data)?, Box::new(which))),
    }
}

fn letters(
    sys: &Sys,
    which: WhichArg,
) -> Result<impl Iterator<Item = Result<Letter, sawlog_journal::JournalError>>> {
    let dir = which.data.directory()?;
    let letters = DeadLetters::read(sys, &dir.join("dead"))?;
    let which = of_tenant(sys, &which.data.clone(), which.which())?;
    Ok(letters.filter(move |letter| letter.as_ref().map_or(true, |letter| which.means(letter))))
}

fn head(letter: &Letter) -> Value {
    json!({
        "number": letter.number,
        "time": rfc3339(letter.time),
        "output": &*letter.output,
        "why": letter.why.word(),
        "reason": letter.reason,
        "records": letter.batch.rows.len(),
    })
}

fn list(letter: &Letter, json: bool, out: &mut impl Write) -> Result<()> {
    if json {
        return Ok(writeln!(out, "{}", head(letter))?);
    }
    Ok(writeln!(out, "{letter}")?)
}

fn show(letter: &Letter, json: bool, out: &mut impl Write) -> Result<()> {
    if !json {
        list(letter, false, out)?;
    }
    for row in letter.batch.iter() {
        let address = row.address();
        let address = format!("{}:{}:{}", address.source, address.epoch, address.offset);
        if json {
            let mut value = head(letter);
            value["address"] = address.into();
            value["source"] = row.batch.source.facts.name.as_str().into();
            value["line"] = line(row).into();
            value["fields"] = fields(row);
            writeln!(out, "{value}")?;
        } else {
            let name = terminal::visible(&row.batch.source.facts.name);
            writeln!(out, "          {address}  {name}  {}", terminal::visible(&line(row)))?;
        }
    }
    Ok(())
}

fn line(row: RowRef<'_>) -> String {
    String::from_utf8_lossy(sawlog_model::strip_terminator(row.raw())).into_owned()
}

/// The row's context and fields, as text.
fn fields(row: RowRef<'_>) -> Value {
    let mut fields = serde_json::Map::new();
    for (name, value) in row.batch.context.iter() {
        fields.insert(name.to_owned(), value.to_string().into());
    }
    for slot in row.slots() {
        let text = String::from_utf8_lossy(row.slot(slot)).into_owned();
        fields.insert(row.batch.names.name(slot.name).to_string(), text.into());
    }
    fields.into()
}

/// Replays or drops: by the node that runs on the directory; else letters are dropped here, and replayed at the next start.
fn change(sys: &Sys, data: &DataArg, which: Which, replay: bool, out: &mut impl Write) -> Result<()> {
    let (dir, mut node) = (data.data.join("dead"), None);
    // A node that starts holds the directory before it can be asked.
    let dead = wiring::patiently(sys, || {
        node = reach::running(sys, data).transpose();
        let is_here = node.is_none() && sys.fs.metadata(&dir).is_ok();
        is_here.then(|| DeadLetters::open(sys, &dir, u64::MAX)).transpose()
    })?;
    let Some(node) = node.transpose()? else {
        let dead = dead.with_context(|| format!("there are no dead letters in {}", data.data.display()))?;
        return change_here(&dead, &of_tenant(sys, data, which)?, replay, out);
    };
    let query = match which {
        // The node knows the tenant from the request.
        Which::All | Which::OfTenant(..) => Vec::new(),
        Which::Output(output) => vec![("output", output)],
        Which::Numbers(numbers) => {
            vec![("numbers", numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(","))]
        }
    };
    let path = if replay { "/api/v1/dead/replay" } else { "/api/v1/dead/drop" };
    let mut text = String::new();
    node.post(path, &query)?.read_to_string(&mut text)?;
    let said: Value = serde_json::from_str(&text).context("the node's answer is not JSON")?;
    let done = if replay { "replayed" } else { "dropped" };
    writeln!(out, "{} letters with {} records {done}", said["letters"], said["records"])?;
    let left: Vec<&str> = said["left"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !left.is_empty() {
        bail!("{}", left.join("\n"));
    }
    Ok(())
}

fn change_here(dead: &DeadLetters, which: &Which, replay: bool, out: &mut impl Write) -> Result<()> {
    if replay {
        let (letters, records) = dead.ask_for_replay(which)?;
        writeln!(out, "{letters} letters with {records} records will be replayed when a node starts here")?;
    } else {
        let (letters, records) = dead.drop_letters(which)?;
        writeln!(out, "{letters} letters with {records} records dropped")?;
    }
    Ok(())
}
