-- +goose Up
-- Bills. A draft says what it is for and nothing else: what it comes to is computed when it is looked at, until it is final. A final one
-- is never changed; what arrives late makes an adjustment, with the next sequence.
CREATE TABLE invoice (
    id           TEXT NOT NULL PRIMARY KEY,
    team_id      TEXT NOT NULL,
    api          TEXT NOT NULL,
    version_id   TEXT NOT NULL,
    plan         TEXT NOT NULL,
    plan_number  BIGINT NOT NULL,
    spec         TEXT NOT NULL, -- of the version: a bill can be read without what it was made from
    period_start BIGINT NOT NULL, -- of the plan's whole period
    period_end   BIGINT NOT NULL,
    start_at     BIGINT NOT NULL, -- of the part that the plan was held for
    end_at       BIGINT NOT NULL,
    sequence     BIGINT NOT NULL, -- 0: the bill; counted from 1: its adjustments
    number       BIGINT NOT NULL, -- of final ones, counted from 1 without a gap; 0: a draft
    used         TEXT NOT NULL, -- JSON, by meter: all that was billed with it and before it
    lines        TEXT NOT NULL, -- JSON
    total        BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    due_at       BIGINT NOT NULL, -- when a draft becomes final
    final_at     BIGINT NOT NULL, -- 0: a draft
    check_at     BIGINT NOT NULL, -- when a final bill is to be compared with what was counted by then; 0: it was
    UNIQUE (team_id, api, start_at, sequence)
);
CREATE INDEX invoice_team ON invoice (team_id, created_at, id);
CREATE INDEX invoice_created ON invoice (created_at, id);
CREATE INDEX invoice_due ON invoice (due_at) WHERE final_at = 0;
CREATE INDEX invoice_check ON invoice (check_at) WHERE check_at > 0;
CREATE INDEX invoice_end ON invoice (end_at) WHERE final_at > 0;
CREATE UNIQUE INDEX invoice_number ON invoice (number) WHERE number > 0;

-- From when on a team is billed for an API, up to when drafts were written, and when the next is due.
CREATE TABLE billing_account (
    team_id TEXT NOT NULL,
    api     TEXT NOT NULL,
    since   BIGINT NOT NULL,
    until   BIGINT NOT NULL,
    due_at  BIGINT NOT NULL,
    PRIMARY KEY (team_id, api)
);
CREATE INDEX billing_account_due ON billing_account (due_at);

-- Events that feed an API's own meters. Each is counted once, by its source and id.
CREATE TABLE meter_event (
    source      TEXT NOT NULL,
    id          TEXT NOT NULL,
    team_id     TEXT NOT NULL,
    api         TEXT NOT NULL,
    meter       TEXT NOT NULL,
    at          BIGINT NOT NULL,
    units       BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    PRIMARY KEY (source, id)
);
CREATE INDEX meter_event_received ON meter_event (received_at);

CREATE TABLE meter_total (
    team_id TEXT NOT NULL,
    api     TEXT NOT NULL,
    meter   TEXT NOT NULL,
    start   BIGINT NOT NULL, -- of the minute
    units   BIGINT NOT NULL,
    PRIMARY KEY (team_id, api, meter, start)
);
