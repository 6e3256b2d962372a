//! Programs that a node starts, reads, and ends with itself. The simulation has none; knows nothing of what is printed.
#![expect(
    unsafe_code,
    reason = "what a child does between fork and exec is set by an unsafe call of the standard library"
)]

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

/// A program that was started; it leads a process group of its own.
pub struct Process {
    child: Child,
    output: io::PipeReader,
    ending: Ending,
}

/// Ends a program from another thread; cheap to clone.
#[derive(Clone, Default)]
pub struct Ending(Arc<Mutex<Option<Pid>>>);

impl Ending {
    /// Asks the program and all that it started to end (SIGTERM). Nothing where it has ended.
    pub fn ask(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends them (SIGKILL).
    pub fn force(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        // Its number cannot be another's: it is given back under this lock only.
        if let Some(group) = *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            // Where nobody is left in the group there is nobody to be told.
            let _ = rustix::process::kill_process_group(group, signal);
        }
    }
}

/// Starts a program: of one word by the shell, of several directly, the first being its name. What it prints is read with
/// [`Process::read`], its errors with it where `errors` says so, else they go where those of the node go. It reads nothing.
/// The calling thread must live as long as it: a program whose node was killed gets SIGTERM when that thread is gone.
///
/// # Errors
/// As the system says, with the program in the text.
pub fn start(words: &[String], errors: bool) -> io::Result<Process> {
    let mut command = match words {
        [line] => {
            let mut shell = Command::new("/bin/sh");
            shell.arg("-c").arg(line);
            shell
        }
        [name, rest @ ..] => {
            let mut command = Command::new(name);
            command.args(rest);
            command
        }
        [] => return Err(io::Error::new(io::ErrorKind::InvalidInput, "there is no command")),
    };
    let (output, writer) = io::pipe()?;
    if errors {
        command.stderr(writer.try_clone()?);
    }
    command.stdin(Stdio::null()).stdout(writer).process_group(0);
    // SAFETY: the closure makes one system call, allocates nothing and takes no lock.
    unsafe {
        command.pre_exec(|| {
            rustix::process::set_parent_process_death_signal(Some(Signal::TERM)).map_err(io::Error::from)
        });
    }
    let child = command.spawn();
    let child = child.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot start {}: {error}", words.join(" ")))
    })?;
    // The command holds the writing ends, and the output would never end.
    drop(command);
    let ending = Ending(Arc::new(Mutex::new(Pid::from_raw(child.id().cast_signed()))));
    Ok(Process { child, output, ending })
}

impl Process {
    /// What ends it from another thread.
    pub fn ending(&self) -> Ending {
        self.ending.clone()
    }

    /// Reads what it prints; 0 when nothing more will come.
    ///
    /// # Errors
    /// As the system says.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.output.read(buffer)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// As the system says.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        if let Some(pid) = Pid::from_raw(self.child.id().cast_signed()) {
            rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)?;
        }
        let mut pid = self.ending.0.lock().unwrap_or_else(PoisonError::into_inner);
        let status = self.child.wait();
        *pid = None;
        status
    }
}

/// A program that nobody waited for ends with it.
impl Drop for Process {
    fn drop(&mut self) {
        let runs = self.ending.0.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if runs {
            self.ending.force();
            // Nothing can be done where that fails: the system keeps its number until the node ends.
            let _ = self.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(mut process: Process) -> (String, bool) {
        let (mut text, mut buffer) = (Vec::new(), [0; 100]);
        loop {
            match process.read(&mut buffer).unwrap() {
                0 => break,
                len => text.extend_from_slice(&buffer[..len]),
            }
        }
        (String::from_utf8(text).unwrap(), process.wait().unwrap().success())
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn one_word_goes_to_the_shell_several_do_not() {
        assert_eq!(
            all(start(&words(&["echo a | cat; echo b >&2; exit 1"]), true).unwrap()),
            ("a\nb\n".to_owned(), false)
        );
        assert_eq!(
            all(start(&words(&["echo", "$HOME; rm x"]), false).unwrap()),
            ("$HOME; rm x\n".to_owned(), true)
        );
        assert!(start(&words(&["/nothing/here", "x"]), false).is_err());
        assert!(start(&[], false).is_err());
    }

    #[test]
    fn what_it_started_ends_with_it() {
        let process = start(&words(&["sleep 100 | sleep 100"]), false).unwrap();
        let ending = process.ending();
        ending.ask();
        assert_eq!(all(process), (String::new(), false));
        ending.force();
        let process = start(&words(&["sleep 100"]), false).unwrap();
        let pid = process.child.id().cast_signed();
        drop(process);
        assert!(rustix::process::test_kill_process(Pid::from_raw(pid).unwrap()).is_err(), "it is gone");
    }
}
