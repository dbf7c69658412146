-- +goose Up
-- By which way a report came, and when what was found ends where its owners get notice. due_at stays when it is over: outcome says
-- whether it waits.
ALTER TABLE leak ADD COLUMN source TEXT NOT NULL DEFAULT 'report';
ALTER TABLE leak ADD COLUMN due_at BIGINT NOT NULL DEFAULT 0; -- 0: at once, or never
CREATE INDEX leak_due ON leak (due_at, id) WHERE outcome = 'waiting';
CREATE INDEX leak_user ON leak (user_id, found_at, id) WHERE user_id <> '';
