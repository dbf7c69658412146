-- +goose Up
-- Limits of a team and of a user, kept as an app's are: JSON.
ALTER TABLE team ADD COLUMN limits TEXT NOT NULL DEFAULT 'null';
ALTER TABLE users ADD COLUMN limits TEXT NOT NULL DEFAULT 'null';
