-- +goose Up
-- What a user left unticked: they are not asked again for the same.

ALTER TABLE grants ADD COLUMN refused TEXT NOT NULL DEFAULT '[]';
