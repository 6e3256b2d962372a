//! An input: one event every so often, to see that a way is open.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use sawlog_model::{Context, Tenant, Value};
use sawlog_pipeline::{ConfigError, Env, Input, Intake, Opt, OptKind, Options, Protocol, Running};
use sawlog_wire::shared::events::Events;
use sawlog_wire::shared::gather::{Gather, Place};
use sawlog_wire::shared::sources::Sources;
use tokio::sync::watch;

/// The input.
pub const PROTOCOL: Protocol = Protocol {
    name: "beat",
    summary: "One event every so often.",
    options: &[
        Opt { name: "tag", kind: OptKind::Text, default: "beat", help: "Tag of the events." },
        Opt { name: "every", kind: OptKind::Duration, default: "1s", help: "Time between two." },
    ],
    input: Some(make),
    ..Protocol::EMPTY
};

struct Beat {
    tag: String,
    every: Duration,
}

fn make(options: &Options) -> Result<Box<dyn Input>, ConfigError> {
    let every = options.duration("every");
    if every.is_zero() {
        return Err(ConfigError("`every` must be longer than nothing, such as 1s".to_owned()));
    }
    Ok(Box::new(Beat { tag: options.text("tag").to_owned(), every }))
}

impl Input for Beat {
    fn start(self: Box<Self>, intake: Intake, env: Env) -> Result<Running, String> {
        let (stop, stopped) = watch::channel(false);
        let (alive, ended) = mpsc::channel::<()>();
        let runtime = env.runtime.clone();
        runtime.spawn(async move {
            self.run(intake, env, stopped).await;
            drop(alive);
        });
        let join = move || {
            stop.send_replace(true);
            let _ = ended.recv();
        };
        Ok(Running { address: None, join: Box::new(join) })
    }
}

impl Beat {
    async fn run(self, intake: Intake, env: Env, mut stop: watch::Receiver<bool>) {
        // The same name has the same id after a restart.
        let sources = Sources::new(intake.known_sources(), "beat", env.sys.random.clone());
        let source = sources.get(&format!("beat:{}", self.tag));
        let place = Place { source, context: Arc::new(Context::new([("_tag", self.tag.as_str())])) };
        let (mut events, mut gather) = (Events::new(env.limits), Gather::default());
        let mut tick = tokio::time::interval(self.every);
        for number in 0.. {
            tokio::select! {
                _ = tick.tick() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            let now = env.sys.clock.now();
            let event = Value::Map(vec![(Value::Str("beat".to_owned()), Value::Int(number))]);
            events.push(&event, Some(now), now, &place, &[], &mut gather);
            // When this returns, the event is on stable storage.
            if let Err(error) = intake.submit(gather.take(Tenant::DEFAULT)).await {
                intake.count_error("delivery", &error.to_string());
            }
        }
    }
}
