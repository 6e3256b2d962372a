//! Prints rows, to see what a configuration does. Knows nothing of where they come from.

mod fluent;

use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use sawlog_model::{Batch, KnownSource, Position, RowRef, SourceId, Tenant, strip_terminator, time};
use sawlog_pipeline::Lsn;
use sawlog_pipeline::{Origin, Output, OutputError, Protocol};

/// The protocol.
pub const PROTOCOL: Protocol = Protocol {
    name: "stdout",
    summary: "Prints each row with its time and its tag or path.",
    output: Some(|_, _| Ok(Box::new(Stdout { state: Mutex::default(), out: std::io::stdout }))),
    fluent: fluent::FORMS,
    ..Protocol::EMPTY
};

/// What was printed.
#[derive(Default)]
struct State {
    cursor: Lsn,
    known: HashMap<SourceId, KnownSource>,
}

struct Stdout<W> {
    state: Mutex<State>,
    out: fn() -> W,
}

impl<W> Stdout<W> {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, batch: &Batch, position: Option<Position>) {
        let Some(position) = position else { return };
        let known = KnownSource { source: (*batch.source).clone(), position };
        self.state().known.insert(known.source.id, known);
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

impl<W: Write + Send + 'static> Output for Stdout<W> {
    fn name(&self) -> &str {
        "stdout"
    }

    fn take(&self, batch: Arc<Batch>, origin: Origin) -> Result<(), OutputError> {
        let mut text = Vec::new();
        batch.iter().for_each(|row| print(row, &mut text));
        let mut out = (self.out)();
        let written = out.write_all(&text).and_then(|()| out.flush());
        written.map_err(|error| OutputError::Later(error.to_string()))?;
        match origin {
            Origin::Replayable(position) => self.learn(&batch, Some(position)),
            Origin::Journal { next, position, .. } => {
                self.learn(&batch, position);
                self.state().cursor = next;
            }
        }
        Ok(())
    }

    fn journaled(&self, _tenant: Tenant, _at: Lsn, next: Lsn) {
        self.state().cursor = next;
    }

    fn cursor(&self) -> Lsn {
        self.state().cursor
    }

    fn known_sources(&self) -> Vec<KnownSource> {
        self.state().known.values().cloned().collect()
    }

    fn committed(&self, source: SourceId) -> Option<(u32, u64)> {
        self.state().known.get(&source).map(|known| known.position.mark())
    }

    fn keeps_positions(&self) -> bool {
        false
    }

    fn flush(&self) -> Result<(), OutputError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use sawlog_model::{Context, Marks, Row};

    use super::*;

    #[test]
    fn a_row_is_printed_with_time_and_tag_and_steers_no_terminal() {
        let line = b"{\"a\":1} \x1b[2J\xff\n";
        let row = Row {
            start: 0,
            len: line.len() as u32,
            offset: 0,
            time: 1_500_000_000,
            received: 0,
            slots_end: 0,
            marks: Marks(0),
        };
        let batch = Batch {
            context: Arc::new(Context::new([("_tag", "p.l")])),
            buffer: line.to_vec().into(),
            rows: vec![row],
            ..Batch::default()
        };
        let mut out = Vec::new();
        print(batch.row(0), &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "1970-01-01T00:00:01.500Z p.l: {\"a\":1} \\u{1b}[2J\u{fffd}\n"
        );
    }

    #[test]
    fn what_was_printed_is_held() {
        let output = Stdout { state: Mutex::default(), out: Vec::new };
        let batch = Arc::new(Batch::default());
        let position = Position { epoch: 1, offset: 7, ..Position::default() };
        output.take(batch.clone(), Origin::Replayable(position)).unwrap();
        assert_eq!(output.committed(batch.source.id), Some((1, 7)));
        output.take(batch, Origin::Journal { at: Lsn(1), next: Lsn(9), position: None }).unwrap();
        assert_eq!((output.cursor(), output.known_sources().len()), (Lsn(9), 1));
    }
}
