/* awspool--1.0--1.1.sql: what version 1.1 changes; awspool--1.1.sql is the whole */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION awspool UPDATE TO '1.1'" to load this file. \quit

--
-- Tables
--

-- The accounts of each provider, oldest first: where the views look.
DROP INDEX awspool.account_provider;
CREATE INDEX account_provider ON awspool.account (provider, position);

COMMENT ON INDEX awspool.account_provider IS
  'The accounts of each provider, oldest first: where the views look.';

-- The accounts in progress of each provider, the longest first.
CREATE INDEX account_in_progress ON awspool.account (provider, claimed_at)
  WHERE status OPERATOR(pg_catalog.=) 'provisioning_in_progress';

COMMENT ON INDEX awspool.account_in_progress IS
  'The accounts in progress of each provider, the longest first.';

-- The accounts that failed or are invalid, by the order they were claimed for.
CREATE INDEX account_failed ON awspool.account (provider, order_id)
  WHERE status OPERATOR(pg_catalog.=) 'provisioning_failed'
     OR status OPERATOR(pg_catalog.=) 'invalid';

COMMENT ON INDEX awspool.account_failed IS
  'The accounts that failed or are invalid, by the order they were claimed for.';

--
-- Views.  No statement changes the collation of a view's column, so this is
-- done in the catalog: what depends on the views may stay.
--

UPDATE pg_catalog.pg_attribute
SET attcollation = (SELECT oid FROM pg_catalog.pg_collation
                    WHERE collname OPERATOR(pg_catalog.=) 'default'
                      AND collnamespace OPERATOR(pg_catalog.=) 'pg_catalog'::pg_catalog.regnamespace)
WHERE attrelid IN ('awspool.accounts'::pg_catalog.regclass,
                   'awspool.pool_status'::pg_catalog.regclass,
                   (SELECT typrelid FROM pg_catalog.pg_type
                    WHERE oid OPERATOR(pg_catalog.=) 'awspool.account_row'::pg_catalog.regtype))
  AND attcollation OPERATOR(pg_catalog.=)
      (SELECT oid FROM pg_catalog.pg_collation
       WHERE collname OPERATOR(pg_catalog.=) 'C'
         AND collnamespace OPERATOR(pg_catalog.=) 'pg_catalog'::pg_catalog.regnamespace);

ALTER TYPE awspool.account_row ADD ATTRIBUTE position bigint;

-- Tells the planner how many accounts there are, and how to read them.
CREATE FUNCTION awspool.plan_accounts(internal) RETURNS internal
AS 'MODULE_PATHNAME', 'awspool_plan_accounts' LANGUAGE C;

COMMENT ON FUNCTION awspool.plan_accounts(internal) IS
  'Planner support of awspool.visible_accounts: how many accounts there are, and how to read them.';

REVOKE ALL ON FUNCTION awspool.plan_accounts(internal) FROM PUBLIC;

-- The accounts of the caller's providers.
CREATE FUNCTION awspool.visible_accounts()
RETURNS SETOF awspool.account_row
AS 'MODULE_PATHNAME', 'awspool_visible_accounts'
LANGUAGE C STABLE SUPPORT awspool.plan_accounts;

COMMENT ON FUNCTION awspool.visible_accounts() IS
  'The accounts of the caller''s providers, as view awspool.accounts shows them.';

-- The accounts of the caller's providers; changing it does what the functions do.
CREATE OR REPLACE VIEW awspool.accounts AS
  SELECT provider, account_id, marketplace, model, status, order_id,
         order_model, reason, added_at, added_by, claimed_at, claimed_by,
         closed_at, closed_by, position
  FROM awspool.visible_accounts();

COMMENT ON COLUMN awspool.accounts.position IS
  'Its age: a lower position is an older account, which is claimed first. Unique; what to sort and page by.';

DROP FUNCTION awspool.visible_accounts(text[], text, text, text, text);
DROP FUNCTION awspool.narrow_accounts(internal);

CREATE OR REPLACE VIEW awspool.pool_status WITH (security_barrier) AS
  SELECT provider, marketplace, ready, provisioning_in_progress, allocated,
         provisioning_failed, invalid, oldest_ready_at, claims_24h, claims_7d
  FROM awspool.count_pools();
