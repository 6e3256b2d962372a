//! Loggers: named selections of rows with a time to keep them and columns, and shortcuts into them, as ALCO's users have
//! them; by tenant, in one file of the data directory. Knows nothing of HTTP.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use sawlog_model::Tenant;
use sawlog_sys::Sys;
use serde::{Deserialize, Serialize};

use crate::kept::{ChangeError, Kept};

/// Its name in the data directory.
const FILE: &str = "loggers.json";

/// Most loggers and most shortcuts of a tenant, most columns of a logger.
const MOST: usize = 1_000;

/// Why a logger without a selector has no days.
const WOULD_REMOVE_ALL: &str = "a logger without a selector has all rows of the tenant, and its days would remove all that are \
                                older: write the selector `*` where that is meant, or leave the days out";

/// A named selection of rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Logger {
    /// As it stands in addresses.
    pub(crate) name: String,
    /// A search without pipes; empty for all rows.
    #[serde(default)]
    pub(crate) selector: String,
    /// Days for which its rows are kept; 0 for as long as the store keeps them.
    #[serde(default)]
    pub(crate) days: u32,
    /// Fields of which something is set; others are displayed as they appear.
    #[serde(default)]
    pub(crate) columns: Vec<Column>,
}

/// What is set of a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// Its values are offered to choose from.
    #[serde(default)]
    pub(crate) filtered: bool,
    #[serde(default = "yes")]
    pub(crate) displayed: bool,
    /// It is left out of answers.
    #[serde(default)]
    pub(crate) excluded: bool,
    /// It is shown below the row, on demand.
    #[serde(default)]
    pub(crate) context: bool,
}

impl Column {
    /// A field of which nothing is set.
    pub(crate) fn of(name: String) -> Self {
        Column { name, filtered: false, displayed: true, excluded: false, context: false }
    }
}

fn yes() -> bool {
    true
}

/// A way into a logger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shortcut {
    pub(crate) name: String,
    pub(crate) logger: String,
    #[serde(default)]
    pub(crate) description: String,
    /// Parameters of the logger's page, as in its address.
    #[serde(default)]
    pub(crate) url: String,
    /// The field that the value behind the shortcut's name is for.
    #[serde(default)]
    pub(crate) default_field: String,
}

/// Those of one tenant, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Book {
    pub(crate) loggers: BTreeMap<String, Logger>,
    pub(crate) shortcuts: BTreeMap<String, Shortcut>,
}

/// Those of all tenants, kept in a file; cheap to clone.
#[derive(Clone)]
pub struct Loggers(Arc<Inner>);

struct Inner {
    file: Kept,
    books: Mutex<BTreeMap<u32, Book>>,
}

/// A name that may stand in addresses.
fn check_name(what: &str, name: &str) -> Result<(), String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let dots = name.bytes().all(|byte| byte == b'.');
    if name.is_empty() || name.len() > 100 || dots || !name.bytes().all(fits) {
        return Err(format!("{name:?} cannot be the name of a {what}: write up to 100 of A-Z a-z 0-9 _ - ."));
    }
    Ok(())
}

impl Book {
    /// Adds a logger, or puts it in the place of the one of its name.
    pub(crate) fn set_logger(&mut self, logger: Logger) -> Result<(), String> {
        check_name("logger", &logger.name)?;
        if logger.name == "shortcut" {
            return Err("`shortcut` cannot be the name of a logger: its address is taken".to_owned());
        }
        if logger.days > 0 && logger.selector.trim().is_empty() {
            return Err(WOULD_REMOVE_ALL.to_owned());
        }
        if logger.columns.len() > MOST
            || (self.loggers.len() >= MOST && !self.loggers.contains_key(&logger.name))
        {
            return Err(format!("there are at most {MOST} loggers, and {MOST} columns of one"));
        }
        self.loggers.insert(logger.name.clone(), logger);
        Ok(())
    }

    /// Adds a shortcut, or puts it in the place of the one of its name.
    pub(crate) fn set_shortcut(&mut self, shortcut: Shortcut) -> Result<(), String> {
        check_name("shortcut", &shortcut.name)?;
        if !self.loggers.contains_key(&shortcut.logger) {
            return Err(format!("there is no logger {:?} for the shortcut", shortcut.logger));
        }
        if self.shortcuts.len() >= MOST && !self.shortcuts.contains_key(&shortcut.name) {
            return Err(format!("there are at most {MOST} shortcuts"));
        }
        self.shortcuts.insert(shortcut.name.clone(), shortcut);
        Ok(())
    }

    /// Takes a logger away with its shortcuts; whether it was there.
    pub(crate) fn remove_logger(&mut self, name: &str) -> bool {
        self.shortcuts.retain(|_, shortcut| shortcut.logger != name);
        self.loggers.remove(name).is_some()
    }
}

impl Loggers {
    /// Forgets those of a tenant.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub fn forget(&self, tenant: Tenant) -> Result<(), ChangeError> {
        let mut books = self.0.books.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rest = books.clone();
        if rest.remove(&tenant.0).is_some() {
            self.0.file.write(&rest).map_err(ChangeError::Disk)?;
            *books = rest;
        }
        Ok(())
    }

    /// Those of a data directory.
    ///
    /// # Errors
    /// Where the file cannot be read, in words: a file that is not understood is not overwritten.
    pub fn open(sys: &Sys, data: &Path) -> Result<Loggers, String> {
        let file = Kept::new(sys, data, FILE);
        let books = Mutex::new(file.read("without loggers")?);
        Ok(Loggers(Arc::new(Inner { file, books })))
    }

    /// Those of a tenant as they are now.
    pub(crate) fn book(&self, tenant: Tenant) -> Book {
        let books = self.0.books.lock().unwrap_or_else(PoisonError::into_inner);
        books.get(&tenant.0).cloned().unwrap_or_default()
    }

    /// Those of all tenants as they are now.
    pub(crate) fn books(&self) -> Vec<(Tenant, Book)> {
        let books = self.0.books.lock().unwrap_or_else(PoisonError::into_inner);
        books.iter().map(|(tenant, book)| (Tenant(*tenant), book.clone())).collect()
    }

    /// Changes those of a tenant; they are on stable storage when it returns, else nothing has changed.
    pub(crate) fn change<T>(
        &self,
        tenant: Tenant,
        change: impl FnOnce(&mut Book) -> Result<T, String>,
    ) -> Result<T, ChangeError> {
        let mut books = self.0.books.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = books.clone();
        let given = change(changed.entry(tenant.0).or_default()).map_err(ChangeError::Wrong)?;
        self.0.file.write(&changed).map_err(ChangeError::Disk)?;
        *books = changed;
        Ok(given)
    }
}

#[cfg(test)]
mod tests {
    use sawlog_sys::Open;

    use super::*;

    fn logger(name: &str) -> Logger {
        Logger { name: name.to_owned(), selector: "_tag:logstash".to_owned(), days: 30, ..Logger::default() }
    }

    #[test]
    fn what_was_set_is_there_after_a_restart() {
        let (sys, dir) = (Sys::real(), tempfile::tempdir().expect("a directory"));
        let loggers = Loggers::open(&sys, dir.path()).expect("none yet");
        let shortcut = Shortcut { name: "req".into(), logger: "web".into(), ..Shortcut::default() };
        let set = |book: &mut Book| {
            book.set_logger(logger("web"))?;
            book.set_shortcut(shortcut.clone())
        };
        loggers.change(Tenant(3), set).expect("set");
        let again = Loggers::open(&sys, dir.path()).expect("it is read");
        assert_eq!(again.book(Tenant(3)).loggers["web"], logger("web"));
        assert_eq!(again.book(Tenant(3)).shortcuts["req"], shortcut);
        assert_eq!(again.book(Tenant(0)), Book::default(), "another tenant's");
        assert!(again.change(Tenant(3), |book| Ok(book.remove_logger("web"))).expect("removed"));
        assert_eq!(Loggers::open(&sys, dir.path()).expect("it is read").book(Tenant(3)), Book::default());
    }

    #[test]
    fn what_cannot_be_changes_nothing() {
        let (sys, dir) = (Sys::real(), tempfile::tempdir().expect("a directory"));
        let loggers = Loggers::open(&sys, dir.path()).expect("none yet");
        for name in ["", "a b", "..", "a/b", "shortcut", &"x".repeat(101)] {
            let changed = loggers.change(Tenant(0), |book| book.set_logger(logger(name)));
            assert!(matches!(changed, Err(ChangeError::Wrong(_))), "{name}");
        }
        let lost = Shortcut { name: "s".into(), logger: "none".into(), ..Shortcut::default() };
        assert!(loggers.change(Tenant(0), |book| book.set_shortcut(lost)).is_err());
        assert_eq!(loggers.book(Tenant(0)), Book::default());
        let file = sys.fs.open(&dir.path().join(FILE), Open::Create).expect("a file");
        file.write_at(b"{]", 0).expect("written");
        assert!(Loggers::open(&sys, dir.path()).is_err_and(|error| error.contains("mend the file")));
    }
}
