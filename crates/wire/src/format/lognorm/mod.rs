//! Rule bases of liblognorm, of version 1 and 2: rules with fields in them, compiled into one graph in which a line is looked
//! up. Knows nothing of where lines and rule bases come from.
//!
//! In reading order: `source` cuts rule bases into commands, `rule` reads what a rule says, `graph` puts all rules into one
//! graph, `choices` says which ways are worth trying, `motif` has the types of fields; `walk` and `walk_v1` look a line up,
//! `found` gives the fields of what was found.

mod choices;
mod found;
mod graph;
mod motif;
mod named;
mod rule;
mod source;
#[cfg(test)]
mod tests;
mod walk;
mod walk_v1;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sawlog_model::{Limits, Value};
use sawlog_sys::Sys;

use choices::{Choices, Tables};
pub use found::{Found, Match};
use graph::{Edge, Names, Node};
pub use named::{Named, Which, files, folder, normalize, stdin};
pub use walk::Memory;

/// Most bytes of a file of rules.
const FILE_MOST: u64 = 64 << 20;
/// Most bytes of a rule.
const RULE_MOST: usize = 64 << 10;
/// Most fields and runs of text in a rule.
const PARTS_MOST: usize = 500;
/// Most rules of a rule base, with those that it includes, and most steps of all of them together.
const RULES_MOST: usize = 100_000;
const NODES_MOST: usize = 4_000_000;
/// Most rule bases that include one another.
const INCLUDES_MOST: usize = 16;

/// Most fields of version 1 that stand in one another.
const NESTED_MOST: usize = 32;

/// What is wrong in a rule base.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct RuleError {
    /// The file.
    pub file: String,
    /// Line of it, from 1; 0 where the file itself is what is wrong.
    pub line: u32,
    /// Column, in bytes, from 1.
    pub column: u32,
    /// What is wrong and what would do.
    pub message: String,
}

/// Gives the text of a rule base by its name; in words why there is none.
pub type Load<'a> = &'a dyn Fn(&str) -> Result<Vec<u8>, String>;

/// A compiled rule base.
pub struct RuleBase {
    version: u8,
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    tables: Tables,
    names: Names,
    /// The first nodes of the types that the rule base defines.
    types: Vec<u32>,
    rules: Vec<Rule>,
    /// The names that fields of version 1 have which others are made of.
    default: u32,
    tail: u32,
    limits: Limits,
}

/// What a rule has beside its description, where it has tags.
#[derive(Clone, Debug, Default)]
struct Rule {
    /// `event.tags` and the fields that the tags add, by the numbers of their names.
    adds: Vec<(u32, Value)>,
    /// The same as JSON, each behind a comma.
    json: Vec<u8>,
}

impl fmt::Debug for RuleBase {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            to,
            "RuleBase(version {}, {} rules, {} nodes)",
            self.version,
            self.rules.len(),
            self.nodes.len()
        )
    }
}

impl RuleBase {
    /// Compiles the rule base of that name, and those that it includes.
    ///
    /// # Errors
    /// [`RuleError`] for the first thing that is wrong.
    pub fn compile(name: &str, load: Load<'_>, limits: Limits) -> Result<RuleBase, RuleError> {
        source::compile(name, load, limits)
    }

    /// Reads and compiles the rule base in a file. What it includes is looked for beside the node, then beside the file, then
    /// where `LIBLOGNORM_RULEBASES` says.
    ///
    /// # Errors
    /// As [`RuleBase::compile`].
    pub fn read(sys: &Sys, path: &Path, limits: Limits) -> Result<RuleBase, RuleError> {
        let beside = path.parent().map(Path::to_owned);
        let library = std::env::var_os("LIBLOGNORM_RULEBASES").map(PathBuf::from);
        let load = |name: &str| {
            let places =
                [Some(PathBuf::from(name))]
                    .into_iter()
                    .chain([&beside, &library].map(|dir| {
                        dir.as_ref().filter(|_| !name.starts_with('/')).map(|dir| dir.join(name))
                    }));
            let mut why = String::new();
            for place in places.flatten() {
                match sys.fs.metadata(&place).map(|facts| facts.len) {
                    Ok(len) if len > FILE_MOST => return Err(format!("it has more than {FILE_MOST} bytes")),
                    Ok(_) => return sys.fs.read(&place).map_err(|error| error.to_string()),
                    Err(error) if why.is_empty() => why = error.to_string(),
                    Err(_) => {}
                }
            }
            Err(why)
        };
        RuleBase::compile(&path.to_string_lossy(), &load, limits)
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Looks a line up.
    ///
    /// # Errors
    /// The place in the line up to which it was read, where no rule is of its form.
    pub fn find<'a>(&'a self, line: &'a [u8], memory: &'a mut Memory) -> Result<Match<'a>, usize> {
        memory.clear();
        match self.version {
            1 => walk_v1::find(self, line, memory)?,
            _ => walk::find(self, line, memory)?,
        }
        Ok(Match { base: self, line, memory })
    }

    /// What liblognorm makes of a line: its fields with `event.tags` and what the tags add, or `originalmsg` and
    /// `unparsed-data`.
    pub fn normalize(&self, line: &[u8], memory: &mut Memory) -> Value {
        let text = |bytes: &[u8]| Value::Str(String::from_utf8_lossy(bytes).into_owned());
        let key = |name: &str| Value::Str(name.to_owned());
        let mut entries = Vec::new();
        match self.find(line, memory) {
            Ok(mut found) => found.each(|name, found| {
                entries.push((
                    key(name),
                    match found {
                        Found::Part(range) => text(&line[range]),
                        Found::Made(value) => value.into_owned(),
                    },
                ));
            }),
            Err(at) => {
                entries.push((key("originalmsg"), text(line)));
                entries.push((key("unparsed-data"), text(&line[at.min(line.len())..])));
            }
        }
        Value::Map(entries)
    }

    /// Appends the same as JSON; gives whether the line is of a rule.
    pub fn write_json(&self, line: &[u8], memory: &mut Memory, out: &mut Vec<u8>) -> bool {
        match self.find(line, memory) {
            Ok(mut found) => {
                found.write_json(out);
                true
            }
            Err(at) => {
                out.extend_from_slice(b"{\"originalmsg\":\"");
                found::write_text(line, false, out);
                out.extend_from_slice(b"\",\"unparsed-data\":\"");
                found::write_text(&line[at.min(line.len())..], false, out);
                out.extend_from_slice(b"\"}");
                false
            }
        }
    }

    /// The edges of a node that can begin with a byte; `None`: at the end of the line.
    #[inline]
    fn choices(&self, node: &Node, byte: Option<u8>) -> Choices<'_> {
        self.tables.of(node, byte)
    }
}

/// A name of a file, shared by what stands in it.
type FileName = Arc<str>;
