//! `exeat policy diff`: every kind of ask whose outcome differs between two sets, none left out.

use rules::PolicySet;
use rules::diff::{Diff, DiffOptions, Region, Shadow, Verdict};
use serde_json::{Value, json};

use super::set::Which;
use crate::commands::App;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{BAD, BOLD, DIM, GOOD, WAIT, clean};

/// Which sets.
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  exeat policy diff active policies/\n  exeat policy diff v3 v4\n  exeat policy diff active policies/ --fail-on-widening"
)]
pub struct Args {
    /// `active`, `candidate`, a version such as v3, a folder or a file
    before: Which,
    /// The same; without it, what is named first is compared with what holds
    after: Option<Which>,
    /// How many kinds of asks are shown, the most dangerous first
    #[arg(long, value_name = "N", default_value_t = 50)]
    show: usize,
    /// Rules in shadow count as if they were not
    #[arg(long)]
    count_shadow: bool,
    /// Exit 1 when anything passes that did not, or with less of a check
    #[arg(long)]
    fail_on_widening: bool,
}

/// A difference, ready to be told.
pub(super) struct Compared(Diff);

impl Compared {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn to_json(&self) -> Value {
        serde_json::to_value(&self.0).unwrap_or(Value::Null)
    }
}

pub(super) async fn run(args: Args, app: &App) -> Result<Exit, Failure> {
    let (before, after) = match args.after {
        Some(after) => (args.before, after),
        None => (Which::Active, args.before),
    };
    let (before, after) = (before.load(app).await?.set, after.load(app).await?.set);
    let shadow = if args.count_shadow { Shadow::Count } else { Shadow::Ignore };
    let compared = compare_with(&before, &after, shadow)?;
    app.output.answer(&json!({ "diff": compared.to_json() }), |output, _| {
        if compared.is_empty() {
            return output.line("no ask is decided differently");
        }
        lines(&compared.0, args.show).iter().try_for_each(|line| output.line(line))
    })?;
    let widened = args.fail_on_widening && compared.0.widening > 0;
    Ok(if widened { Exit::Failure } else { Exit::Ok })
}

/// The exact difference of two sets from now on.
pub(super) fn compare(before: &PolicySet, after: &PolicySet) -> Result<Compared, Failure> {
    compare_with(before, after, Shadow::Ignore)
}

fn compare_with(before: &PolicySet, after: &PolicySet, shadow: Shadow) -> Result<Compared, Failure> {
    let options = DiffOptions { shadow, ..DiffOptions::new(Some(crate::output::now())) };
    rules::diff::diff(before, after, options).map(Compared).map_err(|error| {
        Failure::new(Exit::Failure, "diff_too_large", "the two sets cannot be compared exactly").why(error.to_string())
    })
}

/// Tells a difference beside the data.
pub(super) fn tell(app: &App, compared: &Compared, most: usize) {
    if compared.is_empty() {
        app.output.say("no ask is decided differently");
        return;
    }
    lines(&compared.0, most).iter().for_each(|line| app.output.say(line));
}

fn lines(diff: &Diff, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = diff.regions.iter().take(most).map(line).collect();
    let left = diff.total.saturating_sub(most.min(diff.regions.len()));
    if left > 0 {
        lines.push(format!("{DIM}… and {left} more (--show, --json){DIM:#}"));
    }
    let widening = match diff.widening {
        0 => "none lets more pass".to_owned(),
        1 => "1 lets more pass".to_owned(),
        some => format!("{some} let more pass"),
    };
    let kinds = if diff.total == 1 { "1 kind of ask changes" } else { &format!("{} kinds of asks change", diff.total) };
    lines.push(format!("{BOLD}{kinds}{BOLD:#}, {widening}"));
    lines
}

fn line(region: &Region) -> String {
    let style = match region.after {
        Verdict::Allow => GOOD,
        Verdict::Ask => WAIT,
        Verdict::Deny => BAD,
        Verdict::NoRule => DIM,
    };
    let mark = if region.widens() { "+" } else { "-" };
    let named = |some: &[model::decision::RuleId]| some.iter().map(|rule| &**rule).collect::<Vec<_>>().join(", ");
    let rules = [named(&region.before_rules), named(&region.after_rules)];
    let rules: Vec<&str> = rules.iter().map(String::as_str).filter(|some| !some.is_empty()).collect();
    format!("{style}{mark}{style:#} {}  {DIM}({}){DIM:#}", clean(&region.statement), clean(&rules.join(" → ")))
}
