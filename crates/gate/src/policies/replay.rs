//! What a set would have made of what happened. Changes nothing.
//!
//! A call reads a bounded part of the decision log and says how to go on; the reports of all calls
//! merge to the whole. Nothing is kept between calls.

use std::time::Duration;

use model::{Time, WorkspaceId};
use replay::{AsOf, Draft, Options, Report};
use serde::{Deserialize, Serialize};

use super::input::{self, FileInput};
use super::invalid;
use super::prepare::{Tests, Turn};
use crate::decision::log::read::{self, Reading};
use crate::{Caller, Gate, GateError, Refusal, clock};

/// How far back is read when nobody says.
const SINCE: Duration = Duration::from_secs(7 * 24 * 3_600);
/// How many decisions a call reads when nobody says.
const LIMIT: u64 = 1_000_000;
/// LIMIT: how many decisions a call reads, but for the end of the last segment.
const LIMIT_MAX: u64 = 10_000_000;
/// LIMIT: no further segment is begun after so long.
const TIME_MAX: Duration = Duration::from_secs(5);

/// A set to be tried on what happened.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplayInput {
    /// All files of the set.
    pub files: Option<Vec<FileInput>>,
    /// Only decisions from this moment on; the last seven days when it is left out.
    pub since: Option<String>,
    /// Only decisions before this moment; until now when it is left out.
    pub until: Option<String>,
    /// `then` (the default): everything but the rules as it was at each decision. `now`: as it is now.
    pub as_of: Option<String>,
    /// The `next_cursor` of the call before; it brings `since`, `until` and `as_of` with it.
    pub cursor: Option<String>,
    /// After how many decisions this call ends, at most 10,000,000.
    pub limit: Option<u64>,
}

/// What a part of the log showed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReplayOutput {
    /// The report of this part. Reports of parts merge to the report of the whole.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub report: Report,
    /// How to go on; null at the end.
    pub next_cursor: Option<String>,
    /// How many decisions this call read.
    pub scanned: u64,
    /// About how many are left.
    pub remaining: u64,
    /// How many segments could not be read.
    pub unreadable: u64,
}

/// What a replay is about, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Span {
    since: Time,
    until: Time,
    now: bool,
    after: String,
}

impl Gate {
    /// Decides a part of the log again under other rules.
    ///
    /// # Errors
    /// 400 `invalid_request`; 422 `invalid_policy` with `problems`. See [`GateError`].
    pub async fn replay_policies(&self, caller: &Caller, input: ReplayInput) -> Result<ReplayOutput, GateError> {
        let now = clock::now();
        let span = self.told(caller, span(&input, now)).await?;
        let files = self.told(caller, input::files(input.files)).await?;
        let prepared = self.prepare(Turn::Look, files, Tests::Leave, now).await?;
        let prepared = self.told(caller, prepared.map_err(|problems| invalid(&problems))).await?;
        if span.after.is_empty() {
            self.flush_logs().await;
        }
        let draft = self.beside(Turn::Look, move || Draft::of(&prepared.compiled.set)).await?;
        let reading = Reading {
            workspace_id: caller.workspace_id.clone(),
            since: span.since,
            until: span.until,
            after: span.after.clone(),
            rows_max: input.limit.unwrap_or(LIMIT).min(LIMIT_MAX),
            time_max: TIME_MAX,
        };
        let report = Report::on(draft.ids().to_vec());
        let (view, workspace_id, bounds) = (caller.view.clone(), caller.workspace_id.clone(), span.clone());
        let work = move |report: &mut Report, segment: &replay::Segment<'_>, ids: &dyn Fn() -> Option<replay::Ids>| {
            let options = options(&bounds, &view.snapshot, &workspace_id, now);
            replay::replay(segment, &draft, &options, ids, report);
        };
        let (report, read) = read::read(self.store(), &reading, report, work).await?;
        let remaining = match &read.last {
            Some(last) => self.store().segment_rows(&caller.workspace_id, span.since, span.until, last).await?,
            None => 0,
        };
        let next_cursor = read.last.map(|after| Span { after, ..span }.cursor());
        Ok(ReplayOutput { report, next_cursor, scanned: read.rows, remaining, unreadable: read.unreadable })
    }
}

fn options<'a>(span: &Span, snapshot: &'a policy::Snapshot, workspace_id: &'a WorkspaceId, at: Time) -> Options<'a> {
    let as_of = if span.now { AsOf::Now { snapshot, workspace_id, at } } else { AsOf::Then };
    Options { since: Some(span.since), until: Some(span.until), as_of }
}

fn span(input: &ReplayInput, now: Time) -> Result<Span, Refusal> {
    if let Some(cursor) = &input.cursor {
        return Span::of_cursor(cursor).ok_or_else(|| Refusal::invalid_field("/cursor", "is not a cursor of a replay"));
    }
    let since = moment(input.since.as_deref(), "/since")?.unwrap_or_else(|| now.minus(SINCE));
    let until = moment(input.until.as_deref(), "/until")?.unwrap_or_else(|| now.plus(Duration::from_millis(1)));
    let now = match input.as_of.as_deref() {
        None | Some("then") => false,
        Some("now") => true,
        Some(_) => return Err(Refusal::invalid_field("/as_of", "must be `then` or `now`")),
    };
    Ok(Span { since, until, now, after: String::new() })
}

/// A moment that somebody may name.
///
/// # Errors
/// 400 `invalid_request` at `field`.
pub(crate) fn moment(text: Option<&str>, field: &str) -> Result<Option<Time>, Refusal> {
    text.map(|text| Time::parse(text).map_err(|error| Refusal::invalid_field(field, error.to_string()))).transpose()
}

impl Span {
    fn cursor(&self) -> String {
        let text = format!("1 {} {} {} {}", self.since.as_millis(), self.until.as_millis(), self.now, self.after);
        data_encoding::BASE64URL_NOPAD.encode(text.as_bytes())
    }

    fn of_cursor(text: &str) -> Option<Self> {
        let text = String::from_utf8(data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).ok()?).ok()?;
        let mut words = text.split(' ');
        if words.next()? != "1" {
            return None;
        }
        let mut moment = || words.next()?.parse().ok().map(Time::from_millis);
        let (since, until) = (moment()?, moment()?);
        let (now, after) = (words.next()?.parse().ok()?, words.next()?.to_owned());
        words.next().is_none().then_some(Self { since, until, now, after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back() {
        let at = Time::from_millis;
        let span = Span { since: at(-1), until: at(5), now: true, after: "seg_x".to_owned() };
        assert_eq!(Span::of_cursor(&span.cursor()), Some(span));
        for bad in ["", "x", "MQ", "MiAxIDIgdHJ1ZSBh"] {
            assert_eq!(Span::of_cursor(bad), None, "{bad}");
        }
    }
}
