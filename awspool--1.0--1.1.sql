/* awspool--1.0--1.1.sql: what version 1.1 changes; awspool--1.1.sql is the whole */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION awspool UPDATE TO '1.1'" to load this file. \quit

-- What an account was when it was edited, which tells where the edit belongs in
-- its history.
ALTER TABLE awspool.account_log ADD COLUMN status text COLLATE "C";
ALTER TABLE awspool.account_log ALTER status SET STATISTICS 0;

COMMENT ON COLUMN awspool.account_log.status IS
  'Of an edit: what the account was then, which tells where the edit belongs in its history. NULL in edits by version 1.0.';
