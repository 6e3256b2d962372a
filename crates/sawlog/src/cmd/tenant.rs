//! `sawlog tenant`: who shares a node, each with data and tokens of its own.

use std::io::{Read, Write};

use anyhow::{Context, Error, Result};
use clap::{Args, Subcommand};
use sawlog_pipeline::config::bytes;
use sawlog_server::Tenancy;
use sawlog_sys::Sys;
use serde_json::Value;

use super::DataArg;
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
        /// Bytes of lines a second, such as 1MiB
        #[arg(long, value_name = "BYTES")]
        bytes_per_second: Option<String>,
        /// Records a second
        #[arg(long, value_name = "N")]
        records_per_second: Option<u64>,
        /// Bytes on disk above which nothing more is taken, such as 10GiB
        #[arg(long, value_name = "BYTES")]
        stored_bytes: Option<String>,
        /// Questions at once
        #[arg(long, value_name = "N")]
        queries: Option<u64>,
        /// Seconds that a question may take
        #[arg(long, value_name = "N")]
        query_seconds: Option<u64>,
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
    /// Take a tenant away with its tokens; nobody reaches its data from then on
    Remove {
        /// Its name
        name: String,
        #[command(flatten)]
        data: DataArg,
    },
}

impl TenantCommand {
    pub(crate) fn run(self) -> Result<()> {
        match self.does {
            Does::Add { name, title, data } => add(&name, &title, &data),
            Does::List { json, data } => list(json, &data),
            Does::Limit {
                name,
                bytes_per_second,
                records_per_second,
                stored_bytes,
                queries,
                query_seconds,
                data,
            } => {
                let size = |text: Option<String>| {
                    let read = |text: String| {
                        bytes(&text).with_context(|| format!("`{text}` is no size; write 10GiB"))
                    };
                    text.map(read).transpose()
                };
                let given = [
                    ("bytes_per_second", size(bytes_per_second)?),
                    ("records_per_second", records_per_second),
                    ("stored_bytes", size(stored_bytes)?),
                    ("queries", queries),
                    ("query_seconds", query_seconds),
                ];
                let given = given.into_iter().filter_map(|(limit, most)| Some((limit, most?.to_string())));
                let asked: Vec<_> = std::iter::once(("name", name)).chain(given).collect();
                let node = reach::need_running(&Sys::real(), &data)?;
                node.post("/api/v1/tenants/limit", &asked).map(drop)
            }
            Does::Usage { days, data } => usage(days, &data),
            Does::Remove { name, data } => {
                let node = reach::need_running(&Sys::real(), &data)?;
                node.post("/api/v1/tenants/remove", &[("name", name)]).map(drop)
            }
        }
    }
}

/// Makes a tenant in a running node, else in the directory that one will run on.
fn add(name: &str, title: &str, data: &DataArg) -> Result<()> {
    let sys = Sys::real();
    let first = match reach::running(&sys, &data)? {
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
    let mut out = std::io::stdout().lock();
    if let Some(token) = first {
        writeln!(out, "{token}")?;
        eprintln!("sawlog: this is the first administrator's token of the node; it is not shown again");
    }
    Ok(())
}

fn list(as_json: bool, data: &DataArg) -> Result<()> {
    let node: Client = reach::need_running(&Sys::real(), &data)?;
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
    let node = reach::need_running(&Sys::real(), &data)?;
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
