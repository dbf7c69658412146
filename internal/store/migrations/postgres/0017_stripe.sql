-- +goose Up
-- Which Stripe customer a team is: as set now, and from which hour on. The last row of stripe_customer that has begun holds; an empty
-- customer is none. stripe_meter says likewise, by its event name, which meter of Stripe an API's meter feeds.
ALTER TABLE team ADD COLUMN stripe_customer TEXT NOT NULL DEFAULT '';

CREATE TABLE stripe_customer (
    team_id  TEXT NOT NULL,
    since    BIGINT NOT NULL, -- a whole hour
    customer TEXT NOT NULL,
    PRIMARY KEY (team_id, since)
);

CREATE TABLE stripe_meter (
    api   TEXT NOT NULL,
    meter TEXT NOT NULL,
    since BIGINT NOT NULL, -- a whole hour
    event TEXT NOT NULL,
    PRIMARY KEY (api, meter, since)
);

-- Hours in which something was counted that was not looked at since.
CREATE TABLE stripe_hour (
    team_id  TEXT NOT NULL,
    api      TEXT NOT NULL,
    start    BIGINT NOT NULL,
    check_at BIGINT NOT NULL,
    PRIMARY KEY (team_id, api, start)
);
CREATE INDEX stripe_hour_check ON stripe_hour (check_at);

-- What Stripe was told, or is to be: written before anything is sent, and never another number under the same identifier. What was
-- counted late makes another with the next sequence.
CREATE TABLE stripe_event (
    identifier TEXT NOT NULL PRIMARY KEY,
    team_id    TEXT NOT NULL,
    api        TEXT NOT NULL,
    meter      TEXT NOT NULL,
    start      BIGINT NOT NULL, -- of the hour
    sequence   BIGINT NOT NULL, -- counted from 0
    customer   TEXT NOT NULL,
    event      TEXT NOT NULL,
    units      BIGINT NOT NULL,
    state      TEXT NOT NULL,
    tries      BIGINT NOT NULL,
    next_at    BIGINT NOT NULL, -- 0: it does not wait
    unknown_at BIGINT NOT NULL, -- the first try of which it is not known whether Stripe took it; 0: there is none
    created_at BIGINT NOT NULL,
    sent_at    BIGINT NOT NULL,
    error      TEXT NOT NULL, -- of the last try; '': none
    UNIQUE (team_id, api, meter, start, sequence)
);
CREATE INDEX stripe_event_due ON stripe_event (next_at, identifier) WHERE next_at > 0;
CREATE INDEX stripe_event_created ON stripe_event (created_at, identifier);
CREATE INDEX stripe_event_team ON stripe_event (team_id, created_at, identifier);
CREATE INDEX stripe_event_state ON stripe_event (state, created_at, identifier) WHERE state <> 'sent';

-- Hours that ended before a backup took the place of a database that was lost: nobody knows what Stripe was told of them.
CREATE TABLE stripe_doubt (
    until BIGINT NOT NULL PRIMARY KEY
);
