//! A server's gate as the one that decides: everything leaves by its proxy, with a credential that is made for
//! this command, is good for the proxy only, and never goes inside.
//!
//! What the server refuses reaches the command as the server said it. `--allow` opens nothing there: it narrows
//! what the command may ask the server for.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use confine::{Ended, Rulings, Told};
use egress::dial::{Dialer, DialerConfig};
use egress::guard::{Guard, GuardConfig};
use egress::resolve::{Resolver, ResolverConfig};
use egress::upstream::{Decided, UpstreamProxy};
use model::{ApprovalId, EgressRequestId, Outcome};
use serde_json::json;

use super::Args;
use super::summary::Summary;
use crate::client::Client;
use crate::commands::proxy::{address, beside};
use crate::commands::wire::{body, text};
use crate::commands::{App, ask};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::opt;

/// How long a credential is good when the command has no end: as long as one can be.
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// How long it is good after a command's end is due: for what is still under way.
const AFTER: Duration = Duration::from_secs(60);

/// The way to the server's proxy.
pub(super) struct Remote {
    client: Client,
    run: Option<String>,
    heard: Arc<Heard>,
    pub(super) dialer: Dialer,
}

/// What the server refused.
#[derive(Debug, Default)]
struct Heard(Mutex<Vec<Refused>>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Refused {
    host: String,
    port: u16,
    code: String,
    id: Option<String>,
    approval: Option<String>,
}

/// What a refusal of the server's proxy is called on this side.
const REFUSED_ABOVE: &str = "upstream_proxy_refused";
/// LIMIT: refusals that are kept apart.
const REFUSED_MAX: usize = 4_096;

impl Heard {
    fn hear(&self, host: &str, port: u16, decided: &Decided) {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < REFUSED_MAX {
            all.push(Refused {
                host: host.to_owned(),
                port,
                code: decided.code().unwrap_or("refused").to_owned(),
                id: owned(decided.id()),
                approval: owned(decided.approval()),
            });
        }
    }

    fn take(&self) -> Vec<Refused> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Remote {
    /// Finds the server, and makes the credential.
    ///
    /// # Errors
    /// The server does not answer, or refuses.
    pub(super) async fn find(args: &Args, app: &App, lasts: Option<Duration>) -> Result<Self, Failure> {
        let client = app.client()?;
        let principal = match &args.agent {
            Some(agent) => opt(&ask::found(&client, agent).await?, "principal_id"),
            None => None,
        };
        let lasts = lasts.map_or(DAY, |lasts| lasts.saturating_add(AFTER).min(DAY));
        let wanted = body([
            ("principal_id", text(principal)),
            ("run_id", text(args.run.clone())),
            ("expires_in_s", Some(json!(lasts.as_secs()))),
            ("confined", Some(json!(true))),
        ]);
        let answer = client.post(&["v1", "proxy", "credentials"], &wanted).await?;
        let credential = opt(&answer, "credential").ok_or_else(|| {
            Failure::new(Exit::Failure, "unexpected_answer", "the server answered without a credential")
        })?;
        let proxy = match args.proxy.clone().or_else(|| opt(&answer, "proxy_url")).or_else(|| app.dev_proxy()) {
            Some(named) => address(&named)?,
            None => beside(client.base())?,
        };
        app.output.detail(&format!("out by the proxy at {proxy}"));
        let heard: Arc<Heard> = Arc::default();
        let dialer = dialer(proxy, &credential, args.wait.unwrap_or_default(), Arc::clone(&heard))?;
        Ok(Self { client, run: args.run.clone(), heard, dialer })
    }

    /// The server's address.
    pub(super) fn server(&self) -> &str {
        self.client.base()
    }

    /// Tells the server what was tried around the gate, and puts what it refused into the summary.
    ///
    /// # Errors
    /// It could not be recorded: then the command has failed, however it ended.
    pub(super) async fn settle(&self, ended: Ended) -> Result<Summary, Failure> {
        let mut summary = Summary::of(ended);
        summary.server = Some(self.server().to_owned());
        merge(&mut summary.rulings, self.heard.take());
        if let Some(evidence) = &summary.evidence {
            let told = json!({
                "run_id": self.run,
                "summary": {
                    "attempts": evidence.attempts,
                    "overflow": evidence.overflow,
                    "rung": summary.rung.as_str(),
                },
            });
            self.client.create(&["v1", "security", "violations"], &told).await.map_err(|failure| {
                let failure = Failure { exit: Exit::Isolation, code: "event_log_failure".to_owned(), ..failure };
                Failure {
                    what: format!("what was tried around the gate could not be recorded: {}", failure.what),
                    ..failure
                }
            })?;
        }
        Ok(summary)
    }
}

/// A dialer that knows only the server's proxy.
fn dialer(mut proxy: url::Url, credential: &str, patience: Duration, heard: Arc<Heard>) -> Result<Dialer, Failure> {
    if proxy.scheme() != "http" {
        return Err(Failure::usage(format!("exec speaks to a proxy by http, and {proxy} is not one"))
            .next("name a plain one on this machine with --proxy, behind a tunnel of your own if need be"));
    }
    let unusable = || Failure::usage("the proxy's address cannot be used");
    proxy.set_username("exeat").map_err(|()| unusable())?;
    proxy.set_password(Some(credential)).map_err(|()| unusable())?;
    let upstream = UpstreamProxy::parse(proxy.as_str()).map_err(|error| unusable().why(error.to_string()))?;
    let upstream =
        upstream.danger_decides(patience, Arc::new(move |host, port, decided| heard.hear(host, port, decided)));
    let guard = Guard::new(GuardConfig::default());
    let resolver = Resolver::new(ResolverConfig::system());
    Ok(Dialer::new(guard, resolver, DialerConfig { upstream: Some(Arc::new(upstream)), ..DialerConfig::default() }))
}

/// What this process let through and the server refused was not let out.
fn merge(rulings: &mut Rulings, refused: Vec<Refused>) {
    for refused in refused {
        let here = |told: &&mut Told| told.host == refused.host && told.port == refused.port && told.count > 0;
        // A tunnel that the server refused failed here; a request inside of one was let through.
        let failed = rulings.blocked.iter_mut().find(|told| told.reason_code == REFUSED_ABOVE && here(told));
        let (method, captured) = match failed.or_else(|| rulings.allowed.iter_mut().find(here)) {
            Some(told) => {
                told.count -= 1;
                (told.method.clone(), told.captured)
            }
            None => ("CONNECT".to_owned(), false),
        };
        let decision = if refused.approval.is_some() { Outcome::RequireApproval } else { Outcome::Deny };
        let list = if refused.approval.is_some() { &mut rulings.asked } else { &mut rulings.blocked };
        let same = |told: &&mut Told| {
            (&told.host, told.port, &told.reason_code) == (&refused.host, refused.port, &refused.code)
                && told.method == method
        };
        let id = refused.id.clone().map(EgressRequestId::from_stored);
        let approval_id = refused.approval.clone().map(ApprovalId::from_stored);
        match list.iter_mut().find(same) {
            Some(told) => {
                told.count = told.count.saturating_add(1);
                (told.egress_request_id, told.approval_id) = (id, approval_id);
            }
            None => list.push(Told {
                host: refused.host,
                port: refused.port,
                method,
                decision: Some(decision),
                reason_code: refused.code,
                egress_request_id: id,
                approval_id,
                captured,
                count: 1,
            }),
        }
    }
    rulings.allowed.retain(|told| told.count > 0);
    rulings.blocked.retain(|told| told.count > 0);
    // Those of this process mean nothing to anybody who asks the server.
    for told in &mut rulings.allowed {
        told.egress_request_id = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(host: &str, count: u64) -> Told {
        Told {
            host: host.to_owned(),
            port: 443,
            method: "CONNECT".to_owned(),
            decision: Some(Outcome::Allow),
            reason_code: "policy_allows".to_owned(),
            egress_request_id: None,
            approval_id: None,
            captured: true,
            count,
        }
    }

    fn refused(host: &str, approval: Option<&str>) -> Refused {
        Refused {
            host: host.to_owned(),
            port: 443,
            code: "policy_denies".to_owned(),
            id: Some("egr_1".to_owned()),
            approval: approval.map(str::to_owned),
        }
    }

    #[test]
    fn what_the_server_refused_was_not_let_out() {
        let mut rulings = Rulings { allowed: vec![told("a.example", 3), told("b.example", 1)], ..Rulings::default() };
        rulings.blocked.push(Told { reason_code: REFUSED_ABOVE.to_owned(), ..told("c.example", 1) });
        merge(
            &mut rulings,
            vec![
                refused("a.example", None),
                refused("a.example", None),
                refused("b.example", Some("appr_1")),
                refused("c.example", None),
            ],
        );
        let counts = |list: &[Told]| list.iter().map(|told| (told.host.clone(), told.count)).collect::<Vec<_>>();
        assert_eq!(counts(&rulings.allowed), [("a.example".to_owned(), 1)]);
        assert_eq!(counts(&rulings.blocked), [("a.example".to_owned(), 2), ("c.example".to_owned(), 1)]);
        assert_eq!(counts(&rulings.asked), [("b.example".to_owned(), 1)]);
        assert!(rulings.blocked[0].captured && rulings.asked[0].approval_id.is_some());
    }
}
