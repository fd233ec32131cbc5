//! Reading the decision log of a workspace: segment by segment, for as long as there is time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{Time, WorkspaceId};
use replay::{Ids, Segment};
use store::Store;

use crate::GateError;

/// LIMIT: how many segments and parts are listed at once.
const LISTED: i64 = 512;

/// What to read, and how much of it.
pub(crate) struct Reading {
    pub(crate) workspace_id: WorkspaceId,
    /// From this moment on.
    pub(crate) since: Time,
    /// Before this moment.
    pub(crate) until: Time,
    /// Only behind this segment; empty = from the beginning.
    pub(crate) after: String,
    /// No further segment is begun after so many decisions.
    pub(crate) rows_max: u64,
    /// Nor after so long.
    pub(crate) time_max: Duration,
}

/// How far it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Read {
    /// The last segment that was read; `None` = nothing is left.
    pub(crate) last: Option<String>,
    /// How many decisions were read.
    pub(crate) rows: u64,
    /// How many segments could not be read.
    pub(crate) unreadable: u64,
}

/// Reads segments and hands each to `work`, away from the threads that decide. `work` gets what can
/// bring the ids of a segment, should it want them.
///
/// # Errors
/// The store cannot be read, or this process is ending.
pub(crate) async fn read<W, T>(store: &Store, reading: &Reading, mut state: T, work: W) -> Result<(T, Read), GateError>
where
    W: Fn(&mut T, &Segment<'_>, &dyn Fn() -> Option<Ids>) + Send + Sync + 'static,
    T: Send + 'static,
{
    let begun = Instant::now();
    let work = Arc::new(work);
    let mut read = Read::default();
    let mut after = reading.after.clone();
    loop {
        let heads = store.segments(&reading.workspace_id, reading.since, reading.until, &after, LISTED).await?;
        if heads.is_empty() {
            read.last = None;
            return Ok((state, read));
        }
        let mut wholes: Vec<String> = heads.iter().map(|head| head.whole().to_owned()).collect();
        wholes.dedup();
        for whole in wholes {
            if read.last.is_some() && (read.rows >= reading.rows_max || begun.elapsed() >= reading.time_max) {
                return Ok((state, read));
            }
            let parts = store.segment_facts(&reading.workspace_id, &whole).await?;
            let (store, workspace, work) = (store.clone(), reading.workspace_id.clone(), Arc::clone(&work));
            let done = tokio::task::spawn_blocking(move || {
                let (mut rows, mut unreadable) = (0, 0);
                for (id, facts) in &parts {
                    match Segment::decode(facts) {
                        Ok(segment) => {
                            rows += segment.span().rows as u64;
                            work(&mut state, &segment, &|| ids(&store, &workspace, id));
                        }
                        Err(error) => {
                            tracing::warn!(%error, segment = id, "a segment of the decision log cannot be read");
                            unreadable += 1;
                        }
                    }
                }
                (state, rows, unreadable)
            });
            let (back, rows, unreadable) =
                done.await.map_err(|error| GateError::Unavailable(store::DbError::Lost(error.to_string())))?;
            state = back;
            read.rows += rows;
            read.unreadable += unreadable;
            read.last = Some(whole.clone());
            after = whole;
        }
    }
}

/// The ids of a segment. Called where blocking is allowed.
fn ids(store: &Store, workspace: &WorkspaceId, segment_id: &str) -> Option<Ids> {
    let bytes = tokio::runtime::Handle::current().block_on(store.segment_ids(workspace, segment_id)).ok()??;
    Ids::decode(&bytes).ok()
}
