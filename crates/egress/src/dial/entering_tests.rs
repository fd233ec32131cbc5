//! What a permit opens, and what it does not.

use gate::{Ending, ExecutionOutcome};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::bed::{Bed, Origin};
use super::tests::{dialer, trusting};
use super::*;
use crate::resolve::test_server::{NameServer, Say};

async fn here() -> NameServer {
    NameServer::start(|_| Say::addresses(60, &["127.0.0.1"])).await
}

#[tokio::test]
async fn nothing_is_sent_before_the_permit_and_all_after_it() {
    let (bed, origin, names) = (Bed::new().await, Origin::start(b"").await, here().await);
    let dialer = dialer(&names, trusting("in.test", "127.0.0.0/8"));
    let (clearance, permit) = bed.permit(&format!("http://in.test:{}/", origin.address.port())).await;
    let approach = dialer.approach(&clearance).await.unwrap();
    assert_eq!(origin.heard().await, [""], "connected, and not a byte");
    let (mut stream, crossing) = approach.enter(permit).await.unwrap().into_parts();
    stream.write_all(b"hello").await.unwrap();
    assert_eq!(origin.heard().await, ["hello"]);
    crossing.finish(Ending { bytes_up: 5, ..Ending::of(ExecutionOutcome::Completed) });
    let end = bed.ends(1).await.remove(0);
    assert_eq!(
        (&end["outcome"], &end["address_vetting"], &end["peer_ip"]),
        (&"completed".into(), &"own".into(), &"127.0.0.1".into())
    );
}

#[tokio::test]
async fn a_permit_for_another_place_opens_nothing() {
    let (bed, origin, names) = (Bed::new().await, Origin::start(b"").await, here().await);
    let dialer = dialer(&names, trusting("in.test", "127.0.0.0/8"));
    let port = origin.address.port();
    let right = format!("http://in.test:{port}/");
    for other in [
        format!("http://out.test:{port}/"),
        "http://in.test/".to_owned(),
        format!("https://in.test:{port}/"),
        format!("http://sub.in.test:{port}/"),
    ] {
        let (clearance, _unused) = bed.permit(&right).await;
        let (_, permit) = bed.permit(&other).await;
        let error = dialer.approach(&clearance).await.unwrap().enter(permit).await.unwrap_err();
        assert_eq!(error.finish(), DialError::PermitMismatch, "{other}");
    }
    assert_eq!(origin.heard().await.concat(), "");
    let (clearance, permit) = bed.permit(&right).await;
    let (mut stream, _crossing) = dialer.approach(&clearance).await.unwrap().enter(permit).await.unwrap().into_parts();
    stream.write_all(b"hello").await.unwrap();
    assert_eq!(origin.heard().await.concat(), "hello", "the control");
}

#[tokio::test]
async fn what_the_origin_says_first_is_not_lost() {
    let (bed, origin, names) = (Bed::new().await, Origin::start(b"220 ready").await, here().await);
    let dialer = dialer(&names, trusting("in.test", "127.0.0.0/8"));
    let (clearance, permit) = bed.permit(&format!("http://in.test:{}/", origin.address.port())).await;
    let (mut stream, _crossing) = dialer.approach(&clearance).await.unwrap().enter(permit).await.unwrap().into_parts();
    let mut greeting = [0; 9];
    stream.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"220 ready");
}

#[tokio::test]
async fn a_dead_kept_connection_is_renewed_once() {
    let (bed, origin, names) = (Bed::new().await, Origin::start(b"").await, here().await);
    let dialer = dialer(&names, trusting("in.test", "127.0.0.0/8"));
    let (clearance, permit) = bed.permit(&format!("http://in.test:{}/", origin.address.port())).await;
    let (_, mut crossing) = dialer.approach(&clearance).await.unwrap().enter(permit).await.unwrap().into_parts();
    crossing.reused = true;
    let (mut stream, crossing) = dialer.renew(crossing).await.unwrap().into_parts();
    stream.write_all(b"again").await.unwrap();
    assert_eq!(origin.heard().await.concat(), "again");
    assert_eq!(dialer.renew(crossing).await.unwrap_err().finish(), DialError::Broken);
}
