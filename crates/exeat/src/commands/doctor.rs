//! `exeat doctor`: what of the guard holds on this machine, found out by doing it, and what to do about the rest.
//!
//! It needs no server and no configuration, and works for root and for everybody else. When a store was named it
//! also says whether that store keeps its event log from being changed.

use guard::launch::Launcher;
use guard::probe::{self, Finding, Report, State};
use guard::rung::Rung;
use guard::{LaunchError, Layer};
use serde_json::{Value, json};
use store::{Location, Store, StoreConfig};

use super::store_access;
use crate::config::{Config, Environment};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{BAD, BOLD, DIM, GOOD, Output, WAIT, clean};

/// Find out what of the guard holds on this machine
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  exeat doctor\n  exeat doctor --json",
    after_help = "Exit codes: 0 when commands can be confined on this machine, 125 when not."
)]
pub struct Args {}

/// What was found.
struct Found {
    report: Report,
    log: Option<EventLog>,
}

/// How the store keeps its event log.
#[derive(Debug, Clone, PartialEq, Eq)]
enum EventLog {
    Held,
    /// This role could switch the protection off.
    Weak,
    Unknown(String),
}

/// Probes, and tells.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(config: Option<&Config>, environment: &Environment, output: Output) -> Result<Exit, Failure> {
    let report = match Launcher::start() {
        Ok(launcher) => probe::probe(&launcher),
        Err(error) => none(&error),
    };
    let log = config.filter(|config| is_named(config, environment)).map(event_log);
    let found = Found { report, log };
    if output.is_json() {
        output.object(&found.to_json())?;
    } else {
        output.line(&found.to_text())?;
    }
    Ok(if found.report.rungs.is_empty() { Exit::Isolation } else { Exit::Ok })
}

/// Without the process that starts commands nothing can be tried.
fn none(error: &LaunchError) -> Report {
    let finding = |rung| Finding {
        rung,
        layer: Layer::Spawner,
        state: State::Missing,
        reason: Some(error.to_string()),
        fix: None,
    };
    Report { findings: vec![finding(Rung::A), finding(Rung::B)], rungs: Vec::new() }
}

/// Whether there is a store to look at: nobody's is made by looking.
fn is_named(config: &Config, environment: &Environment) -> bool {
    match store_access::location(config) {
        Ok(Location::Sqlite { path, .. }) => path.exists(),
        Ok(Location::Memory | Location::Postgres(_)) => true,
        Err(_) => environment.raw("DATABASE_URL").is_some(),
    }
}

fn event_log(config: &Config) -> EventLog {
    let look = async {
        let mut how = StoreConfig::new(store_access::location(config)?, store_access::defaults(config));
        how.migrate = false;
        let store = Store::open(how).await.map_err(|error| store_access::open_failure(&error))?;
        store.append_only_is_weak().await.map_err(|error| store_access::db_failure(&error))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map_err(Failure::from).and_then(|runtime| runtime.block_on(look)) {
        Ok(false) => EventLog::Held,
        Ok(true) => EventLog::Weak,
        Err(failure) => EventLog::Unknown(failure.why.unwrap_or(failure.what)),
    }
}

const fn word(state: State) -> &'static str {
    match state {
        State::Live => "live",
        State::Missing => "missing",
        State::Broken => "broken",
    }
}

impl Found {
    fn to_json(&self) -> Value {
        let layers: Vec<Value> = self.report.findings.iter().map(layer).collect();
        let rungs: Vec<&str> = self.report.rungs.iter().map(|rung| rung.as_str()).collect();
        let mut all = json!({
            "layers": layers,
            "rungs": rungs,
            "ok": !self.report.rungs.is_empty(),
            "allowlist": [],
        });
        let log = match &self.log {
            None => return all,
            Some(EventLog::Held) => json!({ "append_only": "held" }),
            Some(EventLog::Weak) => json!({ "append_only": "weak" }),
            Some(EventLog::Unknown(why)) => json!({ "append_only": "unknown", "reason": why }),
        };
        super::wire::set(&mut all, "store", log);
        all
    }

    fn to_text(&self) -> String {
        let mut lines = Vec::new();
        for (rung, how) in [
            (Rung::A, "namespaces; every packet is accounted for"),
            (Rung::B, "no namespaces; every socket is supervised"),
        ] {
            let live = self.report.rungs.contains(&rung);
            let (style, state) = if live { (GOOD, "live") } else { (BAD, "not to be had") };
            lines.push(format!("{BOLD}rung {rung}{BOLD:#}  {how}: {style}{state}{style:#}"));
            lines.extend(self.report.findings.iter().filter(|finding| finding.rung == rung).flat_map(told));
        }
        lines.push(match self.report.rungs.first() {
            Some(rung) => format!("commands are confined on rung {rung}; without a rule nothing leaves"),
            None => format!("{BAD}no command can be confined here, so none is run{BAD:#}"),
        });
        match &self.log {
            None => {}
            Some(EventLog::Held) => lines.push("the store keeps its event log from being changed".to_owned()),
            Some(EventLog::Weak) => lines.push(format!(
                "{WAIT}append_only: weak{WAIT:#}: this role owns the event log and could switch its protection off\n      {DIM}run as one that `exeat db migrate --service-role` prepared{DIM:#}"
            )),
            Some(EventLog::Unknown(why)) => {
                lines.push(format!("{WAIT}the store cannot be looked at{WAIT:#}: {}", clean(why)));
            }
        }
        lines.join("\n")
    }
}

fn layer(finding: &Finding) -> Value {
    let mut all = json!({
        "name": finding.layer.as_str(),
        "rung": finding.rung.as_str(),
        "state": word(finding.state),
    });
    for (name, text) in [("reason", &finding.reason), ("fix", &finding.fix)] {
        if let Some(text) = text {
            super::wire::set(&mut all, name, text.as_str());
        }
    }
    all
}

fn told(finding: &Finding) -> Vec<String> {
    let name = finding.layer.as_str();
    let reason = finding.reason.as_deref().map(clean).unwrap_or_default();
    let mut lines = vec![match finding.state {
        State::Live => format!("  {GOOD}✓{GOOD:#} {name}"),
        state => format!("  {BAD}✗{BAD:#} {name}  {}: {reason}", word(state)),
    }];
    // A fix may be a file to be written: its lines are kept.
    let fix = finding.fix.as_deref().unwrap_or_default();
    let fix = fix.lines().map(clean);
    lines.extend(fix.enumerate().map(|(at, line)| {
        let lead = if at == 0 { "fix: " } else { "     " };
        format!("      {DIM}{lead}{line}{DIM:#}")
    }));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(rung: Rung, layer: Layer, state: State) -> Finding {
        let said = |text: &str| (state != State::Live).then(|| text.to_owned());
        Finding { rung, layer, state, reason: said("not permitted"), fix: said("first line\n  second line") }
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn says_of_each_layer_whether_it_holds_and_what_would_help() {
        let findings = vec![
            finding(Rung::A, Layer::Spawner, State::Live),
            finding(Rung::A, Layer::UserNamespace, State::Missing),
            finding(Rung::B, Layer::Landlock, State::Live),
        ];
        let report = Report { findings, rungs: vec![Rung::B] };
        let found = Found { report, log: Some(EventLog::Weak) };
        insta::assert_snapshot!(plain(&found.to_text()), @r"
        rung A  namespaces; every packet is accounted for: not to be had
          ✓ spawner
          ✗ user_namespace  missing: not permitted
              fix: first line
                     second line
        rung B  no namespaces; every socket is supervised: live
          ✓ landlock
        commands are confined on rung B; without a rule nothing leaves
        append_only: weak: this role owns the event log and could switch its protection off
              run as one that `exeat db migrate --service-role` prepared
        ");
        let all = found.to_json();
        assert_eq!((&all["ok"], &all["rungs"], &all["allowlist"]), (&json!(true), &json!(["B"]), &json!([])));
        assert_eq!(all["layers"][0], json!({ "name": "spawner", "rung": "A", "state": "live" }));
        assert_eq!(all["layers"][1]["fix"], "first line\n  second line");
        assert_eq!(all["store"]["append_only"], "weak");
        let nothing = Found { report: none(&LaunchError::Gone), log: None };
        assert_eq!(nothing.to_json()["ok"], json!(false));
        assert!(nothing.to_text().contains("none is run"));
    }
}
