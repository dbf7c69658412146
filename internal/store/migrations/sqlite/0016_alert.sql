-- +goose Up
-- How much a key may use in a period, as "1000/month"; empty: no quota of its own.
ALTER TABLE api_key ADD COLUMN quota TEXT NOT NULL DEFAULT '';

-- What is told once can have a mail that is still to be written (1): who writes it needs more than a step of the database has.
ALTER TABLE outbox ADD COLUMN mail INTEGER NOT NULL DEFAULT 0;
CREATE INDEX outbox_mail ON outbox (created_at) WHERE mail = 1;

-- Up to which mark a quota was told of: "80/1000" is 80 hundredths of 1000 units.
ALTER TABLE quota ADD COLUMN told TEXT NOT NULL DEFAULT '';

-- Whose spending is watched (1), and when it is to be compared with its limit and alerts; 0: nothing was used since it was.
ALTER TABLE billing_account ADD COLUMN watched INTEGER NOT NULL DEFAULT 0;
ALTER TABLE billing_account ADD COLUMN look_at INTEGER NOT NULL DEFAULT 0;
UPDATE billing_account SET due_at = 1, look_at = 1; -- whoever looks finds out whose is
CREATE INDEX billing_account_look ON billing_account (look_at) WHERE look_at > 0;

-- Amounts that a team wants to be told of when the open bill passes them, in the currency of its plan.
CREATE TABLE spend_alert (
    team_id TEXT NOT NULL,
    api     TEXT NOT NULL,
    amount  INTEGER NOT NULL, -- micro-units
    PRIMARY KEY (team_id, api, amount)
);
