//! What is being gathered for one workspace: a segment, and the part of it that still grows.

use std::time::Instant;

use model::WorkspaceId;
use replay::segment::Encoded;
use replay::{Encoder, Entry};
use store::rows::DecisionSegmentRow;
use store::{Command, Reads, Store, Tx};

use super::{PART_ROWS, WHOLE_ROWS, WHOLE_TIME};
use crate::Refusal;

/// A segment on its way.
pub(super) struct Gathered {
    id: String,
    begun: Instant,
    /// Everything.
    whole: Encoder,
    /// What of it is in the last part.
    part: Encoder,
    /// The number of the last part.
    parts: u32,
    /// Whether there is something in the last part that is not written.
    dirty: bool,
    /// How many decisions are in the store.
    written: usize,
    ended: bool,
    /// The last write failed: it is tried again when its time comes, not with every decision.
    stuck: bool,
}

impl Gathered {
    pub(super) fn new() -> Self {
        Self {
            id: format!("seg_{}", model::EventId::new().as_str().replace('-', "")),
            begun: Instant::now(),
            whole: Encoder::new(),
            part: Encoder::new(),
            parts: 1,
            dirty: false,
            written: 0,
            ended: false,
            stuck: false,
        }
    }

    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    pub(super) fn is_full(&self) -> bool {
        self.whole.rows() >= WHOLE_ROWS
    }

    /// Whether it should be written without waiting.
    pub(super) fn is_due(&self) -> bool {
        !self.stuck && (self.part.rows() >= PART_ROWS || self.is_full())
    }

    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.whole.is_empty()
    }

    /// How many decisions are not in the store.
    pub(super) fn unwritten(&self) -> u32 {
        u32::try_from(self.whole.rows().saturating_sub(self.written)).unwrap_or(u32::MAX)
    }

    pub(super) fn push(&mut self, entry: &Entry) {
        // Neither is ever full: a segment ends long before.
        let _ = self.whole.push(entry);
        let _ = self.part.push(entry);
        self.dirty = true;
    }

    pub(super) fn drop_rows(&mut self, count: u32) {
        self.whole.drop_rows(count);
        self.part.drop_rows(count);
        self.dirty = true;
    }

    /// Nothing more comes.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// Writes what is not written. `None` when that failed; then it is tried again.
    pub(super) async fn write(&mut self, store: &Store, workspace: &WorkspaceId) -> Option<()> {
        // Decisions that were dropped are told together with the next one that was not.
        if self.whole.rows() == 0 {
            return Some(());
        }
        let over = self.ended || self.is_full() || self.begun.elapsed() >= WHOLE_TIME;
        let command = if over {
            let whole = std::mem::take(&mut self.whole);
            // Some tens of milliseconds of work, once in a segment.
            let (whole, encoded) = tokio::task::spawn_blocking(move || {
                let encoded = whole.encode();
                (whole, encoded)
            })
            .await
            .ok()?;
            self.whole = whole;
            let parts = (1..=self.parts).map(|part| self.part_id(part)).collect();
            WriteSegment { row: row(workspace, self.id.clone(), true, encoded), replaces: parts }
        } else if self.dirty && self.part.rows() > 0 {
            let full = self.part.rows() >= PART_ROWS;
            let row = row(workspace, self.part_id(self.parts), full, self.part.encode());
            WriteSegment { row, replaces: Vec::new() }
        } else {
            return Some(());
        };
        if let Err(error) = store.submit(command).await {
            tracing::warn!(%error, "the decision log could not be written; it is tried again");
            self.stuck = true;
            return None;
        }
        self.stuck = false;
        self.dirty = false;
        self.written = self.whole.rows();
        if over {
            *self = Self::new();
        } else if self.part.rows() >= PART_ROWS {
            self.part = Encoder::new();
            self.parts += 1;
        }
        Some(())
    }

    fn part_id(&self, part: u32) -> String {
        format!("{}.{part:04}", self.id)
    }
}

fn row(workspace: &WorkspaceId, segment_id: String, sealed: bool, encoded: Encoded) -> DecisionSegmentRow {
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    DecisionSegmentRow {
        workspace_id: workspace.clone(),
        segment_id,
        from_at: encoded.span.from,
        to_at: encoded.span.to,
        rows: count(encoded.span.rows),
        dropped: i64::from(encoded.span.dropped),
        sealed,
        facts: encoded.facts,
        ids: encoded.ids,
    }
}

struct WriteSegment {
    row: DecisionSegmentRow,
    replaces: Vec<String>,
}

impl Command for WriteSegment {
    type Output = ();
    type Refusal = Refusal;

    fn reads(&self, _: &mut Reads) {}

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<(), Refusal> {
        for part in &self.replaces {
            tx.remove_segment(&self.row.workspace_id, part);
        }
        tx.put_segment(self.row.clone());
        Ok(())
    }
}
