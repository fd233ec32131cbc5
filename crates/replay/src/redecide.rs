//! Deciding again what was decided, under other rules.
//!
//! Each case of a segment is decided once for each stretch of time in which the verdict cannot change,
//! and its rows are only counted. What needs a row of its own (the run, the principal) is looked up
//! for the rows that made a difference or needed an approval.

use foldhash::{HashMap, HashSet};
use model::decision::RuleId;
use model::{Outcome, ReasonCode, Time, WorkspaceId};
use policy::Snapshot;

use crate::differences::{Difference, EXAMPLES_MAX, Example, Matrix};
use crate::draft::{Draft, Judged, Judgement};
use crate::report::{Missing, Report, RunExample};
use crate::segment::{Case, Groups, Ids, Segment, Shape};

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
        let mut differing: HashMap<Alike, Rows> = HashMap::default();
        for tally in finished.chain(std::mem::take(&mut self.tallies)).filter(|tally| tally.rows > 0) {
            self.add(tally, &mut differing);
        }
        let ids = if differing.is_empty() { None } else { ids() };
        for (alike, rows) in &differing {
            self.differ(alike, rows, ids.as_ref());
        }
        self.look_up();
    }

    fn add(&mut self, tally: Tally, differing: &mut HashMap<Alike, Rows>) {
        let rows = u64::from(tally.rows);
        let more = |count: &mut u64| *count = count.saturating_add(rows);
        match tally.found {
            Found::Nothing => {}
            Found::Quota => more(&mut self.report.excluded.quota),
            Found::Once => more(&mut self.report.excluded.once),
            Found::Open(missing) => more(self.report.indeterminate.entry(missing).or_default()),
            Found::Same(outcome) => self.report.matrix.add(outcome, outcome, rows),
            Found::Marked { before, judged } => {
                self.report.matrix.add(before, judged.outcome, rows);
                if before != judged.outcome
                    && let Some(shape) = self.segment.case(index(tally.first)).map(Case::shape_number)
                {
                    let named = judged.by_rules && !judged.rules.is_empty();
                    let rules = if named { judged.rules } else { Vec::new() };
                    let alike = Alike { shape, before, after: judged.outcome, reason_code: judged.reason_code, rules };
                    let seen = tally.examples.get(..index(tally.rows).min(EXAMPLES_MAX)).unwrap_or_default();
                    differing.entry(alike).or_default().add(rows, tally.first, tally.last, seen);
                }
            }
        }
    }

    fn differ(&mut self, alike: &Alike, rows: &Rows, ids: Option<&Ids>) {
        let Some(shape) = self.segment.shape_of(alike.shape) else { return };
        let (Some(first_seen), Some(last_seen)) =
            (self.segment.time(index(rows.first)), self.segment.time(index(rows.last)))
        else {
            return;
        };
        let examples = rows.examples.iter().filter_map(|row| {
            let row = index(*row);
            Some(Example { at: self.segment.time(row)?, decision_id: ids?.get(row)?.clone() })
        });
        let mut matrix = Matrix::default();
        matrix.add(alike.before, alike.after, rows.count);
        let difference = Difference { count: rows.count, matrix, first_seen, last_seen, examples: examples.collect() };
        if alike.rules.is_empty() {
            self.report.by_rule.add(&format!("({})", alike.reason_code.as_str()), &difference);
        } else {
            alike.rules.iter().for_each(|rule| self.report.by_rule.add(rule, &difference));
        }
        self.report.by_agent.add(&agent(shape), &difference);
        if let Some(host) = shape.host.seen() {
            self.report.by_host.add(host, &difference);
        }
        if let Some(tool) = shape.tool.seen() {
            self.report.by_tool.add(tool, &difference);
        }
    }

    /// Runs and approvals of the rows that were marked. What is the same as before is looked up once.
    fn look_up(&mut self) {
        let (mut asked, mut ran) = (HashSet::default(), HashSet::default());
        for (row, before, after) in std::mem::take(&mut self.marked) {
            let Some((at, case)) = self.segment.time(row).zip(self.segment.case(row)) else { continue };
            let Some(shape) = self.segment.shape(case) else { continue };
            let day = at.as_millis().div_euclid(DAY_MS);
            if [before, after].contains(&Outcome::RequireApproval)
                && asked.insert((case.shape_number(), self.segment.caller_number(row), day, before, after))
            {
                let target = shape.host.seen().or(shape.tool.seen()).copied().unwrap_or_default();
                let what = [self.segment.account(row), shape.action.unwrap_or_default(), target];
                self.report.approvals.add(at, before, after, what);
            }
            let Some(run) = self.segment.run(row).filter(|_| after > before) else { continue };
            // Rows are in the order of time: the first of a run is the earliest.
            if !ran.insert((self.segment.run_number(row), after)) {
                continue;
            }
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

const DAY_MS: i64 = 24 * 3_600_000;

fn index(row: u32) -> usize {
    usize::try_from(row).unwrap_or(usize::MAX)
}

/// What rows with a difference have in common that a report tells.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Alike {
    shape: u32,
    before: Outcome,
    after: Outcome,
    reason_code: ReasonCode,
    /// The rules that determine the new outcome.
    rules: Vec<RuleId>,
}

/// Rows by their number.
#[derive(Debug)]
struct Rows {
    count: u64,
    first: u32,
    last: u32,
    /// The first few, in order.
    examples: Vec<u32>,
}

impl Default for Rows {
    fn default() -> Self {
        Self { count: 0, first: u32::MAX, last: 0, examples: Vec::new() }
    }
}

impl Rows {
    fn add(&mut self, count: u64, first: u32, last: u32, examples: &[u32]) {
        self.count = self.count.saturating_add(count);
        self.first = self.first.min(first);
        self.last = self.last.max(last);
        self.examples.extend_from_slice(examples);
        self.examples.sort_unstable();
        self.examples.truncate(EXAMPLES_MAX);
    }
}

impl Tally {
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
