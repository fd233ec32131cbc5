//! The whole table, and what holds for every sequence of events.

use std::collections::HashSet;

use gate::ToolVerdict;
use model::{ApprovalId, Mode, Outcome, ReasonCode, Time};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::plan::Plan;

fn now() -> Time {
    Time::from_millis(1_000_000)
}

fn approval() -> ApprovalId {
    ApprovalId::parse("appr_1").unwrap()
}

/// Steps, each saying whether the run goes on when it fails.
fn plan(steps: &[bool], waits: bool) -> Plan {
    let steps: Vec<Value> =
        steps.iter().map(|go_on| json!({"tool": "runtime.noop", "continue_on_error": go_on})).collect();
    let on_approval = if waits { "wait" } else { "fail" };
    Plan::read(&json!({"runtime": {"steps": steps, "on_approval": on_approval}}))
}

fn verdict(decision: Outcome, blocked: bool) -> Event {
    let reason_code = match decision {
        Outcome::Allow => ReasonCode::DefaultAllow,
        Outcome::Deny => ReasonCode::PrincipalNotFound,
        Outcome::RequireApproval => ReasonCode::ExternalWriteRequiresApproval,
    };
    Event::Ruled(ToolVerdict {
        decision,
        reason_code,
        reason: None,
        enforcement_mode: if blocked { Mode::Enforce } else { Mode::Shadow },
        blocked,
        // An allow and a deny may name an approval, too: one that was used, one that did not help.
        approval_id: Some(approval()),
    })
}

fn failure(asks: bool) -> Failure {
    Failure { approval_id: asks.then(approval), ..Failure::coded("stage", "code", "message", "tool") }
}

/// The events, by the names the table uses.
fn event(name: &str) -> Event {
    match name {
        "begin" => Event::Begin,
        "allow" => verdict(Outcome::Allow, false),
        "shadow-deny" => verdict(Outcome::Deny, false),
        "shadow-ask" => verdict(Outcome::RequireApproval, false),
        "deny" => verdict(Outcome::Deny, true),
        "ask" => verdict(Outcome::RequireApproval, true),
        "finished" => Event::Finished(json!({"ok": true})),
        "blocked" => Event::Blocked(failure(false)),
        "blocked-ask" => Event::Blocked(failure(true)),
        "broken" => Event::Broken(failure(false)),
        "broken-ask" => Event::Broken(failure(true)),
        other => panic!("{other} is no event"),
    }
}

const EVENTS: [&str; 11] = [
    "begin",
    "allow",
    "shadow-deny",
    "shadow-ask",
    "deny",
    "ask",
    "finished",
    "blocked",
    "blocked-ask",
    "broken",
    "broken-ask",
];

const PHASES: [Phase; 5] = [Phase::Ready, Phase::Asking, Phase::Running, Phase::Waiting, Phase::Ended];

fn name(effect: &Effect) -> &'static str {
    match effect {
        Effect::EnsureStep => "ensure",
        Effect::AskTool => "ask",
        Effect::Invoke => "invoke",
        Effect::Execute => "execute",
        Effect::Succeed(_) => "succeed",
        Effect::Fail { parks: false, .. } => "fail",
        Effect::Fail { parks: true, .. } => "fail-parks",
        Effect::Park(_) => "park",
        Effect::Complete => "complete",
        Effect::FailRun(_) => "fail-run",
        Effect::TimeOut => "time-out",
    }
}

fn at(phase: Phase, at: usize) -> State {
    State { at, phase, passed_over: 0, times_out_at: None }
}

/// What a row of the table says: the phase, event, next phase, how far the step moves, whether the
/// step was passed over, the effects.
type Row = (Phase, &'static str, Phase, usize, bool, &'static str);

fn check(plan: &Plan, from: usize, rows: &[Row]) {
    for &(phase, on, to, moves, passed_over, effects) in rows {
        let (state, done) = step(plan, at(phase, from), event(on), now());
        let names: Vec<&str> = done.iter().map(name).collect();
        let want = State { at: from + moves, phase: to, passed_over: usize::from(passed_over), times_out_at: None };
        assert_eq!((state, names.join(" ").as_str()), (want, effects), "{phase:?} {on}");
    }
}

/// What is the same for every plan: the way to a verdict, and what changes nothing.
const ALWAYS: &[Row] = &[
    (Phase::Ready, "begin", Phase::Asking, 0, false, "ensure ask"),
    (Phase::Asking, "allow", Phase::Running, 0, false, "invoke execute"),
    (Phase::Asking, "shadow-deny", Phase::Running, 0, false, "invoke execute"),
    (Phase::Asking, "shadow-ask", Phase::Running, 0, false, "invoke execute"),
    // What belongs to another phase.
    (Phase::Ready, "allow", Phase::Ready, 0, false, ""),
    (Phase::Ready, "shadow-deny", Phase::Ready, 0, false, ""),
    (Phase::Ready, "shadow-ask", Phase::Ready, 0, false, ""),
    (Phase::Ready, "deny", Phase::Ready, 0, false, ""),
    (Phase::Ready, "ask", Phase::Ready, 0, false, ""),
    (Phase::Ready, "finished", Phase::Ready, 0, false, ""),
    (Phase::Ready, "blocked", Phase::Ready, 0, false, ""),
    (Phase::Ready, "blocked-ask", Phase::Ready, 0, false, ""),
    (Phase::Ready, "broken", Phase::Ready, 0, false, ""),
    (Phase::Ready, "broken-ask", Phase::Ready, 0, false, ""),
    (Phase::Asking, "begin", Phase::Asking, 0, false, ""),
    (Phase::Asking, "finished", Phase::Asking, 0, false, ""),
    (Phase::Asking, "blocked", Phase::Asking, 0, false, ""),
    (Phase::Asking, "blocked-ask", Phase::Asking, 0, false, ""),
    (Phase::Running, "begin", Phase::Running, 0, false, ""),
    (Phase::Running, "allow", Phase::Running, 0, false, ""),
    (Phase::Running, "shadow-deny", Phase::Running, 0, false, ""),
    (Phase::Running, "shadow-ask", Phase::Running, 0, false, ""),
    (Phase::Running, "deny", Phase::Running, 0, false, ""),
    (Phase::Running, "ask", Phase::Running, 0, false, ""),
];

/// What rests on the plan, where the step is the last one, failing ends the run and nobody waits.
const LAST: &[Row] = &[
    (Phase::Asking, "deny", Phase::Ended, 0, false, "invoke fail fail-run"),
    (Phase::Asking, "ask", Phase::Ended, 0, false, "invoke fail fail-run"),
    (Phase::Asking, "broken", Phase::Ended, 0, false, "invoke fail fail-run"),
    (Phase::Asking, "broken-ask", Phase::Ended, 0, false, "invoke fail fail-run"),
    (Phase::Running, "finished", Phase::Ended, 0, false, "succeed complete"),
    (Phase::Running, "blocked", Phase::Ended, 0, false, "fail fail-run"),
    (Phase::Running, "blocked-ask", Phase::Ended, 0, false, "fail fail-run"),
    (Phase::Running, "broken", Phase::Ended, 0, false, "fail fail-run"),
    (Phase::Running, "broken-ask", Phase::Ended, 0, false, "fail fail-run"),
];

/// The same where another step follows.
const NOT_LAST: &[Row] = &[
    (Phase::Asking, "deny", Phase::Ended, 0, false, "invoke fail fail-run"),
    (Phase::Asking, "ask", Phase::Ended, 0, false, "invoke fail fail-run"),
    (Phase::Asking, "broken", Phase::Ended, 0, false, "invoke fail fail-run"),
    (Phase::Asking, "broken-ask", Phase::Ended, 0, false, "invoke fail fail-run"),
    (Phase::Running, "finished", Phase::Ready, 1, false, "succeed"),
    (Phase::Running, "blocked", Phase::Ended, 0, false, "fail fail-run"),
    (Phase::Running, "blocked-ask", Phase::Ended, 0, false, "fail fail-run"),
    (Phase::Running, "broken", Phase::Ended, 0, false, "fail fail-run"),
    (Phase::Running, "broken-ask", Phase::Ended, 0, false, "fail fail-run"),
];

/// The last step, and the run goes on when it fails.
const LAST_PASSED_OVER: &[Row] = &[
    (Phase::Asking, "deny", Phase::Ended, 0, true, "invoke fail complete"),
    (Phase::Asking, "ask", Phase::Ended, 0, true, "invoke fail complete"),
    (Phase::Asking, "broken", Phase::Ended, 0, true, "invoke fail complete"),
    (Phase::Asking, "broken-ask", Phase::Ended, 0, true, "invoke fail complete"),
    (Phase::Running, "finished", Phase::Ended, 0, false, "succeed complete"),
    (Phase::Running, "blocked", Phase::Ended, 0, true, "fail complete"),
    (Phase::Running, "blocked-ask", Phase::Ended, 0, true, "fail complete"),
    (Phase::Running, "broken", Phase::Ended, 0, true, "fail complete"),
    (Phase::Running, "broken-ask", Phase::Ended, 0, true, "fail complete"),
];

/// Another step follows, and the run goes on when this one fails.
const NOT_LAST_PASSED_OVER: &[Row] = &[
    (Phase::Asking, "deny", Phase::Ready, 1, true, "invoke fail"),
    (Phase::Asking, "ask", Phase::Ready, 1, true, "invoke fail"),
    (Phase::Asking, "broken", Phase::Ready, 1, true, "invoke fail"),
    (Phase::Asking, "broken-ask", Phase::Ready, 1, true, "invoke fail"),
    (Phase::Running, "finished", Phase::Ready, 1, false, "succeed"),
    (Phase::Running, "blocked", Phase::Ready, 1, true, "fail"),
    (Phase::Running, "blocked-ask", Phase::Ready, 1, true, "fail"),
    (Phase::Running, "broken", Phase::Ready, 1, true, "fail"),
    (Phase::Running, "broken-ask", Phase::Ready, 1, true, "fail"),
];

/// The run waits: for what a human can approve, and for nothing else.
const WAITS: &[Row] = &[
    (Phase::Asking, "deny", Phase::Ended, 0, false, "invoke fail fail-run"),
    (Phase::Asking, "ask", Phase::Waiting, 0, false, "invoke fail-parks park"),
    (Phase::Asking, "broken", Phase::Ended, 0, false, "invoke fail fail-run"),
    (Phase::Asking, "broken-ask", Phase::Ended, 0, false, "invoke fail fail-run"),
    (Phase::Running, "finished", Phase::Ended, 0, false, "succeed complete"),
    (Phase::Running, "blocked", Phase::Ended, 0, false, "fail fail-run"),
    (Phase::Running, "blocked-ask", Phase::Waiting, 0, false, "fail-parks park"),
    (Phase::Running, "broken", Phase::Ended, 0, false, "fail fail-run"),
    (Phase::Running, "broken-ask", Phase::Ended, 0, false, "fail fail-run"),
];

/// Waiting comes before passing over.
const WAITS_OR_PASSED_OVER: &[Row] = &[
    (Phase::Asking, "deny", Phase::Ready, 1, true, "invoke fail"),
    (Phase::Asking, "ask", Phase::Waiting, 0, false, "invoke fail-parks park"),
    (Phase::Asking, "broken", Phase::Ready, 1, true, "invoke fail"),
    (Phase::Asking, "broken-ask", Phase::Ready, 1, true, "invoke fail"),
    (Phase::Running, "finished", Phase::Ready, 1, false, "succeed"),
    (Phase::Running, "blocked", Phase::Ready, 1, true, "fail"),
    (Phase::Running, "blocked-ask", Phase::Waiting, 0, false, "fail-parks park"),
    (Phase::Running, "broken", Phase::Ready, 1, true, "fail"),
    (Phase::Running, "broken-ask", Phase::Ready, 1, true, "fail"),
];

#[test]
fn goes_on_as_the_table_says() {
    let resting: Vec<Row> = [Phase::Waiting, Phase::Ended]
        .into_iter()
        .flat_map(|phase| EVENTS.map(|on| (phase, on, phase, 0, false, "")))
        .collect();
    let cases: [(Plan, usize, &[Row]); 7] = [
        (plan(&[false], false), 0, LAST),
        (plan(&[false, true, false], false), 2, LAST),
        (plan(&[false, false], false), 0, NOT_LAST),
        (plan(&[true], false), 0, LAST_PASSED_OVER),
        (plan(&[false, true, false], false), 1, NOT_LAST_PASSED_OVER),
        (plan(&[false], true), 0, WAITS),
        (plan(&[true, false], true), 0, WAITS_OR_PASSED_OVER),
    ];
    for (plan, from, rows) in cases {
        check(&plan, from, ALWAYS);
        check(&plan, from, rows);
        check(&plan, from, &resting);
        // The table leaves nothing out.
        let said: Vec<(Phase, &str)> = ALWAYS.iter().chain(rows).chain(&resting).map(|row| (row.0, row.1)).collect();
        let different: HashSet<_> = said.iter().collect();
        assert_eq!((said.len(), different.len()), (EVENTS.len() * PHASES.len(), EVENTS.len() * PHASES.len()));
    }
}

#[test]
fn ends_when_its_time_is_over() {
    let plan = plan(&[true, true], true);
    for phase in PHASES {
        for on in EVENTS {
            let timed = |end: i64| State { times_out_at: Some(Time::from_millis(end)), ..at(phase, 0) };
            let untimed = step(&plan, at(phase, 0), event(on), now());
            let (state, effects) = step(&plan, timed(1_000_001), event(on), now());
            assert_eq!((state.phase, &effects), (untimed.0.phase, &untimed.1), "in time: {phase:?} {on}");
            for end in [1_000_000, 999_999, 0] {
                let (state, effects) = step(&plan, timed(end), event(on), now());
                let want = match phase {
                    Phase::Ready | Phase::Asking | Phase::Running => (Phase::Ended, "time-out"),
                    Phase::Waiting | Phase::Ended => (phase, ""),
                };
                let names: Vec<&str> = effects.iter().map(name).collect();
                assert_eq!((state.phase, names.join(" ").as_str()), want, "{phase:?} {on} at {end}");
            }
        }
    }
}

#[test]
fn a_step_that_is_not_there_ends_in_a_failure_and_not_in_a_panic() {
    let plan = plan(&[true], false);
    let (state, effects) = step(&plan, at(Phase::Asking, 7), event("deny"), now());
    assert_eq!(state.phase, Phase::Ended);
    assert_eq!(effects.iter().map(name).collect::<Vec<_>>(), ["invoke", "fail", "fail-run"]);
}

#[test]
fn a_failure_by_tool_policy_says_what_was_decided() {
    let plan = plan(&[false], false);
    let failed = |on| match step(&plan, at(Phase::Asking, 0), event(on), now()).1.pop() {
        Some(Effect::FailRun(failure)) => failure,
        other => panic!("{other:?}"),
    };
    let denied = failed("deny");
    assert_eq!(
        denied.error,
        json!({"source": "run_worker", "stage": "tool_policy", "decision": "deny", "blocked": true,
               "reason_code": "principal_not_found", "enforcement_mode": "enforce", "tool_name": "runtime.noop"})
    );
    assert_eq!(denied.message, "Policy blocked the tool call: principal_not_found");
    assert_eq!(failed("ask").error["approval_id"], "appr_1");
}

/// What a sequence of events came to.
#[derive(Default)]
struct Seen {
    ended: usize,
    open: bool,
    failures: usize,
}

impl Seen {
    fn effect(&mut self, effect: &Effect) -> Result<(), TestCaseError> {
        prop_assert_eq!(self.ended, 0, "nothing follows the end");
        match effect {
            Effect::EnsureStep | Effect::AskTool => prop_assert!(!self.open),
            Effect::Invoke => {
                prop_assert!(!self.open, "one call at a time");
                self.open = true;
            }
            Effect::Execute => prop_assert!(self.open, "only what is recorded is run"),
            Effect::Succeed(_) | Effect::Fail { .. } => {
                prop_assert!(self.open, "a call ends once");
                self.open = false;
                self.failures += usize::from(matches!(effect, Effect::Fail { .. }));
            }
            Effect::Park(_) => prop_assert!(!self.open, "nothing runs in a run that waits"),
            Effect::Complete | Effect::FailRun(_) => {
                prop_assert!(!self.open, "no call is left behind");
                self.ended += 1;
            }
            // Whoever carries this out ends the call that still runs.
            Effect::TimeOut => self.ended += 1,
        }
        Ok(())
    }
}

/// An event that fits the phase, or any.
fn fitting(phase: Phase, pick: usize, fits: bool) -> &'static str {
    let some: &[&str] = match phase {
        Phase::Ready if fits => &["begin"],
        Phase::Asking if fits => &["allow", "allow", "shadow-deny", "deny", "ask", "broken"],
        Phase::Running if fits => &["finished", "finished", "blocked", "blocked-ask", "broken"],
        _ => &EVENTS,
    };
    some[pick % some.len()]
}

proptest! {
    #[test]
    fn ends_at_most_once_and_every_call_ends_once(
        steps in proptest::collection::vec(any::<bool>(), 1..6),
        waits: bool,
        deadline in proptest::option::of(0_i64..400),
        happening in proptest::collection::vec((0_usize..1_000, 0_u32..10, 0_i64..10), 0..60),
    ) {
        let plan = plan(&steps, waits);
        let mut state = State { times_out_at: deadline.map(Time::from_millis), ..at(Phase::Ready, 0) };
        let (mut seen, mut now) = (Seen::default(), 0);
        for (pick, odd, gap) in happening {
            now += gap;
            let (before, on) = (state, fitting(state.phase, pick, odd > 0));
            let (next, effects) = step(&plan, state, event(on), Time::from_millis(now));
            if matches!(before.phase, Phase::Waiting | Phase::Ended) {
                prop_assert!(effects.is_empty() && next == before, "{:?} {on}", before.phase);
            }
            for effect in &effects {
                seen.effect(effect)?;
            }
            state = next;
            prop_assert!(state.at < plan.steps.len() && before.at <= state.at && state.at <= before.at + 1);
            prop_assert!(state.passed_over <= seen.failures && state.passed_over <= state.at + 1);
            prop_assert_eq!(state.times_out_at, before.times_out_at);
            prop_assert_eq!(seen.ended == 1, state.phase == Phase::Ended);
            let parked = effects.iter().any(|effect| matches!(effect, Effect::Park(_)));
            prop_assert_eq!(parked, state.phase == Phase::Waiting && before.phase != Phase::Waiting);
            prop_assert!(!parked || plan.waits);
            // Outside `Running`, a call is only open when the time was over.
            let timed_out = effects.contains(&Effect::TimeOut);
            prop_assert!(!seen.open || state.phase == Phase::Running || timed_out || state.phase == Phase::Ended);
        }
    }

    /// An executor that answers every effect comes to the same as reading the plan from above.
    #[test]
    fn agrees_with_reading_the_plan(
        steps in proptest::collection::vec((any::<bool>(), 0_usize..5), 1..8),
        waits: bool,
    ) {
        const WAYS: [(&str, &str); 5] =
            [("allow", "finished"), ("allow", "broken"), ("allow", "blocked-ask"), ("deny", ""), ("ask", "")];
        let go_on: Vec<bool> = steps.iter().map(|(go_on, _)| *go_on).collect();
        let plan = plan(&go_on, waits);

        let (mut naive, mut passed) = ("complete", 0);
        for (go_on, way) in &steps {
            let asks = matches!(way, 2 | 4);
            match (way, asks && waits, go_on) {
                (0, ..) => {}
                (_, true, _) => { naive = "park"; break }
                (_, _, true) => passed += 1,
                _ => { naive = "fail-run"; break }
            }
        }

        let mut state = at(Phase::Ready, 0);
        let mut last = "";
        while !matches!(state.phase, Phase::Waiting | Phase::Ended) {
            let (verdict, outcome) = WAYS[steps[state.at].1];
            let on = match state.phase {
                Phase::Ready => "begin",
                Phase::Asking => verdict,
                _ => outcome,
            };
            let (next, effects) = step(&plan, state, event(on), now());
            last = effects.last().map_or("", name);
            state = next;
        }
        prop_assert_eq!((last, state.passed_over), (naive, passed));
    }
}
