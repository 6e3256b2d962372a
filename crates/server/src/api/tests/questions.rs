//! Searches, SQL, counts and values.

use super::*;

#[tokio::test]
async fn a_search_streams_records_newest_first() {
    let house = open_house().with(1, rows(0, THREE));
    let response = house.get("/api/v1/search").await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/x-ndjson");
    assert_eq!(response.headers()["x-sawlog-records"], "true");
    let found = house.lines("/api/v1/search?query=timeout").await;
    assert_eq!(found.len(), 2);
    assert_eq!(found[0]["_line"], "debug timeout is 30 s");
    assert_eq!(found[1]["_line"], "error upstream Timeout after 30 s");
    assert_eq!(found[1]["_time"], "2025-11-20T10:00:01Z");
    assert_eq!(found[1]["level"], "error");
    assert_eq!(found[1]["_tag"], "app");
    assert_eq!(house.lines("/api/v1/search?query=timeout&limit=1").await, found[..1]);
    let first = house.lines("/api/v1/search?start=2025-11-20T10:00:00Z&end=1763632801").await;
    assert_eq!(first.len(), 1);
    assert_eq!(first[0]["level"], "info");
    let form = Request::post("/api/v1/search")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from("query=timeout&limit=1"))
        .expect("a request");
    assert_eq!(body(house.send(form).await).await.lines().count(), 1);
}

#[tokio::test]
async fn a_report_ends_an_answer_where_it_is_asked_for() {
    let house = open_house().with(1, rows(0, THREE));
    let found = house.lines("/api/v1/search?report=1").await;
    assert_eq!(found.len(), 4);
    assert_eq!(found[3]["_report"]["records"], 3);
    assert!(found[3]["_report"]["seconds"].as_f64().expect("a number") >= 0.0);
    assert_eq!(house.lines("/api/v1/search?report=0").await.len(), 3);
}

#[tokio::test]
async fn a_wrong_query_tells_its_place() {
    let house = open_house();
    for path in ["search", "hits", "tail"] {
        let (status, text) = house.text(&format!("/api/v1/{path}?query=a%20%22b")).await;
        let error: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {text}");
        assert_eq!(error["start"], 2, "{path}: {text}");
        assert!(error["end"].as_u64() >= Some(3) && error["remedy"].is_string(), "{path}: {text}");
    }
}

#[tokio::test]
async fn tenants_see_their_own() {
    let house = house(Arc::new(Tokens), Settings::default())
        .with(1, rows(0, THREE))
        .with(2, rows(1, &[("info", "of another")]));
    for (token, number) in [("reader", 3), ("other", 1)] {
        let response = house.send(request(Method::Get, "/api/v1/search", Some(token))).await;
        assert_eq!(body(response).await.lines().count(), number, "{token}");
    }
}

#[tokio::test]
async fn pipes_and_sql_give_rows_of_their_own_shape() {
    let house = open_house().with(1, rows(0, THREE));
    let query = "/api/v1/search?query=*%20%7C%20stats%20count()%20by%20(level)";
    assert_eq!(house.get(query).await.headers()["x-sawlog-records"], "false");
    assert_eq!(house.lines(query).await.len(), 3);
    let statement =
        "/api/v1/sql?query=SELECT%20count(*)%20AS%20n%20FROM%20logs%20WHERE%20level%20=%20'error'";
    assert_eq!(house.lines(statement).await, [serde_json::json!({ "n": 1 })]);
    assert_eq!(house.get("/api/v1/sql").await.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn hits_and_values_count() {
    let house = open_house().with(1, rows(0, THREE));
    let hits = house.json("/api/v1/hits?query=timeout&step=1s").await;
    assert_eq!(hits["total"], 2);
    assert_eq!(hits["step"], 1.0);
    assert_eq!(hits["bars"][0]["time"], "2025-11-20T10:00:01Z");
    assert_eq!(hits["bars"][0]["counts"]["error"], 1);
    let open = house.json("/api/v1/hits?bars=10").await;
    assert_eq!(open["start"], "2025-11-20T10:00:00Z", "an open range begins with the rows");
    assert!(open["bars"].as_array().expect("bars").len() <= 11);
    let narrow = "_time:%5B2025-11-20T10:00:01Z,2025-11-20T10:00:02Z%5D";
    let narrow = house.json(&format!("/api/v1/hits?bars=10&query={narrow}")).await;
    assert_eq!((&narrow["start"], &narrow["total"]), (&Value::from("2025-11-20T10:00:01Z"), &Value::from(2)));
    let many: Vec<(&str, &str)> = (0..3600).map(|_| ("info", "of another tenant")).collect();
    let house = house.with(2, rows(1, &many));
    assert_eq!(house.json("/api/v1/hits?bars=10").await["end"], open["end"], "others' rows widen no range");
    let (status, _) = house.text("/api/v1/hits?step=1s").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        house.get("/api/v1/hits?step=1ns&start=1970-01-01&end=now").await.status(),
        StatusCode::BAD_REQUEST
    );
    let values = house.json("/api/v1/values?field=level&query=timeout&limit=5").await;
    assert_eq!(values["values"].as_array().expect("values").len(), 2);
    assert_eq!(values["values"][0]["rows"], 1);
    assert_eq!((&values["rows"], &values["complete"]), (&Value::from(2), &Value::from(true)));
}

#[tokio::test]
async fn a_client_that_goes_frees_its_turn() {
    let many: Vec<(&str, &str)> = vec![("info", "the same line again and again"); 20_000];
    let settings = Settings { queries: 1, query_time: Duration::from_millis(500), ..Settings::default() };
    let house = house(Arc::new(crate::Open), settings).with(1, rows(0, &many));
    let response = house.get("/api/v1/search?limit=0").await;
    let mut stream = response.into_body().into_data_stream();
    assert!(stream.next().await.expect("a piece").is_ok());
    assert_eq!(
        house.get("/api/v1/search?limit=1").await.status(),
        StatusCode::SERVICE_UNAVAILABLE,
        "it still runs"
    );
    drop(stream);
    assert_eq!(house.lines("/api/v1/search?limit=1").await.len(), 1);
    let (_, metrics) = house.text("/metrics").await;
    assert!(metrics.contains("sawlog_http_requests_running{route=\"/api/v1/search\"} 0"), "{metrics}");
}
