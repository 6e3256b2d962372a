//! Who is below whom: by span and parent where events have them, else by names and times. Whatever the events say, each is
//! given once.

use std::collections::{HashMap, HashSet};

use super::Event;

/// The events from the top down, those of one parent by their start, each with its depth.
pub(super) fn arrange(mut events: Vec<Event>) -> Vec<(usize, Event)> {
    let mut seen = HashSet::new();
    // A sender of old may deliver an event twice.
    events.retain(|event| event.span.as_ref().is_none_or(|span| seen.insert(span.clone())));
    // The outer one first where two start together.
    events
        .sort_by(|a, b| a.start.total_cmp(&b.start).then(b.end.total_cmp(&a.end)).then(a.kind.cmp(&b.kind)));
    let mut below: Vec<Vec<usize>> = vec![Vec::new(); events.len()];
    let mut tops = Vec::new();
    for (index, parent) in parents(&events).into_iter().enumerate() {
        match parent {
            Some(parent) => below[parent].push(index),
            None => tops.push(index),
        }
    }
    let mut order = Vec::with_capacity(events.len());
    let mut placed = vec![false; events.len()];
    // Those that name each other as parents are below no top; they come last.
    for top in tops.into_iter().chain(0..events.len()) {
        let mut rest = vec![(0, top)];
        while let Some((depth, index)) = rest.pop() {
            if std::mem::replace(&mut placed[index], true) {
                continue;
            }
            order.push((depth, index));
            rest.extend(below[index].iter().rev().map(|below| (depth + 1, *below)));
        }
    }
    let mut events: Vec<Option<Event>> = events.into_iter().map(Some).collect();
    order.into_iter().filter_map(|(depth, index)| Some((depth, events[index].take()?))).collect()
}

/// The place of each event's parent; `events` stand by their start.
fn parents(events: &[Event]) -> Vec<Option<usize>> {
    let spans: HashMap<&str, usize> = events
        .iter()
        .enumerate()
        .filter_map(|(index, event)| Some((event.span.as_deref()?, index)))
        .collect();
    let mut names: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, event) in events.iter().enumerate() {
        names.entry(&event.kind).or_default().push(index);
    }
    let parent = |(index, event): (usize, &Event)| match (&event.span, &event.parent) {
        (_, Some(parent)) => {
            let found = spans.get(parent.as_str()).copied().filter(|found| *found != index);
            // Sampling may have left the parent out, or it is not over yet.
            found.or_else(|| by_name(events, &names, event))
        }
        (Some(_), None) => None,
        (None, None) => by_name(events, &names, event),
    };
    events.iter().enumerate().map(parent).collect()
}

/// The event with the longest name that is the beginning of this one's, by whole parts; of several the last that began
/// before, so that one of two requests under one id gets what is its.
fn by_name(events: &[Event], names: &HashMap<&str, Vec<usize>>, event: &Event) -> Option<usize> {
    let mut name = event.kind.as_str();
    while let Some((shorter, _)) = name.rsplit_once('.') {
        name = shorter;
        if let Some(same) = names.get(name) {
            let before = same.partition_point(|other| events[*other].start <= event.start);
            return Some(same[before.saturating_sub(1)]);
        }
    }
    None
}
