//! A file of the data directory that holds one value as JSON and is replaced as a whole, so that after a crash it is the one
//! before or the one after. Knows nothing of what is in it.

use std::path::{Path, PathBuf};

use sawlog_sys::{Open, Sys};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A change of what a file holds was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// It cannot be.
    #[error("{0}")]
    Wrong(String),
    /// It could not be written.
    #[error("{0}")]
    Disk(String),
}

/// The file.
pub(crate) struct Kept {
    sys: Sys,
    path: PathBuf,
}

impl Kept {
    /// The file of that name in the data directory.
    pub(crate) fn new(sys: &Sys, data: &Path, name: &str) -> Self {
        Kept { sys: sys.clone(), path: data.join(name) }
    }

    /// What it holds; the empty value where there is no file.
    ///
    /// # Errors
    /// Where it cannot be read, in words: a file that is not understood is not overwritten.
    pub(crate) fn read<T: DeserializeOwned + Default>(&self, without: &str) -> Result<T, String> {
        match self.sys.fs.read(&self.path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                format!("{}: {error}; mend the file, or move it away to begin {without}", self.path.display())
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(T::default()),
            Err(error) => Err(format!("{}: {error}", self.path.display())),
        }
    }

    /// Puts a value in the place of the one before; it is on stable storage when this returns. Others than the node's own user
    /// cannot read it.
    ///
    /// # Errors
    /// In words; then what was there before is still there.
    pub(crate) fn write(&self, value: &impl Serialize) -> Result<(), String> {
        self.replace(value).map_err(|error| format!("{}: {error}", self.path.display()))
    }

    fn replace(&self, value: &impl Serialize) -> std::io::Result<()> {
        let new = self.path.with_extension("json.new");
        let bytes = serde_json::to_vec_pretty(value).map_err(std::io::Error::other)?;
        let file = self.sys.fs.open(&new, Open::Create)?;
        self.sys.fs.set_mode(&new, 0o600)?;
        file.set_len(0)?;
        file.write_at(&bytes, 0)?;
        file.sync()?;
        self.sys.fs.rename(&new, &self.path)?;
        match self.path.parent() {
            Some(dir) => self.sys.fs.sync_dir(dir),
            None => Ok(()),
        }
    }
}
