-- +goose Up
-- Webhooks: addresses that are told of a team's events, what is on its way to them, and what became of it. A delivery stands by
-- itself, with its payload: it refers to nothing by a key and stands in no backup, so that a restoration loses none of it.

CREATE TABLE webhook (
    id            TEXT NOT NULL PRIMARY KEY,
    team_id       TEXT NOT NULL REFERENCES team (id),
    url           TEXT NOT NULL,
    description   TEXT NOT NULL,
    events        TEXT NOT NULL, -- a JSON list of kinds; null: all
    secrets       BYTEA NOT NULL, -- sealed: the current one and the former
    old_until     BIGINT NOT NULL, -- the former signs too until then
    created_at    BIGINT NOT NULL,
    disabled_at   BIGINT NOT NULL,
    stopped       TEXT NOT NULL, -- why it is disabled
    failing_since BIGINT NOT NULL, -- the first failure since something arrived
    paused_until  BIGINT NOT NULL, -- it does not answer: nothing is sent before
    deleted_at    BIGINT NOT NULL
);
CREATE INDEX webhook_team ON webhook (team_id, created_at, id);
CREATE INDEX webhook_created ON webhook (created_at, id);
CREATE INDEX webhook_deleted ON webhook (deleted_at) WHERE deleted_at > 0;

CREATE TABLE webhook_delivery (
    webhook_id TEXT NOT NULL,
    id         TEXT NOT NULL, -- of the message: the same for every endpoint and in every attempt
    kind       TEXT NOT NULL,
    payload    TEXT NOT NULL,
    state      TEXT NOT NULL,
    attempts   BIGINT NOT NULL, -- in all
    tries      BIGINT NOT NULL, -- since it was made or sent again
    next_at    BIGINT NOT NULL, -- 0: not again
    created_at BIGINT NOT NULL,
    PRIMARY KEY (webhook_id, id)
);
CREATE INDEX webhook_delivery_next ON webhook_delivery (next_at, webhook_id, id) WHERE next_at > 0;
CREATE INDEX webhook_delivery_list ON webhook_delivery (webhook_id, created_at, id);
CREATE INDEX webhook_delivery_created ON webhook_delivery (created_at);

CREATE TABLE webhook_attempt (
    webhook_id  TEXT NOT NULL,
    delivery_id TEXT NOT NULL,
    number      BIGINT NOT NULL,
    at          BIGINT NOT NULL,
    took        BIGINT NOT NULL, -- microseconds
    status      BIGINT NOT NULL, -- of the answer; 0: there was none
    error       TEXT NOT NULL,
    answer      TEXT NOT NULL, -- the beginning of it
    PRIMARY KEY (webhook_id, delivery_id, number)
);
CREATE INDEX webhook_attempt_at ON webhook_attempt (at);
