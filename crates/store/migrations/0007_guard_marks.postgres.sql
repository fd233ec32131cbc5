-- Confined commands that tried to get out another way: there from the first attempt on, so that the event of one
-- whose process died is written all the same.

CREATE TABLE guard_marks (
    guard_call_id text NOT NULL PRIMARY KEY,
    workspace_id text NOT NULL,
    room_id text,
    thread_id text,
    run_id text,
    step_id text,
    actor_type text NOT NULL,
    actor_id text NOT NULL,
    principal_id text,
    zone text NOT NULL,
    correlation_id text NOT NULL,
    causation_id text,
    data json NOT NULL,
    contains_secrets boolean NOT NULL,
    gateway_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    event_id text
);

-- What a process left without an event.
CREATE INDEX guard_marks_open ON guard_marks (gateway_id) WHERE event_id IS NULL;
