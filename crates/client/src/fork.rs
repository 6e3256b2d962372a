//! Notices that this process is the fork of another. Knows nothing of what that means for whom.

use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

/// Forks between the process that began to watch and this one.
static FORKS: AtomicU64 = AtomicU64::new(0);
static WATCH: Once = Once::new();

/// The count of forks that led to this process; each has another than its parent.
pub(crate) fn count() -> u64 {
    FORKS.load(Ordering::Relaxed)
}

/// Counts forks from now on. To ask for the id of the process at each event would cost more than the event.
pub(crate) fn watch() {
    WATCH.call_once(|| {
        #[cfg(unix)]
        {
            extern "C" fn forked() {
                FORKS.fetch_add(1, Ordering::Relaxed);
            }
            #[expect(unsafe_code, reason = "nothing safe tells of a fork")]
            // SAFETY: the function lives as long as the program and does nothing that a signal handler may not do. The
            // call fails only for want of memory; forks go unnoticed then.
            let _ = unsafe { libc::pthread_atfork(None, None, Some(forked)) };
        }
    });
}
