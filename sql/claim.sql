--
-- claim_account: the oldest ready account, for one order, once.
--

-- The SQLSTATE of a statement, or "done"; either way it leaves no trace.
CREATE FUNCTION pg_temp.outcome(statement text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE statement;
  RAISE EXCEPTION USING ERRCODE = 'DONE0';
EXCEPTION WHEN OTHERS THEN
  RETURN CASE SQLSTATE WHEN 'DONE0' THEN 'done' ELSE SQLSTATE END;
END $$;

-- An empty pool: zero rows, with an order and without, and no error.
SELECT count(*) FROM awspool.claim_account('acme', 'MP-0000');
SELECT count(*) FROM awspool.claim_account('acme', 'MP-0000', 'O-1');

-- Oldest first: in the order of adding, not of ids; each pool by itself.
SELECT account_id FROM awspool.add_account('acme', '400000000005', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.add_account('acme', '400000000001', 'MP-0000', 'ECAM');
SELECT account_id FROM awspool.add_account('acme', '400000000003', 'MP-1111', 'SPAM');
SELECT account_id FROM awspool.add_account('other', '400000000002', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.add_account('acme', '400000000004', 'MP-0000', 'SPAM');
SELECT provider, account_id, marketplace, model, status, order_id, order_model, reason, added_by = current_user AS added_by_me,
       claimed_at BETWEEN now() AND clock_timestamp() AS claimed_now, claimed_at >= added_at AS in_order, claimed_by = current_user AS claimed_by_me, closed_at, closed_by
FROM awspool.claim_account(provider => 'acme', marketplace => 'MP-0000', order_id => 'O-1');
SELECT account_id, order_id, order_model FROM awspool.claim_account('acme', 'MP-0000');
SELECT account_id, order_id FROM awspool.claim_account('acme', 'MP-0000', 'O-2');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-3');
SELECT account_id, status, order_id FROM awspool.accounts ORDER BY account_id;

-- What was returned is what is stored.
SELECT count(*) FROM (SELECT * FROM awspool.claim_account('acme', 'MP-0000', 'O-1') INTERSECT TABLE awspool.accounts) same;

-- A retry returns what the order holds, again and again, also from an empty
-- pool, also when new stock came, also when it is allocated.
SELECT account_id, status FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
SELECT account_id FROM awspool.add_account('acme', '400000000006', 'MP-0000', 'SPAM');
SELECT account_id, status FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
SELECT account_id, status FROM awspool.allocate_account('acme', '400000000005', 'O-1');
SELECT account_id, status FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
-- the order of another provider is another order
SELECT account_id, order_id FROM awspool.claim_account('other', 'MP-0000', 'O-1');
SELECT account_id, order_id FROM awspool.claim_account('other', 'MP-0000', 'O-1');
-- without an order each claim is a new one
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000');
SELECT count(*) FROM awspool.claim_account('acme', 'MP-0000');

-- An order whose account is of another marketplace than asked, in progress or
-- allocated, whether that one has stock or not.
SELECT awspool.claim_account('acme', 'MP-1111', 'O-2');
\set VERBOSITY sqlstate
SELECT awspool.claim_account('acme', 'MP-1111', 'O-1');
SELECT awspool.claim_account('acme', 'MP-2222', 'O-1');
\set VERBOSITY default
SELECT account_id, status FROM awspool.accounts WHERE marketplace = 'MP-1111';
-- ... which it does not hold any more once the account failed or is deleted
SELECT account_id, status FROM awspool.fail_account('acme', '400000000004', 'broken', 'O-2');
SELECT account_id, status FROM awspool.claim_account('acme', 'MP-1111', 'O-2');
\set VERBOSITY sqlstate
SELECT awspool.claim_account('acme', 'MP-0000', 'O-2');
\set VERBOSITY default
SELECT account_id, status FROM awspool.delete_account('acme', '400000000005');
SELECT account_id FROM awspool.add_account('acme', '400000000007', 'MP-2222', 'SPAM');
SELECT account_id, order_id FROM awspool.claim_account('acme', 'MP-2222', 'O-1');
TRUNCATE awspool.account, awspool.account_log;

-- One that is not ready is never claimed, however it came to be so.
SELECT count(*) FROM awspool.import_csv('acme', $$400000000001;MP-0000;SPAM
400000000002;MP-0000;SPAM
400000000003;MP-0000;SPAM
400000000004;MP-0000;SPAM
400000000005;MP-0000;SPAM$$);
SELECT account_id FROM awspool.invalidate_account('acme', '400000000001');
SELECT account_id FROM awspool.delete_account('acme', '400000000002');
SELECT account_id FROM awspool.edit_account('acme', '400000000003', 'MP-1111');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000');
SELECT account_id FROM awspool.allocate_account('acme', '400000000004');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000');
SELECT account_id FROM awspool.fail_account('acme', '400000000005');
SELECT count(*) FROM awspool.claim_account('acme', 'MP-0000');
TRUNCATE awspool.account, awspool.account_log;

-- With your transaction: rolled back, and the account is ready again, in its
-- old place, and the order holds nothing.
SELECT count(*) FROM awspool.import_csv('acme', $$400000000001;MP-0000;SPAM
400000000002;MP-0000;SPAM
400000000003;MP-0000;SPAM
400000000004;MP-0000;SPAM
400000000005;MP-0000;SPAM$$);
BEGIN;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-2');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
ROLLBACK;
SELECT account_id, status, order_id, order_model, claimed_at, claimed_by FROM awspool.accounts ORDER BY account_id;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-2');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-1');

-- Savepoints: what is rolled back comes first again, what is released stays.
BEGIN;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-3');
SAVEPOINT a;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-4');
SAVEPOINT b;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-5');
SELECT count(*) FROM awspool.claim_account('acme', 'MP-0000', 'O-6');
ROLLBACK TO b;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-6');
RELEASE b;
ROLLBACK TO a;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-6');
RELEASE a;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-6');
COMMIT;
SELECT account_id, status, order_id FROM awspool.accounts ORDER BY account_id;
TRUNCATE awspool.account, awspool.account_log;

-- EXCEPTION blocks: every second claim is undone, a hundred times over; no
-- account is lost and none is skipped.
SELECT count(*) FROM awspool.import_csv('acme',
  (SELECT string_agg(400000000000 + n || ';MP-0000;SPAM', E'\n' ORDER BY n) FROM generate_series(1, 50) n));
DO $$
DECLARE
  expected bigint := 400000000001;
  got text;
BEGIN
  FOR i IN 1..100 LOOP
    BEGIN
      SELECT account_id INTO STRICT got FROM awspool.claim_account('acme', 'MP-0000', 'O-' || (i + 1) / 2);
      ASSERT got = expected::text, format('claim %s got %s, not %s', i, got, expected);
      IF i % 2 = 1 THEN
        RAISE division_by_zero;
      END IF;
      expected := expected + 1;
    EXCEPTION WHEN division_by_zero THEN
      NULL;
    END;
  END LOOP;
END $$;
SELECT status, count(*), count(DISTINCT order_id) AS orders FROM awspool.accounts GROUP BY status ORDER BY status;
SELECT count(*) FROM awspool.accounts WHERE right(account_id, 2)::int <> substr(order_id, 3)::int;
TRUNCATE awspool.account, awspool.account_log;

-- The stricter isolation levels: a claim acts on the present, its retry and
-- its end see it, and so does the rest of the transaction.
SELECT count(*) FROM awspool.import_csv('acme', $$400000000001;MP-0000;SPAM
400000000002;MP-0000;SPAM
400000000003;MP-0000;SPAM
400000000004;MP-0000;SPAM$$);
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM awspool.accounts WHERE status = 'ready';
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
SAVEPOINT s;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-2');
ROLLBACK TO s;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-3');
SELECT account_id, status FROM awspool.allocate_account('acme', '400000000001', 'O-1');
SELECT account_id, status, order_id FROM awspool.accounts ORDER BY account_id;
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-4');
SELECT account_id FROM awspool.replace_account('acme', '400000000003', 'broken');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-4');
SELECT account_id, status, order_id FROM awspool.accounts ORDER BY account_id;
COMMIT;
SELECT account_id, status, order_id FROM awspool.accounts ORDER BY account_id;
TRUNCATE awspool.account, awspool.account_log;

-- A transaction that may not write fails cleanly, whether there is anything to
-- claim or not, and whether the order holds something already.
SELECT count(*) FROM awspool.import_csv('acme', $$400000000001;MP-0000;SPAM
400000000002;MP-0000;SPAM$$);
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
\set VERBOSITY sqlstate
BEGIN READ ONLY;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000');
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
ROLLBACK;
SET default_transaction_read_only = on;
SELECT account_id FROM awspool.claim_account('acme', 'MP-9999');
RESET default_transaction_read_only;
\set VERBOSITY default
SELECT account_id, status, order_id FROM awspool.accounts ORDER BY account_id;
TRUNCATE awspool.account, awspool.account_log;

-- However it is called: once for each time that it runs, not for each row
-- that the planner thinks of.
SELECT count(*) FROM awspool.import_csv('acme',
  (SELECT string_agg(400000000000 + n || ';MP-0000;SPAM', E'\n' ORDER BY n) FROM generate_series(1, 20) n));
SELECT (c).account_id FROM (SELECT awspool.claim_account('acme', 'MP-0000') AS c OFFSET 0) s;
SELECT i, c.account_id FROM generate_series(1, 3) i, awspool.claim_account('acme', 'MP-0000', 'O-' || i) c ORDER BY i;
SELECT i, c.account_id FROM generate_series(1, 3) i, awspool.claim_account('acme', 'MP-0000', 'O-2') c ORDER BY i;
WITH claimed AS (SELECT * FROM awspool.claim_account('acme', 'MP-0000'))
SELECT a.account_id, b.account_id FROM claimed a, claimed b;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000') LIMIT 0;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000') WHERE false;
PREPARE claim (text) AS SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', $1);
EXECUTE claim ('O-10');
EXECUTE claim ('O-11');
EXECUTE claim ('O-10');
EXECUTE claim (NULL);
EXECUTE claim (NULL);
EXECUTE claim (NULL);
EXECUTE claim (NULL);
DEALLOCATE claim;
BEGIN;
DECLARE c CURSOR FOR SELECT account_id FROM awspool.claim_account('acme', 'MP-0000');
FETCH c;
FETCH c;
CLOSE c;
COMMIT;
CREATE TEMP TABLE taken AS SELECT * FROM awspool.claim_account('acme', 'MP-0000', 'O-20');
SELECT account_id, order_id FROM taken;
CREATE FUNCTION pg_temp.take(o text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  RETURN (SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', o));
END $$;
SELECT pg_temp.take('O-21'), pg_temp.take('O-22'), pg_temp.take('O-21');
SELECT count(*) FROM awspool.accounts WHERE status = 'ready';
TRUNCATE awspool.account, awspool.account_log;
DROP TABLE taken;

-- In one statement with what adds the stock; and with what changes it, where
-- there is no telling which comes first, but no account is lost or sold.
SELECT account_id FROM awspool.add_account('acme', '400000000001', 'MP-0000', 'SPAM');
SELECT a.account_id AS added, c.account_id AS claimed
FROM awspool.delete_account('acme', '400000000001') d, awspool.add_account('acme', d.account_id, 'MP-0000', 'SPAM') a,
  awspool.claim_account(a.provider, a.marketplace) c;
SELECT account_id FROM awspool.add_account('acme', '400000000002', 'MP-0000', 'SPAM');
SELECT pg_temp.outcome(format($$WITH e AS (UPDATE awspool.account SET model = 'ECAM' WHERE status = 'ready' RETURNING account_id)
  SELECT * FROM e, %s$$, call)) IN ('done', '27000', '40001') AS harmless, call
FROM (VALUES ('awspool.claim_account(''acme'', ''MP-0000'')'), ('awspool.delete_account(''acme'', e.account_id)'),
        ('awspool.invalidate_account(''acme'', e.account_id)'), ('awspool.edit_account(''acme'', e.account_id, model => ''SPAM'')')) v (call)
ORDER BY call;
SELECT account_id, model, status FROM awspool.accounts ORDER BY account_id;
TRUNCATE awspool.account, awspool.account_log;

-- The application's own advisory locks are left alone.
SELECT account_id FROM awspool.add_account('acme', '400000000001', 'MP-0000', 'SPAM');
BEGIN;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory' AND objsubid IN (1, 2);
ROLLBACK;
TRUNCATE awspool.account, awspool.account_log;

-- Acknowledged is durable, whatever the client wants: the log is on disk when
-- COMMIT returns.  The client's own choice is back afterwards.
SELECT count(*) FROM awspool.import_csv('acme', E'400000000001;MP-0000;SPAM\n400000000002;MP-0000;SPAM\n400000000003;MP-0000;SPAM\n400000000004;MP-0000;SPAM');
SET synchronous_commit = off;
BEGIN;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
SELECT pg_current_wal_insert_lsn() AS lsn \gset
COMMIT;
SELECT pg_current_wal_flush_lsn() >= :'lsn' AS flushed;
BEGIN;
SELECT account_id, status FROM awspool.allocate_account('acme', '400000000001', 'O-1');
SELECT pg_current_wal_insert_lsn() AS lsn \gset
COMMIT;
SELECT pg_current_wal_flush_lsn() >= :'lsn' AS flushed;
BEGIN;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-2');
SET LOCAL synchronous_commit = off;
SELECT pg_current_wal_insert_lsn() AS lsn \gset
COMMIT;
SELECT pg_current_wal_flush_lsn() >= :'lsn' AS flushed;
BEGIN;
SELECT account_id FROM awspool.replace_account('acme', '400000000002', 'broken', 'O-2');
SELECT pg_current_wal_insert_lsn() AS lsn \gset
COMMIT;
SELECT pg_current_wal_flush_lsn() >= :'lsn' AS flushed;
BEGIN;
SELECT account_id, status FROM awspool.fail_account('acme', '400000000003', 'broken', 'O-2');
SELECT pg_current_wal_insert_lsn() AS lsn \gset
COMMIT;
SELECT pg_current_wal_flush_lsn() >= :'lsn' AS flushed;
BEGIN;
SELECT account_id, status FROM awspool.invalidate_account('acme', '400000000004');
SELECT pg_current_wal_insert_lsn() AS lsn \gset
COMMIT;
SELECT pg_current_wal_flush_lsn() >= :'lsn' AS flushed;
SHOW synchronous_commit;
BEGIN;
SELECT count(*) FROM awspool.claim_account('acme', 'MP-0000');
SHOW synchronous_commit;
ROLLBACK;
SHOW synchronous_commit;
RESET synchronous_commit;
TRUNCATE awspool.account, awspool.account_log;

-- A pool of 100,000 accounts in the middle of others, older and younger: a
-- claim and its retry use the ready index and read a handful of rows.
INSERT INTO awspool.account (provider, account_id, marketplace, model)
SELECT v.provider, 500000000000 + 1000000 * v.n + i, v.marketplace, 'SPAM'
FROM (VALUES (1, 'acme', 'MP-0000', 5000), (2, 'aaaa', 'MP-5555', 5000), (3, 'acme', 'MP-5555', 100000),
        (4, 'acme', 'MP-9999', 5000), (5, 'zzzz', 'MP-5555', 5000)) v (n, provider, marketplace, size),
     generate_series(1, v.size) i
ORDER BY v.n, i;
ANALYZE awspool.account;
-- a used head, as every pool has
SELECT count(*) FROM generate_series(1, 100) i, awspool.claim_account('acme', 'MP-5555', 'O-' || i);
-- what this transaction has scanned and read so far
CREATE FUNCTION pg_temp.work(OUT seq_scans bigint, OUT rows_read bigint, OUT ready_scans bigint) LANGUAGE sql AS $$
  SELECT pg_stat_get_xact_numscans('awspool.account'::regclass),
         pg_stat_get_xact_tuples_fetched('awspool.account'::regclass) + pg_stat_get_xact_tuples_returned('awspool.account'::regclass),
         pg_stat_get_xact_numscans('awspool.account_ready'::regclass);
$$;
BEGIN;
SELECT seq_scans AS seq, rows_read AS rows, ready_scans AS ready FROM pg_temp.work() \gset before_
SELECT account_id FROM awspool.claim_account('acme', 'MP-5555', 'O-1000');
SELECT seq_scans - :before_seq AS seq_scans, rows_read - :before_rows < 300 AS few_rows,
       ready_scans > :before_ready AS by_ready_index FROM pg_temp.work();
SELECT seq_scans AS seq, rows_read AS rows, ready_scans AS ready FROM pg_temp.work() \gset before_
SELECT account_id FROM awspool.claim_account('acme', 'MP-5555', 'O-1000');
SELECT seq_scans - :before_seq AS seq_scans, rows_read - :before_rows < 10 AS few_rows FROM pg_temp.work();
SELECT seq_scans AS seq, rows_read AS rows, ready_scans AS ready FROM pg_temp.work() \gset before_
SELECT account_id FROM awspool.replace_account('acme', '500003000101', 'broken');
SELECT seq_scans - :before_seq AS seq_scans, rows_read - :before_rows < 300 AS few_rows,
       ready_scans > :before_ready AS by_ready_index FROM pg_temp.work();
SELECT seq_scans AS seq, rows_read AS rows, ready_scans AS ready FROM pg_temp.work() \gset before_
SELECT count(*) FROM awspool.claim_account('acme', 'MP-7777');
SELECT seq_scans - :before_seq AS seq_scans, rows_read - :before_rows < 10 AS few_rows FROM pg_temp.work();
COMMIT;
-- the measure itself: a scan of the table shows
BEGIN;
SET LOCAL enable_indexscan = off;
SET LOCAL enable_indexonlyscan = off;
SET LOCAL enable_bitmapscan = off;
SET LOCAL max_parallel_workers_per_gather = 0;
SELECT seq_scans AS seq, rows_read AS rows FROM pg_temp.work() \gset before_
SELECT count(*) FROM awspool.account;
SELECT seq_scans - :before_seq AS seq_scans, rows_read - :before_rows >= 120000 AS all_rows FROM pg_temp.work();
COMMIT;

-- Through a pooler: nothing of it hangs on the session.
TRUNCATE awspool.account, awspool.account_log;
SELECT count(*) FROM awspool.import_csv('acme', E'400000000001;MP-0000;SPAM\n400000000002;MP-0000;SPAM');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
DISCARD ALL;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-2');
DISCARD ALL;
SELECT account_id, status FROM awspool.allocate_account('acme', '400000000001', 'O-1');
SELECT count(*) FROM awspool.claim_account('acme', 'MP-0000', 'O-3');

TRUNCATE awspool.account, awspool.account_log, awspool.provider_role;
