//! What of the guard holds on this machine, found out by doing it.
//!
//! Nothing is inferred from what seems to be there. For each rung a jail is made and thrown away; in it this very
//! program tries to get out in the ways that each layer closes, while the supervisor's side looks at what arrives,
//! what is told and what lives. A layer is [`State::Live`] only when what it forbids was refused. Where no jail can
//! be made, the parts are tried one by one, so that what is missing is named together with what would bring it.

mod diagnose;
mod fix;
mod inside;
mod jail;
mod judge;
mod machine;

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

pub(crate) use inside::run_if_asked;

use crate::launch::Launcher;
use crate::rung::Rung;
use crate::{LaunchError, Layer};

/// Whether a layer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It does: what it forbids was tried, and refused.
    Live,
    /// The machine does not give it, or one that it needs.
    Missing,
    /// It is in place and does not do what it is for.
    Broken,
}

/// What was found of one layer of one rung.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// In which rung.
    pub rung: Rung,
    /// Which layer.
    pub layer: Layer,
    /// Whether it holds.
    pub state: State,
    /// Why it does not; or what it does less than elsewhere.
    pub reason: Option<String>,
    /// What would change that, to be done by whoever runs the machine.
    pub fix: Option<String>,
}

/// What was found of all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Each layer of each rung, A before B.
    pub findings: Vec<Finding>,
    /// The rungs of which every layer holds, the strongest first.
    pub rungs: Vec<Rung>,
}

impl Report {
    /// The findings as text that is the same as long as they are: to be digested, and compared with later ones.
    #[must_use]
    pub fn canonical(&self) -> String {
        let mut text = String::new();
        for Finding { rung, layer, state, .. } in &self.findings {
            let state = match state {
                State::Live => "live",
                State::Missing => "missing",
                State::Broken => "broken",
            };
            // Writing to a string does not fail.
            let _ = writeln!(text, "{rung} {} {state}", layer.as_str());
        }
        text
    }

    /// What keeps a rung from being used: the first layer that was tried and does not hold, if any was.
    #[must_use]
    pub fn obstacle(&self, rung: Rung) -> Option<&Finding> {
        let mut dead = self.findings.iter().filter(|finding| finding.rung == rung && finding.state != State::Live);
        let untried = |finding: &&Finding| finding.reason.as_deref().is_some_and(judge::is_untried);
        dead.clone().find(|finding| !untried(finding)).or_else(|| dead.next())
    }

    fn of(mut findings: Vec<Finding>) -> Self {
        let machine = machine::Machine::current();
        for finding in &mut findings {
            let reason = finding.reason.as_deref().unwrap_or_default();
            if finding.state == State::Missing && !judge::is_untried(reason) {
                finding.fix = fix::of(finding.layer, reason, &machine);
            }
        }
        let held = |rung: &Rung| {
            let mut of_rung = findings.iter().filter(|finding| finding.rung == *rung).peekable();
            of_rung.peek().is_some() && of_rung.all(|finding| finding.state == State::Live)
        };
        Self { rungs: [Rung::A, Rung::B].into_iter().filter(held).collect(), findings }
    }
}

/// The layers of a rung, in the order in which they are put in place.
#[must_use]
pub const fn layers(rung: Rung) -> &'static [Layer] {
    match rung {
        Rung::A => &[
            Layer::Spawner,
            Layer::UserNamespace,
            Layer::NetworkNamespace,
            Layer::AnyAddress,
            Layer::NfTables,
            Layer::TransparentProxy,
            Layer::PacketLog,
            Layer::MountView,
            Layer::PidNamespace,
            Layer::OtherNamespaces,
            Layer::Capabilities,
            Layer::Landlock,
            Layer::Seccomp,
            Layer::Notify,
            Layer::Descriptors,
            Layer::Limits,
            Layer::TreeDeath,
        ],
        Rung::B => &[
            Layer::Spawner,
            Layer::Capabilities,
            Layer::Landlock,
            Layer::Seccomp,
            Layer::Notify,
            Layer::SocketInjection,
            Layer::Descriptors,
            Layer::Limits,
            Layer::TreeDeath,
        ],
    }
}

/// Tries every layer of both rungs, in two jails at once. Blocks for some ten milliseconds; callers keep the result.
#[must_use]
pub fn probe(launcher: &Launcher) -> Report {
    let mut findings = Vec::new();
    std::thread::scope(|scope| {
        let b = scope.spawn(|| of_rung(launcher, Rung::B));
        findings.extend(of_rung(launcher, Rung::A));
        // A panic on that thread is a rung that was not proven.
        findings
            .extend(b.join().unwrap_or_else(|_| judge::untried(Rung::B, Layer::Spawner, "the probe itself failed")));
    });
    Report::of(findings)
}

/// The report when there is not even a [`Launcher`].
#[must_use]
pub fn without_launcher(error: &LaunchError) -> Report {
    Report::of(
        [Rung::A, Rung::B]
            .into_iter()
            .flat_map(|rung| judge::untried(rung, Layer::Spawner, &error.to_string()))
            .collect(),
    )
}

fn of_rung(launcher: &Launcher, rung: Rung) -> Vec<Finding> {
    match jail::try_out(launcher, rung) {
        Ok(evidence) => judge::findings(rung, &evidence),
        Err(error) => diagnose::findings(launcher.program(), rung, &error),
    }
}
