//! A gate for rows of files that go straight to their output: closed while the graph changes, and told when the last of those
//! inside is out. Knows nothing of rows.

use std::sync::{Condvar, Mutex};

use crate::lock;

#[derive(Default)]
struct State {
    inside: usize,
    closed: bool,
}

/// The gate.
#[derive(Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    out: Condvar,
}

/// Somebody inside.
pub(crate) struct Passage<'a>(&'a Gate);

/// The gate is closed for as long as this lives.
pub(crate) struct Closed<'a>(&'a Gate);

impl Gate {
    /// Goes in; `None` where it is closed.
    pub fn enter(&self) -> Option<Passage<'_>> {
        let mut state = lock(&self.state);
        (!state.closed).then(|| {
            state.inside += 1;
            Passage(self)
        })
    }

    pub fn is_closed(&self) -> bool {
        lock(&self.state).closed
    }

    /// Closes it and waits until nobody is inside.
    pub fn close(&self) -> Closed<'_> {
        let mut state = lock(&self.state);
        state.closed = true;
        drop(self.out.wait_while(state, |state| state.inside > 0));
        Closed(self)
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).inside -= 1;
        self.0.out.notify_all();
    }
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).closed = false;
    }
}
