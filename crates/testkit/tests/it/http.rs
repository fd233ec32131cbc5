//! The client reads what servers may send, and never sends a request twice.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use testkit::http::Client;

/// A server that accepts any number of connections and, on each, answers every request by the next bytes of the
/// script, then closes.
struct Scripted {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

fn serve(script: &'static [&'static str]) -> Scripted {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let scripted = Scripted { address, connections: connections.clone(), requests: requests.clone() };
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            connections.fetch_add(1, Ordering::SeqCst);
            for answer in script {
                // Each request of these tests arrives in one piece.
                if stream.read(&mut [0; 4096]).unwrap() == 0 {
                    break;
                }
                requests.fetch_add(1, Ordering::SeqCst);
                stream.write_all(answer.as_bytes()).unwrap();
            }
        }
    });
    scripted
}

#[test]
fn reads_every_kind_of_body() {
    let cases: [(&'static [&'static str], u16, &str); 6] = [
        (&["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"], 200, "ok"),
        (
            &["HTTP/1.1 201 Made\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nt: v\r\n\r\n"],
            201,
            "abcde",
        ),
        (&["HTTP/1.1 204 No Content\r\n\r\n"], 204, ""),
        (&["HTTP/1.1 403 Blocked by exeat dec_1\r\n\r\nto the end"], 403, "to the end"),
        (&["HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx"], 200, "x"),
        (&["HTTP/1.0 200\r\ncontent-length: 0\r\n\r\n"], 200, ""),
    ];
    for (script, status, body) in cases {
        let response = Client::new(serve(script).address).get("/").unwrap();
        assert_eq!((response.status, response.text().as_str()), (status, body), "{script:?}");
    }
}

#[test]
fn keeps_the_connection_while_the_server_does() {
    let server =
        serve(&["HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nb"]);
    let mut client = Client::new(server.address);
    let bodies: Vec<String> = (0..4)
        .map(|_| {
            std::thread::sleep(Duration::from_millis(50));
            client.post("/", &json!({"n": 1})).unwrap().text()
        })
        .collect();
    assert_eq!(bodies, ["a", "b", "a", "b"]);
    assert_eq!((server.connections.load(Ordering::SeqCst), server.requests.load(Ordering::SeqCst)), (2, 4));
}

#[test]
fn fails_and_does_not_repeat_when_the_answer_is_cut() {
    let server = serve(&["HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"]);
    let error = Client::new(server.address).post("/", &json!({})).expect_err("the body is cut");
    assert!(format!("{error:#}").contains("4 of 10 bytes"), "{error:#}");
    assert_eq!(server.requests.load(Ordering::SeqCst), 1);
}

#[test]
fn says_what_is_wrong_with_an_answer() {
    let cases: [(&'static [&'static str], &str); 4] = [
        (&["nonsense\r\n\r\n"], "nonsense"),
        (&["HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n"], "many"),
        (&["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"], "zz"),
        (&["HTTP/1.1 200"], "closed the connection"),
    ];
    for (script, expected) in cases {
        let error = Client::new(serve(script).address).get("/").expect_err(expected);
        assert!(format!("{error:#}").contains(expected), "{error:#}");
    }
}

#[test]
fn sends_raw_bytes_as_they_are() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = Client::new(listener.local_addr().unwrap()).bearer("not sent");
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut got = vec![0; 64];
        let count = stream.read(&mut got).unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").unwrap();
        got.truncate(count);
        got
    });
    assert_eq!(client.raw(b"\0\xff not http").unwrap().status, 400);
    assert_eq!(server.join().unwrap(), b"\0\xff not http");
}

#[test]
fn reads_events_as_they_come() {
    let server = serve(&[concat!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
        "5\r\n: hi\n\r\n",
        "11\r\n\nid: 7\ndata: {\"a\"\r\n",
        "6\r\n: 1}\n\n\r\n",
        "0\r\n\r\n"
    )]);
    let mut events = Client::new(server.address).events("/v1/streams/events", &[]).unwrap();
    let event = events.next(Duration::from_secs(5)).unwrap().unwrap();
    assert_eq!((event.id.as_deref(), event.data.as_str()), (Some("7"), r#"{"a": 1}"#));
    assert_eq!(events.comments(), 1);
    assert_eq!(events.next(Duration::from_secs(5)).unwrap(), None);
}
