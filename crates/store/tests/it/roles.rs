//! On PostgreSQL a service runs as a role that can write everything it needs and cannot change events.

use policy::Defaults;
use store::{Location, Store, StoreConfig};

use crate::harness::{Append, Bed, defaults};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_role_records_and_cannot_change_events() {
    let bed = Bed::postgres();
    let Location::Postgres(url) = &bed.location else { panic!("a PostgreSQL store") };
    // Roles belong to the whole cluster, which tests share.
    let role = format!("service_{}", std::process::id());
    bed.sql(&format!("CREATE ROLE {role} LOGIN")).unwrap();
    store::migrate(&bed.location, Some(&role)).await.unwrap();
    let owner = bed.open().await;
    assert!(owner.append_only_is_weak().await.unwrap(), "the control: the owner could");

    let (scheme, rest) = url.split_once("://").unwrap();
    let rest = rest.split_once('@').map_or(rest, |(_, host)| host);
    let service: Defaults = defaults();
    let location = Location::Postgres(format!("{scheme}://{role}@{rest}"));
    let store = Store::open(StoreConfig::new(location, service)).await.unwrap();
    assert!(!store.append_only_is_weak().await.unwrap());
    store.submit(Append::one(Some("room_a"))).await.unwrap();
    assert!(store.verify_all(&[]).await.unwrap().valid);
    let denied = bed.sql(&format!("SET ROLE {role}; UPDATE evt_events SET data = '{{}}'")).unwrap_err();
    assert!(denied.contains("permission denied"), "{denied}");
    drop(store);
    bed.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).unwrap();
}
