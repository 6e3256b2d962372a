//! Takes rows and drops them. Knows nothing else.

use sawlog_model::Batch;
use sawlog_pipeline::config::{ElementReader, FluentForm, Role};
use sawlog_pipeline::{OutputError, Protocol};

use crate::shared::held::{AtOnce, HandOn};

/// The output.
pub const PROTOCOL: Protocol = Protocol {
    name: "null",
    summary: "Drops rows.",
    private: |_| true,
    output: Some(|_, env| Ok(Box::new(AtOnce::new(&env.name, Null)))),
    fluent: &[FluentForm { role: Role::Match, names: &["null"], read: from_fluent }],
    ..Protocol::EMPTY
};

fn from_fluent(reader: &mut ElementReader<'_>) -> Vec<(&'static str, Vec<String>)> {
    reader.without_effect(&["never_flush"], "it is for tests of Fluentd");
    Vec::new()
}

struct Null;

impl HandOn for Null {
    fn hand_on(&self, _batch: &Batch) -> Result<(), OutputError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sawlog_model::Limits;
    use sawlog_pipeline::{Lsn, Origin};
    use sawlog_sys::task;

    use super::*;
    use crate::testing::{env, fluent, lines};

    #[test]
    fn what_is_dropped_is_held() {
        let runtime = task::runtime("test", 1).unwrap();
        let options = fluent(&PROTOCOL, "match", "never_flush").unwrap();
        let output = PROTOCOL.output.unwrap()(&options, &env(&runtime, Limits::default())).unwrap();
        let origin = Origin::Journal { at: Lsn(1), next: Lsn(9), position: None };
        output.take(Arc::new(lines("t", &["1"])), origin).unwrap();
        assert_eq!((output.cursor(), output.keeps_positions()), (Lsn(9), false));
    }
}
