--
-- Stock: add_account, edit_account, delete_account, delete_accounts.
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

-- A new account is ready, and has what its caller said and nothing else.
SELECT provider, account_id, marketplace, model, status, order_id, order_model, reason,
       added_at BETWEEN now() AND clock_timestamp() AS added_now, added_by = current_user AS added_by_me,
       claimed_at, claimed_by, closed_at, closed_by
FROM awspool.add_account(provider => 'acme', account_id => '123456789012', marketplace => 'MP-0000', model => 'SPAM');
SELECT provider, account_id, marketplace, model, status FROM awspool.accounts;

-- The id is taken, whoever has it, whatever else is asked for; no more is said.
SELECT awspool.add_account('acme', '123456789012', 'MP-0000', 'SPAM');
SELECT awspool.add_account('other', '123456789012', 'MP-1111', 'ECAM');
SELECT pg_temp.outcome($$SELECT awspool.add_account('acme', '123456789012', 'MP-1111', 'ECAM')$$),
       pg_temp.outcome($$SELECT awspool.add_account('acme', '123456789012', 'MP-0000', 'ECAM')$$);

-- Programs find the field by the names that come with the error: those of the
-- primary key, whoever has the id.
CREATE FUNCTION pg_temp.names(statement text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  s text; t text; c text; k text;
BEGIN
  EXECUTE statement;
  RETURN 'done';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS s = SCHEMA_NAME, t = TABLE_NAME, c = COLUMN_NAME, k = CONSTRAINT_NAME;
  RETURN concat_ws(' ', SQLSTATE, s, t, c, k);
END $$;
SELECT pg_temp.names($$SELECT awspool.add_account('acme', '123456789012', 'MP-0000', 'SPAM')$$) AS add,
       pg_temp.names($$SELECT awspool.add_account('other', '123456789012', 'MP-0000', 'SPAM')$$) AS by_another,
       pg_temp.names($$INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES ('other', '123456789012', 'MP-0000', 'SPAM')$$) AS view,
       pg_temp.names($$INSERT INTO awspool.import VALUES ('other', '123456789012', 'MP-0000', 'SPAM')$$) AS import,
       pg_temp.names($$INSERT INTO awspool.import VALUES ('acme', '123456789099', 'MP-0000', 'SPAM'), ('acme', '123456789099', 'MP-0000', 'SPAM')$$) AS twice;
SELECT pg_temp.names('UPDATE awspool.account SET model = NULL') AS model, pg_temp.names('UPDATE awspool.account SET status = NULL') AS status,
       pg_temp.names('UPDATE awspool.account SET marketplace = NULL') AS marketplace;

-- edit_account: NULL leaves as is, and so does nothing at all.
SELECT marketplace, model FROM awspool.edit_account('acme', '123456789012', marketplace => 'MP-1111');
SELECT marketplace, model FROM awspool.edit_account('acme', '123456789012', model => 'ECAM');
SELECT marketplace, model FROM awspool.edit_account('acme', '123456789012', NULL, NULL);
SELECT marketplace, model FROM awspool.edit_account('acme', '123456789012');
SELECT marketplace, model FROM awspool.edit_account('acme', '123456789012', 'MP-2222', 'SPAM');
SELECT provider, account_id, marketplace, model, status, added_by = current_user AS added_by_me FROM awspool.accounts;

-- delete_account returns the account as it was.
SELECT provider, account_id, marketplace, model, status, added_by = current_user AS added_by_me
FROM awspool.delete_account('acme', '123456789012');
SELECT count(*) FROM awspool.accounts;

-- Deleted while it was ready, so it may come back; also to somebody else.
SELECT provider, account_id, status FROM awspool.add_account('acme', '123456789012', 'MP-0000', 'SPAM');
SELECT provider FROM awspool.delete_account('acme', '123456789012');
SELECT provider, account_id, status FROM awspool.add_account('other', '123456789012', 'MP-0000', 'SPAM');

-- "Not yours" and "not there" are the same answer.
SELECT awspool.edit_account('acme', '123456789012', model => 'ECAM');
SELECT awspool.edit_account('acme', '123456789999', model => 'ECAM');
SELECT awspool.delete_account('acme', '123456789012');
SELECT awspool.delete_account('acme', '123456789999');
SELECT * FROM awspool.delete_accounts('acme', '{123456789012,123456789999}');
SELECT provider, account_id, model, status FROM awspool.accounts;
TRUNCATE awspool.account, awspool.account_log;

-- What each does to an account of each status.
SELECT pg_temp.fill();
SELECT a.account_id, a.status, a.order_id,
       pg_temp.outcome(format('SELECT awspool.edit_account(%L, %L, model => %L)', provider, account_id, 'ECAM')) AS model,
       pg_temp.outcome(format('SELECT awspool.edit_account(%L, %L, marketplace => %L)', provider, account_id, 'MP-1111')) AS marketplace,
       pg_temp.outcome(format('SELECT awspool.edit_account(%L, %L, marketplace => %L)', provider, account_id, 'MP-0000')) AS "same marketplace",
       pg_temp.outcome(format('SELECT awspool.edit_account(%L, %L, %L, %L)', provider, account_id, 'MP-1111', 'ECAM')) AS both,
       pg_temp.outcome(format('SELECT awspool.delete_account(%L, %L)', provider, account_id)) AS delete,
       pg_temp.outcome(format('SELECT awspool.add_account(%L, %L, %L, %L)', provider, account_id, marketplace, model)) AS "add again"
FROM awspool.accounts a ORDER BY account_id;
SELECT awspool.edit_account('acme', '300000000002', marketplace => 'MP-1111');
SELECT awspool.delete_account('acme', '300000000002');

-- A refused edit changes nothing, the model that came with it included.
\set VERBOSITY sqlstate
SELECT awspool.edit_account('acme', '300000000002', 'MP-1111', 'ECAM');
\set VERBOSITY default
SELECT marketplace, model FROM awspool.accounts WHERE account_id = '300000000002';

-- A new model is for orders that claim later: the order keeps what it got.
SELECT account_id, model, order_model FROM awspool.edit_account('acme', '300000000001', model => 'ECAM')
UNION ALL
SELECT account_id, model, order_model FROM awspool.edit_account('acme', '300000000002', model => 'ECAM')
UNION ALL
SELECT account_id, model, order_model FROM awspool.edit_account('acme', '300000000003', model => 'ECAM');
SELECT account_id, model, order_model FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
SELECT account_id, model, order_model FROM awspool.edit_account('acme', '300000000001', model => 'SPAM');
SELECT account_id, model, order_model FROM awspool.allocate_account('acme', '300000000001');
TRUNCATE awspool.account, awspool.account_log;

-- A moved account joins the new pool at its own age.
SELECT account_id FROM awspool.add_account('acme', '300000000001', 'MP-1111', 'SPAM');
SELECT account_id FROM awspool.add_account('acme', '300000000002', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.add_account('acme', '300000000003', 'MP-1111', 'SPAM');
SELECT account_id FROM awspool.edit_account('acme', '300000000002', 'MP-1111');
SELECT count(*) FROM awspool.claim_account('acme', 'MP-0000');
SELECT account_id FROM awspool.claim_account('acme', 'MP-1111');
SELECT account_id FROM awspool.claim_account('acme', 'MP-1111');
SELECT account_id FROM awspool.claim_account('acme', 'MP-1111');
TRUNCATE awspool.account, awspool.account_log;

-- ... also where the claims were past its age already.
SELECT account_id FROM awspool.add_account('acme', '300000000001', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.add_account('acme', '300000000002', 'MP-1111', 'SPAM');
SELECT account_id FROM awspool.add_account('acme', '300000000003', 'MP-1111', 'SPAM');
SELECT account_id FROM awspool.claim_account('acme', 'MP-1111');
SELECT account_id FROM awspool.edit_account('acme', '300000000001', 'MP-1111');
SELECT account_id FROM awspool.claim_account('acme', 'MP-1111');
TRUNCATE awspool.account, awspool.account_log;

-- An edit or a new model does not make an account younger; deleting and adding
-- it again does.
SELECT account_id FROM awspool.add_account('acme', '300000000001', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.add_account('acme', '300000000002', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.add_account('acme', '300000000003', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.edit_account('acme', '300000000002', model => 'ECAM');
SELECT account_id FROM awspool.delete_account('acme', '300000000001');
SELECT account_id FROM awspool.add_account('acme', '300000000001', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000');
TRUNCATE awspool.account, awspool.account_log;

-- delete_accounts deletes what it can; a row for each id asked for.
SELECT pg_temp.fill();
SELECT account_id FROM awspool.add_account('other', '300000000099', 'MP-0000', 'SPAM');
SELECT * FROM awspool.delete_accounts('acme', ARRAY['300000000007', '300000000001', '300000000002',
  '300000000003', '300000000004', '300000000005', '300000000006', '300000000098', '300000000099',
  '300000000001', 'no id', '']);
SELECT provider, account_id, status FROM awspool.accounts ORDER BY account_id;

-- What a foreign key of the user's refers to stays, and is told; the rest goes,
-- with what the foreign keys say to do then.
CREATE TABLE regress_awspool_invoice (account_id text CONSTRAINT invoice_account REFERENCES awspool.account);
CREATE TABLE regress_awspool_label (account_id text REFERENCES awspool.account ON DELETE CASCADE, name text PRIMARY KEY);
CREATE TABLE regress_awspool_print (name text CONSTRAINT print_label REFERENCES regress_awspool_label);
CREATE TABLE regress_awspool_note (account_id text REFERENCES awspool.account ON DELETE SET NULL);
CREATE TABLE regress_awspool_late (account_id text REFERENCES awspool.account DEFERRABLE INITIALLY DEFERRED);
TRUNCATE awspool.account, awspool.account_log CASCADE;
SELECT pg_temp.fill();
INSERT INTO regress_awspool_invoice VALUES ('300000000001'), ('300000000004');
INSERT INTO regress_awspool_label VALUES ('300000000003', 'x'), ('300000000005', 'y');
INSERT INTO regress_awspool_print VALUES ('y');
INSERT INTO regress_awspool_note VALUES ('300000000003');
SELECT * FROM awspool.delete_accounts('acme', '{300000000001,300000000002,300000000003,300000000003,300000000004,300000000005,300000000007}');
SELECT account_id, status FROM awspool.accounts ORDER BY account_id;
SELECT account_id, name FROM regress_awspool_label ORDER BY name;
SELECT account_id FROM regress_awspool_note;
SELECT account_id, event, used FROM awspool.account_log WHERE event = 'deleted' ORDER BY account_id;
-- who deletes one account gets the server's own error
SELECT pg_temp.names($$SELECT awspool.delete_account('acme', '300000000001')$$) AS delete,
       pg_temp.names($$DELETE FROM awspool.accounts WHERE account_id = '300000000001'$$) AS view;
-- a deferred one is checked at the end of the transaction
INSERT INTO regress_awspool_late VALUES ('300000000006');
SELECT account_id FROM awspool.allocate_account('acme', '300000000006');
\set VERBOSITY sqlstate
BEGIN;
SELECT * FROM awspool.delete_accounts('acme', '{300000000006}');
COMMIT;
BEGIN;
SET CONSTRAINTS ALL IMMEDIATE;
SELECT account_id, outcome FROM awspool.delete_accounts('acme', '{300000000006}');
COMMIT;
\set VERBOSITY default
-- and an error of another kind ends the call
CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'UUUUU'; END $$;
CREATE TRIGGER refuse AFTER DELETE ON awspool.account FOR EACH ROW EXECUTE FUNCTION pg_temp.refuse();
SELECT pg_temp.outcome($$SELECT awspool.delete_accounts('acme', '{300000000006}')$$);
DROP TRIGGER refuse ON awspool.account;
DROP TABLE regress_awspool_invoice, regress_awspool_print, regress_awspool_label, regress_awspool_note, regress_awspool_late;
TRUNCATE awspool.account, awspool.account_log;

-- Used is used, also after the deletion, also for somebody else.
SELECT pg_temp.fill();
SELECT outcome, count(*) FROM awspool.delete_accounts('acme', ARRAY['300000000007', '300000000001', '300000000003', '300000000004', '300000000005']) GROUP BY outcome;
SELECT id, pg_temp.outcome(format('SELECT awspool.add_account(%L, %L, %L, %L)', 'acme', id, 'MP-0000', 'SPAM')) AS add,
       pg_temp.outcome(format('SELECT awspool.add_account(%L, %L, %L, %L)', 'other', id, 'MP-0000', 'SPAM')) AS by_another,
       pg_temp.outcome(format('INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES (%L, %L, %L, %L)', 'acme', id, 'MP-0000', 'SPAM')) AS view,
       pg_temp.outcome(format('INSERT INTO awspool.import VALUES (%L, %L, %L, %L)', 'acme', id, 'MP-0000', 'SPAM')) AS import,
       pg_temp.outcome(format('SELECT awspool.import_csv(%L, %L)', 'acme', id || ';MP-0000;SPAM')) AS import_csv
FROM generate_series(300000000001, 300000000007) id ORDER BY id;
SELECT awspool.add_account('acme', '300000000003', 'MP-0000', 'SPAM');

-- No ids, and ids that are none.
SELECT * FROM awspool.delete_accounts('acme', '{}');
SELECT * FROM awspool.delete_accounts('acme', '{{300000000090,300000000091},{300000000092,300000000093}}');
SELECT pg_temp.outcome($$SELECT awspool.delete_accounts('acme', NULL)$$),
       pg_temp.outcome($$SELECT awspool.delete_accounts('acme', ARRAY['300000000001', NULL])$$);

-- An id that was only touched by a transaction that did not happen is free.
BEGIN;
SELECT account_id FROM awspool.add_account('acme', '300000000010', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000');
SELECT account_id FROM awspool.invalidate_account('acme', '300000000010');
SELECT account_id FROM awspool.delete_account('acme', '300000000010');
ROLLBACK;
SELECT account_id, status FROM awspool.add_account('acme', '300000000010', 'MP-0000', 'SPAM');
-- and one that was deleted after use in the same transaction is not
BEGIN;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000');
SAVEPOINT s;
SELECT account_id FROM awspool.fail_account('acme', '300000000010');
SELECT account_id FROM awspool.delete_account('acme', '300000000010');
SELECT pg_temp.outcome($$SELECT awspool.add_account('acme', '300000000010', 'MP-0000', 'SPAM')$$);
ROLLBACK TO s;
SELECT pg_temp.outcome($$SELECT awspool.add_account('acme', '300000000010', 'MP-0000', 'SPAM')$$);
SELECT account_id, status FROM awspool.accounts WHERE account_id = '300000000010';
COMMIT;

-- Nothing of it in a transaction that may not write.
BEGIN READ ONLY;
SELECT pg_temp.outcome($$SELECT awspool.add_account('acme', '300000000011', 'MP-0000', 'SPAM')$$) AS add,
       pg_temp.outcome($$SELECT awspool.edit_account('acme', '300000000010', model => 'ECAM')$$) AS edit,
       pg_temp.outcome($$SELECT awspool.delete_account('acme', '300000000010')$$) AS delete,
       pg_temp.outcome($$SELECT awspool.delete_accounts('acme', '{300000000010}')$$) AS deletes;
COMMIT;

TRUNCATE awspool.account, awspool.account_log, awspool.provider_role;

-- However many used accounts a transaction deletes, it holds no lock for each.
SELECT pg_temp.fill();
BEGIN;
SELECT outcome, count(*) FROM awspool.delete_accounts('acme', '{300000000003,300000000004,300000000005}') GROUP BY outcome;
SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();
ROLLBACK;

TRUNCATE awspool.account, awspool.account_log, awspool.provider_role;
