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

#[tokio::test]
async fn a_token_may_name_so_many_sources() {
    let house = tenants();
    let admin = token(&house, "acme", Role::Admin);
    let (sender, other) = (token(&house, "acme", Role::Ingest), token(&house, "acme", Role::Ingest));
    let id = sender.split('_').nth(1).expect("an id");
    house.asked("POST", &format!("/api/v1/tokens/limit?id={id}&sources=2"), &admin).await.expect("set");
    for (token, at, wanted) in [
        (&sender, "tag=a", 200),
        (&sender, "tag=a&host=h", 200),
        (&sender, "tag=b", 429),
        (&sender, "tag=a", 200),
        (&other, "tag=b", 200),
    ] {
        let response = house.with_token("POST", &format!("/api/v1/ingest?{at}"), token).await;
        assert_eq!(response.status().as_u16(), wanted, "{at}");
        if wanted == 429 {
            assert!(body(response).await.contains("rows of the token may come from 2 sources (sources)"));
        }
    }
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
