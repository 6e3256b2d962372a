//! Texts that are times, as what printing a time does not give back: the writing half of the tags `STAMPS` and `PRINTED`. Knows
//! nothing of other texts.

use sawlog_model::Kind;
use sawlog_model::time::{self, Layout};

use super::ahead::fetched;
use super::cursor::{put_bytes, put_signed, put_varint};
use super::encode::{Bodies, Flat, Input, encode_flat};
use super::{tag, tokens};

/// Writes texts that are times, but not those of their rows, as their differences to those.
pub(super) fn encode_stamps(input: &Input<'_>, out: &mut Bodies, tokens: &mut tokens::Tokens) -> bool {
    if !matches!(input.kind, Kind::Text | Kind::JsonText) || input.values.len() < 8 {
        return false;
    }
    let read =
        |value: &[u8]| time::read(value).filter(|stamp| stamp.len == value.len() && stamp.layout.0 != 0);
    let Some(layout) = input.values.iter().take(4).find_map(|value| read(value)).map(|stamp| stamp.layout)
    else {
        return false;
    };
    let mut zone = 0;
    let mut printing = Printing::default();
    let mut differences = Vec::with_capacity(input.values.len());
    let mut text = Vec::new();
    for (place, (value, row)) in input.values.iter().zip(input.rows).enumerate() {
        let own = input.times[*row as usize];
        let stamp = read(value).filter(|stamp| stamp.layout == layout);
        let wanted = stamp.as_ref().and_then(|stamp| stamp.zone).unwrap_or(0);
        let at = stamp.and_then(|stamp| stamp.time(0, own));
        text.clear();
        let prints = at.is_some_and(|at| layout.print(at, wanted, &mut text) && text == *value);
        let difference = at.filter(|_| prints).and_then(|at| at.checked_sub(own));
        differences.push(difference.unwrap_or(0));
        match difference {
            None => printing.exceptions.push((place, value)),
            Some(_) if wanted != zone => {
                zone = wanted;
                printing.zones.push((place, zone));
            }
            Some(_) => {}
        }
        if printing.exceptions.len() * 4 > place + 16 {
            return false;
        }
    }
    if printing.is_odd(input.values.len()) {
        return false;
    }
    out.head.extend_from_slice(&[0, tag::STAMPS, layout.0]);
    printing.put(&mut out.head);
    out.integers(&differences);
    tokens.add_times(input.values);
    printing.exceptions.iter().for_each(|(_, text)| tokens.add(text));
    true
}

/// In which zones times are printed, and what is not printed so.
#[derive(Default)]
struct Printing<'a> {
    zones: Vec<(usize, i32)>,
    exceptions: Vec<(usize, &'a [u8])>,
}

impl Printing<'_> {
    /// Whether printing is not worth it.
    fn is_odd(&self, values: usize) -> bool {
        (self.exceptions.len() + self.zones.len()) * 4 > values + 8
    }

    fn put(&self, head: &mut Vec<u8>) {
        put_varint(head, self.zones.len() as u64);
        let mut before = 0;
        for (place, zone) in &self.zones {
            put_varint(head, (place - before) as u64);
            put_signed(head, i64::from(*zone));
            before = *place;
        }
        put_varint(head, self.exceptions.len() as u64);
        before = 0;
        for (place, text) in &self.exceptions {
            put_varint(head, (place - before) as u64);
            put_bytes(head, text);
            before = *place;
        }
    }
}

/// Writes the texts of a time column: only those that printing the row's time does not give back, and where the zone in
/// which it is printed changes.
pub(super) fn encode_times(layout: u8, input: &Input<'_>, out: &mut Bodies, tokens: &mut tokens::Tokens) {
    let mut printed = Vec::new();
    let mut printing = Printing::default();
    let mut zone = 0;
    fetched(input.values).enumerate().for_each(|(place, value)| {
        let time = input.times[input.rows[place] as usize];
        printed.clear();
        if Layout(layout).print(time, zone, &mut printed) && printed == value {
            return;
        }
        match Layout(layout).find_zone(time, value) {
            Some(found) => {
                zone = found;
                printing.zones.push((place, zone));
            }
            None => printing.exceptions.push((place, value)),
        }
    });
    out.head.push(0);
    tokens.add_times(input.values);
    if printing.is_odd(input.values.len()) {
        encode_flat(input.values, Flat::Column, out, &mut tokens::Tokens::none());
        return;
    }
    out.head.extend_from_slice(&[tag::PRINTED, layout]);
    printing.put(&mut out.head);
}
