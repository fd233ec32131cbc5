//! Deciding again what was decided, under other rules.
//!
//! Each case of a segment is decided once for each stretch of time in which the verdict cannot change,
//! and its rows are only counted. What needs a row of its own (the run, the principal) is looked up
//! for the rows that made a difference or needed an approval.

use model::{Outcome, Time, WorkspaceId};
use policy::Snapshot;

use crate::differences::{Difference, EXAMPLES_MAX, Example, Matrix};
use crate::draft::{Draft, Judged, Judgement};
use crate::report::{Missing, Report, RunExample};
use crate::segment::{Groups, Ids, Segment, Shape};

mod now;

use now::Grounds;

/// On what the rules are tried.
#[derive(Debug, Clone, Copy)]
pub enum AsOf<'a> {
    /// Everything else as it was then.
    Then,
    /// Everything else as it is now: principals, tokens, approvals, settings.
    Now {
        /// What is known now.
        snapshot: &'a Snapshot,
        /// The workspace whose log it is.
        workspace_id: &'a WorkspaceId,
        /// The moment.
        at: Time,
    },
}

/// What is decided again.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// Only from this moment on.
    pub since: Option<Time>,
    /// Only before this moment.
    pub until: Option<Time>,
    /// On what.
    pub as_of: AsOf<'a>,
}

/// Decides a segment again and adds what it finds to `report`.
///
/// `ids` is asked for the ids of the segment once, and only when there is an example to show; without
/// them the report has no examples of this segment.
pub fn replay(
    segment: &Segment<'_>,
    draft: &Draft,
    options: &Options<'_>,
    ids: impl FnOnce() -> Option<Ids>,
    report: &mut Report,
) {
    let at = |row: usize| segment.time(row);
    let rows = segment.between(options.since, options.until);
    let now = match options.as_of {
        AsOf::Then => None,
        // As of now the ground depends on more than the case: on whose account, in which run.
        AsOf::Now { snapshot, workspace_id, at } => {
            Some(Now { grounds: Grounds::of(snapshot, workspace_id, at), at, groups: segment.groups(&rows) })
        }
    };
    let groups = now.as_ref().map_or(segment.cases().len(), |now| now.groups.count);
    let mut scan = Scan {
        segment,
        draft,
        now,
        tallies: vec![Tally::NONE; groups],
        finished: Vec::new(),
        marked: Vec::new(),
        report,
    };
    scan.report.rows = scan.report.rows.saturating_add(rows.len() as u64);
    scan.report.segments = scan.report.segments.saturating_add(1);
    scan.report.dropped = scan.report.dropped.saturating_add(u64::from(segment.span().dropped));
    if let Some(last) = rows.end.checked_sub(1).filter(|last| rows.contains(last)) {
        scan.report.span(at(rows.start), at(last));
    }
    scan.rows(rows);
    scan.close(ids);
}

/// What is counted of one case while its outcome stays the same.
#[derive(Debug, Clone)]
struct Tally {
    stretch: u64,
    found: Found,
    rows: u32,
    first: u32,
    last: u32,
    examples: [u32; EXAMPLES_MAX],
}

#[derive(Debug, Clone)]
enum Found {
    /// It has not come yet.
    Nothing,
    /// It is not compared.
    Quota,
    Once,
    /// It depends on something that was not kept.
    Open(Missing),
    /// The outcome stays, and is not an ask.
    Same(Outcome),
    /// There is something to look up for each row.
    Marked {
        before: Outcome,
        judged: Box<Judged>,
    },
}

impl Tally {
    const NONE: Self =
        Self { stretch: 0, found: Found::Nothing, rows: 0, first: 0, last: 0, examples: [0; EXAMPLES_MAX] };
}

struct Scan<'s, 'a, 'r> {
    segment: &'s Segment<'a>,
    draft: &'s Draft,
    now: Option<Now<'s>>,
    /// By case; as of now by group.
    tallies: Vec<Tally>,
    /// Tallies of cases whose outcome changed later.
    finished: Vec<Tally>,
    /// Rows to look up, with the outcome before and after.
    marked: Vec<(usize, Outcome, Outcome)>,
    report: &'r mut Report,
}

struct Now<'s> {
    grounds: Grounds<'s>,
    at: Time,
    groups: Groups,
}

impl Scan<'_, '_, '_> {
    fn rows(&mut self, rows: std::ops::Range<usize>) {
        let (start, length) = (rows.start, rows.len());
        for (row, (at, case)) in (start..).zip(self.segment.rows().skip(start).take(length)) {
            let (place, stretch) = match &self.now {
                None => (case, self.draft.stretch(at)),
                Some(now) => (now.groups.of(row - start), 0),
            };
            let place = usize::try_from(place).unwrap_or(usize::MAX);
            let Some(tally) = self.tallies.get(place) else { continue };
            let fresh = matches!(tally.found, Found::Nothing);
            if fresh || tally.stretch != stretch {
                let found = self.find(row, at);
                let Some(tally) = self.tallies.get_mut(place) else { continue };
                let before = std::mem::replace(tally, Tally { stretch, found, ..Tally::NONE });
                if !fresh {
                    self.finished.push(before);
                }
            }
            let Some(tally) = self.tallies.get_mut(place) else { continue };
            tally.count(row);
            if let Found::Marked { before, judged } = &tally.found {
                self.marked.push((row, *before, judged.outcome));
            }
        }
    }

    /// What the new rules make of a case.
    fn find(&mut self, row: usize, at: i64) -> Found {
        let Some(case) = self.segment.case(row) else { return Found::Nothing };
        let Some(settled) = self.segment.settled(case) else { return Found::Nothing };
        if settled.by_quota {
            return Found::Quota;
        }
        if settled.by_once {
            return Found::Once;
        }
        let (ground, at) = match &self.now {
            None => (Some(settled.ground), Time::from_millis(at)),
            Some(now) => (now.grounds.ground(self.segment, row), now.at),
        };
        // An ask that cannot be made again, because part of it was not kept.
        let Some(ground) = ground else { return Found::Open(Missing::Ask) };
        match self.draft.judge(self.segment, case, at, &ground) {
            None => Found::Nothing,
            Some(Judgement::Open(missing)) => Found::Open(missing),
            Some(Judgement::Known(judged)) => {
                let hit = judged.rules.iter().chain(&judged.tried);
                if !self.report.never_hit.is_empty() {
                    hit.for_each(|rule| {
                        self.report.never_hit.remove(rule);
                    });
                }
                let (before, after) = (settled.outcome, judged.outcome);
                if before == after && after != Outcome::RequireApproval {
                    Found::Same(after)
                } else {
                    Found::Marked { before, judged: Box::new(judged) }
                }
            }
        }
    }

    fn close(mut self, ids: impl FnOnce() -> Option<Ids>) {
        let finished = std::mem::take(&mut self.finished).into_iter();
        let all: Vec<Tally> =
            finished.chain(std::mem::take(&mut self.tallies)).filter(|tally| tally.rows > 0).collect();
        let ids = if all.iter().any(Tally::differs) { ids() } else { None };
        for tally in &all {
            self.add(tally, ids.as_ref());
        }
        self.look_up();
    }

    fn add(&mut self, tally: &Tally, ids: Option<&Ids>) {
        let rows = u64::from(tally.rows);
        let more = |count: &mut u64| *count = count.saturating_add(rows);
        match &tally.found {
            Found::Nothing => {}
            Found::Quota => more(&mut self.report.excluded.quota),
            Found::Once => more(&mut self.report.excluded.once),
            Found::Open(missing) => more(self.report.indeterminate.entry(*missing).or_default()),
            Found::Same(outcome) => self.report.matrix.add(*outcome, *outcome, rows),
            Found::Marked { before, judged } => {
                self.report.matrix.add(*before, judged.outcome, rows);
                if tally.differs() {
                    self.differ(tally, *before, judged, ids);
                }
            }
        }
    }

    fn differ(&mut self, tally: &Tally, before: Outcome, judged: &Judged, ids: Option<&Ids>) {
        let index = |row: u32| usize::try_from(row).unwrap_or(usize::MAX);
        let (first, last) = (index(tally.first), index(tally.last));
        let Some(shape) = self.segment.case(first).and_then(|case| self.segment.shape(case)) else { return };
        let (Some(first_seen), Some(last_seen)) = (self.segment.time(first), self.segment.time(last)) else { return };
        let examples = tally.examples.iter().take(index(tally.rows)).filter_map(|row| {
            let row = index(*row);
            Some(Example { at: self.segment.time(row)?, decision_id: ids?.get(row)?.clone() })
        });
        let rows = u64::from(tally.rows);
        let mut matrix = Matrix::default();
        matrix.add(before, judged.outcome, rows);
        let difference = Difference { count: rows, matrix, first_seen, last_seen, examples: examples.collect() };
        if judged.by_rules && !judged.rules.is_empty() {
            judged.rules.iter().for_each(|rule| self.report.by_rule.add(rule, &difference));
        } else {
            self.report.by_rule.add(&format!("({})", judged.reason_code.as_str()), &difference);
        }
        self.report.by_agent.add(&agent(shape), &difference);
        if let Some(host) = shape.host.seen() {
            self.report.by_host.add(host, &difference);
        }
        if let Some(tool) = shape.tool.seen() {
            self.report.by_tool.add(tool, &difference);
        }
    }

    /// Runs and approvals of the rows that were marked.
    fn look_up(&mut self) {
        for (row, before, after) in std::mem::take(&mut self.marked) {
            let Some((at, shape)) =
                self.segment.time(row).zip(self.segment.case(row).and_then(|c| self.segment.shape(c)))
            else {
                continue;
            };
            if [before, after].contains(&Outcome::RequireApproval) {
                let target = shape.host.seen().or(shape.tool.seen()).copied().unwrap_or_default();
                let what = [self.segment.account(row), shape.action.unwrap_or_default(), target];
                self.report.approvals.add(at, before, after, what);
            }
            let Some(run) = self.segment.run(row).filter(|_| after > before) else { continue };
            match after {
                Outcome::Deny => {
                    self.report.runs.failing.add(&[run]);
                    let run_id = model::RunId::from_stored(run.to_owned());
                    self.report.runs.example(RunExample { at, run_id });
                }
                _ => self.report.runs.waiting.add(&[run]),
            }
        }
    }
}

impl Tally {
    fn differs(&self) -> bool {
        matches!(&self.found, Found::Marked { before, judged } if *before != judged.outcome)
    }

    fn count(&mut self, row: usize) {
        let row = u32::try_from(row).unwrap_or(u32::MAX);
        if let Some(example) = usize::try_from(self.rows).ok().and_then(|place| self.examples.get_mut(place)) {
            *example = row;
        }
        if self.rows == 0 {
            self.first = row;
        }
        self.last = row;
        self.rows = self.rows.saturating_add(1);
    }
}

fn agent(shape: &Shape<'_>) -> String {
    format!("{}:{}", shape.who_kind, shape.who_name.unwrap_or_default())
}
