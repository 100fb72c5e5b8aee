-- Whose a session is: not every decoy's last line tells it again.

-- +goose Up

ALTER TABLE sessions ADD COLUMN attacker TEXT NOT NULL DEFAULT '';
