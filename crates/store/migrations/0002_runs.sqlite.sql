-- Runs: the queue, the leases, who waits for an approval, and the attempts. None of these is a
-- projection; the rows of a run that has ended are gone from all but `run_attempts`.

CREATE TABLE run_queue (
    run_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    room_id TEXT,
    ready_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
    expiries INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    remaining_ms INTEGER,
    PRIMARY KEY (run_id)
) WITHOUT ROWID, STRICT;

CREATE TABLE run_leases (
    run_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    room_id TEXT,
    epoch INTEGER NOT NULL,
    claim_token TEXT NOT NULL,
    claimed_by_actor_id TEXT NOT NULL,
    lease_ms INTEGER NOT NULL,
    lease_expires_at TEXT NOT NULL,
    lease_heartbeat_at TEXT NOT NULL,
    times_out_at TEXT,
    expiries INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (run_id)
) WITHOUT ROWID, STRICT;

CREATE TABLE run_waits (
    run_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    room_id TEXT,
    approval_id TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    ready_at TEXT,
    expiries INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    remaining_ms INTEGER,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
    PRIMARY KEY (run_id)
) WITHOUT ROWID, STRICT;

CREATE TABLE run_attempts (
    run_attempt_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    attempt_no INTEGER NOT NULL,
    claim_token TEXT NOT NULL,
    claimed_by_actor_id TEXT NOT NULL,
    claimed_at TEXT NOT NULL,
    released_at TEXT,
    release_reason TEXT,
    PRIMARY KEY (run_attempt_id),
    UNIQUE (claim_token)
) WITHOUT ROWID, STRICT;

CREATE INDEX run_queue_ready ON run_queue (workspace_id, ready_at, run_id);
CREATE INDEX run_queue_room ON run_queue (workspace_id, room_id, ready_at, run_id) WHERE room_id IS NOT NULL;
CREATE INDEX run_leases_expiry ON run_leases (lease_expires_at);
CREATE INDEX run_leases_timeout ON run_leases (times_out_at) WHERE times_out_at IS NOT NULL;
CREATE INDEX run_waits_ready ON run_waits (ready_at) WHERE ready_at IS NOT NULL;
