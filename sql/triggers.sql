--
-- What the extension does in bad company: triggers of the user's own, columns
-- and constraints of the user's own, its functions called as they should not
-- be.  Errors may come, but never an internal one (XX000).
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

SELECT count(*) FROM awspool.import_csv('acme', (SELECT string_agg(120000000000 + n || ';MP-0000;SPAM', E'\n' ORDER BY n) FROM generate_series(1, 9) n));

-- A user's own row triggers fire on everything that changes an account, and
-- see what is stored.
CREATE FUNCTION pg_temp.tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE NOTICE '% % % of %: % -> %', tg_name, tg_when, tg_op, coalesce(new.account_id, old.account_id),
    old.status, new.status || coalesce(' for ' || new.order_id, '') || CASE WHEN new.claimed_by IS NOT NULL THEN ', stamped' ELSE '' END;
  RETURN coalesce(new, old);
END $$;
CREATE TRIGGER user_before BEFORE INSERT OR UPDATE OR DELETE ON awspool.account FOR EACH ROW EXECUTE FUNCTION pg_temp.tell();
CREATE TRIGGER user_after AFTER INSERT OR UPDATE OR DELETE ON awspool.account FOR EACH ROW EXECUTE FUNCTION pg_temp.tell();
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
SELECT account_id FROM awspool.allocate_account('acme', '120000000001');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-2');
SELECT account_id FROM awspool.replace_account('acme', '120000000002', 'broken');
SELECT account_id FROM awspool.add_account('acme', '120000000010', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.edit_account('acme', '120000000010', model => 'ECAM');
SELECT account_id FROM awspool.invalidate_account('acme', '120000000010');
SELECT account_id FROM awspool.delete_account('acme', '120000000010');
DROP TRIGGER user_before ON awspool.account;
DROP TRIGGER user_after ON awspool.account;

-- ... also those for certain columns or conditions, and those of the end of
-- the transaction.
CREATE TRIGGER user_status AFTER UPDATE OF status ON awspool.account FOR EACH ROW EXECUTE FUNCTION pg_temp.tell();
CREATE TRIGGER user_model AFTER UPDATE OF model ON awspool.account FOR EACH ROW EXECUTE FUNCTION pg_temp.tell();
CREATE TRIGGER user_when AFTER UPDATE ON awspool.account FOR EACH ROW
  WHEN (old.status = 'ready' AND new.status = 'provisioning_in_progress') EXECUTE FUNCTION pg_temp.tell();
CREATE CONSTRAINT TRIGGER user_deferred AFTER UPDATE ON awspool.account DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION pg_temp.tell();
BEGIN;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000');
SELECT account_id FROM awspool.edit_account('acme', '120000000004', model => 'ECAM');
COMMIT;
DROP TRIGGER user_status ON awspool.account;
DROP TRIGGER user_model ON awspool.account;
DROP TRIGGER user_when ON awspool.account;
DROP TRIGGER user_deferred ON awspool.account;

-- A trigger that takes the change back is told of, as one that prevents it is.
CREATE FUNCTION pg_temp.take_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RETURN old;
END $$;
CREATE TRIGGER user_take_back BEFORE UPDATE ON awspool.account FOR EACH ROW EXECUTE FUNCTION pg_temp.take_back();
SELECT awspool.claim_account('acme', 'MP-0000');
DROP TRIGGER user_take_back ON awspool.account;

-- A table without constraints is used as it is.
BEGIN;
ALTER TABLE awspool.account DROP CONSTRAINT account_is_well_formed, DROP CONSTRAINT account_fits_its_status;
SELECT count(*) FROM awspool.claim_account('acme', 'MP-0000');
ROLLBACK;

-- A trigger that raises an error stops the change, and nothing is lost.
CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'no %', tg_op USING ERRCODE = 'UUUUU';
END $$;
CREATE TRIGGER user_refuse AFTER INSERT OR UPDATE OR DELETE ON awspool.account FOR EACH ROW EXECUTE FUNCTION pg_temp.refuse();
SELECT pg_temp.outcome($$SELECT awspool.claim_account('acme', 'MP-0000')$$) AS claim,
       pg_temp.outcome($$SELECT awspool.add_account('acme', '120000000020', 'MP-0000', 'SPAM')$$) AS add,
       pg_temp.outcome($$SELECT awspool.import_csv('acme', '120000000020;MP-0000;SPAM')$$) AS import_csv,
       pg_temp.outcome($$SELECT awspool.edit_account('acme', '120000000005', model => 'ECAM')$$) AS edit,
       pg_temp.outcome($$SELECT awspool.invalidate_account('acme', '120000000005')$$) AS invalidate,
       pg_temp.outcome($$SELECT awspool.delete_account('acme', '120000000005')$$) AS delete;
DROP TRIGGER user_refuse ON awspool.account;

-- A trigger that returns NULL would turn a change into nothing.  To tell the
-- caller of a claim, an end or a deletion that did not happen is worse than
-- any error.
CREATE FUNCTION pg_temp.nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER user_nothing BEFORE INSERT OR UPDATE OR DELETE ON awspool.account FOR EACH ROW EXECUTE FUNCTION pg_temp.nothing();
SELECT awspool.claim_account('acme', 'MP-0000');
SELECT c.call
FROM (VALUES ('SELECT awspool.claim_account(''acme'', ''MP-0000'', ''O-9'')'),
  ('SELECT awspool.add_account(''acme'', ''120000000020'', ''MP-0000'', ''SPAM'')'),
  ('SELECT awspool.import_csv(''acme'', ''120000000020;MP-0000;SPAM'')'),
  ('INSERT INTO awspool.import VALUES (''acme'', ''120000000020'', ''MP-0000'', ''SPAM'')'),
  ('SELECT awspool.edit_account(''acme'', ''120000000005'', model => ''ECAM'')'),
  ('SELECT awspool.allocate_account(''acme'', ''120000000004'')'),
  ('SELECT awspool.fail_account(''acme'', ''120000000004'')'),
  ('SELECT awspool.invalidate_account(''acme'', ''120000000005'')'),
  ('SELECT awspool.replace_account(''acme'', ''120000000004'', ''why'')'),
  ('SELECT awspool.delete_account(''acme'', ''120000000005'')'),
  ('SELECT awspool.delete_accounts(''acme'', ''{120000000005}'')'),
  ('INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES (''acme'', ''120000000020'', ''MP-0000'', ''SPAM'')'),
  ('UPDATE awspool.accounts SET model = ''ECAM'' WHERE account_id = ''120000000005'''),
  ('UPDATE awspool.accounts SET status = ''invalid'' WHERE account_id = ''120000000005'''),
  ('DELETE FROM awspool.accounts WHERE account_id = ''120000000005''')) c (call),
  pg_temp.outcome(c.call) o (outcome)
WHERE o.outcome IN ('done', 'XX000') ORDER BY c.call;
DROP TRIGGER user_nothing ON awspool.account;
SELECT account_id, model, status, order_id FROM awspool.accounts ORDER BY account_id;

-- A trigger that changes the account itself, before it is changed.
CREATE FUNCTION pg_temp.meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF pg_trigger_depth() = 1 THEN
    UPDATE awspool.account SET model = 'ECAM' WHERE account_id = old.account_id;
  END IF;
  RETURN coalesce(new, old);
END $$;
CREATE TRIGGER user_meddle BEFORE UPDATE OR DELETE ON awspool.account FOR EACH ROW EXECUTE FUNCTION pg_temp.meddle();
SELECT c.call, o.outcome IN ('done', 'XX000') AS silent_or_internal
FROM (VALUES ('SELECT awspool.claim_account(''acme'', ''MP-0000'', ''O-9'')'),
  ('SELECT awspool.edit_account(''acme'', ''120000000005'', ''MP-1111'')'),
  ('SELECT awspool.invalidate_account(''acme'', ''120000000005'')'),
  ('SELECT awspool.delete_account(''acme'', ''120000000005'')')) c (call),
  pg_temp.outcome(c.call) o (outcome) ORDER BY c.call;
DROP TRIGGER user_meddle ON awspool.account;

-- A trigger that changes the next account, before this one is deleted.
BEGIN;
CREATE FUNCTION pg_temp.meddle_next() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE awspool.account SET model = 'ECAM' WHERE account_id::bigint = old.account_id::bigint + 1 AND model = 'SPAM';
  RETURN old;
END $$;
CREATE TRIGGER user_meddle_next BEFORE DELETE ON awspool.account FOR EACH ROW EXECUTE FUNCTION pg_temp.meddle_next();
SELECT account_id, outcome FROM awspool.delete_accounts('acme', '{120000000006,120000000007,120000000008}');
SELECT string_agg(event, ' ' ORDER BY n) FROM awspool.account_history('acme', '120000000007') WITH ORDINALITY h (at, actor, event, detail, n);
ROLLBACK;

-- A trigger that works on, afterwards: claims, edits and reads.
CREATE TABLE regress_awspool_seen (account_id text REFERENCES awspool.account, note text);
CREATE FUNCTION pg_temp.work_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF pg_trigger_depth() = 1 THEN
    INSERT INTO regress_awspool_seen SELECT account_id, 'edited' FROM awspool.edit_account(new.provider, new.account_id, model => 'ECAM');
    INSERT INTO regress_awspool_seen SELECT account_id, 'claimed as well' FROM awspool.claim_account(new.provider, new.marketplace);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER user_work_on AFTER UPDATE OF status ON awspool.account FOR EACH ROW EXECUTE FUNCTION pg_temp.work_on();
SELECT account_id, status FROM awspool.claim_account('acme', 'MP-0000', 'O-5');
DROP TRIGGER user_work_on ON awspool.account;
SELECT * FROM regress_awspool_seen ORDER BY account_id;
SELECT account_id, model, status, order_id, order_model FROM awspool.accounts WHERE account_id IN ('120000000005', '120000000006') ORDER BY account_id;

-- Who claims for an order that the same command has just given an account, by
-- hand, does not find it yet, and does not look for ever.
SELECT pg_temp.outcome($$INSERT INTO awspool.account (provider, account_id, marketplace, model, status, order_id, order_model, claimed_at, claimed_by)
  VALUES ('acme', '120000000099', 'MP-0000', 'SPAM', 'provisioning_in_progress', 'O-99', 'SPAM', now(), 'hand')
  RETURNING (SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-99'))$$) AS claim;

-- A foreign key of the user's own holds; stock.sql has more of them.
SELECT account_id, status FROM awspool.allocate_account('acme', '120000000005');
SELECT pg_temp.outcome($$SELECT awspool.delete_account('acme', '120000000005')$$) AS delete,
       pg_temp.outcome($$SELECT awspool.delete_accounts('acme', '{120000000005}')$$) AS deletes,
       pg_temp.outcome($$DELETE FROM awspool.accounts WHERE account_id = '120000000005'$$) AS view;
DROP TABLE regress_awspool_seen;
SELECT account_id, status FROM awspool.delete_account('acme', '120000000005');

-- Columns, indexes and constraints of the user's own go along.
ALTER TABLE awspool.account ADD COLUMN note text DEFAULT 'none', ADD COLUMN label text GENERATED ALWAYS AS (account_id || ' ' || status) STORED,
  ADD CONSTRAINT user_check CHECK (order_id IS DISTINCT FROM 'O-13');
CREATE UNIQUE INDEX user_index ON awspool.account (lower(label)) INCLUDE (note);
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-7');
SELECT account_id FROM awspool.add_account('acme', '120000000011', 'MP-0000', 'SPAM');
SELECT outcome FROM awspool.import_csv('acme', '120000000012;MP-0000;SPAM');
SELECT account_id FROM awspool.fail_account('acme', '120000000007', 'broken');
SELECT account_id FROM awspool.edit_account('acme', '120000000011', 'MP-1111');
\set VERBOSITY sqlstate
SELECT awspool.claim_account('acme', 'MP-0000', 'O-13');
\set VERBOSITY default
SELECT account_id, note, label FROM awspool.account WHERE account_id IN ('120000000007', '120000000011', '120000000012') ORDER BY account_id;
ALTER TABLE awspool.account DROP COLUMN note, DROP COLUMN label, DROP CONSTRAINT user_check;
SELECT account_id, order_id FROM awspool.claim_account('acme', 'MP-0000', 'O-13');
SELECT account_id FROM awspool.delete_account('acme', '120000000007');

-- A constraint that the caller may not check fails each time, not only the
-- first, and one that looks at the whole row holds in each call.
CREATE ROLE regress_awspool_app;
SELECT awspool.grant_provider('acme', 'regress_awspool_app');
CREATE FUNCTION public.regress_awspool_fits(account awspool.account) RETURNS boolean
RETURN account.order_id IS DISTINCT FROM 'O-14';
SET ROLE regress_awspool_app;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-8');
RESET ROLE;
ALTER TABLE awspool.account ADD CONSTRAINT user_check CHECK (public.regress_awspool_fits(account));
REVOKE EXECUTE ON FUNCTION public.regress_awspool_fits FROM PUBLIC;
SET ROLE regress_awspool_app;
SELECT pg_temp.outcome($$SELECT awspool.claim_account('acme', 'MP-0000', 'O-9')$$) AS claim,
       pg_temp.outcome($$SELECT awspool.claim_account('acme', 'MP-0000', 'O-9')$$) AS again;
RESET ROLE;
GRANT EXECUTE ON FUNCTION public.regress_awspool_fits TO PUBLIC;
SET ROLE regress_awspool_app;
SELECT n, pg_temp.outcome(format('SELECT awspool.claim_account(%L, %L, %L)', 'acme', 'MP-0000', 'O-' || n)) AS claim FROM generate_series(13, 15) n;
RESET ROLE;
ALTER TABLE awspool.account DROP CONSTRAINT user_check;
DROP FUNCTION public.regress_awspool_fits;

-- So does one that looks at a column which is computed, stored or not.
SELECT CASE WHEN current_setting('server_version_num')::int < 180000 THEN 'STORED' ELSE 'VIRTUAL' END AS kind \gset
ALTER TABLE awspool.account ADD COLUMN label text GENERATED ALWAYS AS (upper(order_id)) :kind,
  ADD CONSTRAINT user_check CHECK (label IS DISTINCT FROM 'O-14');
SELECT n, pg_temp.outcome(format('SELECT awspool.claim_account(%L, %L, %L)', 'acme', 'MP-0000', 'o-' || n)) AS claim FROM generate_series(13, 15) n;
ALTER TABLE awspool.account DROP COLUMN label;

-- Nor does it matter what else the table of grants has, or a view.
BEGIN;
ALTER TABLE awspool.provider_role ADD COLUMN note text DEFAULT 'none', ADD COLUMN since timestamptz DEFAULT now();
SET LOCAL ROLE regress_awspool_app;
SELECT count(*) > 0 AS some FROM awspool.accounts;
RESET ROLE;
DO $$ BEGIN EXECUTE 'CREATE OR REPLACE VIEW awspool.import AS SELECT v.*, ''none'' AS note, now() AS since FROM ('
  || rtrim(pg_get_viewdef('awspool.import'::regclass), ';') || ') v'; END $$;
INSERT INTO awspool.import VALUES ('acme', '120000000013', 'MP-0000', 'SPAM', 'none', now());
SELECT account_id, status FROM awspool.accounts WHERE account_id = '120000000013';
DO $$ BEGIN EXECUTE 'CREATE OR REPLACE VIEW awspool.accounts AS SELECT v.*, ''none'' AS note, now() AS since FROM ('
  || rtrim(pg_get_viewdef('awspool.accounts'::regclass), ';') || ') v'; END $$;
UPDATE awspool.accounts SET model = 'ECAM' WHERE account_id = '120000000013' RETURNING account_id, model, note;
UPDATE awspool.accounts SET status = 'invalid' WHERE account_id = '120000000013' RETURNING account_id, status, note;
INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES ('acme', '120000000014', 'MP-0000', 'SPAM') RETURNING account_id, note;
DELETE FROM awspool.accounts WHERE account_id = '120000000014' RETURNING account_id, note;
ROLLBACK;
DROP ROLE regress_awspool_app;
SELECT account_id, marketplace FROM awspool.accounts WHERE account_id >= '120000000008' ORDER BY account_id;

-- Trigger functions are for their triggers: not to be called, and not to be
-- put on another table or view.
CREATE TABLE regress_awspool_table (provider text, account_id text, marketplace text, model text, status text);
CREATE VIEW regress_awspool_view AS SELECT * FROM regress_awspool_table;
SELECT p.proname, pg_temp.outcome(format('SELECT awspool.%I()', p.proname)) AS called,
       pg_temp.outcome(format('CREATE TRIGGER t BEFORE INSERT ON regress_awspool_table FOR EACH ROW EXECUTE FUNCTION awspool.%I(); INSERT INTO regress_awspool_table VALUES (1)', p.proname)) AS before_row,
       pg_temp.outcome(format('CREATE TRIGGER t AFTER INSERT ON regress_awspool_table FOR EACH ROW EXECUTE FUNCTION awspool.%I(); INSERT INTO regress_awspool_table VALUES (1)', p.proname)) AS after_row,
       pg_temp.outcome(format('CREATE TRIGGER t BEFORE TRUNCATE ON regress_awspool_table FOR EACH STATEMENT EXECUTE FUNCTION awspool.%I(); TRUNCATE regress_awspool_table', p.proname)) AS truncated,
       pg_temp.outcome(format('CREATE TRIGGER t AFTER UPDATE ON regress_awspool_table FOR EACH STATEMENT EXECUTE FUNCTION awspool.%I(); UPDATE regress_awspool_table SET model = ''x''', p.proname)) AS after_statement,
       pg_temp.outcome(format('CREATE TRIGGER t INSTEAD OF INSERT ON regress_awspool_view FOR EACH ROW EXECUTE FUNCTION awspool.%I(); INSERT INTO regress_awspool_view VALUES (1)', p.proname)) AS instead
FROM pg_proc p WHERE p.pronamespace = 'awspool'::regnamespace AND p.prorettype = 'trigger'::regtype
ORDER BY p.proname;
\set SHOW_CONTEXT never
CREATE TRIGGER t BEFORE UPDATE ON regress_awspool_table FOR EACH STATEMENT EXECUTE FUNCTION awspool.account_transition();
UPDATE regress_awspool_table SET model = 'SPAM';
\set SHOW_CONTEXT errors
DROP VIEW regress_awspool_view;
DROP TABLE regress_awspool_table;

-- NULL, and other things, for every argument of every function, one at a time
-- and all together: an answer or an error with a meaning.
CREATE TEMP TABLE call AS
SELECT p.proname, x.what, n.place, format('SELECT awspool.%I(%s)', p.proname,
    (SELECT string_agg(CASE WHEN n.place IN (0, a.place) THEN x.value
                            WHEN a.name = 'account_ids' THEN '''{120000000008}'''
                            WHEN a.type = 'boolean'::regtype THEN 'false'
                            WHEN a.type IN ('integer'::regtype, 'bigint'::regtype, 'numeric'::regtype) THEN '1'
                            WHEN a.type = 'interval'::regtype THEN '''1 day'''
                            WHEN a.type = 'timestamptz'::regtype THEN 'now()'
                            ELSE quote_literal(CASE a.name WHEN 'provider' THEN 'acme' WHEN 'account_id' THEN '120000000008' WHEN 'marketplace' THEN 'MP-0000'
                              WHEN 'model' THEN 'SPAM' WHEN 'order_id' THEN 'O-13' WHEN 'role_name' THEN current_user::text WHEN 'csv' THEN '120000000088;MP-0000;SPAM' ELSE 'word' END) END,
       ', ' ORDER BY a.place)
     FROM unnest(p.proargtypes::oid[], p.proargnames[:p.pronargs]) WITH ORDINALITY a (type, name, place))) AS statement
FROM pg_proc p, generate_series(0, p.pronargs) n (place),
  (VALUES ('null', 'NULL'), ('empty', ''''''), ('long', 'repeat(''9'', 100000)'), ('odd', 'E''\x01\n\u0085"''''\\;''')) x (what, value)
WHERE p.pronamespace = 'awspool'::regnamespace AND p.prorettype NOT IN ('trigger'::regtype, 'internal'::regtype) AND p.pronargs > 0
  AND (x.what = 'null' OR (n.place > 0 AND p.proargtypes[n.place - 1] = 'text'::regtype));
SELECT proname, string_agg(CASE place WHEN 0 THEN 'all' ELSE place::text END || ' ' || pg_temp.outcome(statement), ', ' ORDER BY place) AS nulls
FROM call WHERE what = 'null' GROUP BY proname ORDER BY proname;
SELECT proname, what, string_agg(place || ' ' || pg_temp.outcome(statement), ', ' ORDER BY place) AS outcomes
FROM call WHERE what <> 'null' GROUP BY proname, what ORDER BY proname, what;
DROP TABLE call;

-- NULL for every column of the views.
SELECT v.view, c.column, pg_temp.outcome(format('INSERT INTO awspool.%I (%s) VALUES (%s)', v.view, v.columns,
    (SELECT string_agg(CASE WHEN l.column = c.column THEN 'NULL' ELSE l.value END, ', ' ORDER BY l.place) FROM (VALUES (1, 'provider', '''acme'''), (2, 'account_id', '''120000000088'''), (3, 'marketplace', '''MP-0000'''), (4, 'model', '''SPAM''')) l (place, "column", value)))) AS outcome
FROM (VALUES ('accounts', 'provider, account_id, marketplace, model'), ('import', 'provider, account_id, marketplace_id, account_model')) v (view, columns),
  (VALUES ('provider'), ('account_id'), ('marketplace'), ('model')) c ("column")
ORDER BY v.view, c.column;

-- Nor are they to be put on their own table once more, for another event, at
-- another time or for statements.  The owner alone could, and gets an error or
-- what they asked for, but the server goes on.
TRUNCATE awspool.account, awspool.account_log, awspool.provider_role;
SELECT t.relation, t.time || ' ' || e.event AS fires, l.level, p.proname, o.outcome
FROM (VALUES ('account', 'BEFORE'), ('account', 'AFTER'), ('account_log', 'BEFORE'), ('account_log', 'AFTER'),
    ('provider_role', 'BEFORE'), ('provider_role', 'AFTER'), ('accounts', 'BEFORE'), ('accounts', 'AFTER'), ('accounts', 'INSTEAD OF'),
    ('import', 'BEFORE'), ('import', 'AFTER'), ('import', 'INSTEAD OF')) t (relation, "time"),
  (VALUES ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE')) e (event), (VALUES ('ROW'), ('STATEMENT')) l (level), pg_proc p,
  pg_temp.outcome(format('CREATE TRIGGER aaa %s %s ON awspool.%I FOR EACH %s EXECUTE FUNCTION awspool.%I();
    INSERT INTO awspool.provider_role VALUES (''acme'', current_user, 0);
    UPDATE awspool.provider_role SET provider = ''other'';
    INSERT INTO awspool.import VALUES (''acme'', ''120000000001'', ''MP-0000'', ''SPAM'');
    INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES (''acme'', ''120000000002'', ''MP-0000'', ''SPAM'');
    INSERT INTO awspool.account (provider, account_id, marketplace, model) VALUES (''acme'', ''120000000003'', ''MP-0000'', ''SPAM'');
    UPDATE awspool.accounts SET model = ''ECAM'' WHERE account_id = ''120000000001'';
    UPDATE awspool.account SET model = ''ECAM'' WHERE account_id = ''120000000002'';
    DELETE FROM awspool.accounts WHERE account_id = ''120000000001'';
    DELETE FROM awspool.account WHERE account_id = ''120000000002'';
    UPDATE awspool.account_log SET detail = ''x'';
    DELETE FROM awspool.account_log;
    DELETE FROM awspool.provider_role;
    TRUNCATE awspool.account, awspool.account_log, awspool.provider_role', t.time, e.event, t.relation, l.level, p.proname)) o (outcome)
WHERE p.pronamespace = 'awspool'::regnamespace AND p.prorettype = 'trigger'::regtype
  -- what a trigger cannot be: INSTEAD OF for tables and statements, and so on
  AND (t.time = 'INSTEAD OF') = (t.relation IN ('accounts', 'import') AND l.level = 'ROW')
  AND NOT (e.event = 'TRUNCATE' AND (l.level = 'ROW' OR t.relation IN ('accounts', 'import')))
  AND o.outcome = 'XX000'
ORDER BY t.relation, fires, l.level, p.proname;
SELECT count(*) FROM awspool.accounts;

TRUNCATE awspool.account, awspool.account_log, awspool.provider_role;
