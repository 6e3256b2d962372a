//! Which ways from a node can begin with a byte, so that a line is not compared with the text of every rule. Knows nothing of
//! lines.

use std::collections::HashMap;

use super::graph::{Edge, Node};

/// Nodes with so many edges have a table; of fewer each is tried.
const TABLE_FROM: u32 = 3;

/// The byte behind the end of the line.
const END: usize = 256;

/// For each byte, and for the end of the line, where the list of edges stands.
struct Table {
    lists: Box<[(u32, u32); END + 1]>,
}

/// The tables of a graph.
#[derive(Default)]
pub(super) struct Tables {
    tables: Vec<Table>,
    /// Edges, list after list.
    edges: Vec<u32>,
}

/// The edges that are worth trying, in order.
pub(super) enum Choices<'a> {
    /// So many, from that one on.
    All(u32, u32),
    These(&'a [u32]),
}

impl Choices<'_> {
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Choices::All(_, count) => *count as usize,
            Choices::These(list) => list.len(),
        }
    }

    #[inline]
    pub fn at(&self, index: usize) -> u32 {
        match self {
            Choices::All(first, _) => first + index as u32,
            Choices::These(list) => list[index],
        }
    }
}

impl Tables {
    /// Makes the tables of the nodes that have many edges, and numbers them.
    pub fn new(nodes: &mut [Node], edges: &[Edge]) -> Tables {
        let mut tables = Tables::default();
        for node in nodes.iter_mut().filter(|node| node.count >= TABLE_FROM) {
            let range = node.first..node.first + node.count;
            let mut lists: Vec<Vec<u32>> = vec![Vec::new(); END + 1];
            for number in range {
                let firsts = edges[number as usize].motif.firsts();
                for (byte, list) in lists.iter_mut().enumerate() {
                    if firsts.has(byte) {
                        list.push(number);
                    }
                }
            }
            node.table = tables.tables.len() as u32;
            tables.add(lists);
        }
        tables
    }

    fn add(&mut self, lists: Vec<Vec<u32>>) {
        let mut known: HashMap<Vec<u32>, (u32, u32)> = HashMap::new();
        let mut table = Table { lists: Box::new([(0, 0); END + 1]) };
        for (byte, list) in lists.into_iter().enumerate() {
            table.lists[byte] = *known.entry(list).or_insert_with_key(|list| {
                let start = self.edges.len() as u32;
                self.edges.extend_from_slice(list);
                (start, list.len() as u32)
            });
        }
        self.tables.push(table);
    }

    /// The edges of a node that can begin with a byte; `None`: at the end of the line.
    #[inline]
    pub fn of(&self, node: &Node, byte: Option<u8>) -> Choices<'_> {
        match self.tables.get(node.table as usize) {
            None => Choices::All(node.first, node.count),
            Some(table) => {
                let (start, len) = table.lists[byte.map_or(END, usize::from)];
                Choices::These(&self.edges[start as usize..][..len as usize])
            }
        }
    }
}

/// What a field can begin with.
pub(super) struct Firsts {
    bytes: [bool; 256],
    /// Whether it can stand, empty, at the end of the line.
    nothing: bool,
}

impl Firsts {
    /// Anything.
    pub fn any() -> Firsts {
        Firsts { bytes: [true; 256], nothing: true }
    }

    /// One of the bytes that fit.
    pub fn only(fits: impl Fn(u8) -> bool) -> Firsts {
        Firsts { bytes: std::array::from_fn(|byte| fits(byte as u8)), nothing: false }
    }

    fn has(&self, byte: usize) -> bool {
        self.bytes.get(byte).copied().unwrap_or(self.nothing)
    }
}
