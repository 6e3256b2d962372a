//! Made-up events at a given rate, to try a configuration and to load one: see README.md. Knows nothing of where they go.

mod input;
#[cfg(test)]
mod tests;

use sawlog_pipeline::config::{ElementReader, FluentForm, Role};
use sawlog_pipeline::{Opt, OptKind, Protocol};

/// The input.
pub const PROTOCOL: Protocol = Protocol {
    name: "sample",
    summary: "Made-up events at a given rate.",
    options: &[
        Opt { name: "tag", kind: OptKind::Text, default: "sample", help: "Tag of the rows." },
        Opt {
            name: "sample",
            kind: OptKind::Text,
            default: "{\"message\":\"sample\"}",
            help: "The event, a JSON object, or a JSON list of several that take turns.",
        },
        Opt { name: "size", kind: OptKind::Number, default: "1", help: "Events made at once." },
        Opt {
            name: "rate",
            kind: OptKind::Number,
            default: "1",
            help: "How often in a second so many are made.",
        },
        Opt {
            name: "auto_increment_key",
            kind: OptKind::Text,
            default: "",
            help: "Field that counts the events, from 0.",
        },
    ],
    input: Some(input::make),
    fluent: &[FluentForm { role: Role::Source, names: &["sample", "dummy"], read }],
    ..Protocol::EMPTY
};

fn read(reader: &mut ElementReader<'_>) -> Vec<(&'static str, Vec<String>)> {
    let mut given = vec![("tag", vec![reader.required("tag").to_owned()])];
    let sample = reader.text("sample");
    given.extend(sample.or(reader.text("dummy")).map(|text| ("sample", vec![text.to_owned()])));
    for key in ["size", "rate"] {
        given.extend(reader.number(key).map(|number| (key, vec![number.to_string()])));
    }
    given.extend(reader.text("auto_increment_key").map(|key| ("auto_increment_key", vec![key.to_owned()])));
    reader.without_effect(&["suspend"], "counting begins at 0 when the node starts");
    reader.without_effect(&["reuse_record"], "no event is copied anyway");
    given
}
