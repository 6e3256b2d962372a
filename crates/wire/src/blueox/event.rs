//! Events as BlueOx sends them: a frame META (end, host and type, at fixed places) and a frame DATA (a map in msgpack). Read
//! into rows here, and made from rows of any kind. Knows nothing of ports.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use sawlog_model::value::{Line, Slots};
use sawlog_model::{Context, Limits, Marks, Names, Nanos, RowRef, SECOND, Slot, Value};

use crate::shared::formatter::blueox as formatter;
use crate::shared::gather::{Gather, NewRow, Place};
use crate::shared::msgpack::{self, Item, Measured, Reader, measure};
use crate::shared::sources::Sources;
use crate::shared::zmtp::Message;

/// The only version of META that ever was.
const VERSION: u8 = 3;
/// Bytes of META, and of a name in it with its length.
const META: usize = 137;
const NAME: usize = 64;
/// Longest type or host that is kept in memory, bytes.
const NAME_MOST: usize = 1_024;
/// Types and hosts that are remembered.
const PLACES: usize = 10_000;

/// Why a message is no event: a fixed word for counters, and words.
pub type Bad = (&'static str, String);

/// An event as it came.
pub struct Incoming<'a> {
    /// The map, in msgpack.
    pub data: &'a Bytes,
    measured: Measured,
    /// Its type; that of META where DATA has none.
    pub kind: String,
    /// Its host; likewise.
    pub host: String,
    /// When it ended; `None` where that is no time.
    pub end: Option<Nanos>,
}

/// Reads a message.
///
/// # Errors
/// [`Bad`]: it is left out.
pub fn read<'a>(message: &'a Message, limits: &Limits) -> Result<Incoming<'a>, Bad> {
    let [meta, data] = message.frames.as_slice() else {
        return Err(("frames", format!("{} frames where an event has 2", message.count)));
    };
    match meta.first() {
        Some(&VERSION) if meta.len() == META => {}
        Some(&VERSION) => return Err(("meta", format!("META of {} bytes where it has {META}", meta.len()))),
        other => return Err(("version", format!("an event of version {other:?}; only {VERSION} is known"))),
    }
    let measured = measure(data, limits).map_err(|error| ("data", error.to_string()))?;
    if measured.len != data.len() {
        return Err(("data", format!("{} bytes behind the event", data.len() - measured.len)));
    }
    let said = Said::read(data, limits).ok_or_else(|| ("not_a_map", "DATA is no map".to_owned()))?;
    let of_meta = |at: usize| name(&meta[at..at + NAME]);
    let end = said.end.unwrap_or_else(|| {
        let bytes = meta[1..9].try_into().unwrap_or_default();
        f64::from_be_bytes(bytes)
    });
    Ok(Incoming {
        data,
        measured,
        kind: said.kind.or_else(|| of_meta(9 + NAME)).unwrap_or_else(|| "blueox".to_owned()),
        host: said.host.or_else(|| of_meta(9)).unwrap_or_default(),
        end: nanos(end),
    })
}

/// A name of META: a length and so many bytes.
fn name(field: &[u8]) -> Option<String> {
    let (len, rest) = field.split_first()?;
    let name = &rest[..usize::from(*len).min(rest.len())];
    text(name)
}

fn text(bytes: &[u8]) -> Option<String> {
    let fits = !bytes.is_empty() && bytes.len() <= NAME_MOST;
    fits.then(|| String::from_utf8_lossy(bytes).into_owned())
}

/// What DATA says of what META says, too.
#[derive(Default)]
struct Said {
    kind: Option<String>,
    host: Option<String>,
    end: Option<f64>,
}

impl Said {
    /// Of a map that was measured; `None` where it is none.
    fn read(data: &[u8], limits: &Limits) -> Option<Said> {
        let mut reader = Reader::new(data);
        let Item::Map(count) = reader.item().ok()? else { return None };
        let mut said = Said::default();
        for _ in 0..count {
            let len = measure(reader.rest(), limits).ok()?.len;
            let key = Reader::new(reader.take(len)).item().ok()?;
            let len = measure(reader.rest(), limits).ok()?.len;
            let value = Reader::new(reader.take(len)).item().ok()?;
            match (key, value) {
                (Item::Str(b"type") | Item::Bin(b"type"), Item::Str(name) | Item::Bin(name)) => {
                    said.kind = text(name)
                }
                (Item::Str(b"host") | Item::Bin(b"host"), Item::Str(name) | Item::Bin(name)) => {
                    said.host = text(name)
                }
                (Item::Str(b"end") | Item::Bin(b"end"), Item::F64(end)) => said.end = Some(end),
                (Item::Str(b"end") | Item::Bin(b"end"), Item::Int(end)) => said.end = Some(end as f64),
                _ => {}
            }
        }
        Some(said)
    }
}

/// Nanoseconds of seconds, by the decimals that they are written with: a float of today's seconds holds no more than
/// microseconds, and what is beyond would be an accident of its binary form.
fn nanos(seconds: f64) -> Option<Nanos> {
    if !seconds.is_finite() || seconds.abs() >= 9e9 {
        return None;
    }
    let text = format!("{}", seconds.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut nanos = whole.parse::<i64>().ok()?.checked_mul(SECOND)?;
    let mut unit = SECOND / 10;
    for digit in fraction.bytes().take(9) {
        nanos += i64::from(digit - b'0') * unit;
        unit /= 10;
    }
    Some(if seconds < 0.0 { -nanos } else { nanos })
}

/// Makes rows of events. Each type of each host is a source of its own.
pub struct Events {
    sources: Sources,
    limits: Limits,
    names: Arc<Names>,
    line: Vec<u8>,
    slots: Vec<Slot>,
    places: HashMap<(String, String), Place>,
}

impl Events {
    /// One without names yet.
    pub fn new(sources: Sources, limits: Limits) -> Self {
        let (names, line, slots, places) = Default::default();
        Events { sources, limits, names, line, slots, places }
    }

    /// Adds an event that came at `received`.
    ///
    /// # Errors
    /// [`Bad`]: it is left out.
    pub fn push(
        &mut self,
        event: &Incoming<'_>,
        added: &[(String, String)],
        received: Nanos,
        gather: &mut Gather,
    ) -> Result<(), Bad> {
        self.line.clear();
        self.slots.clear();
        let slots = Slots::new("", &self.limits, &mut self.names, &mut self.slots);
        msgpack::line(event.data, &event.measured, &mut Line::with_slots(slots, &mut self.line))
            .map_err(|error| ("data", error.to_string()))?;
        self.line.push(b'\n');
        let mut fields = Vec::new();
        for (name, value) in added {
            fields.push((Arc::make_mut(&mut self.names).intern(name), value.as_str()));
        }
        let place = self.place(event);
        let marks = Marks::MAP.with(Marks::JSON);
        let (raw, slots, time) = (&self.line, &self.slots, event.end);
        gather.push(&place, NewRow { raw, made: &[], slots, time, received, marks, added: &fields });
        gather.names = self.names.clone();
        Ok(())
    }

    fn place(&mut self, event: &Incoming<'_>) -> Place {
        let key = (event.kind.clone(), event.host.clone());
        if let Some(place) = self.places.get(&key) {
            return place.clone();
        }
        if self.places.len() >= PLACES {
            self.places.clear();
        }
        let (kind, host) = (&event.kind, &event.host);
        let context = Arc::new(Context::new([("_tag", kind.as_str()), ("_host", host.as_str())]));
        let source = self.sources.get(&format!("blueox:{kind}@{host}"));
        let place = Place { source, context };
        self.places.insert(key, place.clone());
        place
    }
}

/// An event as it goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its type.
    pub kind: String,
    /// META.
    pub meta: Vec<u8>,
    /// DATA.
    pub data: Vec<u8>,
}

/// A row as an event: the map that it came as where that is an event; else one of the row's tag, time and host whose body is
/// its record.
pub fn from_row(row: RowRef<'_>, limits: &Limits) -> Outgoing {
    let event = formatter::event(row, limits);
    let text = |name: &str| match formatter::find(&event, name) {
        Some(Value::Str(text)) => text.clone(),
        Some(Value::Bin(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    };
    let (kind, host) = (text("type"), text("host"));
    let end = match formatter::find(&event, "end") {
        Some(Value::Float(end)) => *end,
        Some(Value::Int(end)) => *end as f64,
        _ => row.row().time as f64 / 1e9,
    };
    let mut data = Vec::new();
    msgpack::write_old(&Value::Map(event), &mut data);
    Outgoing { meta: meta(end, &host, &kind), kind, data }
}

/// META; names are cut to what it has room for.
pub fn meta(end: f64, host: &str, kind: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(META);
    out.push(VERSION);
    out.extend_from_slice(&end.to_be_bytes());
    for name in [host, kind] {
        let len = name.len().min(NAME - 1);
        out.push(len as u8);
        out.extend_from_slice(&name.as_bytes()[..len]);
        out.resize(out.len() + NAME - 1 - len, 0);
    }
    out
}
