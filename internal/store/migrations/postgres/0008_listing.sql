-- +goose Up
-- Lists of the pages by name, and a team's activity of one kind.
CREATE INDEX app_by_name ON app (LOWER(name), id);
CREATE INDEX app_team_name ON app (team_id, LOWER(name), id);
CREATE INDEX api_key_team_name ON api_key (team_id, LOWER(name), id);
CREATE INDEX team_by_name ON team (LOWER(name), id);
CREATE INDEX users_by_name ON users (LOWER(name), id);
CREATE INDEX users_email_key ON users (email_key, id);
CREATE INDEX audit_event_team_action ON audit_event (team_id, action, at, id);
