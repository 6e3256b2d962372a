//! Sets and removes fields. Rows that only get more keep their line; the others' lines are rendered anew. Knows nothing of
//! routes.

mod template;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use sawlog_model::time::SECOND;
use sawlog_model::value::parse_json;
use sawlog_model::{Batch, Limits, NameId, Nanos, RowRef, Value};
use sawlog_pipeline::config::{ElementReader, FluentForm, Role};
use sawlog_pipeline::{ConfigError, Env, Failed, Filter, Filtered, Opt, OptKind, Options, Protocol, opt};

use crate::shared::record::{Accessor, Bound, Piece, Rewriter, entries, plain_text, select, set};
use crate::shared::strftime::{self, TimeFormat};

pub use template::{Scope, Template, Tree};

/// The filter.
pub const PROTOCOL: Protocol = Protocol {
    name: "record_transformer",
    summary: "Sets and removes fields.",
    options: OPTIONS,
    filter: Some(make),
    fluent: &[FluentForm { role: Role::Filter, names: &["record_transformer"], read: from_fluent }],
    ..Protocol::EMPTY
};

const OPTIONS: &[Opt] = &[
    opt(
        "set",
        OptKind::List,
        "",
        "Fields, each as `KEY=VALUE`; a value that begins as a list or map of JSON is one.",
    ),
    opt("remove_keys", OptKind::List, "", "Fields to take away."),
    opt("renew_record", OptKind::Bool, "false", "Begin with an empty record."),
    opt("keep_keys", OptKind::List, "", "Fields of the old record that a renewed one has."),
    opt("renew_time_key", OptKind::Text, "", "Field whose seconds since 1970 become the event's time."),
    opt(
        "auto_typecast",
        OptKind::Bool,
        "true",
        "A value of nothing but one `${…}` has its type; else it is text.",
    ),
];

fn from_fluent(reader: &mut ElementReader<'_>) -> Vec<(&'static str, Vec<String>)> {
    let mut fields = Vec::new();
    let elements: Vec<_> = reader.children("record").collect();
    for element in elements {
        for pair in &element.pairs {
            if let Err(message) = tree(&pair.value) {
                reader.inside(element).wrong(&pair.key, &message);
            }
            fields.push(format!("{}={}", pair.key, pair.value));
        }
    }
    // With Ruby switched on, values that need none of it are what they are without.
    let _ = reader.flag("enable_ruby");
    let mut options = vec![("set", fields)];
    for key in ["remove_keys", "keep_keys"] {
        let keys = reader.list(key).unwrap_or_default();
        if let Some(message) = keys.iter().find_map(|key| Accessor::parse(key).err()) {
            reader.wrong(key, &message);
        }
        options.push((key, keys));
    }
    let renews = reader.flag("renew_record").unwrap_or(false);
    if reader.text("keep_keys").is_some() && !renews {
        reader.wrong("keep_keys", "it needs `renew_record true`");
    }
    options.push(("renew_record", vec![renews.to_string()]));
    options.extend(reader.text("renew_time_key").map(|key| ("renew_time_key", vec![key.to_owned()])));
    options.extend(reader.flag("auto_typecast").map(|flag| ("auto_typecast", vec![flag.to_string()])));
    options
}

/// A value as it is given.
fn tree(text: &str) -> Result<Tree, String> {
    if text.starts_with(['{', '['])
        && let Ok(value) = parse_json(text.as_bytes(), &Limits::default())
    {
        return Tree::of(value);
    }
    Template::parse(text).map(Tree::Text)
}

/// A field that is set.
struct Field {
    name: String,
    key: Accessor,
    tree: Tree,
}

struct RecordTransformer {
    fields: Vec<Field>,
    remove: Vec<Accessor>,
    keep: Vec<String>,
    renew_record: bool,
    renew_time: Option<Accessor>,
    typed: bool,
    /// What is set may be removed again: then every record is made anew.
    removes_own: bool,
    host: String,
    time: TimeFormat,
    limits: Limits,
}

fn make(options: &Options, env: &Env) -> Result<Box<dyn Filter>, ConfigError> {
    let wrong = |name: &'static str| move |message: String| ConfigError(format!("`{name}`: {message}"));
    let field = |text: &String| -> Result<Field, String> {
        let (name, value) = text.split_once('=').ok_or_else(|| format!("`{text}`: write it as KEY=VALUE"))?;
        let tree = tree(value).map_err(|message| format!("`{name}`: {message}"))?;
        Ok(Field { name: name.to_owned(), key: Accessor::key(name), tree })
    };
    let mut fields: Vec<Field> = Vec::new();
    for text in options.list("set") {
        let field = field(text).map_err(wrong("set"))?;
        match fields.iter_mut().find(|have| have.name == field.name) {
            Some(have) => *have = field,
            None => fields.push(field),
        }
    }
    let remove: Vec<_> = options.list("remove_keys").iter().map(|key| Accessor::parse(key)).collect();
    let remove: Vec<_> = remove.into_iter().collect::<Result<_, _>>().map_err(wrong("remove_keys"))?;
    let renew_record = options.flag("renew_record");
    if !options.list("keep_keys").is_empty() && !renew_record {
        return Err(ConfigError("`keep_keys` needs `renew_record = true`".to_owned()));
    }
    let sets = |accessor: &Accessor| {
        fields.iter().any(|field| {
            let rest = accessor.name().strip_prefix(field.name.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    };
    let removes_own = remove.iter().any(sets);
    let time_key = options.text("renew_time_key");
    Ok(Box::new(RecordTransformer {
        removes_own,
        fields,
        remove,
        keep: options.list("keep_keys").to_vec(),
        renew_record,
        renew_time: (!time_key.is_empty()).then(|| Accessor::key(time_key)),
        typed: options.flag("auto_typecast"),
        host: sawlog_sys::host_name(),
        time: TimeFormat::new("%Y-%m-%d %H:%M:%S %z", strftime::zone("").map_err(ConfigError)?),
        limits: env.limits,
    }))
}

/// The filter's parts for the rows of one batch.
struct OfBatch<'a> {
    scope: Scope<'a>,
    set: Vec<SetOf<'a>>,
    remove: Vec<Bound<'a>>,
    renew_time: Option<Bound<'a>>,
}

/// A field that is set, for the rows of one batch.
struct SetOf<'a> {
    field: &'a Field,
    name: NameId,
    /// The field as it may be there already.
    before: Bound<'a>,
    reads: Vec<Bound<'a>>,
    /// Its value, where all rows have the same, and where it stands.
    constant: Option<(Value, Option<Piece>)>,
}

impl RecordTransformer {
    fn of_batch<'a>(&'a self, batch: &'a Batch, rewriter: &mut Rewriter<'_>) -> OfBatch<'a> {
        let scope = Scope::new(batch, &self.host, &self.time, &self.limits);
        let mut set = Vec::with_capacity(self.fields.len());
        for field in &self.fields {
            let value = field.tree.is_constant().then(|| field.tree.value(&scope, None, &[], self.typed));
            let constant = value.map(|value| {
                let piece = rewriter.put(&value);
                (value, piece)
            });
            set.push(SetOf {
                field,
                name: rewriter.name(&field.name),
                before: field.key.of_batch(batch),
                reads: field.tree.bind(batch),
                constant,
            });
        }
        let remove = self.remove.iter().map(|accessor| accessor.of_batch(batch)).collect();
        OfBatch { scope, set, remove, renew_time: self.renew_time.as_ref().map(|key| key.of_batch(batch)) }
    }

    fn value(&self, own: &OfBatch<'_>, set: &SetOf<'_>, row: RowRef<'_>) -> Value {
        match &set.constant {
            Some((value, _)) => value.clone(),
            None => set.field.tree.value(&own.scope, Some(row), &set.reads, self.typed),
        }
    }

    /// The fields to add to a row whose line may stay; `None` where it may not.
    fn additions(
        &self,
        own: &OfBatch<'_>,
        row: RowRef<'_>,
        rewriter: &mut Rewriter<'_>,
    ) -> Option<Vec<(NameId, Piece)>> {
        let touched = self.renew_record
            || self.removes_own
            || own.set.iter().any(|set| set.before.may_have(row, &self.limits))
            || own.remove.iter().any(|key| key.may_have(row, &self.limits));
        if touched {
            return None;
        }
        let piece = |set: &SetOf<'_>| {
            let piece = match &set.constant {
                Some((_, piece)) => *piece,
                None => rewriter.put(&self.value(own, set, row)),
            };
            piece.map(|piece| (set.name, piece))
        };
        own.set.iter().map(piece).collect()
    }

    /// The whole new record of a row.
    fn record(&self, own: &OfBatch<'_>, row: RowRef<'_>) -> Vec<(Value, Value)> {
        let mut record = entries(row, &self.limits);
        if self.renew_record {
            record
                .retain(|(key, _)| key.as_str().is_some_and(|key| self.keep.iter().any(|keep| keep == key)));
        }
        for field in &own.set {
            set(&mut record, Value::Str(field.field.name.clone()), self.value(own, field, row));
        }
        record
    }

    /// The row's time, as its new record has it.
    fn time(&self, own: &OfBatch<'_>, row: RowRef<'_>) -> Nanos {
        let (Some(key), Some(bound)) = (&self.renew_time, own.renew_time) else { return row.row().time };
        let set = own.set.iter().rev().find(|set| set.field.key == *key);
        let kept = || !self.renew_record || self.keep.iter().any(|keep| keep == key.name());
        let value = match set {
            Some(set) => Some(self.value(own, set, row)),
            None if kept() => bound.value(row, &self.limits),
            None => None,
        };
        value.and_then(|value| seconds(&plain_text(&value))).unwrap_or(row.row().time)
    }
}

/// Seconds since 1970 with a fraction, digit by digit; `None` where it is no such number.
fn seconds(text: &[u8]) -> Option<Nanos> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let plain = !whole.starts_with(['-', '+']) && fraction.bytes().all(|digit| digit.is_ascii_digit());
    if let (Ok(whole), true) = (whole.parse::<i64>(), plain) {
        let digits: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
        return whole.checked_mul(SECOND)?.checked_add(digits.parse().ok()?);
    }
    let seconds: f64 = text.parse().ok().filter(|seconds: &f64| seconds.is_finite())?;
    Some((seconds * SECOND as f64) as Nanos)
}

impl Filter for RecordTransformer {
    fn apply(&self, batch: Arc<Batch>) -> Filtered {
        let mut rewriter = Rewriter::new(&batch, &self.limits);
        let own = self.of_batch(&batch, &mut rewriter);
        let mut changed = false;
        let mut full = Vec::new();
        for row in batch.iter() {
            let time = self.time(&own, row);
            if let Some(fields) = self.additions(&own, row, &mut rewriter) {
                changed |= !fields.is_empty() || time != row.row().time;
                rewriter.add(row, time, &fields);
                continue;
            }
            changed = true;
            let mut record = self.record(&own, row);
            self.remove.iter().for_each(|key| key.remove(&mut record));
            if !rewriter.replace(row, time, record) {
                full.push(row.index);
            }
        }
        if !changed {
            return batch.into();
        }
        let failed = (!full.is_empty()).then(|| Failed {
            batch: select(&batch, |row| full.binary_search(&row.index).is_ok()),
            reason: "too_large",
            detail: "the new records of a batch take more than 4 GiB".to_owned(),
        });
        Filtered { batch: rewriter.finish(), failed, told: Vec::new() }
    }
}
