/* awspool--1.0--1.1.sql: what version 1.1 changes; awspool--1.1.sql is the whole */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION awspool UPDATE TO '1.1'" to load this file. \quit

-- The C code knows heap tables.  The server does nothing where they are that.
ALTER TABLE awspool.account SET ACCESS METHOD heap;
ALTER TABLE awspool.account_log SET ACCESS METHOD heap;
ALTER TABLE awspool.provider_role SET ACCESS METHOD heap;
ALTER TABLE awspool.arrival_count SET ACCESS METHOD heap;
ALTER TABLE awspool.pool_start SET ACCESS METHOD heap;
