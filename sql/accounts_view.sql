--
-- View awspool.accounts: what the functions do, from psql or a table editor.
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

-- One account of each status, by the functions, as an application makes them.
CREATE FUNCTION pg_temp.fill() RETURNS void LANGUAGE sql AS $$
  SELECT awspool.add_account('acme', id::text, 'MP-0000', 'SPAM') FROM generate_series(300000000002, 300000000007) id ORDER BY id;
  SELECT awspool.claim_account('acme', 'MP-0000', o) FROM (VALUES ('O-2'), ('O-3'), ('O-4'), ('O-5'), (NULL)) v (o);
  SELECT awspool.allocate_account('acme', '300000000003');
  SELECT awspool.fail_account('acme', '300000000004', 'broken');
  SELECT awspool.invalidate_account('acme', '300000000005', 'stolen');
  SELECT awspool.invalidate_account('acme', '300000000007', 'unfit');
  SELECT awspool.add_account('acme', '300000000001', 'MP-0000', 'SPAM');
$$;

-- INSERT adds.
INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES
  ('acme', '300000000003', 'MP-0000', 'SPAM'),
  ('acme', '300000000001', 'MP-0000', 'ECAM'),
  ('other', '300000000002', 'MP-1111', 'SPAM')
RETURNING provider, account_id, marketplace, model, status, order_id, order_model, reason,
  added_at BETWEEN now() AND clock_timestamp() AS added_now, added_by = current_user AS added_by_me, claimed_at, claimed_by, closed_at, closed_by;
SELECT provider, account_id, marketplace, model, status FROM awspool.accounts ORDER BY account_id;
-- all of a statement or nothing
\set VERBOSITY sqlstate
INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES
  ('acme', '300000000004', 'MP-0000', 'SPAM'), ('acme', '300000000001', 'MP-0000', 'SPAM');
\set VERBOSITY default
SELECT count(*) FROM awspool.accounts;
-- in the order of the statement, which is the order of claims
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000');

-- Where no provider is given, it is the one that the setting names, which
-- authorises nobody, or the caller's only one, as for view import.
CREATE ROLE regress_awspool_one;
CREATE ROLE regress_awspool_two;
CREATE ROLE regress_awspool_all;
CREATE ROLE regress_awspool_none;
SELECT awspool.grant_provider('acme', 'regress_awspool_one');
SELECT awspool.grant_provider(p, 'regress_awspool_two') FROM unnest(ARRAY['acme', 'other']) p;
SELECT awspool.grant_provider('*', 'regress_awspool_all');
CREATE FUNCTION pg_temp.stored_for(who text, setting text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  PERFORM set_config('awspool.provider', setting, true), set_config('role', who, true);
  INSERT INTO awspool.accounts (account_id, marketplace, model) VALUES ('300000000009', 'MP-0000', 'SPAM') RETURNING provider INTO result;
  RAISE EXCEPTION USING ERRCODE = 'DONE0';
EXCEPTION WHEN OTHERS THEN
  RETURN CASE SQLSTATE WHEN 'DONE0' THEN result ELSE SQLSTATE END;
END $$;
SELECT CASE who WHEN current_user THEN 'a superuser' ELSE who END AS who, pg_temp.stored_for(who, '') AS none, pg_temp.stored_for(who, 'acme') AS acme, pg_temp.stored_for(who, 'other') AS other, pg_temp.stored_for(who, '*') AS star
FROM (VALUES (current_user::text), ('regress_awspool_one'), ('regress_awspool_two'), ('regress_awspool_all'), ('regress_awspool_none')) r (who) ORDER BY who <> current_user, who;
SET ROLE regress_awspool_two;
INSERT INTO awspool.accounts (account_id, marketplace, model) VALUES ('300000000009', 'MP-0000', 'SPAM');
-- what the row says goes first
SET awspool.provider = 'acme';
INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES ('other', '300000000009', 'MP-0000', 'SPAM'), (NULL, '300000000008', 'MP-0000', 'SPAM')
RETURNING account_id, provider;
DELETE FROM awspool.accounts WHERE account_id IN ('300000000008', '300000000009');
RESET awspool.provider;
RESET ROLE;
TRUNCATE awspool.provider_role;
DROP ROLE regress_awspool_one, regress_awspool_two, regress_awspool_all, regress_awspool_none;

-- UPDATE of marketplace or model edits.
UPDATE awspool.accounts SET marketplace = 'MP-0000' WHERE account_id = '300000000002' RETURNING marketplace, model, status;
UPDATE awspool.accounts SET model = 'ECAM', marketplace = 'MP-2222' WHERE account_id = '300000000002' RETURNING marketplace, model, status;
UPDATE awspool.accounts SET model = 'SPAM' WHERE status = 'provisioning_in_progress' RETURNING account_id, model, order_model;
UPDATE awspool.accounts SET model = model, marketplace = marketplace, provider = provider WHERE provider = 'acme';
SELECT event, detail FROM awspool.account_history('other', '300000000002');
-- What a join comes to twice is changed once, as in a table.
BEGIN;
UPDATE awspool.accounts a SET model = v.model FROM (VALUES ('300000000002', 'SPAM'), ('300000000002', 'SPAM')) v (id, model)
  WHERE a.account_id = v.id RETURNING a.account_id, a.model;
UPDATE awspool.accounts a SET status = 'invalid' FROM (VALUES ('300000000002'), ('300000000002')) v (id)
  WHERE a.account_id = v.id RETURNING a.account_id, a.status;
DELETE FROM awspool.accounts a USING (VALUES ('300000000002'), ('300000000002')) v (id) WHERE a.account_id = v.id RETURNING a.account_id;
ROLLBACK;
-- What the statement itself changed into something else is an error.
SELECT pg_temp.outcome($$UPDATE awspool.accounts a SET marketplace = v.marketplace FROM (VALUES ('300000000002', 'MP-3333'), ('300000000002', 'MP-4444')) v (id, marketplace)
  WHERE a.account_id = v.id$$) AS two_values,
  pg_temp.outcome($$WITH c AS (SELECT * FROM awspool.claim_account('other', 'MP-2222', 'R1'))
    UPDATE awspool.accounts a SET status = 'allocated' FROM c WHERE a.account_id = c.account_id$$) AS claimed,
  pg_temp.outcome($$DELETE FROM awspool.accounts a USING (SELECT (awspool.edit_account('other', id, model => 'SPAM')).account_id FROM (VALUES ('300000000002')) v (id)) e
    WHERE a.account_id = e.account_id$$) AS edited;
SELECT account_id, event, detail FROM awspool.accounts a, awspool.account_history(a.provider, a.account_id) WHERE provider = 'acme' AND event = 'edited' ORDER BY account_id;
TRUNCATE awspool.account, awspool.account_log;

-- Every move and edit, and the deletion, of an account of each status: what
-- the table of statuses says, except that a claim is claim_account's alone.
SELECT pg_temp.fill();
SELECT a.status, a.account_id,
       pg_temp.outcome(format('UPDATE awspool.accounts SET status = %L WHERE account_id = %L', 'ready', account_id)) AS ready,
       pg_temp.outcome(format('UPDATE awspool.accounts SET status = %L WHERE account_id = %L', 'provisioning_in_progress', account_id)) AS in_progress,
       pg_temp.outcome(format('UPDATE awspool.accounts SET status = %L WHERE account_id = %L', 'allocated', account_id)) AS allocated,
       pg_temp.outcome(format('UPDATE awspool.accounts SET status = %L, reason = %L WHERE account_id = %L', 'provisioning_failed', coalesce(reason, 'why'), account_id)) AS failed,
       pg_temp.outcome(format('UPDATE awspool.accounts SET status = %L, reason = %L WHERE account_id = %L', 'invalid', coalesce(reason, 'why'), account_id)) AS invalid,
       pg_temp.outcome(format('UPDATE awspool.accounts SET model = %L WHERE account_id = %L', 'ECAM', account_id)) AS model,
       pg_temp.outcome(format('UPDATE awspool.accounts SET marketplace = %L WHERE account_id = %L', 'MP-1111', account_id)) AS marketplace,
       pg_temp.outcome(format('DELETE FROM awspool.accounts WHERE account_id = %L', account_id)) AS delete
FROM awspool.accounts a ORDER BY account_id;
\set VERBOSITY sqlstate
UPDATE awspool.accounts SET status = 'sold' WHERE account_id = '300000000001';
UPDATE awspool.accounts SET status = NULL WHERE account_id = '300000000001';
UPDATE awspool.accounts SET model = NULL WHERE account_id = '300000000001';
UPDATE awspool.accounts SET marketplace = NULL WHERE account_id = '300000000001';
UPDATE awspool.accounts SET marketplace = 'MP-1' WHERE account_id = '300000000001';
UPDATE awspool.accounts SET model = 'spam' WHERE account_id = '300000000001';
\set VERBOSITY default
UPDATE awspool.accounts SET status = 'provisioning_in_progress' WHERE account_id = '300000000001';
UPDATE awspool.accounts SET status = 'ready' WHERE account_id = '300000000003';

-- UPDATE of status, with a reason if there is one, moves the account.
UPDATE awspool.accounts SET status = 'allocated' WHERE order_id = 'O-2'
RETURNING account_id, status, order_id, order_model, reason, claimed_at <= closed_at AS in_order, closed_by = current_user AS closed_by_me;
UPDATE awspool.accounts SET status = 'provisioning_failed', reason = 'no answer' WHERE account_id = '300000000006'
RETURNING account_id, status, order_id, reason, closed_by = current_user AS closed_by_me;
UPDATE awspool.accounts SET status = 'invalid', reason = 'closed by AWS', model = 'ECAM' WHERE account_id = '300000000001'
RETURNING account_id, model, status, reason, claimed_at, closed_by = current_user AS closed_by_me;
SELECT account_id, model, status, order_id, order_model, reason FROM awspool.accounts ORDER BY account_id;
-- several at once, or none
SELECT account_id FROM awspool.add_account('acme', '300000000008', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.add_account('acme', '300000000009', 'MP-0000', 'SPAM');
\set VERBOSITY sqlstate
UPDATE awspool.accounts SET status = 'invalid' WHERE account_id >= '300000000004';
UPDATE awspool.accounts SET status = 'invalid', marketplace = 'MP-1111' WHERE account_id = '300000000003';
\set VERBOSITY default
SELECT account_id, status FROM awspool.accounts WHERE status = 'ready' ORDER BY account_id;
UPDATE awspool.accounts SET status = 'invalid', reason = 'all of them' WHERE status = 'ready';
SELECT account_id, status, reason FROM awspool.accounts WHERE account_id > '300000000007' ORDER BY account_id;

-- DELETE deletes, and returns the account as it was.
DELETE FROM awspool.accounts WHERE account_id = '300000000008' RETURNING account_id, status, reason;
DELETE FROM awspool.accounts WHERE account_id = '399999999999' RETURNING account_id;
SELECT count(*) FROM awspool.accounts WHERE account_id = '300000000008';
INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES ('acme', '300000000008', 'MP-0000', 'SPAM');
TRUNCATE awspool.account, awspool.account_log;

-- Any other column is refused, and nothing is stored.
SELECT pg_temp.fill();
CREATE TEMP TABLE was AS SELECT * FROM awspool.accounts;
SELECT c.column,
  (SELECT string_agg(DISTINCT pg_temp.outcome(format('UPDATE awspool.accounts SET %I = %s WHERE account_id = %L', c.column, c.value, a.account_id)), ' ')
   FROM was a) AS update,
  (SELECT string_agg(DISTINCT pg_temp.outcome(format('UPDATE awspool.accounts SET status = %L, %I = %s WHERE account_id = %L', 'invalid', c.column, c.value, a.account_id)), ' ')
   FROM was a WHERE status IN ('ready', 'provisioning_in_progress') AND c.column <> 'status') AS "with a move",
  pg_temp.outcome(format('INSERT INTO awspool.accounts (%I, %s) VALUES (%s, %s)', c.column,
    (SELECT string_agg(l.column, ', ' ORDER BY l.column) FROM (VALUES ('provider', '''acme'''), ('account_id', '''399999999999'''), ('marketplace', '''MP-0000'''), ('model', '''SPAM''')) l ("column", value)
     WHERE l.column <> c.column), c.value,
    (SELECT string_agg(l.value, ', ' ORDER BY l.column) FROM (VALUES ('provider', '''acme'''), ('account_id', '''399999999999'''), ('marketplace', '''MP-0000'''), ('model', '''SPAM''')) l ("column", value)
     WHERE l.column <> c.column))) AS insert
FROM (VALUES ('provider', '''other'''), ('account_id', '''388888888888'''), ('order_id', '''O-99'''), ('order_model', '''ECAM'''),
        ('added_at', 'now()'), ('added_by', '''me'''), ('claimed_at', 'now()'), ('claimed_by', '''me'''), ('closed_at', 'now()'),
        ('closed_by', '''me'''), ('reason', '''why'''), ('status', '''ready''')) c ("column", value)
ORDER BY c.column;
SELECT count(*) FROM (TABLE was EXCEPT TABLE awspool.accounts) changed;
UPDATE awspool.accounts SET order_id = 'O-99' WHERE account_id = '300000000001';
INSERT INTO awspool.accounts (provider, account_id, marketplace, model, added_by) VALUES ('acme', '399999999999', 'MP-0000', 'SPAM', 'me');
UPDATE awspool.accounts SET reason = 'why' WHERE account_id = '300000000002';
-- an order that completes has no reason
SELECT pg_temp.outcome($$UPDATE awspool.accounts SET status = 'allocated', reason = 'why' WHERE account_id = '300000000002'$$);
-- a row sent back whole, as table editors do, is fine if only such columns differ
UPDATE awspool.accounts SET (provider, account_id, marketplace, model, status, order_id, order_model, reason, added_at, added_by, claimed_at, claimed_by, closed_at, closed_by)
  = (provider, account_id, marketplace, 'ECAM', 'provisioning_failed', order_id, order_model, 'why', added_at, added_by, claimed_at, claimed_by, closed_at, closed_by)
WHERE account_id = '300000000002' RETURNING account_id, model, status, reason;
DROP TABLE was;
TRUNCATE awspool.account, awspool.account_log;

-- The same errors as the functions.
SELECT pg_temp.fill();
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
SELECT account_id, status FROM awspool.allocate_account('acme', '300000000001');
SELECT account_id, status FROM awspool.delete_account('acme', '300000000001');
SELECT c.what, pg_temp.outcome(c.by_view) AS by_view, pg_temp.outcome(c.by_function) AS by_function
FROM (VALUES
  ('taken', $$INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES ('acme', '300000000002', 'MP-0000', 'SPAM')$$,
    $$SELECT awspool.add_account('acme', '300000000002', 'MP-0000', 'SPAM')$$),
  ('used', $$INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES ('acme', '300000000001', 'MP-0000', 'SPAM')$$,
    $$SELECT awspool.add_account('acme', '300000000001', 'MP-0000', 'SPAM')$$),
  ('malformed', $$INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES ('acme', '30000000001', 'MP-0000', 'SPAM')$$,
    $$SELECT awspool.add_account('acme', '30000000001', 'MP-0000', 'SPAM')$$),
  ('missing', $$INSERT INTO awspool.accounts (provider, account_id, marketplace) VALUES ('acme', '300000000008', 'MP-0000')$$,
    $$SELECT awspool.add_account('acme', '300000000008', 'MP-0000', NULL)$$),
  ('no provider', $$INSERT INTO awspool.accounts (account_id, marketplace, model) VALUES ('300000000008', 'MP-0000', 'SPAM')$$,
    $$SELECT awspool.add_account(NULL, '300000000008', 'MP-0000', 'SPAM')$$),
  ('moved in use', $$UPDATE awspool.accounts SET marketplace = 'MP-1111' WHERE account_id = '300000000002'$$,
    $$SELECT awspool.edit_account('acme', '300000000002', 'MP-1111')$$),
  ('not ready to fail', $$UPDATE awspool.accounts SET status = 'provisioning_failed' WHERE account_id = '300000000003'$$,
    $$SELECT awspool.fail_account('acme', '300000000003')$$),
  ('not ready to allocate', $$UPDATE awspool.accounts SET status = 'allocated' WHERE account_id = '300000000004'$$,
    $$SELECT awspool.allocate_account('acme', '300000000004')$$),
  ('invalid already', $$UPDATE awspool.accounts SET status = 'invalid' WHERE account_id = '300000000005'$$,
    $$SELECT awspool.invalidate_account('acme', '300000000005')$$),
  ('deleted in use', $$DELETE FROM awspool.accounts WHERE account_id = '300000000002'$$,
    $$SELECT awspool.delete_account('acme', '300000000002')$$)
) c (what, by_view, by_function) ORDER BY c.what;

-- Nothing of it in a transaction that may not write; reading is fine.
BEGIN READ ONLY;
SELECT pg_temp.outcome($$INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES ('acme', '300000000010', 'MP-0000', 'SPAM')$$) AS insert,
       pg_temp.outcome($$UPDATE awspool.accounts SET model = 'ECAM' WHERE account_id = '300000000002'$$) AS update,
       pg_temp.outcome($$DELETE FROM awspool.accounts WHERE account_id = '300000000003'$$) AS delete,
       (SELECT count(*) FROM awspool.accounts) AS accounts;
COMMIT;

-- With your transaction.
BEGIN;
DELETE FROM awspool.accounts WHERE account_id = '300000000003';
INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES ('acme', '300000000010', 'MP-0000', 'SPAM');
UPDATE awspool.accounts SET status = 'invalid' WHERE account_id = '300000000010';
ROLLBACK;
SELECT account_id, status FROM awspool.accounts ORDER BY account_id;

TRUNCATE awspool.account, awspool.account_log, awspool.provider_role;

--
-- Reading: the answers, and those of a copy.  How it is read: read.sql.
--

CREATE ROLE regress_awspool_acme;
SELECT awspool.grant_provider('acme', 'regress_awspool_acme');
INSERT INTO awspool.accounts (provider, account_id, marketplace, model)
SELECT CASE i % 3 WHEN 0 THEN 'other' ELSE 'acme' END, (900000000000 + i)::text, 'MP-000' || i % 2, 'SPAM' FROM generate_series(1, 9) i;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0001', 'O-1');
SET ROLE regress_awspool_acme;

CREATE TEMP TABLE query (n serial, condition text);
INSERT INTO query (condition) VALUES
  ('true'),
  ('account_id = ''900000000001'''),
  ('''900000000001'' = account_id'),
  ('account_id = ''900000000003'''),
  ('account_id IN (''900000000002'', ''900000000001'', ''900000000003'', NULL, ''900000000001'')'),
  ('account_id = ANY (''{900000000001,900000000004}'')'),
  ('account_id = ''900000000001''::varchar'),
  ('account_id = ''900000000001''::char(12)'),
  ('account_id = NULL::text'),
  ('account_id = (SELECT min(account_id) FROM awspool.accounts)'),
  ('account_id = lower(''900000000001'')'),
  ('account_id = right(random()::text || ''x'', 1)'),
  ('account_id = order_id'),
  ('account_id <= ''900000000002'''),
  ('account_id <> ''900000000001'''),
  ('account_id <> ALL (''{900000000001,900000000004}'')'),
  ('account_id = ''900000000001'' OR account_id = ''900000000004'''),
  ('NOT account_id = ''900000000001'''),
  ('account_id > ''900000000001'' AND account_id = ''900000000004'''),
  ('provider = ''acme'' AND marketplace = ''MP-0001'' AND status = ''ready'''),
  ('provider = ''other'''),
  ('provider IN (''acme'', ''other'')'),
  ('provider = ''acme'' AND order_id = ''O-1'' AND status = ''provisioning_in_progress'' AND account_id = ''900000000001'''),
  ('order_id = ''O-1'''),
  ('order_id IS NULL AND marketplace = ''MP-0000'''),
  ('reason = ''none'''),
  ('lower(provider) = ''acme''');
-- The answers, and those of a copy of what the caller sees.
CREATE TEMP TABLE copy AS SELECT * FROM awspool.accounts;
CREATE FUNCTION pg_temp.ids(relation text, condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE ids text;
BEGIN
  EXECUTE format('SELECT string_agg(right(account_id, 1), '' '' ORDER BY account_id) FROM %s WHERE %s', relation, condition) INTO ids;
  RETURN ids;
END $$;
SELECT q.n, a.ids, a.ids IS NOT DISTINCT FROM pg_temp.ids('copy', q.condition) AS same
FROM query q, pg_temp.ids('awspool.accounts', q.condition) a (ids) ORDER BY q.n;

-- A value that is known only later: a parameter, or another table's.
PREPARE by_id(text) AS SELECT account_id FROM awspool.accounts WHERE account_id = $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE by_id('900000000001');
EXECUTE by_id('900000000003');
EXECUTE by_id(NULL);
RESET plan_cache_mode;
DEALLOCATE by_id;
SELECT wanted, (SELECT status FROM awspool.accounts a WHERE a.account_id = wanted) AS status
FROM unnest('{900000000001,900000000003,900000000004}'::text[]) wanted;
SELECT wanted, a.status FROM unnest('{900000000001,900000000003,900000000004}'::text[]) wanted
  LEFT JOIN awspool.accounts a ON a.account_id = wanted ORDER BY wanted;
-- Where letters of another case are equal, bytes do not decide.
RESET ROLE;
CREATE COLLATION regress_awspool_no_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
SET ROLE regress_awspool_acme;
SELECT count(*) FROM awspool.accounts WHERE provider = 'ACME' COLLATE regress_awspool_no_case;
SELECT count(*) FROM awspool.accounts WHERE account_id = ANY ('{900000000001}' COLLATE regress_awspool_no_case);
-- Where it is not known how to compare, that is an error as anywhere.
\set VERBOSITY sqlstate
CREATE TEMP TABLE wanted (id text COLLATE "POSIX");
INSERT INTO wanted VALUES ('900000000001');
SELECT count(*) FROM awspool.accounts WHERE account_id = (SELECT min(id) FROM wanted);
DROP TABLE wanted;
\set VERBOSITY default
-- Rows are those of the statement's snapshot, as with a table.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM awspool.accounts;
DELETE FROM awspool.accounts WHERE status = 'ready' AND marketplace = 'MP-0000' RETURNING account_id;
SELECT count(*) FROM awspool.accounts;
WITH added AS (INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES ('acme', '900000000011', 'MP-0000', 'SPAM') RETURNING 1)
SELECT (SELECT count(*) FROM added) AS added, (SELECT count(*) FROM awspool.accounts) AS seen;
ROLLBACK;
-- Who reads from the function behind it sees the same rows, whatever joins them.
SELECT count(*) FROM awspool.visible_accounts() a, generate_series(1, 2) n WHERE a.account_id = '900000000001';
-- A condition is about the rows that the query reads from, and about no others:
-- not about those of a call among the columns.
SELECT (awspool.visible_accounts()).account_id
FROM json_to_recordset('[{"provider":"acme","account_id":"900000000001"}]') t (provider text, account_id text)
WHERE t.account_id = '900000000001' ORDER BY 1;
SELECT (awspool.visible_accounts()).account_id, a.account_id AS read
FROM awspool.visible_accounts() a WHERE a.account_id = '900000000001' ORDER BY 1;
SELECT a.account_id, n > 0 AS numbered FROM awspool.visible_accounts() WITH ORDINALITY a (provider, account_id, marketplace, model, status, order_id,
  order_model, reason, added_at, added_by, claimed_at, claimed_by, closed_at, closed_by, position, n)
WHERE a.account_id = '900000000008';
SELECT a.account_id FROM ROWS FROM (generate_series(1, 3), awspool.visible_accounts()) a (b, provider, account_id)
WHERE a.account_id = '900000000004';
SELECT count(*) FROM awspool.accounts a WHERE a.account_id = '900000000001'
  AND a.account_id IN (SELECT account_id FROM awspool.accounts WHERE provider = 'acme');
SELECT (SELECT count(*) FROM awspool.accounts b WHERE b.provider = a.provider) FROM awspool.visible_accounts() a WHERE a.account_id = '900000000001';
-- A row lock there is none, and none is needed.
SELECT count(*) FROM (SELECT FROM awspool.accounts FOR UPDATE) a;
DROP TABLE query, copy;
DROP FUNCTION pg_temp.ids;
RESET ROLE;
DROP COLLATION regress_awspool_no_case;
TRUNCATE awspool.account, awspool.account_log, awspool.provider_role;
DROP ROLE regress_awspool_acme;
