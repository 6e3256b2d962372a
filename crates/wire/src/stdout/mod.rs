//! Prints rows, as an output and as a filter that passes them on: to see what a configuration does. Knows nothing of where they
//! come from.

#[cfg(test)]
mod tests;

use std::io::Write;
use std::sync::Arc;

use sawlog_model::{Batch, RowRef, strip_terminator, time};
use sawlog_pipeline::config::{Compat, ElementReader, FluentForm, Role};
use sawlog_pipeline::{ConfigError, Env, Filter, Filtered, Options, OutputError, Protocol};

use crate::shared::formatter::{self, Formatter};
use crate::shared::held::{AtOnce, HandOn};
use crate::shared::record::tag;

/// The output and the filter.
pub const PROTOCOL: Protocol = Protocol {
    name: "stdout",
    summary: "Prints each row with its time and its tag or path.",
    options: formatter::OPTIONS,
    private: |_| true,
    output: Some(|options, env| {
        Ok(Box::new(AtOnce::new(&env.name, Stdout::new(options, env, std::io::stdout)?)))
    }),
    filter: Some(|options, env| Ok(Box::new(Stdout::new(options, env, std::io::stdout)?))),
    fluent: &[
        FluentForm { role: Role::Match, names: &["stdout"], read: from_fluent },
        FluentForm { role: Role::Filter, names: &["stdout"], read: from_fluent },
    ],
    ..Protocol::EMPTY
};

fn from_fluent(reader: &mut ElementReader<'_>) -> Vec<(&'static str, Vec<String>)> {
    reader.without_effect(&["use_logger"], "rows are printed, and not logged");
    let kind = if reader.compat() == Compat::Ik { "ik" } else { "stdout" };
    let mut options = formatter::from_fluent(reader);
    match options.iter_mut().find(|(name, _)| *name == "format.type") {
        // `format json` of the older form is the record behind time and tag.
        Some((name, values)) if reader.element().get("format").is_some() && values[0] != "stdout" => {
            *name = "format.output_type";
            options.push(("format.type", vec!["stdout".to_owned()]));
        }
        Some(_) => {}
        None => options.push(("format.type", vec![kind.to_owned()])),
    }
    options
}

struct Stdout<W> {
    /// `None`: the line as it came, with its time.
    formatter: Option<Formatter>,
    out: fn() -> W,
}

impl<W: Write> Stdout<W> {
    fn new(options: &Options, env: &Env, out: fn() -> W) -> Result<Self, ConfigError> {
        let formatter = match options.text("format.type") {
            "" => None,
            kind => Some(Formatter::new(options, kind, env.limits)?),
        };
        Ok(Stdout { formatter, out })
    }

    fn print(&self, batch: &Batch) -> std::io::Result<()> {
        let mut text = Vec::new();
        let tag = tag(batch);
        for row in batch.iter() {
            match &self.formatter {
                Some(formatter) => formatter.write(row, &tag, &mut text),
                None => print(row, &mut text),
            }
        }
        if text.is_empty() {
            return Ok(());
        }
        let mut out = (self.out)();
        out.write_all(&text)?;
        out.flush()
    }
}

/// `TIME TAG: LINE`, with bytes escaped that could steer a terminal.
fn print(row: RowRef<'_>, out: &mut Vec<u8>) {
    let context = &row.batch.context;
    let name = context.get("_tag").or(context.get("_path")).unwrap_or(&row.batch.source.facts.name);
    out.extend_from_slice(time::rfc3339(row.row().time).as_bytes());
    out.push(b' ');
    let steers = |character: char| character.is_control() && !matches!(character, '\t' | '\n');
    let mut put = |text: &str| {
        for character in text.chars() {
            if steers(character) {
                out.extend_from_slice(character.escape_default().to_string().as_bytes());
            } else {
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    };
    put(name);
    put(": ");
    put(&String::from_utf8_lossy(strip_terminator(row.raw())));
    out.push(b'\n');
}

impl<W: Write + Send + 'static> HandOn for Stdout<W> {
    fn hand_on(&self, batch: &Batch) -> Result<(), OutputError> {
        self.print(batch).map_err(|error| OutputError::Later(error.to_string()))
    }
}

impl<W: Write + Send + 'static> Filter for Stdout<W> {
    fn apply(&self, batch: Arc<Batch>) -> Filtered {
        // Rows go on also where nobody reads what is printed.
        let _ = self.print(&batch);
        batch.into()
    }
}
