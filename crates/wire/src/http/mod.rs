//! Bodies of events that come over HTTP: JSON lines, a JSON list or object, or lines of any other format. Knows nothing of the
//! server: the binary hands bodies over and turns errors into answers.

mod split;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use sawlog_model::{
    Accepted, Batch, Context, Delivery, ENCRYPTED, IngestError, Limits, Marks, Nanos, Source,
};
use sawlog_pipeline::{DeliveryError, Env, Intake};

use self::split::Lines;
use crate::format::{More, Parser, Settings};
use crate::shared::inflate::{Compression, InflateError, inflate};
use crate::shared::sources::Sources;
use crate::shared::window::{Ticket, Verdict, Window};

/// Longest tag or host, bytes: they name sources, which are kept in memory.
const NAME_MOST: usize = 1024;

/// Takes bodies.
pub struct HttpIngest {
    intake: Intake,
    env: Env,
    sources: Sources,
    window: Window,
}

/// How the lines of a body are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    Json,
    /// Any format; it is detected.
    Lines,
}

impl HttpIngest {
    /// Delivers to `intake`.
    pub fn new(intake: Intake, env: Env) -> Self {
        let sources = Sources::new(intake.known_sources(), "http", env.sys.random.clone());
        let window = Window::new(&intake.known_keys());
        HttpIngest { intake: intake.refusing(), env, sources, window }
    }

    /// Decodes and delivers a body; it is on stable storage then.
    ///
    /// # Errors
    /// [`IngestError`]; nothing of it is stored.
    pub async fn ingest(&self, delivery: Delivery) -> Result<Accepted, IngestError> {
        let result = self.try_ingest(delivery).await;
        let result = result.map(|accepted| Accepted { position: self.intake.journaled().0, ..accepted });
        if let Err(error) = &result {
            let reason = match error {
                IngestError::Malformed(_) => "malformed",
                IngestError::Unsupported(_) => "unsupported",
                IngestError::TooLarge(_) => "too_large",
                IngestError::Limited(_) => "limited",
                IngestError::Later(_) | IngestError::Failed(_) => "delivery",
            };
            self.intake.count_error(reason, &error.to_string());
        }
        result
    }

    async fn try_ingest(&self, delivery: Delivery) -> Result<Accepted, IngestError> {
        let tenant = delivery.tenant;
        let key = delivery
            .idempotency_key
            .clone()
            .map(|key| Window::id(&[b"http", &tenant.0.to_le_bytes(), key.as_bytes()]));
        let source = self.source(&delivery)?;
        let (limits, received) = (self.env.limits, self.env.sys.clock.now());
        // Decoding takes its time; the threads that serve connections must not.
        let decoded = tokio::task::spawn_blocking(move || decode(&delivery, source, received, &limits)).await;
        let (batch, accepted) = decoded.map_err(|error| IngestError::Failed(error.to_string()))??;
        if batch.rows.is_empty() {
            return Ok(accepted);
        }
        let ticket = match key {
            None => None,
            Some(id) => match self.turn(id).await {
                Some(ticket) => Some(ticket),
                None => return Ok(accepted),
            },
        };
        if accepted.invalid > 0 {
            self.intake.count_error("invalid", &format!("{} lines of a body", accepted.invalid));
        }
        let failed = |error: DeliveryError| match error {
            DeliveryError::Stopping | DeliveryError::Output(_) => IngestError::Later(error.to_string()),
            DeliveryError::Journal(_) => IngestError::Failed(error.to_string()),
            DeliveryError::Limited(over) => IngestError::Limited(over),
        };
        self.sources.record(std::iter::once(&batch.source), &self.intake).await.map_err(failed)?;
        self.intake.submit_keyed(vec![(batch, key)]).await.map_err(failed)?;
        if let Some(ticket) = ticket {
            ticket.taken();
        }
        Ok(accepted)
    }

    /// The right to deliver the body of a key; `None` where it was delivered, perhaps while this waited.
    async fn turn(&self, id: u128) -> Option<Ticket> {
        loop {
            match self.window.ask(id) {
                Verdict::New(ticket) => return Some(ticket),
                Verdict::Taken => return None,
                Verdict::Pending(mut outcome) => {
                    // Where the other one failed it is this one's turn.
                    let _ = outcome.wait_for(Option::is_some).await;
                }
            }
        }
    }

    fn source(&self, delivery: &Delivery) -> Result<Arc<Source>, IngestError> {
        let (tag, host) = (delivery.tag.as_deref().unwrap_or_default(), delivery.host.as_deref());
        if tag.len().max(host.map_or(0, str::len)) > NAME_MOST {
            return Err(IngestError::Malformed(format!("a tag or host of more than {NAME_MOST} bytes")));
        }
        let at = host.map(|host| format!("@{host}")).unwrap_or_default();
        Ok(self.sources.of(delivery.tenant).get(&format!("http:{tag}{at}")))
    }
}

/// The rows of a body.
fn decode(
    delivery: &Delivery,
    source: Arc<Source>,
    received: Nanos,
    limits: &Limits,
) -> Result<(Batch, Accepted), IngestError> {
    let bytes = unpack(delivery, limits)?;
    let mut accepted = Accepted { bytes: bytes.len() as u64, ..Accepted::default() };
    let form = form(&delivery.content_type, &bytes)?;
    let buffer = match form {
        Form::Lines => bytes,
        Form::Json => match split::lines(&bytes, limits) {
            Ok(Lines::AsSent) => bytes,
            Ok(Lines::Made(lines)) => lines.into(),
            Err(error) => return Err(IngestError::Malformed(error.to_string())),
        },
    };
    let format = (form == Form::Json).then(|| "json".to_owned());
    let settings = Settings { format, reference: received, fallback: received, ..Settings::default() };
    let mut parser = Parser::new(settings, *limits);
    let parsed = parser.parse(&buffer, 0, More::No);
    let mut rows = parsed.rows;
    for row in &mut rows {
        row.received = received;
        accepted.invalid += u64::from(form == Form::Json && row.marks.has(Marks::UNPARSED));
    }
    accepted.records = rows.len() as u64;
    let named = [("_tag", &delivery.tag), ("_host", &delivery.host)];
    let context = named.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    let context = context.chain(delivery.encrypted.then_some((ENCRYPTED, "true")));
    let batch = Batch {
        tenant: delivery.tenant,
        source,
        context: Arc::new(Context::new(context)),
        buffer,
        names: parser.names(),
        rows,
        slots: parsed.slots,
        token: delivery.token.clone(),
        ..Batch::default()
    };
    Ok((batch, accepted))
}

/// The body without its compression.
fn unpack(delivery: &Delivery, limits: &Limits) -> Result<Bytes, IngestError> {
    let too_large = || IngestError::TooLarge(format!("more than {} bytes at once", limits.message));
    let compression = match delivery.content_encoding.as_str() {
        "" | "identity" if delivery.body.len() > limits.message => return Err(too_large()),
        "" | "identity" => return Ok(delivery.body.clone()),
        "gzip" | "x-gzip" => Compression::Gzip,
        "deflate" => Compression::Zlib,
        "zstd" => Compression::Zstd,
        other => {
            return Err(IngestError::Unsupported(format!(
                "Content-Encoding {other:?}; there are gzip, deflate and zstd"
            )));
        }
    };
    inflate(&delivery.body, compression, limits.message).map(Bytes::from).map_err(|error| match error {
        InflateError::Long(_) => too_large(),
        InflateError::Broken(_) => IngestError::Malformed(error.to_string()),
    })
}

/// How the lines are read: as the type says, or as the first byte does where that says nothing.
fn form(content_type: &str, bytes: &[u8]) -> Result<Form, IngestError> {
    match content_type {
        "application/json"
        | "application/x-ndjson"
        | "application/ndjson"
        | "application/jsonl"
        | "application/json-lines"
        | "application/x-json-stream"
        | "application/stream+json" => Ok(Form::Json),
        "text/plain" => Ok(Form::Lines),
        // curl's own, and what says nothing.
        "" | "application/x-www-form-urlencoded" | "application/octet-stream" => {
            let first = bytes.trim_ascii_start().first();
            Ok(if matches!(first, Some(b'{')) { Form::Json } else { Form::Lines })
        }
        other => Err(IngestError::Unsupported(format!(
            "Content-Type {other:?}; there are application/json, application/x-ndjson and text/plain"
        ))),
    }
}
