-- +goose Up
-- Credentials that were found where they do not belong. A secret is written down once, however often it is reported.

CREATE TABLE leak (
    id       TEXT NOT NULL PRIMARY KEY,
    key_id   TEXT NOT NULL, -- of a key or of a personal token
    version  BIGINT NOT NULL, -- of a key; 0: a personal token
    team_id  TEXT NOT NULL,
    user_id  TEXT NOT NULL,
    kind     TEXT NOT NULL,
    name     TEXT NOT NULL,
    place    TEXT NOT NULL, -- as the reporter says
    outcome  TEXT NOT NULL,
    found_at BIGINT NOT NULL,
    UNIQUE (key_id, version)
);
CREATE INDEX leak_team ON leak (team_id, found_at, id);
CREATE INDEX leak_found ON leak (found_at, id);
