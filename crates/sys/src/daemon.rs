//! A program that goes on in the background: it starts itself again away from the terminal, and the first one ends when
//! the second says that it is ready. So who typed the command sees its errors, and has a working program when the prompt
//! is back. Knows nothing of what the program does.

#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is the door")]

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// By which the second process knows what it is.
const MARK: &str = "SAWLOG_IN_BACKGROUND";

/// Which of the two this process is.
pub enum Side {
    /// The first: the second is ready and said so in this line. It has only to end.
    Started(String),
    /// The second: go on, and call [`Background::ready`] when inputs accept.
    Background(Background),
}

/// The process in the background, before it is ready.
pub struct Background {
    pid_file: Option<PathBuf>,
}

/// A background process that is ready; its pid file goes when this is dropped.
pub struct Settled {
    pid_file: Option<PathBuf>,
}

/// Goes to the background. `log` gets what the program says on standard error from then on.
///
/// # Errors
/// Where another process holds the pid file, the log cannot be written, or the second process ended before it was ready:
/// what it said.
pub fn detach(pid_file: Option<&Path>, log: &Path) -> Result<Side, String> {
    if std::env::var_os(MARK).is_some() {
        rustix::process::setsid().map_err(|error| format!("cannot leave the terminal: {error}"))?;
        return Ok(Side::Background(Background { pid_file: pid_file.map(Path::to_owned) }));
    }
    if let Some(file) = pid_file {
        refuse_a_second(file)?;
    }
    let out = OpenOptions::new().create(true).append(true).read(true).open(log);
    let out = out.map_err(|error| format!("cannot write {}: {error}", log.display()))?;
    start(out).map(Side::Started)
}

/// Starts this program with its own arguments and waits for its first line. That comes over its standard input, which is a
/// socket: so the program's output and errors go where they belong from the beginning.
fn start(mut log: File) -> Result<String, String> {
    let words = |error: io::Error| format!("cannot start in the background: {error}");
    let before = log.seek(SeekFrom::End(0)).map_err(words)?;
    let (ours, theirs) = UnixStream::pair().map_err(words)?;
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    let mut command = Command::new(std::env::current_exe().map_err(words)?);
    command.arg0(name).args(arguments).env(MARK, "1");
    command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null());
    command.stderr(log.try_clone().map_err(words)?);
    let mut child = command.spawn().map_err(words)?;
    // The command keeps its end of the socket open for as long as it lives, and the end of the program must be seen.
    drop(command);
    let mut line = String::new();
    BufReader::new(ours).read_line(&mut line).map_err(words)?;
    if !line.is_empty() {
        return Ok(line.trim_end().to_owned());
    }
    let ended = child.wait().map_err(words)?;
    let mut said = String::new();
    log.seek(SeekFrom::Start(before)).map_err(words)?;
    log.read_to_string(&mut said).map_err(words)?;
    Err(if said.is_empty() { format!("it ended at once: {ended}") } else { said.trim_end().to_owned() })
}

/// Refuses where the process whose number is in the file lives.
fn refuse_a_second(file: &Path) -> Result<(), String> {
    let Ok(text) = std::fs::read_to_string(file) else { return Ok(()) };
    let pid = text.trim().parse().ok().and_then(rustix::process::Pid::from_raw);
    match pid {
        Some(pid) if rustix::process::test_kill_process(pid).is_ok() => Err(format!(
            "{} says that process {} runs already; stop it first, or give another file",
            file.display(),
            text.trim()
        )),
        _ => Ok(()),
    }
}

impl Background {
    /// Writes the pid file and tells the first process `line`.
    ///
    /// # Errors
    /// Where the pid file cannot be written, with its name.
    pub fn ready(self, line: &str) -> io::Result<Settled> {
        if let Some(file) = &self.pid_file {
            std::fs::write(file, format!("{}\n", std::process::id())).map_err(|error| {
                io::Error::new(error.kind(), format!("cannot write {}: {error}", file.display()))
            })?;
        }
        // Who started us may have gone; that is no reason to stop.
        let _ = rustix::io::write(io::stdin().as_fd(), format!("{line}\n").as_bytes());
        Ok(Settled { pid_file: self.pid_file })
    }
}

impl Drop for Settled {
    fn drop(&mut self) {
        if let Some(file) = &self.pid_file {
            // The next start looks whether the process lives, so a file that stays does no harm.
            let _ = std::fs::remove_file(file);
        }
    }
}
