-- +goose Up
-- Which plan a team has for an API, from when on: the last row that has begun holds, and one to come is a change that was decided.
-- An empty plan is the API's default. Rows outlive their API, since bills are made of them.
ALTER TABLE subscription RENAME TO subscription_before;
DROP INDEX subscription_plan;
CREATE TABLE subscription (
    team_id TEXT NOT NULL REFERENCES team (id),
    api     TEXT NOT NULL,
    plan    TEXT NOT NULL,
    since   INTEGER NOT NULL DEFAULT 0, -- a whole minute, as usage is counted; 0: before this was kept
    PRIMARY KEY (team_id, api, since)
);
INSERT INTO subscription (team_id, api, plan, since) SELECT team_id, api, plan, since - since % 60000000 FROM subscription_before;
DROP TABLE subscription_before;

-- What plans were declared as, and from when on. Rows are never changed. An empty spec says that the plan was taken away.
CREATE TABLE plan_version (
    id     TEXT NOT NULL PRIMARY KEY,
    api    TEXT NOT NULL,
    plan   TEXT NOT NULL,
    number INTEGER NOT NULL,
    since  INTEGER NOT NULL, -- a whole minute
    spec   TEXT NOT NULL,
    UNIQUE (api, plan, number)
);
