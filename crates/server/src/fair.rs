//! What keeps tenants out of each other's way: in which order their questions have their turn, and how many connections one of them
//! may hold. Knows nothing of limits that somebody set.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sawlog_model::Tenant;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

#[cfg(test)]
mod tests;

/// Which part of all turns is left to tenants that have none.
const LEFT: usize = 4;

/// A bounded number of things that are done at once; who has the fewest is next.
#[derive(Clone)]
pub(crate) struct Turns(Arc<Mutex<State>>);

struct State {
    all: usize,
    free: usize,
    had: HashMap<Tenant, usize>,
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    tenant: Tenant,
    alone: bool,
    tell: oneshot::Sender<Having>,
}

/// A turn, until it is dropped.
pub(crate) struct Having {
    turns: Turns,
    tenant: Tenant,
}

impl Turns {
    pub(crate) fn new(count: usize) -> Turns {
        let (had, waiting) = Default::default();
        Turns(Arc::new(Mutex::new(State { all: count, free: count, had, waiting })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn of a tenant; `alone` where there are no others.
    pub(crate) async fn take(&self, tenant: Tenant, alone: bool) -> Having {
        let wait = {
            let mut state = self.state();
            if state.may(tenant, alone) {
                state.give(tenant);
                None
            } else {
                let (tell, told) = oneshot::channel();
                state.waiting.push_back(Waiting { tenant, alone, tell });
                Some(told)
            }
        };
        match wait {
            None => Having { turns: self.clone(), tenant },
            // Its other end is dropped with these turns only, of which this has a part.
            Some(told) => match told.await {
                Ok(having) => having,
                Err(_) => std::future::pending().await,
            },
        }
    }

    /// Gives free turns to those who wait.
    fn pass(&self) {
        loop {
            let mut state = self.state();
            state.waiting.retain(|one| !one.tell.is_closed());
            let next = (0..state.waiting.len())
                .filter(|at| state.may(state.waiting[*at].tenant, state.waiting[*at].alone))
                .min_by_key(|at| state.had.get(&state.waiting[*at].tenant).copied().unwrap_or(0));
            let Some(Waiting { tenant, tell, .. }) = next.and_then(|at| state.waiting.remove(at)) else {
                return;
            };
            state.give(tenant);
            drop(state);
            // Who went away meanwhile gives it back.
            let _ = tell.send(Having { turns: self.clone(), tenant });
        }
    }
}

impl State {
    /// Whether a tenant that asks now has its turn: the last ones are for those that have none.
    fn may(&self, tenant: Tenant, alone: bool) -> bool {
        let left = if alone || !self.had.contains_key(&tenant) { 0 } else { self.all / LEFT };
        self.free > left
    }

    fn give(&mut self, tenant: Tenant) {
        self.free -= 1;
        *self.had.entry(tenant).or_default() += 1;
    }
}

impl Drop for Having {
    fn drop(&mut self) {
        let mut state = self.turns.state();
        state.free += 1;
        if let Some(had) = state.had.get_mut(&self.tenant) {
            *had -= 1;
            if *had == 0 {
                state.had.remove(&self.tenant);
            }
        }
        drop(state);
        self.turns.pass();
    }
}

/// Connections of a listener.
pub(crate) struct Seats {
    room: Arc<Semaphore>,
    held: Mutex<HashMap<Tenant, usize>>,
}

impl Seats {
    pub(crate) fn new(count: usize) -> Arc<Seats> {
        Arc::new(Seats { room: Arc::new(Semaphore::new(count)), held: Mutex::default() })
    }

    /// Waits for a free one.
    pub(crate) async fn take(self: &Arc<Self>) -> Option<Seat> {
        let permit = self.room.clone().acquire_owned().await.ok()?;
        Some(Seat { seats: self.clone(), of: Mutex::default(), _permit: permit })
    }

    /// Waits until all of so many are free.
    pub(crate) async fn empty(&self, count: u32) {
        // Nobody closes it.
        let _ = self.room.acquire_many(count).await;
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Tenant, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The seat of one connection.
pub(crate) struct Seat {
    seats: Arc<Seats>,
    /// Who sits there: the tenant of the last request.
    of: Mutex<Option<Tenant>>,
    _permit: OwnedSemaphorePermit,
}

impl Seat {
    /// Says who sits there; whether that may stay: a tenant has no more seats than are free besides, so that there is always one for
    /// others.
    pub(crate) fn belongs_to(&self, tenant: Tenant) -> bool {
        let mut of = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if *of == Some(tenant) {
            return true;
        }
        let mut held = self.seats.held();
        let has = held.get(&tenant).copied().unwrap_or(0);
        if has > self.seats.room.available_permits() {
            return false;
        }
        *held.entry(tenant).or_default() += 1;
        leave(&mut held, of.replace(tenant));
        true
    }
}

fn leave(held: &mut HashMap<Tenant, usize>, of: Option<Tenant>) {
    let Some(of) = of else { return };
    if let Some(count) = held.get_mut(&of) {
        *count -= 1;
        if *count == 0 {
            held.remove(&of);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let of = self.of.lock().unwrap_or_else(PoisonError::into_inner).take();
        leave(&mut self.seats.held(), of);
    }
}
