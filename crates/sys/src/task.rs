//! Threads and waiting.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A running thread; [`Thread::join`] waits for its end.
pub struct Thread<T>(std::thread::JoinHandle<T>);

impl<T> Thread<T> {
    /// Waits for the end and gives the result; `None` where the thread panicked.
    pub fn join(self) -> Option<T> {
        self.0.join().ok()
    }

    /// Whether it has ended.
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

/// Lets all threads share one heap from here on; to be called before the first is started. The C library otherwise gives
/// each thread one of its own, and what is freed in one is not there for the others: a process that passes data from
/// thread to thread holds half as much again.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "nothing safe sets this")]
pub fn share_one_heap() {
    // SAFETY: it sets a number of the allocator, which is made for being called so.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
}

/// Other C libraries have one heap.
#[cfg(not(target_env = "gnu"))]
pub fn share_one_heap() {}

/// Lets the process keep memory that it gives up, for what it needs next: to be called where it will soon end anyway, or
/// where [`give_memory_back`] follows. A page that is given back and asked for again costs more than what is then written
/// to it.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "nothing safe sets this")]
pub fn keep_memory() {
    // SAFETY: they set numbers of the allocator, which is made for being called so.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 32 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TOP_PAD, 4 << 20);
    }
}

/// Other C libraries have no such numbers.
#[cfg(not(target_env = "gnu"))]
pub fn keep_memory() {}

/// Gives the system the memory that is free: after work that took much and is done. The C library otherwise keeps what lies below
/// something that is still in use.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "nothing safe does this")]
pub fn give_memory_back() {
    // SAFETY: it looks at what is free, under the allocator's own locks.
    unsafe { libc::malloc_trim(0) };
}

/// Other C libraries give it back by themselves.
#[cfg(not(target_env = "gnu"))]
pub fn give_memory_back() {}

/// Starts a named thread.
///
/// # Errors
/// As the system says.
#[expect(clippy::disallowed_methods, reason = "this is the door")]
pub fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<Thread<T>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map(Thread)
}

/// As [`spawn`], with so many bytes of stack: for work that goes deep by recursion, such as planning what others wrote.
///
/// # Errors
/// As the system says.
#[expect(clippy::disallowed_methods, reason = "this is the door")]
pub fn spawn_with_stack<T: Send + 'static>(
    name: &str,
    stack: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<Thread<T>> {
    std::thread::Builder::new().name(name.to_owned()).stack_size(stack).spawn(work).map(Thread)
}

/// How many threads this machine runs at once.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Runs all jobs at once, the first one on this thread; gives their results in order, `None` for one that panicked.
///
/// # Errors
/// Where the system gives no more threads: then none has run but those before.
pub fn together<T: Send>(name: &str, jobs: Vec<impl FnOnce() -> T + Send>) -> io::Result<Vec<Option<T>>> {
    let mut jobs = jobs.into_iter();
    let Some(own) = jobs.next() else { return Ok(Vec::new()) };
    std::thread::scope(|scope| {
        let spawn = |job| std::thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, job);
        let others = jobs.map(spawn).collect::<io::Result<Vec<_>>>()?;
        let own = own();
        Ok(std::iter::once(Some(own)).chain(others.into_iter().map(|other| other.join().ok())).collect())
    })
}

/// Waits.
#[expect(clippy::disallowed_methods, reason = "this is the door")]
pub fn sleep(time: Duration) {
    std::thread::sleep(time);
}

/// A request to stop, shared by those who ask and those who do.
#[derive(Clone, Default, Debug)]
pub struct Stop(Arc<(Mutex<bool>, Condvar)>);

impl Stop {
    /// Asks.
    pub fn request(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }

    /// Whether somebody asked.
    pub fn requested(&self) -> bool {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until somebody asks, but not longer than `time`; whether somebody asked.
    pub fn wait(&self, time: Duration) -> bool {
        let asked = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (asked, _) =
            self.0.1.wait_timeout_while(asked, time, |asked| !*asked).unwrap_or_else(PoisonError::into_inner);
        *asked
    }
}

/// A tokio runtime whose threads bear `name`.
///
/// # Errors
/// As the system says.
pub fn runtime(name: &str, threads: usize) -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads).thread_name(name).enable_all().build()
}

/// How far threads stand behind others of their process.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Behind {
    /// Steps of niceness, of 19.
    pub steps: i32,
    /// Whether all of them share one of the processors, so that the others are never busy with them.
    pub on_one: bool,
}

/// As [`runtime`], with threads that leave the processor to others of this process. Those that do its blocking work are such, too.
///
/// # Errors
/// As the system says.
pub fn runtime_behind(name: &str, threads: usize, behind: Behind) -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name(name)
        .on_thread_start(move || step_behind(behind))
        .enable_all()
        .build()
}

/// Puts the thread that calls it behind others; where the system does not let it, it stays as it is.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "nothing safe sets this")]
pub fn step_behind(behind: Behind) {
    // SAFETY: it takes numbers only; 0 is the thread itself, whose niceness is its own on this system.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, behind.steps) };
    if !behind.on_one {
        return;
    }
    // SAFETY: a set of processors is plain bits, for which zero is the empty set; both calls get its size, 0 is the thread itself,
    // and numbers of processors stay below that of the set.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) == 0
            && let Some(last) = (0..libc::CPU_SETSIZE as usize).rev().find(|one| libc::CPU_ISSET(*one, &set))
        {
            libc::CPU_ZERO(&mut set);
            libc::CPU_SET(last, &mut set);
            libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
        }
    }
}

/// Elsewhere niceness is the whole process's.
#[cfg(not(target_os = "linux"))]
pub fn step_behind(_behind: Behind) {}

/// What a process can be asked by a signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// To end: SIGINT (Ctrl-C) or SIGTERM.
    End,
    /// To read its configuration again: SIGHUP.
    Reload,
}

/// The signals that a process gets from the making of this on.
pub struct Signals {
    hangups: Option<tokio::signal::unix::Signal>,
}

impl Signals {
    /// Listens for them; to be called in a runtime.
    pub fn listen() -> Self {
        Signals { hangups: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok() }
    }

    /// The next one.
    pub async fn next(&mut self) -> Asked {
        let reload = async {
            match &mut self.hangups {
                Some(hangups) => drop(hangups.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = asked_to_end() => Asked::End,
            () = reload => Asked::Reload,
        }
    }
}

/// Asks this process itself, by the same signal that anybody else would.
///
/// # Errors
/// As the system says.
pub fn ask(what: Asked) -> io::Result<()> {
    let signal = match what {
        Asked::End => rustix::process::Signal::TERM,
        Asked::Reload => rustix::process::Signal::HUP,
    };
    Ok(rustix::process::kill_process(rustix::process::getpid(), signal)?)
}

/// Resolves when the process is asked to end: SIGINT (Ctrl-C) or SIGTERM.
pub async fn asked_to_end() {
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = terminate => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
