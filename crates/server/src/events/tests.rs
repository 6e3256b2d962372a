//! Trees of events: who is below whom, and which types are asked for.

use serde_json::{Map, Value, json};

use super::{Event, arrange::arrange, tree, types};

/// An event `TYPE START END [span [parent]]`.
fn event(words: &str) -> Event {
    let words: Vec<&str> = words.split(' ').collect();
    let number = |index: usize| words[index].parse::<f64>().unwrap();
    let mut line = json!({ "type": words[0], "id": "a", "start": number(1), "end": number(2), "body": {} });
    for (key, index) in [("span", 3), ("parent", 4)] {
        if let Some(word) = words.get(index) {
            line[key] = (*word).into();
        }
    }
    read(&line).unwrap()
}

fn read(line: &Value) -> Option<Event> {
    let record =
        json!({ "_source": "s", "_epoch": 1, "_offset": 7, "_time": "t", "_line": line.to_string() });
    let Value::Object(record) = record else { panic!("an object") };
    Event::read(&record)
}

fn drawn(events: &[&str]) -> String {
    let placed = arrange(events.iter().map(|words| event(words)).collect());
    let lines =
        placed.iter().map(|(depth, event)| format!("{}{}@{}", "-".repeat(*depth), event.kind, event.start));
    lines.collect::<Vec<_>>().join(" ")
}

#[test]
fn spans_and_parents_make_the_tree() {
    let events = [
        "r.sql 3 4 d b",
        "r 1 9 a",
        "r.load 2 5 b a",
        "r.log 2.5 2.5 c b",
        "r.load 6 7 e a",
        "other 4 5 f a",
    ];
    assert_eq!(drawn(&events), "r@1 -r.load@2 --r.log@2.5 --r.sql@3 -other@4 -r.load@6");
}

#[test]
fn without_spans_names_and_times_make_it() {
    let events = ["r.sql 3 4", "r 1 5", "r.sql.row 3.5 3.6", "r 6 9", "r.sql 7 8", "x.y 2 3"];
    assert_eq!(drawn(&events), "r@1 -r.sql@3 --r.sql.row@3.5 x.y@2 r@6 -r.sql@7");
}

#[test]
fn a_parent_that_is_not_there_is_replaced_by_name() {
    assert_eq!(drawn(&["r 1 9 a", "r.load.sql 3 4 c gone"]), "r@1 -r.load.sql@3");
    assert_eq!(drawn(&["r.load.sql 3 4 c gone"]), "r.load.sql@3");
}

#[test]
fn what_makes_no_tree_is_given_once_all_the_same() {
    // Parents of each other, of themselves, and the same twice.
    let events = ["a 1 2 1 2", "b 1 2 2 1", "c 1 2 3 3", "d 5 6 4", "d 5 6 4"];
    assert_eq!(drawn(&events), "c@1 d@5 a@1 -b@1");
    let deep: Vec<String> = (0..5000).map(|n| format!("r {n} 9999 s{n} s{}", n - 1)).collect();
    let deep: Vec<&str> = deep.iter().map(String::as_str).collect();
    assert_eq!(arrange(deep.iter().map(|words| event(words)).collect()).last().unwrap().0, 4999);
}

#[test]
fn a_tree_has_its_time_and_the_places_of_its_records() {
    let tree = tree(vec![event("r.sql 3 4.5 b a"), event("r 1 4 a")], false);
    assert_eq!((&tree["id"], &tree["start"], &tree["seconds"]), (&json!("a"), &json!(1.0), &json!(3.5)));
    let sql = &tree["events"][1];
    assert_eq!((&sql["after"], &sql["seconds"], &sql["depth"]), (&json!(2.0), &json!(1.5), &json!(1)));
    assert_eq!(sql["at"], "s:1:7");
    assert!(tree.get("cut").is_none());
}

#[test]
fn other_records_are_no_events() {
    assert!(read(&json!({ "type": "a", "id": 1, "start": 1, "end": 2 })).is_some());
    for line in [
        json!({ "type": 1, "id": 1, "start": 1, "end": 2 }),
        json!({ "type": "a", "start": 1, "end": 2 }),
        json!({ "type": "a", "id": null, "start": 1, "end": 2 }),
        json!({ "type": "a", "id": 1, "start": "1", "end": 2 }),
        json!({ "type": "a", "id": 1, "start": 1 }),
        json!(["a"]),
    ] {
        assert!(read(&line).is_none(), "{line}");
    }
    assert!(Event::read(&Map::new()).is_none());
    let backwards = read(&json!({ "type": "a", "id": 1, "start": 2, "end": 1 })).unwrap();
    assert_eq!(backwards.seconds(), 0.0);
}

#[test]
fn types_become_terms() {
    assert_eq!(types(""), "type:*");
    assert_eq!(types("request"), r#"type:="request""#);
    assert_eq!(types("request.*, job"), r#"type:request.* OR type:="job""#);
    assert_eq!(types(r#"a"b"#), r#"type:="a\"b""#);
    assert_eq!(types("a b) OR x:*"), r"type:a\ b\)\ OR\ x\:*");
}
