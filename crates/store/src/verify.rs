//! Checking the log: every stream's chain, recomputed from the rows, against its stored hashes, its
//! head, and heads kept elsewhere.

use model::event::{EventBody, Hash, Stream, StreamType, chain, parse_hash, render_hash};
use model::{EventId, WorkspaceId};
use serde::{Deserialize, Serialize};

use crate::Store;
use crate::db::{DbError, Param};
use crate::rows::{EventRow, StreamHeadRow};

/// LIMIT: events read at once.
const CHUNK: i64 = 1_000;

/// How a stored event differs from what the chain demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MismatchKind {
    /// Its `prev_event_hash` is not the hash of the event before.
    PrevHashMismatch,
    /// Its hash or leaf is not what its columns give.
    EventHashMismatch,
    /// It has no readable hash.
    EventHashMissing,
    /// A sequence is missing.
    Gap,
    /// The stream ends before its head, or before a head that was kept.
    TailMissing,
    /// The stream's head does not fit its last event, or a kept head does not.
    HeadMismatch,
}

impl MismatchKind {
    /// The text on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PrevHashMismatch => "prev_hash_mismatch",
            Self::EventHashMismatch => "event_hash_mismatch",
            Self::EventHashMissing => "event_hash_missing",
            Self::Gap => "gap",
            Self::TailMissing => "tail_missing",
            Self::HeadMismatch => "head_mismatch",
        }
    }
}

/// The first fault of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// Where.
    pub stream_seq: i64,
    /// The event found there.
    pub event_id: Option<EventId>,
    /// Its type.
    pub event_type: Option<String>,
    /// What is wrong.
    pub kind: MismatchKind,
    /// The hash that the chain demands, where there is one.
    pub expected: Option<String>,
    /// The hash that is stored.
    pub found: Option<String>,
}

/// What checking one stream gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainReport {
    /// The stream's kind.
    pub stream_type: String,
    /// The stream's id.
    pub stream_id: String,
    /// How many events were checked.
    pub checked: u64,
    /// Whether nothing is wrong.
    pub valid: bool,
    /// The first fault.
    pub first_mismatch: Option<Mismatch>,
    /// The hash of the last event checked.
    pub last_event_hash: Option<String>,
}

/// What checking all streams gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// How many streams were checked.
    pub streams: u64,
    /// How many events were checked.
    pub events: u64,
    /// Whether nothing is wrong.
    pub valid: bool,
    /// The streams in which something is wrong.
    pub faults: Vec<ChainReport>,
}

/// The end of a stream, to be kept where the store's owner cannot change it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamHead {
    /// The stream's kind.
    pub stream_type: String,
    /// The stream's id.
    pub stream_id: String,
    /// The last sequence.
    pub last_seq: i64,
    /// The hash of the last event.
    pub last_event_hash: Option<String>,
}

impl Store {
    /// Checks one stream of a workspace.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn verify_stream(&self, workspace: &WorkspaceId, stream: &Stream) -> Result<ChainReport, DbError> {
        self.verify_chain(Some(workspace), stream, None).await
    }

    /// Checks every stream, and each of `kept` heads against what is there now.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn verify_all(&self, kept: &[StreamHead]) -> Result<VerifyReport, DbError> {
        let mut report = VerifyReport { streams: 0, events: 0, valid: true, faults: Vec::new() };
        let mut streams = self.all_streams().await?;
        for head in kept {
            if let Some(kind) = StreamType::parse(&head.stream_type) {
                streams.insert(Stream { kind, id: head.stream_id.clone() });
            }
        }
        for stream in streams {
            let kept = kept.iter().find(|h| h.stream_type == stream.kind.as_str() && h.stream_id == stream.id);
            let chain = self.verify_chain(None, &stream, kept).await?;
            report.streams += 1;
            report.events += chain.checked;
            if !chain.valid {
                report.valid = false;
                report.faults.push(chain);
            }
        }
        Ok(report)
    }

    /// The heads of all streams.
    ///
    /// # Errors
    /// [`DbError`] when the store cannot be read.
    pub async fn stream_heads(&self) -> Result<Vec<StreamHead>, DbError> {
        let rows: Vec<StreamHeadRow> = self.reader().rows("ORDER BY t.stream_type, t.stream_id", Vec::new()).await?;
        Ok(rows
            .into_iter()
            .map(|r| StreamHead {
                stream_type: r.stream_type,
                stream_id: r.stream_id,
                last_seq: r.next_seq - 1,
                last_event_hash: r.last_event_hash,
            })
            .collect())
    }

    /// Every stream that has a head or an event.
    async fn all_streams(&self) -> Result<std::collections::BTreeSet<Stream>, DbError> {
        let text = "SELECT stream_type, stream_id FROM evt_stream_heads \
                    UNION SELECT DISTINCT stream_type, stream_id FROM evt_events";
        let types = [crate::db::ColumnType::Text, crate::db::ColumnType::Text];
        let rows = self.reader().values(text, Vec::new(), &types).await?;
        Ok(rows
            .into_iter()
            .filter_map(|row| {
                let mut row = row.into_iter();
                match (row.next(), row.next()) {
                    (Some(crate::db::Value::Text(kind)), Some(crate::db::Value::Text(id))) => {
                        StreamType::parse(&kind).map(|kind| Stream { kind, id })
                    }
                    _ => None,
                }
            })
            .collect())
    }

    async fn verify_chain(
        &self,
        workspace: Option<&WorkspaceId>,
        stream: &Stream,
        kept: Option<&StreamHead>,
    ) -> Result<ChainReport, DbError> {
        let head = self.stream_head(stream).await?;
        let mut checker = Checker::new(stream.clone(), kept);
        while checker.fault.is_none() {
            let rows = self.stream_chunk(workspace, stream, checker.seq).await?;
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                checker.check(row);
            }
        }
        // A workspace that sees none of the stream's events must not learn that it exists.
        if workspace.is_none() || checker.checked > 0 {
            checker.check_end(head.as_ref());
        }
        Ok(checker.report())
    }

    async fn stream_head(&self, stream: &Stream) -> Result<Option<StreamHeadRow>, DbError> {
        let tail = "WHERE t.stream_type = $1 AND t.stream_id = $2";
        self.reader().row(tail, vec![stream.kind.as_str().into(), stream.id.as_str().into()]).await
    }

    async fn stream_chunk(
        &self,
        workspace: Option<&WorkspaceId>,
        stream: &Stream,
        after: i64,
    ) -> Result<Vec<EventRow>, DbError> {
        let tail = "WHERE t.stream_type = $1 AND t.stream_id = $2 AND t.stream_seq > $3 \
                    AND ($4 = '' OR t.workspace_id = $4) ORDER BY t.stream_seq LIMIT $5";
        let params = vec![
            stream.kind.as_str().into(),
            stream.id.as_str().into(),
            Param::Int(after),
            workspace.map_or("", |w| w.as_str()).into(),
            Param::Int(CHUNK),
        ];
        self.reader().rows(tail, params).await
    }
}

/// Walks one stream.
struct Checker<'k> {
    stream: Stream,
    kept: Option<&'k StreamHead>,
    seq: i64,
    last: Hash,
    checked: u64,
    fault: Option<Mismatch>,
}

impl<'k> Checker<'k> {
    fn new(stream: Stream, kept: Option<&'k StreamHead>) -> Self {
        Self { stream, kept, seq: 0, last: [0; 32], checked: 0, fault: None }
    }

    fn check(&mut self, row: &EventRow) {
        if self.fault.is_some() {
            return;
        }
        let due = self.seq + 1;
        if row.stream_seq != due {
            self.fault = Some(Mismatch {
                stream_seq: due,
                event_id: None,
                event_type: None,
                kind: MismatchKind::Gap,
                expected: None,
                found: None,
            });
            return;
        }
        self.checked += 1;
        let prev = (due > 1).then(|| render_hash(&self.last));
        if row.prev_event_hash != prev {
            let (expected, found) = (prev, row.prev_event_hash.clone());
            self.fault = Some(fault(row, MismatchKind::PrevHashMismatch, expected, found));
            return;
        }
        let leaf = body(row).leaf();
        let hash = chain(&self.last, &self.stream, due, &leaf);
        if parse_hash(&row.event_hash).is_none() {
            self.fault = Some(fault(row, MismatchKind::EventHashMissing, Some(render_hash(&hash)), None));
        } else if row.event_leaf != render_hash(&leaf) || row.event_hash != render_hash(&hash) {
            let found = Some(row.event_hash.clone());
            self.fault = Some(fault(row, MismatchKind::EventHashMismatch, Some(render_hash(&hash)), found));
        } else if let Some(kept) = self.kept.filter(|k| k.last_seq == due)
            && kept.last_event_hash.as_deref() != Some(row.event_hash.as_str())
        {
            let (expected, found) = (kept.last_event_hash.clone(), Some(row.event_hash.clone()));
            self.fault = Some(fault(row, MismatchKind::HeadMismatch, expected, found));
        }
        self.seq = due;
        self.last = hash;
    }

    /// The stream must reach its stored head, and the head that was kept.
    fn check_end(&mut self, head: Option<&StreamHeadRow>) {
        if self.fault.is_some() {
            return;
        }
        let last = (self.seq > 0).then(|| render_hash(&self.last));
        let head_seq = head.map_or(0, |h| h.next_seq - 1);
        let due = head_seq.max(self.kept.map_or(0, |k| k.last_seq));
        let kind = if self.seq < due {
            MismatchKind::TailMissing
        } else if head_seq != self.seq || head.and_then(|h| h.last_event_hash.clone()) != last {
            // A commit between reading the rows and reading the head looks like this only when the
            // head is behind; it is read first.
            if head_seq < self.seq && head.is_some() {
                return;
            }
            MismatchKind::HeadMismatch
        } else {
            return;
        };
        let expected = match self.kept {
            Some(kept) if kept.last_seq == due => kept.last_event_hash.clone(),
            _ => head.and_then(|h| h.last_event_hash.clone()),
        };
        let stream_seq = if kind == MismatchKind::TailMissing { self.seq + 1 } else { self.seq };
        self.fault = Some(Mismatch { stream_seq, event_id: None, event_type: None, kind, expected, found: last });
    }

    fn report(self) -> ChainReport {
        ChainReport {
            stream_type: self.stream.kind.as_str().to_owned(),
            stream_id: self.stream.id,
            checked: self.checked,
            valid: self.fault.is_none(),
            last_event_hash: (self.seq > 0).then(|| render_hash(&self.last)),
            first_mismatch: self.fault,
        }
    }
}

fn fault(row: &EventRow, kind: MismatchKind, expected: Option<String>, found: Option<String>) -> Mismatch {
    Mismatch {
        stream_seq: row.stream_seq,
        event_id: Some(row.event_id.clone()),
        event_type: Some(row.event_type.clone()),
        kind,
        expected,
        found,
    }
}

fn body(row: &EventRow) -> EventBody<'_> {
    EventBody {
        event_id: row.event_id.as_str(),
        event_type: &row.event_type,
        event_version: row.event_version,
        occurred_at: row.occurred_at,
        workspace_id: row.workspace_id.as_str(),
        room_id: row.room_id.as_ref().map(AsRef::as_ref),
        thread_id: row.thread_id.as_ref().map(AsRef::as_ref),
        run_id: row.run_id.as_ref().map(AsRef::as_ref),
        step_id: row.step_id.as_ref().map(AsRef::as_ref),
        actor_type: row.actor_type.as_str(),
        actor_id: &row.actor_id,
        actor_principal_id: row.actor_principal_id.as_ref().map(AsRef::as_ref),
        zone: row.zone.as_str(),
        stream_type: &row.stream_type,
        stream_id: &row.stream_id,
        stream_seq: row.stream_seq,
        correlation_id: row.correlation_id.as_str(),
        causation_id: row.causation_id.as_ref().map(AsRef::as_ref),
        redaction_level: &row.redaction_level,
        contains_secrets: row.contains_secrets,
        policy_context: row.policy_context.as_str(),
        model_context: row.model_context.as_str(),
        display: row.display.as_str(),
        data: row.data.as_str(),
        idempotency_key: row.idempotency_key.as_deref(),
    }
}
