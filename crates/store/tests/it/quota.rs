//! A quota is exact: under any concurrency, in one process and in two.

use crate::harness::{Bed, TakeQuota};

mod cases {
    use crate::harness::on_both;
    on_both!(lets_exactly_the_limit_through);
}

async fn lets_exactly_the_limit_through(bed: &Bed) {
    let stores = [bed.open().await, bed.open().await];
    let mut tasks = Vec::new();
    for n in 0..200 {
        let store = stores[n % 2].clone();
        tasks.push(tokio::spawn(async move { store.submit(TakeQuota { limit: 50 }).await.unwrap().into_inner() }));
    }
    let mut taken = 0;
    for task in tasks {
        taken += usize::from(task.await.unwrap());
    }
    assert_eq!(taken, 50);
    let more = stores[0].submit(TakeQuota { limit: 60 }).await.unwrap().into_inner();
    assert!(more, "the control: a higher limit lets more through at once");
    let report = stores[0].verify_all(&[]).await.unwrap();
    assert!(report.valid, "{report:?}");
    assert_eq!(report.events, 201);
}
