-- Policies people write: texts by their digest, the versions of each workspace, and which one holds.

CREATE TABLE policy_texts (
    workspace_id TEXT NOT NULL,
    digest TEXT NOT NULL,
    files TEXT NOT NULL,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
    PRIMARY KEY (workspace_id, digest)
) WITHOUT ROWID, STRICT;

CREATE TABLE policy_versions (
    workspace_id TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 1),
    digest TEXT NOT NULL,
    files INTEGER NOT NULL,
    rules INTEGER NOT NULL,
    source TEXT NOT NULL,
    note TEXT,
    published_by_principal_id TEXT,
    rolled_back_from INTEGER,
    restores INTEGER,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
    PRIMARY KEY (workspace_id, version)
) WITHOUT ROWID, STRICT;

CREATE TABLE policy_sets (
    workspace_id TEXT NOT NULL,
    active_version INTEGER NOT NULL DEFAULT 0,
    digest TEXT,
    source TEXT,
    candidate_version INTEGER NOT NULL DEFAULT 0,
    candidate_digest TEXT,
    candidate_rules INTEGER,
    candidate_note TEXT,
    candidate_by_principal_id TEXT,
    candidate_at TEXT,
    updated_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
    PRIMARY KEY (workspace_id)
) WITHOUT ROWID, STRICT;

-- What was published is never another text afterwards.
CREATE TRIGGER policy_texts_no_update BEFORE UPDATE ON policy_texts
BEGIN SELECT RAISE(ABORT, 'policy_texts never change'); END;
CREATE TRIGGER policy_texts_no_delete BEFORE DELETE ON policy_texts
BEGIN SELECT RAISE(ABORT, 'policy_texts never change'); END;
CREATE TRIGGER policy_versions_no_update BEFORE UPDATE ON policy_versions
BEGIN SELECT RAISE(ABORT, 'policy_versions never change'); END;
CREATE TRIGGER policy_versions_no_delete BEFORE DELETE ON policy_versions
BEGIN SELECT RAISE(ABORT, 'policy_versions never change'); END;

-- Which rules were asked, and what others would have said.
ALTER TABLE gate_decisions ADD COLUMN policy_version INTEGER;
ALTER TABLE gate_decisions ADD COLUMN trial TEXT;
ALTER TABLE gate_decisions ADD COLUMN candidate TEXT;
