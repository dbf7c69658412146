-- +goose Up
-- Quotas: one pool for each period that somebody called in, and what nodes leased of it. leased is what was counted before the first
-- lease, and what leases hold or have spent.

CREATE TABLE quota (
    subject   TEXT NOT NULL,
    start_at  INTEGER NOT NULL,
    end_at    INTEGER NOT NULL,
    before    INTEGER NOT NULL,
    leased    INTEGER NOT NULL,
    wanted_at INTEGER NOT NULL,
    PRIMARY KEY (subject, start_at)
);
CREATE INDEX quota_end ON quota (end_at);

-- granted is what the node took and did not give back, counted what its absorbed uses spent of it. Of a lease that ended both are the same.
CREATE TABLE quota_lease (
    node     TEXT NOT NULL,
    subject  TEXT NOT NULL,
    start_at INTEGER NOT NULL,
    end_at   INTEGER NOT NULL,
    spool    TEXT NOT NULL,
    granted  INTEGER NOT NULL,
    counted  INTEGER NOT NULL,
    ended    INTEGER NOT NULL,
    PRIMARY KEY (node, subject, start_at)
);
CREATE INDEX quota_lease_quota ON quota_lease (subject, start_at);
CREATE INDEX quota_lease_end ON quota_lease (end_at);
CREATE INDEX quota_lease_open ON quota_lease (spool, node) WHERE ended = 0;

-- When the team first chose a plan for the API: its cycles begin then. 0: before this was kept; its cycles are calendar months.
ALTER TABLE subscription ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
