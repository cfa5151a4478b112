-- What fuzz.c finds in its database: a pool that has an account for each
-- outcome that a row can meet.

CREATE EXTENSION awspool;
SELECT awspool.grant_provider('acme', 'distributor');

CREATE PROCEDURE fuzz(arguments text) AS 'fuzz', 'fuzz' LANGUAGE c;

CREATE FUNCTION renew_pool() RETURNS void LANGUAGE sql SECURITY DEFINER AS $$
  TRUNCATE awspool.account, awspool.account_log;
  -- used before, by either provider
  SELECT awspool.add_account('acme', '100000000001', 'MP-0000', 'SPAM');
  SELECT awspool.invalidate_account('acme', '100000000001');
  SELECT awspool.delete_account('acme', '100000000001');
  SELECT awspool.add_account('other', '200000000001', 'MP-0000', 'SPAM');
  SELECT awspool.invalidate_account('other', '200000000001');
  SELECT awspool.delete_account('other', '200000000001');
  -- in the pool, one of them in use; in somebody else's
  SELECT awspool.add_account('acme', '100000000002', 'MP-0000', 'SPAM');
  SELECT awspool.claim_account('acme', 'MP-0000', 'O-1');
  SELECT awspool.add_account('acme', '100000000003', 'MP-0000', 'ECAM');
  SELECT awspool.add_account('other', '200000000002', 'MP-0000', 'SPAM');
$$;
