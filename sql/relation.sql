--
-- What the extension's C code takes for granted of its tables and indexes.
--

-- An index that the server does not keep would make what is there look as if it
-- were not.  The SQLSTATE of a statement while one is like that:
CREATE FUNCTION pg_temp.without(index regclass, statement text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
  UPDATE pg_index SET indisvalid = false WHERE indexrelid = index;
  EXECUTE statement;
  RAISE EXCEPTION USING ERRCODE = 'DONE0';
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE;
END $$;
SELECT account_id FROM awspool.add_account('acme', '100000000001', 'MP-0000', 'SPAM');
SELECT c.index, c.statement, pg_temp.without(c.index, c.statement)
FROM (VALUES
  ('awspool.account_pkey', $$SELECT awspool.add_account('acme', '100000000002', 'MP-0000', 'SPAM')$$),
  ('awspool.account_pkey', $$SELECT awspool.edit_account('acme', '100000000001', 'MP-0000', 'ECAM')$$),
  ('awspool.account_pkey', $$SELECT awspool.check_csv('acme', '100000000001;MP-0000;SPAM')$$),
  ('awspool.account_log_used', $$SELECT awspool.import_csv('acme', '100000000002;MP-0000;SPAM')$$),
  ('awspool.account_ready', $$SELECT awspool.claim_account('acme', 'MP-0000')$$),
  ('awspool.account_order', $$SELECT awspool.claim_account('acme', 'MP-0000', 'O-1')$$),
  -- what is not needed, and what another one can do as well
  ('awspool.account_failed', $$SELECT 1 / count(*) FROM awspool.accounts WHERE status = 'ready'$$),
  ('awspool.account_pkey', $$SELECT 1 / count(*) FROM awspool.accounts WHERE account_id = '100000000001'$$),
  ('awspool.account_ready', $$SELECT 1 / count(*) FROM awspool.accounts WHERE status = 'ready' AND marketplace = 'MP-0000'$$)
) c (index, statement) ORDER BY c.index, c.statement;
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'awspool.account_pkey'::regclass;
SELECT outcome FROM awspool.check_csv('acme', '100000000001;MP-0000;SPAM');
REINDEX INDEX awspool.account_pkey;
SELECT outcome FROM awspool.check_csv('acme', '100000000001;MP-0000;SPAM');

-- One that is not there: the extension is.
ALTER INDEX awspool.account_pkey RENAME TO lost;
SELECT outcome FROM awspool.check_csv('acme', '100000000001;MP-0000;SPAM');
ALTER INDEX awspool.lost RENAME TO account_pkey;
SELECT outcome FROM awspool.check_csv('acme', '100000000001;MP-0000;SPAM');
TRUNCATE awspool.account, awspool.account_log;

-- Tables are heap, whatever the database has by default, and become so when a
-- database is updated that made others of them.
CREATE VIEW pg_temp.tables AS
  SELECT count(*), count(*) FILTER (WHERE a.amname = 'heap') AS heap
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_am a ON a.oid = c.relam
  WHERE n.nspname = 'awspool' AND c.relkind = 'r';
CREATE ACCESS METHOD regress_awspool_heap TYPE TABLE HANDLER heap_tableam_handler;
SET default_table_access_method = regress_awspool_heap;
DROP EXTENSION awspool;
CREATE EXTENSION awspool;
SELECT count > 0 AS some, count = heap AS heap FROM pg_temp.tables;
DROP EXTENSION awspool;
CREATE EXTENSION awspool VERSION '1.0';
SELECT count > 0 AS some, heap FROM pg_temp.tables;
SELECT account_id FROM awspool.add_account('acme', '100000000001', 'MP-0000', 'SPAM');
ALTER EXTENSION awspool UPDATE;
SELECT count > 0 AS some, count = heap AS heap FROM pg_temp.tables;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000');
RESET default_table_access_method;
DROP EXTENSION awspool;
DROP ACCESS METHOD regress_awspool_heap;
CREATE EXTENSION awspool;
