//! `sawlog user`: people who sign in by name and password. A password is read from the terminal or standard input, and never stands in
//! arguments, which everybody on the machine can see.

use std::io::{IsTerminal, Write};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use sawlog_server::Role;
use sawlog_sys::{Sys, secret};
use serde_json::{Value, json};

use super::tenant::{in_directory, json as read_json};
use super::token::{Whose, node, role};
use crate::{reach, terminal};

/// Show and change users: who signs in by name and password acts in a role for each of their tenants
#[derive(Args)]
pub(crate) struct UserCommand {
    #[command(subcommand)]
    does: Does,
}

#[derive(Subcommand)]
enum Does {
    /// Make a user, whose password is asked for; or give one that is there a role in another tenant
    Add {
        /// The name
        name: String,
        /// What it allows: ingest, read, write (both) or admin
        #[arg(long, value_parser = role)]
        role: Role,
        /// The user is there already: no password is asked for
        #[arg(long)]
        existing: bool,
        #[command(flatten)]
        whose: Whose,
    },
    /// Set another password, which is asked for; who is signed in with the one before is so no more
    Password {
        /// The name
        name: String,
        #[command(flatten)]
        whose: Whose,
    },
    /// Take a user away
    Rm {
        /// The name
        name: String,
        #[command(flatten)]
        whose: Whose,
    },
    /// List users and their roles
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        whose: Whose,
    },
}

impl UserCommand {
    pub(crate) fn run(self) -> Result<()> {
        let sys = Sys::real();
        match self.does {
            Does::Add { name, role, existing, whose } => {
                let password = if existing { None } else { Some(new_password()?) };
                add(&sys, &whose, &name, role, password)
            }
            Does::Password { name, whose } => {
                let password = new_password()?;
                if reach::running(&sys, &whose.data)?.is_none() {
                    return Ok(in_directory(&sys, &whose.data)?.set_password(&name, &password)?);
                }
                let body = json!({ "name": name, "password": password });
                node(&whose)?.post_body("/api/v1/users/password", &[], &body.to_string()).map(drop)
            }
            Does::Rm { name, whose } => {
                if reach::running(&sys, &whose.data)?.is_none() {
                    return Ok(in_directory(&sys, &whose.data)?.remove_user(&name)?);
                }
                node(&whose)?.post("/api/v1/users/remove", &[("name", name)]).map(drop)
            }
            Does::List { json, whose } => list(&whose, json),
        }
    }
}

/// A new password: typed twice at a terminal, where nobody sees it.
fn new_password() -> Result<String> {
    let read = |prompt| secret::read(prompt).context("no password was given");
    let password = read("Password")?;
    if std::io::stdin().is_terminal() && read("The same again")? != password {
        bail!("the two are not the same; nothing was changed");
    }
    Ok(password)
}

fn add(sys: &Sys, whose: &Whose, name: &str, role: Role, password: Option<String>) -> Result<()> {
    let first = if reach::running(sys, &whose.data)?.is_some() {
        let mut body = json!({ "name": name, "role": role.name() });
        if let Some(password) = password {
            body["password"] = password.into();
        }
        let said = read_json(node(whose)?.post_body("/api/v1/users/add", &[], &body.to_string())?)?;
        said["first_token"].as_str().map(str::to_owned)
    } else {
        let tenancy = in_directory(sys, &whose.data)?;
        tenancy.add_user(name, password.as_deref(), &whose.tenant, role)?;
        tenancy.ensure(&[]).map_err(anyhow::Error::msg)?.map(|made| made.token)
    };
    super::tenant::print_first(first)
}

fn list(whose: &Whose, as_json: bool) -> Result<()> {
    let said: Value = read_json(node(whose)?.get("/api/v1/users", &[])?)?;
    let mut out = std::io::stdout().lock();
    if as_json {
        return Ok(writeln!(out, "{said}")?);
    }
    for user in said["users"].as_array().into_iter().flatten() {
        let roles = user["roles"].as_object().into_iter().flatten();
        let roles: Vec<String> = roles
            .map(|(tenant, role)| {
                format!("{} of {}", role.as_str().unwrap_or_default(), terminal::visible(tenant))
            })
            .collect();
        let name = terminal::visible(user["name"].as_str().unwrap_or_default());
        writeln!(out, "{name:24} {}", roles.join(", "))?;
    }
    Ok(())
}
