//! An ask made again from what was kept of it, and what everything but the rules says to it now.

use model::ask::{CONNECT, DataSubject, EgressSubject, Subject, Tunnel};
use model::decision::Ground;
use model::{Action, Ask, Category, DecisionId, Outcome, ReasonCode, TargetUrl, Time, WorkspaceId};
use policy::Snapshot;

use crate::entry::{Entry, Kept};
use crate::segment::{Segment, opaque};

/// What is known now, without rules.
#[derive(Debug)]
pub(super) struct Grounds<'a> {
    snapshot: Snapshot,
    workspace_id: &'a WorkspaceId,
    at: Time,
    nameless: DecisionId,
}

impl<'a> Grounds<'a> {
    pub(super) fn of(snapshot: &Snapshot, workspace_id: &'a WorkspaceId, at: Time) -> Self {
        let mut snapshot = snapshot.clone();
        snapshot.put_rules(workspace_id, None);
        snapshot.put_candidate(workspace_id, None);
        Self { snapshot, workspace_id, at, nameless: DecisionId::from_stored(String::new()) }
    }

    /// The ground of a row now; `None` when it cannot be asked again.
    pub(super) fn ground(&self, segment: &Segment<'_>, row: usize) -> Option<Ground> {
        let entry = segment.entry(row, &self.nameless)?;
        let ask = ask(entry, self.workspace_id)?;
        Some(policy::decide(&self.snapshot, &ask, self.at, &[]).ground)
    }
}

/// The ask of an entry, as far as decisions depend on it; `None` when something was withheld that
/// steps before the rules look at.
fn ask(entry: Entry, workspace_id: &WorkspaceId) -> Option<Ask> {
    let subject = match entry.category {
        Category::ToolCall => Subject::ToolCall { tool_name: stated(entry.tool)?, input: None },
        Category::Action => Subject::Action { target_domain: stated(entry.host)? },
        Category::Egress => {
            let host = stated(entry.host)?;
            let method = stated(entry.method)?;
            let tunnel = method.as_deref().filter(|method| *method == CONNECT).map(|method| {
                if opaque(Kept::Seen(method), &entry.scheme, &entry.port) { Tunnel::Opaque } else { Tunnel::Tls }
            });
            let target = target(host.as_deref(), &entry.scheme, &entry.port, &entry.path);
            // Which kinds were seen is not kept; that some were is.
            let leaked = entry.ruling.ground.fixed == Some((Outcome::Deny, ReasonCode::DlpSecretDetected));
            let credentials = if leaked { vec!["credential".to_owned()] } else { Vec::new() };
            Subject::Egress(EgressSubject { target, target_domain: host, tunnel, method, credentials })
        }
        Category::DataAccess => {
            let resource = entry.resource?;
            Subject::DataAccess(DataSubject {
                resource_type: resource.kind,
                resource_id: resource.id,
                label: entry.label.seen().copied()?,
                resource_room: resource.room,
                resource_purposes: resource.purposes,
                purposes: entry.purposes.seen().cloned()?,
                justification: resource.justified.then(|| "given".to_owned()),
            })
        }
    };
    if entry.caller.actor.id.is_empty() {
        return None;
    }
    Some(Ask {
        workspace_id: workspace_id.clone(),
        action: Action::parse(&entry.action?).ok()?,
        actor: entry.caller.actor,
        principal_id: entry.caller.principal_id.filter(|_| entry.caller.principal_named),
        capability_token_id: entry.caller.token_id,
        token_required: entry.caller.token_required,
        zone: entry.zone,
        room_id: entry.room_id,
        thread_id: None,
        run_id: entry.run_id,
        step_id: None,
        subject,
        narrowing: None,
        ask_digest: None,
    })
}

/// The text, if there was one; outer `None` = it was withheld.
fn stated(kept: Kept<String>) -> Option<Option<String>> {
    match kept {
        Kept::Absent | Kept::Unseen => Some(None),
        Kept::Seen(text) => Some(Some(text)),
        Kept::Withheld => None,
    }
}

/// The target; no step but the rules looks at its path.
fn target(host: Option<&str>, scheme: &Kept<String>, port: &Kept<u16>, path: &Kept<String>) -> Option<TargetUrl> {
    let scheme = match scheme {
        // What an opaque tunnel carries nobody knows.
        Kept::Unseen => "https",
        scheme => scheme.seen()?,
    };
    let (host, port) = (host?, port.seen()?);
    let path = path.seen().map_or("/", String::as_str);
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    TargetUrl::parse(&format!("{scheme}://{host}:{port}{path}")).ok()
}
