//! Rows and predicates by chance, of what matters to encodings and words. Knows nothing of how they are written or found.

use std::sync::Arc;

use proptest::prelude::*;
use sawlog_model::{
    Batch, Compare, Context, Kind, Marks, Names, Predicate, Row, Slot, Source, SourceFacts, SourceId, Tenant,
    Test,
};

/// A row to be: bytes, cuts and the rest.
#[derive(Clone)]
pub(super) struct Draft {
    raw: Vec<u8>,
    /// (start, length) in raw modulo its length, name, kind.
    slots: Vec<(usize, usize, usize, u8)>,
    unprinted: Vec<(usize, u8, Vec<u8>)>,
    time: i64,
    step: u64,
    marks: u8,
    context: bool,
}

impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let raw = String::from_utf8_lossy(&self.raw);
        let (slots, unprinted) = (&self.slots, &self.unprinted);
        write!(
            f,
            "{raw:?} {slots:?} {unprinted:?} {} {} {} {}",
            self.time, self.step, self.marks, self.context
        )
    }
}

pub(super) const NAMES: [&str; 6] = ["a", "b.c", "message", "_line", "_tag", "level"];

pub(super) fn batches(drafts: &[Draft]) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    let mut offset = 0;
    let mut names = Names::default();
    let ids: Vec<_> = NAMES.iter().rev().map(|name| names.intern(name)).collect();
    let names = Arc::new(names);
    for (index, draft) in drafts.iter().enumerate() {
        let context = if draft.context { vec![("_tag", "error.17"), ("_host", "web1")] } else { vec![] };
        let mut batch = Batch {
            tenant: Tenant(3),
            source: Arc::new(Source {
                id: SourceId((index / 40) as u128 + 1),
                facts: SourceFacts { name: format!("file{}", index / 40), ..SourceFacts::default() },
            }),
            epoch: 1,
            context: Arc::new(Context::new(context)),
            names: names.clone(),
            ..Batch::default()
        };
        let mut buffer = draft.raw.clone();
        buffer.push(b'#');
        let mut at = 0;
        for (start, len, name, kind) in &draft.slots {
            let start = at + start % (draft.raw.len() - at + 1);
            let len = len % (draft.raw.len() - start + 1);
            at = start + len;
            let layout = if *kind == Kind::Time as u8 { 1 } else { 0 };
            let (start, len, name) = (start as u32, len as u32, ids[*name]);
            batch.slots.push(Slot { start, len, name, kind: Kind::from_u8(*kind).unwrap(), layout });
        }
        for (name, kind, value) in &draft.unprinted {
            let (start, len, name) = (buffer.len() as u32, value.len() as u32, ids[*name]);
            buffer.extend_from_slice(value);
            batch.slots.push(Slot { start, len, name, kind: Kind::from_u8(*kind).unwrap(), layout: 0 });
        }
        batch.buffer = buffer.into();
        offset += draft.step;
        batch.rows.push(Row {
            start: 0,
            len: draft.raw.len() as u32,
            offset,
            time: draft.time,
            received: draft.time / 2,
            slots_end: batch.slots.len() as u32,
            marks: Marks(draft.marks),
        });
        if draft.step == 0 {
            offset += draft.raw.len() as u64 + 1;
        }
        batches.push(batch);
    }
    batches
}

/// Bytes that matter: words, numbers, delimiters, escapes, bytes that are not text.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => prop::sample::select(vec![
            "error", "Error", "timeout", "connection reset", "user", "id=", "17", "123456", "1.5", "007", "-3", "10.0.0.1",
            "a1b2c3d4", "550e8400-e29b-41d4-a716-446655440000", " ", ",", ":", "[", "]", "\"", "/var/log/x", "\\n", "\\u0041",
            "\\u00e9", "\\\"", "\n", "\r\n", "müll", "true", "null", "[1,\"error\",3]", "2026-11-20", "GET", "é", "_x",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ]
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(piece(), 0..8).prop_map(|pieces| pieces.concat())
}

fn draft() -> impl Strategy<Value = Draft> {
    let slots = prop::collection::vec((0..12usize, 0..20usize, 0..NAMES.len(), 0..7u8), 0..4);
    let unprinted = prop::collection::vec((0..NAMES.len(), 0..7u8, text()), 0..2);
    let marks = prop_oneof![3 => Just(0u8), 2 => Just(Marks::JSON.0), 1 => any::<u8>()];
    let step = prop_oneof![Just(0u64), Just(1), 0..1000u64];
    (text(), slots, unprinted, any::<i32>(), step, marks, any::<bool>()).prop_map(
        |(raw, slots, unprinted, time, step, marks, context)| {
            let time = i64::from(time) * 1_000_000;
            Draft { raw, slots, unprinted, time, step, marks, context }
        },
    )
}

/// Some different rows, most of them many times, so that every encoding has its chance.
pub(super) fn drafts() -> impl Strategy<Value = Vec<Draft>> {
    (
        prop::collection::vec(draft(), 1..12),
        prop::collection::vec((any::<prop::sample::Index>(), any::<i16>()), 1..160),
    )
        .prop_map(|(kinds, picks)| {
            picks
                .into_iter()
                .map(|(pick, time)| {
                    let mut draft = kinds[pick.index(kinds.len())].clone();
                    draft.time += i64::from(time) * 1_000;
                    if time % 3 == 0 {
                        draft.raw.extend_from_slice(time.to_string().as_bytes());
                    }
                    draft
                })
                .collect()
        })
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::sample::select(vec![
            "error", "Error", "timeout", "connection reset", "reset", "17", "123456", "nn", "n", "1.5", "10.0.0.1", "a1b2c3d4",
            "user", "user 17", "é", "müll", "ll", "e8400", "web1", "\"", "\n", "", "id=17", "error,17", "true", "null", "3",
            "error.17", "2026", "[1", "log/x", "A",
        ]).prop_map(str::to_owned),
        2 => text().prop_map(|text| String::from_utf8_lossy(&text).into_owned()),
    ]
}

fn test() -> impl Strategy<Value = Test> {
    let fold = |text: &str, fold: bool| if fold { text.to_lowercase() } else { text.to_owned() };
    prop_oneof![
        4 => (word(), any::<bool>()).prop_map(move |(text, f)| Test::Phrase { text: fold(&text, f), fold: f }),
        3 => (word(), any::<bool>()).prop_map(move |(text, f)| Test::Part { text: fold(&text, f), fold: f }),
        2 => word().prop_map(Test::Is),
        1 => prop::collection::vec(word(), 0..3).prop_map(Test::In),
        1 => (word(), word(), any::<bool>())
            .prop_map(move |(a, b, f)| Test::Glob { pattern: fold(&format!("{a}*{b}"), f), fold: f }),
        1 => Just(Test::regex("err.r|[0-9]{3}", false).expect("an expression")),
        1 => any::<bool>().prop_map(|fold| Test::regex("(conn)ection +r?eset|time(out)+", fold).expect("an expression")),
        1 => any::<bool>().prop_map(|fold| Test::regex("[0-9]{2}[a-z]*|[e]rr(or)?[a-z]", fold).expect("an expression")),
        1 => Just(Test::regex("[1-9][0-9]+|[A-Z][a-z]+", false).expect("an expression")),
        1 => any::<bool>().prop_map(|fold| Test::regex("^.*us[e]r.[0-9]|err[o]r$", fold).expect("an expression")),
        1 => Just(Test::Number(Compare::Greater, "16".to_owned())),
        1 => Just(Test::Number(Compare::LessOrEqual, "7.0".to_owned())),
        1 => Just(Test::Network("10.0.0.0".parse().expect("an address"), 8)),
        1 => Just(Test::Exists),
        1 => Just(Test::Null),
    ]
}

pub(super) fn predicate() -> impl Strategy<Value = Predicate> {
    let name = prop::sample::select(vec![
        "a", "b.c", "message", "_line", "_tag", "_host", "_offset", "level", "missing",
    ]);
    let leaf = prop_oneof![
        3 => test().prop_map(Predicate::Any),
        3 => (name, test()).prop_map(|(name, test)| Predicate::Field(name.to_owned(), test)),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(Predicate::And),
            prop::collection::vec(inner.clone(), 1..3).prop_map(Predicate::Or),
            inner.prop_map(|one| Predicate::Not(Box::new(one))),
        ]
    })
}
