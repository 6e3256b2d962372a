//! Names, ids, bodies and sampling.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context as Task, Poll, Waker};

use super::{Watch, turn};
use crate::{
    Builder, Value, add, append, begin, context, current_context, find_context, log, set, shutdown, timeit,
};

#[test]
fn without_a_receiver_nothing_is_there() {
    let _turn = turn();
    shutdown(std::time::Duration::ZERO);
    let request = context("request");
    set("a", 1);
    request.append("b", 2);
    assert!(!request.is_enabled());
    assert!(find_context("request").is_none() && current_context().id().is_none());
    log("ERROR", "app", "nobody hears it");
}

#[test]
fn names_are_found_within_the_contexts_around() {
    let cases: &[(&[&str], &str, &str, Option<&str>)] = &[
        (&[], "a", "a", None),
        (&[], ".a", "a", None),
        (&[], "^.a", "a", None),
        (&["r"], ".s", "r.s", Some("r")),
        (&["r"], "rx", "rx", None),
        (&["r"], "r", "r", Some("r")),
        (&["r", ".s"], ".s.t", "r.s.t", Some("r.s")),
        (&["r", ".s"], "^.t", "r.t", Some("r")),
        (&["r", ".s"], "r.s.t", "r.s.t", Some("r.s")),
        (&["r", ".s"], "r.x", "r.x", Some("r")),
        (&["a.b"], "a.c", "a.c", None),
        (&["a.b"], "a.b.c", "a.b.c", Some("a.b")),
        (&["r", ".s", "r.s.u"], ".s", "r.s", Some("r")),
        (&["r"], "..a", "r.a", Some("r")),
        (&["r"], "^a", "a", None),
        (&["r"], "", "unnamed", None),
    ];
    for (around, given, name, parent) in cases {
        let watch = Watch::begin();
        let mut stack: Vec<_> = around.iter().map(|name| context(*name)).collect();
        context(*given).set("it", true);
        while stack.pop().is_some() {}
        let all = watch.all();
        let (it, others) = all.split_first().unwrap();
        assert_eq!(it.name, *name, "{given} within {around:?}");
        let found = others.iter().find(|event| Some(event.span) == it.parent);
        assert_eq!(found.map(|event| event.name.as_str()), *parent, "{given} within {around:?}");
        match found {
            Some(parent) => assert_eq!(it.id, parent.id, "{given} within {around:?}"),
            None => assert!(others.iter().all(|event| event.id != it.id), "{given} within {around:?}"),
        }
    }
}

#[test]
fn ids_are_made_or_given_and_sort_by_time() {
    let watch = Watch::begin();
    drop(context("a"));
    drop(context("a"));
    drop(Builder::new("b").id(17).enter());
    let all = watch.all();
    let Value::Text(id) = &all[0].id else { panic!("{:?}", all[0].id) };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let seconds = u64::from_str_radix(&id[..8], 16).unwrap();
    assert!(id.len() == 32 && now - seconds < 60, "{id}");
    assert_ne!(all[0].id, all[1].id);
    assert_eq!(all[2].id, Value::Int(17));
}

#[test]
fn bodies_are_written_by_dotted_keys() {
    let watch = Watch::begin();
    {
        let request = context("request");
        request.set("response.status", 200);
        request.merge("response", [("size", 5u64)]);
        append("tags", "a");
        append("tags", String::from("b"));
        set("tags.0", "c");
        add("n", 2);
        add("n", 3);
        add("n", 0.5);
        add("most", u64::MAX);
        set("none", None::<i64>);
        set("list", vec![1.5, 2.5]);
        drop(timeit("render"));
    }
    let request = watch.one("request");
    assert_eq!(request.get("response.status"), Value::Int(200));
    assert_eq!(request.get("response.size"), Value::Int(5));
    assert_eq!(request.get("tags"), Value::from(["c", "b"]));
    assert_eq!(request.get("n"), Value::Float(5.5));
    assert_eq!(request.get("most"), Value::UInt(u64::MAX));
    assert_eq!(request.get("none"), Value::Null);
    assert_eq!(request.get("list"), Value::from([1.5, 2.5]));
    assert!(matches!(request.get("render"), Value::Float(seconds) if (0.0..60.0).contains(&seconds)));
    let Value::Map(body) = &request.body else { panic!("a map") };
    assert_eq!(body[0].0, "response", "in the order in which it came");
}

#[test]
fn writes_that_cannot_be_made_are_told_in_the_body() {
    let watch = Watch::begin();
    {
        let request = context("request");
        request.set("text", "a");
        request.append("text", 1);
        request.add("text", 1);
        request.set("text.below", 1);
        request.set("a.0.b", 1);
        request.set("list", [1]);
        request.set("list.7", 1);
        (0..100).for_each(|_| request.append("text", 1));
    }
    let request = watch.one("request");
    assert_eq!(request.get("text"), Value::from("a"));
    let Value::List(refused) = request.get("refused") else { panic!("a list") };
    assert_eq!(refused.len(), 8);
    assert_eq!(refused[0], Value::from("text: there is no list"));
    assert_eq!(refused[1], Value::from("text: there is no number"));
    assert_eq!(refused[2], Value::from("text.below: there is no map on the way"));
    assert_eq!(refused[3], Value::from("a.0.b: a number may stand only at the end of a key"));
    assert_eq!(refused[4], Value::from("list.7: there is no such place in the list"));
}

#[test]
fn what_is_over_or_discarded_takes_nothing_more() {
    let watch = Watch::begin();
    let request = begin("request");
    let handle = request.clone();
    request.done();
    handle.set("late", 1);
    begin("nothing").discard();
    assert_eq!(watch.names(), ["request"]);
    assert_eq!(watch.one("request").body, Value::Map(vec![]));
}

#[test]
fn contexts_that_end_out_of_order_leave_the_others() {
    let watch = Watch::begin();
    let outer = context("outer");
    let inner = context("inner");
    drop(outer);
    assert_eq!(current_context().name(), "inner");
    drop(inner);
    assert!(current_context().id().is_none());
    assert_eq!(watch.names(), ["outer", "inner"]);
}

#[test]
fn a_context_is_found_by_its_place_or_name() {
    let _watch = Watch::begin();
    let _top = context("top");
    let _middle = context(".middle");
    let _inner = context(".inner");
    let name = |of: &str| find_context(of).map(|context| context.name().to_owned());
    assert_eq!(name(".").unwrap(), "top.middle.inner");
    assert_eq!(name("..").unwrap(), "top.middle");
    assert_eq!(name("^").unwrap(), "top");
    assert_eq!(name("top.middle").unwrap(), "top.middle");
    assert_eq!(name("other"), None);
}

#[test]
fn sampling_is_decided_by_the_event_or_once_by_an_ancestor() {
    let watch = Watch::begin();
    for _ in 0..400 {
        drop(Builder::new("own").sample(".", 0.25).enter());
    }
    let own = watch.names().len();
    assert!((40..=180).contains(&own), "{own} of 400 at a rate of 0.25");
    drop(watch);
    for who in ["..", "^", "request"] {
        let watch = Watch::begin();
        for _ in 0..200 {
            let request = context("request");
            for _ in 0..3 {
                let sql = Builder::new(".sql").sample(who, 0.5).enter();
                // What is below an event that is not kept is not kept.
                let _deep = context(".deep");
                sql.set("a", 1);
            }
            drop(request);
        }
        let all = watch.all();
        let requests = all.iter().filter(|event| event.name == "request");
        let mut kept = 0;
        for request in requests {
            let below = all.iter().filter(|event| event.id == request.id).count() - 1;
            assert!(below == 0 || below == 6, "{who}: {below} below one request");
            kept += usize::from(below == 6);
        }
        assert!((50..=150).contains(&kept), "{who}: {kept} of 200 at a rate of 0.5");
    }
    let watch = Watch::begin();
    drop(Builder::new("none").sample(".", 0.0).enter());
    drop(Builder::new("all").sample(".", 1.0).enter());
    assert_eq!(watch.names(), ["all"]);
}

#[test]
fn threads_have_contexts_of_their_own_and_take_one_along_by_hand() {
    let watch = Watch::begin();
    let request = context("request");
    let here = current_context();
    std::thread::scope(|scope| {
        scope.spawn(|| assert!(current_context().id().is_none()));
        scope.spawn(|| {
            let _scope = here.enter();
            drop(context(".work"));
        });
    });
    drop(request);
    assert_eq!(watch.one("request.work").parent, Some(watch.one("request").span));
}

#[test]
fn a_future_has_its_context_wherever_it_is_polled() {
    let watch = Watch::begin();
    let mut turns = 0;
    let mut work = pin!(begin("task").follow(poll_fn(|_| {
        turns += 1;
        add("turns", 1);
        drop(context(".step"));
        if turns < 3 { Poll::Pending } else { Poll::Ready(()) }
    })));
    let other = context("other");
    let mut task = Task::from_waker(Waker::noop());
    while work.as_mut().poll(&mut task).is_pending() {
        assert_eq!(current_context().name(), "other");
    }
    drop(other);
    assert_eq!(watch.names(), ["task.step", "task.step", "task.step", "other"], "it ends when it is dropped");
}

#[test]
fn a_future_that_is_dropped_ends_its_event() {
    let watch = Watch::begin();
    let work = begin("task").follow(std::future::pending::<()>());
    assert!(watch.names().is_empty());
    drop(work);
    assert_eq!(watch.names(), ["task"]);
}

#[test]
fn a_log_line_is_an_event_below() {
    let watch = Watch::begin();
    let request = context("request");
    log("ERROR", "app", format!("it failed {} times", 3));
    drop(request);
    let line = watch.one("request.log");
    assert_eq!(line.parent, Some(watch.one("request").span));
    assert_eq!(line.get("msg"), Value::from("it failed 3 times"));
    assert_eq!(line.get("level"), Value::from("ERROR"));
    assert_eq!(line.seconds, 0.0);
}
