//! Whether requests should be sent here: the store answers, the recorder keeps up, nothing closes.
//!
//! Policies that cannot be read are told, and do not turn requests away: what held before still holds, or
//! everything is denied. Anybody may read this page, so it says where to look and not what stands there.

use std::time::Duration;

use http::StatusCode;
use http::request::Parts;
use runs::{GuardLayer, GuardReport};
use serde::Serialize;

use crate::api::Api;
use crate::call::json;
use crate::problem::Reply;

/// LIMIT: how long the store may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// More waiting commands than this mean that the recorder does not get through.
const WAITING_MAX: usize = 16_000;

/// Whether requests should be sent here, and each part of it.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Readiness {
    /// Whether every part is good.
    ready: bool,
    /// `ok` or `failing`: the database answers.
    store: &'static str,
    /// `ok` or `failing`: what is to be recorded gets recorded.
    recorder: &'static str,
    /// How many changes wait to be recorded.
    recorder_waiting: usize,
    /// `ok`, or `closing` while the server drains.
    server: &'static str,
    /// `ok`; `failing` when the proxy takes no connections any more; missing without a proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy: Option<&'static str>,
    /// The guard of process tools; missing where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    guard: Option<GuardHealth>,
    /// The policies; `ready` does not hang on them.
    policies: PolicyHealth,
}

/// How the guard stands; why a layer is not live, `GET /v1/guard` says.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct GuardHealth {
    /// Whether a rung is wholly live; when none is, no process tool runs.
    ok: bool,
    /// The rungs that are, strongest first.
    rungs: Vec<String>,
    /// The layers that are proven live, each behind its rung: `A.seccomp`.
    layers: Vec<String>,
    /// The layers that are not.
    failing: Vec<String>,
    /// What may leave without a rule that lets it: nothing.
    allowlist: Vec<String>,
    /// How many commands were started since this server was.
    spawned: u64,
}

fn guard(report: GuardReport) -> GuardHealth {
    let (live, failing): (Vec<_>, Vec<_>) = report.layers.into_iter().partition(|layer| layer.state == "live");
    let names =
        |layers: Vec<GuardLayer>| layers.into_iter().map(|layer| format!("{}.{}", layer.rung, layer.layer)).collect();
    GuardHealth {
        ok: report.ready,
        rungs: report.rungs.iter().map(|rung| (*rung).to_owned()).collect(),
        layers: names(live),
        failing: names(failing),
        allowlist: report.allowlist,
        spawned: report.spawned,
    }
}

/// How the policies stand.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct PolicyHealth {
    /// Whether all that should hold does.
    ok: bool,
    /// How many workspaces are denied everything, because their set cannot be read.
    unreadable_sets: usize,
    /// What is wrong with the folder that this server watches; the set before still holds.
    problems: Vec<PolicyPlace>,
}

/// Where something is wrong; what it is, the log says, and `GET /v1/policies`.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct PolicyPlace {
    /// The file; empty: the folder as a whole.
    file: String,
    /// The line, from 1; 0 = the file as a whole.
    line: u32,
    /// The column, from 1.
    column: u32,
}

/// LIMIT: how many places are told.
const PLACES_MAX: usize = 20;

fn policies(gate: &gate::Gate) -> PolicyHealth {
    let unreadable_sets = gate.store().view().unreadable_sets();
    let problems = gate.policy_folder().map(|folder| folder.problems).unwrap_or_default();
    let place = |problem: gate::policies::ProblemView| PolicyPlace {
        file: problem.file,
        line: problem.line,
        column: problem.column,
    };
    PolicyHealth {
        ok: unreadable_sets == 0 && problems.is_empty(),
        unreadable_sets,
        problems: problems.into_iter().take(PLACES_MAX).map(place).collect(),
    }
}

/// Says whether requests should be sent here.
#[utoipa::path(
    get,
    path = "/readyz",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness, content_type = "application/json"))
)]
pub(crate) async fn handle(api: Api, _parts: Parts) -> Reply {
    let store = api.gate().store();
    let waiting = store.waiting();
    let store_good = matches!(tokio::time::timeout(PATIENCE, store.ping()).await, Ok(Ok(())));
    let recorder_good = waiting <= WAITING_MAX;
    let closing = api.closing().is_cancelled();
    let word = |good| if good { "ok" } else { "failing" };
    let proxy_good = api.proxy().map(crate::ProxyHealth::is_serving);
    let guard = match api.processes() {
        Some(processes) => Some(guard(processes.report().await)),
        None => None,
    };
    let guard_good = guard.as_ref().is_none_or(|guard| guard.ok);
    let ready = store_good && recorder_good && !closing && proxy_good != Some(false) && guard_good;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let answer = Readiness {
        ready,
        store: word(store_good),
        recorder: word(recorder_good),
        recorder_waiting: waiting,
        server: if closing { "closing" } else { "ok" },
        proxy: proxy_good.map(word),
        guard,
        policies: policies(api.gate()),
    };
    json(status, &answer)
}
