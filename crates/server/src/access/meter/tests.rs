//! Rates, bounds and counts of tenants and tokens.

use super::*;

#[test]
fn a_rate_lets_a_burst_pass_and_then_its_share() {
    let gauge = Gauge::new(Limits { records_per_second: 10, ..Limits::default() }, Usage::default());
    let at = Duration::from_millis;
    assert_eq!(gauge.bring("tenant", 20, 0, at(0)), Ok(()), "a burst of two seconds");
    let over = gauge.bring("tenant", 1, 0, at(0)).expect_err("over");
    assert!(over.reason.contains("10 records a second") && over.wait <= at(101), "{over:?}");
    assert_eq!(gauge.bring("tenant", 11, 0, at(150)), Ok(()), "on credit, since something is there");
    assert!(gauge.bring("tenant", 1, 0, at(1_000)).is_err(), "which is to be paid first");
    assert_eq!(gauge.bring("tenant", 1, 0, at(1_300)), Ok(()));
    gauge.set(Limits { bytes_per_second: 5, ..Limits::default() });
    assert_eq!(gauge.bring("tenant", 1_000, 1_000, at(1_300)), Ok(()));
    let over = gauge.bring("tenant", 1, 1, at(1_300)).expect_err("over");
    assert!(over.reason.contains("bytes_per_second") && over.wait > at(190_000), "{over:?}");
    gauge.set(Limits::default());
    assert_eq!(gauge.bring("tenant", u64::MAX / 2, 1, at(1_300)), Ok(()), "no limit");
}

#[test]
fn a_token_may_have_rates_of_its_own() {
    let dir = tempfile::tempdir().expect("a directory");
    let meters = Meters::open(&Sys::real(), dir.path()).expect("none yet");
    let limits = Limits { bytes_per_second: 10, ..Limits::default() };
    meters.limit_tokens(HashMap::from([("a".to_owned(), limits)]));
    meters.bring(Tenant(1), Some("a"), 1, 10_000).expect("on credit");
    let over = meters.room(Tenant(1), Some("a")).expect_err("over");
    assert!(
        over.reason.contains("the token may send 10 bytes") && over.wait > Duration::from_secs(100),
        "{over:?}"
    );
    assert!(meters.bring(Tenant(1), Some("a"), 1, 1).is_err());
    assert_eq!(meters.counted()[&1], Usage { records: 1, bytes: 10_000, limited: 2, ..Usage::default() });
    for token in [None, Some("b")] {
        assert_eq!(meters.bring(Tenant(1), token, 1, 1), Ok(()), "another token of the tenant");
    }
    meters.limit(Tenant(1), Limits { records_per_second: 1, ..Limits::default() });
    meters.limit_tokens(HashMap::from([("a".to_owned(), Limits { records_per_second: 9, ..limits })]));
    meters.bring(Tenant(1), None, 100, 1).expect("on credit");
    let before = meters.room(Tenant(1), Some("a")).expect_err("over");
    assert!(before.reason.contains("the token"), "{before:?}");
    assert!(meters.room(Tenant(1), Some("b")).is_err_and(|over| over.reason.contains("the tenant")));
    meters.limit_tokens(HashMap::new());
    meters.limit(Tenant(1), Limits::default());
    assert_eq!(meters.bring(Tenant(1), Some("a"), 1, 1), Ok(()), "it has none any more");
}

#[test]
fn a_token_may_have_bounds_of_its_own() {
    let dir = tempfile::tempdir().expect("a directory");
    let meters = Meters::open(&Sys::real(), dir.path()).expect("none yet");
    let limits = Limits { sources: 1, fields: 2, stored_bytes: 100, ..Limits::default() };
    meters.limit_tokens(HashMap::from([("a".to_owned(), limits)]));
    let batch = |source: u128, fields: &[&str]| {
        let mut names = sawlog_model::Names::default();
        fields.iter().for_each(|name| _ = names.intern(name));
        let source = sawlog_model::Source { id: sawlog_model::SourceId(source), ..Default::default() };
        Batch { tenant: Tenant(1), source: Arc::new(source), names: Arc::new(names), ..Batch::default() }
    };
    assert_eq!(meters.names(Some("a"), &batch(1, &["x", "y"])), Ok(()));
    let over = |source, fields| meters.names(Some("a"), &batch(source, fields)).expect_err("over").reason;
    assert!(over(2, &["x"]).contains("rows of the token may come from 1 sources"));
    assert!(over(1, &["z"]).contains("fields of rows of the token may have 2 names"));
    assert_eq!(meters.names(None, &batch(2, &["z"])), Ok(()), "who comes without it");
    assert!(meters.marks("a") && !meters.marks("b"));
    meters.stored_by("a", true);
    assert!(meters.room(Tenant(1), Some("a")).is_err_and(|over| over.reason.contains("the token holds")));
    assert_eq!(meters.room(Tenant(1), None), Ok(()));
    meters.stored_by("a", false);
    assert_eq!(meters.room(Tenant(1), Some("a")), Ok(()));
}

#[test]
fn what_is_stored_is_bounded() {
    let gauge = Gauge::new(Limits { stored_bytes: 100, ..Limits::default() }, Usage::default());
    assert_eq!(gauge.bring("tenant", 1, 1, Duration::ZERO), Ok(()));
    gauge.stored.store(100, Ordering::Relaxed);
    assert!(
        gauge.bring("tenant", 1, 1, Duration::ZERO).is_err_and(|over| over.reason.contains("stored_bytes"))
    );
}

#[test]
fn questions_at_once_are_bounded_by_tenant() {
    let dir = tempfile::tempdir().expect("a directory");
    let meters = Meters::open(&Sys::real(), dir.path()).expect("none yet");
    meters.limit(Tenant(1), Limits { queries: 2, query_seconds: 3, ..Limits::default() });
    let two = [meters.turn(Tenant(1), None), meters.turn(Tenant(1), None)];
    assert!(two.iter().flatten().all(|turn| turn.most == Some(Duration::from_secs(3))));
    assert!(two.iter().flatten().all(|turn| !turn.heedless));
    assert!(two.iter().flatten().count() == 2 && meters.turn(Tenant(1), None).is_none());
    assert!(meters.turn(Tenant(2), None).is_some_and(|turn| turn.most.is_none() && !turn.heedless));
    drop(two);
    assert!(
        meters.turn(Tenant(1), None).is_some_and(|turn| turn.heedless),
        "it asked beyond its limit just now"
    );
    assert_eq!(meters.counted()[&1].queries, 3);
}

#[test]
fn counts_are_there_after_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let sys = Sys::real();
    let meters = Meters::open(&sys, dir.path()).expect("none yet");
    meters.bring(Tenant(7), None, 3, 300).expect("no limit");
    meters.save().expect("saved");
    let again = Meters::open(&sys, dir.path()).expect("it is read");
    again.bring(Tenant(7), None, 1, 10).expect("no limit");
    let days = again.days(30).expect("they are read");
    assert_eq!((days.len(), days[0].1[&7].records, days[0].1[&7].bytes), (1, 4, 310));
    let before = day_of(sys.clock.now() - 86_400 * SECOND);
    again.file(&before).write(&Day::from([(7, Usage { records: 9, ..Usage::default() })])).expect("written");
    assert_eq!(
        again.days(2).expect("read")[1],
        (before, Day::from([(7, Usage { records: 9, ..Usage::default() })]))
    );
}
