//! What can go wrong in a store, in words that name the file and the remedy. Knows nothing of what was being done.

use std::io;
use std::path::Path;
use std::sync::Arc;

/// The store cannot do what was asked. The text names file and remedy.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The disk said no.
    #[error("{path}: {source}")]
    Io {
        /// The file or directory.
        path: String,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// Another process has the directory.
    #[error("{0} is in use by another sawlog; stop it, or ask it over HTTP")]
    Locked(String),
    /// A file is not what it should be.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Written by a format that this version does not read.
    #[error(
        "{path} has format {found}, this sawlog reads {known}; import the logs again into a new directory"
    )]
    Format {
        /// The file.
        path: String,
        /// The format it says it has.
        found: u32,
        /// The format that can be read.
        known: u32,
    },
    /// There is not enough memory for it now.
    #[error("{0}; try again when fewer questions run, or give the store more memory (store.memory)")]
    Memory(String),
    /// The store was opened read only.
    #[error("this store was opened read only")]
    ReadOnly,
}

impl StoreError {
    /// Wraps what the system said about `path`.
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        StoreError::Io { path: path.display().to_string(), source: Arc::new(source) }
    }

    pub(crate) fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        StoreError::Damaged { path: path.display().to_string(), reason: reason.into() }
    }

    /// Whether the file itself is at fault (gone, cut, changed), so that reading it again later will not help.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            StoreError::Damaged { .. } | StoreError::Format { .. } => true,
            StoreError::Io { source, .. } => {
                matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof)
            }
            StoreError::Locked(_) | StoreError::Memory(_) | StoreError::ReadOnly => false,
        }
    }

    /// Whether a file was not there.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, StoreError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}
