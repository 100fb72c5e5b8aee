-- When a credential was tried: what was tried most in a range is told without visiting events.

-- +goose Up

-- Attempts by quarter of an hour and by day, packed (credentialtimes.go). Empty in the rows that are
-- here already: of them is known when the first and the last attempt was.
ALTER TABLE credentials ADD COLUMN times BLOB NOT NULL DEFAULT x'';
