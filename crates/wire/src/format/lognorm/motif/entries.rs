//! The entries of an object, each name once, however many there are. Knows nothing of where they come from.

use std::collections::HashMap;
use std::hash::Hash;

/// From so many entries on, names are looked up in a table.
const TABLE_FROM: usize = 32;

/// Entries in order.
#[derive(Debug)]
pub(in super::super) struct Entries<N, T> {
    list: Vec<(N, T)>,
    places: HashMap<N, usize>,
}

impl<N: Clone + Eq + Hash, T> Entries<N, T> {
    pub fn new() -> Self {
        Entries { list: Vec::new(), places: HashMap::new() }
    }

    fn find(&self, name: &N) -> Option<usize> {
        if self.list.len() < TABLE_FROM {
            return self.list.iter().position(|(have, _)| have == name);
        }
        self.places.get(name).copied()
    }

    fn push(&mut self, name: N, value: T) {
        let place = self.list.len();
        if place + 1 == TABLE_FROM {
            self.places = self.list.iter().enumerate().map(|(at, (name, _))| (name.clone(), at)).collect();
        }
        if place + 1 >= TABLE_FROM {
            self.places.insert(name.clone(), place);
        }
        self.list.push((name, value));
    }

    /// Adds one; where there is one of the name, its value is replaced, as in JSON.
    pub fn put(&mut self, name: N, value: T) {
        match self.find(&name) {
            Some(place) => self.list[place].1 = value,
            None => self.push(name, value),
        }
    }

    /// Adds one, unless there is one of the name.
    pub fn add(&mut self, name: N, value: T) {
        if self.find(&name).is_none() {
            self.push(name, value);
        }
    }

    pub fn into_list(self) -> Vec<(N, T)> {
        self.list
    }
}
