//! `sawlog sql STATEMENT`: asks the running node, or reads the directory where none runs.

use std::io::{BufReader, BufWriter};

use anyhow::Result;
use clap::Args;
use sawlog_sys::Sys;

use super::DataArg;
use crate::node::local::{self, Question};
use crate::reach;
use crate::records::{self, Form};

/// Run an SQL statement over the table `logs`
#[derive(Args)]
pub(crate) struct Sql {
    /// Such as `SELECT level, count(*) FROM logs GROUP BY level`
    statement: String,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataArg,
}

impl Sql {
    pub(crate) fn run(self) -> Result<()> {
        let sys = Sys::real();
        let mut out = BufWriter::new(std::io::stdout().lock());
        let form = Form::choose(self.json);
        if let Some(node) = reach::running(&sys, &self.data)? {
            records::print(
                node.get("/api/v1/sql", &[("query", self.statement), ("report", "1".to_owned())])?,
                form,
                &mut out,
            )?;
            return Ok(());
        }
        let answer = local::ask(&sys, &self.data.data, Question::Sql(self.statement))?;
        records::print(BufReader::new(answer), form, &mut out)?;
        Ok(())
    }
}
