//! Rows to Elasticsearch or OpenSearch, as Fluentd's `elasticsearch` sends them: see README.md. Knows nothing of where rows
//! come from.

mod answer;
mod document;
mod index;
mod nodes;
mod options;
mod template;
#[cfg(test)]
mod tests;

use std::sync::Mutex;

use hyper::Method;
use sawlog_model::Batch;
use sawlog_pipeline::config::{FluentForm, Role};
use sawlog_pipeline::{ConfigError, Env, Options, Output, OutputError, Protocol};
use sawlog_sys::task::Stop;

use self::answer::Verdict;
use self::document::{Documents, Sort};
use self::nodes::Nodes;
use self::template::Template;
use crate::shared::bulk::Bulk;
use crate::shared::dial::wait;
use crate::shared::held::{AtOnce, HandOn, Progress, Settled};
use crate::shared::http_client::Answered;

/// The output.
pub const PROTOCOL: Protocol = Protocol {
    name: "elasticsearch",
    summary: "Sends rows to Elasticsearch or OpenSearch.",
    options: options::OPTIONS,
    output: Some(make),
    fluent: &[FluentForm {
        role: Role::Match,
        names: &["elasticsearch", "opensearch"],
        read: options::from_fluent,
    }],
    ..Protocol::EMPTY
};

struct Elasticsearch {
    nodes: Nodes,
    documents: Documents,
    /// Templates that were not put yet.
    templates: Mutex<Vec<Template>>,
    progress: Progress,
    /// Longest body of a request.
    most: usize,
    runtime: tokio::runtime::Handle,
    stop: Stop,
}

fn make(options: &Options, env: &Env) -> Result<Box<dyn Output>, ConfigError> {
    let output = Elasticsearch {
        nodes: Nodes::new(options, env)?,
        documents: Documents::new(options, env)?,
        templates: Mutex::new(template::read(options, &env.sys)?),
        progress: Progress::default(),
        most: options.bytes("bulk_message_request_threshold").max(1),
        runtime: env.runtime.clone(),
        stop: env.stop.clone(),
    };
    Ok(Box::new(AtOnce::new(&env.name, output)))
}

/// What a request leaves to do.
enum Outcome {
    /// Each of its rows is settled.
    Done,
    /// Some are to be sent again; the words of the last.
    Again(String),
}

impl HandOn for Elasticsearch {
    fn hand_on(&self, batch: &Batch) -> Result<(), OutputError> {
        if batch.rows.is_empty() {
            return Ok(());
        }
        self.put_templates()?;
        let mut progress = self.progress.of(batch);
        let mut again = None;
        let mut writer = self.documents.of_batch(batch);
        let mut bulk = Bulk::default();
        for row in 0..batch.rows.len() {
            if progress.is_settled(row) {
                continue;
            }
            let start = bulk.body.len();
            if let Err(reason) = writer.write(row, &mut bulk.body) {
                bulk.body.truncate(start);
                progress.refuse([row], &reason);
                continue;
            }
            if bulk.body.len() > self.most && start > 0 {
                let rest = bulk.body.split_off(start);
                let full = std::mem::replace(&mut bulk, Bulk { body: rest, ..Bulk::default() });
                again = self.send(full, &mut progress)?.or(again);
            }
            bulk.rows.push((row, bulk.body.len()));
        }
        again = self.send(bulk, &mut progress)?.or(again);
        match again {
            Some(reason) => Err(OutputError::Later(reason)),
            None => progress.finish(),
        }
    }
}

impl Elasticsearch {
    /// Sends documents; words where some of them have to be sent again.
    fn send(&self, bulk: Bulk, progress: &mut Settled) -> Result<Option<String>, OutputError> {
        let mut left = vec![bulk];
        let mut again = None;
        while let Some(bulk) = left.pop() {
            if bulk.rows.is_empty() {
                continue;
            }
            let answer = self.ask(Method::POST, &self.documents.path(), &bulk.body)?;
            if answer.status.as_u16() == 413 {
                let row = bulk.rows[0].0;
                match bulk.halves() {
                    Some((first, second)) => left.extend([second, first]),
                    None => progress.refuse([row], &format!("{} {}", answer.status, answer.words())),
                }
                continue;
            }
            if let Outcome::Again(reason) = self.judge(&answer, &bulk, progress) {
                again = Some(reason);
            }
        }
        Ok(again)
    }

    /// What an answer says of each document.
    fn judge(&self, answer: &Answered, bulk: &Bulk, progress: &mut Settled) -> Outcome {
        let whole = || format!("{} {}", answer.status, answer.words());
        let rows = || bulk.rows.iter().map(|(row, _)| *row);
        if answer.status.as_u16() == 400 {
            // Nothing of what is sent can be read: sending it again would not help.
            progress.refuse(rows(), &whole());
            return Outcome::Done;
        }
        // Other codes are of the way there, or of who may: rows are not to be given up for that.
        let verdicts = answer.status.is_success().then(|| answer::read(&answer.body, bulk.rows.len()));
        let Some(Some(verdicts)) = verdicts else { return Outcome::Again(whole()) };
        let is_create = self.documents.sort() == Sort::Create;
        let mut outcome = Outcome::Done;
        for (row, verdict) in rows().zip(verdicts) {
            match verdict {
                Verdict::Held => progress.settle([row]),
                Verdict::Exists if is_create => progress.settle([row]),
                Verdict::Exists => progress.refuse([row], "409: another version of the document is there"),
                Verdict::Refused(reason) => progress.refuse([row], &reason),
                Verdict::Again(reason) => outcome = Outcome::Again(reason),
            }
        }
        outcome
    }

    /// Asks one node after the other.
    fn ask(&self, method: Method, path: &str, body: &[u8]) -> Result<Answered, OutputError> {
        let body = self.nodes.pack(body).map_err(OutputError::Later)?;
        let mut why = String::new();
        for node in self.nodes.in_turn() {
            let (asked, method, path, body) = (node.clone(), method.clone(), path.to_owned(), body.clone());
            let answer = wait(&self.runtime, &self.stop, async move { asked.ask(method, &path, body).await });
            match answer {
                Some(Ok(answer)) => return Ok(answer),
                Some(Err(failure)) => why = format!("{}: {failure}", node.shown()),
                None => return Err(OutputError::Later("no answer before the end".to_owned())),
            }
            self.nodes.failed(&node);
        }
        Err(OutputError::Later(why))
    }

    /// Puts the templates that are not there, before the first row.
    fn put_templates(&self) -> Result<(), OutputError> {
        let mut templates = self.templates.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        while let Some(template) = templates.last() {
            let later = |answer: Answered| {
                let words = format!("template {}: {} {}", template.name, answer.status, answer.words());
                Err(OutputError::Later(words))
            };
            let there = if template.overwrite {
                false
            } else {
                match self.ask(Method::HEAD, &template.path, b"")? {
                    answer if answer.status.is_success() => true,
                    answer if answer.status.as_u16() == 404 => false,
                    answer => return later(answer),
                }
            };
            if !there {
                let answer = self.ask(Method::PUT, &template.path, &template.body)?;
                if !answer.status.is_success() {
                    return later(answer);
                }
            }
            templates.pop();
        }
        Ok(())
    }
}
