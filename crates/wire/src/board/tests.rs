//! The listener over real sockets.

use sawlog_model::PartStatus;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

struct Parts;

impl NodeStatus for Parts {
    fn parts(&self) -> Vec<PartStatus> {
        let part = |role, name: &str, state| PartStatus {
            role,
            name: name.to_owned(),
            state,
            records: 7,
            records_per_second: 2.5,
            bytes_per_second: 99.6,
            ..PartStatus::default()
        };
        let output = PartStatus {
            errors: vec![("refused".to_owned(), 2)],
            last_error: Some("no <route>\n\"x\" & y".to_owned()),
            queue_bytes: 512,
            lag_seconds: 1.5,
            retries: 3,
            dead: 2,
            ..part("output", "forward", "retrying")
        };
        vec![part("input", "tail", "running"), output]
    }
}

/// The answer to one request, on a connection of its own.
fn ask(requests: &[&str]) -> Vec<String> {
    let runtime = sawlog_sys::task::runtime("test", 1).unwrap();
    runtime.block_on(async {
        let address = start("127.0.0.1:0", Arc::new(Parts), "1.2.3").await.unwrap();
        let mut answers = Vec::new();
        for request in requests {
            let mut stream = net::TcpStream::connect(address).await.unwrap();
            let request = format!("{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answers.push(answer);
        }
        answers
    })
}

#[test]
fn any_path_and_method_gives_the_page() {
    for answer in ask(&["GET /", "POST /what/ever?x=1", "DELETE /metrics/"]) {
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("content-type: text/html"), "{answer}");
        assert!(answer.contains("<title>Ik Scoreboard</title>"), "{answer}");
        assert!(
            answer.contains("<td>tail<td class=\"text\">Running<td>2.5<td>100<td>7<td>0<td>0<td"),
            "{answer}"
        );
        assert!(answer.contains("<td>512<td>1.5 s<td>3<td>2<td"), "{answer}");
        assert!(answer.contains("no &lt;route&gt; &quot;x&quot; &amp; y"), "{answer}");
    }
}

#[test]
fn metrics_and_json_have_the_same() {
    let answers = ask(&["GET /metrics", "GET /api/v1/status"]);
    for line in [
        "sawlog_part_records_total{role=\"input\",part=\"tail\"} 7",
        "sawlog_part_up{role=\"output\",part=\"forward\"} 0",
        "sawlog_output_queue_bytes{role=\"output\",part=\"forward\"} 512",
        "sawlog_output_lag_seconds{role=\"output\",part=\"forward\"} 1.5",
        "sawlog_output_retries_total{role=\"output\",part=\"forward\"} 3",
        "sawlog_output_dead_records{role=\"output\",part=\"forward\"} 2",
        "sawlog_build_info{version=\"1.2.3\"} 1",
    ] {
        assert!(answers[0].lines().any(|have| have == line), "{line} in {}", answers[0]);
    }
    assert!(!answers[0].contains("sawlog_output_queue_bytes{role=\"input\""));
    let body = answers[1].split("\r\n\r\n").nth(1).unwrap();
    assert!(
        body.starts_with("{\"version\":\"1.2.3\",\"parts\":[{\"role\":\"input\",\"name\":\"tail\""),
        "{body}"
    );
    assert!(body.contains("\"errors\":{\"refused\":2}"), "{body}");
    assert!(body.contains("\"queue_bytes\":512,\"lag_seconds\":1.5,\"retries\":3,\"dead\":2"), "{body}");
}

#[test]
fn an_address_that_is_taken_is_told() {
    let runtime = sawlog_sys::task::runtime("test", 1).unwrap();
    runtime.block_on(async {
        let address = start("127.0.0.1:0", Arc::new(Parts), "1").await.unwrap().to_string();
        let error = start(&address, Arc::new(Parts), "1").await.expect_err("it is taken");
        assert!(error.contains(&address), "{error}");
    });
}
