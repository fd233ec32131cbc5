//! An egress request.

use model::ask::Tunnel;
use model::{
    ActorType, ApprovalId, CorrelationId, EgressRequestId, Mode, PrincipalId, RoomId, RunId, StepId, Time, WorkspaceId,
    Zone,
};

use super::{answers, view};

view! {
    /// A request to let something leave, and what was decided.
    EgressRequest of EgressRequestRow {
        /// Its id, and its decision's.
        egress_request_id: EgressRequestId as String,
        /// Its workspace.
        workspace_id: WorkspaceId as String,
        /// The room it belongs to.
        room_id: Option<RoomId> as Option<String>,
        /// The run it belongs to.
        run_id: Option<RunId> as Option<String>,
        /// The step it belongs to.
        step_id: Option<StepId> as Option<String>,
        /// user, agent or service.
        requested_by_type: ActorType as String,
        /// The name of who asked.
        requested_by_id: String as String,
        /// The principal that asked.
        requested_by_principal_id: Option<PrincipalId> as Option<String>,
        /// The zone it was asked in.
        zone: Option<Zone> as Option<String>,
        /// The action.
        action: String as String,
        /// The method.
        method: Option<String> as Option<String>,
        /// What the tunnel that was asked for may carry: tls or opaque. Of a tunnel only.
        tunnel: Option<Tunnel> as Option<String>,
        /// The target, without userinfo; query values and fragment as keyed digests.
        target_url: String as String,
        /// The normalised host.
        target_domain: String as String,
        /// allow, deny or require_approval.
        policy_decision: String as String,
        /// Why.
        policy_reason_code: String as String,
        /// Why, in words.
        policy_reason: Option<String> as Option<String>,
        /// shadow or enforce.
        enforcement_mode: Mode as String,
        /// Whether it was stopped.
        blocked: bool as bool,
        /// The approval that it needs or rests on.
        approval_id: Option<ApprovalId> as Option<String>,
        /// What ties its events together.
        correlation_id: CorrelationId as String,
        /// When it was asked.
        created_at: Time as String,
    }
}

answers!(EgressRequest: one EgressRequestAnswer { request });
answers!(EgressRequest: many EgressRequestList { requests });
