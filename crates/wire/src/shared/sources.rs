//! Sources of events that come over a network: one for each name (`forward:TAG@HOST`), the same one for the whole life of
//! the process, and after a restart where it was recorded. Knows nothing of protocols.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use sawlog_model::{KnownSource, Source, SourceFacts, SourceId, Tenant};
use sawlog_pipeline::{DeliveryError, Intake};
use sawlog_sys::Random;

/// Names that are remembered: a sender that makes up ever new ones must not fill the memory.
const REMEMBERED: usize = 100_000;

/// Sources by name; cheap to clone.
#[derive(Clone)]
pub struct Sources {
    by_name: Arc<Mutex<HashMap<String, Arc<Source>>>>,
    /// Those that a restart would forget.
    new: Arc<Mutex<HashSet<SourceId>>>,
    random: Arc<dyn Random>,
    tenant: Tenant,
}

impl Sources {
    /// Those of `known` whose name begins with `kind` and a colon, or with `kind`, `@`, a tenant and a colon; new ids come from
    /// `random`. They are the default tenant's until [`Sources::of`] says otherwise.
    pub fn new(known: Vec<KnownSource>, kind: &str, random: Arc<dyn Random>) -> Self {
        let ours = |name: &str| name.strip_prefix(kind).is_some_and(|rest| rest.starts_with([':', '@']));
        let by_name = known
            .into_iter()
            .filter(|known| ours(&known.source.facts.name))
            .map(|known| (known.source.facts.name.clone(), Arc::new(known.source)))
            .collect();
        let by_name = Arc::new(Mutex::new(by_name));
        Sources { by_name, new: Arc::default(), random, tenant: Tenant::DEFAULT }
    }

    /// The same for rows of a tenant: the same name is another source there, since a source belongs to one tenant.
    pub fn of(&self, tenant: Tenant) -> Sources {
        Sources { tenant, ..self.clone() }
    }

    /// The name with the tenant in it, where that is not the default one: a sender chooses what stands behind the colon only.
    fn full<'a>(&self, name: &'a str) -> Cow<'a, str> {
        match name.split_once(':') {
            Some((kind, rest)) if self.tenant != Tenant::DEFAULT => {
                Cow::Owned(format!("{kind}@{}:{rest}", self.tenant))
            }
            _ => Cow::Borrowed(name),
        }
    }

    /// The source of this name, minted where it is new. Beyond a bound of names all are forgotten: a name seen again then
    /// gets a new id, which keeps its events apart from the earlier ones but loses none.
    pub fn get(&self, name: &str) -> Arc<Source> {
        let name = &*self.full(name);
        let mut by_name = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = by_name.get(name) {
            return source.clone();
        }
        if by_name.len() >= REMEMBERED {
            by_name.clear();
            self.unrecorded().clear();
        }
        let facts = SourceFacts { name: name.to_owned(), ..SourceFacts::default() };
        let source = Arc::new(Source { id: SourceId(self.random.id()), facts });
        by_name.insert(name.to_owned(), source.clone());
        drop(by_name);
        self.unrecorded().insert(source.id);
        source
    }

    /// Makes the ids of those of `sources` durable that are new; to be called before their first rows are delivered.
    ///
    /// # Errors
    /// As of [`Intake::record_names`]: the rows are not to be delivered.
    pub async fn record(
        &self,
        sources: impl Iterator<Item = &Arc<Source>>,
        intake: &Intake,
    ) -> Result<(), DeliveryError> {
        let unrecorded: HashMap<SourceId, Source> = {
            let new = self.unrecorded();
            if new.is_empty() {
                return Ok(());
            }
            let unrecorded = sources.filter(|source| new.contains(&source.id));
            unrecorded.map(|source| (source.id, (**source).clone())).collect()
        };
        if unrecorded.is_empty() {
            return Ok(());
        }
        let ids: Vec<SourceId> = unrecorded.keys().copied().collect();
        intake.record_names(unrecorded.into_values().collect()).await?;
        self.unrecorded().retain(|id| !ids.contains(id));
        Ok(())
    }

    fn unrecorded(&self) -> std::sync::MutexGuard<'_, HashSet<SourceId>> {
        self.new.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use sawlog_model::Position;
    use sawlog_sys::Sys;

    use super::*;

    #[test]
    fn a_name_keeps_its_id() {
        let source = |name: &str, id| Source {
            id: SourceId(id),
            facts: SourceFacts { name: name.to_owned(), ..SourceFacts::default() },
        };
        let known = [source("forward:a@h", 7), source("forwarder:b", 8), source("/var/log/x", 9)]
            .map(|source| KnownSource { source, position: Position::default() });
        let sources = Sources::new(known.to_vec(), "forward", Sys::real().random);
        assert_eq!(sources.get("forward:a@h").id, SourceId(7));
        let minted = sources.get("forwarder:b");
        assert_ne!(minted.id, SourceId(8), "another kind's source is not taken for ours");
        assert_eq!(sources.get("forwarder:b"), minted);
    }

    #[test]
    fn a_name_is_another_source_for_another_tenant() {
        let sources = Sources::new(Vec::new(), "syslog", Sys::real().random);
        let theirs = sources.of(Tenant(3));
        let ids = [&sources, &theirs, &sources.of(Tenant(4))].map(|sources| sources.get("syslog:h").id);
        assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2]);
        assert_ne!(sources.get("syslog:@3:h").id, ids[1], "a name that a sender makes up");
        let known = KnownSource { source: (*theirs.get("syslog:h")).clone(), position: Position::default() };
        let again = Sources::new(vec![known], "syslog", Sys::real().random);
        assert_eq!(again.of(Tenant(3)).get("syslog:h").id, ids[1], "it is found again after a restart");
        assert_ne!(again.get("syslog:h").id, ids[1]);
    }
}
