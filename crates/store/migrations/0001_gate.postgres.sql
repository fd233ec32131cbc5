-- The gate: events, policy objects, egress requests, projections of rooms, runs and approvals.

CREATE TABLE evt_events (
    event_id text NOT NULL,
    event_type text NOT NULL,
    event_version bigint NOT NULL,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    workspace_id text NOT NULL,
    room_id text,
    thread_id text,
    run_id text,
    step_id text,
    actor_type text NOT NULL CHECK (actor_type IN ('service','user','agent')),
    actor_id text NOT NULL,
    actor_principal_id text,
    zone text NOT NULL CHECK (zone IN ('sandbox','supervised','high_stakes')),
    stream_type text NOT NULL CHECK (stream_type IN ('room','thread','workspace')),
    stream_id text NOT NULL,
    stream_seq bigint NOT NULL CHECK (stream_seq >= 1),
    correlation_id text NOT NULL,
    causation_id text,
    redaction_level text NOT NULL CHECK (redaction_level IN ('none','partial','full')),
    contains_secrets boolean NOT NULL,
    policy_context json NOT NULL,
    model_context json NOT NULL,
    display json NOT NULL,
    data json NOT NULL,
    idempotency_key text,
    position bigint NOT NULL,
    prev_event_hash text,
    event_leaf text NOT NULL,
    event_hash text NOT NULL,
    PRIMARY KEY (event_id),
    UNIQUE (stream_type, stream_id, stream_seq)
);

CREATE TABLE evt_stream_heads (
    stream_type text NOT NULL,
    stream_id text NOT NULL,
    next_seq bigint NOT NULL,
    last_event_hash text,
    PRIMARY KEY (stream_type, stream_id)
);

CREATE TABLE policy_heads (
    scope text NOT NULL,
    head bigint NOT NULL,
    PRIMARY KEY (scope)
);

CREATE TABLE policy_log (
    scope text NOT NULL,
    head bigint NOT NULL,
    object_kind text NOT NULL,
    object_id text NOT NULL,
    PRIMARY KEY (scope, head)
);

CREATE TABLE sec_principals (
    principal_id text NOT NULL,
    workspace_id text,
    principal_type text NOT NULL CHECK (principal_type IN ('user','agent','service')),
    legacy_actor_type text,
    legacy_actor_id text,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    PRIMARY KEY (principal_id),
    UNIQUE (workspace_id, legacy_actor_type, legacy_actor_id)
);

CREATE TABLE sec_agents (
    agent_id text NOT NULL,
    workspace_id text,
    principal_id text NOT NULL,
    display_name text NOT NULL,
    zone_max text NOT NULL DEFAULT 'supervised' CHECK (zone_max IN ('sandbox','supervised','high_stakes')),
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    quarantined_at timestamptz,
    quarantine_reason text,
    PRIMARY KEY (agent_id),
    UNIQUE (principal_id)
);

CREATE TABLE sec_action_registry (
    workspace_id text NOT NULL DEFAULT '*',
    action_type text NOT NULL,
    reversible boolean NOT NULL,
    zone_required text NOT NULL CHECK (zone_required IN ('sandbox','supervised','high_stakes')),
    requires_pre_approval boolean NOT NULL,
    post_review_required boolean NOT NULL,
    metadata json NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, action_type)
);

CREATE TABLE sec_capability_tokens (
    token_id text NOT NULL,
    workspace_id text NOT NULL,
    issued_to_principal_id text NOT NULL,
    granted_by_principal_id text NOT NULL,
    parent_token_id text,
    scopes json NOT NULL DEFAULT '{}',
    valid_until timestamptz,
    revoked_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (token_id)
);

CREATE TABLE sec_capability_delegation_edges (
    edge_id text NOT NULL,
    workspace_id text NOT NULL,
    parent_token_id text NOT NULL,
    child_token_id text NOT NULL,
    granted_by_principal_id text NOT NULL,
    issued_to_principal_id text NOT NULL,
    depth bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (edge_id),
    UNIQUE (child_token_id)
);

CREATE TABLE sec_egress_requests (
    egress_request_id text NOT NULL,
    workspace_id text NOT NULL,
    room_id text,
    run_id text,
    step_id text,
    requested_by_type text NOT NULL,
    requested_by_id text NOT NULL,
    requested_by_principal_id text,
    zone text,
    action text NOT NULL,
    method text,
    target_url text NOT NULL,
    target_domain text NOT NULL,
    policy_decision text NOT NULL CHECK (policy_decision IN ('allow','deny','require_approval')),
    policy_reason_code text NOT NULL,
    policy_reason text,
    enforcement_mode text NOT NULL CHECK (enforcement_mode IN ('shadow','enforce')),
    blocked boolean NOT NULL,
    approval_id text,
    correlation_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (egress_request_id)
);

CREATE TABLE sec_resource_labels (
    workspace_id text NOT NULL,
    resource_type text NOT NULL,
    resource_id text NOT NULL,
    label text NOT NULL CHECK (label IN ('public','internal','restricted','confidential','sensitive_pii')),
    room_id text,
    purpose_tags json NOT NULL DEFAULT '[]',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, resource_type, resource_id)
);

CREATE TABLE sec_settings (
    workspace_id text NOT NULL,
    mode text,
    mode_changed_at timestamptz,
    kill_switch boolean NOT NULL DEFAULT false,
    kill_switch_reason text,
    default_decision text,
    egress_max_requests_per_hour bigint,
    require_capability_token boolean NOT NULL DEFAULT false,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id)
);

CREATE TABLE sec_keys (
    key_id text NOT NULL,
    key_hash text NOT NULL,
    workspace_id text,
    role text NOT NULL,
    principal_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    PRIMARY KEY (key_id)
);

CREATE TABLE gate_decisions (
    decision_id text NOT NULL,
    workspace_id text NOT NULL,
    category text NOT NULL,
    action text NOT NULL,
    actor_type text NOT NULL,
    actor_id text NOT NULL,
    principal_id text,
    decision text NOT NULL,
    reason_code text NOT NULL,
    enforcement_mode text NOT NULL,
    blocked boolean NOT NULL,
    rules json NOT NULL,
    trace json NOT NULL,
    approval_id text,
    correlation_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (decision_id)
);

CREATE TABLE quota_heads (
    workspace_id text NOT NULL,
    subject text NOT NULL,
    next_n bigint NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, subject)
);

CREATE TABLE quota_uses (
    workspace_id text NOT NULL,
    subject text NOT NULL,
    n bigint NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, subject, n)
);

CREATE TABLE api_idempotency (
    workspace_id text NOT NULL,
    key_id text NOT NULL,
    route text NOT NULL,
    idempotency_key text NOT NULL,
    body_digest text NOT NULL,
    answer json NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, key_id, route, idempotency_key)
);

CREATE TABLE proj_rooms (
    room_id text NOT NULL,
    workspace_id text NOT NULL,
    title text NOT NULL,
    topic text,
    room_mode text NOT NULL,
    default_lang text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    last_event_id text NOT NULL,
    PRIMARY KEY (room_id)
);

CREATE TABLE proj_runs (
    run_id text NOT NULL,
    workspace_id text NOT NULL,
    room_id text,
    thread_id text,
    status text NOT NULL,
    title text,
    goal text,
    input json,
    output json,
    summary text,
    message text,
    error json,
    tags json NOT NULL DEFAULT '[]',
    correlation_id text NOT NULL,
    created_by_principal_id text,
    attempt_no bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    ended_at timestamptz,
    updated_at timestamptz NOT NULL,
    last_event_id text NOT NULL,
    PRIMARY KEY (run_id)
);

CREATE TABLE proj_steps (
    step_id text NOT NULL,
    workspace_id text NOT NULL,
    run_id text NOT NULL,
    kind text NOT NULL,
    title text,
    input json,
    status text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    last_event_id text NOT NULL,
    PRIMARY KEY (step_id)
);

CREATE TABLE proj_tool_calls (
    tool_call_id text NOT NULL,
    workspace_id text NOT NULL,
    run_id text NOT NULL,
    step_id text NOT NULL,
    tool_name text NOT NULL,
    title text,
    input json,
    output json,
    message text,
    error json,
    status text NOT NULL,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    updated_at timestamptz NOT NULL,
    last_event_id text NOT NULL,
    PRIMARY KEY (tool_call_id)
);

CREATE TABLE proj_approvals (
    approval_id text NOT NULL,
    workspace_id text NOT NULL,
    room_id text,
    run_id text,
    step_id text,
    action text NOT NULL,
    title text,
    request json,
    context json,
    scope json NOT NULL,
    status text NOT NULL,
    requested_by_type text NOT NULL,
    requested_by_id text NOT NULL,
    requested_by_principal_id text,
    ask_digest text,
    ask_key text,
    required_approvals bigint NOT NULL,
    decisions json NOT NULL DEFAULT '[]',
    reason text,
    expires_at timestamptz,
    decided_at timestamptz,
    consumed_at timestamptz,
    correlation_id text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    last_event_id text NOT NULL,
    PRIMARY KEY (approval_id)
);

CREATE INDEX evt_events_position ON evt_events (position);
CREATE INDEX evt_events_run ON evt_events (run_id, position) WHERE run_id IS NOT NULL;
CREATE INDEX sec_egress_requests_run ON sec_egress_requests (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX sec_capability_tokens_principal ON sec_capability_tokens (workspace_id, issued_to_principal_id);
CREATE INDEX sec_capability_edges_parent ON sec_capability_delegation_edges (parent_token_id);
CREATE INDEX proj_rooms_workspace ON proj_rooms (workspace_id, room_id);
CREATE INDEX proj_runs_workspace ON proj_runs (workspace_id, run_id);
CREATE INDEX proj_steps_run ON proj_steps (run_id);
CREATE INDEX proj_tool_calls_step ON proj_tool_calls (step_id);
CREATE INDEX proj_tool_calls_run ON proj_tool_calls (run_id);
CREATE INDEX proj_approvals_workspace ON proj_approvals (workspace_id, approval_id);
CREATE UNIQUE INDEX proj_approvals_open_ask ON proj_approvals (ask_key) WHERE ask_key IS NOT NULL AND status IN ('pending','held');
CREATE INDEX proj_approvals_live ON proj_approvals (status, expires_at) WHERE status IN ('pending','held','approved');
CREATE INDEX api_idempotency_expiry ON api_idempotency (expires_at);
CREATE INDEX sec_keys_workspace ON sec_keys (workspace_id);

INSERT INTO sec_action_registry (workspace_id, action_type, reversible, zone_required, requires_pre_approval, post_review_required, metadata) VALUES
    ('*', 'artifact.create', true, 'supervised', false, true, '{"cost_impact":"low","recovery_difficulty":"easy"}'),
    ('*', 'artifact.update', true, 'supervised', false, true, '{"cost_impact":"low","recovery_difficulty":"easy"}'),
    ('*', 'api.call.idempotent', true, 'supervised', false, true, '{"cost_impact":"low","recovery_difficulty":"easy"}'),
    ('*', 'external.write', false, 'high_stakes', true, false, '{"cost_impact":"high","recovery_difficulty":"hard"}'),
    ('*', 'payment.execute', false, 'high_stakes', true, false, '{"cost_impact":"high","recovery_difficulty":"hard"}'),
    ('*', 'api.call.mutating', false, 'high_stakes', true, false, '{"cost_impact":"high","recovery_difficulty":"hard"}'),
    ('*', 'email.send', false, 'high_stakes', true, false, '{"cost_impact":"medium","recovery_difficulty":"hard"}');

-- The event log is append-only inside the database: whoever is connected.
CREATE FUNCTION evt_events_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'evt_events is append-only' USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER evt_events_no_change BEFORE UPDATE OR DELETE ON evt_events
    FOR EACH ROW EXECUTE FUNCTION evt_events_append_only();
CREATE TRIGGER evt_events_no_truncate BEFORE TRUNCATE ON evt_events
    FOR EACH STATEMENT EXECUTE FUNCTION evt_events_append_only();
