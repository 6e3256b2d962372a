//! `sawlog completions SHELL`: completions made from the command line's own declaration.

use std::io;

use anyhow::Result;
use clap::{Args, CommandFactory};

/// Print completions for a shell
#[derive(Args)]
pub(crate) struct Completions {
    /// The shell
    shell: clap_complete::Shell,
}

impl Completions {
    pub(crate) fn run(self) -> Result<()> {
        clap_complete::generate(self.shell, &mut crate::Cli::command(), "sawlog", &mut io::stdout());
        Ok(())
    }
}
