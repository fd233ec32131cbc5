//! The image is what the migrations make.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, MAIN_DB};

use super::{IMAGE, Memory};
use crate::migrate;

/// Set it to write the image anew.
const REWRITE: &str = "EXEAT_REWRITE_SCHEMA";
/// LIMIT: the size of a page. Most tables stay empty, and an empty one is a page of the image.
const PAGE_BYTES: u32 = 1024;

/// A schema: each thing in it by kind and name, with the statement that makes it.
type Schema = BTreeMap<(String, String), Option<String>>;

fn migrated() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(&format!("PRAGMA page_size = {PAGE_BYTES}")).unwrap();
    migrate::sqlite(&mut connection).unwrap();
    // Their times are those of the store that is made.
    connection.execute_batch("UPDATE sec_action_registry SET created_at = '', updated_at = ''").unwrap();
    connection
}

fn imaged(image: &[u8]) -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    connection.deserialize_read_exact(MAIN_DB, image, image.len(), false).unwrap();
    connection
}

fn schema(connection: &Connection) -> Schema {
    let mut statement = connection.prepare("SELECT type, name, sql FROM sqlite_schema").unwrap();
    let rows = statement.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

fn rows(connection: &Connection, table: &str) -> Vec<Vec<Value>> {
    let mut statement = connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")).unwrap();
    let width = statement.column_count();
    let rows = statement.query_map([], |row| (0..width).map(|at| row.get(at)).collect()).unwrap();
    rows.map(Result::unwrap).collect()
}

/// What differs, in words; nothing when both are the same.
fn difference(one: &Connection, other: &Connection) -> Option<String> {
    let (first, second) = (schema(one), schema(other));
    if first != second {
        return Some("schema".to_owned());
    }
    let tables = first.keys().filter(|(kind, _)| kind == "table").map(|(_, name)| name);
    tables.into_iter().find(|table| rows(one, table) != rows(other, table)).cloned()
}

#[test]
fn the_committed_image_is_what_the_migrations_make() {
    let mut migrated = migrated();
    if std::env::var_os(REWRITE).is_some() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/schema.sqlite");
        migrated.execute_batch("VACUUM").unwrap();
        let image = migrated.serialize(MAIN_DB).unwrap();
        std::fs::write(file, &*image).unwrap();
        return;
    }
    let imaged = imaged(IMAGE);
    assert_eq!(
        difference(&imaged, &migrated),
        None,
        "crates/store/migrations/schema.sqlite is not what the migrations make: run this test with {REWRITE}=1"
    );
    let sound: String = imaged.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
    let page: u32 = imaged.query_row("PRAGMA page_size", [], |row| row.get(0)).unwrap();
    assert_eq!(page, PAGE_BYTES);
}

#[test]
fn a_difference_would_be_seen() {
    for (change, seen) in [
        ("CREATE TABLE one_more (a TEXT)", "schema"),
        ("DROP TRIGGER evt_events_no_update", "schema"),
        ("DELETE FROM sec_action_registry", "sec_action_registry"),
        ("UPDATE schema_migrations SET name = 'other' WHERE number = 1", "schema_migrations"),
        ("INSERT INTO policy_heads VALUES ('ws', 1)", "policy_heads"),
    ] {
        let changed = imaged(IMAGE);
        changed.execute_batch(change).unwrap();
        assert_eq!(difference(&changed, &migrated()).as_deref(), Some(seen), "{change}");
    }
}

#[test]
fn a_store_begins_at_the_newest_migration() {
    let (memory, status) = Memory::open().unwrap();
    assert!(status.applied == status.known && status.pending.is_empty(), "{status:?}");
    let stamped = memory.0.try_lock().unwrap().query_row(
        "SELECT count(*) FROM sec_action_registry WHERE created_at < '2026' OR updated_at < created_at",
        [],
        |row| row.get(0),
    );
    assert_eq!(stamped, Ok(0), "what it begins with is as old as itself");
    let older = migrate::sqlite_status(&imaged(IMAGE)).unwrap();
    assert_eq!(older, status, "the image itself has every migration");
}
