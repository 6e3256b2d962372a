//! `normalize apache`: fields that a parser of the node's configuration finds in the line, or in another field. Where it finds one
//! that the row has already, its own counts. Knows nothing of what parsers read by.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewArray, StringViewBuilder, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{DataFusionError, exec_err, plan_err};
use datafusion::dataframe::DataFrame;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use sawlog_model::normalize::{leaves, text_of};
use sawlog_model::value::{parse_json, render};
use sawlog_model::{Limits, Normalize, Value};

use super::{Pipe, Setting, Step, column};
use crate::QueryError;
use crate::parse::cursor::Cursor;

pub(super) const PIPE: Pipe =
    Pipe { name: "normalize", usage: "normalize rulebase, or normalize rulebase of field", parse };

/// The column of all fields of a row, as JSON.
const ALL: &str = "_fields";
/// The column in which what was found stands until it is put in its places; no field is called so.
const FOUND: &str = "\u{1}found";

#[derive(Debug)]
struct Normalizing {
    parser: String,
    of: String,
}

fn parse(cursor: &mut Cursor<'_>) -> Result<Arc<dyn Step>, QueryError> {
    let parser = cursor.column("the name of a rule base")?;
    let of = if cursor.eat_word("of") { cursor.column("a field")? } else { "_line".to_owned() };
    Ok(Arc::new(Normalizing { parser, of }))
}

impl Step for Normalizing {
    fn reads(&self) -> Vec<String> {
        vec![self.of.clone()]
    }

    fn outputs(&self, before: Option<Vec<String>>) -> Result<Option<Vec<String>>, String> {
        match before {
            None => Ok(None),
            Some(_) => {
                Err("`normalize` adds fields to whole rows; it stands before `fields` and `stats`".into())
            }
        }
    }

    fn plan(&self, frame: DataFrame, setting: &Setting) -> Result<DataFrame, DataFusionError> {
        let Some(parser) = setting.normalizers.get(&self.parser) else {
            let have: Vec<&str> = setting.normalizers.names().collect();
            let have = if have.is_empty() {
                "none is configured (`rulebases` in sawlog.toml)".to_owned()
            } else {
                format!("there are {}", have.join(", "))
            };
            return plan_err!("there is no rule base `{}`; {have}", self.parser);
        };
        let names: Vec<String> = frame.schema().fields().iter().map(|field| field.name().clone()).collect();
        let wanted = names.iter().filter(|name| !name.starts_with('_') || *name == ALL).cloned().collect();
        let found = Find {
            parser: Parser(parser.clone()),
            wanted,
            signature: Signature::any(1, Volatility::Immutable),
        };
        let places = found.places();
        let frame = frame.with_column(FOUND, ScalarUDF::new_from_impl(found).call(vec![column(&self.of)]))?;
        let columns = names.iter().map(|name| match places.get(name.as_str()) {
            None => column(name),
            Some(place) => {
                let signature = Signature::any(2, Volatility::Immutable);
                let pick = Pick { place: *place, all: name == ALL, signature };
                ScalarUDF::new_from_impl(pick).call(vec![column(FOUND), column(name)]).alias(name)
            }
        });
        frame.select(columns.collect::<Vec<_>>())
    }

    fn adds_fields(&self) -> bool {
        true
    }
}

/// A parser; the same where it is the same one.
#[derive(Clone)]
struct Parser(Arc<dyn Normalize>);

impl std::fmt::Debug for Parser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parser")
    }
}

impl PartialEq for Parser {
    fn eq(&self, other: &Parser) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Parser {}

impl Hash for Parser {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

/// What a parser finds in texts: one part for each wanted name.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Find {
    parser: Parser,
    wanted: Vec<String>,
    signature: Signature,
}

impl Find {
    fn places(&self) -> HashMap<String, usize> {
        self.wanted.iter().enumerate().map(|(place, name)| (name.clone(), place)).collect()
    }

    fn parts(&self) -> Fields {
        self.wanted.iter().map(|name| Field::new(name, DataType::Utf8View, true)).collect()
    }

    fn find(&self, texts: &StringViewArray) -> StructArray {
        let places = self.places();
        let mut parts: Vec<StringViewBuilder> =
            self.wanted.iter().map(|_| StringViewBuilder::with_capacity(texts.len())).collect();
        let (mut fields, mut json) = (Vec::new(), Vec::new());
        for text in texts {
            fields.clear();
            let mut give = |name: &str, value: &Value| leaves(name, value, &mut fields);
            if let Some(text) = text {
                self.parser.0.normalize(text.as_bytes(), &mut give);
            }
            let mut values: Vec<Option<String>> = vec![None; parts.len()];
            for (name, value) in &fields {
                if let Some(place) = places.get(name.as_str()) {
                    values[*place] = text_of(value);
                }
            }
            if let Some(place) = places.get(ALL).filter(|_| !fields.is_empty()) {
                json.clear();
                let entries = fields.drain(..).map(|(name, value)| (Value::Str(name), value)).collect();
                render(&Value::Map(entries), &mut json);
                values[*place] = Some(String::from_utf8_lossy(&json).into_owned());
            }
            parts.iter_mut().zip(values).for_each(|(part, value)| part.append_option(value));
        }
        let parts: Vec<ArrayRef> = parts.iter_mut().map(|part| Arc::new(part.finish()) as ArrayRef).collect();
        if parts.is_empty() {
            return StructArray::new_empty_fields(texts.len(), None);
        }
        StructArray::new(self.parts(), parts, None)
    }
}

impl ScalarUDFImpl for Find {
    fn name(&self) -> &str {
        "normalized"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok(DataType::Struct(self.parts()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        let [text] = &args.args[..] else {
            return exec_err!("normalized takes one argument");
        };
        let texts = cast(&text.to_array(args.number_rows)?, &DataType::Utf8View)?;
        Ok(ColumnarValue::Array(Arc::new(self.find(texts.as_string_view()))))
    }
}

/// A part of what was found, or what was there before.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Pick {
    place: usize,
    /// It is all fields, to which those that were found are added.
    all: bool,
    signature: Signature,
}

impl ScalarUDFImpl for Pick {
    fn name(&self) -> &str {
        "found_or"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        let [found, before] = &args.args[..] else {
            return exec_err!("found_or takes two arguments");
        };
        let found = found.to_array(args.number_rows)?;
        let found = found.as_struct().column(self.place).as_string_view();
        let before = cast(&before.to_array(args.number_rows)?, &DataType::Utf8View)?;
        let picked = found.iter().zip(before.as_string_view()).map(|(found, before)| match (found, before) {
            (Some(found), Some(before)) if self.all => Some(joined(before, found)),
            (found, before) => found.or(before).map(str::to_owned),
        });
        Ok(ColumnarValue::Array(Arc::new(picked.collect::<StringViewArray>())))
    }
}

/// The fields of both objects; of those that both have, the second's.
fn joined(before: &str, found: &str) -> String {
    if before.len() <= 2 {
        return found.to_owned();
    }
    let read = |text: &str| match parse_json(text.as_bytes(), &Limits::default()) {
        Ok(Value::Map(entries)) => entries,
        _ => Vec::new(),
    };
    let more = read(found);
    let mut kept = read(before);
    let had = kept.len();
    kept.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
    if kept.len() == had {
        // The text stays what it is.
        return format!("{},{}", &before[..before.len() - 1], &found[1..]);
    }
    kept.extend(more);
    let mut text = Vec::new();
    render(&Value::Map(kept), &mut text);
    String::from_utf8_lossy(&text).into_owned()
}
