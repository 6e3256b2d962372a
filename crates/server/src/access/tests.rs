//! Tenants and tokens over a real file.

use sawlog_model::time::SECOND;

use super::*;

fn new(role: Role, expires: Option<Nanos>) -> NewToken {
    NewToken { name: "test".to_owned(), role, expires }
}

fn tenancy() -> (Tenancy, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    (Tenancy::open(&Sys::real(), dir.path()).expect("none yet"), dir)
}

const RIGHTS: [Right; 5] = [Right::Ingest, Right::Read, Right::Write, Right::Admin, Right::Node];

#[test]
fn without_tenants_everybody_may_do_everything() {
    let (tenancy, _dir) = tenancy();
    assert!(!tenancy.asks());
    for right in RIGHTS {
        assert_eq!(tenancy.admit(b"", right), Ok(Tenant::DEFAULT));
    }
    assert_eq!(tenancy.ensure(&[]), Ok(None), "nothing is configured, nothing is made");
}

#[test]
fn a_role_allows_what_it_says() {
    let (tenancy, _dir) = tenancy();
    tenancy.add_tenant("acme", "").expect("made");
    for (tenant, role, may) in [
        ("acme", Role::Ingest, [true, false, false, false, false]),
        ("acme", Role::Read, [false, true, false, false, false]),
        ("acme", Role::Write, [true, true, true, false, false]),
        ("acme", Role::Admin, [true, true, true, true, false]),
        ("default", Role::Admin, [true; 5]),
        ("default", Role::Write, [true, true, true, false, false]),
    ] {
        let token = tenancy.add_token(tenant, new(role, None)).expect("made").token;
        let got = RIGHTS.map(|right| tenancy.admit(token.as_bytes(), right).is_ok());
        assert_eq!(got, may, "{tenant} {role:?}");
    }
    for wrong in ["", "x", "sawlog_", "sawlog_00_00"] {
        assert_eq!(tenancy.admit(wrong.as_bytes(), Right::Ingest), Err(AccessError), "{wrong}");
    }
}

#[test]
fn what_was_made_is_there_after_a_restart_and_no_token_is_in_the_file() {
    let (tenancy, dir) = tenancy();
    let acme = tenancy.add_tenant("acme", "Acme Corp").expect("made");
    let made = tenancy.add_token("acme", new(Role::Read, None)).expect("made");
    let sys = Sys::real();
    let again = Tenancy::open(&sys, dir.path()).expect("it is read");
    assert_eq!(again.admit(made.token.as_bytes(), Right::Read), Ok(acme));
    assert_eq!(again.table(), tenancy.table());
    let text = String::from_utf8(sys.fs.read(&dir.path().join(FILE)).expect("a file")).expect("text");
    let secret = made.token.rsplit('_').next().expect("a secret");
    assert!(text.contains(&made.id) && !text.contains(secret));
}

#[test]
fn a_token_expires() {
    let (tenancy, _dir) = tenancy();
    let now = tenancy.now();
    let made = tenancy.add_token("default", new(Role::Admin, Some(now + 3_600 * SECOND))).expect("made");
    let shown = Digested::of(made.token.as_bytes());
    let table = tenancy.table();
    let kept = &table.tokens[&made.id];
    assert!(kept.is(&shown, now + 3_599 * SECOND) && !kept.is(&shown, now + 3_600 * SECOND));
    assert!(matches!(
        tenancy.add_token("default", new(Role::Read, Some(now - 1))),
        Err(ChangeError::Wrong(words)) if words.contains("expired")
    ));
}

#[test]
fn a_rotated_token_holds_for_a_while() {
    let (tenancy, _dir) = tenancy();
    let acme = tenancy.add_tenant("acme", "").expect("made");
    let first = tenancy.add_token("acme", new(Role::Read, None)).expect("made");
    let second = tenancy.rotate(acme, &first.id, 60 * SECOND).expect("rotated");
    let admits = |made: &Made| tenancy.admit(made.token.as_bytes(), Right::Read).is_ok();
    assert!(first.id == second.id && admits(&first) && admits(&second));
    let third = tenancy.rotate(acme, &first.id, 0).expect("rotated");
    assert!(!admits(&first) && !admits(&second) && admits(&third), "one before, and only while it holds");
    assert!(tenancy.rotate(Tenant::DEFAULT, &first.id, 0).is_err(), "another's token");
}

#[test]
fn names_are_unique_and_numbers_never_come_again() {
    let (tenancy, _dir) = tenancy();
    let first = tenancy.add_tenant("a", "").expect("made");
    for name in ["a", "default", "", " ", "x\ny", &"x".repeat(201)] {
        assert!(matches!(tenancy.add_tenant(name, ""), Err(ChangeError::Wrong(_))), "{name:?}");
    }
    let token = tenancy.add_token("a", new(Role::Admin, None)).expect("made").token;
    assert_eq!(tenancy.change(|table| table.remove_tenant("a")), Ok(first));
    assert_eq!(tenancy.admit(token.as_bytes(), Right::Read), Err(AccessError));
    assert!(tenancy.add_tenant("a", "").expect("made") > first);
    assert!(tenancy.change(|table| table.remove_tenant("default")).is_err());
}

#[test]
fn configured_tenants_are_made_with_a_first_token() {
    let (tenancy, _dir) = tenancy();
    let names = ["a".to_owned(), "../b \"c\"".to_owned()];
    let first = tenancy.ensure(&names).expect("made").expect("a first token");
    assert_eq!(tenancy.admit(first.token.as_bytes(), Right::Node), Ok(Tenant::DEFAULT));
    assert!(names.iter().all(|name| tenancy.tenant(name).is_some()));
    assert_eq!(tenancy.ensure(&names), Ok(None), "once");
    assert_eq!(tenancy.ensure(&["d".to_owned()]), Ok(None), "another tenant, and no other token");
    assert!(tenancy.tenant("d").is_some());
}

#[test]
fn who_owns_the_directory_may_do_everything() {
    let (tenancy, _dir) = tenancy();
    tenancy.add_tenant("a", "").expect("made");
    let token = tenancy.owner_token();
    assert_eq!(tenancy.admit(token.as_bytes(), Right::Node), Ok(Tenant::DEFAULT));
    let other = tenancy.owner_token();
    assert_eq!(tenancy.admit(other.as_bytes(), Right::Node), Err(AccessError), "the first one holds");
}

#[test]
fn what_a_tenant_keeps_no_longer_goes_in_steps() {
    let (tenancy, _dir) = tenancy();
    let acme = tenancy.add_tenant("acme", "").expect("made");
    let set = |seconds| {
        let set = |limits: &mut Limits| {
            (limits.keep_seconds, limits.keep_bytes) = (seconds, 7);
            Ok(())
        };
        tenancy.set_limits("acme", set).expect("set");
    };
    set(1_000);
    let ends = |now: Nanos| tenancy.too_old(now).into_iter().map(|old| (old.tenant, old.range.end / SECOND));
    assert_eq!(ends(5_000 * SECOND).collect::<Vec<_>>(), [(acme, 4_000)]);
    assert_eq!(ends(5_009 * SECOND).collect::<Vec<_>>(), [(acme, 4_000)], "a hundredth of the time later");
    assert_eq!(ends(5_010 * SECOND).collect::<Vec<_>>(), [(acme, 4_010)]);
    assert_eq!(tenancy.sizes(), HashMap::from([(acme, 7)]));
    set(0);
    assert_eq!(ends(5_000 * SECOND).count(), 0);
}

#[test]
fn of_a_tenant_that_is_gone_nothing_is_taken() {
    let (tenancy, dir) = tenancy();
    let acme = tenancy.add_tenant("acme", "").expect("made");
    let batch = Batch { tenant: acme, ..Batch::default() };
    assert_eq!(tenancy.names(None, &batch), Ok(()));
    tenancy.bring(acme, None, 5, 50).expect("no limit");
    tenancy.save().expect("saved");
    tenancy.change(|table| table.remove_tenant("acme")).expect("removed");
    tenancy.forget(acme).expect("forgotten");
    assert!(tenancy.names(None, &batch).is_err_and(|over| over.reason.contains("was removed")));
    assert_eq!((tenancy.removed(), tenancy.has(acme)), (vec![acme], false));
    let restarted = Tenancy::open(&Sys::real(), dir.path()).expect("read");
    assert_eq!(restarted.removed(), [acme], "a later run goes on");
    tenancy.purged(&[acme]).expect("written");
    assert_eq!(tenancy.removed(), []);
    tenancy.save().expect("saved");
    let again = Tenancy::open(&Sys::real(), dir.path()).expect("read");
    assert!(again.usage(2).expect("read").iter().all(|(_, day)| day.is_empty()), "nor its counts");
    assert_ne!(again.add_tenant("acme", "").expect("made"), acme, "a number is never given again");
}
