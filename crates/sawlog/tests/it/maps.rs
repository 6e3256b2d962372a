//! Events that came as maps keep every value, type and key order: through the forward input, the journal, the store before
//! and after compaction, export, and a forward output to another node.

use sawlog_model::Value;
use sawlog_model::value;
use sawlog_sys::sim::Dice;
use sawlog_wire::shared::msgpack;

use crate::agent::Agent;
use crate::forward::Sender;
use crate::node::{Node, sawlog, succeed};

/// A word, odd ones among them.
fn text(dice: &mut Dice) -> String {
    let words = [
        "",
        "a",
        "timeout",
        "ü 漢字",
        "\"quoted\" \\ back",
        "line\nbreak\ttab",
        "\u{1b}[31m",
        "$bin",
        "10.0.0.1",
    ];
    dice.pick(&words).to_owned()
}

/// Any value, less deep the deeper it is.
fn value(dice: &mut Dice, depth: u64) -> Value {
    match dice.below(if depth > 3 { 11 } else { 13 }) {
        0 => Value::Nil,
        1 => Value::Bool(dice.below(2) == 0),
        2 => Value::Int(dice.below(1_000) as i64 - 500),
        3 => Value::Int(i64::MIN + dice.below(9) as i64),
        4 => Value::UInt(u64::MAX - dice.below(1_000) as u64),
        5 => Value::Float([0.0, -0.0, 1.0, 1e300, f64::INFINITY, 0.1][dice.below(6)]),
        6 => Value::Float32([1.5f32, 0.1, f32::MAX][dice.below(3)]),
        7 | 8 => Value::Str(text(dice)),
        9 => Value::Bin(vec![0, 255, dice.below(256) as u8]),
        10 => Value::Time(1_700_000_000_000_000_000 + dice.below(1 << 40) as i64),
        11 => Value::List((0..dice.below(4)).map(|_| value(dice, depth + 1)).collect()),
        _ => map(dice, depth + 1),
    }
}

fn map(dice: &mut Dice, depth: u64) -> Value {
    let mut entries = Vec::new();
    for index in 0..dice.below(5) {
        // Keys out of their alphabetical order, some of them odd, and one that is no text.
        let key = match dice.below(8) {
            0 => Value::Int(index as i64),
            1 => Value::Str(format!("$k{index}")),
            2 => Value::Str(format!("_k{index}")),
            _ => Value::Str(format!("{}{}", ["z", "a.b", "m"][dice.below(3)], index)),
        };
        entries.push((key, value(dice, depth)));
    }
    Value::Map(entries)
}

fn events(count: usize) -> Vec<Value> {
    let mut dice = Dice(0xfeed);
    let number = |n: usize, map| match map {
        Value::Map(mut entries) => {
            entries.insert(0, (Value::Str("number".to_owned()), Value::Int(n as i64)));
            Value::Map(entries)
        }
        other => other,
    };
    (0..count).map(|n| number(n, map(&mut dice, 0))).collect()
}

/// One Forward message with all events, and an ack asked for.
fn message(events: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    msgpack::write_list(3, &mut out);
    msgpack::write_str("maps", &mut out);
    msgpack::write_list(events.len(), &mut out);
    for (index, event) in events.iter().enumerate() {
        msgpack::write_list(2, &mut out);
        msgpack::write_time(1_700_000_000_000_000_000 + index as i64, &mut out);
        msgpack::write(event, &mut out);
    }
    msgpack::write_map(1, &mut out);
    msgpack::write_str("chunk", &mut out);
    msgpack::write_str("bWFwcw==", &mut out);
    out
}

fn exported(node: &Node) -> Vec<Value> {
    let text = succeed(
        sawlog().args(["export", "--format", "text", "--query", "_tag:maps", "--data"]).arg(&node.data),
    );
    let limits = sawlog_model::Limits::default();
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| value::parse(line, &limits).expect("a line of a map")).collect()
}

fn assert_same(what: &str, found: &[Value], sent: &[Value]) {
    assert_eq!(found.len(), sent.len(), "{what}: another number of events");
    for (found, sent) in found.iter().zip(sent) {
        assert!(found.same(sent), "{what}: {found:?} instead of {sent:?}");
    }
}

#[test]
fn maps_keep_values_types_and_order_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let sent = events(400);
    let node = Node::start(&folder.path().join("first"), &[]);
    let mut sender = Sender::connect(node.forward).unwrap();
    assert!(sender.send_message(&message(&sent), "bWFwcw==").unwrap());
    assert_same("from the store", &exported(&node), &sent);
    let data = node.data.clone();
    node.shut_down();
    succeed(sawlog().args(["store", "compact", "--data"]).arg(&data));
    let node = Node::start(&data, &[]);
    assert_same("after compaction", &exported(&node), &sent);
    node.shut_down();

    // Once as a lane between two sawlogs, once as any Fluentd would get it.
    for lane in ["true", "false"] {
        let far = Node::start(&folder.path().join(format!("far-{lane}")), &[]);
        let agent = Agent::relay(&folder.path().join(format!("agent-{lane}")), far.forward, lane);
        let mut sender = Sender::connect(agent.forward).unwrap();
        assert!(sender.send_message(&message(&sent), "bWFwcw==").unwrap());
        far.wait_for("_tag:maps", sent.len());
        assert_same(&format!("forwarded, lane = {lane}"), &exported(&far), &sent);
        agent.stop();
        far.shut_down();
    }
}
