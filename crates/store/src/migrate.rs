//! Schema migrations: numbered, applied in order, each in one transaction.

use crate::db::postgres::{PgTarget, classify};
use crate::db::{DbError, sqlite};

/// One migration for both dialects.
struct Migration {
    number: i64,
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

const ALL: &[Migration] = &[
    Migration {
        number: 1,
        name: "gate",
        sqlite: include_str!("../migrations/0001_gate.sqlite.sql"),
        postgres: include_str!("../migrations/0001_gate.postgres.sql"),
    },
    Migration {
        number: 2,
        name: "runs",
        sqlite: include_str!("../migrations/0002_runs.sqlite.sql"),
        postgres: include_str!("../migrations/0002_runs.postgres.sql"),
    },
    Migration {
        number: 3,
        name: "capability_uses",
        sqlite: include_str!("../migrations/0003_capability_uses.sqlite.sql"),
        postgres: include_str!("../migrations/0003_capability_uses.postgres.sql"),
    },
    Migration {
        number: 4,
        name: "policy_sets",
        sqlite: include_str!("../migrations/0004_policy_sets.sqlite.sql"),
        postgres: include_str!("../migrations/0004_policy_sets.postgres.sql"),
    },
    Migration {
        number: 5,
        name: "decision_log",
        sqlite: include_str!("../migrations/0005_decision_log.sqlite.sql"),
        postgres: include_str!("../migrations/0005_decision_log.postgres.sql"),
    },
    Migration {
        number: 6,
        name: "gateways",
        sqlite: include_str!("../migrations/0006_gateways.sqlite.sql"),
        postgres: include_str!("../migrations/0006_gateways.postgres.sql"),
    },
    Migration {
        number: 7,
        name: "guard_marks",
        sqlite: include_str!("../migrations/0007_guard_marks.sqlite.sql"),
        postgres: include_str!("../migrations/0007_guard_marks.postgres.sql"),
    },
    Migration {
        number: 8,
        name: "tool_executions",
        sqlite: include_str!("../migrations/0008_tool_executions.sqlite.sql"),
        postgres: include_str!("../migrations/0008_tool_executions.postgres.sql"),
    },
];

const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (number bigint PRIMARY KEY, name text NOT NULL)";

/// Where the schema stands.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SchemaStatus {
    /// The newest migration applied; 0 for an empty store.
    pub applied: i64,
    /// The newest migration this program knows.
    pub known: i64,
    /// The names of the migrations that are still to be applied.
    pub pending: Vec<&'static str>,
}

impl SchemaStatus {
    fn of(applied: i64) -> Self {
        Self {
            applied,
            known: ALL.last().map_or(0, |m| m.number),
            pending: ALL.iter().filter(|m| m.number > applied).map(|m| m.name).collect(),
        }
    }
}

pub(crate) fn sqlite_status(connection: &rusqlite::Connection) -> Result<SchemaStatus, DbError> {
    connection.execute_batch(TABLE).map_err(|e| sqlite::classify(&e))?;
    let applied = connection
        .query_row("SELECT coalesce(max(number), 0) FROM schema_migrations", [], |row| row.get(0))
        .map_err(|e| sqlite::classify(&e))?;
    Ok(SchemaStatus::of(applied))
}

pub(crate) fn sqlite(connection: &mut rusqlite::Connection) -> Result<SchemaStatus, DbError> {
    let transaction = connection
        .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
        .map_err(|e| sqlite::classify(&e))?;
    let status = sqlite_status(&transaction)?;
    for migration in ALL.iter().filter(|m| m.number > status.applied) {
        transaction.execute_batch(migration.sqlite).map_err(|e| sqlite::classify(&e))?;
        transaction
            .execute("INSERT INTO schema_migrations (number, name) VALUES (?1, ?2)", (migration.number, migration.name))
            .map_err(|e| sqlite::classify(&e))?;
    }
    transaction.commit().map_err(|e| sqlite::classify(&e))?;
    Ok(SchemaStatus::of(status.known))
}

pub(crate) async fn postgres_status(target: &PgTarget) -> Result<SchemaStatus, DbError> {
    let client = target.connect().await?;
    let known: bool = client
        .query_one("SELECT to_regclass('schema_migrations') IS NOT NULL", &[])
        .await
        .and_then(|row| row.try_get(0))
        .map_err(|e| classify(&e))?;
    if !known {
        return Ok(SchemaStatus::of(0));
    }
    let applied = client
        .query_one("SELECT coalesce(max(number), 0) FROM schema_migrations", &[])
        .await
        .and_then(|row| row.try_get(0))
        .map_err(|e| classify(&e))?;
    Ok(SchemaStatus::of(applied))
}

/// Migrates; several processes may do so at once, one of them does the work. `service_role`, when
/// given, gets what a service needs and no right to change the event log.
pub(crate) async fn postgres(target: &PgTarget, service_role: Option<&str>) -> Result<SchemaStatus, DbError> {
    let mut client = target.connect().await?;
    let transaction = client.transaction().await.map_err(|e| classify(&e))?;
    // Held to the end of the transaction: two that migrate at once wait for each other here.
    transaction.batch_execute("SELECT pg_advisory_xact_lock(7232190417)").await.map_err(|e| classify(&e))?;
    transaction.batch_execute(TABLE).await.map_err(|e| classify(&e))?;
    let applied: i64 = transaction
        .query_one("SELECT coalesce(max(number), 0) FROM schema_migrations", &[])
        .await
        .and_then(|row| row.try_get(0))
        .map_err(|e| classify(&e))?;
    let status = SchemaStatus::of(applied);
    for migration in ALL.iter().filter(|m| m.number > status.applied) {
        transaction.batch_execute(migration.postgres).await.map_err(|e| classify(&e))?;
        transaction
            .execute(
                "INSERT INTO schema_migrations (number, name) VALUES ($1, $2)",
                &[&migration.number, &migration.name],
            )
            .await
            .map_err(|e| classify(&e))?;
    }
    if let Some(role) = service_role {
        transaction.batch_execute(&grants(role)?).await.map_err(|e| classify(&e))?;
    }
    transaction.commit().await.map_err(|e| classify(&e))?;
    Ok(SchemaStatus::of(status.known))
}

fn grants(role: &str) -> Result<String, DbError> {
    let plain = !role.is_empty() && role.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !plain {
        return Err(DbError::Refused("a service role is named with letters, digits and `_`".to_owned()));
    }
    Ok(format!(
        "GRANT USAGE ON SCHEMA public TO \"{role}\"; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO \"{role}\"; \
         REVOKE UPDATE, DELETE, TRUNCATE ON evt_events FROM \"{role}\"; \
         REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON schema_migrations FROM \"{role}\";"
    ))
}
