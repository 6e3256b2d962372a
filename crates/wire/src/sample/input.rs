//! Makes the events. Knows nothing of configurations.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use sawlog_model::value::parse_json;
use sawlog_model::{Context, Limits, Right, Tenant, Value};
use sawlog_pipeline::{ConfigError, Env, Input, Intake, Options, Running};
use tokio::sync::watch;

use crate::shared::events::Events;
use crate::shared::gather::{Gather, Place};
use crate::shared::sources::Sources;

/// How often events are made where the rate is higher than that.
const TICK: Duration = Duration::from_millis(100);

/// How long the last ones may take to be on stable storage once the node stops.
const ENDING: Duration = Duration::from_secs(10);

struct SampleInput {
    tag: String,
    events: Vec<Vec<(Value, Value)>>,
    size: u64,
    rate: u64,
    counter: Option<String>,
}

/// Makes an input from its options.
///
/// # Errors
/// [`ConfigError`] where they cannot be.
pub(super) fn make(options: &Options) -> Result<Box<dyn Input>, ConfigError> {
    let text = options.text("sample");
    let wrong =
        |what: &str| ConfigError(format!("`sample = {text}` {what}; write a JSON object or a list of them"));
    let value = parse_json(text.as_bytes(), &Limits::default())
        .map_err(|error| wrong(&format!("is no JSON ({error})")))?;
    let list = if let Value::List(list) = value { list } else { vec![value] };
    let map = |value| if let Value::Map(entries) = value { Some(entries) } else { None };
    let events: Option<Vec<_>> = list.into_iter().map(map).collect();
    let events = events
        .filter(|events| !events.is_empty())
        .ok_or_else(|| wrong("holds something else than objects"))?;
    let counter = Some(options.text("auto_increment_key").to_owned()).filter(|key| !key.is_empty());
    let (size, rate) = (options.number("size").max(1), options.number("rate"));
    Ok(Box::new(SampleInput { tag: options.text("tag").to_owned(), events, size, rate, counter }))
}

impl Input for SampleInput {
    fn start(self: Box<Self>, intake: Intake, env: Env) -> Result<Running, String> {
        let tenant = env.access.admit(b"", Right::Ingest).map_err(|error| error.to_string())?;
        let (stop, stopped) = watch::channel(false);
        let (alive, ended) = mpsc::channel::<()>();
        let runtime = env.runtime.clone();
        runtime.spawn(async move {
            self.run(intake, env, tenant, stopped).await;
            drop(alive);
        });
        let join = move || {
            stop.send_replace(true);
            // Nobody sends: the channel closes when the task has ended.
            let _ = ended.recv_timeout(ENDING);
        };
        Ok(Running { address: None, join: Box::new(join) })
    }
}

impl SampleInput {
    async fn run(self, intake: Intake, env: Env, tenant: Tenant, mut stop: watch::Receiver<bool>) {
        if self.rate == 0 {
            return;
        }
        let sources = Sources::new(intake.known_sources(), "sample", env.sys.random.clone()).of(tenant);
        let source = sources.get(&format!("sample:{}", self.tag));
        let place = Place { source, context: Arc::new(Context::new([("_tag", self.tag.as_str())])) };
        let (mut events, mut gather) = (Events::new(env.limits), Gather::default());
        let began = env.sys.clock.monotonic();
        let (mut rounds, mut number) = (0, 0);
        let mut tick = tokio::time::interval(TICK.max(Duration::from_secs(1) / self.rate.min(1_000) as u32));
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            let passed = env.sys.clock.monotonic().saturating_sub(began);
            // The first round comes at once.
            let due = 1 + (passed.as_millis() as u64).saturating_mul(self.rate) / 1_000;
            let now = env.sys.clock.now();
            for _ in 0..(due - rounds) * self.size {
                events.push(&self.event(number), Some(now), now, &place, &[], &mut gather);
                number += 1;
            }
            rounds = due;
            if let Err(error) = intake.submit(gather.take(tenant)).await {
                intake.count_error("delivery", &error.to_string());
            }
        }
    }

    /// The event of that number.
    fn event(&self, number: u64) -> Value {
        let mut entries = self.events[(number % self.events.len() as u64) as usize].clone();
        if let Some(key) = &self.counter {
            entries.push((Value::Str(key.clone()), Value::Int(number as i64)));
        }
        Value::Map(entries)
    }
}
