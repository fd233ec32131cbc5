//! `exeat events verify` and `events head`: arguments and output of the check of the record, which
//! works on the store so that no server has to be trusted for it.

use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::store_access;
use crate::config::Config;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{BAD, GOOD, Output, Table, clean};

/// Check every chain of the event log
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  exeat events verify\n  exeat events head --json > head.json; exeat events verify --against head.json"
)]
pub struct VerifyArgs {
    /// Also compare with a head saved by `events head --json`: finds a tail that was cut off
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,
}

/// Show the head of every chain, to be kept elsewhere
#[derive(Debug, Args)]
pub struct HeadArgs {}

/// The heads of all chains: what `head --json` prints and `verify --against` reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heads {
    /// One for each stream.
    pub streams: Vec<Head>,
}

/// The head of one chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// `room`, `thread` or `workspace`.
    pub stream_type: String,
    /// Its id.
    pub stream_id: String,
    /// The last sequence number.
    pub stream_seq: i64,
    /// The last hash, `sha256:…`.
    pub event_hash: String,
}

/// What the check found.
#[derive(Debug, Clone, Serialize)]
pub struct VerifyReport {
    /// Whether everything is as it was written.
    pub valid: bool,
    /// Chains looked at.
    pub streams: u64,
    /// Events looked at.
    pub checked: u64,
    /// The first fault, in the order of streams and sequences.
    pub first_mismatch: Option<Mismatch>,
}

/// A fault and its place.
#[derive(Debug, Clone, Serialize)]
pub struct Mismatch {
    /// `room`, `thread` or `workspace`.
    pub stream_type: String,
    /// The stream's id.
    pub stream_id: String,
    /// The sequence number at which the chain breaks.
    pub stream_seq: i64,
    /// The event there, when there is one.
    pub event_id: Option<String>,
    /// Its type.
    pub event_type: Option<String>,
    /// `prev_hash_mismatch`, `event_hash_mismatch`, `event_hash_missing`, `gap`, `head_mismatch` or `tail_missing`.
    pub kind: String,
}

/// Checks every chain of the configured store.
///
/// # Errors
/// See [`Failure`].
pub async fn verify(args: &VerifyArgs, config: &Config, output: Output) -> Result<Exit, Failure> {
    let kept: Vec<store::StreamHead> = match &args.against {
        Some(file) => read_heads(file)?.streams.into_iter().map(Head::into_kept).collect(),
        None => Vec::new(),
    };
    let store = store_access::open(config, false).await?;
    let report = store.verify_all(&kept).await.map_err(|e| store_access::db_failure(&e))?;
    show_verified(output, &VerifyReport::from(report))
}

impl From<store::VerifyReport> for VerifyReport {
    fn from(report: store::VerifyReport) -> Self {
        let first_mismatch = report.faults.into_iter().find_map(|chain| {
            chain.first_mismatch.map(|fault| Mismatch {
                stream_type: chain.stream_type,
                stream_id: chain.stream_id,
                stream_seq: fault.stream_seq,
                event_id: fault.event_id.map(model::EventId::into_string),
                event_type: fault.event_type,
                kind: fault.kind.as_str().to_owned(),
            })
        });
        Self { valid: report.valid, streams: report.streams, checked: report.events, first_mismatch }
    }
}

/// Prints the heads of all chains of the configured store.
///
/// # Errors
/// See [`Failure`].
pub async fn head(config: &Config, output: Output) -> Result<Exit, Failure> {
    let store = store_access::open(config, false).await?;
    let heads = store.stream_heads().await.map_err(|e| store_access::db_failure(&e))?;
    let streams = heads
        .into_iter()
        .map(|h| Head {
            stream_type: h.stream_type,
            stream_id: h.stream_id,
            stream_seq: h.last_seq,
            event_hash: h.last_event_hash.unwrap_or_default(),
        })
        .collect();
    show_heads(output, &Heads { streams })?;
    Ok(Exit::Ok)
}

impl Head {
    fn into_kept(self) -> store::StreamHead {
        store::StreamHead {
            stream_type: self.stream_type,
            stream_id: self.stream_id,
            last_seq: self.stream_seq,
            last_event_hash: Some(self.event_hash),
        }
    }
}

/// Shows what the check found; exits 9 on a fault.
///
/// # Errors
/// Standard output cannot be written.
pub fn show_verified(output: Output, report: &VerifyReport) -> Result<Exit, Failure> {
    output.answer(&json!(report), |output, _| {
        output.line(&verdict(report))?;
        if !report.valid {
            output.say("the record was changed after it was written, or the disk lost it; keep a copy as it is, and compare with a backup");
        }
        Ok(())
    })?;
    Ok(if report.valid { Exit::Ok } else { Exit::Integrity })
}

fn verdict(report: &VerifyReport) -> String {
    let counted = format!("{} events in {} streams", report.checked, report.streams);
    match &report.first_mismatch {
        None if report.valid => format!("{GOOD}ok{GOOD:#}  {counted}"),
        None => format!("{BAD}broken{BAD:#}  {counted}"),
        Some(fault) => {
            let event = fault
                .event_id
                .as_deref()
                .map(|id| format!(", event {} ({})", clean(id), clean(fault.event_type.as_deref().unwrap_or("?"))))
                .unwrap_or_default();
            format!(
                "{BAD}broken{BAD:#}  {} at {}/{} sequence {}{event}  ({counted})",
                clean(&fault.kind),
                clean(&fault.stream_type),
                clean(&fault.stream_id),
                fault.stream_seq
            )
        }
    }
}

/// Shows the heads.
///
/// # Errors
/// Standard output cannot be written.
pub fn show_heads(output: Output, heads: &Heads) -> Result<(), Failure> {
    output.answer(&json!(heads), |output, _| {
        let mut table = Table::new(&["stream", "seq", "hash"]);
        for head in &heads.streams {
            table.row([
                format!("{}/{}", clean(&head.stream_type), clean(&head.stream_id)),
                head.stream_seq.to_string(),
                clean(&head.event_hash),
            ]);
        }
        output.table(table, "no events")
    })
}

/// Reads heads that were saved.
///
/// # Errors
/// The file cannot be read, or is something else.
pub fn read_heads(file: &std::path::Path) -> Result<Heads, Failure> {
    let unusable = |why: String| {
        Failure::usage(format!("cannot use the saved head `{}`", file.display()))
            .why(why)
            .next("save one with `exeat events head --json > FILE`")
    };
    let text = std::fs::read_to_string(file).map_err(|error| unusable(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| unusable(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Format, Talk};

    fn report(first_mismatch: Option<Mismatch>) -> VerifyReport {
        VerifyReport { valid: first_mismatch.is_none(), streams: 2, checked: 9, first_mismatch }
    }

    #[test]
    fn a_fault_is_named_with_its_place_and_exits_nine() {
        let fault = Mismatch {
            stream_type: "room".into(),
            stream_id: "room_1".into(),
            stream_seq: 4,
            event_id: Some("e4".into()),
            event_type: Some("egress.allowed".into()),
            kind: "event_hash_mismatch".into(),
        };
        let output = Output::new(Format::Json, Talk::Quiet);
        assert_eq!(show_verified(output, &report(None)).unwrap(), Exit::Ok);
        assert_eq!(show_verified(output, &report(Some(fault.clone()))).unwrap(), Exit::Integrity);
        let told = |fault| anstream::adapter::strip_str(&verdict(&report(fault))).to_string();
        assert_eq!(told(None), "ok  9 events in 2 streams");
        assert_eq!(
            told(Some(fault)),
            "broken  event_hash_mismatch at room/room_1 sequence 4, event e4 (egress.allowed)  (9 events in 2 streams)"
        );
    }

    #[test]
    fn saved_heads_read_back_and_nothing_else_does() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("head.json");
        let heads = Heads {
            streams: vec![Head {
                stream_type: "room".into(),
                stream_id: "r".into(),
                stream_seq: 3,
                event_hash: "sha256:00".into(),
            }],
        };
        std::fs::write(&file, serde_json::to_string(&heads).unwrap()).unwrap();
        assert_eq!(read_heads(&file).unwrap(), heads);
        std::fs::write(&file, "{}").unwrap();
        assert_eq!(read_heads(&file).unwrap_err().exit, Exit::Usage);
        assert!(read_heads(&dir.path().join("none")).is_err());
    }
}
