//! Bytes that are whole by their checksum and wrong inside: what a faulty writer would leave.

use model::decision::Ground;
use model::{Actor, ActorType, Category, DecisionId, Mode, Outcome, ReasonCode, RunId, Time};
use proptest::prelude::*;

use super::wire::checksum;
use super::{Encoder, Ids, Segment};
use crate::entry::{Caller, Entry, Kept, Ruling};

fn entry(n: u32) -> Entry {
    let reason_code = ReasonCode::ALL[n as usize % ReasonCode::ALL.len()];
    Entry {
        id: DecisionId::from_stored(format!("dec_{n}")),
        at: Time::from_millis(i64::from(n) * 1_000),
        caller: Caller {
            actor: Actor::new(ActorType::Agent, format!("a{}", n % 3)),
            principal_id: None,
            principal_named: n.is_multiple_of(2),
            token_id: None,
            token_required: false,
        },
        run_id: n.is_multiple_of(3).then(|| RunId::from_stored(format!("run_{n}"))),
        resource: None,
        category: Category::ALL[n as usize % 4],
        action: Some(format!("act.{}", n % 5)),
        who: (ActorType::Agent, Some("coder".into())),
        zone: None,
        room_id: None,
        host: Kept::Seen(format!("h{}.example.com", n % 7)),
        method: Kept::Unseen,
        path: Kept::Seen(format!("/p/{n}")),
        port: Kept::Seen(443),
        scheme: Kept::Withheld,
        tool: Kept::Absent,
        input: Kept::Absent,
        label: Kept::Absent,
        purposes: Kept::Absent,
        ruling: Ruling {
            outcome: Outcome::ALL[n as usize % 3],
            reason_code,
            rules: vec![format!("r{}", n % 4).into()],
            blocked: false,
            mode: Mode::Shadow,
            ground: Ground {
                fixed: None,
                base: Some((Outcome::Deny, reason_code)),
                base_if_allowed: None,
                approved: true,
            },
            policy_version: Some(u64::from(n % 2)),
            trial: None,
            candidate: None,
            by_quota: false,
            by_once: false,
        },
    }
}

fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.len() - 8;
    let sum = checksum(&bytes[..end]).to_le_bytes();
    bytes[end..].copy_from_slice(&sum);
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn whole_bytes_that_are_wrong_give_an_error_or_all_their_rows(
        rows in 0..20_u32,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut encoder = Encoder::new();
        (0..rows).for_each(|n| encoder.push(&entry(n)).unwrap());
        let encoded = encoder.encode();
        for (bytes, is_ids) in [(encoded.facts, false), (encoded.ids, true)] {
            let mut bytes = bytes;
            if let Some(cut) = &cut {
                bytes.truncate(8 + cut.index(bytes.len() - 8));
            }
            for (place, by) in &changes {
                let end = bytes.len() - 8;
                if end > 0 {
                    bytes[place.index(end)] ^= by;
                }
            }
            let bytes = sealed(bytes);
            if is_ids {
                if let Ok(ids) = Ids::decode(&bytes) {
                    prop_assert!((0..ids.rows()).all(|row| ids.get(row).is_some()));
                }
            } else if let Ok(segment) = Segment::decode(&bytes) {
                let id = DecisionId::from_stored(String::new());
                prop_assert_eq!(segment.rows().len(), segment.span().rows);
                prop_assert!((0..segment.span().rows).all(|row| segment.entry(row, &id).is_some()));
            }
        }
    }
}
