-- +goose Up
-- The visitor badge: people who log in, what they allow, and what is issued under it. No table has a row per access token.

ALTER TABLE users ADD COLUMN verified_at INTEGER NOT NULL DEFAULT 0; -- when the mail address was shown to be theirs
ALTER TABLE users ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;       -- tokens of an earlier one are refused
ALTER TABLE app ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE app ADD COLUMN origin TEXT NOT NULL DEFAULT '';         -- '': made here; 'dcr', 'cimd'
ALTER TABLE app ADD COLUMN client_url TEXT NOT NULL DEFAULT '';     -- client id of an app that is known by its metadata document
ALTER TABLE app ADD COLUMN oauth TEXT NOT NULL DEFAULT '{}';
ALTER TABLE app ADD COLUMN document TEXT NOT NULL DEFAULT '';       -- digest of the metadata document
ALTER TABLE app ADD COLUMN document_until INTEGER NOT NULL DEFAULT 0;
ALTER TABLE app ADD COLUMN manage_digest BLOB;                     -- of the registration access token
ALTER TABLE app ADD COLUMN manage_pepper INTEGER NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX app_client_url ON app (client_url) WHERE client_url <> '' AND deleted_at = 0;
-- The team of clients that registered themselves; there is one.
CREATE UNIQUE INDEX team_registered ON team (system) WHERE system = 2;

CREATE TABLE password (
    user_id    TEXT NOT NULL PRIMARY KEY REFERENCES users (id),
    hash       TEXT NOT NULL,
    pepper     INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
);

-- Links in mails, and the setup link. Consumed once.
CREATE TABLE link (
    id          TEXT NOT NULL PRIMARY KEY,
    digest      BLOB NOT NULL,
    pepper      INTEGER NOT NULL,
    purpose     TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    email       TEXT NOT NULL,
    data        TEXT NOT NULL,
    browser     BLOB,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    consumed_at INTEGER NOT NULL
);
CREATE INDEX link_expires ON link (expires_at);
CREATE UNIQUE INDEX link_live ON link (user_id, purpose, email) WHERE consumed_at = 0; -- the newest alone works

CREATE TABLE session (
    id         TEXT NOT NULL PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id),
    digest     BLOB NOT NULL,
    pepper     INTEGER NOT NULL,
    auth_at    INTEGER NOT NULL,
    acr        TEXT NOT NULL,
    amr        TEXT NOT NULL,
    network    TEXT NOT NULL,
    agent      TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
);
CREATE INDEX session_by_user ON session (user_id, created_at, id);
CREATE INDEX session_expires ON session (expires_at);

-- Which apps a session signed in to: they are told when it ends.
CREATE TABLE session_app (
    session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    app_id     TEXT NOT NULL REFERENCES app (id),
    PRIMARY KEY (session_id, app_id)
);
CREATE INDEX session_app_app ON session_app (app_id);

CREATE TABLE grants (
    id         TEXT NOT NULL PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id),
    app_id     TEXT NOT NULL REFERENCES app (id),
    team_id    TEXT NOT NULL REFERENCES team (id),
    scopes     TEXT NOT NULL,
    document   TEXT NOT NULL,
    epoch      INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    revoked_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL DEFAULT 0 -- when a token was last issued under it, but for its chains, which say so themselves
);
CREATE UNIQUE INDEX grants_live ON grants (user_id, app_id) WHERE revoked_at = 0;
CREATE INDEX grants_created ON grants (created_at, id);
CREATE INDEX grants_user ON grants (user_id, created_at, id);
CREATE INDEX grants_app ON grants (app_id, created_at, id);
CREATE INDEX grants_team ON grants (team_id, created_at, id);

-- Authorization requests under way, each bound to the browser that brought it.
CREATE TABLE auth_request (
    id          TEXT NOT NULL PRIMARY KEY,
    app_id      TEXT NOT NULL REFERENCES app (id),
    browser     BLOB NOT NULL,
    ask         TEXT NOT NULL,
    progress    TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL
);
CREATE INDEX auth_request_expires ON auth_request (expires_at);
CREATE INDEX auth_request_browser ON auth_request (browser);

-- Pushed authorization requests. Consumed once.
CREATE TABLE pushed_request (
    id          TEXT NOT NULL PRIMARY KEY,
    digest      BLOB NOT NULL,
    pepper      INTEGER NOT NULL,
    app_id      TEXT NOT NULL REFERENCES app (id),
    params      TEXT NOT NULL,
    expires_at  INTEGER NOT NULL,
    consumed_at INTEGER NOT NULL
);
CREATE INDEX pushed_request_expires ON pushed_request (expires_at);

CREATE TABLE auth_code (
    id          TEXT NOT NULL PRIMARY KEY,
    digest      BLOB NOT NULL,
    pepper      INTEGER NOT NULL,
    app_id      TEXT NOT NULL REFERENCES app (id),
    user_id     TEXT NOT NULL REFERENCES users (id),
    grant_id    TEXT NOT NULL REFERENCES grants (id),
    session_id  TEXT NOT NULL,
    issue       TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    consumed_at INTEGER NOT NULL,
    family_id   TEXT NOT NULL
);
CREATE INDEX auth_code_expires ON auth_code (expires_at);

-- One row is one chain of refresh tokens.
CREATE TABLE family (
    id          TEXT NOT NULL PRIMARY KEY,
    app_id      TEXT NOT NULL REFERENCES app (id),
    user_id     TEXT NOT NULL REFERENCES users (id),
    grant_id    TEXT NOT NULL REFERENCES grants (id),
    session_id  TEXT NOT NULL,
    mode        TEXT NOT NULL,
    issue       TEXT NOT NULL,
    seed        BLOB NOT NULL,
    counter     INTEGER NOT NULL,
    key_version INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    rotated_at  INTEGER NOT NULL,
    idle_at     INTEGER NOT NULL, -- dead from then on unless used before
    expires_at  INTEGER NOT NULL,
    revoked_at  INTEGER NOT NULL,
    used_at     INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX family_grant ON family (grant_id, used_at, id);
CREATE INDEX family_idle ON family (idle_at);
CREATE INDEX family_revoked ON family (revoked_at) WHERE revoked_at > 0;

CREATE TABLE device (
    id          TEXT NOT NULL PRIMARY KEY,
    digest      BLOB NOT NULL,
    user_digest BLOB NOT NULL UNIQUE,
    pepper      INTEGER NOT NULL,
    app_id      TEXT NOT NULL REFERENCES app (id),
    issue       TEXT NOT NULL,
    browser     BLOB,
    state       TEXT NOT NULL, -- pending, approved, denied
    user_id     TEXT NOT NULL,
    grant_id    TEXT NOT NULL,
    session_id  TEXT NOT NULL,
    interval_s  INTEGER NOT NULL,
    polled_at   INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    consumed_at INTEGER NOT NULL,
    family_id   TEXT NOT NULL
);
CREATE INDEX device_expires ON device (expires_at);

-- What may be presented once: client assertions, proofs, grants by assertion.
CREATE TABLE seen_once (
    id    TEXT NOT NULL PRIMARY KEY,
    until INTEGER NOT NULL
);
CREATE INDEX seen_once_until ON seen_once (until);

CREATE TABLE personal_token (
    id            TEXT NOT NULL PRIMARY KEY,
    user_id       TEXT NOT NULL REFERENCES users (id),
    name          TEXT NOT NULL,
    mode          TEXT NOT NULL,
    prefix        TEXT NOT NULL,
    scopes        TEXT NOT NULL,
    restrictions  TEXT NOT NULL,
    digest        BLOB NOT NULL UNIQUE,
    pepper        INTEGER NOT NULL,
    epoch         INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    warned_days   INTEGER NOT NULL, -- the last warning sent: that many days before the end; 0: none
    revoked_at    INTEGER NOT NULL,
    revoke_reason TEXT NOT NULL
);
CREATE INDEX personal_token_user ON personal_token (user_id, created_at, id);
CREATE INDEX personal_token_created ON personal_token (created_at, id);
CREATE INDEX personal_token_expires ON personal_token (expires_at, id);

-- Mails and logout messages on their way: sealed, since links in them are secrets.
CREATE TABLE delivery (
    id         TEXT NOT NULL PRIMARY KEY,
    kind       TEXT NOT NULL, -- mail, logout
    sealed     BLOB NOT NULL,
    attempts   INTEGER NOT NULL,
    next_at    INTEGER NOT NULL,
    last_error TEXT NOT NULL,
    created_at INTEGER NOT NULL
);
CREATE INDEX delivery_next ON delivery (kind, next_at, id);
