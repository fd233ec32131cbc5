//! What other rules would have made of what happened.

use std::collections::{BTreeMap, BTreeSet};

use model::decision::RuleId;
use model::{RunId, Time};
use serde::{Deserialize, Serialize};

use crate::approvals::Approvals;
use crate::differences::{Differences, Matrix, merge_examples};
use crate::distinct::Distinct;

/// What a replay found. Bounded: maps by name keep [`crate::differences::NAMES_MAX`] names and count
/// the rest, counts of different things are exact up to [`crate::distinct::EXACT_MAX`].
///
/// Reports of parts merge to the report of the whole, in any order; where a bound was passed, which
/// names are kept may differ, the sums never do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// How many decisions were read.
    pub rows: u64,
    /// How many segments they came from.
    pub segments: u64,
    /// The first one's moment.
    pub from: Option<Time>,
    /// The last one's moment.
    pub to: Option<Time>,
    /// How many decisions of this time are missing from the log.
    pub dropped: u64,
    /// Decisions that are not compared.
    pub excluded: Excluded,
    /// Decisions whose outcome would depend on something that was not kept, by what.
    pub indeterminate: BTreeMap<Missing, u64>,
    /// From which outcome to which.
    pub matrix: Matrix,
    /// The differences by the rule that makes the new outcome, or `(reason_code)` where none does.
    pub by_rule: Differences,
    /// By who asked, as `agent:name`.
    pub by_agent: Differences,
    /// By host.
    pub by_host: Differences,
    /// By tool.
    pub by_tool: Differences,
    /// Runs that would have gone otherwise.
    pub runs: Runs,
    /// Approvals people would be asked for.
    pub approvals: Approvals,
    /// Rules that determined the verdict on no ask.
    pub never_hit: BTreeSet<RuleId>,
}

/// Decisions that are not compared, on either side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excluded {
    /// The hourly quota decided, or the uses that a token has; both depend on what else was asked.
    pub quota: u64,
    /// An approval for one use let it pass, and was used up.
    pub once: u64,
}

/// What was not kept of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// The action.
    Action,
    /// The name of who asked.
    Who,
    /// The host.
    Host,
    /// The method.
    Method,
    /// The path.
    Path,
    /// The scheme.
    Scheme,
    /// The tool.
    Tool,
    /// What the tool was called with.
    Input,
    /// The purposes.
    Purposes,
    /// Something that another ask cannot be made without.
    Ask,
}

/// Runs that would have gone otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runs {
    /// Different runs in which something would be denied that was not.
    pub failing: Distinct,
    /// Different runs in which something would wait for an approval that was allowed.
    pub waiting: Distinct,
    /// The first few of those that would have failed.
    pub examples: BTreeSet<RunExample>,
}

/// One run among several.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunExample {
    /// When it was first denied something.
    pub at: Time,
    /// Which.
    pub run_id: RunId,
}

impl Report {
    /// The report before anything was read, on rules with these ids.
    #[must_use]
    pub fn on(rules: impl IntoIterator<Item = RuleId>) -> Self {
        Self { never_hit: rules.into_iter().collect(), ..Self::default() }
    }

    /// Adds the report of another part, on the same rules.
    pub fn merge(&mut self, other: &Self) {
        self.rows = self.rows.saturating_add(other.rows);
        self.segments = self.segments.saturating_add(other.segments);
        self.dropped = self.dropped.saturating_add(other.dropped);
        self.excluded.quota = self.excluded.quota.saturating_add(other.excluded.quota);
        self.excluded.once = self.excluded.once.saturating_add(other.excluded.once);
        self.span(other.from, other.to);
        for (missing, rows) in &other.indeterminate {
            let own = self.indeterminate.entry(*missing).or_default();
            *own = own.saturating_add(*rows);
        }
        self.matrix.merge(&other.matrix);
        self.by_rule.merge(&other.by_rule);
        self.by_agent.merge(&other.by_agent);
        self.by_host.merge(&other.by_host);
        self.by_tool.merge(&other.by_tool);
        self.runs.failing.merge(&other.runs.failing);
        self.runs.waiting.merge(&other.runs.waiting);
        self.runs.merge_examples(&other.runs.examples);
        self.approvals.merge(&other.approvals);
        self.never_hit.retain(|rule| other.never_hit.contains(rule));
    }

    pub(crate) fn span(&mut self, from: Option<Time>, to: Option<Time>) {
        self.from = [self.from, from].into_iter().flatten().min();
        self.to = [self.to, to].into_iter().flatten().max();
    }

    /// How many decisions could not be judged.
    #[must_use]
    pub fn indeterminate_rows(&self) -> u64 {
        self.indeterminate.values().sum()
    }
}

impl Runs {
    pub(crate) fn merge_examples(&mut self, other: &BTreeSet<RunExample>) {
        for example in other {
            self.example(example.clone());
        }
    }

    pub(crate) fn example(&mut self, example: RunExample) {
        match self.examples.iter().find(|own| own.run_id == example.run_id).cloned() {
            Some(own) if own.at <= example.at => return,
            Some(own) => {
                self.examples.remove(&own);
            }
            None => {}
        }
        self.examples.insert(example);
        merge_examples(&mut self.examples, &BTreeSet::new());
    }
}
