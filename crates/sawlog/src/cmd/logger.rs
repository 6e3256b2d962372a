//! `sawlog logger`: named selections of rows of a running node, with their columns and shortcuts.

use std::io::{Read, Write};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use sawlog_sys::Sys;
use serde_json::{Value, json};

use super::DataArg;
use crate::reach::{self, Client};
use crate::terminal;

/// Show and change loggers: named selections of rows, as /grep/ shows them
#[derive(Args)]
pub(crate) struct Logger {
    #[command(subcommand)]
    does: Does,
}

#[derive(Subcommand)]
enum Does {
    /// List loggers and shortcuts
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: DataArg,
    },
    /// Make a logger, or change what is given of it
    Set {
        /// Its name, as it stands in addresses
        name: String,
        /// The rows: a search without pipes
        #[arg(long)]
        selector: Option<String>,
        /// Days for which rows are shown; 0 for as long as the store keeps them
        #[arg(long)]
        days: Option<u32>,
        /// A field and what is set of it: NAME[:filtered,hidden,excluded,context]; may be given several times
        #[arg(long = "column", value_name = "COLUMN")]
        columns: Vec<String>,
        #[command(flatten)]
        data: DataArg,
    },
    /// Take a logger away with its shortcuts; its rows stay
    Remove {
        /// Its name
        name: String,
        #[command(flatten)]
        data: DataArg,
    },
    /// Make or change a shortcut
    Shortcut {
        /// Its name, as it stands in addresses
        name: String,
        /// The logger that it leads to
        #[arg(long)]
        logger: String,
        /// Parameters of the logger's page, as in its address
        #[arg(long, default_value = "")]
        url: String,
        /// The field that a value behind the shortcut's name is for
        #[arg(long, default_value = "")]
        field: String,
        /// What it is for
        #[arg(long, default_value = "")]
        description: String,
        #[command(flatten)]
        data: DataArg,
    },
    /// Take a shortcut away
    RemoveShortcut {
        /// Its name
        name: String,
        #[command(flatten)]
        data: DataArg,
    },
}

impl Logger {
    pub(crate) fn run(self) -> Result<()> {
        match self.does {
            Does::List { json, data } => list(&node(&data)?, json),
            Does::Set { name, selector, days, columns, data } => {
                let node = node(&data)?;
                let mut logger = known(&node)?["loggers"]
                    .as_array()
                    .and_then(|loggers| {
                        loggers.iter().find(|logger| logger["name"] == name.as_str()).cloned()
                    })
                    .unwrap_or_else(|| json!({ "name": name, "columns": [] }));
                selector.into_iter().for_each(|selector| logger["selector"] = selector.into());
                days.into_iter().for_each(|days| logger["days"] = days.into());
                for column in &columns {
                    set_column(&mut logger["columns"], read_column(column)?);
                }
                node.post_body("/api/v1/loggers/set", &[], &logger.to_string()).map(drop)
            }
            Does::Remove { name, data } => remove(&data, "/api/v1/loggers/remove", name),
            Does::Shortcut { name, logger, url, field, description, data } => {
                let shortcut = json!({
                    "name": name, "logger": logger, "url": url, "default_field": field, "description": description,
                });
                node(&data)?.post_body("/api/v1/shortcuts/set", &[], &shortcut.to_string()).map(drop)
            }
            Does::RemoveShortcut { name, data } => remove(&data, "/api/v1/shortcuts/remove", name),
        }
    }
}

fn node(data: &DataArg) -> Result<Client> {
    reach::need_running(&Sys::real(), data)
}

fn remove(data: &DataArg, path: &str, name: String) -> Result<()> {
    node(data)?.post_body(path, &[("name", name)], "").map(drop)
}

fn known(node: &Client) -> Result<Value> {
    let mut text = String::new();
    node.get("/api/v1/loggers", &[])?.read_to_string(&mut text)?;
    serde_json::from_str(&text).context("the node's answer is not JSON")
}

fn list(node: &Client, as_json: bool) -> Result<()> {
    let known = known(node)?;
    let mut out = std::io::stdout().lock();
    if as_json {
        return Ok(writeln!(out, "{known}")?);
    }
    let text = |value: &Value| terminal::visible(value.as_str().unwrap_or_default());
    for logger in known["loggers"].as_array().into_iter().flatten() {
        let days = match logger["days"].as_u64().unwrap_or(0) {
            0 => "all".to_owned(),
            days => format!("{days}d"),
        };
        writeln!(out, "logger    {:20} {:>5}  {}", text(&logger["name"]), days, text(&logger["selector"]))?;
    }
    for shortcut in known["shortcuts"].as_array().into_iter().flatten() {
        let (name, logger) = (text(&shortcut["name"]), text(&shortcut["logger"]));
        writeln!(out, "shortcut  {name:20} {logger}  {}", text(&shortcut["url"]))?;
    }
    Ok(())
}

/// A column of `NAME:flag,flag`.
fn read_column(text: &str) -> Result<Value> {
    let (name, flags) = text.rsplit_once(':').unwrap_or((text, ""));
    let mut column =
        json!({ "name": name, "filtered": false, "displayed": true, "excluded": false, "context": false });
    for flag in flags.split(',').filter(|flag| !flag.is_empty()) {
        match flag {
            "filtered" | "excluded" | "context" => column[flag] = true.into(),
            "hidden" => column["displayed"] = false.into(),
            other => {
                bail!("{other:?} cannot be set of a column; there are filtered, hidden, excluded, context")
            }
        }
    }
    Ok(column)
}

/// Puts a column in the place of the one of its name, else behind all.
fn set_column(columns: &mut Value, column: Value) {
    let Some(columns) = columns.as_array_mut() else { return };
    match columns.iter_mut().find(|have| have["name"] == column["name"]) {
        Some(have) => *have = column,
        None => columns.push(column),
    }
}
