//! `sawlog tenant`: who shares a node, each with data and tokens of its own.

use std::io::{Read, Write};

use anyhow::{Context, Error, Result, bail};
use clap::{Args, Subcommand};
use sawlog_server::Tenancy;
use sawlog_sys::Sys;
use serde_json::Value;

use super::DataArg;
use super::limits::LimitArgs;
use crate::reach::{self, Client};
use crate::terminal;

/// Show and change tenants: each has data and tokens of its own
#[derive(Args)]
pub(crate) struct TenantCommand {
    #[command(subcommand)]
    does: Does,
}

#[derive(Subcommand)]
enum Does {
    /// Make a tenant; from the first one on a node asks for tokens
    Add {
        /// Its name
        name: String,
        /// What people call it
        #[arg(long, default_value = "")]
        title: String,
        #[command(flatten)]
        data: DataArg,
    },
    /// List tenants
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: DataArg,
    },
    /// Bound what a tenant may bring, hold and ask; what is not given stays, 0 takes a limit away
    Limit {
        /// Its name
        name: String,
        #[command(flatten)]
        limits: LimitArgs,
        #[command(flatten)]
        data: DataArg,
    },
    /// Show what tenants brought and asked by day
    Usage {
        /// So many days with today
        #[arg(long, default_value = "7")]
        days: u64,
        #[command(flatten)]
        data: DataArg,
    },
    /// Take a tenant away with its tokens, its users who are in no other, and all its data
    Remove {
        /// Its name
        name: String,
        /// Do it: what is gone does not come back
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        data: DataArg,
    },
}

impl TenantCommand {
    pub(crate) fn run(self) -> Result<()> {
        match self.does {
            Does::Add { name, title, data } => add(&name, &title, &data),
            Does::List { json, data } => list(json, &data),
            Does::Limit { name, limits, data } => {
                let node = reach::need_running(&Sys::real(), &data)?;
                node.post("/api/v1/tenants/limit", &limits.parameters(("name", name))?).map(drop)
            }
            Does::Usage { days, data } => usage(days, &data),
            Does::Remove { name, yes, data } => remove(name, yes, &data),
        }
    }
}

/// Takes a tenant away, where that is confirmed; else says what would go.
fn remove(name: String, yes: bool, data: &DataArg) -> Result<()> {
    let node = reach::need_running(&Sys::real(), data)?;
    if yes {
        let said = json(node.post("/api/v1/tenants/remove", &[("name", name.clone())])?)?;
        let waiting = said["waiting"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let waiting = waiting.collect::<Vec<_>>().join(", ");
        if !waiting.is_empty() {
            bail!(
                "{name:?} is removed, but not all of its bytes: rows stand in the journal until these outputs have what \
                 stands there: {waiting}. The node then removes them; `sawlog status` shows what keeps an output"
            );
        }
        return Ok(());
    }
    let said = json(node.get("/api/v1/usage", &[("days", "1".to_owned())])?)?;
    let tenants = said["tenants"].as_array().into_iter().flatten();
    let found = tenants.into_iter().find(|tenant| tenant["name"] == name.as_str());
    let found = found.with_context(|| format!("there is no tenant {name:?}"))?;
    let bytes = terminal::bytes(found["stored_bytes"].as_u64().unwrap_or(0));
    bail!(
        "this removes {name:?} with all its data ({bytes} on disk), tokens and dead letters for good; say --yes"
    )
}

/// Makes a tenant in a running node, else in the directory that one will run on.
fn add(name: &str, title: &str, data: &DataArg) -> Result<()> {
    let sys = Sys::real();
    let first = match reach::running(&sys, data)? {
        Some(node) => {
            let asked = [("name", name.to_owned()), ("title", title.to_owned())];
            let said = json(node.post("/api/v1/tenants/add", &asked)?)?;
            said["first_token"].as_str().map(str::to_owned)
        }
        None => {
            let tenancy = in_directory(&sys, data)?;
            tenancy.add_tenant(name, title)?;
            tenancy.ensure(&[name.to_owned()]).map_err(Error::msg)?.map(|made| made.token)
        }
    };
    print_first(first)
}

/// Prints the first administrator's token of a node, where one was made.
pub(super) fn print_first(first: Option<String>) -> Result<()> {
    if let Some(token) = first {
        writeln!(std::io::stdout(), "{token}")?;
        eprintln!("sawlog: this is the first administrator's token of the node; it is not shown again");
    }
    Ok(())
}

fn list(as_json: bool, data: &DataArg) -> Result<()> {
    let node: Client = reach::need_running(&Sys::real(), data)?;
    let said = json(node.get("/api/v1/tenants", &[])?)?;
    let mut out = std::io::stdout().lock();
    if as_json {
        return Ok(writeln!(out, "{said}")?);
    }
    for tenant in said["tenants"].as_array().into_iter().flatten() {
        let text = |key: &str| terminal::visible(tenant[key].as_str().unwrap_or_default());
        writeln!(out, "{:24} {:>6} tokens  {}", text("name"), tenant["tokens"], text("title"))?;
    }
    Ok(())
}

fn usage(days: u64, data: &DataArg) -> Result<()> {
    let node = reach::need_running(&Sys::real(), data)?;
    let said = json(node.get("/api/v1/usage", &[("days", days.to_string())])?)?;
    let mut out = std::io::stdout().lock();
    for tenant in said["tenants"].as_array().into_iter().flatten() {
        let name = terminal::visible(tenant["name"].as_str().unwrap_or_default());
        for day in tenant["days"].as_array().into_iter().flatten() {
            let date = day["day"].as_str().unwrap_or_default();
            writeln!(
                out,
                "{date}  {name:24} {:>12} records {:>15} bytes {:>10} limited {:>8} queries",
                day["records"], day["bytes"], day["limited"], day["queries"]
            )?;
        }
    }
    Ok(())
}

/// The tenants of a directory on which no node runs; the directory is made where it is not there.
pub(super) fn in_directory(sys: &Sys, data: &DataArg) -> Result<Tenancy> {
    sys.fs.create_dir_all(&data.data).with_context(|| format!("cannot make {}", data.data.display()))?;
    Tenancy::open(sys, &data.data).map_err(Error::msg)
}

/// An answer that is one value.
pub(super) fn json(mut answer: impl Read) -> Result<Value> {
    let mut text = String::new();
    answer.read_to_string(&mut text)?;
    serde_json::from_str(&text).context("the node's answer is not JSON")
}
