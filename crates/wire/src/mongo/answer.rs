//! What the server says of a command, and of each document of an insertion. Knows nothing of rows.

use sawlog_model::Value;

/// A document of this id is there.
const DUPLICATE: i64 = 11000;
/// What is there already was to be made.
const NAMESPACE_EXISTS: i64 = 48;
/// The command is not known.
const COMMAND_NOT_FOUND: i64 = 59;

/// What may be over later, by the numbers that servers use for it: states of replica sets, ends and starts, time, room, locks,
/// rights.
const PASSING: &[i64] = &[
    1, 6, 7, 8, 11, 13, 18, 24, 43, 46, 50, 63, 64, 89, 91, 112, 133, 134, 175, 189, 202, 234, 262, 290, 317,
    358, 384, 391, 9001, 10058, 10107, 11600, 11601, 11602, 13388, 13435, 13436, 14031, 16500,
];

/// What a whole insertion is refused for because of one of its documents: too long, no document, no such name.
const OF_DOCUMENTS: &[i64] = &[22, 73, 10334, 17419, 17420];

/// What became of a command.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    /// It was done; of an insertion what was said of some documents, by their places. All others are there.
    Done { told: Vec<(usize, Verdict)> },
    /// It was done as far as is known, and may be gone again: too few servers have it, say.
    Unsure(String),
    /// It was not, because of a document; in words.
    Unfit(String),
    /// It was not.
    Not(String),
}

/// What became of a document that was not inserted.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// One of its id is there.
    Exists(String),
    /// Not for now.
    Again(String),
    /// Not for good.
    Refused(String),
}

/// Reads an answer to an insertion of `count` documents, or to a command without.
pub(super) fn read(answer: &Value, count: usize) -> Answer {
    if !is_fine(answer) {
        let told = words(answer);
        return if OF_DOCUMENTS.contains(&code(answer)) { Answer::Unfit(told) } else { Answer::Not(told) };
    }
    let mut told = Vec::new();
    if let Some(Value::List(errors)) = answer.get("writeErrors") {
        for error in errors {
            let place = number(error.get("index")).and_then(|place| usize::try_from(place).ok());
            let Some(place) = place.filter(|place| *place < count) else {
                return Answer::Not(format!("it tells of a document that was not sent: {}", words(error)));
            };
            told.push((place, verdict(error)));
        }
    }
    if let Some(error @ Value::Map(_)) = answer.get("writeConcernError") {
        return Answer::Unsure(words(error));
    }
    Answer::Done { told }
}

/// Whether a command was done, or need not be since what it makes is there.
pub(super) fn is_made(answer: &Value) -> bool {
    is_fine(answer) || code(answer) == NAMESPACE_EXISTS
}

/// Whether the server does not know a command.
pub(super) fn is_unknown(answer: &Value) -> bool {
    !is_fine(answer) && code(answer) == COMMAND_NOT_FOUND
}

/// Whether a command was done.
pub(super) fn is_fine(answer: &Value) -> bool {
    match answer.get("ok") {
        Some(Value::Float(ok)) => *ok == 1.0,
        ok => number(ok) == Some(1),
    }
}

/// What an answer says of a failure.
pub(super) fn words(answer: &Value) -> String {
    let text = |name| answer.get(name).and_then(Value::as_str).unwrap_or_default();
    let name = text("codeName");
    let sep = if name.is_empty() { "" } else { " " };
    format!("{}{sep}{name}: {}", code(answer), text("errmsg"))
}

fn verdict(error: &Value) -> Verdict {
    let told = words(error);
    match code(error) {
        DUPLICATE if is_of_id(error) => Verdict::Exists(told),
        code if PASSING.contains(&code) => Verdict::Again(told),
        _ => Verdict::Refused(told),
    }
}

/// Whether what must be there once is the id of the document, and not another field of its.
fn is_of_id(error: &Value) -> bool {
    match error.get("keyPattern") {
        Some(Value::Map(keys)) => keys.len() == 1 && keys[0].0.as_str() == Some("_id"),
        // Servers before 4.2 only say it in words, as `index: _id_ dup key`.
        _ => error.get("errmsg").and_then(Value::as_str).is_some_and(|text| text.contains("_id_")),
    }
}

fn code(answer: &Value) -> i64 {
    number(answer.get("code")).unwrap_or_default()
}

fn number(value: Option<&Value>) -> Option<i64> {
    match value {
        Some(Value::Int(int)) => Some(*int),
        Some(Value::Float(float)) => Some(*float as i64),
        _ => None,
    }
}
