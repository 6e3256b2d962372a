//! What is said once of many rows: tag, host, path, resource attributes. A row does not repeat it; it belongs to the
//! batch and is stored once per segment. Knows nothing of the line's own fields.

/// An ordered map of names (`_tag`, `_host`, `_path`, or an attribute's own name) to text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Context {
    entries: Vec<(Box<str>, Box<str>)>,
}

impl Context {
    /// A context of these entries; a later entry of a name replaces an earlier one.
    pub fn new<N: Into<Box<str>>, V: Into<Box<str>>>(entries: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut context = Context::default();
        for (name, value) in entries {
            context.set(name, value);
        }
        context
    }

    /// Sets one entry.
    pub fn set(&mut self, name: impl Into<Box<str>>, value: impl Into<Box<str>>) {
        let (name, value) = (name.into(), value.into());
        match self.entries.iter_mut().find(|(have, _)| *have == name) {
            Some(entry) => entry.1 = value,
            None => self.entries.push((name, value)),
        }
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.entries.iter().find(|(have, _)| &**have == name).map(|(_, value)| &**value)
    }

    /// All entries, in the order they were set.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.entries.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Bytes it takes, roughly.
    pub fn weight(&self) -> usize {
        self.entries.iter().map(|(name, value)| name.len() + value.len() + 32).sum()
    }
}
