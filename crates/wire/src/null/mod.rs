//! Takes rows and drops them. Knows nothing else.

use std::sync::Arc;

use sawlog_model::{Batch, KnownSource, SourceId, Tenant};
use sawlog_pipeline::config::{ElementReader, FluentForm, Role};
use sawlog_pipeline::{Lsn, Origin, Output, OutputError, Protocol};

use crate::shared::held::Held;

/// The output.
pub const PROTOCOL: Protocol = Protocol {
    name: "null",
    summary: "Drops rows.",
    output: Some(|_, env| Ok(Box::new(Null { name: env.name.clone(), held: Held::default() }))),
    fluent: &[FluentForm { role: Role::Match, names: &["null"], read: from_fluent }],
    ..Protocol::EMPTY
};

fn from_fluent(reader: &mut ElementReader<'_>) -> Vec<(&'static str, Vec<String>)> {
    reader.without_effect(&["never_flush"], "it is for tests of Fluentd");
    Vec::new()
}

struct Null {
    name: Arc<str>,
    held: Held,
}

impl Output for Null {
    fn name(&self) -> &str {
        &self.name
    }

    fn take(&self, batch: Arc<Batch>, origin: Origin) -> Result<(), OutputError> {
        self.held.passed(&batch, origin);
        Ok(())
    }

    fn journaled(&self, _tenant: Tenant, _at: Lsn, next: Lsn) {
        self.held.reached(next);
    }

    fn cursor(&self) -> Lsn {
        self.held.cursor()
    }

    fn known_sources(&self) -> Vec<KnownSource> {
        self.held.known()
    }

    fn committed(&self, source: SourceId) -> Option<(u32, u64)> {
        self.held.committed(source)
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
    use sawlog_model::Limits;
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
