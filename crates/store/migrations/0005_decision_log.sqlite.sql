-- The log of decisions that replay reads, in segments of columns, and what people have reviewed of it.

CREATE TABLE decision_segments (
    workspace_id TEXT NOT NULL,
    segment_id TEXT NOT NULL,
    from_at TEXT NOT NULL,
    to_at TEXT NOT NULL,
    rows INTEGER NOT NULL,
    dropped INTEGER NOT NULL DEFAULT 0,
    sealed INTEGER NOT NULL DEFAULT 0,
    facts BLOB NOT NULL,
    ids BLOB NOT NULL,
    PRIMARY KEY (workspace_id, segment_id)
) STRICT;

CREATE INDEX decision_segments_end ON decision_segments (to_at);

CREATE TABLE policy_reviews (
    workspace_id TEXT NOT NULL,
    group_id TEXT NOT NULL,
    reviewed_by TEXT NOT NULL,
    note TEXT,
    reviewed_at TEXT NOT NULL,
    PRIMARY KEY (workspace_id, group_id)
) WITHOUT ROWID, STRICT;
