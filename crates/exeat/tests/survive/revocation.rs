//! A revocation acknowledged by one replica holds for the next request on the other, every time,
//! also while its wake-ups are cut off.

use serde_json::json;

use crate::bed::{Bed, WORKSPACE};

const TIMES: usize = 1_000;

#[test]
fn survives_revocations_across_replicas_with_the_change_feed_cut() {
    let bed = Bed::postgres();
    let owner = bed.setup.key("owner", Some(WORKSPACE)).unwrap();
    let (a, b) = (bed.setup.start().unwrap(), bed.setup.start().unwrap());
    let (mut a, mut b) = (a.client().bearer(&owner), b.client().bearer(&owner));
    let principal =
        a.post("/v1/principals", &json!({"principal_type": "user"})).unwrap().expect(201).unwrap()["principal_id"]
            .clone();
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    for round in 0..TIMES {
        if round % 10 == 0 && round >= TIMES / 2 {
            bed.sql(cut).unwrap();
        }
        let token = a
            .post(
                "/v1/capabilities/grant",
                &json!({"issued_to_principal_id": principal, "granted_by_principal_id": principal,
                        "scopes": {"egress_domains": ["*"], "action_types": ["*"]}}),
            )
            .unwrap()
            .expect(201)
            .unwrap()["token_id"]
            .clone();
        let body = json!({"target_url": "https://api.example.com/", "action": "internal.read",
                          "principal_id": principal, "capability_token_id": token});
        let before = b.post("/v1/egress/requests", &body).unwrap().expect(201).unwrap();
        assert_eq!(before["decision"], "allow", "the control, round {round}: {before}");
        a.post("/v1/capabilities/revoke", &json!({"token_id": token})).unwrap().expect(200).unwrap();
        // In turn a recorded ask and one that records nothing when it is allowed.
        let (decision, reason) = if round % 2 == 0 {
            let after = b.post("/v1/egress/requests", &body).unwrap().expect(201).unwrap();
            (after["decision"].clone(), after["reason_code"].clone())
        } else {
            let ask = json!({"action": "internal.read", "principal_id": principal, "capability_token_id": token});
            let after = b.post("/v1/policy/evaluate", &ask).unwrap().expect(200).unwrap();
            (after["decision"].clone(), after["reason_code"].clone())
        };
        assert_eq!(decision, "deny", "round {round}");
        assert_eq!(reason, "capability_token_revoked", "round {round}");
    }
}
