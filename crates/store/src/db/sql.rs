//! Statement text: generated from tables, or written once with tokens for what dialects spell
//! differently.
//!
//! Tokens in a query text: `{list:N}` (the list in parameter N, after `IN`), `{lock}` (row lock,
//! nothing on SQLite, whose transactions already exclude each other), `{skip:TABLES}` (the same for rows of
//! these tables, but what somebody else has locked is left out), `{now}` (the store's clock). Parameters are `$1`, …

use std::fmt::Write as _;

use super::table::{Table, TableSpec};
use super::{ColumnType, Dialect};

/// Renders a query text for one dialect.
pub(crate) fn render(dialect: Dialect, text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some((before, tail)) = rest.split_once('{') {
        out.push_str(before);
        let Some((token, after)) = tail.split_once('}') else {
            out.push('{');
            rest = tail;
            continue;
        };
        match (token.split_once(':'), dialect) {
            (Some(("list", n)), Dialect::Sqlite) => {
                let _ = write!(out, "(SELECT value FROM json_each(${n}))");
            }
            (Some(("list", n)), Dialect::Postgres) => {
                let _ = write!(out, "(SELECT unnest(${n}::text[]))");
            }
            (None, Dialect::Postgres) if token == "lock" => out.push_str("FOR UPDATE"),
            (Some(("skip", tables)), Dialect::Postgres) => {
                let _ = write!(out, "FOR UPDATE OF {tables} SKIP LOCKED");
            }
            (None, Dialect::Postgres) if token == "now" => out.push_str("clock_timestamp()"),
            (None, Dialect::Sqlite) if token == "now" => out.push_str("strftime('%Y-%m-%dT%H:%M:%fZ','now')"),
            _ => {}
        }
        rest = after;
    }
    out.push_str(rest);
    if dialect == Dialect::Sqlite { number_parameters(&out) } else { out }
}

/// SQLite numbers `?N`; `$N` would be a name.
fn number_parameters(text: &str) -> String {
    text.replace('$', "?")
}

/// The columns of a table as a select list, prefixed with `alias.`; JSON as text.
pub(crate) fn columns<T: Table>(dialect: Dialect, alias: &str) -> String {
    column_list(dialect, &T::SPEC, alias)
}

fn column_list(dialect: Dialect, spec: &TableSpec, alias: &str) -> String {
    let mut out = String::new();
    for column in spec.columns {
        if !out.is_empty() {
            out.push_str(", ");
        }
        let _ = write!(out, "{alias}.{}", column.name);
        if dialect == Dialect::Postgres && column.ty == ColumnType::Json {
            out.push_str("::text");
        }
    }
    out
}

/// How a write treats a row that is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum WriteMode {
    /// It must not be there.
    Insert,
    /// It is replaced.
    Upsert,
    /// It is removed, by its key.
    Delete,
}

/// The write statement of a table: one row on SQLite, columns of arrays on PostgreSQL.
pub(crate) fn write(dialect: Dialect, spec: &TableSpec, mode: WriteMode) -> String {
    if mode == WriteMode::Delete {
        return delete(dialect, spec);
    }
    let names: Vec<&str> = spec.columns.iter().map(|c| c.name).collect();
    let names = names.join(", ");
    // FAIL leaves a failed statement half done where ABORT would undo it at the price of a copy of
    // every page it touches; a failed statement fails the transaction, which undoes everything.
    let verb = if dialect == Dialect::Sqlite && mode == WriteMode::Insert { "INSERT OR FAIL" } else { "INSERT" };
    let mut out = format!("{verb} INTO {} ({names}) ", spec.name);
    match dialect {
        Dialect::Sqlite => {
            let marks: Vec<String> = (1..=spec.columns.len()).map(|n| format!("?{n}")).collect();
            let _ = write!(out, "VALUES ({})", marks.join(", "));
        }
        Dialect::Postgres => {
            let values: Vec<String> = spec
                .columns
                .iter()
                .map(|c| match (c.ty, c.name) {
                    (ColumnType::Json, name) => format!("u.{name}::json"),
                    // The writing transaction's id, then the place in its batch: an order in which
                    // a reader below the oldest running transaction never sees a late comer.
                    (ColumnType::Int, "position") => {
                        "((pg_current_xact_id()::text::bigint << 20) | u.position)".to_owned()
                    }
                    (_, name) => format!("u.{name}"),
                })
                .collect();
            let arrays: Vec<String> = spec
                .columns
                .iter()
                .enumerate()
                .map(|(i, c)| format!("${}::{}[]", i + 1, postgres_type(c.ty)))
                .collect();
            let _ = write!(
                out,
                "SELECT {} FROM unnest({}) WITH ORDINALITY AS u({names}, ord) ORDER BY u.ord",
                values.join(", "),
                arrays.join(", ")
            );
        }
    }
    if mode == WriteMode::Upsert {
        let sets: Vec<String> = spec
            .columns
            .iter()
            .filter(|c| !spec.key.contains(&c.name))
            .map(|c| format!("{0} = excluded.{0}", c.name))
            .collect();
        let _ = write!(out, " ON CONFLICT ({}) DO UPDATE SET {}", spec.key.join(", "), sets.join(", "));
    }
    out
}

fn delete(dialect: Dialect, spec: &TableSpec) -> String {
    let names: Vec<&str> = spec.columns.iter().map(|c| c.name).collect();
    match dialect {
        Dialect::Sqlite => {
            let place = |key: &&str| names.iter().position(|n| n == key).map_or(0, |p| p + 1);
            let tests: Vec<String> = spec.key.iter().map(|k| format!("{k} = ?{}", place(k))).collect();
            // The last test uses the last parameter, so that every column can be bound.
            let last = names.len();
            format!("DELETE FROM {} WHERE {} AND ?{last} IS ?{last}", spec.name, tests.join(" AND "))
        }
        Dialect::Postgres => {
            let arrays: Vec<String> = spec
                .columns
                .iter()
                .enumerate()
                .map(|(i, c)| format!("${}::{}[]", i + 1, postgres_type(c.ty)))
                .collect();
            let tests: Vec<String> = spec.key.iter().map(|k| format!("t.{k} = u.{k}")).collect();
            format!(
                "DELETE FROM {} t USING unnest({}) AS u({}) WHERE {}",
                spec.name,
                arrays.join(", "),
                names.join(", "),
                tests.join(" AND ")
            )
        }
    }
}

fn postgres_type(ty: ColumnType) -> &'static str {
    match ty {
        ColumnType::Text | ColumnType::Json => "text",
        ColumnType::Int => "bigint",
        ColumnType::Bool => "boolean",
        ColumnType::Time => "timestamptz",
        ColumnType::Bytes => "bytea",
    }
}

/// The keyed read of a table: one key on SQLite, arrays of key columns on PostgreSQL. On
/// PostgreSQL rows come, and are locked, in key order.
pub(crate) fn keyed_read(dialect: Dialect, spec: &TableSpec, key: &[&str], lock: bool) -> String {
    let columns = column_list(dialect, spec, "t");
    match dialect {
        Dialect::Sqlite => {
            let tests: Vec<String> = key.iter().enumerate().map(|(i, k)| format!("t.{k} = ?{}", i + 1)).collect();
            format!("SELECT {columns} FROM {} t WHERE {}", spec.name, tests.join(" AND "))
        }
        Dialect::Postgres => {
            let arrays: Vec<String> = (1..=key.len()).map(|n| format!("${n}::text[]")).collect();
            let on: Vec<String> = key.iter().map(|k| format!("t.{k} = k.{k}")).collect();
            let order: Vec<String> = key.iter().map(|k| format!("t.{k}")).collect();
            format!(
                "SELECT {columns} FROM {} t JOIN unnest({}) AS k({}) ON {} ORDER BY {}{}",
                spec.name,
                arrays.join(", "),
                key.join(", "),
                on.join(" AND "),
                order.join(", "),
                if lock { " FOR UPDATE OF t" } else { "" }
            )
        }
    }
}
