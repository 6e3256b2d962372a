//! Rules on a real store: what they select goes by age and by size, with its bytes, and nothing else.

use std::sync::Arc;

use sawlog_model::{Batch, Context, Marks, Meter, Row, Source, SourceId};
use sawlog_server::{NewToken, Role};
use sawlog_store::{Options, Order, Origin, ScanRequest};

use super::*;

struct Place {
    sys: Sys,
    store: Store,
    loggers: Loggers,
    _dir: tempfile::TempDir,
    next: u64,
}

impl Place {
    fn new() -> Place {
        let (sys, dir) = (Sys::real(), tempfile::tempdir().unwrap());
        let store = Store::open(&sys, dir.path(), Options::default()).unwrap();
        let loggers = Loggers::open(&sys, dir.path()).unwrap();
        Place { sys, store, loggers, _dir: dir, next: 1 }
    }

    /// Lines of so many days ago.
    fn add(&mut self, tenant: u32, days: i64, lines: &[String]) {
        self.add_by("", tenant, days, lines);
    }

    /// Lines that came with a token that keeps them.
    fn add_by(&mut self, token: &str, tenant: u32, days: i64, lines: &[String]) {
        let time = self.sys.clock.now() - days * DAY;
        let mut batch = Batch {
            tenant: Tenant(tenant),
            source: Arc::new(Source { id: SourceId(u128::from(tenant)), ..Source::default() }),
            buffer: lines.concat().into_bytes().into(),
            context: Arc::new(Context::new((!token.is_empty()).then_some((sawlog_model::TOKEN, token)))),
            ..Batch::default()
        };
        let mut start = 0;
        for line in lines {
            let len = line.len() as u32;
            let offset = self.next * 1_000_000 + u64::from(start);
            batch.rows.push(Row {
                start,
                len,
                offset,
                time,
                received: time,
                slots_end: 0,
                marks: Marks::default(),
            });
            start += len;
        }
        let (at, next) = (self.next, self.next + 1);
        self.next = next;
        self.store.append(Arc::new(batch), Origin::Journal { at, next, position: None }).unwrap();
        self.store.flush().unwrap();
    }

    fn rows(&self, tenant: u32, search: &str) -> usize {
        let (predicate, range) = sawlog_query::predicate(search, 0).unwrap();
        let columns = vec!["_line".to_owned()];
        let request =
            ScanRequest { tenant: Tenant(tenant), range, predicate, columns, order: Order::Any, limit: None };
        self.store.scan(&request).unwrap().map(|batch| batch.unwrap().num_rows()).sum()
    }

    fn apply(&self, rules: &[Rule]) {
        self.apply_with(&Tenancy::open(&self.sys, "/no/such".as_ref()).unwrap(), rules);
    }

    fn apply_with(&self, tenancy: &Tenancy, rules: &[Rule]) {
        let mut retention = Retention::new(&self.sys, &self.loggers, tenancy, rules.to_vec());
        let known = |name: &str| name.strip_prefix('t').and_then(|id| id.parse().ok()).map(Tenant);
        retention.apply(&self.store, known).unwrap();
    }

    fn stored(&self) -> u64 {
        self.store.segments().iter().map(|segment| segment.stored_bytes).sum()
    }
}

fn rule(select: &str, tenant: &str, days: u32, size: u64) -> Rule {
    Rule { select: select.to_owned(), tenant: tenant.to_owned(), days, size }
}

fn lines(word: &str, count: usize) -> Vec<String> {
    (0..count).map(|at| format!("{word} line {at} {:x}\n", at * 7_919_777)).collect()
}

#[test]
fn rows_go_by_the_age_of_the_first_rule_that_selects_them() {
    let mut place = Place::new();
    for days in [1, 10, 40] {
        place.add(1, days, &[lines("debug", 50), lines("audit", 20), lines("other", 30)].concat());
        place.add(2, days, &lines("debug", 5));
    }
    let before = place.stored();
    place.apply(&[rule("audit", "", 0, 0), rule("debug", "t1", 7, 0), rule("*", "", 30, 0)]);
    assert_eq!(place.rows(1, "audit"), 60, "an exception stays, whatever comes behind it");
    assert_eq!(place.rows(1, "debug"), 50);
    assert_eq!(place.rows(1, "other"), 60);
    assert_eq!(place.rows(2, "debug"), 10, "another tenant's rule");
    assert!(place.stored() < before, "the bytes are gone");
}

#[test]
fn the_oldest_rows_of_a_rule_go_where_they_take_too_many_bytes() {
    let mut place = Place::new();
    for days in (1..9).rev() {
        place.add(1, days, &[lines("debug", 4_000), lines("other", 1_000)].concat());
    }
    let all = place.stored();
    let of_debug = all * 4 / 5;
    place.apply(&[rule("debug", "", 0, of_debug * 2)]);
    assert_eq!(place.rows(1, "debug"), 32_000, "there is room");
    place.apply(&[rule("debug", "", 0, of_debug / 2)]);
    let left = place.rows(1, "debug");
    assert!((8_000..=16_000).contains(&left), "{left}");
    assert_eq!(place.rows(1, "other"), 8_000);
    assert!(place.stored() < all * 7 / 10, "{} of {all}", place.stored());
    // The newest are there.
    let newest = place.store.segments().iter().map(|segment| segment.last_time).max();
    assert!(newest.is_some_and(|time| time > place.sys.clock.now() - 2 * DAY));
}

#[test]
fn a_rule_without_a_selection_is_refused_in_words() {
    let with = |key: &str, value: &str| {
        let mut config = Config::default();
        config.settings.insert("store.retention.0000.days".to_owned(), "30".to_owned());
        config.settings.insert(format!("store.retention.0000.{key}"), value.to_owned());
        rules(&config)
    };
    for (key, value) in [("select", ""), ("select", "  "), ("tenant", "a")] {
        let error = with(key, value).unwrap_err().to_string();
        assert!(error.contains("select = \"*\""), "{error}");
    }
    assert!(with("select", "a | limit 1").is_err());
    assert_eq!(with("select", "*").unwrap(), [rule("*", "", 30, 0)]);
}

/// A tenant with a token of these limits, in a directory; the token's id.
fn token(dir: &std::path::Path, limits: &str) -> (Tenancy, String) {
    let sys = Sys::real();
    let tenancy = Tenancy::open(&sys, dir).unwrap();
    tenancy.add_tenant("acme", "").unwrap();
    let new = NewToken { name: "x".to_owned(), role: Role::Ingest, expires: None };
    let id = tenancy.add_token("acme", new).unwrap().id;
    // As the commands write it.
    let path = dir.join("access.json");
    let mut table: serde_json::Value = serde_json::from_slice(&sys.fs.read(&path).unwrap()).unwrap();
    let tokens = table["tokens"].as_object_mut().expect("tokens by their ids");
    tokens[&id]["limits"] = serde_json::from_str(limits).unwrap();
    let file = sys.fs.open(&path, sawlog_sys::Open::Create).unwrap();
    file.write_at(&serde_json::to_vec_pretty(&table).unwrap(), 0).unwrap();
    (Tenancy::open(&sys, dir).unwrap(), id)
}

#[test]
fn what_came_with_a_token_goes_as_that_says() {
    let dir = tempfile::tempdir().unwrap();
    let mut place = Place::new();
    let (tenancy, id) = token(dir.path(), "{\"keep_seconds\":864000}");
    for days in [1, 5, 20] {
        place.add_by(&id, 1, days, &lines("token", 30));
        place.add_by("another", 1, days, &lines("another", 30));
        place.add(1, days, &lines("without", 30));
    }
    place.apply_with(&tenancy, &[]);
    let left = ["token", "another", "without"].map(|word| place.rows(1, word));
    assert_eq!(left, [60, 90, 90]);
}

#[test]
fn what_came_with_a_token_takes_so_many_bytes_and_no_more() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut place = Place::new();
    let (first, id) = token(dir.path(), "{\"stored_bytes\":1000}");
    for days in (1..9).rev() {
        place.add_by(&id, 1, days, &lines("token", 4_000));
        place.add(1, days, &lines("without", 1_000));
    }
    let room = |tenancy: &Tenancy| tenancy.bring(Tenant(1), Some(&id), 1, 1);
    assert_eq!(room(&first), Ok(()));
    place.apply_with(&first, &[]);
    assert!(room(&first).is_err_and(|over| over.reason.contains("the token holds")), "nothing more is taken");
    assert_eq!(first.bring(Tenant(1), None, 1, 1), Ok(()));
    assert_eq!(place.rows(1, "token"), 32_000, "and nothing goes");
    let (second, new) = token(other.path(), &format!("{{\"keep_bytes\":{}}}", place.stored() / 2));
    for days in (1..9).rev() {
        place.add_by(&new, 1, days, &lines("newer", 4_000));
    }
    place.apply_with(&second, &[]);
    let left = ["token", "without", "newer"].map(|word| place.rows(1, word));
    assert!(left[0] == 32_000 && left[1] == 8_000 && (8_000..=24_000).contains(&left[2]), "{left:?}");
}
