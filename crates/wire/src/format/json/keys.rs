//! Names of the fields of JSON objects: from the keys met on the way down to the dotted name's id, without hashing where
//! objects repeat. Knows nothing of values.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use sawlog_model::{NameId, Names, value};

/// No edge or node.
pub(super) const NONE: u32 = u32::MAX;

/// Where the keys of an object are looked up: the object's node and the key met last in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    node: u32,
    last: u32,
}

/// A key of an object.
struct Edge {
    key: Box<[u8]>,
    name: NameId,
    /// How likely the value is the row's time; lower is better, [`NEVER`] is not at all.
    rank: u8,
    /// The node of the object below, once there was one.
    child: u32,
    /// The key that came after it last time.
    next: u32,
}

/// An object, by its path.
#[derive(Default)]
struct Node {
    prefix: String,
    first: u32,
    edges: HashMap<Box<[u8]>, u32>,
}

/// Not a time.
pub(super) const NEVER: u8 = u8::MAX;

/// Names that hold the row's time, the best first, in lower case.
const TIMES: &[&str] = &[
    "@timestamp",
    "timestamp",
    "time",
    "ts",
    "_time",
    "@t",
    "t.$date",
    "t",
    "eventtime",
    "event_time",
    "datetime",
    "date_time",
    "timecreated",
    "utctime",
    "asctime",
    "date",
    "_timestamp",
    "__realtime_timestamp",
    "_source_realtime_timestamp",
    "time_iso8601",
    "timemillis",
    "instant.epochsecond",
    "log_time",
    "logtime",
    "unixtime",
    "unix_time",
    "created_at",
    "createdat",
    "created",
    "received_at",
    "receivedat",
    "eventreceivedtime",
    "_write_ts",
    "edgestarttimestamp",
    "started_at",
    "start_time",
    "starttime",
    "task info.finish time",
    "task info.launch time",
    "stage info.completion time",
    "stage info.submission time",
    "submission time",
    "completion time",
];

/// All keys met so far.
pub(super) struct Keys {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
}

impl Keys {
    pub fn new() -> Self {
        Keys { nodes: vec![Node { first: NONE, ..Node::default() }], edges: Vec::new() }
    }

    /// The place before the first key of the whole line.
    pub fn root(&self) -> Place {
        Place { node: 0, last: NONE }
    }

    /// The edge of `key` (as written between its quotes), and the place moved to it. [`NONE`] where it has no name,
    /// since there are too many names or the key is not text.
    #[inline]
    pub fn find(&mut self, place: &mut Place, key: &[u8], names: &mut Arc<Names>, most: usize) -> u32 {
        if place.node == NONE {
            return NONE;
        }
        let mut guess = match self.edges.get(place.last as usize) {
            Some(last) => last.next,
            None => self.nodes[place.node as usize].first,
        };
        // A key that was left out this time is skipped.
        for _ in 0..3 {
            let Some(edge) = self.edges.get(guess as usize) else { break };
            if *edge.key == *key {
                place.last = guess;
                return guess;
            }
            guess = edge.next;
        }
        self.find_slowly(place, key, names, most)
    }

    fn find_slowly(&mut self, place: &mut Place, key: &[u8], names: &mut Arc<Names>, most: usize) -> u32 {
        let node = &self.nodes[place.node as usize];
        let edge = match node.edges.get(key) {
            Some(edge) => *edge,
            None => match self.add(place.node, key, names, most) {
                Some(edge) => edge,
                None => return NONE,
            },
        };
        match self.edges.get_mut(place.last as usize) {
            Some(last) => last.next = edge,
            None => self.nodes[place.node as usize].first = edge,
        }
        place.last = edge;
        edge
    }

    /// A key not met before; `None` where it is to have no name.
    fn add(&mut self, node: u32, key: &[u8], names: &mut Arc<Names>, most: usize) -> Option<u32> {
        let text = value::unescape(Cow::Borrowed(key));
        let text = std::str::from_utf8(&text).ok()?;
        let name = format!("{}{text}", self.nodes[node as usize].prefix);
        if self.edges.len() >= most || (names.len() >= most && names.find(&name).is_none()) {
            return None;
        }
        let lower = name.to_lowercase();
        let rank = TIMES.iter().position(|have| *have == lower).map_or(NEVER, |rank| rank as u8);
        let name = names.find(&name).unwrap_or_else(|| Arc::make_mut(names).intern(&name));
        let edge = self.edges.len() as u32;
        self.edges.push(Edge { key: key.into(), name, rank, child: NONE, next: NONE });
        self.nodes[node as usize].edges.insert(key.into(), edge);
        Some(edge)
    }

    /// The name of an edge's value and its rank as a time.
    #[inline]
    pub fn name(&self, edge: u32) -> Option<(NameId, u8)> {
        self.edges.get(edge as usize).map(|edge| (edge.name, edge.rank))
    }

    /// The place before the first key of the object below `edge`.
    pub fn below(&mut self, edge: u32, names: &Names) -> Place {
        let count = self.nodes.len() as u32;
        let Some(edge) = self.edges.get_mut(edge as usize) else { return Place { node: NONE, last: NONE } };
        if edge.child == NONE {
            edge.child = count;
            let prefix = format!("{}.", names.name(edge.name));
            self.nodes.push(Node { prefix, first: NONE, edges: HashMap::new() });
        }
        Place { node: edge.child, last: NONE }
    }
}
