//! Memory that many connections share. Knows nothing of what is in it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Bytes that one permit stands for.
const UNIT: usize = 1024;

/// How long a connection waits for memory before it is given up; its sender has no answer and sends again.
const WAIT: Duration = Duration::from_secs(30);

/// A number of bytes for all connections of an input. Who waits for more while all others wait too would wait for ever,
/// so one of them at a time may go beyond it: its message is bounded by itself.
#[derive(Clone, Debug)]
pub struct Budget {
    free: Arc<Semaphore>,
    beyond: Arc<Semaphore>,
}

/// No memory for a while: too many large messages at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many large messages at once")]
pub struct Busy;

impl Budget {
    /// A budget of `bytes`.
    pub fn new(bytes: usize) -> Self {
        let units = (bytes / UNIT).clamp(1, Semaphore::MAX_PERMITS);
        Budget { free: Arc::new(Semaphore::new(units)), beyond: Arc::new(Semaphore::new(1)) }
    }

    /// Nothing yet, to be charged.
    pub fn charge(&self) -> Charge {
        Charge { budget: self.clone(), held: None, beyond: None }
    }
}

/// What one connection or message has of a budget; it is given back when dropped.
#[derive(Debug)]
pub struct Charge {
    budget: Budget,
    held: Option<OwnedSemaphorePermit>,
    beyond: Option<OwnedSemaphorePermit>,
}

impl Charge {
    fn units(&self) -> usize {
        self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }

    /// Makes it `bytes`, waiting where there is not so much.
    ///
    /// # Errors
    /// [`Busy`] where it has waited in vain.
    pub async fn set(&mut self, bytes: usize) -> Result<(), Busy> {
        let (have, want) = (self.units(), bytes.div_ceil(UNIT));
        if want <= have {
            let surplus = self.held.as_mut().and_then(|held| held.split(have - want));
            drop(surplus);
            return Ok(());
        }
        if self.beyond.is_some() {
            return Ok(());
        }
        let more = u32::try_from(want - have).unwrap_or(u32::MAX);
        let (free, beyond) = (self.budget.free.clone(), self.budget.beyond.clone());
        let permit = async {
            tokio::select! {
                biased;
                permit = free.acquire_many_owned(more) => permit.map(|permit| (permit, false)),
                permit = beyond.acquire_owned() => permit.map(|permit| (permit, true)),
            }
        };
        let (permit, beyond) = timeout(WAIT, permit).await.map_err(|_| Busy)?.map_err(|_| Busy)?;
        match (&mut self.held, beyond) {
            (_, true) => self.beyond = Some(permit),
            (Some(held), false) => held.merge(permit),
            (held @ None, false) => *held = Some(permit),
        }
        Ok(())
    }

    /// Takes all of it out, and leaves nothing.
    pub fn take(&mut self) -> Charge {
        Charge { budget: self.budget.clone(), held: self.held.take(), beyond: self.beyond.take() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_may_go_beyond_and_the_next_waits() {
        let budget = Budget::new(10 * UNIT);
        let (mut a, mut b, mut c) = (budget.charge(), budget.charge(), budget.charge());
        a.set(6 * UNIT).await.unwrap();
        b.set(100 * UNIT).await.unwrap();
        let waiting = tokio::spawn(async move { c.set(5 * UNIT).await.map(|()| c) });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        a.set(UNIT).await.unwrap();
        let c = waiting.await.unwrap().unwrap();
        assert_eq!((a.units(), b.units(), c.units()), (1, 0, 5));
        drop((a, b, c));
        assert_eq!((budget.free.available_permits(), budget.beyond.available_permits()), (10, 1));
    }

    #[tokio::test]
    async fn what_is_taken_goes_along() {
        let budget = Budget::new(10 * UNIT);
        let mut a = budget.charge();
        a.set(3 * UNIT).await.unwrap();
        let taken = a.take();
        a.set(2 * UNIT).await.unwrap();
        assert_eq!((taken.units(), a.units()), (3, 2));
        drop(taken);
        assert_eq!(budget.free.available_permits(), 8);
    }
}
