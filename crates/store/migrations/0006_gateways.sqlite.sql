-- The processes that let requests out, so that what one left open when it died gets an outcome.

ALTER TABLE sec_egress_requests ADD COLUMN gateway_id TEXT;
-- What a tunnel may carry: tls or opaque.
ALTER TABLE sec_egress_requests ADD COLUMN tunnel TEXT;

CREATE TABLE egress_gateways (
    gateway_id TEXT NOT NULL PRIMARY KEY,
    started_at TEXT NOT NULL,
    seen_at TEXT NOT NULL,
    open_after INTEGER NOT NULL,
    ended_at TEXT,
    swept_at TEXT
) WITHOUT ROWID, STRICT;

-- Whether a request has its outcome, and which.
CREATE INDEX evt_events_outcome ON evt_events ((data->>'egress_request_id')) WHERE event_type = 'egress.completed';
