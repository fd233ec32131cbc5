-- How often narrowed capability tokens have been used. A token is known by a keyed digest of its
-- chain up to the caveat that counts; nothing here lets anybody in.

CREATE TABLE capability_uses (
    workspace_id text NOT NULL,
    chain text NOT NULL,
    token_id text NOT NULL,
    taken bigint NOT NULL,
    ends_at timestamptz,
    PRIMARY KEY (workspace_id, chain)
);
