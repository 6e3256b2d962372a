//! Work of an input that calls a server by itself: it is begun again when its connection ends, and ended with the node. Knows
//! nothing of protocols.

use std::future::Future;
use std::sync::mpsc;
use std::time::Duration;

use sawlog_pipeline::{Intake, Running};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::door::Fault;

/// How long an input may take to end once the node stops.
const ENDING: Duration = Duration::from_secs(10);

/// Shortest wait before a session is begun again.
pub const SHORTEST: Duration = Duration::from_millis(100);

/// Tells work when to stop.
pub type Stopped = watch::Receiver<bool>;

/// What is done over one connection after the other.
pub trait Sessions: Send + 'static {
    /// One connection, until the node stops. `worked` becomes true when something can come.
    ///
    /// # Errors
    /// Why it ended before.
    fn session(&mut self, worked: &mut bool) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Where faults are counted.
    fn intake(&self) -> &Intake;
}

/// Tasks of an input.
pub struct Workers {
    runtime: Handle,
    stop: watch::Sender<bool>,
    alive: mpsc::Sender<()>,
    ended: mpsc::Receiver<()>,
}

impl Workers {
    /// None yet.
    pub fn new(runtime: &Handle) -> Workers {
        let (stop, _) = watch::channel(false);
        let (alive, ended) = mpsc::channel();
        Workers { runtime: runtime.clone(), stop, alive, ended }
    }

    /// What tells a task to stop.
    pub fn stopped(&self) -> Stopped {
        self.stop.subscribe()
    }

    /// Begins sessions again and again until the node stops; the wait in between grows up to `longest` while none works.
    pub fn start(&self, mut sessions: impl Sessions, longest: Duration) {
        let (alive, mut stop) = (self.alive.clone(), self.stopped());
        self.runtime.spawn(async move {
            let mut wait = SHORTEST;
            loop {
                let mut worked = false;
                let Err(Fault(reason, words)) = sessions.session(&mut worked).await else { break };
                sessions.intake().count_error(reason, &words);
                wait = if worked { SHORTEST } else { (wait * 2).min(longest) };
                if tokio::time::timeout(wait, stop.wait_for(|stop| *stop)).await.is_ok() {
                    break;
                }
            }
            drop(sessions);
            drop(alive);
        });
    }

    /// They run.
    pub fn running(self) -> Running {
        let Workers { stop, alive, ended, .. } = self;
        drop(alive);
        let join = move || {
            stop.send_replace(true);
            // Nobody sends: the channel closes when the last task has ended.
            let _ = ended.recv_timeout(ENDING);
        };
        Running { address: None, join: Box::new(join) }
    }
}
