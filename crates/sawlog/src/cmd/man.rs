//! `sawlog man [COMMAND]`: the manual, made from the command line's own declaration.

use std::io;

use anyhow::{Context, Result};
use clap::{Args, CommandFactory};

/// Print the manual page, for `man -l -`
#[derive(Args)]
pub(crate) struct Man {
    /// Of this command; without one, of sawlog itself
    command: Option<String>,
}

impl Man {
    pub(crate) fn run(self) -> Result<()> {
        let mut cli = crate::Cli::command();
        cli.build();
        if let Some(name) = &self.command {
            let found = cli.find_subcommand(name).with_context(|| format!("there is no command `{name}`"))?;
            cli = found.clone().display_name(format!("sawlog-{name}"));
        }
        clap_mangen::Man::new(cli).render(&mut io::stdout())?;
        Ok(())
    }
}
