//! Meniscus's API as its clients know it: golden answers, by a listener of its own and by the node's.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::access::{NewToken, Role};
use crate::api::tests::{House, body, house_of};
use crate::{Hosts, MeniscusListener, Settings};

/// A house with a listener for this API, open as it was.
fn house() -> House {
    let listener = MeniscusListener { hosts: Hosts::Loopback, open: true };
    let settings = Settings { meniscus: Some(listener), ..Settings::default() };
    house_of(|tenancy| std::sync::Arc::new(tenancy), settings)
}

struct Answer {
    status: u16,
    location: String,
    body: Value,
}

impl House {
    async fn ask(
        &self,
        open: bool,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body_of: &str,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost:8080");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body_of.to_owned())).expect("a request");
        let router = if open { self.meniscus.clone().expect("a listener") } else { self.router.clone() };
        let response = router.oneshot(request).await.expect("the router always answers");
        let location =
            response.headers().get("location").map(|value| value.to_str().expect("text").to_owned());
        let status = response.status().as_u16();
        let text = body(response).await;
        Answer {
            status,
            location: location.unwrap_or_default(),
            body: serde_json::from_str(&text).unwrap_or_default(),
        }
    }

    /// By the open listener, with a body of JSON.
    async fn tell(&self, method: &str, path: &str, sent: Value) -> Answer {
        self.ask(true, method, path, &[("content-type", "application/json")], &sent.to_string()).await
    }

    async fn see(&self, path: &str) -> Answer {
        self.ask(true, "GET", path, &[], "").await
    }

    /// The message token of a tenant.
    async fn token(&self, id: &str) -> String {
        self.see(&format!("/v1/tenant/{id}/token")).await.body["token"]["valid"]
            .as_str()
            .expect("a token")
            .to_owned()
    }

    async fn publish(&self, path: &str, token: &str, sent: Value) -> Answer {
        let headers = [("content-type", "application/json"), ("MESSAGE-TOKEN", token)];
        self.ask(true, "POST", path, &headers, &sent.to_string()).await
    }

    async fn check(&self, path: &str, token: &str) -> u16 {
        self.ask(true, "HEAD", path, &[("MESSAGE-TOKEN", token)], "").await.status
    }
}

fn title(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.body["title"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn tenants_are_made_and_shown() {
    let house = house();
    for path in ["/", "/"] {
        assert_eq!(house.see(path).await.body, json!({ "v1": "current" }));
    }
    let asked = house.ask(false, "GET", "/", &[("accept", "application/json")], "").await;
    assert_eq!(asked.body, json!({ "v1": "current" }), "also where the page is");
    let made = house
        .tell("POST", "/v1/tenant", json!({"tenant": {"tenant_id": "1022", "tenant_name": "Acme"}}))
        .await;
    assert_eq!((made.status, made.location.as_str()), (201, "/v1/1022"));
    let made = house.tell("POST", "/v1", json!({"tenant": {"tenant_id": "a b/ü"}})).await;
    assert_eq!((made.status, made.location.as_str()), (201, "/v1/a%20b%2F%C3%BC"));
    assert_eq!(house.see(&made.location).await.body["tenant"]["tenant_id"], "a b/ü");
    let again = house.tell("POST", "/v1/tenant", json!({"tenant": {"tenant_id": "1022"}})).await;
    assert_eq!(title(&again), (400, "Tenant with tenant_id 1022 already exists"));
    for (sent, words) in [
        (json!({}), "'tenant' is a required property"),
        (json!({"tenant": {}}), "'tenant_id' is a required property"),
        (json!({"tenant": {"tenant_id": ""}}), "'tenant_id' is too short"),
        (json!({"tenant": {"tenant_id": 7}}), "7 is not of type 'string'"),
    ] {
        assert_eq!(title(&house.tell("POST", "/v1/tenant", sent).await), (400, words));
    }
    for path in ["/v1/tenant/1022", "/v1/1022"] {
        let shown = house.see(path).await;
        let tenant = &shown.body["tenant"];
        assert_eq!((shown.status, &tenant["tenant_name"]), (200, &"Acme".into()));
        assert_eq!((&tenant["event_producers"], &tenant["token"]["previous"]), (&json!([]), &Value::Null));
        let changed = tenant["token"]["last_changed"].as_str().expect("a time");
        assert_eq!((changed.len(), &changed[19..20]), (26, "."), "as Python prints it: {changed}");
    }
    assert_eq!(title(&house.see("/v1/tenant/77").await), (404, "Unable to locate tenant."));
    let form = house.ask(true, "POST", "/v1/tenant", &[("content-type", "text/plain")], "{}").await;
    assert_eq!(title(&form), (415, "Unsupported Media Type"));
    let broken = house.ask(true, "POST", "/v1/tenant", &[("content-type", "application/json")], "{]").await;
    assert_eq!(title(&broken), (400, "Malformed JSON body"));
}

#[tokio::test]
async fn producers_are_made_changed_and_removed() {
    let house = house();
    house.tell("POST", "/v1/tenant", json!({"tenant": {"tenant_id": "t"}})).await;
    let apache = json!({"event_producer": {"name": "apache", "pattern": "apache", "durable": true}});
    for (path, number) in [("/v1/tenant/t/producers", 1), ("/v1/t/producers", 2)] {
        let mut given = apache.clone();
        given["event_producer"]["name"] = format!("apache{number}").into();
        let made = house.tell("POST", path, given).await;
        assert_eq!((made.status, made.location), (201, format!("/v1/t/producers/{number}")));
    }
    let mut taken = apache.clone();
    taken["event_producer"]["name"] = "apache1".into();
    let twice = house.tell("POST", "/v1/t/producers", taken.clone()).await;
    assert_eq!(title(&twice), (400, "Event producer with name apache1 already exists with id=1."));
    assert_eq!(house.tell("PUT", "/v1/t/producers/2", taken).await.status, 400);
    let shown = house.see("/v1/t/producers/1").await;
    let wanted = json!({
        "id": 1, "name": "apache1", "pattern": "apache", "durable": true, "encrypted": false, "sinks": ["elasticsearch"],
    });
    assert_eq!((shown.status, &shown.body["event_producer"]), (200, &wanted));
    let change = json!({"event_producer": {"sinks": ["hdfs", "elasticsearch"], "encrypted": true}});
    assert_eq!(house.tell("PUT", "/v1/tenant/t/producers/1", change).await.status, 200);
    let listed = house.see("/v1/tenant/t/producers").await.body;
    assert_eq!(listed["event_producers"][0]["sinks"], json!(["hdfs", "elasticsearch"]));
    for (wrong, words) in [
        (json!({"sinks": ["x"]}), "\"x\" is not one of ['elasticsearch', 'hdfs']"),
        (json!({"sinks": ["hdfs", "hdfs"]}), "sinks has non-unique elements"),
        (json!({"durable": "yes"}), "\"yes\" is not of type 'boolean'"),
        (json!({"other": 1}), "Additional properties are not allowed ('other' was unexpected)"),
    ] {
        let told = house.tell("PUT", "/v1/t/producers/1", json!({ "event_producer": wrong })).await;
        assert_eq!(title(&told), (400, words));
    }
    for number in ["1", "1", "x"] {
        let removed = house.ask(true, "DELETE", &format!("/v1/t/producers/{number}"), &[], "").await;
        let wanted = if removed.status == 200 { "" } else { "Unable to locate event producer." };
        assert_eq!(title(&removed).1, wanted);
    }
    assert_eq!(title(&house.see("/v1/t/producers/1").await), (404, "Unable to locate event producer."));
    let made = house.tell("POST", "/v1/t/producers", apache).await;
    assert_eq!(made.location, "/v1/t/producers/3", "numbers never come again");
}

#[tokio::test]
async fn tokens_are_checked_and_changed() {
    let house = house();
    house.tell("POST", "/v1/tenant", json!({"tenant": {"tenant_id": "t"}})).await;
    house.tell("POST", "/v1/tenant", json!({"tenant": {"tenant_id": "u"}})).await;
    let (first, other) = (house.token("t").await, house.token("u").await);
    for path in ["/v1/tenant/t/token", "/v1/t/token"] {
        assert_eq!(house.check(path, &first).await, 200);
        assert_eq!((house.check(path, &other).await, house.check(path, "").await), (404, 404));
    }
    assert_eq!(house.check("/v1/tenant/none/token", &first).await, 404);
    assert_eq!(house.ask(true, "HEAD", "/v1/t/token", &[], "").await.status, 400, "without the header");
    let soon = house.tell("POST", "/v1/t/token", json!({"token": {"invalidate_now": false}})).await;
    assert_eq!(title(&soon), (409, "Message tokens can only be changed once every 3 hours"));
    // As if it had been changed long ago.
    house
        .tenancy
        .change(|table| {
            let tenant = table.tenant("t").ok_or("gone")?;
            let kept = table.entry(tenant).meniscus.as_mut().ok_or("gone")?;
            kept.last_changed = 0;
            Ok(())
        })
        .expect("changed");
    let changed = house.tell("POST", "/v1/t/token", json!({"token": {"invalidate_now": false}})).await;
    assert_eq!((changed.status, changed.location.as_str()), (203, "/v1/t/token"));
    let second = house.token("t").await;
    assert_ne!(first, second);
    assert_eq!(
        (house.check("/v1/t/token", &first).await, house.check("/v1/t/token", &second).await),
        (200, 200)
    );
    let changed = house.tell("POST", "/v1/tenant/t/token", json!({"token": {"invalidate_now": true}})).await;
    assert_eq!(changed.status, 203, "at once, whenever it was changed");
    assert_eq!(
        (house.check("/v1/t/token", &first).await, house.check("/v1/t/token", &second).await),
        (404, 404)
    );
    assert_eq!(house.see("/v1/t/token").await.body["token"]["previous"], Value::Null);
}

#[tokio::test]
async fn messages_are_stored_for_their_tenant() {
    let house = house();
    house.tell("POST", "/v1/tenant", json!({"tenant": {"tenant_id": "t"}})).await;
    let token = house.token("t").await;
    let message = json!({"log_message": {
        "host": "h1", "pname": "apache", "time": "2013-03-19T18:16:48.411029Z", "msg": "hi", "extra": {"a": 1},
    }});
    for path in ["/v1/tenant/t/publish", "/v1/t/publish"] {
        assert_eq!(house.publish(path, &token, message.clone()).await.status, 204);
    }
    let gelf = json!({"version": "1.1", "host": "h2", "short_message": "gelf", "_user": "u", "_id": 7});
    assert_eq!(house.publish("/v1/t/publish", &token, gelf).await.status, 204);
    assert_eq!(house.publish("/v1/t/publish", &token, json!({"any": [1, {"b": null}]})).await.status, 204);
    let tenant = house.tenancy.table().tenant("t");
    {
        let deliveries = house.deliveries.lock().expect("no panic");
        assert!(deliveries.iter().all(|delivery| Some(delivery.tenant) == tenant));
        let sent: Vec<Value> =
            deliveries.iter().map(|one| serde_json::from_slice(&one.body).expect("JSON")).collect();
        assert_eq!((&sent[0]["extra"]["a"], &sent[0]["native"]), (&1.into(), &json!({})));
        assert_eq!(sent[0]["meniscus"]["correlation"]["pattern"], "default");
        assert_eq!((&sent[2]["user"], sent[2].get("_id")), (&"u".into(), None));
        assert_eq!(deliveries[0].host.as_deref(), Some("h1"));
        assert_eq!(deliveries[0].tag.as_deref(), Some("meniscus.default"));
    }
    for (wrong, words) in [
        (json!({"log_message": {"host": "h", "pname": "p"}}), "'time' is a required property"),
        (json!({"log_message": 1}), "1 is not of type 'object'"),
        (json!({}), "'log_message' is a required property"),
    ] {
        assert_eq!(title(&house.publish("/v1/t/publish", &token, wrong).await), (400, words));
    }
    assert_eq!(house.publish("/v1/t/publish", "x", message.clone()).await.status, 401);
    assert_eq!(house.publish("/v1/none/publish", &token, message.clone()).await.status, 404);
    assert_eq!(
        (house.check("/v1/t/publish", &token).await, house.check("/v1/t/publish", "x").await),
        (202, 401)
    );
    let by_node = [("content-type", "application/json"), ("MESSAGE-TOKEN", &*token)];
    let sent = house.ask(false, "POST", "/v1/t/publish", &by_node, &message.to_string()).await;
    assert_eq!(sent.status, 204, "the node's own listener takes messages, too");
}

#[tokio::test]
async fn a_durable_message_has_a_job() {
    let house = house();
    house.tell("POST", "/v1/tenant", json!({"tenant": {"tenant_id": "t"}})).await;
    for (name, flag) in [("pay", "durable"), ("secret", "encrypted")] {
        let producer = json!({"event_producer": {"name": name, "pattern": "p", flag: true}});
        house.tell("POST", "/v1/t/producers", producer).await;
    }
    let token = house.token("t").await;
    let message = |program: &str| json!({"log_message": {"host": "h", "pname": program, "time": "2013-03-19T18:16:48Z"}});
    let sent = house.publish("/v1/t/publish", &token, message("pay")).await;
    assert_eq!(sent.status, 202);
    let id = sent.body["job_id"].as_str().expect("an id");
    assert_eq!(sent.body["job_status_uri"], format!("http://localhost:8080/v1/job/{id}/status"));
    let path = format!("/v1/job/{id}/status");
    let state = house.see(&path).await;
    assert_eq!(
        (state.status, &state.body["job_status"], &state.body["sinks_waiting"]),
        (200, &"pending".into(), &1.into())
    );
    // The sink of this house has a message when another came after it.
    house.publish("/v1/t/publish", &token, message("other")).await;
    assert_eq!(house.see(&path).await.body["job_status"], "complete");
    let forged = format!("/v1/job/{}/status", id.replace(&id[30..], "000000"));
    for path in [&forged, "/v1/job/1/status", "/v1/job/\u{fc}/status"] {
        let path = path.replace('\u{fc}', "%C3%BC");
        assert_eq!(title(&house.see(&path).await), (404, "Unable to locate job."), "{path}");
    }
    let refused = house.publish("/v1/t/publish", &token, message("secret")).await;
    assert_eq!(title(&refused), (403, "Event producer secret takes messages over TLS only."));
}

#[tokio::test]
async fn workers_report_and_are_listed() {
    let house = house();
    let mut status = json!({
        "hostname": "w1", "ip_address_v4": "10.0.0.1", "ip_address_v6": "::1", "personality": "worker", "status": "online",
        "system_info": {"os_type": "Linux", "memory_mb": 1, "architecture": "x86_64", "cpu_cores": 1,
            "disk_usage": [{"device": "/", "total": 1, "used": 1}], "load_average": {"1": 0.1, "5": 0.1, "15": 0.1},
            "timestamp": "2013-03-19 18:16:48"},
    });
    let report =
        |status: &Value| house.tell("PUT", "/v1/worker/w1/status", json!({ "worker_status": status }));
    assert_eq!(report(&status).await.status, 202);
    assert_eq!(report(&status).await.status, 200);
    assert_eq!(house.see("/v1/worker/w1/status").await.body["status"], status);
    assert_eq!(title(&house.see("/v1/worker/w2/status").await), (404, "Unable to locate worker."));
    let listed = house.see("/v1/status").await.body;
    assert_eq!(listed["status"].as_array().map(Vec::len), Some(2), "this node, and the worker");
    assert_eq!(house.tell("PUT", "/v1/worker/w1", json!({})).await.status, 200);
    assert_eq!(house.see("/v1/worker/w1/status").await.body["status"]["status"], "offline");
    status["more"] = 1.into();
    assert_eq!(report(&status).await.status, 400);
    let paired =
        house.tell("POST", "/v1/pairing", json!({"worker_registration": {"personality": "worker"}})).await;
    assert!(paired.status == 202 && paired.body["worker_identity"]["worker_token"].is_string());
    let told = house.tell("POST", "/v1/pairing/configure", json!({"pairing_configuration": {}})).await;
    assert_eq!(told.status, 200);
    assert_eq!(house.see("/v1/worker/w1/routes").await.body["routes"][2]["service_domain"], "storage");
    assert_eq!(
        house
            .tell("PUT", "/v1/broadcast", json!({"broadcast": {"type": "ROUTES", "targets": []}}))
            .await
            .status,
        202
    );
    assert_eq!(house.ask(true, "HEAD", "/v1/callback", &[("TYPE", "ROUTES")], "").await.status, 200);
}

#[tokio::test]
async fn by_the_nodes_own_listener_it_takes_an_administrator() {
    let house = house();
    house.tell("POST", "/v1/tenant", json!({"tenant": {"tenant_id": "t"}})).await;
    let bearer = |tenant: &str, role| {
        let new = NewToken { name: "x".to_owned(), role, expires: None };
        format!("Bearer {}", house.tenancy.add_token(tenant, new).expect("made").token)
    };
    let (node, theirs) = (bearer("default", Role::Admin), bearer("t", Role::Admin));
    for (credential, wanted) in [(node, StatusCode::OK), (theirs, StatusCode::UNAUTHORIZED)] {
        let asked = house.ask(false, "GET", "/v1/t/token", &[("authorization", &credential)], "").await;
        assert_eq!(asked.status, wanted.as_u16());
    }
    assert_eq!(house.ask(false, "GET", "/v1/t/token", &[], "").await.status, 401);
    let closed = MeniscusListener { hosts: Hosts::Any, open: false };
    let settings = Settings { meniscus: Some(closed), ..Settings::default() };
    let house = house_of(|tenancy| std::sync::Arc::new(tenancy), settings);
    house.tenancy.add_tenant("t", "").expect("made");
    assert_eq!(house.see("/v1/t/token").await.status, 401, "a listener that is not open");
}

/// Reads `GET /path`, and with a blank before it `PUT /path`.
struct Requests;

impl sawlog_model::Normalize for Requests {
    fn normalize(&self, line: &[u8], give: &mut dyn FnMut(&str, &sawlog_model::Value)) -> bool {
        let text = std::str::from_utf8(line).unwrap_or_default();
        let Some(path) = text.strip_prefix("GET ").or(text.strip_prefix(" PUT ")) else { return false };
        let inside = vec![(sawlog_model::Value::Str("n".to_owned()), sawlog_model::Value::Int(1))];
        give("path", &sawlog_model::Value::Str(path.to_owned()));
        give("of", &sawlog_model::Value::Map(inside));
        true
    }
}

#[tokio::test]
async fn messages_are_of_the_producer_that_their_name_or_their_text_says() {
    let house = house();
    let parsers: std::collections::BTreeMap<String, std::sync::Arc<dyn sawlog_model::Normalize>> =
        [("requests".to_owned(), std::sync::Arc::new(Requests) as _)].into();
    house.tenancy.read_with(sawlog_model::Normalizers::new(parsers));
    assert_eq!(house.tell("POST", "/v1/tenant", json!({"tenant": {"tenant_id": "5"}})).await.status, 201);
    for (name, pattern) in [("cron", "requests"), ("cron@db", "db"), ("@web", "web"), ("any", "requests")] {
        let producer = json!({"event_producer": {"name": name, "pattern": pattern}});
        assert_eq!(house.tell("POST", "/v1/tenant/5/producers", producer).await.status, 201);
    }
    let token = house.token("5").await;
    for (host, program, text, wanted, normalized) in [
        ("a", "cron", "GET /x", (json!(1), "requests"), json!({"requests": {"path": "/x", "of": {"n": 1}}})),
        ("a", "cron", "none", (json!(1), "requests"), Value::Null),
        ("db", "cron", "GET /x", (json!(2), "db"), Value::Null),
        ("web", "other", "GET /x", (json!(3), "web"), Value::Null),
        ("a", "other", "GET /x", (json!(1), "requests"), json!({"requests": {"path": "/x", "of": {"n": 1}}})),
        ("a", "other", "PUT /y", (json!(1), "requests"), json!({"requests": {"path": "/y", "of": {"n": 1}}})),
        ("a", "other", "none", (Value::Null, "default"), Value::Null),
    ] {
        let sent = json!({"log_message": {"host": host, "pname": program, "time": "2013-04-02T14:12:04Z", "msg": text}});
        assert_eq!(house.publish("/v1/tenant/5/publish", &token, sent).await.status, 204);
        let last = house.deliveries.lock().expect("no panic").pop().expect("one");
        let stored: Value = serde_json::from_slice(&last.body).expect("JSON");
        let correlation = &stored["meniscus"]["correlation"];
        assert_eq!(
            (&correlation["ep_id"], &correlation["pattern"]),
            (&wanted.0, &wanted.1.into()),
            "{stored}"
        );
        assert_eq!(stored.get("normalized").unwrap_or(&Value::Null), &normalized, "{stored}");
    }
}
