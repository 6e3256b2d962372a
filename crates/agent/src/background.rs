//! `-d --pid FILE`: a program that goes on in the background. Knows nothing of what it does there.

use std::path::{Path, PathBuf};

use anyhow::{Error, Result};
use clap::Args;
use sawlog_sys::daemon::{self, Background, Side};

/// Whether and how to go to the background.
#[derive(Args, Default)]
pub(crate) struct Detach {
    /// Go on in the background once inputs accept
    #[arg(short = 'd', long)]
    pub(crate) daemon: bool,
    /// File for the number of the process
    #[arg(long, value_name = "FILE", requires = "daemon")]
    pub(crate) pid: Option<PathBuf>,
    /// In the background, what would have gone to standard error [default: sawlog-agent.log in the directory of the data]
    #[arg(long, value_name = "FILE", requires = "daemon")]
    pub(crate) log: Option<PathBuf>,
}

/// Where a program goes on.
pub(crate) enum Goes {
    /// Here, as it was started.
    On(Option<Background>),
    /// In the background: nothing is left to do.
    Away,
}

impl Detach {
    /// Goes to the background where that was asked for. To be called before anything is opened and any thread is started.
    pub(crate) fn go(&self, data: &Path) -> Result<Goes> {
        if !self.daemon {
            return Ok(Goes::On(None));
        }
        let log = self.log.clone().unwrap_or_else(|| data.join("sawlog-agent.log"));
        let words = |said: String| Error::msg(said.trim_start_matches("sawlog-agent: ").to_owned());
        match daemon::detach(self.pid.as_deref(), &log).map_err(words)? {
            Side::Started(line) => {
                println!("{line}");
                Ok(Goes::Away)
            }
            Side::Background(background) => Ok(Goes::On(Some(background))),
        }
    }
}
