-- Runs: the queue, the leases, who waits for an approval, and the attempts. None of these is a
-- projection; the rows of a run that has ended are gone from all but `run_attempts`.

CREATE TABLE run_queue (
    run_id text NOT NULL,
    workspace_id text NOT NULL,
    room_id text,
    ready_at timestamptz NOT NULL DEFAULT now(),
    expiries bigint NOT NULL DEFAULT 0,
    failures bigint NOT NULL DEFAULT 0,
    remaining_ms bigint,
    PRIMARY KEY (run_id)
);

CREATE TABLE run_leases (
    run_id text NOT NULL,
    workspace_id text NOT NULL,
    room_id text,
    epoch bigint NOT NULL,
    claim_token text NOT NULL,
    claimed_by_actor_id text NOT NULL,
    lease_ms bigint NOT NULL,
    lease_expires_at timestamptz NOT NULL,
    lease_heartbeat_at timestamptz NOT NULL,
    times_out_at timestamptz,
    expiries bigint NOT NULL DEFAULT 0,
    failures bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (run_id)
);

CREATE TABLE run_waits (
    run_id text NOT NULL,
    workspace_id text NOT NULL,
    room_id text,
    approval_id text NOT NULL,
    epoch bigint NOT NULL,
    ready_at timestamptz,
    expiries bigint NOT NULL DEFAULT 0,
    failures bigint NOT NULL DEFAULT 0,
    remaining_ms bigint,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (run_id)
);

CREATE TABLE run_attempts (
    run_attempt_id text NOT NULL,
    workspace_id text NOT NULL,
    run_id text NOT NULL,
    attempt_no bigint NOT NULL,
    claim_token text NOT NULL,
    claimed_by_actor_id text NOT NULL,
    claimed_at timestamptz NOT NULL,
    released_at timestamptz,
    release_reason text,
    PRIMARY KEY (run_attempt_id),
    UNIQUE (claim_token)
);

CREATE INDEX run_queue_ready ON run_queue (workspace_id, ready_at, run_id);
CREATE INDEX run_queue_room ON run_queue (workspace_id, room_id, ready_at, run_id) WHERE room_id IS NOT NULL;
CREATE INDEX run_leases_expiry ON run_leases (lease_expires_at);
CREATE INDEX run_leases_timeout ON run_leases (times_out_at) WHERE times_out_at IS NOT NULL;
CREATE INDEX run_waits_ready ON run_waits (ready_at) WHERE ready_at IS NOT NULL;

-- Runs and attempts are rewritten a few times and then rest: room for that beside the row keeps
-- their indexes out of it.
ALTER TABLE proj_runs SET (fillfactor = 60);
ALTER TABLE run_attempts SET (fillfactor = 60);
