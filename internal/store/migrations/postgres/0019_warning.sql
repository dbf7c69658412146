-- +goose Up
-- From which networks a key is used. A network that was seen within the hour is not written again, and of those of a key that were not seen
-- for long only the latest stays.
CREATE TABLE api_key_network (
    key_id   TEXT NOT NULL,
    network  TEXT NOT NULL, -- /24 of IPv4, /48 of IPv6
    first_at BIGINT NOT NULL,
    last_at  BIGINT NOT NULL,
    PRIMARY KEY (key_id, network)
);

-- When a key last stood in the address of a call.
CREATE TABLE api_key_query (
    key_id TEXT NOT NULL PRIMARY KEY,
    at     BIGINT NOT NULL,
    api    TEXT NOT NULL
);

-- When the keys of a team are looked over next (0: at once), when its people are next sent what there is to say of them (0: that is yet to be
-- decided), whether they want it (1: no), and what the last mail said, as JSON.
ALTER TABLE team ADD COLUMN look_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE team ADD COLUMN digest_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE team ADD COLUMN digest_off BIGINT NOT NULL DEFAULT 0;
ALTER TABLE team ADD COLUMN told TEXT NOT NULL DEFAULT '[]';
CREATE INDEX team_look ON team (look_at);
