//! Dead letters on their way again: their rows go by filters and routing as if they had just come, but only to the output that
//! did not get them. Each group of letters is one message under a key, so that a crash at any point neither loses nor doubles
//! it. Knows nothing of who asks for it.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use sawlog_model::{Batch, Source, SourceFacts, SourceId};
use sawlog_sys::task;

use super::{Change, DeadLetters, Letter, Which};
use crate::config::Overflow;
use crate::core::{Core, Job};
use crate::count::Counters;
use crate::payload::Item;
use crate::{DeliveryError, lock};

/// Most letters of one message.
const GROUP: usize = 1024;

/// How often is looked whether a full queue has room again.
const FULL_RETRY: Duration = Duration::from_millis(20);

/// Tells the sources of replayed rows apart from their first ones.
const APART: u128 = 0x5d3a_91c7_0f6e_42b8_a4d1_37e9_68cb_205f;

/// What became of letters that were to be replayed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Letters that are in the journal again, on their way.
    pub letters: u64,
    /// Their rows.
    pub rows: u64,
    /// In sentences, why letters were left.
    pub left: Vec<String>,
}

/// Replays letters; returns when all of them stand in the journal.
pub(crate) fn replay(core: &Core, which: &Which) -> Result<Replayed, DeliveryError> {
    let Some(dead) = &core.options.dead else { return Ok(Replayed::default()) };
    let _alone = lock(&dead.inner.changing);
    let mut outcome = Replayed::default();
    let (mut group, mut bytes) = (Vec::new(), 0);
    for letter in dead.letters(dead.numbers(which)) {
        let letter = letter?;
        if let Err(why) = can_go(core, &letter) {
            if !outcome.left.contains(&why) {
                outcome.left.push(why);
            }
            continue;
        }
        bytes += letter.batch.weight();
        group.push(letter);
        if group.len() == GROUP || bytes >= core.options.frame_bytes {
            send(core, dead, std::mem::take(&mut group), &mut outcome)?;
            bytes = 0;
        }
    }
    send(core, dead, group, &mut outcome)?;
    Ok(outcome)
}

/// Finishes what an earlier run of the node had begun, or was asked for when none ran: messages whose keys the journal knows
/// were sent; the letters of the others are given back.
pub(crate) fn resume(core: &Core) -> Result<Vec<u64>, DeliveryError> {
    let Some(dead) = &core.options.dead else { return Ok(Vec::new()) };
    let groups = dead.state().groups.clone();
    let mut again = Vec::new();
    for (key, numbers) in groups {
        if lock(&core.seen).has(key) {
            dead.change(Change::Replayed { key })?;
        } else {
            dead.change(Change::Left { key })?;
            again.extend(numbers);
        }
    }
    again.sort_unstable();
    Ok(again)
}

/// Whether rows like those of the letter come to its output as things are.
fn can_go(core: &Core, letter: &Letter) -> Result<(), String> {
    let (graph, output) = (core.graphs.current(), &letter.output);
    if !graph.outputs().iter().any(|part| part.name == *output) {
        return Err(format!("there is no output {output} any more; its letters were left"));
    }
    if graph.route(&letter.label, &letter.batch).reaches(output) {
        return Ok(());
    }
    let tag = crate::tag_of(&letter.batch);
    Err(format!("rows with the tag `{tag}` no longer go to the output {output}; their letters were left"))
}

/// Journals a group as one message.
fn send(
    core: &Core,
    dead: &DeadLetters,
    group: Vec<Letter>,
    outcome: &mut Replayed,
) -> Result<(), DeliveryError> {
    if group.is_empty() {
        return Ok(());
    }
    let key = dead.inner.sys.random.id();
    let numbers = group.iter().map(|letter| letter.number).collect();
    let mut items: Vec<Item> = group.into_iter().map(item).collect();
    items[0].key = Some(key);
    wait_for_room(core, &items)?;
    dead.change(Change::Replay { key, numbers })?;
    let counters = counters(core);
    items.iter().for_each(|item| counters.passed(&item.batch));
    match submit(core, items) {
        Ok(()) => {}
        // It may stand in the journal all the same: the next start looks whether it does.
        Err(error @ DeliveryError::Journal(_)) => return Err(error),
        Err(error) => {
            dead.change(Change::Left { key })?;
            return Err(error);
        }
    }
    let (letters, rows) = dead.change(Change::Replayed { key })?;
    outcome.letters += letters;
    outcome.rows += rows;
    Ok(())
}

fn submit(core: &Core, items: Vec<Item>) -> Result<(), DeliveryError> {
    let (tell, told) = mpsc::sync_channel(1);
    let done = Box::new(move |result| {
        // Nobody is there to be told only where the waiting thread has died.
        let _ = tell.send(result);
    });
    core.enqueue(Job::Rows { items, notes: Vec::new(), taken: false, done });
    told.recv().unwrap_or(Err(DeliveryError::Stopping))
}

fn wait_for_room(core: &Core, items: &[Item]) -> Result<(), DeliveryError> {
    loop {
        match core.overflow(items) {
            _ if lock(&core.inbox).closed => return Err(DeliveryError::Stopping),
            None => return Ok(()),
            Some((name, Overflow::Refuse)) => {
                return Err(DeliveryError::Output(format!("the queue of the output {name} is full")));
            }
            Some(_) => task::sleep(FULL_RETRY),
        }
    }
}

fn counters(core: &Core) -> Arc<Counters> {
    core.input("dead letters")
}

/// The rows as they go again. Their old addresses may lie below what outputs have long passed, so that they get new ones, of
/// a source that has the names of the first.
fn item(letter: Letter) -> Item {
    let mut batch: Batch = Arc::unwrap_or_clone(letter.batch);
    if !letter.again {
        let facts = SourceFacts {
            name: batch.source.facts.name.clone(),
            path: batch.source.facts.path.clone(),
            ..SourceFacts::default()
        };
        let id = SourceId(batch.source.id.0.rotate_left(1) ^ APART);
        batch.source = Arc::new(Source { id, facts });
        batch.epoch = 0;
    }
    let (label, only) = (letter.label, Some(letter.output));
    Item { batch: Arc::new(batch), position: None, late: None, label, key: None, only, encoded: None }
}
