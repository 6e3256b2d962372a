//! `tracing` as contexts: a span is an event with its fields as the body, what is logged within it an event `.log` below.
//! Knows nothing of queues and connections.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use tracing_core::field::{Field, Visit};
use tracing_core::span::{Attributes, Id, Record};
use tracing_core::{Event as Logged, Subscriber};
use tracing_subscriber::layer;
use tracing_subscriber::registry::LookupSpan;

use crate::context::{Builder, Context, Event, current_context};
use crate::value::{Key, Value};

/// Makes events of spans and of what is logged; which, is decided by the filter that it is given.
///
/// - A span's name is put below that of the span or context around it: `sql` within `request` is `request.sql`, as it is for
///   a name that repeats the beginning (`request.sql`). `.sql` and `^.sql` mean what they mean for contexts.
/// - A span is the current context wherever it is entered, so that [`set`](crate::set) writes into it.
/// - What is logged becomes an event `.log` with `level`, `name` (its target), `msg` and its fields.
///
/// ```
/// use tracing_subscriber::layer::SubscriberExt as _;
/// let subscriber = tracing_subscriber::registry().with(sawlog_client::Layer::new().sample("sql", "^", 0.1));
/// # let _ = subscriber;
/// ```
#[derive(Clone, Debug, Default)]
pub struct Layer {
    samples: Vec<(Key, Key, f64)>,
}

/// What a span keeps of its event.
struct Kept(Event);

impl Layer {
    /// All that the filter lets through is sent.
    pub fn new() -> Layer {
        Layer::default()
    }

    /// Keeps only some of the spans of that name as it stands in the program, as [`Builder::sample`] does.
    #[must_use]
    pub fn sample(mut self, span: impl Into<Key>, who: impl Into<Key>, rate: f64) -> Layer {
        self.samples.push((span.into(), who.into(), rate));
        self
    }

    fn builder(&self, name: &'static str, around: Option<&Context>) -> Builder {
        let inside = around.is_some_and(Context::is_begun);
        let relative = if inside && !name.starts_with(['.', '^']) {
            Cow::Owned(format!(".{name}"))
        } else {
            Cow::Borrowed(name)
        };
        let builder = Builder::new(relative).within(around);
        match self.samples.iter().find(|(span, ..)| span == name) {
            Some((_, who, rate)) => builder.sample(who.clone(), *rate),
            None => builder,
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> layer::Layer<S> for Layer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, subscriber: layer::Context<'_, S>) {
        let Some(span) = subscriber.span(id) else { return };
        let around = around(attributes.is_contextual(), attributes.parent(), &subscriber);
        let event = self.builder(attributes.metadata().name(), around.as_ref()).begin();
        attributes.record(&mut Writer(&event));
        span.extensions_mut().insert(Kept(event));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, subscriber: layer::Context<'_, S>) {
        if let Some(context) = context(id, &subscriber) {
            values.record(&mut Writer(&context));
        }
    }

    fn on_event(&self, logged: &Logged<'_>, subscriber: layer::Context<'_, S>) {
        let around = around(logged.is_contextual(), logged.parent(), &subscriber);
        Builder::new(".log").within(around.as_ref()).instant(|event| {
            let metadata = logged.metadata();
            event.set("name", metadata.target());
            event.set("level", metadata.level().as_str());
            logged.record(&mut Writer(event));
        });
    }

    fn on_enter(&self, id: &Id, subscriber: layer::Context<'_, S>) {
        if let Some(context) = context(id, &subscriber) {
            // It is left by `on_exit`.
            std::mem::forget(context.enter());
        }
    }

    fn on_exit(&self, id: &Id, subscriber: layer::Context<'_, S>) {
        if let Some(context) = context(id, &subscriber) {
            context.leave();
        }
    }

    fn on_close(&self, id: Id, subscriber: layer::Context<'_, S>) {
        let kept = subscriber.span(&id).and_then(|span| span.extensions_mut().remove::<Kept>());
        // Sent when the span's own lock is free again.
        drop(kept);
    }
}

/// What a span or an event is put into: the current context where it does not say, else the span that it names, or nothing.
fn around<S: Subscriber + for<'a> LookupSpan<'a>>(
    contextual: bool,
    parent: Option<&Id>,
    subscriber: &layer::Context<'_, S>,
) -> Option<Context> {
    if contextual { Some(current_context()) } else { context(parent?, subscriber) }
}

fn context<S: Subscriber + for<'a> LookupSpan<'a>>(
    id: &Id,
    subscriber: &layer::Context<'_, S>,
) -> Option<Context> {
    let span = subscriber.span(id)?;
    let extensions = span.extensions();
    extensions.get::<Kept>().map(|kept| Context::clone(&kept.0))
}

/// Writes fields into an event. The message of a log is its `msg`; dots in the names of fields nest.
struct Writer<'a>(&'a Context);

impl Writer<'_> {
    fn set(&self, field: &Field, value: impl Into<Value>) {
        let name = if field.name() == "message" { "msg" } else { field.name() };
        self.0.set(name, value);
    }
}

impl Visit for Writer<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.to_owned());
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        self.set(field, Value::Bytes(value.to_owned()));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut words = value.to_string();
        let mut error = value;
        while let Some(source) = error.source() {
            words = format!("{words}: {source}");
            error = source;
        }
        self.set(field, words);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}"));
    }
}
