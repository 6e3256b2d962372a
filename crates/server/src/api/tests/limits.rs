//! Limits of single tokens, beside those of their tenant.

use super::matrix::{tenants, token};
use super::*;
use crate::access::Role;

impl House {
    async fn with_token(&self, method: &str, path: &str, token: &str) -> Response<Body> {
        let asked = Request::builder().method(method).uri(path);
        let asked = asked.header(header::AUTHORIZATION, format!("Bearer {token}"));
        let body = if method == "POST" { Body::from("{}") } else { Body::empty() };
        self.send(asked.body(body).expect("a request")).await
    }
}

/// A request with a body that never comes, as of a sender who waits to be asked for it.
fn endless(path: &str, headers: &[(&str, &str)]) -> Request<Body> {
    let mut asked = Request::post(path).header(header::EXPECT, "100-continue");
    for (name, value) in headers {
        asked = asked.header(*name, *value);
    }
    let never = futures::stream::pending::<Result<&str, std::io::Error>>();
    asked.body(Body::from_stream(never)).expect("a request")
}

#[tokio::test]
async fn who_is_at_a_limit_is_refused_before_the_body_is_read() {
    let house = tenants();
    let acme = house.tenancy.tenant("acme").expect("there is one");
    let admin = token(&house, "acme", Role::Admin);
    let (sender, other) = (token(&house, "acme", Role::Ingest), token(&house, "acme", Role::Ingest));
    let id = sender.split('_').nth(1).expect("an id");
    let path = format!("/api/v1/tokens/limit?id={id}&records_per_second=1");
    house.asked("POST", &path, &admin).await.expect("set");
    assert_eq!(house.with_token("POST", "/api/v1/ingest", &sender).await.status(), StatusCode::OK);
    let delivered = house.deliveries.lock().expect("no panic")[0].clone();
    assert_eq!(delivered.token.as_deref(), Some(id), "whoever takes it knows whose limits hold");
    sawlog_model::Meter::bring(&house.tenancy, acme, Some(id), 1_000, 1).expect("on credit");
    let bearer = format!("Bearer {sender}");
    for (path, headers) in [
        ("/api/v1/ingest", ("authorization", &*bearer)),
        ("/v1/tenant/acme/publish", ("message-token", &*sender)),
        ("/v1/acme/publish", ("message-token", &*sender)),
    ] {
        let response = house.send(endless(path, &[headers])).await;
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS, "{path}");
        let wait = response.headers()[header::RETRY_AFTER].to_str().expect("text").parse::<u64>();
        assert!((900..1_000).contains(&wait.expect("seconds")), "{path}");
        let said: Value = serde_json::from_str(&body(response).await).expect("JSON");
        let name = if path.ends_with("publish") { "title" } else { "error" };
        let words = said[name].as_str().expect("words");
        assert!(words.contains("the token may send 1 records a second"), "{path}: {words}");
    }
    let much = house.with_token("POST", "/api/v1/ingest", &sender).await;
    assert_eq!(much.status(), StatusCode::TOO_MANY_REQUESTS, "nor one whose sender does not ask");
    assert_eq!(house.with_token("POST", "/api/v1/ingest", &other).await.status(), StatusCode::OK);
    assert_eq!(house.deliveries.lock().expect("no panic").len(), 2, "nothing of the refused ones");
    assert_eq!(house.tenancy.usage(1).expect("read")[0].1[&acme.0].limited, 4);
}

#[tokio::test]
async fn a_token_may_ask_so_much_at_once() {
    let house = tenants();
    let admin = token(&house, "acme", Role::Admin);
    let (reader, other) = (token(&house, "acme", Role::Read), token(&house, "acme", Role::Read));
    let id = reader.split('_').nth(1).expect("an id");
    let path = format!("/api/v1/tokens/limit?id={id}&queries=1&query_seconds=7&query_memory=100000");
    let listed = house.asked("POST", &path, &admin).await.expect("set");
    let ours = listed["tokens"].as_array().and_then(|all| all.iter().find(|one| one["id"] == id));
    let ours = ours.expect("it is listed");
    assert_eq!(
        [&ours["queries"], &ours["query_seconds"], &ours["query_memory"]],
        [&Value::from(1), &7.into(), &100_000.into()]
    );
    let open = house.with_token("GET", "/api/v1/tail", &reader).await;
    assert_eq!(open.status(), StatusCode::OK);
    let refused = house.with_token("GET", "/api/v1/fields", &reader).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(body(refused).await.contains("(queries)"));
    assert_eq!(house.with_token("GET", "/api/v1/fields", &other).await.status(), StatusCode::OK, "another's");
    drop(open);
    assert_eq!(house.with_token("GET", "/api/v1/fields", &reader).await.status(), StatusCode::OK);
    // The lesser of the token's and the tenant's holds.
    let acme = house.tenancy.tenant("acme").expect("there is one");
    let seconds = |least: u64| Some(Duration::from_secs(least));
    let turn = house.tenancy.turn(acme, reader.as_bytes()).expect("a turn");
    assert_eq!((turn.most, turn.memory), (seconds(7), Some(100_000)));
    drop(turn);
    house
        .tenancy
        .set_limits("acme", |limits| {
            (limits.query_seconds, limits.query_memory) = (3, 200_000);
            Ok(())
        })
        .expect("set");
    let turn = house.tenancy.turn(acme, reader.as_bytes()).expect("a turn");
    assert_eq!((turn.most, turn.memory), (seconds(3), Some(100_000)));
}

#[tokio::test]
async fn a_token_has_every_limit_that_a_tenant_has() {
    let house = tenants();
    let admin = token(&house, "acme", Role::Admin);
    let sender = token(&house, "acme", Role::Ingest);
    let id = sender.split('_').nth(1).expect("an id");
    let mut limits = crate::access::Limits::default();
    let names = limits.each().map(|(name, _)| name);
    let given: String = names.iter().zip(11..).map(|(name, most)| format!("&{name}={most}")).collect();
    let listed = house.asked("POST", &format!("/api/v1/tokens/limit?id={id}{given}"), &admin).await;
    let listed = listed.expect("set");
    let ours = listed["tokens"].as_array().and_then(|all| all.iter().find(|one| one["id"] == id));
    let ours = ours.expect("it is listed");
    for (name, most) in names.iter().zip(11..) {
        assert_eq!(ours[*name], Value::from(most), "{name}");
    }
}

#[tokio::test]
async fn who_asks_again_at_once_is_answered_so_often_and_no_more() {
    let house = tenants();
    let acme = house.tenancy.tenant("acme").expect("there is one");
    let began = tokio::time::Instant::now();
    let pauses = futures::future::join_all((0..24).map(|_| house.tenancy.pause(acme)));
    pauses.await;
    assert!(began.elapsed() >= Duration::from_millis(300), "the more there are, the later");
    let one = tokio::time::timeout(Duration::from_millis(250), house.tenancy.pause(acme)).await;
    assert!(one.is_ok(), "they are waited for no longer than they wait");
}
