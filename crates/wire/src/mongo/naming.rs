//! The database and collection of a row. Knows nothing of documents.

use sawlog_model::{Batch, Limits, RowRef};
use sawlog_pipeline::Options;

use crate::shared::placeholders::{Key, Keys, KeysOf, Placeholders, shortened, zone};

/// Longest that a database's name may be, bytes.
const DATABASE_MOST: usize = 63;
/// Longest that the names of a database and a collection may be together, bytes.
const TOGETHER_MOST: usize = 255;
/// Databases of the servers' own.
const OF_SERVERS: &[&str] = &["admin", "local", "config"];

/// How collections are named.
pub(super) struct Naming {
    database: Placeholders,
    collection: Placeholders,
    keys: Keys,
    /// What is taken from the beginning of a collection's name.
    without: String,
    /// Name of a collection of which nothing is left.
    untagged: String,
}

/// Where documents go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub database: String,
    pub collection: String,
}

/// [`Naming`] for the rows of one batch.
pub(super) struct Places<'a> {
    naming: &'a Naming,
    keys: KeysOf<'a>,
    last: Option<(Key, Place)>,
}

fn clean_database(text: &str) -> String {
    let plain = |letter: char| match letter {
        '/' | '\\' | '.' | '"' | '*' | '<' | '>' | ':' | '|' | '?' | '$' => '_',
        letter if letter.is_whitespace() || letter.is_control() => '_',
        letter => letter,
    };
    shortened(text.chars().map(plain).collect(), text)
}

fn clean_collection(text: &str) -> String {
    let plain = |letter: char| if letter == '$' || letter.is_control() { '_' } else { letter };
    shortened(text.chars().map(plain).collect(), text)
}

impl Naming {
    pub fn new(options: &Options, database: &str) -> Result<Naming, String> {
        let parse = |name: &str, text: &str| {
            Placeholders::parse(text).map_err(|message| format!("`{name}`: {message}"))
        };
        let collection = options.text("collection");
        let mapped = options.flag("tag_mapped");
        let texts =
            (parse("database", database)?, parse("collection", if mapped { "${tag}" } else { collection })?);
        let literal = |text: &Placeholders| !text.has_tag() && text.fields().next().is_none();
        let naming = Naming {
            keys: Keys::of_texts(&[&texts.0, &texts.1], zone(options)?)?,
            without: options.text("remove_tag_prefix").to_owned(),
            untagged: if mapped && literal(&parse("collection", collection)?) {
                collection
            } else {
                "untagged"
            }
            .to_owned(),
            database: texts.0,
            collection: texts.1,
        };
        // What no row has a say in is told before the first one.
        if literal(&naming.database) && literal(&naming.collection) {
            let key = Key { slice: naming.keys.slice(0), ..Key::default() };
            naming.place(&key).map_err(|message| format!("`database` and `collection`: {message}"))?;
        }
        Ok(naming)
    }

    pub fn of_batch<'a>(&'a self, batch: &Batch, limits: &'a Limits) -> Places<'a> {
        Places { naming: self, keys: self.keys.of_batch(batch, limits), last: None }
    }

    fn place(&self, key: &Key) -> Result<Place, String> {
        let database = self.database.expand(&self.keys, key, "", clean_database);
        let name = self.collection.expand(&self.keys, key, "", clean_collection);
        let name = name.strip_prefix(&self.without).unwrap_or(&name).trim_matches('.');
        let collection = if name.is_empty() { self.untagged.clone() } else { name.to_owned() };
        let fits =
            !database.is_empty() && database == clean_database(&database) && database.len() <= DATABASE_MOST;
        if !fits || (self.database.begins_with_data() && OF_SERVERS.contains(&database.as_str())) {
            return Err(format!("`{database}` can be no name of a database"));
        }
        let is_fine = !collection.contains(['$', '\0']) && !collection.starts_with("system.");
        if !is_fine || database.len() + 1 + collection.len() > TOGETHER_MOST {
            return Err(format!("`{collection}` can be no name of a collection"));
        }
        Ok(Place { database, collection })
    }
}

impl Places<'_> {
    /// Where a row goes.
    pub fn of(&mut self, row: RowRef<'_>) -> Result<&Place, String> {
        let key = self.keys.key(row);
        if self.last.as_ref().is_none_or(|(last, _)| *last != key) {
            let place = self.naming.place(&key)?;
            self.last = Some((key, place));
        }
        self.last.as_ref().map(|(_, place)| place).ok_or_else(String::new)
    }
}
