-- +goose Up
-- How much a key may use in a period, as "1000/month"; empty: no quota of its own.
ALTER TABLE api_key ADD COLUMN quota TEXT NOT NULL DEFAULT '';
