//! All rules as one graph: rules that begin alike share their beginnings, and at each node the fields stand in the order in
//! which they are tried. Knows nothing of how rules are written.

use std::collections::HashMap;

use sawlog_model::{Value, value};

use super::choices::Tables;
use super::motif::{Motif, Table, V1_IPTABLES, V1_REST};
use super::rule::{self, Field};
use super::{NESTED_MOST, NODES_MOST, PARTS_MOST};

/// Priority of what says none.
const PRIORITY: i64 = 30_000;

/// In the place of a rule: none ends here.
pub(super) const NO_RULE: u32 = u32::MAX;
/// One ends here that has neither tags nor a number, such as a type.
pub(super) const SOME_RULE: u32 = u32::MAX - 1;

/// A node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    /// Its edges.
    pub first: u32,
    pub count: u32,
    /// The rule that ends here.
    pub rule: u32,
    /// The table of its edges, where there is one.
    pub table: u32,
    /// Whether there is one way only, a field whose value is its text.
    pub plain: bool,
}

/// What a field is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// It is dropped.
    Nothing,
    /// What is in it belongs to what it is in.
    Parent,
    /// The name of that number.
    Is(u32),
}

/// Names, each once.
#[derive(Debug, Default)]
pub(super) struct Names {
    list: Vec<NameText>,
    numbers: HashMap<String, u32>,
}

/// A name, and as the key of an object of JSON.
#[derive(Debug)]
struct NameText {
    name: String,
    key: Vec<u8>,
}

impl Names {
    /// The number of a name.
    pub fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.list.len() as u32;
        let mut key = b",\"".to_vec();
        value::escape(name, &mut key);
        key.extend_from_slice(b"\":\"");
        self.list.push(NameText { name: name.to_owned(), key });
        self.numbers.insert(name.to_owned(), number);
        number
    }

    /// The number of a name that is known.
    pub fn find(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    pub fn name(&self, number: u32) -> &str {
        &self.list[number as usize].name
    }

    /// `,"name":"`
    pub fn key_of_text(&self, number: u32) -> &[u8] {
        &self.list[number as usize].key
    }

    /// `,"name":`
    pub fn key(&self, number: u32) -> &[u8] {
        let key = self.key_of_text(number);
        &key[..key.len() - 1]
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }
}

/// What leads from a node to another.
#[derive(Debug)]
pub(super) struct Edge {
    pub motif: Motif,
    pub name: Name,
    pub next: u32,
    /// Whether its value is its text as it stands.
    pub is_text: bool,
}

impl Edge {
    /// Whether it is a field whose value is its text, other than what takes the rest of a line.
    fn is_plain(&self) -> bool {
        self.is_text && !matches!(self.motif, Motif::Literal(_)) && !self.motif.is_plain(V1_REST)
    }
}

struct Open {
    edges: Vec<OpenEdge>,
    rule: u32,
    /// How many edges lead here.
    from: u32,
    depth: u32,
}

struct OpenEdge {
    /// Tells it from others.
    key: String,
    priority: i64,
    edge: Edge,
}

/// Makes a graph.
pub(super) struct Builder {
    nodes: Vec<Open>,
    pub names: Names,
    types: Vec<(String, u32)>,
    /// The first node of the rule base whose rules are added; `recursive` of version 1 leads to it.
    pub root: u32,
    /// The first nodes of other rule bases of version 1 that rules name, and of fields that others are made of.
    named: HashMap<String, u32>,
    alone: HashMap<Vec<u8>, u32>,
    /// Rule bases of `named` that are not read yet.
    pub wanted: Vec<(String, u32)>,
    /// Fields that are made of others, as deep as they are.
    nested: usize,
}

/// All that a graph consists of.
pub(super) struct Graph {
    pub nodes: Vec<Node>,
    pub edges: Vec<Edge>,
    pub tables: Tables,
    pub names: Names,
    pub types: Vec<u32>,
}

impl Builder {
    pub fn new() -> Builder {
        let mut builder = Builder {
            nodes: Vec::new(),
            names: Names::default(),
            types: Vec::new(),
            root: 0,
            named: HashMap::new(),
            alone: HashMap::new(),
            wanted: Vec::new(),
            nested: 0,
        };
        builder.start();
        builder
    }

    /// The first node of a graph of its own.
    fn start(&mut self) -> u32 {
        self.nodes.push(Open { edges: Vec::new(), rule: NO_RULE, from: 1, depth: 0 });
        self.nodes.len() as u32 - 1
    }

    /// The first node of another rule base, which is to be read.
    pub fn rule_base(&mut self, name: &str) -> u32 {
        if let Some(root) = self.named.get(name) {
            return *root;
        }
        let root = self.start();
        self.named.insert(name.to_owned(), root);
        self.wanted.push((name.to_owned(), root));
        root
    }

    /// The first node of a graph of one field of version 1, `default`, behind which may stand `tail`.
    pub fn field_alone(&mut self, field: &[u8]) -> Result<u32, String> {
        if let Some(root) = self.alone.get(field) {
            return Ok(*root);
        }
        if self.nested >= NESTED_MOST {
            return Err(format!("more than {NESTED_MOST} fields stand in one another"));
        }
        let root = self.start();
        let before = std::mem::replace(&mut self.root, root);
        self.nested += 1;
        let mut text = [b"%default:", field, b"%"].concat();
        let end = rule::add_bytes(self, &text, root)?;
        self.ends(end, SOME_RULE);
        text.extend_from_slice(b"%tail:rest%");
        let end = rule::add_bytes(self, &text, root)?;
        self.ends(end, SOME_RULE);
        self.nested -= 1;
        self.root = before;
        self.alone.insert(field.to_vec(), root);
        Ok(root)
    }

    /// A node without edges.
    fn node(&mut self, depth: u32) -> Result<u32, String> {
        if self.nodes.len() >= NODES_MOST {
            return Err(format!("the rules have more than {NODES_MOST} steps"));
        }
        self.nodes.push(Open { edges: Vec::new(), rule: NO_RULE, from: 0, depth });
        Ok(self.nodes.len() as u32 - 1)
    }

    /// The first node of a type, which is made where there is none of the name.
    pub fn type_named(&mut self, name: &str) -> u32 {
        match self.types.iter().find(|(have, _)| have == name) {
            Some((_, root)) => *root,
            None => {
                let root = self.start();
                self.types.push((name.to_owned(), root));
                root
            }
        }
    }

    /// The number of a type.
    pub fn find_type(&self, name: &str) -> Option<u32> {
        self.types.iter().position(|(have, _)| have == name).map(|number| number as u32)
    }

    /// A rule ends here.
    pub fn ends(&mut self, node: u32, rule: u32) {
        self.nodes[node as usize].rule = rule;
    }

    /// A graph of its own, for what is repeated.
    pub fn alone(&mut self, config: &Value, version: u8) -> Result<u32, String> {
        let root = self.node(0)?;
        self.nodes[root as usize].from = 1;
        let end = self.add(root, config, version)?;
        self.ends(end, SOME_RULE);
        Ok(root)
    }

    /// Adds a field, a list of them, or alternatives; gives the node behind.
    pub fn add(&mut self, node: u32, config: &Value, version: u8) -> Result<u32, String> {
        match config {
            Value::List(fields) => fields.iter().try_fold(node, |node, field| self.add(node, field, version)),
            Value::Map(_) => {
                let kind = config.get("type").and_then(Value::as_str);
                if kind == Some("alternative") {
                    let Some(Value::List(ways)) = config.get("parser") else {
                        return Err("`alternative` needs a list `parser`".to_owned());
                    };
                    return self.alternatives(node, ways, version);
                }
                let field = read(config)?;
                self.add_field(node, &field, version)
            }
            _ => Err("a field is an object of JSON, or a list of them".to_owned()),
        }
    }

    /// Ways that lead to one node.
    fn alternatives(&mut self, node: u32, ways: &[Value], version: u8) -> Result<u32, String> {
        let mut end = None;
        for way in ways {
            match way {
                Value::List(fields) => {
                    let Some((last, before)) = fields.split_last() else { continue };
                    let mut at = node;
                    for field in before {
                        at = self.add(at, field, version)?;
                    }
                    end = Some(self.lead(at, &read(last)?, version, end)?);
                }
                field => end = Some(self.lead(node, &read(field)?, version, end)?),
            }
        }
        end.ok_or_else(|| "`alternative` has no ways".to_owned())
    }

    /// Adds one field.
    pub fn add_field(&mut self, node: u32, field: &Field, version: u8) -> Result<u32, String> {
        self.lead(node, field, version, None)
    }

    /// Adds a field that leads to a node, or to a new one.
    fn lead(&mut self, node: u32, field: &Field, version: u8, to: Option<u32>) -> Result<u32, String> {
        let key = key(field);
        if let Some(have) = self.nodes[node as usize].edges.iter().find(|have| have.key == key) {
            return Ok(have.edge.next);
        }
        let (motif, own) = match field.kind.strip_prefix('@').filter(|_| version == 2) {
            Some(_) => {
                let unknown = || format!("there is no type `{}` before this line", field.kind);
                (Motif::Type(self.find_type(&field.kind).ok_or_else(unknown)?), 16)
            }
            None => Table::make(field, self, version)?,
        };
        let priority = match version {
            // Fields in the order of the rules, then text, then what takes the rest.
            1 => match &motif {
                Motif::Literal(_) => 1,
                motif if motif.is_plain(V1_REST) => 2,
                _ => 0,
            },
            _ => (field.priority.unwrap_or(PRIORITY).clamp(0, 65_535) << 8) | own,
        };
        let depth = self.nodes[node as usize].depth + u32::from(!matches!(motif, Motif::Literal(_)));
        if depth as usize > PARTS_MOST {
            return Err(format!("a rule has more than {PARTS_MOST} fields"));
        }
        let next = match to {
            Some(next) => next,
            None => self.node(depth)?,
        };
        self.nodes[next as usize].from += 1;
        let name = match field.name.as_deref() {
            None | Some("-") => Name::Nothing,
            Some(".") if version == 2 => Name::Parent,
            Some(name) => Name::Is(self.names.number(name)),
        };
        let name = if version == 1 && motif.is_plain(V1_IPTABLES) { Name::Parent } else { name };
        let edge = OpenEdge { key, priority, edge: Edge { is_text: motif.is_text(), motif, name, next } };
        self.nodes[node as usize].edges.push(edge);
        Ok(next)
    }

    /// The graph with its edges in order and its runs of text in one piece each.
    pub fn finish(mut self) -> Graph {
        for node in &mut self.nodes {
            node.edges.sort_by_key(|edge| edge.priority);
        }
        for node in 0..self.nodes.len() {
            for edge in 0..self.nodes[node].edges.len() {
                self.join(node, edge);
            }
        }
        let (mut nodes, mut edges) = (Vec::new(), Vec::new());
        for open in self.nodes {
            let (first, count) = (edges.len() as u32, open.edges.len() as u32);
            let plain = match open.edges.as_slice() {
                [one] => one.edge.is_plain() && open.rule == NO_RULE,
                _ => false,
            };
            nodes.push(Node { first, count, rule: open.rule, table: u32::MAX, plain });
            edges.extend(open.edges.into_iter().map(|open| open.edge));
        }
        let tables = Tables::new(&mut nodes, &edges);
        let types = self.types.into_iter().map(|(_, root)| root).collect();
        Graph { nodes, edges, tables, names: self.names, types }
    }

    /// Joins the text of an edge and that of the only edges that follow.
    fn join(&mut self, node: usize, edge: usize) {
        loop {
            let here = &self.nodes[node].edges[edge].edge;
            let next = here.next as usize;
            let Motif::Literal(_) = &here.motif else { return };
            let child = &self.nodes[next];
            let alone = here.name == Name::Nothing && child.rule == NO_RULE && child.from == 1;
            let [one] = child.edges.as_slice() else { return };
            let Motif::Literal(more) = &one.edge.motif else { return };
            if !alone || one.edge.name != Name::Nothing || self.nodes[one.edge.next as usize].from != 1 {
                return;
            }
            let (more, after) = (more.clone(), one.edge.next);
            // Nothing leads to the node between any more.
            self.nodes[next].edges.clear();
            let here = &mut self.nodes[node].edges[edge].edge;
            here.next = after;
            if let Motif::Literal(text) = &mut here.motif {
                text.extend_from_slice(&more);
            }
        }
    }
}

/// What tells a field from others at its node.
fn key(field: &Field) -> String {
    let mut text = Vec::new();
    for (name, parameter) in &field.parameters {
        text.extend_from_slice(name.as_bytes());
        text.push(b'=');
        value::render(parameter, &mut text);
        text.push(b';');
    }
    format!("{}\0{:?}\0{:?}\0{}", field.kind, field.name, field.priority, String::from_utf8_lossy(&text))
}

/// A field of its configuration.
fn read(config: &Value) -> Result<Field, String> {
    let Value::Map(entries) = config else { return Err("a field is an object of JSON".to_owned()) };
    let mut field = Field { kind: String::new(), name: None, priority: None, parameters: Vec::new() };
    for (key, value) in entries {
        let text = || value.as_str().map(str::to_owned);
        match key.as_str() {
            Some("type") => field.kind = text().ok_or("`type` is a text")?,
            Some("name") => field.name = Some(text().ok_or("`name` is a text")?),
            Some("priority") => {
                field.priority = match value {
                    Value::Int(number) => Some(*number),
                    _ => return Err("`priority` is a number".to_owned()),
                }
            }
            Some(other) => field.parameters.push((other.to_owned(), value.clone())),
            None => {}
        }
    }
    if field.kind.is_empty() {
        return Err("a field needs a `type`".to_owned());
    }
    Ok(field)
}
