//! Texts with `${tag}`, `${tag[0]}`, `${key}`, `${chunk_id}` and the letters of strftime in them: paths, addresses and headers
//! that are made for a chunk of rows. Knows nothing of chunks but what they are told apart by.

use jiff::tz::TimeZone;
use sawlog_model::{Batch, Limits, Nanos, RowRef, SECOND};
use sawlog_pipeline::Options;

use super::record::{Accessor, Bound, tag};
use super::strftime::{self, TimeFormat, has_letters};

/// What the rows of a chunk have in common.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Key {
    /// Beginning of the span of time that they are of.
    pub slice: Option<Nanos>,
    /// Their tag.
    pub tag: Option<String>,
    /// The values of the fields that are looked at, in order.
    pub fields: Vec<String>,
}

/// How the key of a row is found.
pub struct Keys {
    /// Length of a span of time, and the zone in whose days the spans begin.
    pub time: Option<(Nanos, TimeZone)>,
    /// Whether rows of different tags are apart.
    pub tag: bool,
    /// Fields by whose values rows are apart, by their names.
    pub fields: Vec<(String, Accessor)>,
}

/// [`Keys`] for the rows of one batch.
pub struct KeysOf<'a> {
    keys: &'a Keys,
    tag: Option<String>,
    fields: Vec<Bound<'a>>,
    limits: &'a Limits,
}

/// The zone of times in names, as options of buffers say it.
///
/// # Errors
/// In words, where there is no such zone.
pub fn zone(options: &Options) -> Result<TimeZone, String> {
    let is_utc = options.flag("buffer.timekey_use_utc");
    strftime::zone(if is_utc { "UTC" } else { options.text("buffer.timekey_zone") })
}

impl Keys {
    /// What these texts need of each row, to the second.
    ///
    /// # Errors
    /// In words, where a field of theirs is none.
    pub fn of_texts(texts: &[&Placeholders], zone: TimeZone) -> Result<Keys, String> {
        let mut fields = Vec::new();
        for field in texts.iter().flat_map(|text| text.fields()) {
            fields.push((field.to_owned(), Accessor::parse(field)?));
        }
        let time = texts.iter().any(|text| text.has_time()).then_some((SECOND, zone));
        Ok(Keys { time, tag: texts.iter().any(|text| text.has_tag()), fields })
    }

    /// For the rows of a batch.
    pub fn of_batch<'a>(&'a self, batch: &Batch, limits: &'a Limits) -> KeysOf<'a> {
        let fields = self.fields.iter().map(|(_, field)| field.of_batch(batch)).collect();
        KeysOf { keys: self, tag: self.tag.then(|| tag(batch).into_owned()), fields, limits }
    }

    /// Beginning of the span that a time is in.
    pub fn slice(&self, time: Nanos) -> Option<Nanos> {
        let (span, zone) = self.time.as_ref()?;
        let at = jiff::Timestamp::from_nanosecond(i128::from(time)).unwrap_or_default();
        let east = i64::from(zone.to_offset(at).seconds()) * sawlog_model::SECOND;
        Some(time.saturating_sub(time.saturating_add(east).rem_euclid(*span)))
    }

    /// Whether a key may be of these.
    pub fn fits(&self, key: &Key) -> bool {
        key.slice.is_some() == self.time.is_some()
            && key.tag.is_some() == self.tag
            && key.fields.len() == self.fields.len()
    }
}

impl KeysOf<'_> {
    /// The key of a row.
    pub fn key(&self, row: RowRef<'_>) -> Key {
        let text = |field: &Bound<'_>| String::from_utf8_lossy(&field.text(row, self.limits)).into_owned();
        Key {
            slice: self.keys.slice(row.row().time),
            tag: self.tag.clone(),
            fields: self.fields.iter().map(text).collect(),
        }
    }

    /// Whether rows of the batch differ by nothing but their time.
    pub fn is_by_time(&self) -> bool {
        self.fields.is_empty()
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    /// Text with the letters of strftime.
    Text(String),
    Tag,
    TagAt(i64),
    ChunkId,
    Field(String),
}

/// A text with places.
#[derive(Clone, Debug, PartialEq)]
pub struct Placeholders {
    parts: Vec<Part>,
}

impl Placeholders {
    /// Reads a text.
    ///
    /// # Errors
    /// In words, where a place is not known.
    pub fn parse(text: &str) -> Result<Placeholders, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let Some(end) = rest[at..].find('}').map(|end| at + end) else { break };
            if at > 0 {
                parts.push(Part::Text(rest[..at].to_owned()));
            }
            let place = rest[at + 2..end].trim();
            let index = || place.strip_prefix("tag[")?.strip_suffix(']')?.trim().parse().ok();
            parts.push(match place {
                "" => return Err(format!("`{text}`: `${{}}` stands for nothing")),
                "tag" => Part::Tag,
                "chunk_id" => Part::ChunkId,
                _ => match index() {
                    Some(index) => Part::TagAt(index),
                    None => {
                        Accessor::parse(place)?;
                        Part::Field(place.to_owned())
                    }
                },
            });
            rest = &rest[end + 1..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Placeholders { parts })
    }

    /// Whether the tag is in it.
    pub fn has_tag(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Tag | Part::TagAt(_)))
    }

    /// Whether letters of a time are in it.
    pub fn has_time(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Text(text) if has_letters(text)))
    }

    /// The fields in it.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Field(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// Whether what rows say stands at its very beginning.
    pub fn begins_with_data(&self) -> bool {
        matches!(self.parts.first(), Some(Part::Tag | Part::TagAt(_) | Part::Field(_)))
    }

    /// What comes before the first place and the first letter of a time.
    pub fn fixed_prefix(&self) -> &str {
        match self.parts.first() {
            Some(Part::Text(text)) if !has_letters(text) => text,
            Some(Part::Text(text)) => &text[..text.find('%').unwrap_or(0)],
            _ => "",
        }
    }

    /// The text for a chunk. What the data say goes through `clean` first.
    pub fn expand(&self, keys: &Keys, key: &Key, chunk_id: &str, clean: fn(&str) -> String) -> String {
        let tag = key.tag.as_deref().unwrap_or_default();
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => match (key.slice, &keys.time) {
                    (Some(slice), Some((_, zone))) => {
                        out.push_str(&TimeFormat::new(text, zone.clone()).text(slice))
                    }
                    _ => out.push_str(text),
                },
                Part::Tag => out.push_str(&clean(tag)),
                Part::TagAt(index) => out.push_str(&clean(tag_part(tag, *index))),
                Part::ChunkId => out.push_str(chunk_id),
                Part::Field(name) => {
                    let place = keys.fields.iter().position(|(have, _)| have == name);
                    let value = place.and_then(|place| key.fields.get(place)).map_or("", String::as_str);
                    out.push_str(&clean(value));
                }
            }
        }
        out
    }
}

/// Longest part of a name that rows may give, bytes.
const NAME_MOST: usize = 100;

/// A part of a name that rows give: cut where it is too long, with a sum of all of it (`whole`) at its end.
pub fn shortened(mut part: String, whole: &str) -> String {
    if part.len() > NAME_MOST {
        let sum = xxhash_rust::xxh3::xxh3_64(whole.as_bytes());
        part.truncate(part.floor_char_boundary(NAME_MOST - 17));
        part.push_str(&format!("-{sum:016x}"));
    }
    part
}

/// A part of a path as rows give it: no slashes, nothing that is a directory by itself, not too long.
pub fn part_of_path(text: &str) -> String {
    let plain = |letter: char| if letter == '/' || letter.is_control() { '_' } else { letter };
    let mut out: String = text.chars().map(plain).collect();
    if !out.is_empty() && out.bytes().all(|byte| byte == b'.') {
        out = "_".repeat(out.len());
    }
    shortened(out, text)
}

/// A part of a tag; from its end where the number is negative, nothing where there is none.
fn tag_part(tag: &str, index: i64) -> &str {
    let count = tag.split('.').count() as i64;
    let index = if index < 0 { index.saturating_add(count) } else { index };
    usize::try_from(index).ok().and_then(|index| tag.split('.').nth(index)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::strftime::zone;
    use crate::testing::rows;

    fn keys(fields: &[&str]) -> Keys {
        let field = |name: &&str| ((*name).to_owned(), Accessor::parse(name).unwrap());
        let time = Some((86_400_000_000_000, zone("Asia/Tokyo").unwrap()));
        Keys { time, tag: true, fields: fields.iter().map(field).collect() }
    }

    #[test]
    fn places_are_filled_from_what_rows_have_in_common() {
        let batch = rows("app.web.1", &[r#"{"user":"a/b","m":{"k":5}}"#]);
        let keys = keys(&["user", "$.m.k"]);
        let key = keys.of_batch(&batch, &Limits::default()).key(batch.row(0));
        let expand = |text: &str| {
            Placeholders::parse(text).unwrap().expand(&keys, &key, "c0ffee", |text| text.replace('/', "_"))
        };
        assert_eq!(
            expand("/d/%Y%m%d/${tag}-${tag[1]}-${tag[-1]}${tag[9]}.log"),
            "/d/20171128/app.web.1-web-1.log"
        );
        assert_eq!(expand("${user}/${$.m.k}/${chunk_id}/100%%"), "a_b/5/c0ffee/100%");
        assert_eq!(expand("${none}|${"), "|${");
        let text = Placeholders::parse("/a/b%Y/${x}${tag}").unwrap();
        assert_eq!((text.fixed_prefix(), text.has_tag(), text.has_time()), ("/a/b", true, true));
        assert_eq!(text.fields().collect::<Vec<_>>(), ["x"]);
        assert!(Placeholders::parse("${}").is_err() && Placeholders::parse("${$.}").is_err());
    }

    #[test]
    fn spans_begin_in_the_zone() {
        let day = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_nanosecond() as i64;
        let keys = keys(&[]);
        assert_eq!(keys.slice(day("2017-11-28T14:59:59Z")), Some(day("2017-11-27T15:00:00Z")));
        assert_eq!(keys.slice(day("2017-11-28T15:00:00Z")), Some(day("2017-11-28T15:00:00Z")));
        assert_eq!(keys.slice(-1), Some(day("1969-12-31T15:00:00Z")));
    }
}
