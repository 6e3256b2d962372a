//! Parsers of lines that people name, and what they give: by producers, and in questions. Knows nothing of what they read by; a node makes them of
//! its configuration and hands them to who asks for one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::Value;
use crate::value::render;

/// A parser.
pub trait Normalize: Send + Sync {
    /// Gives each field of a line, each name once; whether the line is of a form that it knows. Of one that is not, nothing is
    /// given.
    fn normalize(&self, line: &[u8], give: &mut dyn FnMut(&str, &Value)) -> bool;
}

/// Parsers by name.
#[derive(Clone, Default)]
pub struct Normalizers(Arc<BTreeMap<String, Arc<dyn Normalize>>>);

impl Normalizers {
    /// These.
    pub fn new(all: BTreeMap<String, Arc<dyn Normalize>>) -> Self {
        Normalizers(Arc::new(all))
    }

    /// The one of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Normalize>> {
        self.0.get(name)
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl fmt::Debug for Normalizers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// Fields with what stands in them: objects by dotted names, everything else as it is.
pub fn leaves(name: &str, value: &Value, into: &mut Vec<(String, Value)>) {
    match value {
        Value::Map(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                leaves(&format!("{name}.{}", key.as_str().unwrap_or_default()), value, into);
            }
        }
        value => into.push((name.to_owned(), value.clone())),
    }
}

/// A value as the text of a field; none where there is none.
pub fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Nil => None,
        Value::Str(text) => Some(text.clone()),
        other => {
            let mut text = Vec::new();
            render(other, &mut text);
            Some(String::from_utf8_lossy(&text).into_owned())
        }
    }
}
