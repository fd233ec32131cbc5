-- Tool calls that this service carries out itself: with which token, and until when one is under way.

CREATE TABLE tool_executions (
    tool_call_id TEXT NOT NULL PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    capability_token_id TEXT,
    ends_by TEXT,
    created_at TEXT NOT NULL
) WITHOUT ROWID, STRICT;
