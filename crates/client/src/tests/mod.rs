//! The crate as its users see it: what becomes of contexts, spans and values, and how they travel.

mod contexts;
mod spans;
mod travel;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Finished, Guard, Value, clear_contexts, record_with};

/// The recorder is one for the process, so these tests take turns.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    clear_contexts();
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A finished event, kept.
#[derive(Clone, Debug)]
struct Seen {
    name: String,
    id: Value,
    span: u64,
    parent: Option<u64>,
    seconds: f64,
    body: Value,
}

impl Seen {
    fn of(event: &Finished<'_>) -> Seen {
        Seen {
            name: event.name.to_owned(),
            id: event.id(),
            span: event.span,
            parent: event.parent,
            seconds: event.end.duration_since(event.start).unwrap().as_secs_f64(),
            body: Value::Map(event.body.to_vec()),
        }
    }

    /// The value of a key, or what is in maps below it.
    fn get(&self, key: &str) -> Value {
        key.split('.').fold(self.body.clone(), |value, part| {
            let Value::Map(map) = value else { panic!("no map before {part} in {:?}", self.body) };
            let found = map.into_iter().find(|(name, _)| name == part);
            found.unwrap_or_else(|| panic!("no {key} in {:?}", self.body)).1
        })
    }
}

/// Everything that is finished from now on.
struct Watch {
    seen: Arc<Mutex<Vec<Seen>>>,
    _guard: Guard,
    _turn: MutexGuard<'static, ()>,
}

impl Watch {
    fn begin() -> Watch {
        let turn = turn();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let keep = seen.clone();
        let guard = record_with(move |event| keep.lock().unwrap().push(Seen::of(event)));
        Watch { seen, _guard: guard, _turn: turn }
    }

    fn all(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    fn names(&self) -> Vec<String> {
        self.all().into_iter().map(|event| event.name).collect()
    }

    /// The only one of that name.
    fn one(&self, name: &str) -> Seen {
        let found: Vec<Seen> = self.all().into_iter().filter(|event| event.name == name).collect();
        assert_eq!(found.len(), 1, "{name} among {:?}", self.names());
        found.into_iter().next().unwrap()
    }
}
