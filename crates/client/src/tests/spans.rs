//! `tracing` as contexts.

use std::io;

use tracing::{Level, debug, error, info, info_span, span};
use tracing_subscriber::layer::SubscriberExt as _;

use super::Watch;
use crate::{Layer, Value, context, current_context, set};

fn traced(layer: Layer, work: impl FnOnce()) -> Watch {
    let watch = Watch::begin();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), work);
    watch
}

#[test]
fn spans_are_events_with_their_fields_in_a_tree() {
    let watch = traced(Layer::new(), || {
        let request = info_span!("request", user = 7, path = "/a", response.status = tracing::field::Empty);
        let _request = request.enter();
        let _sql = info_span!("sql", rows = 3u64, share = 0.5, cached = true, query = ?Some(1)).entered();
        request.record("response.status", 200);
    });
    let (request, sql) = (watch.one("request"), watch.one("request.sql"));
    assert_eq!((sql.parent, &sql.id), (Some(request.span), &request.id));
    assert_eq!(request.get("user"), Value::Int(7));
    assert_eq!(request.get("path"), Value::from("/a"));
    assert_eq!(request.get("response.status"), Value::Int(200));
    assert_eq!(sql.get("rows"), Value::Int(3));
    assert_eq!(sql.get("share"), Value::Float(0.5));
    assert_eq!(sql.get("cached"), Value::Bool(true));
    assert_eq!(sql.get("query"), Value::from("Some(1)"));
    assert!(request.seconds >= sql.seconds);
}

#[test]
fn names_of_spans_may_be_whole_or_relative() {
    let watch = traced(Layer::new(), || {
        let _a = info_span!("a").entered();
        let _b = info_span!("a.b").entered();
        let _c = info_span!(".c").entered();
        let _d = info_span!("^.d").entered();
        let _a = info_span!("a").entered();
    });
    assert_eq!(watch.names(), ["a", "a.d", "a.b.c", "a.b", "a"]);
    let top = watch.all().pop().unwrap();
    assert!(watch.all().iter().all(|event| event.id == top.id), "one tree");
}

#[test]
fn contexts_and_spans_mix() {
    let watch = traced(Layer::new(), || {
        let outer = context("job");
        {
            let _span = info_span!("step").entered();
            set("by", "hand");
            drop(context(".inner"));
        }
        assert_eq!(current_context().name(), "job");
        drop(outer);
    });
    assert_eq!(watch.names(), ["job.step.inner", "job.step", "job"]);
    assert_eq!(watch.one("job.step").get("by"), Value::from("hand"));
}

#[test]
fn a_span_may_name_its_parent_or_have_none() {
    let watch = traced(Layer::new(), || {
        let one = info_span!("one");
        let _two = info_span!("two").entered();
        drop(info_span!(parent: &one, "below"));
        drop(info_span!(parent: None, "alone"));
        drop(span!(Level::INFO, "in"));
    });
    assert_eq!(watch.names(), ["one.below", "alone", "two.in", "two", "one"]);
    assert_eq!(watch.one("alone").parent, None);
}

#[test]
fn what_is_logged_is_an_event_below_with_level_target_and_fields() {
    let watch = traced(Layer::new(), || {
        let _request = info_span!("request").entered();
        let broken = io::Error::other("the disk");
        error!(exception = &broken as &dyn std::error::Error, attempt = 2, "cannot write {}", "it");
    });
    let line = watch.one("request.log");
    assert_eq!(line.parent, Some(watch.one("request").span));
    assert_eq!(line.get("msg"), Value::from("cannot write it"));
    assert_eq!(line.get("level"), Value::from("ERROR"));
    assert_eq!(line.get("name"), Value::from("sawlog_client::tests::spans".to_owned()));
    assert_eq!(line.get("attempt"), Value::Int(2));
    assert_eq!(line.get("exception"), Value::from("the disk"));
    drop(watch);
    let watch = traced(Layer::new(), || info!("hello"));
    assert_eq!(watch.names(), ["log"], "without a span around");
}

#[test]
fn spans_are_sampled_by_name() {
    let layer = Layer::new().sample("sql", "^", 0.0);
    let watch = traced(layer, || {
        let _request = info_span!("request").entered();
        let _sql = info_span!("sql").entered();
        debug!("below what is not kept");
    });
    assert_eq!(watch.names(), ["request"]);
}
