//! Forgets a tenant: its rows, their files, and the sources that bear its number. Knows nothing of why.

use std::io;

use sawlog_model::{KnownSource, Tenant};

use crate::StoreError;
use crate::catalogue::Change;
use crate::engine::{Engine, lock};

/// Whether a source is of a tenant: those of senders begin with what they came by, `@` and the tenant's number.
fn is_of(known: &KnownSource, tenant: Tenant) -> bool {
    let name = known.source.facts.name.split_once(':').map_or("", |(kind, _)| kind);
    name.split_once('@').is_some_and(|(_, number)| number.parse() == Ok(tenant.0))
}

impl Engine {
    /// Removes all of a tenant; when this returns only files that a scan has open are left, and the disk's directory with them. How far
    /// the journal is stored for it stays known, so that nothing of it comes back from there.
    pub fn forget(&self, tenant: Tenant) -> Result<(), StoreError> {
        self.flush(|_| vec![tenant])?;
        {
            let _one_at_a_time = lock(&self.merging);
            let removed = self.handles(tenant).iter().map(|handle| handle.entry.number).collect();
            // The last checkpoint but one is kept: only the second one is without what it names.
            for removed in [removed, Vec::new()] {
                lock(&self.catalogue).forget(|known| is_of(known, tenant));
                self.commit(Change { removed, ..Change::default() }, Vec::new(), |_| ())?;
            }
        }
        self.remove_dead(|entry| entry.tenant == tenant);
        let dir = self.shelf.tenant_dir(tenant);
        match self.sys.fs.remove_dir(&dir) {
            Err(error) if !is_left(&error) => Err(StoreError::io(&dir, error)),
            _ => Ok(()),
        }
    }

    /// Tenants that have rows here, in memory or in segments.
    pub fn all_tenants(&self) -> Vec<Tenant> {
        let mut tenants = self.tenants();
        tenants.extend(lock(&self.live).memtable.tenants());
        tenants.sort_unstable();
        tenants.dedup();
        tenants
    }
}

/// There is no such directory, or a scan has a file of it open, which goes with the scan.
fn is_left(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty)
}
