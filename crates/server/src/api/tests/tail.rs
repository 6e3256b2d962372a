//! Live tails, and how they end.

use super::*;

/// The next event of a tail: its text up to the blank line.
async fn event(stream: &mut axum::body::BodyDataStream) -> String {
    let piece = tokio::time::timeout(Duration::from_secs(60), stream.next()).await.expect("in time");
    String::from_utf8(piece.expect("not over").expect("no error").to_vec()).expect("text")
}

#[tokio::test]
async fn a_tail_sends_what_its_query_keeps() {
    let house = open_house();
    let response = house.get("/api/v1/tail?query=timeout").await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
    let mut stream = response.into_body().into_data_stream();
    assert_eq!(event(&mut stream).await, "event: open\ndata: {}\n\n");
    let send = |event| house.live.send(event).expect("somebody listens");
    send(LiveEvent::Rows(Arc::new(rows(1, &[("info", "timeout of another tenant")]))));
    send(LiveEvent::Rows(Arc::new(rows(0, THREE))));
    let first = event(&mut stream).await;
    let data = first.lines().find_map(|line| line.strip_prefix("data: ")).expect("data");
    let record: Value = serde_json::from_str(data).expect("JSON");
    assert_eq!(record["_line"], "error upstream Timeout after 30 s");
    assert_eq!(record["_tag"], "app");
    let id = format!("id: {:032x}:0:{}", 7, record["_offset"]);
    assert!(first.lines().any(|line| line == id), "{first}");
    assert!(event(&mut stream).await.contains("debug timeout"));
    send(LiveEvent::Missed(3));
    assert_eq!(event(&mut stream).await, "event: lag\ndata: {\"batches\":3}\n\n");
}

#[tokio::test]
async fn a_tail_gives_the_record_that_a_search_gives() {
    let house = open_house().with(1, rows(0, THREE));
    let mut stream = house.get("/api/v1/tail?query=upstream").await.into_body().into_data_stream();
    event(&mut stream).await;
    house.live.send(LiveEvent::Rows(Arc::new(rows(0, THREE)))).expect("somebody listens");
    let text = event(&mut stream).await;
    let data = text.lines().find_map(|line| line.strip_prefix("data: ")).expect("data");
    let (_, found) = house.text("/api/v1/search?query=upstream").await;
    assert_eq!(data, found.trim_end());
}

#[tokio::test]
async fn a_tail_that_is_flooded_counts_what_it_leaves_out() {
    let settings = Settings { tail_records: 8, tail_beat: Duration::from_millis(30), ..Settings::default() };
    let house = house(Arc::new(crate::Open), settings);
    let mut stream = house.get("/api/v1/tail").await.into_body().into_data_stream();
    event(&mut stream).await;
    let many: Vec<(&str, &str)> = vec![("info", "flood"); 100];
    house.live.send(LiveEvent::Rows(Arc::new(rows(0, &many)))).expect("somebody listens");
    for _ in 0..4 {
        assert!(event(&mut stream).await.contains("flood"));
    }
    assert_eq!(event(&mut stream).await, ": beat\n\n", "both ends know that the other is there");
    tokio::time::sleep(Duration::from_millis(500)).await;
    house.live.send(LiveEvent::Rows(Arc::new(rows(0, &many[..1])))).expect("somebody listens");
    let mut rest = String::new();
    while !rest.contains("event: lag") {
        rest.push_str(&event(&mut stream).await);
    }
    assert!(rest.contains("data: {\"records\":96}"), "{rest}");
}

/// Sends a request over a connection and gives what comes until it ends or `until` came.
async fn over_tcp(stream: &mut sawlog_sys::net::TcpStream, request: &str, until: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    stream.write_all(request.as_bytes()).await.expect("it takes the request");
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let read = tokio::time::timeout(Duration::from_secs(60), stream.read(&mut piece)).await;
        let read = read.expect("in time").expect("no error");
        answer.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&answer);
        if read == 0 || text.contains(until) {
            return text.into_owned();
        }
    }
}

#[tokio::test]
async fn a_stop_ends_connections_and_live_tails() {
    let house = open_house();
    let listener = sawlog_sys::net::listen("127.0.0.1:0".parse().expect("an address")).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = tokio::spawn(crate::serve(listener, house.router.clone(), None, async {
        let _ = stopped.await;
    }));
    let mut idle = sawlog_sys::net::TcpStream::connect(address).await.expect("a connection");
    let answer = over_tcp(&mut idle, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", "ok\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let mut tail = sawlog_sys::net::TcpStream::connect(address).await.expect("a connection");
    let begin =
        over_tcp(&mut tail, "GET /api/v1/tail HTTP/1.1\r\nHost: localhost\r\n\r\n", "event: open").await;
    assert!(begin.contains("text/event-stream"), "{begin}");
    stop.send(()).expect("it serves");
    let ended = tokio::time::timeout(Duration::from_secs(60), served).await.expect("within its grace");
    ended.expect("no panic").expect("no error");
    let rest = over_tcp(&mut tail, "", "never").await;
    assert!(!rest.contains("0\r\n\r\n"), "a tail that was cut off does not look whole: {rest}");
}
