-- Policies people write: texts by their digest, the versions of each workspace, and which one holds.

CREATE TABLE policy_texts (
    workspace_id text NOT NULL,
    digest text NOT NULL,
    files json NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, digest)
);

CREATE TABLE policy_versions (
    workspace_id text NOT NULL,
    version bigint NOT NULL CHECK (version >= 1),
    digest text NOT NULL,
    files bigint NOT NULL,
    rules bigint NOT NULL,
    source text NOT NULL,
    note text,
    published_by_principal_id text,
    rolled_back_from bigint,
    restores bigint,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, version)
);

CREATE TABLE policy_sets (
    workspace_id text NOT NULL,
    active_version bigint NOT NULL DEFAULT 0,
    digest text,
    source text,
    candidate_version bigint NOT NULL DEFAULT 0,
    candidate_digest text,
    candidate_rules bigint,
    candidate_note text,
    candidate_by_principal_id text,
    candidate_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id)
);

-- What was published is never another text afterwards.
CREATE FUNCTION policy_texts_keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% never change', TG_TABLE_NAME;
END $$;
CREATE TRIGGER policy_texts_no_change BEFORE UPDATE OR DELETE ON policy_texts
    FOR EACH ROW EXECUTE FUNCTION policy_texts_keep();
CREATE TRIGGER policy_versions_no_change BEFORE UPDATE OR DELETE ON policy_versions
    FOR EACH ROW EXECUTE FUNCTION policy_texts_keep();

-- Which rules were asked, and what others would have said.
ALTER TABLE gate_decisions ADD COLUMN policy_version bigint;
ALTER TABLE gate_decisions ADD COLUMN trial json;
ALTER TABLE gate_decisions ADD COLUMN candidate json;
