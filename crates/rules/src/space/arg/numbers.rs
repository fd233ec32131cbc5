//! Numbers, cut at every bound.

use serde_json::{Number, Value};

use super::of_kind;
use crate::rule::ArgType;
use crate::space::classes::Classes;
use crate::when::{Is, Test, Tri};

/// A class of numbers: one point, or what lies between two.
#[derive(Debug, Clone, Copy)]
struct Span {
    example: f64,
    /// The bound it ends with, when it has one.
    to: Option<f64>,
    /// The bound it begins with.
    from: Option<f64>,
    point: bool,
}

/// The classes of numbers: the whole ones, then the fractions, each from small to large.
#[derive(Debug)]
pub(super) struct Numbers {
    first: u32,
    whole: Vec<Span>,
    fractions: Vec<Span>,
}

impl Numbers {
    pub(super) fn new(tests: &[&Test], first: u32) -> Self {
        let mut points: Vec<f64> = Vec::new();
        for is in of_kind(tests, &[ArgType::Integer, ArgType::Number]) {
            match is {
                Is::Less(at) | Is::AtMost(at) | Is::Greater(at) | Is::AtLeast(at) => points.push(*at),
                Is::OneOf(some) => points.extend(some),
                _ => {}
            }
        }
        let any = tests.iter().any(|test| matches!(test.kind, ArgType::Integer | ArgType::Number));
        points.retain(|point| point.is_finite());
        points.sort_by(f64::total_cmp);
        points.dedup_by(|a, b| a == b);
        let (mut whole, mut fractions, mut before) = (Vec::new(), Vec::new(), None);
        for at in points.iter().copied().map(Some).chain(any.then_some(None)) {
            let span = |example| Span { example, from: before, to: at, point: false };
            whole.extend(whole_between(before, at).map(span));
            fractions.extend(fraction_between(before, at).map(span));
            if let Some(point) = at {
                let span = Span { example: point, from: at, to: at, point: true };
                if point.fract() == 0.0 { whole.push(span) } else { fractions.push(span) }
            }
            before = at;
        }
        Self { first, whole, fractions }
    }

    fn middle(&self) -> u32 {
        self.first + count(&self.whole)
    }

    pub(super) fn end(&self) -> u32 {
        self.middle() + count(&self.fractions)
    }

    pub(super) fn runs(&self, test: &Test, runs: &mut Vec<(u32, u32, Tri)>) {
        let number = matches!(test.kind, ArgType::Integer | ArgType::Number);
        for (first, spans, known) in [
            (self.first, &self.whole, number),
            (self.middle(), &self.fractions, number && test.kind == ArgType::Number),
        ] {
            if known {
                cut(spans, first, &test.is, runs);
            } else {
                runs.push((first, first + count(spans), Tri::Unknown));
            }
        }
    }

    fn span(&self, class: u32) -> Option<&Span> {
        let at = usize::try_from(class.checked_sub(self.first)?).ok()?;
        self.whole.iter().chain(&self.fractions).nth(at)
    }

    pub(super) fn example(&self, class: u32) -> Option<Value> {
        self.span(class).map(|span| number(span.example))
    }

    pub(super) fn words(&self, set: &Classes, some: &mut Vec<String>) {
        // Where whole numbers and fractions have the same bounds, one phrase says both.
        let mut said: Vec<(Option<f64>, Option<f64>)> = Vec::new();
        for (from, to) in [(self.first, self.middle()), (self.middle(), self.end())] {
            for (start, end) in set.clip(from, to).ranges() {
                let (Some(low), Some(high)) = (self.span(*start), self.span(end - 1)) else { continue };
                if !said.contains(&(low.from, high.to)) {
                    said.push((low.from, high.to));
                    some.push(between(low, high));
                }
            }
        }
    }
}

/// From one span to another, in words.
fn between(low: &Span, high: &Span) -> String {
    let from = low.from.map(|at| (if low.point { "≥" } else { ">" }, at));
    let to = high.to.map(|at| (if high.point { "≤" } else { "<" }, at));
    match (from, to) {
        (None, None) => "a number".to_owned(),
        (Some((_, at)), Some((_, same))) if at == same => format!("= {at}"),
        (Some((sign, at)), None) | (None, Some((sign, at))) => format!("{sign} {at}"),
        (Some((more, low)), Some((less, high))) => format!("{more} {low} and {less} {high}"),
    }
}

/// What a test says to spans that are sorted.
fn cut(spans: &[Span], first: u32, is: &Is, runs: &mut Vec<(u32, u32, Tri)>) {
    let end = first + count(spans);
    let until = |holds: &dyn Fn(f64) -> bool| {
        first + u32::try_from(spans.partition_point(|span| holds(span.example))).unwrap_or(0)
    };
    let below = |bound: f64| until(&|number| number < bound);
    let up_to = |bound: f64| until(&|number| number <= bound);
    let mut halves = |at: u32, lower: Tri| runs.extend([(first, at, lower), (at, end, !lower)]);
    match is {
        Is::Less(bound) | Is::AtMost(bound) | Is::Greater(bound) | Is::AtLeast(bound) if bound.is_nan() => {
            runs.push((first, end, Tri::Unknown));
        }
        Is::Less(bound) => halves(below(*bound), Tri::True),
        Is::AtMost(bound) => halves(up_to(*bound), Tri::True),
        Is::Greater(bound) => halves(up_to(*bound), Tri::False),
        Is::AtLeast(bound) => halves(below(*bound), Tri::False),
        Is::OneOf(some) => {
            let hits = Classes::of(some.iter().map(|bound| (below(*bound), up_to(*bound))));
            runs.extend(hits.ranges().iter().map(|(from, to)| (*from, *to, Tri::True)));
            let misses = Classes::range(first, end).minus(&hits);
            runs.extend(misses.ranges().iter().map(|(from, to)| (*from, *to, Tri::False)));
        }
        _ => runs.push((first, end, Tri::Unknown)),
    }
}

fn count(spans: &[Span]) -> u32 {
    u32::try_from(spans.len()).unwrap_or(0)
}

/// A whole number as JSON without a fraction where it fits.
fn number(value: f64) -> Value {
    // 2^53: up to here whole numbers are exact in both forms.
    #[expect(clippy::cast_possible_truncation, reason = "whole and small enough to be exact")]
    let whole = (value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0).then_some(value as i64);
    whole.map_or_else(|| Number::from_f64(value).map_or(Value::Null, Value::Number), Value::from)
}

/// A whole number strictly between two bounds.
fn whole_between(low: Option<f64>, high: Option<f64>) -> Option<f64> {
    let found = match (low, high) {
        (None, None) => 0.0,
        (Some(low), _) => Some(low.floor() + 1.0).filter(|n| *n > low).unwrap_or_else(|| low.next_up()),
        (None, Some(high)) => Some(high.ceil() - 1.0).filter(|n| *n < high).unwrap_or_else(|| high.next_down()),
    };
    within(found, low, high).filter(|n| n.fract() == 0.0)
}

/// A number with a fraction strictly between two bounds.
fn fraction_between(low: Option<f64>, high: Option<f64>) -> Option<f64> {
    let tries = match (low, high) {
        (None, None) => [0.5; 4],
        (Some(low), None) => [low.floor() + 1.5, low.floor() + 0.5, low.next_up(), low.next_up().next_up()],
        (None, Some(high)) => [high.ceil() - 1.5, high.ceil() - 0.5, high.next_down(), high.next_down().next_down()],
        (Some(low), Some(high)) => {
            let middle = low + (high - low) / 2.0;
            [middle, low.floor() + 0.5, low.next_up(), low.next_up().next_up()]
        }
    };
    let beside = low.map(|low| low + (high.unwrap_or(low + 1.0) - low) / 4.0);
    tries.into_iter().chain(beside).find_map(|n| within(n, low, high).filter(|n| n.fract() != 0.0))
}

fn within(n: f64, low: Option<f64>, high: Option<f64>) -> Option<f64> {
    (n.is_finite() && low.is_none_or(|low| low < n) && high.is_none_or(|high| n < high)).then_some(n)
}
