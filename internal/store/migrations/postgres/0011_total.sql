-- +goose Up
-- What is in usage_rollup, added up for each team and, where team_id is empty, for all of them together: pages that draw a team's or the
-- server's calls would otherwise read a row of every key.

CREATE TABLE usage_total (
    grain   TEXT NOT NULL,
    start   BIGINT NOT NULL,
    team_id TEXT NOT NULL,
    api     TEXT NOT NULL,
    outcome TEXT NOT NULL,
    mode    TEXT NOT NULL,
    count   BIGINT NOT NULL,
    units   BIGINT NOT NULL,
    PRIMARY KEY (grain, team_id, start, api, outcome, mode)
);
INSERT INTO usage_total (grain, start, team_id, api, outcome, mode, count, units)
SELECT grain, start, team_id, api, outcome, mode, CAST(SUM(count) AS BIGINT), CAST(SUM(units) AS BIGINT) FROM usage_rollup WHERE team_id <> '' GROUP BY grain, start, team_id, api, outcome, mode;
INSERT INTO usage_total (grain, start, team_id, api, outcome, mode, count, units)
SELECT grain, start, '', api, outcome, mode, CAST(SUM(count) AS BIGINT), CAST(SUM(units) AS BIGINT) FROM usage_rollup GROUP BY grain, start, api, outcome, mode;

-- As on SQLite, where it makes the rows of a team lie side by side; here it saves the index by team.
ALTER TABLE usage_rollup DROP CONSTRAINT usage_rollup_pkey;
ALTER TABLE usage_rollup ADD PRIMARY KEY (grain, team_id, start, app_id, key_id, user_id, api, operation, outcome, mode);
DROP INDEX usage_rollup_team;
CREATE INDEX usage_rollup_start ON usage_rollup (grain, start);
