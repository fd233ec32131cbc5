//! Policy sets in the view: whole, followed when the head moves, denying when they cannot be read.

use std::time::Duration;

use model::{ActorType, Category, Time};
use policy::{Facts, RuleVerdict, Who};
use store::Store;
use store::sets::{PolicyText, UNREADABLE};

use crate::harness::{Bed, workspace};

mod cases {
    use crate::harness::on_both;
    on_both!(the_view_follows_the_set, what_cannot_be_read_denies, published_texts_never_change);
}

fn text(id: &str) -> PolicyText {
    let text = format!("[[deny]]\nid = \"{id}\"\naction = \"x.y\"\n");
    PolicyText::of(vec![rules::Source { name: "a.toml".to_owned(), text }])
}

/// Puts a set with SQL, as a publisher in another process does, and moves the head.
fn put(bed: &Bed, version: u64, digest: &str, files: Option<&str>) {
    let mut sql = String::from("BEGIN;");
    if let Some(files) = files {
        sql += &format!(
            "INSERT INTO policy_texts (workspace_id, digest, files) VALUES ('ws_test', '{digest}', '{}');",
            files.replace('\'', "''")
        );
    }
    sql += &format!(
        "INSERT INTO policy_versions (workspace_id, version, digest, files, rules, source) \
         VALUES ('ws_test', {version}, '{digest}', 1, 1, 'api');\
         INSERT INTO policy_sets (workspace_id, active_version, digest, source) \
         VALUES ('ws_test', {version}, '{digest}', 'api') \
         ON CONFLICT (workspace_id) DO UPDATE SET active_version = excluded.active_version, digest = excluded.digest;\
         INSERT INTO policy_heads (scope, head) VALUES ('ws_test', {version}) \
         ON CONFLICT (scope) DO UPDATE SET head = excluded.head;\
         INSERT INTO policy_log (scope, head, object_kind, object_id) \
         VALUES ('ws_test', {version}, 'policy_set', 'ws_test'); COMMIT;"
    );
    bed.sql(&sql).unwrap();
}

/// The version that holds, and what it says to the one action that the rules are about.
async fn verdict(store: &Store) -> (u64, RuleVerdict) {
    let view = store.fresh(&workspace()).await.unwrap();
    let Some(rules) = view.snapshot.rules(&workspace()) else { return (0, RuleVerdict::Silent) };
    let facts = Facts::bare(Category::Action, "x.y", Who { kind: ActorType::User, name: "ann" });
    (rules.version, rules.pack.eval(&facts, Time::from_millis(0)).live)
}

fn denied(by: &str) -> RuleVerdict {
    RuleVerdict::Deny(vec![by.into()])
}

async fn the_view_follows_the_set(bed: &Bed) {
    let store = bed.open_without_polling().await;
    assert_eq!(verdict(&store).await, (0, RuleVerdict::Silent));
    for version in 1..6 {
        let text = text(&format!("r{version}"));
        put(bed, version, &text.digest, Some(text.files.as_str()));
        assert_eq!(verdict(&store).await, (version, denied(&format!("r{version}"))));
    }
    // Many who wait for one compilation get the same view.
    let late = text("late");
    put(bed, 6, &late.digest, Some(late.files.as_str()));
    let all = futures::future::join_all((0..50).map(|_| verdict(&store))).await;
    assert!(all.iter().all(|each| *each == (6, denied("late"))), "{all:?}");
    // Somebody who opens the store later finds it, too; and a text that came back is the same set.
    assert_eq!(verdict(&bed.open().await).await, (6, denied("late")));
    put(bed, 7, &text("r5").digest, None);
    assert_eq!(verdict(&store).await, (7, denied("r5")));
    assert!(store.compiled_set(&text("r5").digest).is_some());
}

async fn what_cannot_be_read_denies(bed: &Bed) {
    let store = bed.open().await;
    let good = text("good");
    put(bed, 1, &good.digest, Some(good.files.as_str()));
    assert_eq!(verdict(&store).await, (1, denied("good")), "the control");
    assert_eq!(store.view().unreadable_sets(), 0);
    put(bed, 2, "sha256:no-such-text", None);
    let unreadable = RuleVerdict::Unevaluable(vec![UNREADABLE.into()]);
    assert_eq!(verdict(&store).await, (2, unreadable.clone()));
    assert_eq!(store.view().unreadable_sets(), 1);
    let bad = PolicyText::of(vec![rules::Source { name: "a.toml".to_owned(), text: "[[deny]]".to_owned() }]);
    put(bed, 3, &bad.digest, Some(bad.files.as_str()));
    assert_eq!(verdict(&store).await, (3, unreadable.clone()));
    let other = store.fresh(&model::WorkspaceId::parse("ws_other").unwrap()).await.unwrap();
    assert!(other.snapshot.rules(&model::WorkspaceId::parse("ws_other").unwrap()).is_none());
    // Not even a restart lets anything pass.
    assert_eq!(verdict(&bed.open().await).await, (3, unreadable));
    put(bed, 4, &good.digest, None);
    assert_eq!(verdict(&store).await, (4, denied("good")));
    assert_eq!(store.view().unreadable_sets(), 0);
    tokio::time::timeout(Duration::from_secs(10), store.drained()).await.unwrap();
}

async fn published_texts_never_change(bed: &Bed) {
    let store = bed.open().await;
    let good = text("good");
    put(bed, 1, &good.digest, Some(good.files.as_str()));
    for text in [
        "UPDATE policy_texts SET files = '[]'",
        "DELETE FROM policy_texts",
        "UPDATE policy_versions SET rules = 0",
        "DELETE FROM policy_versions",
    ] {
        assert!(bed.sql(text).is_err(), "{text}");
    }
    bed.sql("UPDATE policy_sets SET updated_at = updated_at").unwrap();
    assert_eq!(verdict(&store).await, (1, denied("good")));
}
