--
-- How view accounts is read: along which index, and by whom.  The answers are
-- compared with those of a table by test/t/read.pl.
--

CREATE ROLE regress_awspool_acme;
CREATE ROLE regress_awspool_both;
SELECT awspool.grant_provider('acme', 'regress_awspool_acme');
SELECT awspool.grant_provider('acme', 'regress_awspool_both');
SELECT awspool.grant_provider('other', 'regress_awspool_both');
INSERT INTO awspool.accounts (provider, account_id, marketplace, model)
SELECT CASE i % 3 WHEN 0 THEN 'other' ELSE 'acme' END, (900000000000 + i)::text, 'MP-000' || i % 2, 'SPAM' FROM generate_series(1, 9) i;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0001', 'O-1');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0001', 'O-2');
SELECT status FROM awspool.fail_account('acme', '900000000005', 'why', 'O-2');
CREATE TABLE regress_awspool_order (order_id text, account_id text);
INSERT INTO regress_awspool_order VALUES ('O-1', '900000000001'), ('O-2', '900000000002'), ('O-3', '900000000003');
ANALYZE regress_awspool_order;
GRANT SELECT ON regress_awspool_order TO PUBLIC;

-- What a plan says of it, without the rest of the plan, and without what
-- servers write differently: what a subselect found, and alternatives.
CREATE FUNCTION pg_temp.read_by(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    IF line ~ 'Read By|Function Scan|Sort$' THEN
      line := regexp_replace(btrim(line, ' ->'), '^Read By: ', '');
      line := regexp_replace(line, '\$0|\(InitPlan [^)]*\)\.col1', '(subselect)');
      RETURN NEXT regexp_replace(line, '(\w+) = (\S+ or \1.*|ANY .*)', '\1 = several');
    END IF;
  END LOOP;
END $$;

-- Enough others, so that it matters how they are read.
INSERT INTO awspool.account (provider, account_id, marketplace, model, status, closed_at, closed_by)
SELECT 'third', (800000000000 + i)::text, 'MP-0000', 'SPAM', 'invalid', now(), 'somebody' FROM generate_series(1, 5000) i;

SET ROLE regress_awspool_acme;

--
-- Along which index
--

CREATE TEMP TABLE query (n serial, query text);
INSERT INTO query (query) VALUES
  ('WHERE account_id = ''900000000001'''),
  ('WHERE ''900000000001'' = account_id'),
  ('WHERE account_id IN (''900000000002'', NULL, ''900000000001'')'),
  ('WHERE account_id = ANY (array_remove(''{900000000001}''::text[], current_user::text))'),
  ('WHERE account_id = ''900000000001''::varchar'),
  ('WHERE account_id = NULL::text'),
  ('WHERE account_id = (SELECT max(account_id) FROM regress_awspool_order)'),
  ('WHERE account_id = lower(''900000000001'')'),
  ('WHERE account_id = right(random()::text, 1)'),
  ('WHERE account_id = order_id'),
  ('WHERE account_id <= ''900000000002'''),
  ('WHERE account_id <> ALL (''{900000000001}'')'),
  ('WHERE account_id = ''900000000001'' OR account_id IN (''900000000004'', ''x'')'),
  ('WHERE account_id = ''900000000001'' OR order_id = ''O-1'''),
  ('WHERE account_id = ''900000000001'' OR order_id = ''O-1'' OR account_id = ANY (''{900000000004}'') AND model = ''SPAM'''),
  ('WHERE provider = ''acme'' AND (order_id = ANY (NULL::text[]) OR account_id = ''900000000001'')'),
  ('WHERE account_id = ''900000000001'' OR order_id = ''O-1'' OR reason = ''why'''),
  ('WHERE account_id = ''900000000001'' AND (account_id = ''900000000001'' OR order_id = ''O-1'')'),
  ('WHERE account_id = ANY (''{}'')'),
  ('WHERE NOT account_id = ''900000000001'''),
  ('WHERE (provider, account_id) IN ((''acme'', ''900000000001''), (''other'', ''900000000003''))'),
  ('WHERE order_id = ''O-1'''),
  ('WHERE provider = ''acme'' AND order_id IN (''O-1'', ''O-2'')'),
  ('WHERE order_id IS NULL'),
  ('WHERE status = ''ready'' AND marketplace = ''MP-0000'' ORDER BY position LIMIT 5'),
  ('WHERE status = ''ready'' AND marketplace = ''MP-0000'' ORDER BY position DESC LIMIT 5'),
  ('WHERE status = ''ready'' AND marketplace IN (''MP-0000'', ''MP-0001'') ORDER BY position LIMIT 5'),
  ('WHERE status = ''ready'' ORDER BY position LIMIT 5'),
  ('WHERE status = ''provisioning_in_progress'' AND claimed_at < now() - interval ''1 hour'''),
  ('WHERE status = ''provisioning_in_progress'' ORDER BY claimed_at LIMIT 5'),
  ('WHERE status IN (''invalid'', ''provisioning_failed'')'),
  ('WHERE status IN (''invalid'', ''allocated'')'),
  ('ORDER BY position LIMIT 5'),
  ('ORDER BY position DESC LIMIT 5'),
  ('WHERE position < 1000 ORDER BY position DESC LIMIT 5'),
  ('WHERE position BETWEEN 1 AND 2'),
  ('WHERE 7 = position'),
  ('WHERE position > 1 AND position > 5 AND position < 9 AND 7 > position'),
  ('WHERE status = ''provisioning_in_progress'' AND claimed_at < now() AND claimed_at < now() - interval ''1 hour'''),
  ('ORDER BY account_id LIMIT 5'),
  ('WHERE lower(provider) = ''acme'''),
  (''),
  ('ORDER BY position DESC NULLS LAST LIMIT 5'),
  ('ORDER BY position NULLS FIRST LIMIT 5'),
  ('WHERE status = ''ready'' AND marketplace = ''MP-0000'' ORDER BY position DESC NULLS LAST LIMIT 5'),
  ('WHERE status = ''provisioning_in_progress'' ORDER BY claimed_at DESC NULLS LAST, position LIMIT 5'),
  ('WHERE status IN (''provisioning_in_progress'', ''ready'')'),
  ('WHERE (status = ''ready'' OR status = ''provisioning_in_progress'') AND marketplace = ''MP-0001'' ORDER BY position LIMIT 5'),
  ('WHERE status IN (''ready'', ''provisioning_in_progress'', ''invalid'')');
SELECT q.n, q.query, r.read_by
FROM query q, pg_temp.read_by('SELECT * FROM awspool.accounts ' || q.query) WITH ORDINALITY r (read_by, line)
ORDER BY q.n, r.line;

-- What the keys and the index say is not asked of each row again; all else is.
CREATE FUNCTION pg_temp.asked_of_rows(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) SELECT count(*) FROM awspool.accounts WHERE ' || query LOOP
    IF line ~ '^ *Filter: ' THEN
      RETURN QUERY SELECT DISTINCT m[1] FROM regexp_matches(line, '\m(provider|account_id|order_id|status|marketplace|model|reason|position)\M', 'g') m;
    END IF;
  END LOOP;
END $$;
SELECT query, array(SELECT pg_temp.asked_of_rows(query) ORDER BY 1) AS asked_of_rows FROM unnest(ARRAY[
  'provider = ''acme''',
  'provider = ''acme'' AND account_id = ANY (ARRAY(SELECT account_id FROM regress_awspool_order))',
  'account_id IN (''1'', ''2'') AND (account_id = ''1'' OR account_id = ''3'')',
  '(account_id = ''1'' OR order_id = ''O-1'') AND reason IS NULL',
  'account_id = ''1'' AND order_id = ''O-1'' AND status = ''ready''',
  'account_id = ''1'' OR account_id = ''2'' AND model = ''SPAM''',
  'status = ''ready'' AND marketplace IN (''MP-0000'', ''MP-0001'')',
  'status IN (''ready'', ''provisioning_in_progress'') AND marketplace = ''MP-0001''',
  'status IN (''invalid'', ''provisioning_failed'')',
  'status = ''invalid''',
  'position > 1 AND position < 9 AND position <> ALL (''{3,4}'')']) query;
DROP FUNCTION pg_temp.asked_of_rows(text);

-- By columns of another table
SELECT pg_temp.read_by('SELECT * FROM regress_awspool_order o JOIN awspool.accounts a USING (order_id)');
SELECT pg_temp.read_by('SELECT * FROM regress_awspool_order o LEFT JOIN awspool.accounts a ON a.account_id = o.account_id');
SELECT pg_temp.read_by('SELECT * FROM regress_awspool_order o JOIN awspool.accounts a ON a.order_id = o.order_id OR a.order_id = o.account_id');
SELECT pg_temp.read_by('SELECT (SELECT status FROM awspool.accounts a WHERE a.account_id = o.account_id) FROM regress_awspool_order o');
-- of several tables, too
SELECT o.order_id, a.account_id, b.status FROM regress_awspool_order o JOIN regress_awspool_order p USING (order_id)
  JOIN awspool.accounts a USING (order_id) JOIN awspool.accounts b USING (order_id) ORDER BY o.order_id;
SELECT o.order_id, p.order_id, a.account_id FROM regress_awspool_order o JOIN regress_awspool_order p ON p.order_id > o.order_id
  JOIN awspool.accounts a ON a.order_id = o.order_id AND a.order_id = least(o.order_id, p.order_id) AND a.account_id = ANY (ARRAY[o.account_id, p.account_id]) ORDER BY 1, 2;
SELECT o.order_id, a.account_id, a.status FROM regress_awspool_order o LEFT JOIN awspool.accounts a USING (order_id) ORDER BY o.order_id;

-- by id or order, each account once, and whose it is
SELECT pg_temp.read_by('SELECT * FROM regress_awspool_order o JOIN awspool.accounts a ON a.order_id = o.order_id OR a.account_id = o.account_id');
SELECT o.order_id, o.account_id, a.account_id, a.order_id FROM regress_awspool_order o LEFT JOIN awspool.accounts a ON a.order_id = o.order_id OR a.account_id = o.account_id ORDER BY 1, 3;
SELECT account_id, order_id FROM awspool.accounts WHERE account_id IN ('900000000001', '900000000005', '900000000003', 'x', '900000000001') OR order_id IN ('O-2', 'O-1', NULL, 'O-9') ORDER BY position;
SELECT account_id, order_id FROM awspool.accounts WHERE (account_id = ANY (ARRAY[NULL, '900000000002']) OR order_id = NULL) AND provider IN ('acme', 'other') ORDER BY position;
CREATE TEMP TABLE owned AS SELECT CASE order_id WHEN 'O-1' THEN 'acme' WHEN 'O-2' THEN 'other' END AS provider, order_id, account_id FROM regress_awspool_order;
ANALYZE owned;
SELECT pg_temp.read_by('SELECT * FROM owned o JOIN awspool.accounts a USING (provider, order_id)');
SELECT pg_temp.read_by('SELECT * FROM owned o LEFT JOIN awspool.accounts a ON (a.provider, a.account_id) = (o.provider, o.account_id)');
SELECT o.order_id, a.account_id FROM owned o LEFT JOIN awspool.accounts a USING (provider, order_id) ORDER BY 1;
DROP TABLE owned;

-- Only the plain call, in FROM and by itself, is read so.
SELECT pg_temp.read_by('SELECT * FROM awspool.visible_accounts() WHERE account_id = ''900000000001''');
SELECT pg_temp.read_by('SELECT * FROM awspool.visible_accounts() WITH ORDINALITY WHERE account_id = ''900000000001''');
SELECT pg_temp.read_by('SELECT * FROM ROWS FROM (awspool.visible_accounts(), generate_series(1, 2)) WHERE account_id = ''900000000001''');
SELECT count(*) FROM (SELECT (awspool.visible_accounts()).account_id FROM json_to_recordset('[{"provider": "acme", "account_id": "900000000001"}]') t (provider text, account_id text)
  WHERE t.account_id = '900000000001') x;

-- Begun again and again, and each time past entries of rows that are gone, at the
-- head of what each of several providers has
SET ROLE regress_awspool_both;
INSERT INTO awspool.accounts (provider, account_id, marketplace, model)
SELECT p, (910000000000 + 10 * i + length(p))::text, 'MP-0005', 'SPAM' FROM unnest('{acme,other}'::text[]) p, generate_series(1, 3) i;
DELETE FROM awspool.accounts WHERE account_id IN ('910000000014', '910000000015');
SELECT n, x.account_id FROM generate_series(0, 3) n CROSS JOIN LATERAL (SELECT account_id FROM awspool.accounts
  WHERE status = 'ready' AND marketplace = 'MP-0005' AND position > n ORDER BY position LIMIT 1) x;
DELETE FROM awspool.accounts WHERE marketplace = 'MP-0005';

-- Where there is a marketplace, a status may be a parameter, for ever.
PREPARE some_of(text, text) AS SELECT account_id FROM awspool.accounts WHERE status = $1 AND marketplace = $2 ORDER BY position LIMIT 5;
SELECT count(*) FROM generate_series(1, 7) i, LATERAL (SELECT pg_temp.read_by('EXECUTE some_of(''ready'', ''MP-0001'')') OFFSET 0 * i) x;
SELECT pg_temp.read_by('EXECUTE some_of(''ready'', ''MP-0001'')');
SET ROLE regress_awspool_acme;

--
-- Whose accounts: found when the first row is read
--

PREPARE mine AS SELECT provider, count(*) FROM awspool.accounts GROUP BY provider ORDER BY provider;
PREPARE oldest(text) AS SELECT provider, account_id FROM awspool.accounts WHERE marketplace = $1 AND status = 'ready' ORDER BY position LIMIT 3;
SET plan_cache_mode = force_generic_plan;
EXECUTE mine;
EXECUTE oldest('MP-0001');
SET ROLE regress_awspool_both;
EXECUTE mine;
EXECUTE oldest('MP-0001');
RESET ROLE;
EXECUTE mine;
EXECUTE oldest('MP-0000');
SELECT awspool.revoke_provider('other', 'regress_awspool_both');
SET ROLE regress_awspool_both;
EXECUTE mine;
EXECUTE oldest('MP-0001');
RESET plan_cache_mode;

-- A cursor opened before a revocation, and read after it, has nothing.
BEGIN;
DECLARE before_revocation CURSOR FOR SELECT account_id FROM awspool.accounts ORDER BY position;
RESET ROLE;
SELECT awspool.revoke_provider('acme', 'regress_awspool_both');
SET ROLE regress_awspool_both;
FETCH ALL FROM before_revocation;
ROLLBACK;

-- Several providers are merged in order, also backwards and page by page.
RESET ROLE;
SELECT awspool.grant_provider('other', 'regress_awspool_both');
SET ROLE regress_awspool_both;
SELECT provider, account_id FROM awspool.accounts ORDER BY position;
SELECT account_id FROM awspool.accounts WHERE position < (SELECT position FROM awspool.accounts WHERE account_id = '900000000006') ORDER BY position DESC LIMIT 2;
-- Of several limits the narrowest counts, whatever their types, and whoever gave them.
CREATE TEMP VIEW some_accounts AS SELECT position, account_id FROM awspool.accounts
  WHERE position > (SELECT position FROM awspool.accounts WHERE account_id = '900000000002') AND position < 2000000000000;
SELECT s.account_id FROM some_accounts s WHERE position > (SELECT min(position) FROM awspool.accounts)
  AND position <= (SELECT position FROM some_accounts WHERE account_id = '900000000007') AND position < 2147483647::int ORDER BY position DESC LIMIT 3;
SELECT account_id FROM some_accounts WHERE position > 5::smallint AND position < 5::int ORDER BY position;
DROP VIEW some_accounts;
-- A cursor that was read from has no more rows of who was revoked meanwhile, and finds
-- none of theirs, whatever it asks for; those of others it has.
BEGIN;
DECLARE by_age CURSOR FOR SELECT provider, account_id FROM awspool.accounts ORDER BY position;
DECLARE by_id CURSOR FOR SELECT provider FROM awspool.accounts WHERE account_id IN ('900000000001', '900000000003', '900000000004', '900000000006');
DECLARE each CURSOR FOR SELECT 1 FROM awspool.accounts;
DECLARE asked CURSOR FOR SELECT n, (SELECT a.account_id FROM awspool.accounts a WHERE a.account_id = '90000000000' || n) FROM generate_series(1, 4) n;
FETCH 2 FROM by_age;
FETCH 1 FROM by_id;
FETCH 1 FROM each;
FETCH 1 FROM asked;
RESET ROLE;
SELECT awspool.revoke_provider('acme', 'regress_awspool_both');
SET ROLE regress_awspool_both;
FETCH ALL FROM by_age;
FETCH ALL FROM by_id;
FETCH ALL FROM each;
FETCH ALL FROM asked;
ROLLBACK;
-- So has one of who saw everybody; who is granted something meanwhile asks again.
RESET ROLE;
BEGIN;
SELECT awspool.grant_provider('*', 'regress_awspool_both');
SET ROLE regress_awspool_both;
DECLARE by_age CURSOR FOR SELECT provider FROM awspool.accounts ORDER BY position;
DECLARE whole CURSOR FOR SELECT provider, account_id FROM awspool.accounts;
DECLARE by_id CURSOR FOR SELECT provider FROM awspool.accounts WHERE account_id IN ('800000000001', '800000000002', '900000000003');
FETCH 1 FROM by_age;
FETCH 1 FROM whole;
FETCH 1 FROM by_id;
RESET ROLE;
SELECT awspool.revoke_provider('*', 'regress_awspool_both');
SELECT awspool.revoke_provider('acme', 'regress_awspool_both');
SET ROLE regress_awspool_both;
FETCH ALL FROM by_age;
FETCH ALL FROM whole;
FETCH ALL FROM by_id;
DECLARE later CURSOR FOR SELECT provider FROM awspool.accounts;
FETCH 1 FROM later;
RESET ROLE;
SELECT awspool.grant_provider('acme', 'regress_awspool_both');
SET ROLE regress_awspool_both;
FETCH ALL FROM later;
SELECT DISTINCT provider FROM awspool.accounts;
ROLLBACK;
SET ROLE regress_awspool_both;

-- The row as a whole, and no column at all
SELECT a FROM (SELECT a.account_id IS NOT NULL AS a FROM awspool.accounts a WHERE a.account_id = '900000000003') x;
SELECT (a).account_id, a IS NOT NULL AS row FROM awspool.accounts a WHERE status = 'provisioning_in_progress';
SELECT count(*) FROM awspool.accounts;

-- A cursor WITH HOLD, and backwards if it may scroll
BEGIN;
DECLARE held SCROLL CURSOR WITH HOLD FOR SELECT account_id FROM awspool.accounts ORDER BY position LIMIT 3;
FETCH 2 FROM held;
FETCH BACKWARD 1 FROM held;
COMMIT;
FETCH ALL FROM held;
CLOSE held;

-- and not if it may not.  While it is open it holds one lock on the table.
\set VERBOSITY sqlstate
BEGIN;
DECLARE only_forward NO SCROLL CURSOR FOR SELECT account_id FROM awspool.accounts ORDER BY position;
FETCH 2 FROM only_forward;
SELECT mode FROM pg_locks WHERE relation = 'awspool.account'::regclass AND pid = pg_backend_pid();
SAVEPOINT s;
FETCH BACKWARD 1 FROM only_forward;
ROLLBACK TO s;
CLOSE only_forward;
SELECT mode FROM pg_locks WHERE relation = 'awspool.account'::regclass AND pid = pg_backend_pid();
DECLARE unsaid CURSOR FOR SELECT account_id FROM awspool.accounts ORDER BY position;
FETCH 2 FROM unsaid;
FETCH BACKWARD 1 FROM unsaid;
ROLLBACK;
\set VERBOSITY default

-- A cursor and savepoints: what is undone meanwhile is not where it has come to,
-- also if its first row was read by what is undone.
BEGIN;
DECLARE undone CURSOR FOR SELECT account_id FROM awspool.accounts ORDER BY position;
SAVEPOINT s;
FETCH 2 FROM undone;
ROLLBACK TO s;
FETCH 1 FROM undone;
DELETE FROM awspool.accounts WHERE status = 'ready';
SELECT count(*) FROM awspool.accounts;
\set VERBOSITY sqlstate
SELECT 1 / 0;
ROLLBACK TO s;
FETCH ALL FROM undone;
SELECT count(*) FROM awspool.accounts;
COMMIT;

-- Copied from a query; from the view itself the server refuses.
COPY (SELECT account_id, order_id, status FROM awspool.accounts WHERE order_id IN ('O-1', 'O-2') ORDER BY position) TO STDOUT;
COPY awspool.accounts TO STDOUT;
\set VERBOSITY default

-- Joins with columns of the application's use its indexes, whatever their collation.
RESET ROLE;
CREATE COLLATION regress_awspool_icu (provider = icu, locale = 'und');
CREATE TABLE regress_awspool_app (plain text, c text COLLATE "C", icu text COLLATE regress_awspool_icu);
CREATE INDEX ON regress_awspool_app (plain);
CREATE INDEX ON regress_awspool_app (c);
CREATE INDEX ON regress_awspool_app (icu);
INSERT INTO regress_awspool_app VALUES ('900000000001', '900000000001', '900000000001');
GRANT SELECT ON regress_awspool_app TO PUBLIC;
SET ROLE regress_awspool_acme;
SET enable_seqscan = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
EXPLAIN (COSTS OFF) SELECT a.account_id FROM awspool.accounts a JOIN regress_awspool_app p ON p.plain = a.account_id WHERE a.order_id = 'O-1';
EXPLAIN (COSTS OFF) SELECT a.account_id FROM awspool.accounts a JOIN regress_awspool_app p ON p.c = a.account_id WHERE a.order_id = 'O-1';
EXPLAIN (COSTS OFF) SELECT a.account_id FROM awspool.accounts a JOIN regress_awspool_app p ON p.icu = a.account_id WHERE a.order_id = 'O-1';
SELECT a.account_id FROM awspool.accounts a JOIN regress_awspool_app p ON p.icu = a.account_id WHERE a.order_id = 'O-1';
RESET enable_seqscan;
RESET enable_hashjoin;
RESET enable_mergejoin;

-- The function may be withheld, from a kept plan as well.
PREPARE kept AS SELECT count(*) FROM awspool.accounts;
EXECUTE kept;
RESET ROLE;
REVOKE EXECUTE ON FUNCTION awspool.visible_accounts() FROM PUBLIC;
SET ROLE regress_awspool_acme;
\set VERBOSITY sqlstate
EXECUTE kept;
\set VERBOSITY default
RESET ROLE;
GRANT EXECUTE ON FUNCTION awspool.visible_accounts() TO PUBLIC;
SET ROLE regress_awspool_acme;

-- The extension is dropped and created again under kept plans, and that undone.
RESET ROLE;
SET plan_cache_mode = force_generic_plan;
PREPARE ready_since(bigint) AS SELECT account_id FROM awspool.accounts WHERE status = 'ready' AND marketplace = 'MP-0001' AND position > $1 ORDER BY position DESC;
EXECUTE ready_since(0);
BEGIN;
DROP EXTENSION awspool;
CREATE EXTENSION awspool;
EXECUTE mine;
EXECUTE ready_since(0);
SELECT awspool.grant_provider('other', 'regress_awspool_acme');
INSERT INTO awspool.accounts (provider, account_id, marketplace, model) SELECT 'other', (700000000000 + i)::text, 'MP-0001', 'SPAM' FROM generate_series(1, 7) i;
SET ROLE regress_awspool_acme;
EXECUTE mine;
EXECUTE ready_since(0);
ROLLBACK;
EXECUTE mine;
EXECUTE ready_since(0);
RESET plan_cache_mode;

-- Not while it is read.  A cursor that was not read yet finds no table, or no row of one
-- that is newer than the cursor.
RESET ROLE;
\set VERBOSITY sqlstate
BEGIN;
DECLARE reading CURSOR FOR SELECT account_id FROM awspool.accounts ORDER BY position;
FETCH 1 FROM reading;
DROP EXTENSION awspool;
ROLLBACK;
BEGIN;
DECLARE unread CURSOR FOR SELECT account_id FROM awspool.accounts ORDER BY position;
DROP EXTENSION awspool;
FETCH 1 FROM unread;
ROLLBACK;
BEGIN;
DECLARE unread CURSOR FOR SELECT account_id FROM awspool.accounts ORDER BY position;
DROP EXTENSION awspool;
CREATE EXTENSION awspool;
SELECT account_id FROM awspool.add_account('acme', '700000000001', 'MP-0001', 'SPAM');
FETCH ALL FROM unread;
SELECT account_id FROM awspool.accounts;
ROLLBACK;
\set VERBOSITY default

-- A kept plan is made anew when an index is dropped, and when the table has grown.
RESET ROLE;
SET plan_cache_mode = force_generic_plan;
SET ROLE regress_awspool_acme;
PREPARE failed AS SELECT account_id FROM awspool.accounts WHERE status IN ('provisioning_failed', 'invalid');
EXECUTE failed;
SELECT pg_temp.read_by('EXECUTE failed');
RESET ROLE;
BEGIN;
DROP INDEX awspool.account_failed;
SET ROLE regress_awspool_acme;
EXECUTE failed;
SELECT pg_temp.read_by('EXECUTE failed');
ROLLBACK;
BEGIN;
TRUNCATE awspool.account, awspool.account_log;
ANALYZE awspool.account;
PREPARE joined AS SELECT * FROM regress_awspool_order o JOIN awspool.accounts a USING (order_id);
SELECT pg_temp.read_by('EXECUTE joined');
INSERT INTO awspool.account (provider, account_id, marketplace, model)
SELECT 'third', (800000000000 + i)::text, 'MP-0000', 'SPAM' FROM generate_series(1, 20000) i;
SELECT pg_temp.read_by('EXECUTE joined');
ANALYZE awspool.account;
SELECT pg_temp.read_by('EXECUTE joined');
ROLLBACK;
RESET plan_cache_mode;

-- Without the index that it needs: the function says which one.
RESET ROLE;
BEGIN;
DROP INDEX awspool.account_provider;
SET ROLE regress_awspool_acme;
SELECT count(*) FROM awspool.accounts;
ROLLBACK;

-- Without accounts, and for who may act for nobody
RESET ROLE;
SELECT awspool.revoke_provider('acme', 'regress_awspool_acme');
SET ROLE regress_awspool_acme;
SELECT count(*) FROM awspool.accounts WHERE provider = 'acme' OR account_id = '900000000001';
RESET ROLE;
TRUNCATE awspool.account, awspool.account_log, awspool.provider_role;
SELECT count(*) FROM awspool.accounts WHERE order_id = 'O-1';
SELECT * FROM awspool.accounts ORDER BY position;

DEALLOCATE ALL;
DROP TABLE query, regress_awspool_order, regress_awspool_app;
DROP COLLATION regress_awspool_icu;
DROP FUNCTION pg_temp.read_by;
DROP ROLE regress_awspool_acme, regress_awspool_both;
