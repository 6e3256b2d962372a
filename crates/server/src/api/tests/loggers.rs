//! Loggers and shortcuts, and the API of ALCO over them.

use super::*;

/// A row that came as a map, with the field `level` and what stands in `more`, so many seconds after [`T0`].
fn came(at: i64, message: &str, level: &str) -> Batch {
    let limits = sawlog_model::Limits::default();
    let mut batch = rows(0, &[]);
    let text = format!(r#"{{"message":"{message}","level":"{level}","host":"web1","tags":["a"]}}"#);
    let value = sawlog_model::value::parse(text.as_bytes(), &limits).expect("JSON");
    let mut line = Vec::new();
    let slots = sawlog_model::value::Slots::new("", &limits, &mut batch.names, &mut batch.slots);
    sawlog_model::value::render_slots(&value, slots, &mut line);
    line.push(b'\n');
    batch.rows.push(Row {
        start: 0,
        len: line.len() as u32,
        offset: at as u64 * 1_000,
        time: T0 + at * SECOND,
        received: T0 + at * SECOND,
        slots_end: batch.slots.len() as u32,
        marks: Marks::MAP.with(Marks::JSON),
    });
    batch.buffer = line.into();
    batch
}

impl House {
    async fn post(&self, path: &str, json: Value) -> (StatusCode, String) {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        let response = self.send(request.body(Body::from(json.to_string())).expect("a request")).await;
        (response.status(), body(response).await)
    }

    /// Where an address leads to.
    async fn leads(&self, path: &str) -> String {
        let response = self.get(path).await;
        assert_eq!(response.status(), StatusCode::FOUND, "{path}");
        response.headers()[header::LOCATION].to_str().expect("text").to_owned()
    }

    async fn with_loggers(self) -> Self {
        let columns =
            serde_json::json!([{ "name": "host", "excluded": true }, { "name": "level", "filtered": true }]);
        let logger = serde_json::json!({ "name": "web", "selector": "_tag:app", "columns": columns });
        assert_eq!(self.post("/api/v1/loggers/set", logger).await.0, StatusCode::OK);
        let shortcut = serde_json::json!({
            "name": "bad", "logger": "web", "url": "/grep/web/?level=error&search=a+b", "default_field": "level",
        });
        assert_eq!(self.post("/api/v1/shortcuts/set", shortcut).await.0, StatusCode::OK);
        self
    }
}

#[tokio::test]
async fn alcos_api_answers_as_it_did() {
    let mut house = open_house().with_loggers().await;
    let events =
        [(1, "Bad Gateway from a", "error"), (2, "gateway bad", "info"), (3, "a bad gateway", "info")];
    for (at, message, level) in events {
        house = house.with(at as u64, came(at, message, level));
    }
    let answer = house.json("/api/grep/web/?search=bad,gateway&start_ts=2025-11-20+09:00:00").await;
    let first = serde_json::json!({
        "id": T0 + SECOND,
        "datetime": "2025-11-20T10:00:01Z",
        "logline": "Bad Gateway from a",
        "logline_snippet": "<b>Bad Gateway</b> from a",
        "js": { "level": "error", "tags": "[\"a\"]" },
    });
    assert_eq!(answer["results"][0], first);
    assert_eq!(answer["results"].as_array().expect("a list").len(), 2, "{answer}");
    assert_eq!((&answer["next"], &answer["previous"]), (&Value::Null, &Value::Null));
    let lines = async |query: &str| {
        let answer = house.json(&format!("/api/grep/web/?{query}")).await;
        let results = answer["results"].as_array().expect("a list").iter();
        results.map(|row| row["logline"].as_str().expect("text").to_owned()).collect::<Vec<_>>().join("|")
    };
    assert_eq!(lines("level=info").await, "gateway bad|a bad gateway");
    assert_eq!(lines("level__in=error,debug").await, "Bad Gateway from a");
    assert_eq!(lines("search=%40level%3Dinfo+a").await, "a bad gateway");
    assert_eq!(lines("start_ts=2025-11-20+10:00:02&end_ts=2025-11-20+10:00:03").await, "gateway bad");
    assert_eq!(house.text("/api/grep/none/").await.0, StatusCode::NOT_FOUND);
    assert_eq!(house.text("/api/grep/web/?start_ts=soon").await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_cursor_goes_through_all_rows_once() {
    let mut house = open_house().with_loggers().await;
    // Most are of the same second, as events of a burst are.
    for n in 0..250_i64 {
        let mut batch = came(if n < 20 { n } else { 20 }, &format!("n{n}"), "info");
        batch.rows[0].offset = n as u64 * 1_000;
        house = house.with(n as u64 + 1, batch);
    }
    let (mut seen, mut ids) = (Vec::new(), std::collections::BTreeSet::new());
    let mut pages: Vec<Value> = Vec::new();
    let mut next = Some("/api/grep/web/?level=info".to_owned());
    while let Some(path) = next {
        let answer = house.json(&path).await;
        if let Some(before) = pages.last() {
            let back = house.json(answer["previous"].as_str().expect("a page before")).await;
            assert_eq!(back["results"], before["results"], "back again");
        }
        pages.push(answer.clone());
        for row in answer["results"].as_array().expect("a list") {
            seen.push(row["logline"].as_str().expect("text").to_owned());
            ids.insert(row["id"].as_i64().expect("a number"));
        }
        next = answer["next"].as_str().map(str::to_owned);
    }
    let wanted: Vec<String> = (0..250).map(|n| format!("n{n}")).collect();
    assert_eq!(seen, wanted);
    assert_eq!(ids.len(), 250, "ids tell rows apart");
    assert_eq!(pages[0]["previous"], Value::Null);
    // From a page in the middle, that is not one of those, to the first, which is then a shorter way.
    let half = format!("/api/grep/web/?level=info&cursor={}.0", T0 + 20 * SECOND);
    let half = house.json(&half).await;
    let first = house.json(half["previous"].as_str().expect("a page before")).await;
    assert_eq!(first["results"][0]["logline"], "n0");
    assert_eq!(first["previous"], Value::Null);
}

#[tokio::test]
async fn bookmarks_of_alco_lead_to_the_page() {
    let house = open_house().with_loggers().await.with(7, came(7, "a b", "error"));
    let first = house.leads("/grep/web/?search=a").await;
    assert!(first.starts_with("/grep/web/?search=a&start_ts=20"), "{first}");
    let asked = "start_ts=2025-11-20+10:00:00&search=A+b&level__in=error,info&columns=level";
    assert_eq!(
        house.leads(&format!("/grep/web/?{asked}")).await,
        "/?q=%28_tag%3Aapp%29+message%3A%22a+b%22+level%3Ain%28%22error%22%2C+%22info%22%29\
         &from=2025-11-20T10%3A00%3A00Z&cols=level&open=level"
    );
    assert_eq!(
        house.leads("/grep/web/?start_ts=2025-11-20+10:00:00&search=a+b&context=y").await,
        "/?q=%28_tag%3Aapp%29&from=2025-11-20T10%3A00%3A07Z&cols=level&open=level"
    );
    let live = house.leads("/grep/web/?start_ts=2025-11-20+10:00:00&live=1").await;
    assert!(live.ends_with("&cols=level&open=level&live=1"), "{live}");
    assert_eq!(house.leads("/grep/shortcut/bad/").await, "/grep/web/?level=error&search=a+b");
    assert_eq!(house.leads("/grep/shortcut/bad/x%26y/").await, "/grep/web/?search=a+b&level=x%26y");
    assert_eq!(house.text("/grep/shortcut/none/").await.0, StatusCode::NOT_FOUND);
    assert_eq!(house.text("/grep/none/").await.0, StatusCode::NOT_FOUND);
    let (status, page) = house.text("/grep/").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("0 in 5 minutes") && page.contains("href=\"/grep/shortcut/bad/\""), "{page}");
}

#[tokio::test]
async fn loggers_change_while_the_node_runs() {
    let house = open_house().with_loggers().await.with(1, came(1, "a", "info"));
    let columns = house.json("/api/v1/loggers/columns?name=web").await;
    let names: Vec<_> =
        columns["columns"].as_array().expect("a list").iter().map(|column| &column["name"]).collect();
    assert_eq!(names[..2], ["host", "level"]);
    assert!(names.iter().any(|name| *name == "message"), "fields appear by themselves: {names:?}");
    for wrong in [
        serde_json::json!({ "name": "a b" }),
        serde_json::json!({ "name": "x", "selector": "a | limit 1" }),
        serde_json::json!({ "name": "x", "colour": "red" }),
        serde_json::json!({ "name": "x", "days": 30 }),
    ] {
        assert_eq!(house.post("/api/v1/loggers/set", wrong).await.0, StatusCode::BAD_REQUEST);
    }
    let other = serde_json::json!({ "name": "other", "selector": "*", "days": 30 });
    let (_, list) = house.post("/api/v1/loggers/set", other).await;
    let list: Value = serde_json::from_str(&list).expect("JSON");
    assert_eq!(list["loggers"].as_array().expect("a list").len(), 2);
    let empty = Value::Object(Default::default());
    assert_eq!(house.post("/api/v1/loggers/remove?name=web", empty.clone()).await.0, StatusCode::OK);
    let list = house.json("/api/v1/loggers").await;
    assert_eq!(
        (list["loggers"].as_array().map(Vec::len), list["shortcuts"].as_array().map(Vec::len)),
        (Some(1), Some(0))
    );
    assert_eq!(house.post("/api/v1/loggers/remove?name=web", empty).await.0, StatusCode::NOT_FOUND);
}
