//! `sawlog token`: the tokens of a tenant. A token is printed once, when it is made.

use std::io::Write;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use sawlog_pipeline::config::duration;
use sawlog_server::{NewToken, Role};
use sawlog_sys::Sys;

use super::DataArg;
use super::limits::LimitArgs;
use super::tenant::{in_directory, json};
use crate::{reach, terminal};

/// Show and change tokens: who shows one acts for its tenant
#[derive(Args)]
pub(crate) struct TokenCommand {
    #[command(subcommand)]
    does: Does,
}

/// Of which tenant it is.
#[derive(Args)]
pub(super) struct Whose {
    /// Name of the tenant
    #[arg(long, default_value = "default", env = "SAWLOG_TENANT")]
    pub(super) tenant: String,
    #[command(flatten)]
    pub(super) data: DataArg,
}

#[derive(Subcommand)]
enum Does {
    /// Make a token and print it; it is not shown again
    Add {
        /// What it allows: ingest, read, write (both) or admin
        #[arg(long, value_parser = role)]
        role: Role,
        /// What it is for [default: its role]
        #[arg(long)]
        name: Option<String>,
        /// After which time it is worth nothing, such as 30d
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
        #[command(flatten)]
        whose: Whose,
    },
    /// List tokens
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        whose: Whose,
    },
    /// Make a token in the place of one and print it
    Rotate {
        /// The id, as the list has it
        id: String,
        /// How long the one before still holds, such as 1d
        #[arg(long, value_name = "TIME")]
        keep: Option<String>,
        #[command(flatten)]
        whose: Whose,
    },
    /// Bound what may be sent and asked with a token, and what is kept of it; what is not given or 0 is not limited
    Limit {
        /// The id, as the list has it
        id: String,
        #[command(flatten)]
        limits: LimitArgs,
        #[command(flatten)]
        whose: Whose,
    },
    /// Take a token away; it is worth nothing from then on
    Remove {
        /// The id, as the list has it
        id: String,
        #[command(flatten)]
        whose: Whose,
    },
}

pub(super) fn role(text: &str) -> Result<Role, String> {
    Role::named(text).ok_or_else(|| format!("there are {}", Role::ALL.map(Role::name).join(", ")))
}

impl TokenCommand {
    pub(crate) fn run(self) -> Result<()> {
        match self.does {
            Does::Add { role, name, expires, whose } => {
                let name = name.unwrap_or_else(|| role.name().to_owned());
                add(&whose, role, name, expires)
            }
            Does::List { json, whose } => list(&whose, json),
            Does::Rotate { id, keep, whose } => {
                let asked = [("id", id), ("keep", keep.unwrap_or_default())];
                print(&json(node(&whose)?.post("/api/v1/tokens/rotate", &asked)?)?["token"])
            }
            Does::Limit { id, limits, whose } => {
                let asked = limits.parameters(("id", id))?;
                node(&whose)?.post("/api/v1/tokens/limit", &asked).map(drop)
            }
            Does::Remove { id, whose } => {
                node(&whose)?.post("/api/v1/tokens/remove", &[("id", id)]).map(drop)
            }
        }
    }
}

pub(super) fn node(whose: &Whose) -> Result<reach::Client> {
    Ok(reach::need_running(&Sys::real(), &whose.data)?.of(&whose.tenant))
}

fn print(token: &serde_json::Value) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "{}", token.as_str().context("the node gave no token")?)?)
}

/// Makes a token in a running node, else in the directory that one will run on.
fn add(whose: &Whose, role: Role, name: String, expires: Option<String>) -> Result<()> {
    let sys = Sys::real();
    if let Some(node) = reach::running(&sys, &whose.data)? {
        let asked =
            [("role", role.name().to_owned()), ("name", name), ("expires", expires.unwrap_or_default())];
        return print(&json(node.of(&whose.tenant).post("/api/v1/tokens/add", &asked)?)?["token"]);
    }
    let now = sys.clock.now();
    let until = |text: String| {
        let time = duration(&text).with_context(|| format!("`{text}` is no time; write 30d or 12h"))?;
        Ok::<_, anyhow::Error>(now.saturating_add(time))
    };
    let expires = expires.map(until).transpose()?;
    let made = in_directory(&sys, &whose.data)?.add_token(&whose.tenant, NewToken { name, role, expires })?;
    Ok(writeln!(std::io::stdout(), "{}", made.token)?)
}

fn list(whose: &Whose, as_json: bool) -> Result<()> {
    let said = json(node(whose)?.get("/api/v1/tokens", &[])?)?;
    let mut out = std::io::stdout().lock();
    if as_json {
        return Ok(writeln!(out, "{said}")?);
    }
    for token in said["tokens"].as_array().into_iter().flatten() {
        let text = |key: &str| terminal::visible(token[key].as_str().unwrap_or_default());
        let expires = token["expires"].as_str().map(|time| format!("  until {time}")).unwrap_or_default();
        writeln!(out, "{}  {:6}  {}{expires}", text("id"), text("role"), text("name"))?;
    }
    Ok(())
}
