-- The gate: events, policy objects, egress requests, projections of rooms, runs and approvals.

-- Values are compared one by one in the checks: for `IN` with three and more, SQLite opens and fills a table of its own
-- at every insert.

CREATE TABLE evt_events (
    event_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    event_version INTEGER NOT NULL,
    occurred_at TEXT NOT NULL,
    recorded_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
    workspace_id TEXT NOT NULL,
    room_id TEXT,
    thread_id TEXT,
    run_id TEXT,
    step_id TEXT,
    actor_type TEXT NOT NULL CHECK (actor_type = 'service' OR actor_type = 'user' OR actor_type = 'agent'),
    actor_id TEXT NOT NULL,
    actor_principal_id TEXT,
    zone TEXT NOT NULL CHECK (zone = 'sandbox' OR zone = 'supervised' OR zone = 'high_stakes'),
    stream_type TEXT NOT NULL CHECK (stream_type = 'room' OR stream_type = 'thread' OR stream_type = 'workspace'),
    stream_id TEXT NOT NULL,
    stream_seq INTEGER NOT NULL CHECK (stream_seq >= 1),
    correlation_id TEXT NOT NULL,
    causation_id TEXT,
    redaction_level TEXT NOT NULL CHECK (redaction_level = 'none' OR redaction_level = 'partial' OR redaction_level = 'full'),
    contains_secrets INTEGER NOT NULL CHECK (contains_secrets = 0 OR contains_secrets = 1),
    policy_context TEXT NOT NULL,
    model_context TEXT NOT NULL,
    display TEXT NOT NULL,
    data TEXT NOT NULL,
    idempotency_key TEXT,
    position INTEGER NOT NULL,
    prev_event_hash TEXT,
    event_leaf TEXT NOT NULL,
    event_hash TEXT NOT NULL,
    PRIMARY KEY (event_id),
    UNIQUE (stream_type, stream_id, stream_seq)
) WITHOUT ROWID, STRICT;

CREATE TABLE evt_stream_heads (
    stream_type TEXT NOT NULL,
    stream_id TEXT NOT NULL,
    next_seq INTEGER NOT NULL,
    last_event_hash TEXT,
    PRIMARY KEY (stream_type, stream_id)
) WITHOUT ROWID, STRICT;

CREATE TABLE policy_heads (
    scope TEXT NOT NULL,
    head INTEGER NOT NULL,
    PRIMARY KEY (scope)
) WITHOUT ROWID, STRICT;

CREATE TABLE policy_log (
    scope TEXT NOT NULL,
    head INTEGER NOT NULL,
    object_kind TEXT NOT NULL,
    object_id TEXT NOT NULL,
    PRIMARY KEY (scope, head)
) WITHOUT ROWID, STRICT;

CREATE TABLE sec_principals (
    principal_id TEXT NOT NULL,
    workspace_id TEXT,
    principal_type TEXT NOT NULL CHECK (principal_type = 'user' OR principal_type = 'agent' OR principal_type = 'service'),
    legacy_actor_type TEXT,
    legacy_actor_id TEXT,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
    revoked_at TEXT,
    PRIMARY KEY (principal_id),
    UNIQUE (workspace_id, legacy_actor_type, legacy_actor_id)
) WITHOUT ROWID, STRICT;

CREATE TABLE sec_agents (
    agent_id TEXT NOT NULL,
    workspace_id TEXT,
    principal_id TEXT NOT NULL,
    display_name TEXT NOT NULL,
    zone_max TEXT NOT NULL DEFAULT 'supervised' CHECK (zone_max = 'sandbox' OR zone_max = 'supervised' OR zone_max = 'high_stakes'),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
    revoked_at TEXT,
    quarantined_at TEXT,
    quarantine_reason TEXT,
    PRIMARY KEY (agent_id),
    UNIQUE (principal_id)
) WITHOUT ROWID, STRICT;

CREATE TABLE sec_action_registry (
    workspace_id TEXT NOT NULL DEFAULT '*',
    action_type TEXT NOT NULL,
    reversible INTEGER NOT NULL CHECK (reversible = 0 OR reversible = 1),
    zone_required TEXT NOT NULL CHECK (zone_required = 'sandbox' OR zone_required = 'supervised' OR zone_required = 'high_stakes'),
    requires_pre_approval INTEGER NOT NULL CHECK (requires_pre_approval = 0 OR requires_pre_approval = 1),
    post_review_required INTEGER NOT NULL CHECK (post_review_required = 0 OR post_review_required = 1),
    metadata TEXT NOT NULL DEFAULT '{}',
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
    PRIMARY KEY (workspace_id, action_type)
) WITHOUT ROWID, STRICT;

CREATE TABLE sec_capability_tokens (
    token_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    issued_to_principal_id TEXT NOT NULL,
    granted_by_principal_id TEXT NOT NULL,
    parent_token_id TEXT,
    scopes TEXT NOT NULL DEFAULT '{}',
    valid_until TEXT,
    revoked_at TEXT,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
    PRIMARY KEY (token_id)
) WITHOUT ROWID, STRICT;

CREATE TABLE sec_capability_delegation_edges (
    edge_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    parent_token_id TEXT NOT NULL,
    child_token_id TEXT NOT NULL,
    granted_by_principal_id TEXT NOT NULL,
    issued_to_principal_id TEXT NOT NULL,
    depth INTEGER NOT NULL,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
    PRIMARY KEY (edge_id),
    UNIQUE (child_token_id)
) WITHOUT ROWID, STRICT;

CREATE TABLE sec_egress_requests (
    egress_request_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    room_id TEXT,
    run_id TEXT,
    step_id TEXT,
    requested_by_type TEXT NOT NULL,
    requested_by_id TEXT NOT NULL,
    requested_by_principal_id TEXT,
    zone TEXT,
    action TEXT NOT NULL,
    method TEXT,
    target_url TEXT NOT NULL,
    target_domain TEXT NOT NULL,
    policy_decision TEXT NOT NULL CHECK (policy_decision = 'allow' OR policy_decision = 'deny' OR policy_decision = 'require_approval'),
    policy_reason_code TEXT NOT NULL,
    policy_reason TEXT,
    enforcement_mode TEXT NOT NULL CHECK (enforcement_mode = 'shadow' OR enforcement_mode = 'enforce'),
    blocked INTEGER NOT NULL CHECK (blocked = 0 OR blocked = 1),
    approval_id TEXT,
    correlation_id TEXT NOT NULL,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
    PRIMARY KEY (egress_request_id)
) WITHOUT ROWID, STRICT;

CREATE TABLE sec_resource_labels (
    workspace_id TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    label TEXT NOT NULL CHECK (label = 'public' OR label = 'internal' OR label = 'restricted' OR label = 'confidential' OR label = 'sensitive_pii'),
    room_id TEXT,
    purpose_tags TEXT NOT NULL DEFAULT '[]',
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
    PRIMARY KEY (workspace_id, resource_type, resource_id)
) WITHOUT ROWID, STRICT;

CREATE TABLE sec_settings (
    workspace_id TEXT NOT NULL,
    mode TEXT,
    mode_changed_at TEXT,
    kill_switch INTEGER NOT NULL DEFAULT 0 CHECK (kill_switch = 0 OR kill_switch = 1),
    kill_switch_reason TEXT,
    default_decision TEXT,
    egress_max_requests_per_hour INTEGER,
    require_capability_token INTEGER NOT NULL DEFAULT 0 CHECK (require_capability_token = 0 OR require_capability_token = 1),
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
    PRIMARY KEY (workspace_id)
) WITHOUT ROWID, STRICT;

CREATE TABLE sec_keys (
    key_id TEXT NOT NULL,
    key_hash TEXT NOT NULL,
    workspace_id TEXT,
    role TEXT NOT NULL,
    principal_id TEXT NOT NULL,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
    expires_at TEXT,
    revoked_at TEXT,
    PRIMARY KEY (key_id)
) WITHOUT ROWID, STRICT;

CREATE TABLE gate_decisions (
    decision_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    category TEXT NOT NULL,
    action TEXT NOT NULL,
    actor_type TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    principal_id TEXT,
    decision TEXT NOT NULL,
    reason_code TEXT NOT NULL,
    enforcement_mode TEXT NOT NULL,
    blocked INTEGER NOT NULL CHECK (blocked = 0 OR blocked = 1),
    rules TEXT NOT NULL,
    trace TEXT NOT NULL,
    approval_id TEXT,
    correlation_id TEXT NOT NULL,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
    PRIMARY KEY (decision_id)
) WITHOUT ROWID, STRICT;

CREATE TABLE quota_heads (
    workspace_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    next_n INTEGER NOT NULL,
    last_at TEXT NOT NULL,
    PRIMARY KEY (workspace_id, subject)
) WITHOUT ROWID, STRICT;

CREATE TABLE quota_uses (
    workspace_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    n INTEGER NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (workspace_id, subject, n)
) WITHOUT ROWID, STRICT;

CREATE TABLE api_idempotency (
    workspace_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    route TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    body_digest TEXT NOT NULL,
    answer TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    PRIMARY KEY (workspace_id, key_id, route, idempotency_key)
) WITHOUT ROWID, STRICT;

CREATE TABLE proj_rooms (
    room_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    title TEXT NOT NULL,
    topic TEXT,
    room_mode TEXT NOT NULL,
    default_lang TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    last_event_id TEXT NOT NULL,
    PRIMARY KEY (room_id)
) WITHOUT ROWID, STRICT;

CREATE TABLE proj_runs (
    run_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    room_id TEXT,
    thread_id TEXT,
    status TEXT NOT NULL,
    title TEXT,
    goal TEXT,
    input TEXT,
    output TEXT,
    summary TEXT,
    message TEXT,
    error TEXT,
    tags TEXT NOT NULL DEFAULT '[]',
    correlation_id TEXT NOT NULL,
    created_by_principal_id TEXT,
    attempt_no INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    started_at TEXT,
    ended_at TEXT,
    updated_at TEXT NOT NULL,
    last_event_id TEXT NOT NULL,
    PRIMARY KEY (run_id)
) WITHOUT ROWID, STRICT;

CREATE TABLE proj_steps (
    step_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    title TEXT,
    input TEXT,
    status TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    last_event_id TEXT NOT NULL,
    PRIMARY KEY (step_id)
) WITHOUT ROWID, STRICT;

CREATE TABLE proj_tool_calls (
    tool_call_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    step_id TEXT NOT NULL,
    tool_name TEXT NOT NULL,
    title TEXT,
    input TEXT,
    output TEXT,
    message TEXT,
    error TEXT,
    status TEXT NOT NULL,
    created_at TEXT NOT NULL,
    ended_at TEXT,
    updated_at TEXT NOT NULL,
    last_event_id TEXT NOT NULL,
    PRIMARY KEY (tool_call_id)
) WITHOUT ROWID, STRICT;

CREATE TABLE proj_approvals (
    approval_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    room_id TEXT,
    run_id TEXT,
    step_id TEXT,
    action TEXT NOT NULL,
    title TEXT,
    request TEXT,
    context TEXT,
    scope TEXT NOT NULL,
    status TEXT NOT NULL,
    requested_by_type TEXT NOT NULL,
    requested_by_id TEXT NOT NULL,
    requested_by_principal_id TEXT,
    ask_digest TEXT,
    ask_key TEXT,
    required_approvals INTEGER NOT NULL,
    decisions TEXT NOT NULL DEFAULT '[]',
    reason TEXT,
    expires_at TEXT,
    decided_at TEXT,
    consumed_at TEXT,
    correlation_id TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    last_event_id TEXT NOT NULL,
    PRIMARY KEY (approval_id)
) WITHOUT ROWID, STRICT;

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
    ('*', 'artifact.create', 1, 'supervised', 0, 1, '{"cost_impact":"low","recovery_difficulty":"easy"}'),
    ('*', 'artifact.update', 1, 'supervised', 0, 1, '{"cost_impact":"low","recovery_difficulty":"easy"}'),
    ('*', 'api.call.idempotent', 1, 'supervised', 0, 1, '{"cost_impact":"low","recovery_difficulty":"easy"}'),
    ('*', 'external.write', 0, 'high_stakes', 1, 0, '{"cost_impact":"high","recovery_difficulty":"hard"}'),
    ('*', 'payment.execute', 0, 'high_stakes', 1, 0, '{"cost_impact":"high","recovery_difficulty":"hard"}'),
    ('*', 'api.call.mutating', 0, 'high_stakes', 1, 0, '{"cost_impact":"high","recovery_difficulty":"hard"}'),
    ('*', 'email.send', 0, 'high_stakes', 1, 0, '{"cost_impact":"medium","recovery_difficulty":"hard"}');

-- The event log is append-only inside the database: whoever is connected.
CREATE TRIGGER evt_events_no_update BEFORE UPDATE ON evt_events
BEGIN SELECT RAISE(ABORT, 'evt_events is append-only'); END;
CREATE TRIGGER evt_events_no_delete BEFORE DELETE ON evt_events
BEGIN SELECT RAISE(ABORT, 'evt_events is append-only'); END;
-- REPLACE deletes without firing a DELETE trigger, so a row that would be replaced is refused here. FAIL and not
-- ABORT: it needs no copy of every page the statement touches, and whoever inserts rolls back as a whole.
CREATE TRIGGER evt_events_no_replace BEFORE INSERT ON evt_events
WHEN EXISTS (SELECT 1 FROM evt_events WHERE event_id = NEW.event_id)
  OR EXISTS (SELECT 1 FROM evt_events WHERE stream_type = NEW.stream_type AND stream_id = NEW.stream_id AND stream_seq = NEW.stream_seq)
BEGIN SELECT RAISE(FAIL, 'evt_events is append-only'); END;
