//! The rows of every table, as the contract names them (section 3).
#![allow(missing_docs, reason = "a column's meaning is the contract's; its name is its documentation")]

use model::approval::ApprovalStatus;
use model::ask::Tunnel;
use model::run::{ReleaseReason, RunStatus, StepStatus, ToolCallStatus};
use model::{
    ActorType, AgentId, ApprovalId, Canonical, ClaimToken, CorrelationId, DecisionId, EdgeId, EgressRequestId, EventId,
    GatewayId, GuardCallId, KeyId, Label, Mode, PrincipalId, Role, RoomId, RunAttemptId, RunId, StepId, ThreadId, Time,
    TokenId, ToolCallId, WorkspaceId, Zone,
};

use crate::db::table::table;

table! {
    /// A row of `evt_events`.
    EventRow in "evt_events" key(event_id) {
        event_id: EventId,
        event_type: String,
        event_version: i64,
        occurred_at: Time,
        recorded_at: Time,
        workspace_id: WorkspaceId,
        room_id: Option<RoomId>,
        thread_id: Option<ThreadId>,
        run_id: Option<RunId>,
        step_id: Option<StepId>,
        actor_type: ActorType,
        actor_id: String,
        actor_principal_id: Option<PrincipalId>,
        zone: Zone,
        stream_type: String,
        stream_id: String,
        stream_seq: i64,
        correlation_id: CorrelationId,
        causation_id: Option<EventId>,
        redaction_level: String,
        contains_secrets: bool,
        policy_context: Canonical,
        model_context: Canonical,
        display: Canonical,
        data: Canonical,
        idempotency_key: Option<String>,
        position: i64,
        prev_event_hash: Option<String>,
        event_leaf: String,
        event_hash: String,
    }
}

table! {
    /// A row of `evt_stream_heads`.
    StreamHeadRow in "evt_stream_heads" key(stream_type, stream_id) {
        stream_type: String,
        stream_id: String,
        next_seq: i64,
        last_event_hash: Option<String>,
    }
}

table! {
    /// A row of `policy_heads`.
    PolicyHeadRow in "policy_heads" key(scope) {
        scope: String,
        head: i64,
    }
}

table! {
    /// A row of `policy_log`.
    PolicyLogRow in "policy_log" key(scope, head) {
        scope: String,
        head: i64,
        object_kind: String,
        object_id: String,
    }
}

table! {
    /// A row of `sec_principals`.
    PrincipalRow in "sec_principals" key(principal_id) {
        principal_id: PrincipalId,
        workspace_id: Option<WorkspaceId>,
        principal_type: ActorType,
        legacy_actor_type: Option<ActorType>,
        legacy_actor_id: Option<String>,
        created_at: Time,
        revoked_at: Option<Time>,
    }
}

table! {
    /// A row of `sec_agents`.
    AgentRow in "sec_agents" key(agent_id) {
        agent_id: AgentId,
        workspace_id: Option<WorkspaceId>,
        principal_id: PrincipalId,
        display_name: String,
        zone_max: Zone,
        created_at: Time,
        revoked_at: Option<Time>,
        quarantined_at: Option<Time>,
        quarantine_reason: Option<String>,
    }
}

table! {
    /// A row of `sec_action_registry`.
    RegistryRow in "sec_action_registry" key(workspace_id, action_type) {
        workspace_id: String,
        action_type: String,
        reversible: bool,
        zone_required: Zone,
        requires_pre_approval: bool,
        post_review_required: bool,
        metadata: Canonical,
        created_at: Time,
        updated_at: Time,
    }
}

table! {
    /// A row of `sec_capability_tokens`.
    TokenRow in "sec_capability_tokens" key(token_id) {
        token_id: TokenId,
        workspace_id: WorkspaceId,
        issued_to_principal_id: PrincipalId,
        granted_by_principal_id: PrincipalId,
        parent_token_id: Option<TokenId>,
        scopes: Canonical,
        valid_until: Option<Time>,
        revoked_at: Option<Time>,
        created_at: Time,
    }
}

table! {
    /// A row of `sec_capability_delegation_edges`.
    EdgeRow in "sec_capability_delegation_edges" key(edge_id) {
        edge_id: EdgeId,
        workspace_id: WorkspaceId,
        parent_token_id: TokenId,
        child_token_id: TokenId,
        granted_by_principal_id: PrincipalId,
        issued_to_principal_id: PrincipalId,
        depth: i64,
        created_at: Time,
    }
}

table! {
    /// A row of `sec_egress_requests`.
    EgressRequestRow in "sec_egress_requests" key(egress_request_id) {
        egress_request_id: EgressRequestId,
        workspace_id: WorkspaceId,
        room_id: Option<RoomId>,
        run_id: Option<RunId>,
        step_id: Option<StepId>,
        requested_by_type: ActorType,
        requested_by_id: String,
        requested_by_principal_id: Option<PrincipalId>,
        zone: Option<Zone>,
        action: String,
        method: Option<String>,
        target_url: String,
        target_domain: String,
        policy_decision: String,
        policy_reason_code: String,
        policy_reason: Option<String>,
        enforcement_mode: Mode,
        blocked: bool,
        approval_id: Option<ApprovalId>,
        correlation_id: CorrelationId,
        created_at: Time,
        gateway_id: Option<GatewayId>,
        tunnel: Option<Tunnel>,
    }
}

table! {
    /// A row of `egress_gateways`: a process that lets requests out.
    GatewayRow in "egress_gateways" key(gateway_id) {
        gateway_id: GatewayId,
        started_at: Time,
        seen_at: Time,
        open_after: i64,
        ended_at: Option<Time>,
        swept_at: Option<Time>,
    }
}

table! {
    /// A row of `guard_marks`: a confined command that tried to get out another way. Written at its first
    /// attempt, so that its event can be written by somebody else should its process die.
    GuardMarkRow in "guard_marks" key(guard_call_id) {
        guard_call_id: GuardCallId,
        workspace_id: WorkspaceId,
        room_id: Option<RoomId>,
        thread_id: Option<ThreadId>,
        run_id: Option<RunId>,
        step_id: Option<StepId>,
        actor_type: ActorType,
        actor_id: String,
        principal_id: Option<PrincipalId>,
        zone: Zone,
        correlation_id: CorrelationId,
        causation_id: Option<EventId>,
        /// The data that its event would have now.
        data: Canonical,
        /// Whether something secret was replaced in it.
        contains_secrets: bool,
        /// The process that holds it.
        gateway_id: GatewayId,
        created_at: Time,
        /// Its event, once it is written.
        event_id: Option<EventId>,
    }
}

table! {
    /// A row of `sec_resource_labels`.
    LabelRow in "sec_resource_labels" key(workspace_id, resource_type, resource_id) {
        workspace_id: WorkspaceId,
        resource_type: String,
        resource_id: String,
        label: Label,
        room_id: Option<RoomId>,
        purpose_tags: Canonical,
        created_at: Time,
        updated_at: Time,
    }
}

table! {
    /// A row of `sec_settings`.
    SettingsRow in "sec_settings" key(workspace_id) {
        workspace_id: WorkspaceId,
        mode: Option<Mode>,
        mode_changed_at: Option<Time>,
        kill_switch: bool,
        kill_switch_reason: Option<String>,
        default_decision: Option<String>,
        egress_max_requests_per_hour: Option<i64>,
        require_capability_token: bool,
        updated_at: Time,
    }
}

table! {
    /// A row of `sec_keys`.
    KeyRow in "sec_keys" key(key_id) {
        key_id: KeyId,
        key_hash: String,
        workspace_id: Option<WorkspaceId>,
        role: Role,
        principal_id: PrincipalId,
        created_at: Time,
        expires_at: Option<Time>,
        revoked_at: Option<Time>,
    }
}

table! {
    /// A row of `gate_decisions`.
    DecisionRow in "gate_decisions" key(decision_id) {
        decision_id: DecisionId,
        workspace_id: WorkspaceId,
        category: String,
        action: String,
        actor_type: ActorType,
        actor_id: String,
        principal_id: Option<PrincipalId>,
        decision: String,
        reason_code: String,
        enforcement_mode: Mode,
        blocked: bool,
        rules: Canonical,
        trace: Canonical,
        approval_id: Option<ApprovalId>,
        policy_version: Option<i64>,
        trial: Option<Canonical>,
        candidate: Option<Canonical>,
        correlation_id: CorrelationId,
        created_at: Time,
    }
}

table! {
    /// A row of `policy_texts`: the files of a set, by the digest of their canonical JSON.
    PolicyTextRow in "policy_texts" key(workspace_id, digest) {
        workspace_id: WorkspaceId,
        digest: String,
        files: Canonical,
        created_at: Time,
    }
}

table! {
    /// A row of `policy_versions`. It never changes.
    PolicyVersionRow in "policy_versions" key(workspace_id, version) {
        workspace_id: WorkspaceId,
        version: i64,
        digest: String,
        files: i64,
        rules: i64,
        source: String,
        note: Option<String>,
        published_by_principal_id: Option<PrincipalId>,
        rolled_back_from: Option<i64>,
        restores: Option<i64>,
        created_at: Time,
    }
}

table! {
    /// A row of `policy_sets`: which version holds in a workspace (0 = none), and what is tried beside it.
    PolicySetRow in "policy_sets" key(workspace_id) {
        workspace_id: WorkspaceId,
        active_version: i64,
        digest: Option<String>,
        source: Option<String>,
        candidate_version: i64,
        candidate_digest: Option<String>,
        candidate_rules: Option<i64>,
        candidate_note: Option<String>,
        candidate_by_principal_id: Option<PrincipalId>,
        candidate_at: Option<Time>,
        updated_at: Time,
    }
}

table! {
    /// A row of `quota_heads`.
    QuotaHeadRow in "quota_heads" key(workspace_id, subject) {
        workspace_id: WorkspaceId,
        subject: String,
        next_n: i64,
        last_at: Time,
    }
}

table! {
    /// A row of `quota_uses`.
    QuotaUseRow in "quota_uses" key(workspace_id, subject, n) {
        workspace_id: WorkspaceId,
        subject: String,
        n: i64,
        at: Time,
    }
}

table! {
    /// A row of `api_idempotency`.
    IdempotencyRow in "api_idempotency" key(workspace_id, key_id, route, idempotency_key) {
        workspace_id: WorkspaceId,
        key_id: KeyId,
        route: String,
        idempotency_key: String,
        body_digest: String,
        answer: Canonical,
        expires_at: Time,
    }
}

table! {
    /// A row of `proj_rooms`.
    RoomRow in "proj_rooms" key(room_id) {
        room_id: RoomId,
        workspace_id: WorkspaceId,
        title: String,
        topic: Option<String>,
        room_mode: String,
        default_lang: String,
        created_at: Time,
        updated_at: Time,
        last_event_id: EventId,
    }
}

table! {
    /// A row of `proj_runs`.
    RunRow in "proj_runs" key(run_id) {
        run_id: RunId,
        workspace_id: WorkspaceId,
        room_id: Option<RoomId>,
        thread_id: Option<ThreadId>,
        status: RunStatus,
        title: Option<String>,
        goal: Option<String>,
        input: Option<Canonical>,
        output: Option<Canonical>,
        summary: Option<String>,
        message: Option<String>,
        error: Option<Canonical>,
        tags: Canonical,
        correlation_id: CorrelationId,
        created_by_principal_id: Option<PrincipalId>,
        attempt_no: i64,
        created_at: Time,
        started_at: Option<Time>,
        ended_at: Option<Time>,
        updated_at: Time,
        last_event_id: EventId,
    }
}

table! {
    /// A row of `proj_steps`.
    StepRow in "proj_steps" key(step_id) {
        step_id: StepId,
        workspace_id: WorkspaceId,
        run_id: RunId,
        kind: String,
        title: Option<String>,
        input: Option<Canonical>,
        status: StepStatus,
        created_at: Time,
        updated_at: Time,
        last_event_id: EventId,
    }
}

table! {
    /// A row of `proj_tool_calls`.
    ToolCallRow in "proj_tool_calls" key(tool_call_id) {
        tool_call_id: ToolCallId,
        workspace_id: WorkspaceId,
        run_id: RunId,
        step_id: StepId,
        tool_name: String,
        title: Option<String>,
        input: Option<Canonical>,
        output: Option<Canonical>,
        message: Option<String>,
        error: Option<Canonical>,
        status: ToolCallStatus,
        created_at: Time,
        ended_at: Option<Time>,
        updated_at: Time,
        last_event_id: EventId,
    }
}

table! {
    /// A row of `proj_approvals`.
    ApprovalRow in "proj_approvals" key(approval_id) {
        approval_id: ApprovalId,
        workspace_id: WorkspaceId,
        room_id: Option<RoomId>,
        run_id: Option<RunId>,
        step_id: Option<StepId>,
        action: String,
        title: Option<String>,
        request: Option<Canonical>,
        context: Option<Canonical>,
        scope: Canonical,
        status: ApprovalStatus,
        requested_by_type: ActorType,
        requested_by_id: String,
        requested_by_principal_id: Option<PrincipalId>,
        ask_digest: Option<String>,
        ask_key: Option<String>,
        required_approvals: i64,
        decisions: Canonical,
        reason: Option<String>,
        expires_at: Option<Time>,
        decided_at: Option<Time>,
        consumed_at: Option<Time>,
        correlation_id: CorrelationId,
        created_at: Time,
        updated_at: Time,
        last_event_id: EventId,
    }
}

table! {
    /// A row of `run_queue`: a run that a worker may take from `ready_at` on.
    QueueRow in "run_queue" key(run_id) {
        run_id: RunId,
        workspace_id: WorkspaceId,
        room_id: Option<RoomId>,
        ready_at: Time,
        expiries: i64,
        failures: i64,
        remaining_ms: Option<i64>,
    }
}

table! {
    /// A row of `run_leases`: a run that a worker has.
    LeaseRow in "run_leases" key(run_id) {
        run_id: RunId,
        workspace_id: WorkspaceId,
        room_id: Option<RoomId>,
        epoch: i64,
        claim_token: ClaimToken,
        claimed_by_actor_id: String,
        lease_ms: i64,
        lease_expires_at: Time,
        lease_heartbeat_at: Time,
        times_out_at: Option<Time>,
        expiries: i64,
        failures: i64,
    }
}

table! {
    /// A row of `run_waits`: a run that waits for an approval; decided once `ready_at` is set.
    WaitRow in "run_waits" key(run_id) {
        run_id: RunId,
        workspace_id: WorkspaceId,
        room_id: Option<RoomId>,
        approval_id: ApprovalId,
        epoch: i64,
        ready_at: Option<Time>,
        expiries: i64,
        failures: i64,
        remaining_ms: Option<i64>,
        created_at: Time,
    }
}

table! {
    /// A row of `run_attempts`.
    AttemptRow in "run_attempts" key(run_attempt_id) {
        run_attempt_id: RunAttemptId,
        workspace_id: WorkspaceId,
        run_id: RunId,
        attempt_no: i64,
        claim_token: ClaimToken,
        claimed_by_actor_id: String,
        claimed_at: Time,
        released_at: Option<Time>,
        release_reason: Option<ReleaseReason>,
    }
}

table! {
    /// A row of `capability_uses`: how often tokens narrowed to a number of uses have been used.
    CapabilityUseRow in "capability_uses" key(workspace_id, chain) {
        workspace_id: WorkspaceId,
        chain: String,
        token_id: TokenId,
        taken: i64,
        ends_at: Option<Time>,
    }
}

table! {
    /// A row of `decision_segments`: some decisions of the decision log, as `replay` encodes them.
    DecisionSegmentRow in "decision_segments" key(workspace_id, segment_id) {
        workspace_id: WorkspaceId,
        /// In the order in which they were begun.
        segment_id: String,
        from_at: Time,
        to_at: Time,
        rows: i64,
        /// How many decisions of this time are missing.
        dropped: i64,
        /// Whether it stays as it is.
        sealed: bool,
        facts: Vec<u8>,
        ids: Vec<u8>,
    }
}

table! {
    /// A row of `policy_reviews`: would-blocks that somebody looked at and left as they are.
    ReviewRow in "policy_reviews" key(workspace_id, group_id) {
        workspace_id: WorkspaceId,
        group_id: String,
        reviewed_by: String,
        note: Option<String>,
        reviewed_at: Time,
    }
}

table! {
    /// A row of `tool_executions`: a tool call that this service carries out itself, or that was asked for with
    /// a token it would be carried out with.
    ToolExecutionRow in "tool_executions" key(tool_call_id) {
        tool_call_id: ToolCallId,
        workspace_id: WorkspaceId,
        capability_token_id: Option<String>,
        /// While it is under way: when it is over at the latest.
        ends_by: Option<Time>,
        created_at: Time,
    }
}
