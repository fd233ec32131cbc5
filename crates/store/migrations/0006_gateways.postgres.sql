-- The processes that let requests out, so that what one left open when it died gets an outcome.

ALTER TABLE sec_egress_requests ADD COLUMN gateway_id text;
-- What a tunnel may carry: tls or opaque.
ALTER TABLE sec_egress_requests ADD COLUMN tunnel text;

CREATE TABLE egress_gateways (
    gateway_id text NOT NULL PRIMARY KEY,
    started_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now(),
    open_after bigint NOT NULL,
    ended_at timestamptz,
    swept_at timestamptz
);

-- Whether a request has its outcome, and which.
CREATE INDEX evt_events_outcome ON evt_events ((data->>'egress_request_id')) WHERE event_type = 'egress.completed';
