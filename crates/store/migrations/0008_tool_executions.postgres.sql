-- Tool calls that this service carries out itself: with which token, and until when one is under way.

CREATE TABLE tool_executions (
    tool_call_id text NOT NULL PRIMARY KEY,
    workspace_id text NOT NULL,
    capability_token_id text,
    ends_by timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
