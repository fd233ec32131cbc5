//! A client that keeps its connections, as those of Go do: many requests on one, one after the other, whatever happened
//! to the one before.

use std::io::Write as _;

use super::{Clients, NO_RULES, RULES};
use crate::bed::publish;
use crate::carrier::Answer;
use crate::network::inside;

#[test]
fn one_connection_for_everything() {
    inside(module_path!(), "one_connection_for_everything", || {
        let clients = Clients::make();
        let way = &clients.bed.way;
        let mut stream = way.open();
        let mut send = |method: &str, url: &str, fields: &str, body: &[u8]| {
            stream.write_all(way.head(method, url, fields, body.len()).as_bytes()).unwrap();
            stream.write_all(body).unwrap();
            Answer::read_after(&mut stream, method).unwrap()
        };
        for _ in 0..3 {
            let answer = send("GET", "http://origin.test/x", "", b"");
            assert_eq!((answer.status, answer.code().as_str()), (403, "policy_denies"));
        }
        // A refusal of a body that was sent does not break what follows.
        assert_eq!(send("POST", "http://origin.test/sink", "", &[b'x'; 7_000]).status, 403);
        publish(&mut clients.bed.owner(), RULES);
        let arrived = clients.bed.world.arrived.mark();
        for round in 0..20 {
            assert_eq!(send("GET", &format!("http://origin.test/{round}"), "", b"").status, 200);
            let answer = send("HEAD", "http://origin.test/bytes/100", "", b"");
            assert_eq!((answer.status, answer.body.len()), (200, 0));
            assert_eq!(send("POST", "http://other.test/sink", "", &[b'x'; 5_000]).text(), "5000");
            assert_eq!(send("GET", "http://origin.test/bytes/200000", "", b"").body.len(), 200_000);
        }
        assert_eq!(clients.bed.world.arrived.requests(arrived).len(), 80);
        // Three at once, answered in their order.
        let heads: String = (0..3).map(|n| way.head("GET", &format!("http://origin.test/p{n}"), "", 0)).collect();
        stream.write_all(heads.as_bytes()).unwrap();
        for n in 0..3 {
            assert!(Answer::read(&mut stream).unwrap().text().ends_with(&format!(" /p{n}\n")));
        }
        publish(&mut clients.bed.owner(), NO_RULES);
        stream.write_all(way.head("GET", "http://origin.test/x", "", 0).as_bytes()).unwrap();
        assert_eq!(Answer::read(&mut stream).unwrap().status, 403, "a kept connection keeps no permission");
        // Without a credential it is asked for one, on the same connection.
        stream.write_all(b"GET http://origin.test/x HTTP/1.1\r\nHost: origin.test\r\n\r\n").unwrap();
        let answer = Answer::read(&mut stream).unwrap();
        assert_eq!(answer.status, 407);
        assert!(answer.header("proxy-authenticate").is_some_and(|value| value.starts_with("Basic")));
        stream.write_all(way.head("GET", "http://origin.test/x", "", 0).as_bytes()).unwrap();
        assert_eq!(Answer::read(&mut stream).unwrap().status, 403, "kept open after the challenge");
    });
}
