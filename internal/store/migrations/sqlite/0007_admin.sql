-- +goose Up
-- What the pages of the administration look for, in the order in which they list it.
CREATE INDEX audit_event_action ON audit_event (action, at, id);
CREATE INDEX audit_event_target ON audit_event (target, at, id);
CREATE INDEX audit_event_actor ON audit_event (actor, at, id);
CREATE INDEX api_key_expires ON api_key (expires_at, id);
CREATE INDEX api_key_team_expires ON api_key (team_id, expires_at, id);
CREATE INDEX app_name ON app (name, created_at, id);
CREATE INDEX app_origin ON app (origin, created_at, id);
CREATE INDEX team_name ON team (name, created_at, id);
