//! Letting another graph hold while rows flow. It is the writer that changes it, between two frames, so that every frame goes
//! by one graph for all outputs. Knows nothing of configurations.

use std::io;
use std::sync::{Arc, PoisonError, mpsc};

use sawlog_journal::JournalError;
use sawlog_sys::task;

use crate::core::{Core, Job};
use crate::graph::Graph;
use crate::lane::{Lane, Shared};
use crate::{DeliveryError, lock};

pub(crate) fn reload(core: &Core, graph: Arc<Graph>) -> Result<(), DeliveryError> {
    // What goes straight now would be taken by an output that may be gone when it is journaled.
    let _closed = core.straight.close();
    let (tell, told) = mpsc::sync_channel(1);
    let done = Box::new(move |result| {
        // Nobody is there to be told only where the waiting thread has died.
        let _ = tell.send(result);
    });
    core.enqueue(Job::Reload { graph, done });
    told.recv().unwrap_or(Err(DeliveryError::Stopping))
}

impl Core {
    /// Starts the thread of a lane.
    pub(crate) fn start_lane(&self, lane: &Arc<Lane>) -> io::Result<()> {
        let (name, lane) = (format!("to {}", lane.name), lane.clone());
        let thread = task::spawn(&name, move || lane.run())?;
        let mut threads = lock(&self.threads);
        threads.retain(|thread| !thread.is_finished());
        threads.push(thread);
        Ok(())
    }

    /// Lets `graph` hold for all frames from the end of the journal on. Only the writer may do that.
    pub(crate) fn change_graph(&self, graph: Arc<Graph>) -> Result<(), JournalError> {
        let from = self.journal.end();
        let shared = Shared {
            sys: &self.sys,
            journal: &self.journal,
            graphs: &self.graphs,
            queue_bytes: self.options.queue_bytes,
            dead: self.options.dead.as_ref(),
        };
        let old = self.lanes();
        let (mut lanes, mut fresh) = (Vec::new(), Vec::new());
        for part in graph.outputs() {
            // One of that name that was taken out and has not ended yet is waited for, too.
            match old.iter().find(|lane| lane.name == part.name) {
                Some(lane) if Arc::ptr_eq(&lane.output, &part.output) && !lane.is_retired() => {
                    lane.set_queue(part);
                    lanes.push(lane.clone());
                    continue;
                }
                Some(lane) => fresh.push(Arc::new(Lane::successor(part, &shared, lane, from))),
                None => fresh.push(Arc::new(Lane::new(part, &shared, from, from))),
            }
        }
        let cursors: Vec<_> = fresh.iter().map(|lane| (lane, lane.cursor())).collect();
        if !cursors.is_empty() {
            self.append_saved(Vec::new(), &cursors, Vec::new(), Vec::new())?;
        }
        lanes.extend(fresh.iter().cloned());
        for lane in old.iter().filter(|lane| !graph.outputs().iter().any(|part| part.name == lane.name)) {
            lane.pass(from);
            if !lane.is_retired() {
                lane.retire();
            }
            lanes.push(lane.clone());
        }
        self.graphs.change(from, graph);
        *self.lanes.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(lanes);
        for lane in &fresh {
            if let Err(error) = self.start_lane(lane) {
                // The lane stays, so that nothing of it is lost; a restart of the node starts it.
                self.own.error("thread", &error.to_string());
            }
        }
        Ok(())
    }

    /// Takes lanes away whose output was taken out and which have ended.
    pub(crate) fn reap(&self) {
        let lanes = self.lanes();
        if !lanes.iter().any(|lane| lane.is_retired()) {
            return;
        }
        let (ended, left): (Vec<_>, Vec<_>) =
            lanes.iter().cloned().partition(|lane| lane.is_retired() && lane.has_ended());
        for lane in &ended {
            let mut known = lock(&self.known);
            for source in lane.output.known_sources() {
                known.learn(&source.source, &source.position, None);
            }
            drop(known);
            if lane.undelivered() > 0 {
                let (name, bytes) = (&lane.name, lane.undelivered());
                (self.options.tell)(&format!(
                    "the output {name} was taken out of the configuration; {bytes} bytes of the journal were not delivered"
                ));
            }
        }
        if !ended.is_empty() {
            *self.lanes.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(left);
        }
    }
}
