//! Files as sawlog uses them: few calls, each of which can fail and is a point at which a simulated machine can crash.
//! No mapping of files: a full disk would be a signal instead of an error.

use std::io;
use std::path::{Path, PathBuf};

/// How a file is opened. All but `Read` can also read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Open {
    /// Read only; it must exist.
    Read,
    /// Read and write; it must exist.
    Write,
    /// Read and write; made where it is missing.
    Create,
    /// Read and write; it must not exist.
    New,
}

/// What is known of a file or directory.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Metadata {
    /// Length in bytes.
    pub len: u64,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// Whether it is a plain file.
    pub is_file: bool,
    /// File system id (st_dev).
    pub filesystem: u64,
    /// Inode.
    pub inode: u64,
    /// Hash of the file handle, which holds the inode's generation (name_to_handle_at); 0 where there is none.
    pub generation: u64,
    /// Birth time, nanoseconds since 1970, or 0.
    pub birth: i64,
    /// Last modification, nanoseconds since 1970.
    pub modified: i64,
    /// Number of names.
    pub links: u64,
}

/// A name in a directory.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Entry {
    /// Full path.
    pub path: PathBuf,
    /// Whether it is a directory (links are followed).
    pub is_dir: bool,
}

/// An open file.
pub trait File: Send + Sync {
    /// Reads at `offset` into `into`, as much as there is at once; 0 at the end.
    ///
    /// # Errors
    /// As the system says.
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all of `bytes` at `offset`. On an error any part of it may have been written.
    ///
    /// # Errors
    /// As the system says; `StorageFull` where the disk is.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes what was written durable (fdatasync). After an error the file's unsynced bytes may be gone: never ask
    /// again, write anew elsewhere.
    ///
    /// # Errors
    /// As the system says.
    fn sync(&self) -> io::Result<()>;
    /// Cuts or extends the file.
    ///
    /// # Errors
    /// As the system says.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// What is known of it now, by its handle and not its name.
    ///
    /// # Errors
    /// As the system says.
    fn metadata(&self) -> io::Result<Metadata>;

    /// Fills `into` from `offset`.
    ///
    /// # Errors
    /// `UnexpectedEof` where there is less, else as the system says.
    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        let mut done = 0;
        while done < into.len() {
            match self.read_at(&mut into[done..], offset + done as u64) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// A lock on a file, held until dropped or until the process ends.
pub trait Lock: Send + Sync {}

/// The file system.
pub trait Fs: Send + Sync {
    /// Opens a file.
    ///
    /// # Errors
    /// As the system says.
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn File>>;
    /// What is known of the file that the path leads to (links followed).
    ///
    /// # Errors
    /// As the system says; `NotFound` where there is none.
    fn metadata(&self, path: &Path) -> io::Result<Metadata>;
    /// The names in a directory, sorted.
    ///
    /// # Errors
    /// As the system says.
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>>;
    /// Makes a directory and those above it, durably.
    ///
    /// # Errors
    /// As the system says.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;
    /// Gives the file a second name; fails with `AlreadyExists` where `to` is one.
    ///
    /// # Errors
    /// As the system says.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Renames, replacing `to`.
    ///
    /// # Errors
    /// As the system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file's name.
    ///
    /// # Errors
    /// As the system says.
    fn unlink(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty directory.
    ///
    /// # Errors
    /// As the system says.
    fn remove_dir(&self, dir: &Path) -> io::Result<()>;
    /// Makes the names of a directory durable (fsync of the directory).
    ///
    /// # Errors
    /// As the system says.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Takes the exclusive lock of a file, made where it is missing; `None` where another process has it.
    ///
    /// # Errors
    /// As the system says.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Lock>>>;
    /// Bytes free for this process on the file system of `path`.
    ///
    /// # Errors
    /// As the system says.
    fn free(&self, path: &Path) -> io::Result<u64>;

    /// Makes `at` a symbolic link to `target`, in the place of whatever link or file it was. Not durable: nothing that must
    /// survive a crash may hang on it.
    ///
    /// # Errors
    /// As the system says; `Unsupported` where there are none.
    fn symlink(&self, target: &Path, at: &Path) -> io::Result<()> {
        let _ = (target, at);
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Sets the permission bits of a file or directory, as in 0o640.
    ///
    /// # Errors
    /// As the system says.
    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        let _ = mode;
        self.metadata(path).map(drop)
    }

    /// The path without links on it: where the file itself lies.
    ///
    /// # Errors
    /// As the system says.
    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        self.metadata(path).map(|_| path.to_owned())
    }

    /// Reads a whole file.
    ///
    /// # Errors
    /// As the system says.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = self.open(path, Open::Read)?;
        let mut bytes = vec![0; file.metadata()?.len as usize];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }
}

/// Writes to a file behind what was written through it.
pub struct Behind<'a> {
    /// Where to.
    pub file: &'a dyn File,
    /// The position of the next byte.
    pub at: u64,
}

impl io::Write for Behind<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_at(bytes, self.at)?;
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
