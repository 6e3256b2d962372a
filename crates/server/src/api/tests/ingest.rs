//! Bodies of events: what becomes of them.

use super::*;

#[tokio::test]
async fn ingest_hands_on_what_came_and_answers_what_became_of_it() {
    let house = house(Arc::new(Tokens), Settings { body_bytes: 64, ..Settings::default() });
    let post = |text: &'static str| {
        let request = Request::post("/api/v1/ingest?tag=web&host=a1")
            .header(header::AUTHORIZATION, "Bearer sender")
            .header(header::CONTENT_TYPE, "Application/X-NDJSON; charset=utf-8")
            .header(header::CONTENT_ENCODING, "GZIP")
            .header("x-sawlog-tag", "not this")
            .header("idempotency-key", "k1");
        house.send(request.body(Body::from(text)).expect("a request"))
    };
    let response = post("{\"a\":1}").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(body(response).await, r#"{"records":1,"bytes":7}"#);
    let expected = Delivery {
        tenant: Tenant(0),
        token: None,
        body: "{\"a\":1}".into(),
        content_type: "application/x-ndjson".into(),
        content_encoding: "gzip".into(),
        tag: Some("web".into()),
        host: Some("a1".into()),
        idempotency_key: Some("k1".into()),
        encrypted: false,
    };
    assert_eq!(house.deliveries.lock().expect("no panic")[..], [expected]);
    for (text, status) in [("bad", 400), ("odd", 415), ("bomb", 413), ("busy", 503), ("full", 500)] {
        let response = post(text).await;
        assert_eq!(response.status().as_u16(), status, "{text}");
        assert_eq!(response.headers().contains_key(header::RETRY_AFTER), status == 503, "{text}");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_however_it_comes() {
    let house = house(Arc::new(crate::Open), Settings { body_bytes: 64, ..Settings::default() });
    let claimed = Request::post("/api/v1/ingest").header(header::CONTENT_LENGTH, "65").body(Body::empty());
    assert_eq!(house.send(claimed.expect("a request")).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let pieces = futures::stream::repeat_with(|| Ok::<_, std::io::Error>("0123456789"));
    let endless = Request::post("/api/v1/ingest").body(Body::from_stream(pieces)).expect("a request");
    assert_eq!(house.send(endless).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert!(house.deliveries.lock().expect("no panic").is_empty());
}

#[tokio::test]
async fn a_body_that_stops_coming_is_given_up() {
    let house = house(
        Arc::new(crate::Open),
        Settings { body_idle: Duration::from_millis(20), ..Settings::default() },
    );
    let first = futures::stream::iter([Ok::<_, std::io::Error>("{\"a\":")]).chain(futures::stream::pending());
    let stuck = Request::post("/api/v1/ingest").body(Body::from_stream(first)).expect("a request");
    assert_eq!(house.send(stuck).await.status(), StatusCode::REQUEST_TIMEOUT);
}
