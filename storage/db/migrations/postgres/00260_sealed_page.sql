-- +goose Up
-- PostgreSQL keeps large values apart from rows; the number is SQLite's.
SELECT 1;

-- +goose Down
SELECT 1;
