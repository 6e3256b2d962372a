//! What is promised is there, what is taken comes back, and the sum stays below the root.

use std::time::Duration;

use sawlog_sys::task;

use super::*;

#[test]
fn what_a_share_was_promised_nobody_else_gets() {
    let all = Memory::new("all", 100);
    let rows = all.share("rows", 40, 30);
    let questions = all.share("questions", 100, 0);
    assert_eq!((all.held(), rows.free(), questions.free()), (30, 40, 70));
    let most = questions.take(70).unwrap();
    assert_eq!(questions.take(1).unwrap_err().share, "all");
    // Beside its own the share finds nothing now, and everything later.
    let mut own = rows.take(30).unwrap();
    assert!(own.try_resize(31).is_err());
    assert_eq!((own.bytes(), rows.free(), all.held()), (30, 0, 100));
    drop(most);
    own.try_resize(40).unwrap();
    assert_eq!(own.try_resize(41).unwrap_err().share, "rows");
    assert_eq!((all.held(), questions.free()), (40, 60));
    drop(own);
    drop(rows);
    assert_eq!(all.held(), 0);
}

#[test]
fn one_who_holds_anyway_leaves_others_less() {
    let all = Memory::new("all", 100);
    let (rows, questions) = (all.share("rows", 20, 20), all.share("questions", 100, 0));
    let mut line = rows.hold();
    line.resize(90);
    assert_eq!((questions.free(), all.held()), (10, 90));
    assert!(questions.take(11).is_err());
    line.resize(5);
    assert_eq!(questions.take(80).unwrap().bytes(), 80);
}

#[test]
fn a_share_of_a_share_is_bound_by_both() {
    let all = Memory::new("all", 100);
    let questions = all.share("questions", 60, 0);
    let (one, other) = (questions.share("one", 50, 0), questions.share("other", 50, 0));
    let held = one.take(50).unwrap();
    let full = other.take(11).unwrap_err();
    assert_eq!((full.share.as_str(), full.most, full.held), ("questions", 60, 50));
    assert!(full.to_string().contains("questions may hold"), "{full}");
    drop(held);
    assert!(other.take(11).is_ok());
}

#[test]
fn one_who_waits_gets_what_is_given_back() {
    let all = Memory::new("all", 100);
    let held = all.take(60).unwrap();
    assert!(all.take_within(50, Duration::from_millis(5)).is_err());
    assert!(all.take_within(101, Duration::from_secs(600)).is_err(), "it never can have so much");
    let waiting = all.clone();
    let waiter =
        task::spawn("waiter", move || waiting.take_within(50, Duration::from_secs(60)).is_ok()).unwrap();
    drop(held);
    assert_eq!(waiter.join(), Some(true));
}
