-- +goose Up
-- Times are microseconds UTC, 0 for "never". JSON is TEXT. Both directories hold the same tables; a test compares them.

CREATE TABLE setting (
    name       TEXT NOT NULL PRIMARY KEY,
    value      TEXT NOT NULL,
    updated_at INTEGER NOT NULL
);
-- The provider's face. Whoever changes the catalog, or what depends on it, locks this row first.
INSERT INTO setting (name, value, updated_at) VALUES ('brand', '{}', 0);

-- Keys of our own, wrapped under the master key. setting 'keyring' holds revision, master version and check value.
CREATE TABLE keyring (
    purpose        TEXT NOT NULL,
    version        INTEGER NOT NULL,
    master_version INTEGER NOT NULL,
    wrapped        BLOB NOT NULL,
    state          TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    PRIMARY KEY (purpose, version)
);

-- The ordered log of whatever can alter a decision. The head row gives the revision, so revision order is commit order.
CREATE TABLE change_head (
    id       INTEGER NOT NULL PRIMARY KEY,
    revision INTEGER NOT NULL
);
INSERT INTO change_head (id, revision) VALUES (1, 0);

CREATE TABLE change_entry (
    revision INTEGER NOT NULL PRIMARY KEY,
    tag      INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    entity   TEXT NOT NULL,
    at       INTEGER NOT NULL
);
CREATE INDEX change_entry_at ON change_entry (at);

CREATE TABLE revocation (
    subject TEXT NOT NULL PRIMARY KEY,
    at      INTEGER NOT NULL,
    until   INTEGER NOT NULL
);
CREATE INDEX revocation_until ON revocation (until);

CREATE TABLE node (
    id         TEXT NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    applied    INTEGER NOT NULL
);

-- Answers to requests with an Idempotency-Key. reply is sealed and emptied after 10 minutes.
CREATE TABLE answer (
    id     TEXT NOT NULL PRIMARY KEY,
    body   BLOB NOT NULL,
    status INTEGER NOT NULL,
    reply  BLOB,
    target TEXT NOT NULL,
    at     INTEGER NOT NULL
);
CREATE INDEX answer_at ON answer (at);

CREATE TABLE audit_event (
    id      TEXT NOT NULL PRIMARY KEY,
    at      INTEGER NOT NULL,
    actor   TEXT NOT NULL,
    action  TEXT NOT NULL,
    target  TEXT NOT NULL,
    team_id TEXT NOT NULL,
    details TEXT NOT NULL
);
CREATE INDEX audit_event_at ON audit_event (at, id);
CREATE INDEX audit_event_team ON audit_event (team_id, at, id);

CREATE TABLE outbox (
    id         TEXT NOT NULL PRIMARY KEY,
    kind       TEXT NOT NULL,
    subject    TEXT NOT NULL,
    team_id    TEXT NOT NULL,
    body       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (kind, subject)
);
CREATE INDEX outbox_created ON outbox (created_at, id);

CREATE TABLE users (
    id          TEXT NOT NULL PRIMARY KEY,
    email       TEXT NOT NULL,
    email_key   TEXT NOT NULL UNIQUE,
    name        TEXT NOT NULL,
    admin       INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    disabled_at INTEGER NOT NULL
);
CREATE INDEX users_created ON users (created_at, id);

CREATE TABLE team (
    id           TEXT NOT NULL PRIMARY KEY,
    name         TEXT NOT NULL,
    system       INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    suspended_at INTEGER NOT NULL
);
CREATE INDEX team_created ON team (created_at, id);
CREATE UNIQUE INDEX team_system ON team (system) WHERE system = 1; -- there is one

CREATE TABLE member (
    team_id TEXT NOT NULL REFERENCES team (id),
    user_id TEXT NOT NULL REFERENCES users (id),
    role    TEXT NOT NULL,
    PRIMARY KEY (team_id, user_id)
);
CREATE INDEX member_user ON member (user_id);

CREATE TABLE app (
    id           TEXT NOT NULL PRIMARY KEY,
    team_id      TEXT NOT NULL REFERENCES team (id),
    name         TEXT NOT NULL,
    type         TEXT NOT NULL,
    description  TEXT NOT NULL,
    homepage_url TEXT NOT NULL,
    limits       TEXT NOT NULL,
    metadata     TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    disabled_at  INTEGER NOT NULL,
    deleted_at   INTEGER NOT NULL
);
CREATE INDEX app_created ON app (created_at, id);
CREATE INDEX app_team ON app (team_id, created_at, id);

CREATE TABLE api_key (
    id            TEXT NOT NULL PRIMARY KEY,
    app_id        TEXT NOT NULL REFERENCES app (id),
    team_id       TEXT NOT NULL REFERENCES team (id),
    name          TEXT NOT NULL,
    kind          TEXT NOT NULL,
    mode          TEXT NOT NULL,
    prefix        TEXT NOT NULL,
    scopes        TEXT NOT NULL,
    restrictions  TEXT NOT NULL,
    apis          TEXT NOT NULL,
    limits        TEXT NOT NULL,
    metadata      TEXT NOT NULL,
    rotate_every  INTEGER NOT NULL,
    rotate_due_at INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    not_before    INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL,
    disabled_at   INTEGER NOT NULL,
    revoked_at    INTEGER NOT NULL,
    revoke_reason TEXT NOT NULL,
    deleted_at    INTEGER NOT NULL
);
CREATE INDEX api_key_created ON api_key (created_at, id);
CREATE INDEX api_key_app ON api_key (app_id, created_at, id);
CREATE INDEX api_key_team ON api_key (team_id, created_at, id);
CREATE INDEX api_key_rotation ON api_key (rotate_due_at);

CREATE TABLE api_key_version (
    key_id     TEXT NOT NULL REFERENCES api_key (id),
    version    INTEGER NOT NULL,
    digest     BLOB NOT NULL UNIQUE,
    scheme     TEXT NOT NULL,
    pepper     INTEGER NOT NULL,
    imported   INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    ends_at    INTEGER NOT NULL,
    revoked_at INTEGER NOT NULL,
    PRIMARY KEY (key_id, version)
);

CREATE INDEX api_key_version_imported ON api_key_version (imported) WHERE imported = 1;

CREATE TABLE api_key_use (
    key_id    TEXT NOT NULL PRIMARY KEY,
    at        INTEGER NOT NULL,
    network   TEXT NOT NULL,
    api       TEXT NOT NULL,
    operation TEXT NOT NULL
);

CREATE TABLE api (
    name       TEXT NOT NULL PRIMARY KEY,
    spec       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);

CREATE TABLE scope (
    name TEXT NOT NULL PRIMARY KEY,
    api  TEXT NOT NULL REFERENCES api (name)
);

CREATE TABLE subscription (
    team_id TEXT NOT NULL REFERENCES team (id),
    api     TEXT NOT NULL REFERENCES api (name),
    plan    TEXT NOT NULL,
    PRIMARY KEY (team_id, api)
);
CREATE INDEX subscription_plan ON subscription (api, plan);

-- Absorbed segments are the ledger: rollups derive from them and can be counted anew.
CREATE TABLE usage_segment (
    node        TEXT NOT NULL,
    epoch       TEXT NOT NULL,
    segment     INTEGER NOT NULL,
    sha256      BLOB NOT NULL,
    count       INTEGER NOT NULL,
    units       INTEGER NOT NULL,
    first_at    INTEGER NOT NULL,
    last_at     INTEGER NOT NULL,
    counted     BLOB NOT NULL,
    absorbed_at INTEGER NOT NULL,
    PRIMARY KEY (node, epoch, segment)
);
CREATE INDEX usage_segment_time ON usage_segment (last_at, first_at);

CREATE TABLE usage_rollup (
    grain     TEXT NOT NULL,
    start     INTEGER NOT NULL,
    team_id   TEXT NOT NULL,
    app_id    TEXT NOT NULL,
    key_id    TEXT NOT NULL,
    user_id   TEXT NOT NULL,
    api       TEXT NOT NULL,
    operation TEXT NOT NULL,
    outcome   TEXT NOT NULL,
    mode      TEXT NOT NULL,
    count     INTEGER NOT NULL,
    units     INTEGER NOT NULL,
    PRIMARY KEY (grain, start, team_id, app_id, key_id, user_id, api, operation, outcome, mode)
);
CREATE INDEX usage_rollup_team ON usage_rollup (grain, team_id, start);
CREATE INDEX usage_rollup_app ON usage_rollup (grain, app_id, start);

-- Digests of idempotency keys whose charge was counted, with the time of the use that was charged last.
CREATE TABLE usage_charge (
    app_id TEXT NOT NULL,
    digest BLOB NOT NULL,
    at     INTEGER NOT NULL,
    PRIMARY KEY (app_id, digest)
);
CREATE INDEX usage_charge_at ON usage_charge (at);

-- Unknown and malformed credentials by source and hour.
CREATE TABLE attempt (
    source  TEXT NOT NULL,
    code    TEXT NOT NULL,
    start   INTEGER NOT NULL,
    count   INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    sample  TEXT NOT NULL,
    PRIMARY KEY (source, code, start)
);
CREATE INDEX attempt_start ON attempt (start, source, code);
