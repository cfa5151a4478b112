/* awspool--1.0--1.1.sql: what version 1.1 changes; awspool--1.1.sql is the whole */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION awspool UPDATE TO '1.1'" to load this file. \quit

--
-- Triggers: sequences follow whatever brings its own number, not just what
-- logical replication applies.
--

COMMENT ON FUNCTION awspool.refuse_used_account() IS
  'Trigger: refuses the id of an account that was used and deleted; moves the sequence on to a position that was not drawn from it.';
COMMENT ON TRIGGER account_refuse_used ON awspool.account IS
  'Refuses the id of an account that was used and deleted; moves the sequence on to a position that was not drawn from it.';

COMMENT ON FUNCTION awspool.follow_sequence() IS
  'Trigger: moves the sequence on to rows that bring their own number.';

DROP TRIGGER account_follow_sequence ON awspool.account;

ALTER TABLE awspool.account_log
  ENABLE ALWAYS TRIGGER account_log_follow_sequence;

COMMENT ON TRIGGER account_log_follow_sequence ON awspool.account_log IS
  'Moves the sequence on to rows that bring their own number.';
