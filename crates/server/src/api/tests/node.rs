//! What concerns the node: its document, page, status, letters, rows as a whole.

use super::*;

#[tokio::test]
async fn the_document_lists_every_route() {
    let house = open_house();
    let document = house.json("/api/v1/openapi.json").await;
    let listed = document["paths"].as_object().expect("paths");
    let operations = listed.values().filter_map(Value::as_object).map(serde_json::Map::len).sum::<usize>();
    assert_eq!(operations, all().map(|route| route.methods.len()).sum::<usize>());
    for (route, method) in all().flat_map(|route| route.methods.iter().map(move |method| (route, method))) {
        let operation = &document["paths"][route.path][method.name().to_ascii_lowercase()];
        assert_eq!(operation["parameters"].as_array().expect("a list").len(), route.params.len());
    }
}

#[tokio::test]
async fn the_page_is_served_and_not_sent_twice() {
    let house = open_house();
    let response = house.get("/").await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
    let tag = response.headers()[header::ETAG].clone();
    assert!(body(response).await.contains("/ui/app.js"));
    assert!(body(house.get("/loggers/").await).await.contains("/ui/loggers.js"));
    let again = Request::get("/").header(header::IF_NONE_MATCH, tag).body(Body::empty()).expect("a request");
    assert_eq!(house.send(again).await.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(
        house.get("/ui/app.js").await.headers()[header::CONTENT_TYPE],
        "text/javascript; charset=utf-8"
    );
}

#[tokio::test]
async fn status_and_metrics_tell_what_there_is() {
    let house = open_house().with(1, rows(0, THREE));
    let status = house.json("/api/v1/status").await;
    assert_eq!(status["store"]["records"], 3);
    assert_eq!(status["store"]["first_time"], "2025-11-20T10:00:00Z");
    assert_eq!(status["parts"][0]["errors"]["malformed"], 2);
    assert!(status["memory_bytes"].as_u64().expect("a number") > 1 << 20);
    let (_, text) = house.text("/metrics").await;
    let part = r#"{role="input",part="syslog \"tcp\" 127.0.0.1:5140""#;
    for line in [
        format!("sawlog_part_records_total{part}}} 7"),
        format!(r#"sawlog_part_errors_total{part},reason="malformed"}} 2"#),
        "sawlog_store_records 3".into(),
        r#"sawlog_store_written_bytes_total{by="flush"} 0"#.into(),
        "sawlog_store_read_bytes_total 0".into(),
        r#"sawlog_store_written_raw_bytes_total{by="rewrite"} 0"#.into(),
        r#"sawlog_http_requests_total{route="/api/v1/status",status="2xx"} 1"#.into(),
        r#"sawlog_http_request_seconds_count{route="/api/v1/status"} 1"#.into(),
        r#"sawlog_http_requests_running{route="/metrics"} 1"#.into(),
    ] {
        assert!(text.lines().any(|have| have == line), "{line}\nin\n{text}");
    }
}

#[tokio::test]
async fn a_reload_answers_what_changed_or_all_that_is_wrong() {
    let house = open_house();
    let response = house.send(request(Method::Post, "/api/v1/reload", None)).await;
    assert_eq!(body(response).await, r#"{"changes":["input tail: added"]}"#);
    let response = house.send(request(Method::Post, "/api/v1/reload", None)).await;
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(body(response).await.contains("a.toml:3: no `tial`"));
}

#[tokio::test]
async fn dead_letters_are_named_by_output_or_number() {
    let house = open_house();
    for (query, letters, records) in [("", 9, 9), ("?output=abc", 1, 3), ("?numbers=4,%205", 2, 9)] {
        let path = format!("/api/v1/dead/replay{query}");
        let response = house.send(request(Method::Post, &path, None)).await;
        let want = format!(r#"{{"letters":{letters},"records":{records},"left":["one"]}}"#);
        assert_eq!(body(response).await, want);
    }
    for wrong in ["?numbers=x", "?numbers=1&output=a"] {
        let path = format!("/api/v1/dead/drop{wrong}");
        let response = house.send(request(Method::Post, &path, None)).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    }
    let response = house.send(request(Method::Post, "/api/v1/dead/drop", None)).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn dead_letters_are_the_tenants_own() {
    use super::matrix::{tenants, token};
    use crate::access::Role;
    let house = tenants();
    let (node, acme) = (token(&house, "default", Role::Admin), token(&house, "acme", Role::Read));
    let all = house.asked("GET", "/api/v1/dead", &node).await.expect("letters");
    assert_eq!(all["letters"].as_array().map(Vec::len), Some(3));
    let own = house.asked("GET", "/api/v1/dead?output=out", &acme).await.expect("letters");
    let letters = own["letters"].as_array().expect("a list");
    assert_eq!(
        (letters.len(), &letters[0]["tenant"], &letters[0]["lines"][0]),
        (1, &"acme".into(), &"of 1".into())
    );
    let admin = token(&house, "acme", Role::Admin);
    let left = house.asked("POST", "/api/v1/dead/replay", &admin).await.expect("replayed");
    assert_eq!(left["left"][0], "one of 1");
    let none = house.asked("GET", "/api/v1/dead?limit=0", &node).await.expect("letters");
    assert_eq!(none["letters"].as_array().map(Vec::len), Some(0));
}

#[tokio::test]
async fn the_agent_is_given_where_there_is_one() {
    let (status, _) = open_house().text("/bin/sawlog-agent").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("sawlog-agent");
    let file = Sys::real().fs.open(&path, sawlog_sys::Open::Create).expect("a file");
    file.write_at(b"program", 0).expect("it is written");
    let settings = Settings { agent: Some(path), ..Settings::default() };
    let (status, text) = house(Arc::new(crate::Open), settings).text("/bin/sawlog-agent").await;
    assert_eq!((status, &*text), (StatusCode::OK, "program"));
}

#[tokio::test]
async fn flush_and_fields_reach_the_store() {
    let house = open_house().with(1, rows(0, THREE));
    let response = house.send(request(Method::Post, "/api/v1/flush", None)).await;
    assert_eq!(body(response).await, r#"{"flushed":true}"#);
    assert_eq!(house.asked.lock().expect("no panic")[..], ["flush"]);
    let fields = house.json("/api/v1/fields").await;
    let list = fields["fields"].as_array().expect("a list");
    assert!(list.iter().any(|field| field["name"] == "level" && field["rows"] == 3), "{fields}");
}

#[tokio::test]
async fn deleted_rows_are_found_no_more() {
    let house = open_house().with(1, rows(0, THREE));
    let nothing_said = house.send(request(Method::Post, "/api/v1/delete?query=", None)).await;
    assert_eq!(nothing_said.status(), StatusCode::BAD_REQUEST);
    let pipes = house.send(request(Method::Post, "/api/v1/delete?query=*%7Climit%201", None)).await;
    assert_eq!(pipes.status(), StatusCode::BAD_REQUEST);
    let all = house.text("/api/v1/search?query=*").await.1.lines().count();
    let before_all = house.send(request(Method::Post, "/api/v1/delete?query=*&end=1970-01-01", None)).await;
    assert_eq!(body(before_all).await, r#"{"deleted":0}"#);
    let response = house.send(request(Method::Post, "/api/v1/delete?query=level:error", None)).await;
    let deleted = all - house.text("/api/v1/search?query=*").await.1.lines().count();
    assert!(0 < deleted && deleted < all, "{deleted} of {all}");
    assert_eq!(body(response).await, format!(r#"{{"deleted":{deleted}}}"#));
}

#[tokio::test]
async fn memory_is_read_where_the_system_tells_it() {
    let sys = Sys::real();
    let told = sys.fs.metadata(Path::new("/proc/self/status")).is_ok();
    assert_eq!(crate::api::status::resident_bytes(&*sys.fs).is_some(), told);
}
