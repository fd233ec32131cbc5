//! The guard of this server: what of it is proven live, and how many commands it held.

use runs::{GuardLayer, GuardReport};
use serde::Serialize;

use crate::call::{Call, ok};
use crate::problem::Reply;

/// The guard of this server.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = GuardAnswer)]
pub(crate) struct Answer {
    /// The guard; none on a server that starts no processes.
    guard: Option<Guard>,
}

/// What of the guard is proven live.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Guard {
    /// Whether commands are run at all: one rung is wholly live.
    ready: bool,
    /// The rungs that are wholly live, strongest first.
    rungs: Vec<String>,
    /// Every layer that was probed.
    layers: Vec<Layer>,
    /// What may leave without a rule that lets it: nothing.
    #[schema(value_type = Vec<String>)]
    allowlist: Vec<String>,
    /// How many commands were started since this server was.
    spawned: u64,
    /// What the layers come to, in one word.
    digest: String,
    /// The tools of the operator's tools file.
    tools: Vec<String>,
}

/// A layer of the guard.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = GuardLayer)]
pub(crate) struct Layer {
    /// In which rung.
    rung: &'static str,
    /// Its name.
    layer: &'static str,
    /// `live`, `missing` or `broken`.
    state: &'static str,
    /// Why it is not live.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What to do about that.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

impl From<GuardReport> for Guard {
    fn from(report: GuardReport) -> Self {
        let layer = |GuardLayer { rung, layer, state, reason, fix }| Layer { rung, layer, state, reason, fix };
        Self {
            ready: report.ready,
            rungs: report.rungs.iter().map(|rung| (*rung).to_owned()).collect(),
            layers: report.layers.into_iter().map(layer).collect(),
            allowlist: report.allowlist,
            spawned: report.spawned,
            digest: report.digest,
            tools: report.tools,
        }
    }
}

/// Says what of the guard is proven live, layer by layer, and how many commands it held.
#[utoipa::path(get, path = "/v1/guard", responses((status = 200, body = Answer)))]
pub(crate) async fn handle(call: Call) -> Reply {
    let guard = match call.api.processes() {
        Some(processes) => Some(Guard::from(processes.report().await)),
        None => None,
    };
    ok(&Answer { guard })
}
