-- +goose Up
-- Invitations into teams: a link in a mail that is taken once. Like a link it refers to nothing by a key and stands in no backup:
-- a restoration leaves it as it is, so that what was used or taken back stays so.

CREATE TABLE invitation (
    id         TEXT NOT NULL PRIMARY KEY,
    team_id    TEXT NOT NULL,
    email      TEXT NOT NULL,
    email_key  TEXT NOT NULL, -- as addresses are compared
    role       TEXT NOT NULL,
    digest     BLOB NOT NULL,
    pepper     INTEGER NOT NULL,
    invited_by TEXT NOT NULL, -- a user, a key or a command
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL,
    revoked_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX invitation_live ON invitation (team_id, email_key) WHERE used_at = 0 AND revoked_at = 0; -- the newest alone works
CREATE INDEX invitation_expires ON invitation (expires_at);
