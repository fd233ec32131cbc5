//! A store without a file is a store like any other: it records, refuses, keeps its chain, and is gone afterwards.

use std::time::Duration;

use store::{Location, Store, StoreConfig, SubmitError};

use crate::harness::{Append, TakeQuota, defaults, workspace};

async fn open(location: Location) -> Store {
    let mut config = StoreConfig::new(location, defaults());
    config.poll = Duration::from_secs(3_600);
    Store::open(config).await.unwrap()
}

#[tokio::test]
async fn records_and_reads_on_one_thread() {
    let store = open(Location::Memory).await;
    let appended = (0..50).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            let room = format!("room_{}", n % 3);
            store.submit(Append { moves: n % 10 == 0, count: 2, ..Append::one(Some(&room)) }).await.unwrap();
            // In the middle of others' writing.
            store.position().await.unwrap()
        })
    });
    for position in futures::future::join_all(appended).await {
        assert!(position.unwrap() >= 2, "its own events at the least");
    }
    let report = store.verify_all(&[]).await.unwrap();
    assert!(report.valid && report.events == 100, "{report:?}");
    let view = store.fresh(&workspace()).await.unwrap();
    assert_eq!(view.head(workspace().as_str()), 5, "the view follows without being told");
}

#[tokio::test]
async fn what_is_refused_leaves_nothing() {
    let store = open(Location::Memory).await;
    store.submit(Append::one(None)).await.unwrap();
    let stale = Append { expect: Some((workspace().as_str().to_owned(), 7)), ..Append::one(None) };
    assert!(matches!(store.submit(stale).await, Err(SubmitError::Stale)));
    for (limit, taken) in [(1, true), (1, false)] {
        assert_eq!(store.submit(TakeQuota { limit }).await.unwrap().into_inner(), taken);
    }
    let report = store.verify_all(&[]).await.unwrap();
    assert!(report.valid && report.events == 3, "{report:?}");
}

#[tokio::test]
async fn each_is_its_own_and_can_be_copied_to_a_file() {
    let (one, other) = (open(Location::Memory).await, open(Location::Memory).await);
    one.submit(Append::one(Some("room_a"))).await.unwrap();
    assert_eq!((one.position().await.unwrap(), other.position().await.unwrap()), (1, 0));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("copy.db");
    one.backup(&file).await.unwrap();
    let copy = open(Location::parse(&format!("sqlite:{}", file.display())).unwrap()).await;
    copy.submit(Append::one(Some("room_a"))).await.unwrap();
    let report = copy.verify_all(&[]).await.unwrap();
    assert!(report.valid && report.events == 2, "{report:?}");
    assert_eq!(one.position().await.unwrap(), 1);
}
