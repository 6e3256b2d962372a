//! Rows to MongoDB, as Fluentd's `mongo` sends them: see README.md. Knows nothing of where rows come from.

mod answer;
pub(crate) mod bson;
mod connection_string;
mod document;
pub(crate) mod message;
mod naming;
mod options;
mod scram;
mod server;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use sawlog_model::{Batch, Limits, Value};
use sawlog_pipeline::config::{FluentForm, Role};
use sawlog_pipeline::{ConfigError, Env, Options, Output, OutputError, Protocol};
use sawlog_sys::task::Stop;

use self::answer::{Answer, Verdict};
use self::bson::Keys;
use self::document::Documents;
use self::message::Command;
use self::naming::{Naming, Place};
use self::server::Shared;
use crate::shared::bulk::Bulk;
use crate::shared::dial::wait;
use crate::shared::held::{AtOnce, HandOn, Progress, Settled};

/// The output.
pub const PROTOCOL: Protocol = Protocol {
    name: "mongo",
    summary: "Inserts rows into collections of MongoDB.",
    options: options::OPTIONS,
    output: Some(make),
    private: connection_string::is_private,
    fluent: &[
        FluentForm { role: Role::Match, names: &["mongo"], read: options::from_fluent },
        FluentForm { role: Role::Match, names: &["mongo_replset"], read: options::of_replica_set },
    ],
    ..Protocol::EMPTY
};

/// Longest that the documents of one insertion may be together, bytes; one alone may be as long as any.
const AT_ONCE: usize = 16 << 20;
/// Most documents of one insertion: far below what servers take, so that answers stay short.
const DOCUMENTS: usize = 10_000;
/// Most collections that are known to be there.
const KNOWN: usize = 10_000;

struct Mongo {
    servers: Shared,
    naming: Naming,
    documents: Documents,
    /// What servers are to have done before they answer.
    concern: Option<Value>,
    made: Made,
    progress: Progress,
    limits: Limits,
    runtime: tokio::runtime::Handle,
    stop: Stop,
}

/// How collections that are not there are made.
struct Made {
    /// Options of the command that makes one; none where servers make them by themselves.
    capped: Option<Vec<(&'static str, Value)>>,
    /// The field that has the time, and after how many seconds documents go.
    expires: Option<(String, i64)>,
    known: Mutex<HashSet<(String, String)>>,
}

fn make(options: &Options, env: &Env) -> Result<Box<dyn Output>, ConfigError> {
    let target = connection_string::target(options, env).map_err(ConfigError)?;
    let output = Mongo {
        naming: Naming::new(options, &target.database).map_err(ConfigError)?,
        documents: Documents::new(options, env)?,
        concern: target.concern,
        servers: target.servers.into(),
        made: Made::new(options)?,
        progress: Progress::default(),
        limits: env.limits,
        runtime: env.runtime.clone(),
        stop: env.stop.clone(),
    };
    Ok(Box::new(AtOnce::new(&env.name, output)))
}

impl HandOn for Mongo {
    fn hand_on(&self, batch: &Batch) -> Result<(), OutputError> {
        let mut progress = self.progress.of(batch);
        let (mut places, writer) =
            (self.naming.of_batch(batch, &self.limits), self.documents.of_batch(batch));
        let mut open: HashMap<Place, Documented> = HashMap::new();
        let mut again = None;
        for row in 0..batch.rows.len() {
            if progress.is_settled(row) {
                continue;
            }
            let mut document = Vec::new();
            let written = writer.write(batch.row(row), &mut document);
            let (has_own_id, place) = match written.and_then(|own| Ok((own, places.of(batch.row(row))?))) {
                Ok(written) => written,
                Err(reason) => {
                    progress.refuse([row], &reason);
                    continue;
                }
            };
            let to = match open.get_mut(place) {
                Some(to) => to,
                None => open.entry(place.clone()).or_default(),
            };
            if to.bulk.rows.len() == DOCUMENTS || to.bulk.body.len() + document.len() > AT_ONCE {
                again = self.send(place, std::mem::take(to), &mut progress)?.or(again);
            }
            to.own_ids.extend(has_own_id.then_some(row));
            to.bulk.body.append(&mut document);
            to.bulk.rows.push((row, to.bulk.body.len()));
        }
        for (place, documents) in open {
            again = self.send(&place, documents, &mut progress)?.or(again);
        }
        match again {
            Some(reason) => Err(OutputError::Later(reason)),
            None => progress.finish(),
        }
    }
}

/// Documents that go out together.
#[derive(Default)]
struct Documented {
    bulk: Bulk,
    /// Rows whose records say their ids themselves.
    own_ids: HashSet<usize>,
}

impl Mongo {
    /// Inserts documents; words where some of them have to be sent again.
    fn send(
        &self,
        place: &Place,
        documents: Documented,
        progress: &mut Settled,
    ) -> Result<Option<String>, OutputError> {
        let Documented { bulk, own_ids } = documents;
        let mut left = vec![bulk];
        let mut again = None;
        while let Some(bulk) = left.pop() {
            let Some((first, _)) = bulk.rows.first().copied() else { continue };
            self.make_collection(place)?;
            match answer::read(&self.insert(place, &bulk)?, bulk.rows.len()) {
                Answer::Done { told } => again = self.settle(&bulk, told, &own_ids, progress).or(again),
                Answer::Unsure(words) => again = Some(words),
                Answer::Unfit(words) => match bulk.halves() {
                    Some((first, second)) => left.extend([second, first]),
                    None => progress.refuse([first], &words),
                },
                Answer::Not(words) => return Err(OutputError::Later(words)),
            }
        }
        Ok(again)
    }

    fn insert(&self, place: &Place, bulk: &Bulk) -> Result<Value, OutputError> {
        let mut entries =
            vec![("insert", Value::Str(place.collection.clone())), ("ordered", Value::Bool(false))];
        entries.extend(self.concern.clone().map(|concern| ("writeConcern", concern)));
        self.ask(Command::with(&entries, &place.database, "documents", bulk.body.clone()))
    }

    /// Notes what became of each document; words where some have to be sent again.
    fn settle(
        &self,
        bulk: &Bulk,
        told: Vec<(usize, Verdict)>,
        own_ids: &HashSet<usize>,
        progress: &mut Settled,
    ) -> Option<String> {
        let (mut again, mut waiting) = (None, HashSet::new());
        for (at, verdict) in told {
            let (row, _) = bulk.rows[at];
            match verdict {
                // It was sent before, and the answer lost: no other row has its id.
                Verdict::Exists(_) if !own_ids.contains(&row) => {}
                Verdict::Exists(words) | Verdict::Refused(words) => progress.refuse([row], &words),
                Verdict::Again(words) => {
                    waiting.insert(row);
                    again = Some(words);
                }
            }
        }
        let rows = bulk.rows.iter().map(|(row, _)| *row);
        progress.settle(rows.filter(|row| !waiting.contains(row)));
        again
    }

    /// Makes a collection that is not there, where it is to be another than servers make by themselves.
    fn make_collection(&self, place: &Place) -> Result<(), OutputError> {
        let Made { capped, expires, known } = &self.made;
        if capped.is_none() && expires.is_none() {
            return Ok(());
        }
        let key = (place.database.clone(), place.collection.clone());
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(&key) {
            return Ok(());
        }
        let name = Value::Str(place.collection.clone());
        let mut commands = Vec::new();
        if let Some(capped) = capped {
            commands.push([vec![("create", name.clone())], capped.clone()].concat());
        }
        if let Some((field, seconds)) = expires {
            let text = |text: &str| Value::Str(text.to_owned());
            let index = vec![
                (text("key"), Value::Map(vec![(text(field), Value::Int(1))])),
                (text("name"), Value::Str(format!("{field}_1"))),
                (text("expireAfterSeconds"), Value::Int(*seconds)),
            ];
            commands.push(vec![("createIndexes", name), ("indexes", Value::List(vec![Value::Map(index)]))]);
        }
        for entries in commands {
            let answer = self.ask(Command::new(&entries, &place.database))?;
            if !answer::is_made(&answer) {
                return Err(OutputError::Later(answer::words(&answer)));
            }
        }
        if known.len() == KNOWN {
            known.clear();
        }
        known.insert(key);
        Ok(())
    }

    fn ask(&self, command: Command) -> Result<Value, OutputError> {
        let servers = self.servers.clone();
        match wait(&self.runtime, &self.stop, async move { servers.ask(&command).await }) {
            Some(answer) => answer.map_err(OutputError::Later),
            None => Err(OutputError::Later("no answer before the end".to_owned())),
        }
    }
}

impl Made {
    fn new(options: &Options) -> Result<Made, ConfigError> {
        let size = i64::try_from(options.bytes("capped_size")).unwrap_or(i64::MAX);
        let capped = options.flag("capped").then(|| {
            let mut entries = vec![("capped", Value::Bool(true)), ("size", Value::Int(size))];
            let most = options.number("capped_max");
            entries.extend((most > 0).then_some(("max", Value::UInt(most))));
            entries
        });
        if capped.is_some() && size == 0 {
            return Err(ConfigError("`capped` needs `capped_size`".to_owned()));
        }
        let seconds = options.duration("expire_after").as_secs();
        let expires = (seconds > 0)
            .then(|| (options.text("time_key").to_owned(), i64::try_from(seconds).unwrap_or(i64::MAX)));
        if expires.is_some() && !options.flag("include_time_key") {
            return Err(ConfigError("`expire_after` needs `include_time_key`".to_owned()));
        }
        Ok(Made { capped, expires, known: Mutex::default() })
    }
}

/// What must hold for any answer at all.
pub(crate) fn check_answer(answer: &Value) {
    const SENT: usize = 3;
    if let Answer::Done { told } = answer::read(answer, SENT) {
        assert!(told.iter().all(|(place, _)| *place < SENT));
    }
    let Value::Map(entries) = answer else { panic!("an answer is a document") };
    let mut document = Vec::new();
    let written = bson::write(None, entries, &Keys::default(), &mut document);
    let back = written.and_then(|()| bson::read(&document)).expect("it was read, so it can be written");
    let mut again = Vec::new();
    let Value::Map(entries) = &back else { panic!("it is a document") };
    bson::write(None, entries, &Keys::default(), &mut again).expect("it was written before");
    assert_eq!(document, again);
}
