//! The name of a row's index: of a text with places and letters of a time, or by day. Knows nothing of documents.

use sawlog_model::{Batch, Limits, Nanos, RowRef, SECOND};
use sawlog_pipeline::Options;

use crate::shared::placeholders::{self, Key, Keys, KeysOf, Placeholders, shortened};
use crate::shared::record::Accessor;
use crate::shared::strftime::{self, TimeFormat};

/// Longest name that servers take, bytes.
const NAME_MOST: usize = 255;

/// How indices are named.
pub(super) struct Naming {
    text: Placeholders,
    keys: Keys,
    /// What comes behind the text: a separator, and the day.
    day: Option<(String, TimeFormat)>,
    /// Field that has the name, and what it may begin with.
    target: Option<Accessor>,
    allowed: Vec<String>,
}

/// [`Naming`] for the rows of one batch.
pub(super) struct Names<'a> {
    naming: &'a Naming,
    keys: KeysOf<'a>,
    /// The last name, and what it was made of.
    last: Option<(Key, Option<Nanos>, String)>,
}

/// What rows say, so that it can be in the name of an index and reaches no other than the one it is in.
fn clean(text: &str) -> String {
    let plain = |letter: char| match letter {
        '\\' | '/' | '*' | '?' | '"' | '<' | '>' | '|' | ',' | '#' | ':' | '%' => '_',
        letter if letter.is_whitespace() || letter.is_control() => '_',
        letter => letter,
    };
    shortened(text.chars().map(plain).flat_map(char::to_lowercase).collect(), text)
}

impl Naming {
    pub fn new(options: &Options) -> Result<Naming, String> {
        let by_day = options.flag("logstash_format");
        let name = if by_day { "logstash_prefix" } else { "index_name" };
        let text =
            Placeholders::parse(options.text(name)).map_err(|message| format!("`{name}`: {message}"))?;
        let zone = if by_day {
            strftime::zone(if options.flag("utc_index") { "UTC" } else { "" })?
        } else {
            placeholders::zone(options)?
        };
        let keys = Keys::of_texts(&[&text], zone.clone())?;
        let target = match options.text("target_index_key") {
            "" => None,
            key => Some(Accessor::parse(key)?),
        };
        let allowed: Vec<String> =
            options.list("allowed_indices").iter().filter(|text| !text.is_empty()).cloned().collect();
        if allowed.is_empty() && (target.is_some() || text.begins_with_data()) {
            let name = if target.is_some() { "target_index_key" } else { name };
            return Err(format!(
                "`{name}`: where rows choose how the name of an index begins, `allowed_indices` must say what with"
            ));
        }
        let day = by_day.then(|| {
            let format = TimeFormat::new(options.text("logstash_dateformat"), zone);
            (options.text("logstash_prefix_separator").to_owned(), format)
        });
        Ok(Naming { text, keys, day, target, allowed })
    }

    /// The field that names the index, where a row has it.
    pub fn target(&self) -> Option<&Accessor> {
        self.target.as_ref()
    }

    pub fn of_batch<'a>(&'a self, batch: &Batch, limits: &'a Limits) -> Names<'a> {
        Names { naming: self, keys: self.keys.of_batch(batch, limits), last: None }
    }

    /// Lets a name pass that is within what is allowed.
    fn admit(&self, name: String, chosen: bool) -> Result<String, String> {
        let begins = |prefix: &String| name.starts_with(prefix.as_str());
        if chosen && !self.allowed.iter().any(begins) {
            return Err(format!("the index `{name}` does not begin as `allowed_indices` says"));
        }
        let reserved = name.starts_with(['-', '_', '+']) || matches!(name.as_str(), "" | "." | "..");
        if reserved || name.len() > NAME_MOST {
            return Err(format!("`{name}` can be no name of an index"));
        }
        Ok(name)
    }
}

impl Names<'_> {
    /// The index of a row whose time is `time`, and whose field says `target`.
    pub fn name(&mut self, row: RowRef<'_>, time: Nanos, target: Option<&str>) -> Result<&str, String> {
        let naming = self.naming;
        if let Some(target) = target {
            let name = naming.admit(clean(target), true)?;
            return Ok(&self.last.insert((Key::default(), Some(Nanos::MIN), name)).2);
        }
        let key = self.keys.key(row);
        // No name of a day has parts of a second.
        let second = naming.day.as_ref().map(|_| time.div_euclid(SECOND));
        let same = self.last.as_ref().is_some_and(|(last, at, _)| *last == key && *at == second);
        if !same {
            let mut name = naming.text.expand(&naming.keys, &key, "", clean).to_lowercase();
            if let Some((separator, format)) = &naming.day {
                name.push_str(separator);
                name.push_str(&format.text(time));
            }
            let name = naming.admit(name, naming.text.begins_with_data())?;
            self.last = Some((key, second, name));
        }
        Ok(self.last.as_ref().map_or("", |(.., name)| name))
    }
}
