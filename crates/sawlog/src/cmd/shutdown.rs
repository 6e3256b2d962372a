//! `sawlog shutdown`: asks the node of a directory to stop, and waits until it has.

use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use sawlog_sys::{Sys, task};

use super::DataArg;
use crate::reach;

/// Stop the node that runs on a directory
#[derive(Args)]
pub(crate) struct Shutdown {
    #[command(flatten)]
    data: DataArg,
}

impl Shutdown {
    pub(crate) fn run(self) -> Result<()> {
        let sys = Sys::real();
        reach::need_running(&sys, &self.data)?.post("/api/v1/shutdown", &[])?;
        for _ in 0..600 {
            if !matches!(reach::running(&sys, &self.data), Ok(Some(_))) {
                return Ok(());
            }
            task::sleep(Duration::from_millis(50));
        }
        bail!("the node still answers after 30 s; its log says what it waits for")
    }
}
