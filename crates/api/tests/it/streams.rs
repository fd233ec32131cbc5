//! Server-sent events: nothing skipped, nothing twice, nothing of others, nothing after the key is gone.

use std::time::Duration;

use model::Role;
use serde_json::{Value, json};
use testkit::http::{Client, EventStream};

use crate::app::{App, OTHER, WORKSPACE, text};

const SOON: Duration = Duration::from_secs(10);

fn next(stream: &mut EventStream) -> (String, Value) {
    let event = stream.next(SOON).unwrap().expect("an event");
    (event.id.unwrap(), serde_json::from_str(&event.data).unwrap())
}

fn room(client: &mut Client, title: &str) -> String {
    let made = client.post("/v1/rooms", &json!({ "title": title })).unwrap().expect(201).unwrap();
    made["room_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_stream_begins_with_now_and_shows_what_happens_in_its_workspace() {
    let app = App::start();
    let (mut client, mut theirs) = (app.client(Role::Owner), app.client_in(Role::Owner, OTHER));
    room(&mut client, "before");
    let mut stream = client.events("/v1/streams/events", &[]).unwrap();
    room(&mut theirs, "foreign");
    let mine = room(&mut client, "after");
    let (id, event) = next(&mut stream);
    assert_eq!((event["event_type"].as_str(), event["room_id"].as_str()), (Some("room.created"), Some(mine.as_str())));
    assert_eq!(event["position"].to_string(), id);
    assert!(event["event_hash"].as_str().unwrap().starts_with("sha256:"));
}

#[test]
fn last_event_id_resumes_without_gap_or_repeat() {
    resumes(&App::start());
}

#[test]
fn last_event_id_resumes_without_gap_or_repeat_on_postgres() {
    let database = testkit::postgres::Database::create().unwrap();
    resumes(&App::on(store::Location::parse(&database.url()).unwrap(), None));
}

fn resumes(app: &App) {
    let mut client = app.client(Role::Owner);
    let first = room(&mut client, "0");
    let path = "/v1/streams/events?event_type=room.created&after=2000-01-01T00:00:00Z";
    let mut stream = client.events(path, &[]).unwrap();
    let (mut last, event) = next(&mut stream);
    assert_eq!(event["room_id"], first.as_str());
    drop(stream);
    // Cut off again and again while rooms are being made.
    let key = app.secret(Role::Owner);
    let address = app.address;
    let writer = std::thread::spawn(move || {
        let mut client = Client::new(address).bearer(&key);
        (1..=60).map(|n| room(&mut client, &n.to_string())).collect::<Vec<_>>()
    });
    let mut seen = Vec::new();
    while seen.len() < 60 {
        let mut stream = client.events(path, &[("last-event-id", &last)]).unwrap();
        for _ in 0..7.min(60 - seen.len()) {
            let (id, event) = next(&mut stream);
            seen.push(event["room_id"].as_str().unwrap().to_owned());
            last = id;
        }
    }
    assert_eq!(seen, writer.join().unwrap());
    for bad in ["x", "-1", "1.5", "99999999999999999999999"] {
        let refused = client.send("GET", path, &[("last-event-id", bad)], b"").unwrap();
        assert_eq!(refused.status, 400, "{bad}");
    }
}

#[test]
fn a_listener_that_lags_misses_nothing() {
    let app = App::start();
    let mut client = app.client(Role::Owner);
    let mut stream = client.events("/v1/streams/events?event_type=room.created", &[]).unwrap();
    // More than the feed keeps, while nobody reads.
    let made: Vec<String> = (0..1_500).map(|n| room(&mut client, &format!("{n}"))).collect();
    let seen: Vec<String> = made.iter().map(|_| next(&mut stream).1["room_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(seen, made);
}

#[test]
fn a_room_is_streamed_from_its_beginning_or_from_a_place() {
    let app = App::start();
    let mut client = app.client(Role::Owner);
    let id = room(&mut client, "t");
    let ask = json!({ "action": "email.send", "room_id": id });
    client.post("/v1/approvals", &ask).unwrap().expect(201).unwrap();
    let mut all = client.events(&format!("/v1/streams/rooms/{id}"), &[]).unwrap();
    assert_eq!(next(&mut all).1["event_type"], "room.created");
    let mut rest = client.events(&format!("/v1/streams/rooms/{id}?from_seq=1"), &[]).unwrap();
    let second = next(&mut rest).1;
    assert_eq!((&second["stream_seq"], &second["event_type"]), (&json!(2), &json!("approval.requested")));
    assert_eq!(next(&mut all).1, second);
    assert_eq!(client.get("/v1/streams/rooms/room_unknown").unwrap().status, 404);
    assert_eq!(client.get(&format!("/v1/streams/rooms/{id}?from_seq=x")).unwrap().status, 400);
}

#[test]
fn a_stream_ends_with_its_key() {
    let app = App::start();
    let key = app.key(Role::Auditor, Some(WORKSPACE));
    let witness = app.client(Role::Auditor);
    let mut stream = app.stranger().bearer(&text(&key)).events("/v1/streams/events", &[]).unwrap();
    let mut witness = witness.events("/v1/streams/events", &[]).unwrap();
    app.block_on(gate::revoke_key(app.store(), &key.key_id)).unwrap();
    assert_eq!(next(&mut witness).1["event_type"], "key.revoked");
    assert_eq!(stream.next(SOON).unwrap(), None);
}

#[test]
fn streams_end_when_the_server_does() {
    let mut app = App::start();
    let mut stream = app.client(Role::Auditor).events("/v1/streams/events", &[]).unwrap();
    let begun = std::time::Instant::now();
    app.stop();
    assert_eq!(stream.next(SOON).unwrap(), None);
    assert!(begun.elapsed() < Duration::from_secs(5));
}
