-- How often narrowed capability tokens have been used. A token is known by a keyed digest of its
-- chain up to the caveat that counts; nothing here lets anybody in.

CREATE TABLE capability_uses (
    workspace_id TEXT NOT NULL,
    chain TEXT NOT NULL,
    token_id TEXT NOT NULL,
    taken INTEGER NOT NULL,
    ends_at TEXT,
    PRIMARY KEY (workspace_id, chain)
) WITHOUT ROWID, STRICT;
