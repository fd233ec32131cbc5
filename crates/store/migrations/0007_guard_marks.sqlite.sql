-- Confined commands that tried to get out another way: there from the first attempt on, so that the event of one
-- whose process died is written all the same.

CREATE TABLE guard_marks (
    guard_call_id TEXT NOT NULL PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    room_id TEXT,
    thread_id TEXT,
    run_id TEXT,
    step_id TEXT,
    actor_type TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    principal_id TEXT,
    zone TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    causation_id TEXT,
    data TEXT NOT NULL,
    contains_secrets INTEGER NOT NULL CHECK (contains_secrets = 0 OR contains_secrets = 1),
    gateway_id TEXT NOT NULL,
    created_at TEXT NOT NULL,
    event_id TEXT
) WITHOUT ROWID, STRICT;

-- What a process left without an event.
CREATE INDEX guard_marks_open ON guard_marks (gateway_id) WHERE event_id IS NULL;
