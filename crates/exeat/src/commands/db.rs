//! `exeat db`: arguments and output of the work on the store itself.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use super::store_access;
use crate::config::Config;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Output, Table, clean};

/// What to do.
#[derive(Debug, Subcommand)]
#[command(
    before_help = "Examples:\n  exeat db status\n  exeat db backup /backups/exeat-today.db\n  exeat db rebuild --json"
)]
pub enum Command {
    /// Bring the tables up to this version
    Migrate(MigrateArgs),
    /// Show which version the tables have
    Status,
    /// Replay the events into fresh projections and compare; exits 9 when a row differed
    Rebuild,
    /// Copy the store into a file while it is in use
    Backup(BackupArgs),
}

/// For whom.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// On PostgreSQL: the role the service runs as, which gets no right to change the event log
    #[arg(long, value_name = "ROLE")]
    pub service_role: Option<String>,
}

/// Where to.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The file to write; it must not exist
    pub file: PathBuf,
}

/// What a rebuild found.
#[derive(Debug, Clone, Serialize)]
pub struct RebuildReport {
    /// One entry for each projection.
    pub tables: Vec<RebuiltTable>,
}

/// One projection.
#[derive(Debug, Clone, Serialize)]
pub struct RebuiltTable {
    /// Its table.
    pub name: String,
    /// Its rows after the replay.
    pub rows: u64,
    /// Rows that were not as the events say.
    pub differing: u64,
}

/// What state the tables are in.
#[derive(Debug, Clone, Serialize)]
pub struct DbStatus {
    /// `sqlite` or `postgres`.
    pub store: String,
    /// The version the tables have; 0 is an empty store.
    pub version: u64,
    /// The version this program wants.
    pub wanted: u64,
    /// Migrations still to run, by name.
    pub pending: Vec<String>,
}

/// Runs the command on the configured store.
///
/// # Errors
/// See [`Failure`].
pub async fn run(command: Command, config: &Config, output: Output) -> Result<Exit, Failure> {
    let location = store_access::location(config)?;
    match command {
        Command::Migrate(args) => {
            let before = store::schema_status(&location).await.map_err(|e| store_access::open_failure(&e))?;
            let after = store::migrate(&location, args.service_role.as_deref())
                .await
                .map_err(|e| store_access::open_failure(&e))?;
            let applied: Vec<String> = before.pending.into_iter().map(str::to_owned).collect();
            show_migrated(output, &applied, version(after.applied))?;
            Ok(Exit::Ok)
        }
        Command::Status => {
            let status = store::schema_status(&location).await.map_err(|e| store_access::open_failure(&e))?;
            let kind = if matches!(location, store::Location::Postgres(_)) { "postgres" } else { "sqlite" };
            let status = DbStatus {
                store: kind.to_owned(),
                version: version(status.applied),
                wanted: version(status.known),
                pending: status.pending.into_iter().map(str::to_owned).collect(),
            };
            show_status(output, &status)
        }
        Command::Rebuild => {
            let report = store::rebuild(&location).await.map_err(|e| store_access::open_failure(&e))?;
            let tables = report
                .tables
                .into_iter()
                .map(|t| RebuiltTable { name: t.name.to_owned(), rows: t.rows, differing: t.differing })
                .collect();
            show_rebuilt(output, &RebuildReport { tables })
        }
        Command::Backup(args) => {
            let store = store_access::open(config, false).await?;
            store.backup(&args.file).await.map_err(|e| store_access::db_failure(&e))?;
            let size_bytes = std::fs::metadata(&args.file)?.len();
            show_backup(output, &args.file, size_bytes)?;
            Ok(Exit::Ok)
        }
    }
}

fn version(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Shows what a migration did.
///
/// # Errors
/// Standard output cannot be written.
pub fn show_migrated(output: Output, applied: &[String], version: u64) -> Result<(), Failure> {
    output.answer(&json!({ "applied": applied, "version": version }), |output, _| match applied {
        [] => output.line(&format!("nothing to do: the tables are at version {version}")),
        names => names.iter().try_for_each(|name| output.line(&format!("applied {}", clean(name)))),
    })
}

/// Shows the state of the tables; exits 1 when they are not what this program wants.
///
/// # Errors
/// Standard output cannot be written.
pub fn show_status(output: Output, status: &DbStatus) -> Result<Exit, Failure> {
    let current = status.version == status.wanted && status.pending.is_empty();
    output.answer(&json!(status), |output, _| {
        output.line(&format!("{}  version {} of {}", clean(&status.store), status.version, status.wanted))?;
        if !status.pending.is_empty() {
            output.say(&format!("pending: {}\nnext: exeat db migrate", clean(&status.pending.join(", "))));
        }
        Ok(())
    })?;
    Ok(if current { Exit::Ok } else { Exit::Failure })
}

/// Shows what a rebuild found; exits 9 when any row differed.
///
/// # Errors
/// Standard output cannot be written.
pub fn show_rebuilt(output: Output, report: &RebuildReport) -> Result<Exit, Failure> {
    let differing: u64 = report.tables.iter().map(|table| table.differing).sum();
    output.answer(&json!(report), |output, _| {
        let mut table = Table::new(&["table", "rows", "differing"]);
        for rebuilt in &report.tables {
            table.row([clean(&rebuilt.name), rebuilt.rows.to_string(), rebuilt.differing.to_string()]);
        }
        output.table(table, "no projections")?;
        if differing > 0 {
            output.warn(&format!("{differing} rows were not as the events say; they are now. Somebody may have changed them: exeat events verify"));
        }
        Ok(())
    })?;
    Ok(if differing == 0 { Exit::Ok } else { Exit::Integrity })
}

/// Shows where a backup went.
///
/// # Errors
/// Standard output cannot be written.
pub fn show_backup(output: Output, file: &Path, size_bytes: u64) -> Result<(), Failure> {
    let shown = file.display().to_string();
    output.answer(&json!({ "file": shown, "size_bytes": size_bytes }), |output, _| {
        output.line(&format!("wrote {} ({size_bytes} bytes)", clean(&shown)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Format, Talk};

    fn report(differing: u64) -> RebuildReport {
        RebuildReport {
            tables: vec![
                RebuiltTable { name: "proj_rooms".into(), rows: 3, differing: 0 },
                RebuiltTable { name: "proj_runs".into(), rows: 2, differing },
            ],
        }
    }

    #[test]
    fn a_differing_row_is_an_integrity_failure() {
        let output = Output::new(Format::Json, Talk::Quiet);
        assert_eq!(show_rebuilt(output, &report(0)).unwrap(), Exit::Ok);
        assert_eq!(show_rebuilt(output, &report(1)).unwrap(), Exit::Integrity);
        insta::assert_snapshot!(json!(report(1)), @r#"{"tables":[{"differing":0,"name":"proj_rooms","rows":3},{"differing":1,"name":"proj_runs","rows":2}]}"#);
    }

    #[test]
    fn tables_behind_this_version_are_a_failure() {
        let status = |version, pending: &[&str]| DbStatus {
            store: "sqlite".into(),
            version,
            wanted: 2,
            pending: pending.iter().map(ToString::to_string).collect(),
        };
        let output = Output::new(Format::Json, Talk::Quiet);
        assert_eq!(show_status(output, &status(2, &[])).unwrap(), Exit::Ok);
        assert_eq!(show_status(output, &status(1, &["two"])).unwrap(), Exit::Failure);
    }
}
