//! The table of routes: what there is, who may use it, how fresh its answer must be. The router, the
//! OpenAPI document, the documentation page and the test of every refusal are made from it.

use futures::future::BoxFuture;
use http::Method;
use http::request::Parts;
use model::Role::{Agent, Approver, Auditor, Gateway, Operator, Worker};
use utoipa::openapi::path::{HttpMethod, Operation};
use utoipa::openapi::{RefOr, Schema};

use crate::api::Api;
use crate::call::Call;
use crate::problem::Reply;
use crate::roles::Roles;
use crate::{health, v1};

/// How new the policy must be that an answer rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// What is answered was recorded: the batch checked the policy heads, and the key with them. The
    /// gate itself reads the heads for an ask that it does not record.
    InBatch,
    /// Nothing is recorded: a head read that began after the request arrived is waited for.
    HeadRead,
}

/// What answers a route. A public one is never told who calls.
#[derive(Clone, Copy)]
pub(crate) enum Handler {
    Public(fn(Api, Parts) -> BoxFuture<'static, Reply>),
    Private(fn(Call) -> BoxFuture<'static, Reply>),
}

/// A route.
pub struct Route {
    /// The method; a `GET` answers `HEAD` too.
    pub method: Method,
    /// The path, with at most one `{parameter}`.
    pub path: &'static str,
    /// Its name in the OpenAPI document.
    pub operation_id: &'static str,
    /// What it belongs to in the documentation.
    pub tag: &'static str,
    /// Who may use it; `None`: anybody, without a key.
    pub roles: Option<Roles>,
    /// How new the policy must be that its answer rests on.
    pub freshness: Freshness,
    /// Whether it takes an `Idempotency-Key`.
    pub creates: bool,
    /// The media type of its answer.
    pub produces: &'static str,
    pub(crate) handler: Handler,
    pub(crate) describe: fn() -> Described,
}

/// What the code beside a handler says about it.
pub(crate) struct Described {
    pub(crate) methods: Vec<HttpMethod>,
    pub(crate) path: String,
    pub(crate) operation: Operation,
    pub(crate) schemas: Vec<(String, RefOr<Schema>)>,
}

const ADMIN: Roles = Roles::of(&[Operator]);
const DECIDE: Roles = Roles::of(&[Operator, Approver]);
const ASK: Roles = Roles::of(&[Operator, Gateway, Agent, Worker]);
const ASK_FOR_OTHERS: Roles = Roles::of(&[Operator, Gateway, Worker]);
const DRIVE: Roles = Roles::of(&[Operator, Gateway, Worker]);
const READ: Roles = Roles::of(&[Operator, Auditor]);
const READ_ROOMS: Roles = Roles::of(&[Operator, Worker, Auditor]);
const READ_LOG: Roles = Roles::of(&[Operator, Approver, Worker, Auditor]);
const READ_ASKED: Roles = Roles::of(&[Operator, Approver, Gateway, Worker, Auditor]);
const READ_OWN: Roles = Roles::of(&[Operator, Approver, Gateway, Agent, Worker, Auditor]);
const READ_METRICS: Roles = Roles::of(&[Auditor]);

const JSON: &str = "application/json";
const TEXT: &str = "text/plain";
const HTML: &str = "text/html";
const EVENTS: &str = "text/event-stream";

macro_rules! describe {
    ($($module:ident)::+) => {
        || {
            let mut schemas = Vec::new();
            <$($module)::+::__path_handle as utoipa::__dev::SchemaReferences>::schemas(&mut schemas);
            Described {
                methods: <$($module)::+::__path_handle as utoipa::Path>::methods(),
                path: <$($module)::+::__path_handle as utoipa::Path>::path(),
                operation: <$($module)::+::__path_handle as utoipa::Path>::operation(),
                schemas,
            }
        }
    };
}

macro_rules! public {
    ($path:literal => $($module:ident)::+, $id:literal, $produces:expr) => {
        Route {
            method: Method::GET,
            path: $path,
            operation_id: $id,
            tag: "Service",
            roles: None,
            freshness: Freshness::HeadRead,
            creates: false,
            produces: $produces,
            handler: Handler::Public(|api, parts| Box::pin($($module)::+::handle(api, parts))),
            describe: describe!($($module)::+),
        }
    };
}

macro_rules! private {
    ($method:ident $path:literal => $($module:ident)::+, $id:literal, $tag:literal, $roles:expr, $fresh:ident, $creates:expr, $produces:expr) => {
        Route {
            method: Method::$method,
            path: $path,
            operation_id: $id,
            tag: $tag,
            roles: Some($roles),
            freshness: Freshness::$fresh,
            creates: $creates,
            produces: $produces,
            handler: Handler::Private(|call| Box::pin($($module)::+::handle(call))),
            describe: describe!($($module)::+),
        }
    };
}

/// A route that reads.
macro_rules! get {
    ($path:literal => $($module:ident)::+, $id:literal, $tag:literal, $roles:expr) => {
        get!($path => $($module)::+, $id, $tag, $roles, JSON)
    };
    ($path:literal => $($module:ident)::+, $id:literal, $tag:literal, $roles:expr, $produces:expr) => {
        private!(GET $path => $($module)::+, $id, $tag, $roles, HeadRead, false, $produces)
    };
}

/// A route that makes something new, and therefore takes an idempotency key.
macro_rules! create {
    ($path:literal => $($module:ident)::+, $id:literal, $tag:literal, $roles:expr) => {
        private!(POST $path => $($module)::+, $id, $tag, $roles, InBatch, true, JSON)
    };
}

/// A route that acts on what there is; to do it twice is to do it once.
macro_rules! act {
    ($path:literal => $($module:ident)::+, $id:literal, $tag:literal, $roles:expr) => {
        private!(POST $path => $($module)::+, $id, $tag, $roles, InBatch, false, JSON)
    };
}

/// A route that may answer without recording anything, and so must not answer from old policy.
macro_rules! ask {
    ($path:literal => $($module:ident)::+, $id:literal, $tag:literal, $roles:expr) => {
        private!(POST $path => $($module)::+, $id, $tag, $roles, HeadRead, false, JSON)
    };
}

/// A route that sets something.
macro_rules! put {
    ($path:literal => $($module:ident)::+, $id:literal, $tag:literal, $roles:expr) => {
        private!(PUT $path => $($module)::+, $id, $tag, $roles, InBatch, false, JSON)
    };
}

/// A route that takes something away; to do it twice is to do it once.
macro_rules! delete {
    ($path:literal => $($module:ident)::+, $id:literal, $tag:literal, $roles:expr) => {
        private!(DELETE $path => $($module)::+, $id, $tag, $roles, InBatch, false, JSON)
    };
}

/// Every route there is.
pub static ROUTES: &[Route] = &[
    public!("/livez" => health::livez, "livez", TEXT),
    public!("/readyz" => health::readyz, "readyz", JSON),
    public!("/version" => health::version, "version", JSON),
    public!("/openapi.json" => health::openapi_json, "openapi", JSON),
    public!("/docs" => health::docs, "docs", HTML),
    get!("/metrics" => health::metrics, "metrics", "Service", READ_METRICS, TEXT),
    get!("/v1/whoami" => v1::whoami, "whoami", "Service", Roles::ANY),
    get!("/v1/reason-codes" => v1::reason_codes, "list_reason_codes", "Service", Roles::ANY),
    // Asking
    create!("/v1/egress/requests" => v1::egress::create, "request_egress", "Egress", ASK),
    get!("/v1/egress/requests" => v1::egress::list, "list_egress_requests", "Egress", READ_ASKED),
    get!("/v1/egress/requests/{id}" => v1::egress::get, "get_egress_request", "Egress", READ_OWN),
    ask!("/v1/proxy/credentials" => v1::proxy::credentials, "create_proxy_credential", "Egress", ASK),
    ask!("/v1/policy/evaluate" => v1::policy::evaluate, "evaluate", "Decisions", ASK),
    ask!("/v1/authorize" => v1::policy::authorize, "authorize", "Decisions", ASK),
    get!("/v1/decisions/{id}" => v1::decision, "get_decision", "Decisions", READ_OWN),
    ask!("/v1/data/access/requests" => v1::data_access, "request_data_access", "Data", ASK),
    create!("/v1/resources/labels" => v1::labels::set, "set_label", "Data", ADMIN),
    get!("/v1/resources/labels" => v1::labels::list, "list_labels", "Data", READ),
    // Approvals
    create!("/v1/approvals" => v1::approvals::request, "request_approval", "Approvals", ASK),
    get!("/v1/approvals" => v1::approvals::list, "list_approvals", "Approvals", READ_ASKED),
    get!("/v1/approvals/{id}" => v1::approvals::get, "get_approval", "Approvals", READ_OWN),
    act!("/v1/approvals/{id}/decide" => v1::approvals::decide, "decide_approval", "Approvals", DECIDE),
    act!("/v1/approvals/{id}/revoke" => v1::approvals::revoke, "revoke_approval", "Approvals", DECIDE),
    // Work
    create!("/v1/runs" => v1::runs::create, "create_run", "Runs", ASK),
    get!("/v1/runs" => v1::runs::list, "list_runs", "Runs", READ_ASKED),
    act!("/v1/runs/claim" => v1::runs::claim, "claim_runs", "Runs", DRIVE),
    get!("/v1/runs/{id}" => v1::runs::get, "get_run", "Runs", READ_OWN),
    get!("/v1/runs/{id}/attempts" => v1::runs::attempts, "list_attempts", "Runs", READ_OWN),
    act!("/v1/runs/{id}/start" => v1::runs::start, "start_run", "Runs", DRIVE),
    act!("/v1/runs/{id}/complete" => v1::runs::complete, "complete_run", "Runs", DRIVE),
    act!("/v1/runs/{id}/fail" => v1::runs::fail, "fail_run", "Runs", DRIVE),
    act!("/v1/runs/{id}/cancel" => v1::runs::cancel, "cancel_run", "Runs", DRIVE),
    act!("/v1/runs/{id}/lease/heartbeat" => v1::runs::heartbeat, "keep_lease", "Runs", DRIVE),
    act!("/v1/runs/{id}/lease/release" => v1::runs::release, "release_lease", "Runs", DRIVE),
    create!("/v1/runs/{id}/steps" => v1::runs::steps::create, "create_step", "Runs", DRIVE),
    get!("/v1/runs/{id}/steps" => v1::runs::steps::list, "list_steps", "Runs", READ_OWN),
    create!("/v1/steps/{id}/toolcalls" => v1::toolcalls::request, "request_tool_call", "Tools", DRIVE),
    get!("/v1/toolcalls" => v1::toolcalls::list, "list_tool_calls", "Tools", READ_OWN),
    get!("/v1/toolcalls/{id}" => v1::toolcalls::get, "get_tool_call", "Tools", READ_OWN),
    act!("/v1/toolcalls/{id}/succeed" => v1::toolcalls::succeed, "succeed_tool_call", "Tools", DRIVE),
    act!("/v1/toolcalls/{id}/fail" => v1::toolcalls::fail, "fail_tool_call", "Tools", DRIVE),
    act!("/v1/toolcalls/{id}/execute" => v1::toolcalls::execute, "execute_tool_call", "Tools", DRIVE),
    ask!("/v1/security/violations" => v1::security::violations, "report_violation", "Tools", ASK),
    get!("/v1/guard" => v1::guard, "get_guard", "Tools", READ),
    // Who there is
    create!("/v1/rooms" => v1::rooms::create, "create_room", "Rooms", ASK_FOR_OTHERS),
    get!("/v1/rooms" => v1::rooms::list, "list_rooms", "Rooms", READ_ROOMS),
    get!("/v1/rooms/{id}" => v1::rooms::get, "get_room", "Rooms", READ_ROOMS),
    create!("/v1/principals" => v1::principals::create, "create_principal", "Principals", ADMIN),
    act!("/v1/principals/legacy/ensure" => v1::principals::ensure, "ensure_principal", "Principals", ASK_FOR_OTHERS),
    get!("/v1/principals/{id}" => v1::principals::get, "get_principal", "Principals", READ),
    act!("/v1/principals/{id}/revoke" => v1::principals::revoke, "revoke_principal", "Principals", ADMIN),
    create!("/v1/agents" => v1::agents::register, "register_agent", "Agents", ADMIN),
    get!("/v1/agents" => v1::agents::list, "list_agents", "Agents", READ),
    get!("/v1/agents/{id}" => v1::agents::get, "get_agent", "Agents", READ),
    act!("/v1/agents/{id}/quarantine" => v1::agents::quarantine, "quarantine_agent", "Agents", ADMIN),
    act!("/v1/agents/{id}/unquarantine" => v1::agents::unquarantine, "unquarantine_agent", "Agents", ADMIN),
    act!("/v1/agents/{id}/revoke" => v1::agents::revoke, "revoke_agent", "Agents", ADMIN),
    // What they may do
    create!("/v1/capabilities/grant" => v1::capabilities::grant, "grant_capability", "Capabilities", ADMIN),
    act!("/v1/capabilities/revoke" => v1::capabilities::revoke, "revoke_capability", "Capabilities", ADMIN),
    get!("/v1/capabilities" => v1::capabilities::list, "list_capabilities", "Capabilities", READ),
    get!("/v1/capabilities/delegations" => v1::capabilities::delegations, "list_delegations", "Capabilities", READ),
    get!("/v1/action-registry" => v1::registry::list, "list_actions", "Policy", READ),
    put!("/v1/action-registry/{action_type}" => v1::registry::set, "set_action", "Policy", ADMIN),
    get!("/v1/policy/mode" => v1::policy::mode::get, "get_mode", "Policy", READ),
    put!("/v1/policy/mode" => v1::policy::mode::set, "set_mode", "Policy", ADMIN),
    get!("/v1/policy/kill-switch" => v1::policy::kill_switch::get, "get_kill_switch", "Policy", READ),
    put!("/v1/policy/kill-switch" => v1::policy::kill_switch::set, "set_kill_switch", "Policy", ADMIN),
    get!("/v1/policy/settings" => v1::policy::settings::get, "get_settings", "Policy", READ),
    put!("/v1/policy/settings" => v1::policy::settings::set, "set_settings", "Policy", ADMIN),
    // The rules people write
    get!("/v1/policies" => v1::policies::get, "get_policies", "Policies", READ),
    put!("/v1/policies" => v1::policies::publish, "publish_policies", "Policies", ADMIN),
    get!("/v1/policies/versions" => v1::policies::versions::list, "list_policy_versions", "Policies", READ),
    get!("/v1/policies/versions/{version}" => v1::policies::versions::get, "get_policy_version", "Policies", READ),
    ask!("/v1/policies/validate" => v1::policies::validate, "validate_policies", "Policies", READ),
    ask!("/v1/policies/test" => v1::policies::test, "test_policies", "Policies", READ),
    ask!("/v1/policies/diff" => v1::policies::diff, "diff_policies", "Policies", READ),
    ask!("/v1/policies/replay" => v1::policies::replay, "replay_policies", "Policies", READ),
    act!("/v1/policies/rollback" => v1::policies::rollback, "roll_policies_back", "Policies", ADMIN),
    put!("/v1/policies/candidate" => v1::policies::candidate::set, "set_candidate", "Policies", ADMIN),
    delete!("/v1/policies/candidate" => v1::policies::candidate::clear, "clear_candidate", "Policies", ADMIN),
    get!("/v1/shadow/report" => v1::shadow::report, "get_shadow_report", "Policies", READ),
    act!("/v1/shadow/review" => v1::shadow::review, "review_would_blocks", "Policies", ADMIN),
    ask!("/v1/shadow/propose" => v1::shadow::propose, "propose_policies", "Policies", READ),
    // What happened
    get!("/v1/events" => v1::events::list, "list_events", "Events", READ_LOG),
    get!("/v1/events/{id}" => v1::events::get, "get_event", "Events", READ_LOG),
    get!("/v1/streams/events" => v1::streams::events, "stream_events", "Events", READ_LOG, EVENTS),
    get!("/v1/streams/rooms/{room_id}" => v1::streams::room, "stream_room", "Events", READ_LOG, EVENTS),
    get!("/v1/audit/hash-chain/verify" => v1::events::verify, "verify_hash_chain", "Events", READ),
];
