--
-- What a session keeps of the table's constraints and of the predicates of its
-- indexes: each index has the rows that it should, whatever the table has been
-- through.
--

\set VERBOSITY sqlstate
CREATE EXTENSION amcheck;

-- One account for each way through the life of an order, and a file; and whether
-- all indexes have them where their predicates say so.
CREATE FUNCTION pg_temp.live(n int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  ids text[] := ARRAY(SELECT (900000000000 + n * 10 + i)::text FROM generate_series(0, 5) i);
BEGIN
  FOR i IN 1 .. 6 LOOP
    PERFORM awspool.add_account('acme', ids[i], 'MP-0001', 'SPAM');
  END LOOP;
  FOR i IN 1 .. 4 LOOP
    PERFORM awspool.claim_account('acme', 'MP-0001', format('O-%s-%s', n, i));
  END LOOP;
  PERFORM awspool.allocate_account('acme', ids[1]);
  PERFORM awspool.fail_account('acme', ids[2]);
  PERFORM awspool.invalidate_account('acme', ids[3]);
  PERFORM awspool.invalidate_account('acme', ids[5]);
  PERFORM awspool.edit_account('acme', ids[6], 'MP-0002', 'ECAM');
  PERFORM awspool.import_csv('acme', (
    SELECT string_agg(format('%s;MP-000%s;%s', 800000000000 + n * 100 + i, 3 + i % 2, CASE WHEN i > 10 THEN 'ECAM' ELSE 'SPAM' END), E'\n')
    FROM generate_series(1, 20) i));
  PERFORM bt_index_check(indexrelid, true) FROM pg_index WHERE indrelid = 'awspool.account'::regclass;
  RETURN (SELECT string_agg(status, ' ' ORDER BY position) FROM awspool.account WHERE account_id = ANY (ids));
END $$;

SELECT pg_temp.live(1);
-- kept by now
SELECT pg_temp.live(2);

-- An index comes and goes.
CREATE INDEX regress_awspool_mine ON awspool.account (order_id) WHERE status OPERATOR(pg_catalog.=) 'allocated';
SELECT pg_temp.live(3);
SELECT count(*) FROM awspool.account WHERE status = 'allocated';
REINDEX INDEX awspool.account_failed;
SELECT pg_temp.live(4);
DROP INDEX awspool.regress_awspool_mine;
SELECT pg_temp.live(5);

-- A predicate with a function that changes, and one with the whole row
CREATE FUNCTION public.regress_awspool_open(status text) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN status IN ('ready', 'allocated');
CREATE INDEX regress_awspool_open ON awspool.account (account_id) WHERE public.regress_awspool_open(status);
CREATE INDEX regress_awspool_whole ON awspool.account (account_id) WHERE account.* IS NOT NULL;
CREATE INDEX regress_awspool_some ON awspool.account (account_id) WHERE marketplace OPERATOR(pg_catalog.=) 'MP-0003' AND model OPERATOR(pg_catalog.=) 'ECAM';
CREATE INDEX regress_awspool_even ON awspool.account (account_id) WHERE position OPERATOR(pg_catalog.%) 2 OPERATOR(pg_catalog.=) 0;
SELECT pg_temp.live(6);
SELECT pg_temp.live(7);
DROP INDEX awspool.regress_awspool_open, awspool.regress_awspool_whole, awspool.regress_awspool_some, awspool.regress_awspool_even;
DROP FUNCTION public.regress_awspool_open;

-- Another table, and another extension
TRUNCATE awspool.account;
SELECT pg_temp.live(8);
BEGIN;
DROP EXTENSION awspool;
CREATE EXTENSION awspool;
SELECT pg_temp.live(9);
ROLLBACK;
SELECT pg_temp.live(10);

-- A savepoint that is rolled back while what was kept is made anew
BEGIN;
SAVEPOINT s;
CREATE INDEX regress_awspool_mine ON awspool.account (order_id) WHERE status OPERATOR(pg_catalog.=) 'invalid';
SELECT pg_temp.live(11);
ROLLBACK TO s;
SELECT pg_temp.live(12);
COMMIT;
SELECT pg_temp.live(13);

TRUNCATE awspool.account, awspool.account_log;
DROP FUNCTION pg_temp.live;
DROP EXTENSION amcheck;
