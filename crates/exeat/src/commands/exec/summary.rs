//! What is said at the end: what was let out, what waits for somebody, what was blocked, what was tried around
//! the gate, and the command that would let it pass. To standard error or a report, never among the command's
//! own output.

use std::time::Duration;

use confine::{Attempt, Destination, Ended, Evidence, Exit, Rulings, Told};
use serde_json::{Value, json};

use super::amounts::Allowed;
use crate::output::{BAD, DIM, GOOD, WAIT, clean};

/// LIMIT: lines of each kind that are shown to a person.
const SHOWN_MAX: usize = 20;

/// A command that has ended, as it is told.
#[derive(Debug, Clone)]
pub(super) struct Summary {
    pub(super) exit: Exit,
    pub(super) rung: confine::Rung,
    pub(super) duration: Duration,
    pub(super) rulings: Rulings,
    pub(super) evidence: Option<Evidence>,
    pub(super) notices: u64,
    pub(super) noticed: Vec<Attempt>,
    /// The server that decided; without one it was this process.
    pub(super) server: Option<String>,
    /// What of it could not be had.
    pub(super) missing: Option<String>,
}

impl Summary {
    /// Of a command whose gate was in this process.
    pub(super) fn of(ended: Ended) -> Self {
        let Ended { exit, evidence, notices, noticed, rulings, rung, duration } = ended;
        Self { exit, rung, duration, rulings, evidence, notices, noticed, server: None, missing: None }
    }

    /// Whether anything was held back, or tried around the gate.
    pub(super) fn is_violated(&self) -> bool {
        self.evidence.is_some() || !self.rulings.blocked.is_empty() || !self.rulings.asked.is_empty()
    }

    /// For programs.
    pub(super) fn to_json(&self) -> Value {
        let (ended, number) = match self.exit {
            Exit::Code(code) => ("code", Some(code)),
            Exit::Signal(signal) => ("signal", Some(signal)),
            Exit::TimedOut => ("timeout", None),
            Exit::Killed => ("killed", None),
        };
        let violations = self.evidence.as_ref().map(|evidence| {
            json!({
                "violation_code": "network_egress_blocked",
                "event_id": evidence.event_id.as_str(),
                "attempts": evidence.attempts,
                "overflow": evidence.overflow,
                "digest": evidence.digest,
            })
        });
        json!({
            "exit_code": self.exit.code(),
            "ended_by": ended,
            "number": number,
            "rung": self.rung.as_str(),
            "duration_ms": u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX),
            "server": self.server,
            "allowed": self.rulings.allowed,
            "asked": self.rulings.asked,
            "blocked": self.rulings.blocked,
            "more": self.rulings.more,
            "violations": violations,
            "notices": self.notices,
            "noticed": self.noticed,
            "missing": self.missing,
        })
    }

    /// For a person; `None` when there is nothing to say. `quiet` leaves out what went well.
    pub(super) fn to_text(&self, quiet: bool) -> Option<String> {
        let Rulings { allowed, asked, blocked, more } = &self.rulings;
        let nothing = allowed.is_empty() && *more == 0 && !self.is_violated() && self.missing.is_none();
        if nothing || (quiet && !self.is_violated() && self.missing.is_none()) {
            return None;
        }
        let count = |told: &[Told]| told.iter().map(|each| each.count).sum::<u64>();
        let mut lines = vec![format!(
            "exeat: blocked {}, asked {}, allowed {} ({}, rung {}{})",
            count(blocked),
            count(asked),
            count(allowed),
            crate::duration::show(self.duration),
            self.rung,
            self.server.as_ref().map(|server| format!(", {server}")).unwrap_or_default(),
        )];
        for (told, style, mark) in [(blocked, BAD, '✗'), (asked, WAIT, '?')] {
            for each in told.iter().take(SHOWN_MAX) {
                lines.push(format!("  {style}{mark}{style:#} {}", ruled(each)));
                lines.push(format!("      {DIM}{}{DIM:#}", self.remedy(each)));
            }
        }
        if !quiet {
            for each in allowed.iter().take(SHOWN_MAX) {
                lines.push(format!("  {GOOD}✓{GOOD:#} {}", ruled(each)));
            }
        }
        let hidden = [blocked, asked, allowed].iter().map(|told| told.len().saturating_sub(SHOWN_MAX)).sum::<usize>();
        let hidden = u64::try_from(hidden).unwrap_or(u64::MAX).saturating_add(*more);
        if hidden > 0 {
            lines.push(format!("  … and {hidden} more (--json has them)"));
        }
        if let Some(evidence) = &self.evidence {
            let over = if evidence.overflow { " or more" } else { "" };
            let ways = if evidence.attempts.len() == 1 { "way" } else { "ways" };
            lines.push(format!(
                "  {BAD}!{BAD:#} tried to get around the gate in {}{over} {ways}; all of it was stopped:",
                evidence.attempts.len()
            ));
            for attempt in evidence.attempts.iter().take(SHOWN_MAX) {
                lines.push(format!("      {}", tried(attempt)));
            }
        }
        lines.extend(self.missing.as_ref().map(|why| format!("  {WAIT}note:{WAIT:#} {}", clean(why))));
        Some(lines.join("\n"))
    }

    /// The command that would let it pass, or that says more.
    fn remedy(&self, told: &Told) -> String {
        let why = told.egress_request_id.as_ref().map(|id| format!("exeat why {id}"));
        match (&self.server, &told.approval_id, why) {
            (Some(_), Some(approval), _) => format!("exeat approvals approve {approval}"),
            (Some(_), None, Some(why)) => why,
            (Some(_), None, None) => told.reason_code.clone(),
            (None, _, _) if told.reason_code == "destination_denied" => {
                "an address of a private network: except it with EXEAT_TRUSTED_UPSTREAMS if it is meant".to_owned()
            }
            (None, _, _) => {
                let port = Some(told.port).filter(|port| !matches!(port, 80 | 443));
                format!("let it pass: exeat exec --allow {} …", Allowed { host: clean(&told.host), port })
            }
        }
    }
}

/// One line about what was asked of the gate.
fn ruled(told: &Told) -> String {
    let host = clean(&told.host);
    let place = if host.contains(':') { format!("[{host}]:{}", told.port) } else { format!("{host}:{}", told.port) };
    let times = if told.count > 1 { format!("  ×{}", told.count) } else { String::new() };
    let decision = match told.decision {
        Some(model::Outcome::Allow) => String::new(),
        Some(model::Outcome::Deny) => format!("  deny, {}", told.reason_code),
        Some(model::Outcome::RequireApproval) => format!("  needs approval, {}", told.reason_code),
        None => format!("  {}", told.reason_code),
    };
    format!("{} {place}{times}{}", clean(&told.method), clean(&decision))
}

/// One line about an attempt around the gate.
fn tried(attempt: &Attempt) -> String {
    let to = match attempt.destination {
        Destination::None => "",
        Destination::Public => " to a public address",
        Destination::Private => " to an address of a private network",
        Destination::LinkLocal => " to a link-local address",
        Destination::Loopback => " to this machine",
        Destination::Multicast => " to a group",
        Destination::Broadcast => " to everybody",
        Destination::Reserved => " to a reserved address",
        Destination::Name => " to a name",
        Destination::HostSocket => " to a socket of this machine",
        Destination::AbstractSocket => " to an abstract socket of this machine",
        Destination::Process => " on another process",
        Destination::Kernel => " on the kernel",
    };
    let over = match (attempt.family, attempt.protocol) {
        ("none", "none") => String::new(),
        (family, "none") => format!(" ({family})"),
        (family, protocol) => format!(" ({protocol}, {family})"),
    };
    let port = attempt.port.map(|port| format!(", port {port}")).unwrap_or_default();
    format!("{}{to}{port}{over}", attempt.op)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{ApprovalId, EgressRequestId, EventId, Outcome};

    fn told(host: &str, decision: Outcome, reason: &str, count: u64) -> Told {
        Told {
            host: host.to_owned(),
            port: 443,
            method: "CONNECT".to_owned(),
            decision: Some(decision),
            reason_code: reason.to_owned(),
            egress_request_id: Some(EgressRequestId::from_stored("egr_1".to_owned())),
            approval_id: (decision == Outcome::RequireApproval).then(|| ApprovalId::from_stored("appr_1".to_owned())),
            captured: false,
            count,
        }
    }

    fn summary() -> Summary {
        Summary {
            exit: Exit::Code(22),
            rung: confine::Rung::A,
            duration: Duration::from_millis(18_300),
            rulings: Rulings {
                allowed: vec![told("ok.example", Outcome::Allow, "policy_allows", 14)],
                asked: vec![told("ask.example", Outcome::RequireApproval, "external_write_requires_approval", 1)],
                blocked: vec![told("no.example", Outcome::Deny, "policy_denies", 2)],
                more: 0,
            },
            evidence: Some(Evidence {
                event_id: EventId::from_stored("evt_1".to_owned()),
                attempts: vec![
                    Attempt::towards("send", "udp", [8, 8, 8, 8].into(), 53),
                    Attempt::call("ptrace", Destination::Process),
                ],
                overflow: false,
                digest: "hmac".to_owned(),
            }),
            notices: 1,
            noticed: vec![],
            server: None,
            missing: None,
        }
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn says_what_happened_and_what_would_let_it_pass() {
        let alone = summary();
        insta::assert_snapshot!(plain(&alone.to_text(false).unwrap()), @r"
        exeat: blocked 2, asked 1, allowed 14 (18s, rung A)
          ✗ CONNECT no.example:443  ×2  deny, policy_denies
              let it pass: exeat exec --allow no.example …
          ? CONNECT ask.example:443  needs approval, external_write_requires_approval
              let it pass: exeat exec --allow ask.example …
          ✓ CONNECT ok.example:443  ×14
          ! tried to get around the gate in 2 ways; all of it was stopped:
              send to a public address, port 53 (udp, inet)
              ptrace on another process
        ");
        let served = Summary { server: Some("http://127.0.0.1:7070".to_owned()), evidence: None, ..summary() };
        insta::assert_snapshot!(plain(&served.to_text(true).unwrap()), @r"
        exeat: blocked 2, asked 1, allowed 14 (18s, rung A, http://127.0.0.1:7070)
          ✗ CONNECT no.example:443  ×2  deny, policy_denies
              exeat why egr_1
          ? CONNECT ask.example:443  needs approval, external_write_requires_approval
              exeat approvals approve appr_1
        ");
    }

    #[test]
    fn says_nothing_when_nothing_was_asked_for() {
        let nothing = Summary { rulings: Rulings::default(), evidence: None, ..summary() };
        assert_eq!((nothing.to_text(false), nothing.is_violated()), (None, false));
        let well = Rulings { allowed: summary().rulings.allowed, ..Rulings::default() };
        let well = Summary { rulings: well, evidence: None, ..summary() };
        assert!(well.to_text(false).is_some() && well.to_text(true).is_none() && !well.is_violated());
        assert!(summary().is_violated());
    }

    #[test]
    fn programs_get_all_of_it() {
        let all = summary().to_json();
        assert_eq!((&all["exit_code"], &all["rung"], &all["duration_ms"]), (&json!(22), &json!("A"), &json!(18_300)));
        assert_eq!(all["blocked"][0]["host"], "no.example");
        assert_eq!(all["violations"]["violation_code"], "network_egress_blocked");
        assert_eq!(all["violations"]["attempts"][0]["op"], "send");
        for (exit, by, code) in
            [(Exit::Signal(9), "signal", 137), (Exit::TimedOut, "timeout", 124), (Exit::Killed, "killed", 137)]
        {
            let all = Summary { exit, ..summary() }.to_json();
            assert_eq!((&all["ended_by"], &all["exit_code"]), (&json!(by), &json!(code)));
        }
    }

    #[test]
    fn a_name_cannot_steer_the_terminal() {
        let evil = told("a\u{1b}[2J.example", Outcome::Deny, "x", 1);
        assert!(!ruled(&evil).contains('\u{1b}'));
    }
}
