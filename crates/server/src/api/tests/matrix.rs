//! Who may ask what: every route of the router's own list, by each of its methods, with every kind of credential.

use sawlog_model::time::SECOND;

use super::*;
use crate::access::{NewToken, Role};
use crate::door;

/// Routes that anybody may ask, by name: a new one that forgets its right is none of them, and fails here.
const FREE: &[&str] = &[
    "GET /healthz",
    "GET /bin/sawlog-agent",
    "POST /api/v1/login",
    "POST /api/v1/logout",
    // These bear a message token, or a number under a seal: see the tests of Meniscus's API.
    "HEAD /v1/tenant/{id}/token",
    "HEAD /v1/{id}/token",
    "POST /v1/tenant/{id}/publish",
    "POST /v1/{id}/publish",
    "HEAD /v1/tenant/{id}/publish",
    "HEAD /v1/{id}/publish",
    "GET /v1/job/{id}/status",
];

/// A house with the tenants `default`, `acme` and `globex`.
pub(super) fn tenants() -> House {
    let house = house_of(|tenancy| Arc::new(tenancy), Settings::default());
    for name in ["acme", "globex"] {
        house.tenancy.add_tenant(name, "").expect("made");
    }
    house
}

pub(super) fn token(house: &House, tenant: &str, role: Role) -> String {
    let new = NewToken { name: "test".to_owned(), role, expires: None };
    house.tenancy.add_token(tenant, new).expect("made").token
}

impl House {
    /// The status of an answer; what follows its head is not waited for.
    async fn status(
        &self,
        route: &crate::api::Route,
        method: Method,
        token: &str,
        named: &str,
    ) -> StatusCode {
        let mut asked = request(method, route.path, Some(token).filter(|token| !token.is_empty()));
        if !named.is_empty() {
            asked.headers_mut().insert(door::TENANT, named.parse().expect("a header"));
        }
        self.send(asked).await.status()
    }
}

#[tokio::test]
async fn every_route_asks_for_its_right() {
    let house = tenants();
    let holders = ["default", "acme"].into_iter().flat_map(|tenant| Role::ALL.map(|role| (tenant, role)));
    let tokens: Vec<_> = holders.map(|(tenant, role)| (tenant, role, token(&house, tenant, role))).collect();
    // Made last, so that it expires as late as possible; then waited for.
    let soon = Sys::real().clock.now() + SECOND / 20;
    let new = NewToken { name: "short".to_owned(), role: Role::Admin, expires: Some(soon) };
    let expired = house.tenancy.add_token("default", new).expect("made").token;
    tokio::time::sleep(Duration::from_millis(60)).await;
    for route in all() {
        for method in route.methods {
            let what = format!("{} {}", method.name(), route.path);
            let Some(right) = route.needs else {
                assert!(FREE.contains(&what.as_str()), "{what} asks for nothing; is anybody to have it?");
                continue;
            };
            for (wrong, why) in
                [("", "no token"), ("sawlog_00_00", "an unknown one"), (&expired, "an expired one")]
            {
                let status = house.status(route, *method, wrong, "").await;
                assert_eq!(status, StatusCode::UNAUTHORIZED, "{what} with {why}");
            }
            for (tenant, role, token) in &tokens {
                let number = house.tenancy.tenant(tenant).expect("there is one");
                let may = role.allows(right, number);
                let got = house.status(route, *method, token, "").await;
                assert_eq!(may, got != StatusCode::UNAUTHORIZED, "{what} as {role:?} of {tenant}: {got}");
                let theirs = house.status(route, *method, token, "globex").await;
                let owns = role.allows(Right::Node, number);
                assert_eq!(
                    owns,
                    theirs != StatusCode::UNAUTHORIZED,
                    "{what} as {role:?} of {tenant} for another"
                );
                let nobody = house.status(route, *method, token, "nobody").await;
                assert_eq!(nobody, StatusCode::UNAUTHORIZED, "{what} for a tenant that is not there");
            }
        }
    }
    for (method, path) in [("GET", "/nowhere"), ("DELETE", "/api/v1/search")] {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).expect("a request");
        let status = house.send(request).await.status().as_u16();
        assert!(matches!(status, 404 | 405), "{path}: what is not in the list is not there");
    }
}

/// The user `NAME-ROLE` of a tenant, signed in: what the browser shows.
fn signed_in(house: &House, tenant: &str, role: Role, keep: i64) -> String {
    let name = format!("{tenant}-{}", role.name());
    let _ = house.tenancy.add_user(&name, Some("a long password"), tenant, role);
    house.tenancy.open_session(&name, "", keep).expect("a session").token
}

#[tokio::test]
async fn every_route_asks_the_same_of_a_cookie() {
    let house = tenants();
    let holders = ["default", "acme"].into_iter().flat_map(|tenant| Role::ALL.map(|role| (tenant, role)));
    let cookies: Vec<_> = holders
        .map(|(tenant, role)| (tenant, role, signed_in(&house, tenant, role, 3_600 * SECOND)))
        .collect();
    let expired = signed_in(&house, "default", Role::Admin, 0);
    let ask = async |route: &crate::api::Route, method: Method, cookie: &str, named: &str, origin: &str| {
        let mut asked = request(method, route.path, None);
        let headers = asked.headers_mut();
        headers.insert(header::HOST, "localhost".parse().expect("a header"));
        headers.insert(header::COOKIE, format!("x=y; {}={cookie}", door::COOKIE).parse().expect("a header"));
        for (name, value) in [(door::TENANT, named), (header::ORIGIN, origin)] {
            if !value.is_empty() {
                headers.insert(name, value.parse().expect("a header"));
            }
        }
        house.send(asked).await.status()
    };
    let ours = "http://localhost";
    for route in all() {
        let Some(right) = route.needs else { continue };
        for method in route.methods {
            let what = format!("{} {}", method.name(), route.path);
            for (wrong, why) in [("sawlog_00_00", "an unknown one"), (&expired, "an expired one")] {
                let status = ask(route, *method, wrong, "", ours).await;
                assert_eq!(status, StatusCode::UNAUTHORIZED, "{what} with {why}");
            }
            for (tenant, role, cookie) in &cookies {
                let number = house.tenancy.tenant(tenant).expect("there is one");
                let may = role.allows(right, number);
                let got = ask(route, *method, cookie, "", ours).await;
                // Of who asks to sign out or for another password, the session is gone: that is not asked here.
                assert_eq!(may, got != StatusCode::UNAUTHORIZED, "{what} as {role:?} of {tenant}: {got}");
                let theirs = ask(route, *method, cookie, "globex", ours).await;
                let owns = role.allows(Right::Node, number);
                assert_eq!(
                    owns,
                    theirs != StatusCode::UNAUTHORIZED,
                    "{what} as {role:?} of {tenant} for another"
                );
                let foreign = ask(route, *method, cookie, "", "http://evil.example").await;
                assert_eq!(foreign, StatusCode::FORBIDDEN, "{what} for a page of another site");
                if may && !matches!(method, Method::Get | Method::Head) {
                    let lone = ask(route, *method, cookie, "", "").await;
                    assert_eq!(
                        lone,
                        StatusCode::FORBIDDEN,
                        "{what} by a cookie, of a page that nobody knows"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn a_credential_is_shown_as_token_password_or_cookie() {
    let house = tenants();
    let reader = token(&house, "acme", Role::Read);
    let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("x:{reader}"));
    for (name, value) in [
        (header::AUTHORIZATION, format!("Bearer {reader}")),
        (header::AUTHORIZATION, format!("Basic {basic}")),
        (header::COOKIE, format!("a=b; {}={reader}", door::COOKIE)),
    ] {
        let asked = Request::get("/api/v1/session").header(name, value);
        let response = house.send(asked.body(Body::empty()).expect("a request")).await;
        assert_eq!(response.status(), StatusCode::OK);
        let said: Value = serde_json::from_str(&body(response).await).expect("JSON");
        assert_eq!(
            (&said["tenant"], &said["role"], &said["asks"]),
            (&"acme".into(), &"read".into(), &true.into())
        );
    }
    let login = Request::post("/api/v1/login").header(header::CONTENT_TYPE, "application/json");
    let login = login.body(Body::from(format!("{{\"token\":\"{reader}\"}}"))).expect("a request");
    let response = house.send(login).await;
    let cookie = response.headers()[header::SET_COOKIE].to_str().expect("text").to_owned();
    assert!(cookie.contains(&reader) && cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
    let wrong = Request::post("/api/v1/login?token=x").body(Body::empty()).expect("a request");
    assert_eq!(house.send(wrong).await.status(), StatusCode::UNAUTHORIZED);
}

impl House {
    /// Asks with a token; the answer as JSON where it is good.
    pub(super) async fn asked(&self, method: &str, path: &str, token: &str) -> Result<Value, StatusCode> {
        let asked = Request::builder().method(method).uri(path);
        let asked = asked.header(header::AUTHORIZATION, format!("Bearer {token}"));
        let response = self.send(asked.body(Body::empty()).expect("a request")).await;
        if response.status() != StatusCode::OK {
            return Err(response.status());
        }
        Ok(serde_json::from_str(&body(response).await).expect("JSON"))
    }
}

#[tokio::test]
async fn tenants_and_tokens_are_made_over_the_api() {
    let house = tenants();
    let node = token(&house, "default", Role::Admin);
    let made = house.asked("POST", "/api/v1/tenants/add?name=initech&title=Initech%20Ltd", &node).await;
    assert_eq!(made.expect("made")["name"], "initech");
    assert_eq!(
        house.asked("POST", "/api/v1/tenants/add?name=initech", &node).await,
        Err(StatusCode::BAD_REQUEST),
        "twice"
    );
    let listed = house.asked("GET", "/api/v1/tenants", &node).await.expect("a list");
    let names: Vec<&str> =
        listed["tenants"].as_array().expect("a list").iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(names, ["default", "acme", "globex", "initech"]);

    let admin = token(&house, "acme", Role::Admin);
    let listed = house.asked("GET", "/api/v1/tenants", &admin).await.expect("a list");
    assert_eq!(listed["tenants"].as_array().map(Vec::len), Some(1), "its own only");
    let made = house.asked("POST", "/api/v1/tokens/add?role=read&name=grafana&expires=30d", &admin).await;
    let made = made.expect("made");
    let (id, reader) = (made["id"].as_str().expect("an id"), made["token"].as_str().expect("a token"));
    assert!(house.asked("GET", "/api/v1/fields", reader).await.is_ok());
    let listed = house.asked("GET", "/api/v1/tokens", &admin).await.expect("a list");
    let shown = listed["tokens"].as_array().expect("a list").iter().find(|one| one["id"] == id);
    assert!(shown.is_some_and(|one| one["role"] == "read" && one["expires"].is_string()));
    assert!(!listed.to_string().contains(reader), "a token is shown once");

    let rotated = house.asked("POST", &format!("/api/v1/tokens/rotate?id={id}&keep=1h"), &admin).await;
    let next = rotated.expect("rotated")["token"].as_str().expect("a token").to_owned();
    for token in [reader, &next] {
        assert!(house.asked("GET", "/api/v1/fields", token).await.is_ok(), "both hold");
    }
    let other = token(&house, "globex", Role::Admin);
    for does in ["rotate", "remove"] {
        let theirs = house.asked("POST", &format!("/api/v1/tokens/{does}?id={id}"), &other).await;
        assert_eq!(theirs, Err(StatusCode::BAD_REQUEST), "another tenant's token");
    }
    house.asked("POST", &format!("/api/v1/tokens/remove?id={id}"), &admin).await.expect("removed");
    assert_eq!(house.asked("GET", "/api/v1/fields", &next).await, Err(StatusCode::UNAUTHORIZED));
    house.asked("POST", "/api/v1/tenants/remove?name=acme", &node).await.expect("removed");
    assert_eq!(house.asked("GET", "/api/v1/tenants", &admin).await, Err(StatusCode::UNAUTHORIZED));
}

#[tokio::test]
async fn the_first_tenant_gives_a_first_token() {
    let house = house_of(|tenancy| Arc::new(tenancy), Settings::default());
    let said = house.asked("POST", "/api/v1/tenants/add?name=acme", "").await.expect("made");
    assert!(said["first_token"].as_str().is_some_and(|token| token.starts_with("sawlog_")));
}

#[tokio::test]
async fn limits_are_set_shown_and_hold() {
    let house = tenants();
    let (node, reader) = (token(&house, "default", Role::Admin), token(&house, "acme", Role::Read));
    let path = "/api/v1/tenants/limit?name=acme&records_per_second=10&queries=1&query_seconds=1";
    let said = house.asked("POST", path, &node).await.expect("set");
    let acme = |said: &Value| {
        said["tenants"].as_array().and_then(|all| all.iter().find(|one| one["name"] == "acme").cloned())
    };
    let wanted = serde_json::json!({ "records_per_second": 10, "queries": 1, "query_seconds": 1 });
    assert_eq!(acme(&said).expect("it is listed")["limits"], wanted);
    house.asked("POST", "/api/v1/tenants/limit?name=acme&records_per_second=0", &node).await.expect("set");
    let number = house.tenancy.tenant("acme").expect("there is one");
    use sawlog_model::Meter;
    house.tenancy.bring(number, None, 500, 70_000).expect("no limit of rate any more");
    let said = house.asked("GET", "/api/v1/usage", &reader).await.expect("its own");
    assert_eq!(said["tenants"].as_array().map(Vec::len), Some(1));
    let today = &acme(&said).expect("it is listed")["days"][0];
    assert_eq!((&today["records"], &today["bytes"]), (&500.into(), &70_000.into()));
    let page = Request::get("/metrics").header(header::AUTHORIZATION, format!("Bearer {reader}"));
    let page = body(house.send(page.body(Body::empty()).expect("a request")).await).await;
    assert!(page.contains("sawlog_tenant_records_today{tenant=\"acme\"} 500"), "{page}");

    // One question at a time: a live tail is one, for as long as somebody listens.
    let tail = Request::get("/api/v1/tail").header(header::AUTHORIZATION, format!("Bearer {reader}"));
    let open = house.send(tail.body(Body::empty()).expect("a request")).await;
    assert_eq!(open.status(), StatusCode::OK);
    let asked = Request::get("/api/v1/fields").header(header::AUTHORIZATION, format!("Bearer {reader}"));
    let refused = house.send(asked.body(Body::empty()).expect("a request")).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()[header::RETRY_AFTER], "1");
    assert!(body(refused).await.contains("(queries)"));
    assert!(house.asked("GET", "/api/v1/fields", &node).await.is_ok(), "others may ask");
    drop(open);
    assert!(house.asked("GET", "/api/v1/fields", &reader).await.is_ok());
}

#[tokio::test]
async fn a_body_of_a_tenant_at_its_limit_is_told_when_to_come_again() {
    let house = tenants();
    let sender = token(&house, "acme", Role::Ingest);
    let sent = Request::post("/api/v1/ingest").header(header::AUTHORIZATION, format!("Bearer {sender}"));
    let response = house.send(sent.body(Body::from("much")).expect("a request")).await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.headers()[header::RETRY_AFTER], "3");
    assert!(body(response).await.contains("too much"));
}
