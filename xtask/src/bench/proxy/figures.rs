//! What was measured in several rounds, as medians beside Squid's.

use serde_json::{Value, json};

/// One figure of one peer in one scenario.
#[derive(Debug)]
pub(super) struct Figure {
    pub(super) scenario: String,
    pub(super) peer: &'static str,
    /// Requests a second, GB/s, KiB or µs: see `unit`.
    pub(super) unit: &'static str,
    /// One value for each round.
    pub(super) values: Vec<f64>,
    /// Further measures by name, one value for each round.
    pub(super) also: Vec<(&'static str, Vec<f64>)>,
    pub(super) errors: usize,
    pub(super) first_error: Option<String>,
}

impl Figure {
    pub(super) fn new(scenario: &str, peer: &'static str, unit: &'static str) -> Self {
        let scenario = scenario.to_owned();
        Self { scenario, peer, unit, values: Vec::new(), also: Vec::new(), errors: 0, first_error: None }
    }

    /// Adds a value of a further measure.
    pub(super) fn add(&mut self, name: &'static str, value: f64) {
        match self.also.iter_mut().find(|(other, _)| *other == name) {
            Some((_, values)) => values.push(value),
            None => self.also.push((name, vec![value])),
        }
    }

    pub(super) fn median(&self) -> f64 {
        median(&self.values)
    }
}

pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = sorted.get(middle).copied().unwrap_or(f64::NAN);
    if sorted.len() % 2 == 1 {
        return upper;
    }
    let lower = middle.checked_sub(1).and_then(|index| sorted.get(index)).copied();
    lower.map_or(upper, |lower| f64::midpoint(lower, upper))
}

/// The lines of one scenario: a head, then one line for each peer.
pub(super) fn table(figures: &[Figure]) -> Vec<String> {
    let Some(first) = figures.first() else { return Vec::new() };
    let base = figures.iter().find(|figure| figure.peer == "squid").map(Figure::median);
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in figures.iter().flat_map(|figure| &figure.also) {
        if !names.contains(name) {
            names.push(name);
        }
    }
    let titles: String = names.iter().map(|name| format!("{name:>16}")).collect();
    let head = format!("{:<30}{:>14}{:>10}{:>20}{titles}", first.scenario, first.unit, "÷ squid", "least..most");
    let mut lines = vec![head];
    for figure in figures {
        let ratio = base.map_or_else(|| "-".to_owned(), |base| format!("{:.2}", figure.median() / base));
        let (least, most) = figure
            .values
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| (least.min(*value), most.max(*value)));
        let range = format!("{}..{}", shown(least), shown(most));
        let also: String = names
            .iter()
            .map(|name| {
                let values = figure.also.iter().find(|(other, _)| other == name);
                format!("{:>16}", values.map_or_else(|| "-".to_owned(), |(_, values)| shown(median(values))))
            })
            .collect();
        lines.push(format!("    {:<26}{:>14}{ratio:>10}{range:>20}{also}", figure.peer, shown(figure.median())));
        if let Some(error) = &figure.first_error {
            lines.push(format!("        {} errors, the first: {error}", figure.errors));
        }
    }
    lines
}

pub(super) fn json(figures: &[Figure]) -> Value {
    let figures = figures.iter().map(|figure| {
        let also: serde_json::Map<String, Value> =
            figure.also.iter().map(|(name, values)| ((*name).to_owned(), json!(median(values)))).collect();
        json!({
            "scenario": figure.scenario, "peer": figure.peer, "unit": figure.unit, "median": figure.median(),
            "rounds": figure.values, "also": also, "errors": figure.errors, "first_error": figure.first_error,
        })
    });
    figures.collect()
}

/// Three significant digits or more.
fn shown(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn tells_the_ratio_to_squid() {
        let figure = |peer, value| Figure { values: vec![value], ..Figure::new("plain", peer, "req/s") };
        let lines = table(&[figure("squid", 200.0), figure("exeat", 150.0)]);
        assert_eq!(lines.len(), 3);
        assert!(lines.last().is_some_and(|line| line.contains("0.75")), "{lines:?}");
    }
}
