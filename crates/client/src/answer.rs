//! What a receiver says: small MessagePack values, read as far as the forward protocol needs them, without a way to make
//! this process take much memory. Knows nothing of sockets.

use rmp::Marker;

/// More bytes than this without the end of one answer are not the forward protocol.
pub(crate) const ANSWER_MOST: usize = 64 * 1024;
const DEPTH_MOST: usize = 8;

/// A value of an answer.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    /// Text, or bytes: receivers of different age send the same things as either.
    Text(Vec<u8>),
    Truth(bool),
    List(Vec<Answer>),
    Map(Vec<(Answer, Answer)>),
    /// Anything that the protocol does not ask for.
    Other,
}

/// Why there is no answer in some bytes.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum Unread {
    /// The rest has not come yet.
    #[error("the answer is not whole")]
    Short,
    /// More bytes will not help.
    #[error("the answer is not one of the forward protocol")]
    Foreign,
}

impl Answer {
    /// The first answer in `bytes`, and how long it is.
    pub(crate) fn read(bytes: &[u8]) -> Result<(Answer, usize), Unread> {
        let mut rest = bytes;
        match value(&mut rest, 0) {
            Ok(answer) => Ok((answer, bytes.len() - rest.len())),
            Err(Unread::Short) if bytes.len() >= ANSWER_MOST => Err(Unread::Foreign),
            Err(unread) => Err(unread),
        }
    }

    /// The value of a key, where this is a map.
    pub(crate) fn get(&self, key: &str) -> Option<&Answer> {
        let Answer::Map(map) = self else { return None };
        map.iter().find(|(name, _)| name.text() == Some(key.as_bytes())).map(|(_, value)| value)
    }

    /// The bytes of a text.
    pub(crate) fn text(&self) -> Option<&[u8]> {
        match self {
            Answer::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What follows `head` in a list that begins with it.
    pub(crate) fn after(&self, head: &str) -> Option<&[Answer]> {
        let Answer::List(list) = self else { return None };
        let (first, rest) = list.split_first()?;
        (first.text() == Some(head.as_bytes())).then_some(rest)
    }
}

fn value(rest: &mut &[u8], depth: usize) -> Result<Answer, Unread> {
    if depth > DEPTH_MOST {
        return Err(Unread::Foreign);
    }
    let marker = Marker::from_u8(take(rest, 1)?[0]);
    let fixed = |rest: &mut &[u8], length| take(rest, length).map(|_| Answer::Other);
    match marker {
        Marker::Null | Marker::FixPos(_) | Marker::FixNeg(_) => Ok(Answer::Other),
        Marker::True => Ok(Answer::Truth(true)),
        Marker::False => Ok(Answer::Truth(false)),
        Marker::U8 | Marker::I8 => fixed(rest, 1),
        Marker::U16 | Marker::I16 | Marker::FixExt1 => fixed(rest, 2),
        Marker::FixExt2 => fixed(rest, 3),
        Marker::U32 | Marker::I32 | Marker::F32 => fixed(rest, 4),
        Marker::FixExt4 => fixed(rest, 5),
        Marker::U64 | Marker::I64 | Marker::F64 => fixed(rest, 8),
        Marker::FixExt8 => fixed(rest, 9),
        Marker::FixExt16 => fixed(rest, 17),
        Marker::FixStr(length) => text(rest, length.into()),
        Marker::Str8 | Marker::Bin8 => length(rest, 1).and_then(|length| text(rest, length)),
        Marker::Str16 | Marker::Bin16 => length(rest, 2).and_then(|length| text(rest, length)),
        Marker::FixArray(length) => list(rest, length.into(), depth),
        Marker::Array16 => length(rest, 2).and_then(|length| list(rest, length, depth)),
        Marker::FixMap(length) => map(rest, length.into(), depth),
        Marker::Map16 => length(rest, 2).and_then(|length| map(rest, length, depth)),
        // What is longer than that is none of the small things that a receiver says.
        _ => Err(Unread::Foreign),
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Unread> {
    let (taken, left) = rest.split_at_checked(length).ok_or(Unread::Short)?;
    *rest = left;
    Ok(taken)
}

fn length(rest: &mut &[u8], bytes: usize) -> Result<usize, Unread> {
    Ok(take(rest, bytes)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
}

fn text(rest: &mut &[u8], length: usize) -> Result<Answer, Unread> {
    if length > ANSWER_MOST {
        return Err(Unread::Foreign);
    }
    take(rest, length).map(|text| Answer::Text(text.to_vec()))
}

/// Grows with what is there, not with the length that is claimed.
fn list(rest: &mut &[u8], length: usize, depth: usize) -> Result<Answer, Unread> {
    let mut values = Vec::new();
    for _ in 0..length {
        values.push(value(rest, depth + 1)?);
    }
    Ok(Answer::List(values))
}

fn map(rest: &mut &[u8], length: usize, depth: usize) -> Result<Answer, Unread> {
    let mut values = Vec::new();
    for _ in 0..length {
        values.push((value(rest, depth + 1)?, value(rest, depth + 1)?));
    }
    Ok(Answer::Map(values))
}
