//! Who is turned away, and what every answer bears.

use super::*;

#[tokio::test]
async fn every_answer_bears_the_security_headers() {
    let house = open_house();
    for path in ["/", "/ui/app.js", "/api/v1/status", "/api/v1/flush", "/nowhere", "/mounted", "/healthz"] {
        let response = house.get(path).await;
        let headers = response.headers();
        let policy = headers["content-security-policy"].to_str().expect("text");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{path}");
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        assert!(headers.contains_key(header::CACHE_CONTROL), "{path}");
    }
}

#[tokio::test]
async fn what_is_not_there_says_so_in_json() {
    let house = open_house();
    for (path, status) in
        [("/nowhere", StatusCode::NOT_FOUND), ("/api/v1/flush", StatusCode::METHOD_NOT_ALLOWED)]
    {
        let (got, text) = house.text(path).await;
        let error: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(got, status);
        assert!(error["error"].is_string() && error["remedy"].is_string(), "{text}");
    }
    let (status, text) = house.text("/api/v1/search?qery=x").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.contains("qery") && text.contains("query, start, end, limit"), "{text}");
}

#[tokio::test]
async fn other_names_and_other_sites_are_turned_away() {
    let house = open_house();
    let ask = |name: &'static str, value: &'static str| {
        let request = Request::post("/api/v1/shutdown").header("host", "localhost:7514").header(name, value);
        house.send(request.body(Body::empty()).expect("a request"))
    };
    assert_eq!(ask("origin", "http://evil.example").await.status(), StatusCode::FORBIDDEN);
    assert_eq!(ask("sec-fetch-site", "cross-site").await.status(), StatusCode::FORBIDDEN);
    let rebound =
        Request::get("/").header("host", "evil.example:7514").body(Body::empty()).expect("a request");
    assert_eq!(house.send(rebound).await.status(), StatusCode::MISDIRECTED_REQUEST);
    assert!(house.asked.lock().expect("no panic").is_empty());
    assert_eq!(ask("origin", "http://localhost:7514").await.status(), StatusCode::ACCEPTED);
    assert_eq!(house.asked.lock().expect("no panic")[..], ["shutdown"]);
}

#[tokio::test]
async fn mounted_routes_stand_beside_the_api() {
    assert_eq!(open_house().text("/mounted").await, (StatusCode::OK, "mounted".into()));
    let named = house(Arc::new(crate::Open), Settings { hosts: Hosts::Any, ..Settings::default() });
    let request =
        Request::get("/mounted").header("host", "logs.example").body(Body::empty()).expect("a request");
    assert_eq!(named.send(request).await.status(), StatusCode::OK);
}
