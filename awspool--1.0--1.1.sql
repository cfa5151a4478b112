/* awspool--1.0--1.1.sql: what version 1.1 changes; awspool--1.1.sql is the whole */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION awspool UPDATE TO '1.1'" to load this file. \quit

-- What an account was when it was edited, which tells where the edit belongs in
-- its history.
ALTER TABLE awspool.account_log ADD COLUMN status text COLLATE "C";
ALTER TABLE awspool.account_log ALTER status SET STATISTICS 0;

COMMENT ON COLUMN awspool.account_log.status IS
  'Of an edit: what the account was then, which tells where the edit belongs in its history. NULL in edits by version 1.0.';

-- Arrivals are counted by pool.
INSERT INTO awspool.arrival_count
  SELECT i OPERATOR(pg_catalog.*) 1099511627776
  FROM pg_catalog.generate_series(0::bigint, 200) i;

COMMENT ON TABLE awspool.arrival_count IS
  'Goes up whenever an account may have arrived before others in its pool, other than by being added: by an edit, a restore, replication or hand. Tells sessions to look at their pools anew. One page of rows, changed in place, and not dumped.';
