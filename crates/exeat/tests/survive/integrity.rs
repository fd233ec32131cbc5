//! `events verify` finds what somebody with the database's own tools did, and names the place.

use crate::bed::{Bed, WORKSPACE, allowed, ask};

#[test]
fn survives_tampering_by_finding_it_sqlite() {
    finds_tampering(Bed::sqlite);
}

#[test]
fn survives_tampering_by_finding_it_postgres() {
    finds_tampering(Bed::postgres);
}

fn finds_tampering(bed: fn() -> Bed) {
    let place = format!("stream_type = 'workspace' AND stream_id = '{WORKSPACE}'");
    let cases: [(&str, String, i64, &str); 3] = [
        (
            "a flipped byte",
            format!("UPDATE evt_events SET data = '{{}}' WHERE {place} AND stream_seq = 4"),
            4,
            "event_hash_mismatch",
        ),
        ("a removed row", format!("DELETE FROM evt_events WHERE {place} AND stream_seq = 5"), 5, "gap"),
        (
            "a swapped pair",
            format!(
                "UPDATE evt_events SET stream_seq = 999 WHERE {place} AND stream_seq = 4; \
                 UPDATE evt_events SET stream_seq = 4 WHERE {place} AND stream_seq = 5; \
                 UPDATE evt_events SET stream_seq = 5 WHERE {place} AND stream_seq = 999;"
            ),
            4,
            "prev_hash_mismatch",
        ),
    ];
    for (what, change, seq, kind) in cases {
        let bed = filled(bed());
        tamper(&bed, &change);
        let out = bed.setup.run(&["events", "verify", "--json"]).unwrap();
        assert_eq!(out.status.code(), Some(9), "{what}");
        let report: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!(report["first_mismatch"]["stream_seq"], seq, "{what}: {report}");
        assert_eq!(report["first_mismatch"]["kind"], kind, "{what}: {report}");
    }
    finds_a_cut_tail(&filled(bed()), &place);
}

fn finds_a_cut_tail(bed: &Bed, place: &str) {
    let heads = bed.setup.run(&["events", "head", "--json"]).unwrap().stdout;
    let kept = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(kept.path(), heads).unwrap();
    let against = ["events", "verify", "--json", "--against", kept.path().to_str().unwrap()];
    assert_eq!(bed.setup.run(&against).unwrap().status.code(), Some(0), "the control: the kept head fits");
    let last: i64 = bed.sql(&format!("SELECT max(stream_seq) FROM evt_events WHERE {place}")).unwrap().parse().unwrap();
    let before =
        bed.sql(&format!("SELECT event_hash FROM evt_events WHERE {place} AND stream_seq = {}", last - 1)).unwrap();
    tamper(
        bed,
        &format!(
            "DELETE FROM evt_events WHERE {place} AND stream_seq = {last}; \
             UPDATE evt_stream_heads SET next_seq = {last}, last_event_hash = '{before}' WHERE {place};"
        ),
    );
    let out = bed.setup.run(&against).unwrap();
    assert_eq!(out.status.code(), Some(9));
    let report: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(report["first_mismatch"]["stream_seq"], last, "{report}");
}

fn filled(bed: Bed) -> Bed {
    let key = bed.setup.key("gateway", Some(WORKSPACE)).unwrap();
    let server = bed.setup.start().unwrap();
    let mut client = server.client().bearer(&key);
    for _ in 0..6 {
        ask(&mut client, &allowed()).unwrap().expect(201).unwrap();
    }
    server.sigterm().unwrap();
    bed.assert_sound();
    bed
}

/// Somebody who owns the database switches its protection off first.
fn tamper(bed: &Bed, text: &str) {
    let off = if bed.is_sqlite() {
        "DROP TRIGGER evt_events_no_update; DROP TRIGGER evt_events_no_delete;"
    } else {
        "ALTER TABLE evt_events DISABLE TRIGGER ALL;"
    };
    assert!(bed.sql(text).is_err(), "the control: refused while protected");
    bed.sql(&format!("{off} {text}")).unwrap();
}
