-- The log of decisions that replay reads, in segments of columns, and what people have reviewed of it.

CREATE TABLE decision_segments (
    workspace_id text NOT NULL,
    -- The parts of a segment sort behind it, whatever the database's language.
    segment_id text COLLATE "C" NOT NULL,
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL,
    rows bigint NOT NULL,
    dropped bigint NOT NULL DEFAULT 0,
    sealed boolean NOT NULL DEFAULT false,
    facts bytea NOT NULL,
    ids bytea NOT NULL,
    PRIMARY KEY (workspace_id, segment_id)
);

CREATE INDEX decision_segments_end ON decision_segments (to_at);

CREATE TABLE policy_reviews (
    workspace_id text NOT NULL,
    group_id text NOT NULL,
    reviewed_by text NOT NULL,
    note text,
    reviewed_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, group_id)
);
