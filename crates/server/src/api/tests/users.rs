//! People with passwords: how they sign in, stay signed in, and are so no more; who may change them.

use serde_json::json;

use super::matrix::{tenants, token};
use super::*;
use crate::access::Role;

const PASSWORD: &str = "correct horse";

impl House {
    /// Posts JSON as a browser's page of ours does, showing a cookie where one is given; the answer and the cookie that it sets.
    async fn post_as(&self, path: &str, cookie: &str, body: Value) -> (StatusCode, Value, String) {
        let mut asked = Request::post(path)
            .header(header::HOST, "localhost")
            .header(header::ORIGIN, "http://localhost")
            .header(header::CONTENT_TYPE, "application/json");
        if !cookie.is_empty() {
            asked = asked.header(header::COOKIE, cookie);
        }
        let response = self.send(asked.body(Body::from(body.to_string())).expect("a request")).await;
        let set = response.headers().get(header::SET_COOKIE);
        let set = set.map(|set| set.to_str().expect("text").to_owned()).unwrap_or_default();
        let status = response.status();
        (status, serde_json::from_str(&super::body(response).await).unwrap_or_default(), set)
    }

    /// Signs in; the cookie that a browser shows from then on.
    async fn sign_in(&self, name: &str, password: &str) -> Result<String, StatusCode> {
        let (status, _, set) =
            self.post_as("/api/v1/login", "", json!({ "name": name, "password": password })).await;
        if status == StatusCode::OK {
            Ok(set.split(';').next().expect("a cookie").to_owned())
        } else {
            Err(status)
        }
    }

    async fn with_cookie(&self, path: &str, cookie: &str) -> StatusCode {
        let asked = Request::get(path).header(header::COOKIE, cookie);
        self.send(asked.body(Body::empty()).expect("a request")).await.status()
    }
}

#[tokio::test]
async fn somebody_signs_in_by_name_and_password_and_out_again() {
    let house = tenants();
    house.tenancy.add_user("ann", Some(PASSWORD), "acme", Role::Write).expect("made");
    let signed = json!({ "name": "ann", "password": PASSWORD });
    let (status, said, set) = house.post_as("/api/v1/login", "", signed).await;
    assert_eq!((status, &said["tenant"], &said["role"]), (StatusCode::OK, &"acme".into(), &"write".into()));
    assert!(set.contains("; HttpOnly; SameSite=Lax; Max-Age=43200") && !set.contains("Secure"), "{set}");
    let cookie = set.split(';').next().expect("a cookie").to_owned();
    assert_eq!(house.with_cookie("/api/v1/fields", &cookie).await, StatusCode::OK);
    let asked = Request::get("/api/v1/session").header(header::COOKIE, &cookie);
    let said = body(house.send(asked.body(Body::empty()).expect("a request")).await).await;
    assert!(said.contains(r#""user":"ann""#), "{said}");
    // Changing the password ends this session and every other.
    let other = house.sign_in("ann", PASSWORD).await.expect("right");
    let wrong = json!({ "current": "not it at all", "password": "another one" });
    assert_eq!(house.post_as("/api/v1/password", &cookie, wrong).await.0, StatusCode::UNAUTHORIZED);
    let right = json!({ "current": PASSWORD, "password": "another one" });
    assert_eq!(house.post_as("/api/v1/password", &cookie, right).await.0, StatusCode::OK);
    for cookie in [&cookie, &other] {
        assert_eq!(house.with_cookie("/api/v1/fields", cookie).await, StatusCode::UNAUTHORIZED);
    }
    let cookie = house.sign_in("ann", "another one").await.expect("right");
    let (status, _, gone) = house.post_as("/api/v1/logout", &cookie, json!({})).await;
    assert!(status == StatusCode::OK && gone.contains("Max-Age=0"), "{gone}");
    assert_eq!(
        house.with_cookie("/api/v1/fields", &cookie).await,
        StatusCode::UNAUTHORIZED,
        "also of a copy"
    );
    let kept = house.sys_file("access.json");
    assert!(kept.contains("ann") && !kept.contains(PASSWORD) && !kept.contains("another one"));
}

#[tokio::test]
async fn over_tls_the_cookie_comes_over_nothing_else() {
    let house = tenants();
    house.tenancy.add_user("ann", Some(PASSWORD), "acme", Role::Read).expect("made");
    let body = Body::from(json!({ "name": "ann", "password": PASSWORD }).to_string());
    let mut asked = Request::post("/api/v1/login")
        .header(header::CONTENT_TYPE, "application/json")
        .body(body)
        .expect("a request");
    asked.extensions_mut().insert(crate::serve::OverTls);
    let set = house.send(asked).await.headers()[header::SET_COOKIE].to_str().expect("text").to_owned();
    assert!(set.ends_with("; Secure"), "{set}");
}

#[tokio::test]
async fn guessing_is_told_nothing_and_soon_not_listened_to() {
    let house = tenants();
    house.tenancy.add_user("ann", Some(PASSWORD), "acme", Role::Read).expect("made");
    let mut said = Vec::new();
    for name in ["ann", "nobody", "ann", "ann", "ann", "ann"] {
        let guess = json!({ "name": name, "password": "not it at all" });
        let (status, words, _) = house.post_as("/api/v1/login", "", guess).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        said.push(words);
    }
    assert!(said.iter().all(|words| *words == said[0]), "it is not told whether there is such a name");
    let (status, words, _) =
        house.post_as("/api/v1/login", "", json!({ "name": "ann", "password": PASSWORD })).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert!(words["error"].as_str().is_some_and(|words| words.contains("login_attempts")), "{words}");
    assert_eq!(
        house.sign_in("nobody", "again").await,
        Err(StatusCode::UNAUTHORIZED),
        "others are listened to"
    );
    // In the address it would stand in logs.
    let (status, ..) = house.post_as("/api/v1/login?name=bob&password=something", "", json!({})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn browsers_are_led_to_the_form_and_programs_are_refused() {
    let house = tenants();
    house.tenancy.add_user("ann", Some(PASSWORD), "acme", Role::Read).expect("made");
    let cookie = house.sign_in("ann", PASSWORD).await.expect("right");
    let ask = async |path: &str, accept: &str, cookie: &str| {
        let mut asked = Request::get(path).header(header::ACCEPT, accept);
        if !cookie.is_empty() {
            asked = asked.header(header::COOKIE, cookie);
        }
        let response = house.send(asked.body(Body::empty()).expect("a request")).await;
        let to = response.headers().get(header::LOCATION).map(|to| to.to_str().expect("text").to_owned());
        (response.status().as_u16(), to.unwrap_or_default())
    };
    let html = "text/html,application/xhtml+xml,*/*;q=0.8";
    for (path, to) in [
        ("/", "/login?to=%2F"),
        ("/?query=a%26b", "/login?to=%2F%3Fquery%3Da%2526b"),
        ("/admin", "/login?to=%2Fadmin"),
        ("/loggers/", "/login?to=%2Floggers%2F"),
        ("/grep/", "/login?to=%2Fgrep%2F"),
        ("/grep/web/?search=x", "/login?to=%2Fgrep%2Fweb%2F%3Fsearch%3Dx"),
    ] {
        assert_eq!(ask(path, html, "").await, (303, to.to_owned()), "{path}");
        assert_ne!(ask(path, html, &cookie).await.0, 303, "{path}, signed in");
    }
    assert_eq!(ask("/grep/", "*/*", "").await.0, 401, "a program");
    assert_eq!(ask("/api/v1/fields", html, "").await.0, 401, "the API");
    assert_eq!(ask("/login", html, "").await.0, 200);
    let open = open_house();
    let asked = Request::get("/").header(header::ACCEPT, html).body(Body::empty()).expect("a request");
    assert_eq!(open.send(asked).await.status(), StatusCode::OK, "a node that asks nobody");
}

#[tokio::test]
async fn users_are_changed_by_their_own_administrators() {
    let house = tenants();
    let (node, acme) = (token(&house, "default", Role::Admin), token(&house, "acme", Role::Admin));
    let ask = async |path: &str, token: &str, tenant: &str, body: Value| {
        let mut asked = Request::post(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
        if !tenant.is_empty() {
            asked = asked.header(crate::door::TENANT, tenant);
        }
        let asked = asked.header(header::CONTENT_TYPE, "application/json");
        house.send(asked.body(Body::from(body.to_string())).expect("a request")).await.status().as_u16()
    };
    let (add, set, remove) = ("/api/v1/users/add", "/api/v1/users/password", "/api/v1/users/remove");
    let ann = json!({ "name": "ann", "password": PASSWORD, "role": "read" });
    assert_eq!(ask(add, &acme, "", ann.clone()).await, 200);
    assert_eq!(ask(add, &acme, "", ann).await, 400, "twice");
    assert_eq!(ask(add, &acme, "", json!({ "name": "x", "password": "short", "role": "read" })).await, 400);
    assert_eq!(ask(add, &acme, "", json!({ "name": "x", "password": PASSWORD, "role": "king" })).await, 400);
    assert_eq!(
        ask(add, &node, "globex", json!({ "name": "bob", "password": PASSWORD, "role": "admin" })).await,
        200
    );
    // Whoever is of another tenant is out of reach: neither taken over nor seen.
    assert_eq!(ask(add, &acme, "", json!({ "name": "bob", "role": "read" })).await, 400);
    for (path, body) in
        [(set, json!({ "name": "bob", "password": PASSWORD })), (remove, json!({ "name": "bob" }))]
    {
        assert_eq!(ask(path, &acme, "", body).await, 400, "{path}");
    }
    let listed = house.asked("GET", "/api/v1/users", &acme).await.expect("a list");
    assert_eq!(listed, json!({ "users": [{ "name": "ann", "roles": { "acme": "read" } }] }));
    // In both tenants: the password is no longer for the administrator of one to set.
    assert_eq!(ask(add, &node, "acme", json!({ "name": "bob", "role": "read" })).await, 200);
    assert_eq!(ask(set, &acme, "", json!({ "name": "bob", "password": "taken over" })).await, 400);
    let listed = house.asked("GET", "/api/v1/users", &acme).await.expect("a list");
    assert!(listed.to_string().contains(r#"{"name":"bob","roles":{"acme":"read"}}"#), "{listed}");
    let cookie = house.sign_in("bob", PASSWORD).await.expect("right");
    let named = async |tenant: &str, path: &str| {
        let asked = Request::get(path).header(header::COOKIE, &cookie).header(crate::door::TENANT, tenant);
        house.send(asked.body(Body::empty()).expect("a request")).await.status().as_u16()
    };
    assert_eq!((named("acme", "/api/v1/fields").await, named("globex", "/api/v1/tokens").await), (200, 200));
    assert_eq!((named("acme", "/api/v1/tokens").await, named("default", "/api/v1/fields").await), (401, 401));
    let chosen = json!({ "name": "bob", "password": PASSWORD, "tenant": "globex" });
    let (_, said, _) = house.post_as("/api/v1/login", "", chosen).await;
    assert_eq!((&said["tenant"], &said["role"]), (&"globex".into(), &"admin".into()));
    let elsewhere = json!({ "name": "bob", "password": PASSWORD, "tenant": "default" });
    assert_eq!(house.post_as("/api/v1/login", "", elsewhere).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(ask(remove, &acme, "", json!({ "name": "bob" })).await, 200);
    assert_eq!(named("globex", "/api/v1/fields").await, 401, "the session was for the tenant that is left");
    let chosen = json!({ "name": "bob", "password": PASSWORD });
    let (status, said, _) = house.post_as("/api/v1/login", "", chosen).await;
    assert_eq!((status, &said["tenant"]), (StatusCode::OK, &"globex".into()), "still in the other one");
    house.asked("POST", "/api/v1/tenants/remove?name=globex", &node).await.expect("removed");
    assert_eq!(
        house.sign_in("bob", PASSWORD).await,
        Err(StatusCode::UNAUTHORIZED),
        "gone with the last tenant"
    );
    assert_eq!(ask(set, &acme, "", json!({ "name": "ann", "password": "a newer one" })).await, 200);
    assert!(house.sign_in("ann", "a newer one").await.is_ok());
}
