//! How servers and clients stand in one text each: `HOST:PORT?weight=20&standby=true`, as in a URL. Knows nothing of what
//! the words mean.

use sawlog_pipeline::ConfigError;

/// A name and what is said of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// What stands before the `?`.
    pub name: String,
    pairs: Vec<(String, String)>,
}

impl Entry {
    /// One of which nothing is said.
    pub(super) fn new(name: String) -> Entry {
        Entry { name, pairs: Vec::new() }
    }

    /// Reads `text`, in which only `keys` may be said.
    ///
    /// # Errors
    /// [`ConfigError`] where another key is, or the text cannot be read.
    pub(super) fn read(text: &str, keys: &[&str]) -> Result<Entry, ConfigError> {
        let (name, query) = text.split_once('?').unwrap_or((text, ""));
        let mut entry = Entry::new(unescape(name)?);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, "true"));
            if !keys.contains(&key) {
                let known = keys.join(", ");
                return Err(ConfigError(format!("`{}` has no `{key}`; there are {known}", entry.name)));
            }
            entry.pairs.push((key.to_owned(), unescape(value)?));
        }
        Ok(entry)
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.pairs.iter().find(|(have, _)| have == key).map(|(_, value)| value.as_str())
    }

    /// One more pair, where there is a value.
    pub(super) fn with(mut self, key: &str, value: Option<&str>) -> Entry {
        self.pairs.extend(value.map(|value| (key.to_owned(), value.to_owned())));
        self
    }

    /// The text that reads as this.
    pub(super) fn text(&self) -> String {
        let pairs = self.pairs.iter().map(|(key, value)| format!("{key}={}", escape(value)));
        let query = pairs.collect::<Vec<_>>().join("&");
        if query.is_empty() { escape(&self.name) } else { format!("{}?{query}", escape(&self.name)) }
    }
}

fn escape(text: &str) -> String {
    let mut out = String::new();
    for char in text.chars() {
        match char {
            '%' | '&' | '?' | '=' | '#' => out.push_str(&format!("%{:02X}", char as u32)),
            _ => out.push(char),
        }
    }
    out
}

fn unescape(text: &str) -> Result<String, ConfigError> {
    let wrong = || ConfigError(format!("`{text}`: write `%` as %25, `&` as %26, `?` as %3F"));
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        rest = more;
        if *first != b'%' {
            out.push(*first);
            continue;
        }
        let digits = more.get(..2).and_then(|digits| std::str::from_utf8(digits).ok()).ok_or_else(wrong)?;
        out.push(u8::from_str_radix(digits, 16).map_err(|_| wrong())?);
        rest = &more[2..];
    }
    String::from_utf8(out).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_the_same() {
        let keys = ["weight", "password", "standby"];
        let entry = Entry::new("h:1".into())
            .with("weight", Some("3"))
            .with("standby", None)
            .with("password", Some("a&b=c?%é"));
        assert_eq!(entry.text(), "h:1?weight=3&password=a%26b%3Dc%3F%25é");
        assert_eq!(Entry::read(&entry.text(), &keys), Ok(entry));
        let read = Entry::read("h:1?standby", &keys).expect("an entry");
        assert_eq!((read.get("standby"), read.get("weight")), (Some("true"), None));
        let wrong = Entry::read("h:1?wait=3", &keys).expect_err("unknown").0;
        assert!(wrong.contains("has no `wait`; there are weight"), "{wrong}");
        assert!(Entry::read("h:1?weight=%2", &keys).is_err());
    }
}
