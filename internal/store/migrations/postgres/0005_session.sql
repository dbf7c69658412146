-- +goose Up
-- Apps hear that a session ended under the name that they know it by, from a notice that was written when it ended.

-- As which apps know the session: the id of the first, when its user logged in again over it.
ALTER TABLE session ADD COLUMN alias TEXT NOT NULL DEFAULT '';
UPDATE session SET alias = id;
CREATE UNIQUE INDEX session_alias ON session (alias);

-- An app that has to be told that a session ended. Nothing in it is secret.
CREATE TABLE logout_notice (
    alias      TEXT NOT NULL,
    app_id     TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    attempts   BIGINT NOT NULL,
    next_at    BIGINT NOT NULL,
    last_error TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (alias, app_id)
);
CREATE INDEX logout_notice_next ON logout_notice (next_at, alias, app_id);

-- Sealed notices of before are over: nobody reads them any more.
DELETE FROM delivery WHERE kind = 'logout';
