//! Other programs, started by the shell. Knows nothing of what they are for.

use std::io;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With status 0.
    Well,
    /// With another status, or by a signal.
    Badly(Option<i32>),
    /// It was ended since it took too long.
    TooLate,
}

/// Runs a line of the shell and waits for its end, up to `time`. It reads nothing; what it prints goes where this process's
/// errors go.
///
/// # Errors
/// As the system says.
pub fn run(line: &str, time: Duration) -> io::Result<Ended> {
    let errors = || Stdio::from(io::stderr());
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(line).stdin(Stdio::null()).stdout(errors()).stderr(errors());
    let mut child = command.spawn()?;
    if ends_within(&child, time)? {
        return child.wait().map(ended);
    }
    child.kill()?;
    child.wait()?;
    Ok(Ended::TooLate)
}

fn ended(status: ExitStatus) -> Ended {
    if status.success() { Ended::Well } else { Ended::Badly(status.code()) }
}

fn ends_within(child: &Child, time: Duration) -> io::Result<bool> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::NotFound)?;
    let handle = pidfd_open(pid, PidfdFlags::empty())?;
    let time = Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(time.subsec_nanos()),
    };
    let ready = poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&time))?;
    Ok(ready > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_program_is_told() {
        let run = |line: &str| run(line, Duration::from_secs(10)).expect("it runs");
        assert_eq!(run("exit 0"), Ended::Well);
        assert_eq!(run("exit 3"), Ended::Badly(Some(3)));
        assert_eq!(run("kill -9 $$"), Ended::Badly(None));
        let late = super::run("exec sleep 60", Duration::from_millis(20)).expect("it runs");
        assert_eq!(late, Ended::TooLate);
    }
}
