-- +goose Up
-- What is in usage_rollup, added up for each team and, where team_id is empty, for all of them together: pages that draw a team's or the
-- server's calls would otherwise read a row of every key.

CREATE TABLE usage_total (
    grain   TEXT NOT NULL,
    start   INTEGER NOT NULL,
    team_id TEXT NOT NULL,
    api     TEXT NOT NULL,
    outcome TEXT NOT NULL,
    mode    TEXT NOT NULL,
    count   INTEGER NOT NULL,
    units   INTEGER NOT NULL,
    PRIMARY KEY (grain, team_id, start, api, outcome, mode)
) WITHOUT ROWID;
INSERT INTO usage_total (grain, start, team_id, api, outcome, mode, count, units)
SELECT grain, start, team_id, api, outcome, mode, CAST(SUM(count) AS BIGINT), CAST(SUM(units) AS BIGINT) FROM usage_rollup WHERE team_id <> '' GROUP BY grain, start, team_id, api, outcome, mode;
INSERT INTO usage_total (grain, start, team_id, api, outcome, mode, count, units)
SELECT grain, start, '', api, outcome, mode, CAST(SUM(count) AS BIGINT), CAST(SUM(units) AS BIGINT) FROM usage_rollup GROUP BY grain, start, api, outcome, mode;

-- The rows of a team lie side by side: adding up a large team's would otherwise fetch each from a page of its own.
CREATE TABLE usage_rollup_by_team (
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
    PRIMARY KEY (grain, team_id, start, app_id, key_id, user_id, api, operation, outcome, mode)
) WITHOUT ROWID;
INSERT INTO usage_rollup_by_team (grain, start, team_id, app_id, key_id, user_id, api, operation, outcome, mode, count, units)
SELECT grain, start, team_id, app_id, key_id, user_id, api, operation, outcome, mode, count, units FROM usage_rollup;
DROP TABLE usage_rollup;
ALTER TABLE usage_rollup_by_team RENAME TO usage_rollup;
CREATE INDEX usage_rollup_start ON usage_rollup (grain, start);
CREATE INDEX usage_rollup_app ON usage_rollup (grain, app_id, start);
