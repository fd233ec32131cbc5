//! A command decided under an old head is not recorded; a fresh view is never older than what was
//! acknowledged before it was asked for, on any replica, without wake-ups or polling.

use store::SubmitError;

use crate::harness::{Append, Bed, workspace};

mod cases {
    use crate::harness::on_both;
    on_both!(refuses_what_was_decided_under_an_old_head, a_fresh_view_follows_every_acknowledged_change);
}

async fn refuses_what_was_decided_under_an_old_head(bed: &Bed) {
    let (a, b) = (bed.open().await, bed.open().await);
    let mut current = Append::one(None);
    current.expect = Some(("ws_test".into(), 0));
    assert!(b.submit(current).await.is_ok(), "the control: the head has not moved yet");
    let mut change = Append::one(None);
    change.moves = true;
    a.submit(change).await.unwrap();
    let mut stale = Append::one(None);
    stale.expect = Some(("ws_test".into(), 0));
    assert!(matches!(b.submit(stale).await, Err(SubmitError::Stale)));
    let mut fresh = Append::one(None);
    fresh.expect = Some(("ws_test".into(), b.fresh(&workspace()).await.unwrap().head("ws_test")));
    assert!(b.submit(fresh).await.is_ok());
}

async fn a_fresh_view_follows_every_acknowledged_change(bed: &Bed) {
    let (a, b) = (bed.open_without_polling().await, bed.open_without_polling().await);
    for n in 1..=200 {
        let mut change = Append::one(None);
        change.moves = true;
        a.submit(change).await.unwrap();
        assert!(b.fresh(&workspace()).await.unwrap().head("ws_test") >= n);
    }
}
