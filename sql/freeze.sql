--
-- A provider that moves to another server: freeze, thaw, forget.
--

CREATE FUNCTION pg_temp.outcome(statement text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE statement;
  RAISE EXCEPTION USING ERRCODE = 'DONE0';
EXCEPTION WHEN OTHERS THEN
  RETURN CASE SQLSTATE WHEN 'DONE0' THEN 'done' ELSE SQLSTATE END;
END $$;
CREATE FUNCTION pg_temp.outcome_as(who text, statement text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
  RETURN pg_temp.outcome(format('SET LOCAL ROLE %I; %s', who, statement));
END $$;
CREATE FUNCTION pg_temp.claims(provider text) RETURNS text LANGUAGE sql AS
  $$ SELECT pg_temp.outcome(format('SELECT awspool.claim_account(%L, %L)', provider, 'MP-0000')) $$;

CREATE ROLE regress_awspool_acme;
CREATE ROLE regress_awspool_all;
CREATE ROLE regress_awspool_viewer;
CREATE ROLE regress_awspool_stranger;
SELECT awspool.grant_provider('acme', 'regress_awspool_acme'), awspool.grant_provider('*', 'regress_awspool_all'),
       awspool.grant_viewer('acme', 'regress_awspool_viewer'), awspool.grant_provider('other', 'regress_awspool_acme');
SELECT count(*) FROM generate_series(1, 5) i, awspool.add_account('acme', '90000000000' || i, 'MP-0000', 'SPAM');
SELECT count(*) FROM generate_series(6, 8) i, awspool.add_account('other', '90000000000' || i, 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
SELECT account_id FROM awspool.invalidate_account('acme', '900000000005');
SELECT account_id FROM awspool.delete_account('acme', '900000000005');
SELECT account_id FROM awspool.edit_account('acme', '900000000002', model => 'ECAM');
SELECT awspool.configure_pool('acme', 'MP-0000', low_water => 5, deadline => '1 microsecond'),
       awspool.pause_pool('acme', 'MP-0001'), awspool.configure_pool('other', 'MP-0000', low_water => 5);
-- somebody else's claim of before, which its order may repeat
SELECT account_id FROM awspool.claim_account('other', 'MP-0000', 'O-1');

CREATE TEMP TABLE before AS SELECT a::text FROM awspool.account a;
SELECT awspool.freeze_provider(provider => 'acme');
SELECT provider, state, restored, set_by = current_user AS mine FROM awspool.provider_state;

-- Every change is refused, whoever asks and whichever way; but a stranger and a
-- viewer learn no more than before.  The others' accounts go on.
SELECT c.n, pg_temp.outcome(c.call) AS super,
       pg_temp.outcome_as('regress_awspool_acme', c.call) AS acts,
       pg_temp.outcome_as('regress_awspool_all', c.call) AS "all",
       pg_temp.outcome_as('regress_awspool_viewer', c.call) AS viewer,
       pg_temp.outcome_as('regress_awspool_stranger', c.call) AS stranger,
       pg_temp.outcome(translate(replace(c.call, 'acme', 'other'), '14', '67')) AS other, c.call
FROM (VALUES
  (1, 'SELECT awspool.add_account(''acme'', ''910000000009'', ''MP-0000'', ''SPAM'')'),
  (2, 'SELECT awspool.edit_account(''acme'', ''900000000004'', model => ''ECAM'')'),
  (3, 'SELECT awspool.edit_account(''acme'', ''900000000004'')'),
  (4, 'SELECT awspool.delete_account(''acme'', ''900000000004'')'),
  (5, 'SELECT awspool.delete_accounts(''acme'', ''{900000000004}'')'),
  (6, 'SELECT awspool.delete_accounts(''acme'', ''{}'')'),
  (7, 'SELECT awspool.import_csv(''acme'', ''910000000009;MP-0000;SPAM'')'),
  (8, 'SELECT awspool.import_csv(''acme'', ''x'')'),
  (9, 'SELECT awspool.claim_account(''acme'', ''MP-0000'')'),
  (10, 'SELECT awspool.claim_account(''acme'', ''MP-0000'', ''O-1'')'),
  (11, 'SELECT awspool.claim_account(''acme'', ''MP-9999'')'),
  (12, 'SELECT awspool.allocate_account(''acme'', ''900000000001'')'),
  (13, 'SELECT awspool.fail_account(''acme'', ''900000000001'')'),
  (14, 'SELECT awspool.invalidate_account(''acme'', ''900000000001'')'),
  (15, 'SELECT awspool.replace_account(''acme'', ''900000000001'', NULL)'),
  (16, 'INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES (''acme'', ''910000000009'', ''MP-0000'', ''SPAM'')'),
  (17, 'UPDATE awspool.accounts SET model = ''ECAM'' WHERE provider = ''acme'''),
  (18, 'UPDATE awspool.accounts SET status = ''invalid'' WHERE provider = ''acme'''),
  (19, 'DELETE FROM awspool.accounts WHERE provider = ''acme'' AND status = ''ready'''),
  (20, 'INSERT INTO awspool.import VALUES (''acme'', ''910000000009'', ''MP-0000'', ''SPAM'')'),
  (21, 'INSERT INTO awspool.import SELECT ''acme'', 910000000000 + i, ''MP-0000'', ''SPAM'' FROM generate_series(1, 100) i'),
  (22, 'INSERT INTO awspool.account (provider, account_id, marketplace, model) VALUES (''acme'', ''910000000009'', ''MP-0000'', ''SPAM'')'),
  (23, 'UPDATE awspool.account SET model = ''ECAM'' WHERE provider = ''acme'''),
  (24, 'UPDATE awspool.account SET provider = ''third'' WHERE provider = ''acme'''),
  (25, 'DELETE FROM awspool.account WHERE provider = ''acme'' AND status = ''ready'''),
  (26, 'SET LOCAL session_replication_role = replica; UPDATE awspool.account SET model = ''ECAM'' WHERE provider = ''acme'''),
  (27, 'SET LOCAL session_replication_role = replica; INSERT INTO awspool.account (provider, account_id, marketplace, model) VALUES (''acme'', ''910000000009'', ''MP-0000'', ''SPAM'')'),
  (28, 'SELECT awspool.freeze_provider(''acme'')'),
  (29, 'SELECT awspool.thaw_provider(''acme'')'),
  (30, 'SELECT awspool.forget_provider(''acme'')'),
  (31, 'SELECT FROM awspool.provider_state'),
  (32, 'SELECT awspool.claim_accounts(''acme'', ''MP-0000'', ''{NULL}'')'),
  (33, 'SELECT awspool.claim_accounts(''acme'', ''MP-0000'', ''{O-1}'')'),
  (34, 'SELECT awspool.claim_accounts(''acme'', ''MP-0000'', ''{}'')'),
  (35, 'SELECT awspool.fail_overdue(''acme'')'),
  (36, 'SELECT awspool.fail_overdue(''acme'', 0)'),
  (37, 'SELECT awspool.reconcile_csv(''acme'', ''900000000004;O-2'')'),
  (38, 'SELECT awspool.reconcile_csv(''acme'', '''')'),
  (39, 'SELECT awspool.configure_pool(''acme'', ''MP-0000'', 5)'),
  (40, 'SELECT awspool.pause_pool(''acme'', ''MP-0000'')'),
  (41, 'SELECT awspool.resume_pool(''acme'')')
) c (n, call) ORDER BY c.n;
SELECT awspool.claim_account('acme', 'MP-0000');
-- Reading goes on.
SELECT c.n, pg_temp.outcome_as('regress_awspool_acme', c.call) AS acts, pg_temp.outcome_as('regress_awspool_viewer', c.call) AS viewer, c.call
FROM (VALUES
  (1, 'SELECT * FROM awspool.accounts'),
  (2, 'SELECT * FROM awspool.pool_status'),
  (3, 'SELECT awspool.account_history(''acme'', ''900000000005'')'),
  (4, 'SELECT awspool.check_csv(''acme'', ''910000000009;MP-0000;SPAM'')'),
  (5, 'SELECT * FROM awspool.pool_activity'),
  (6, 'SELECT * FROM awspool.pool_settings'),
  (7, 'SELECT * FROM awspool.alerts'),
  (8, 'SELECT awspool.explain_claim(''acme'', ''MP-0000'')'),
  (9, 'SELECT awspool.check_reconcile_csv(''acme'', ''900000000004;O-2'')'),
  (10, 'SELECT awspool.passed_over(''acme'')')
) c (n, call) ORDER BY c.n;
SELECT * FROM awspool.explain_claim('acme', 'MP-0000');
SELECT verdict FROM awspool.explain_claim('other', 'MP-0000');
SELECT * FROM before EXCEPT SELECT a::text FROM awspool.account a;

-- Grants do not depend on it, and it is no secret to lint().
SELECT awspool.grant_provider('acme', 'regress_awspool_stranger'), awspool.revoke_provider('acme', 'regress_awspool_stranger');
SELECT object, problem, action FROM awspool.lint() WHERE object LIKE 'provider%';

-- Again is no error; thawed, it goes on, and again is no error either.
SELECT awspool.freeze_provider('acme');
SELECT awspool.thaw_provider('acme'), pg_temp.claims('acme');
SELECT awspool.thaw_provider('acme'), pg_temp.claims('acme');

-- In a transaction: at once, and undone with it, or with a savepoint.
BEGIN;
SELECT pg_temp.claims('acme') AS here;
SELECT awspool.freeze_provider('acme'), pg_temp.claims('acme') AS frozen;
SAVEPOINT s;
SELECT awspool.thaw_provider('acme'), pg_temp.claims('acme') AS here;
ROLLBACK TO s;
SELECT pg_temp.claims('acme') AS frozen;
SAVEPOINT s;
SELECT awspool.thaw_provider('acme');
RELEASE s;
SELECT pg_temp.claims('acme') AS here;
SELECT awspool.freeze_provider('acme'), awspool.freeze_provider('other');
SELECT pg_temp.claims('acme') AS frozen, pg_temp.claims('other') AS frozen;
ROLLBACK;
SELECT pg_temp.claims('acme') AS here, pg_temp.claims('other') AS here;
BEGIN;
SAVEPOINT s;
SELECT awspool.freeze_provider('acme'), pg_temp.claims('acme') AS frozen;
ROLLBACK TO s;
SELECT pg_temp.claims('acme') AS here;
COMMIT;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM awspool.accounts WHERE provider = 'acme';
SELECT awspool.freeze_provider('acme');
SELECT pg_temp.claims('acme') AS frozen;
COMMIT;
BEGIN READ ONLY;
SELECT pg_temp.outcome($$SELECT awspool.thaw_provider('acme')$$), pg_temp.outcome($$SELECT awspool.freeze_provider('acme')$$),
       pg_temp.outcome($$SELECT awspool.forget_provider('acme')$$);
ROLLBACK;
SELECT awspool.thaw_provider('acme');

-- What is no provider, or not one that may be forgotten.
SELECT f, p, pg_temp.outcome(format('SELECT awspool.%I(%L)', f, p))
FROM unnest('{freeze_provider,thaw_provider,forget_provider}'::text[]) f, unnest('{NULL,"",*," acme",acme,nobody}'::text[]) p
ORDER BY f, p;
SELECT awspool.forget_provider('acme');
SELECT awspool.freeze_provider('acme');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT awspool.forget_provider('acme');
ROLLBACK;
-- with EXECUTE alone nobody may
GRANT EXECUTE ON FUNCTION awspool.freeze_provider, awspool.thaw_provider, awspool.forget_provider TO regress_awspool_all;
SET ROLE regress_awspool_all;
SELECT awspool.freeze_provider('acme');
SELECT awspool.thaw_provider('acme');
SELECT awspool.forget_provider('acme');
RESET ROLE;
REVOKE EXECUTE ON FUNCTION awspool.freeze_provider, awspool.thaw_provider, awspool.forget_provider FROM regress_awspool_all;

-- Forgotten: in progress or not, with log, counts and settings, and with what
-- refers to it; the others' stay.  What fails in the middle leaves nothing behind.
CREATE TEMP TABLE pools AS SELECT * FROM awspool.pool_status;
CREATE TEMP TABLE hours AS SELECT * FROM awspool.pool_activity;
SELECT count(*) FILTER (WHERE provider = 'acme') > 0 AS acme FROM pools;
CREATE TABLE public.regress_awspool_note (account_id text REFERENCES awspool.account ON DELETE CASCADE);
INSERT INTO public.regress_awspool_note VALUES ('900000000003'), ('900000000006');
CREATE FUNCTION pg_temp.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not that one'; END $$;
CREATE TRIGGER fail BEFORE DELETE ON public.regress_awspool_note FOR EACH ROW EXECUTE FUNCTION pg_temp.fail();
SELECT pg_temp.outcome($$SELECT awspool.forget_provider('acme')$$);
SELECT pg_temp.outcome($$DELETE FROM awspool.account WHERE provider = 'acme'$$) AS frozen, pg_temp.outcome($$DELETE FROM awspool.account WHERE account_id = '900000000006'$$) AS in_use;
SELECT state FROM awspool.provider_state;
SELECT p = q AS same_pools FROM pools p JOIN awspool.pool_status q USING (provider, marketplace) ORDER BY provider, marketplace;
SELECT * FROM awspool.recounted();
DROP TRIGGER fail ON public.regress_awspool_note;
SELECT awspool.forget_provider('acme');
SELECT * FROM public.regress_awspool_note;
DROP TABLE public.regress_awspool_note;
SELECT provider, state, since IS NOT NULL AS "when", set_by = current_user AS by_me FROM awspool.provider_state;
SELECT provider, count(*) FROM awspool.account GROUP BY provider ORDER BY provider;
SELECT provider, count(*) FROM awspool.account_log GROUP BY provider ORDER BY provider;
SELECT provider, marketplace FROM awspool.pool_start WHERE provider = 'acme';
SELECT provider, count(*) > 0 AS counted FROM awspool.tally GROUP BY provider ORDER BY provider;
SELECT provider, marketplace, low_water FROM awspool.pool_setting ORDER BY provider, marketplace;
SELECT provider, p = q AS same FROM pools p FULL JOIN awspool.pool_status q USING (provider, marketplace) WHERE provider <> 'acme' OR q IS NOT NULL ORDER BY provider, marketplace;
SELECT DISTINCT provider, h = a AS same FROM hours h FULL JOIN awspool.pool_activity a USING (provider, marketplace, hour) WHERE provider <> 'acme' OR a IS NOT NULL ORDER BY provider;
SELECT provider, alert FROM awspool.alerts WHERE provider = 'acme';
SELECT * FROM awspool.recounted();
SELECT object, problem FROM awspool.verify();
SELECT verdict, detail FROM awspool.explain_claim('acme', 'MP-0000');
-- It is away: nothing can be added, and others may have its ids, used or not.
SELECT awspool.add_account('acme', '900000000002', 'MP-0000', 'SPAM');
SELECT pg_temp.claims('acme') AS away, pg_temp.outcome($$INSERT INTO awspool.import VALUES ('acme', '910000000009', 'MP-0000', 'SPAM')$$),
       pg_temp.outcome($$INSERT INTO awspool.account (provider, account_id, marketplace, model) VALUES ('acme', '910000000009', 'MP-0000', 'SPAM')$$),
       pg_temp.outcome($$SELECT awspool.freeze_provider('acme')$$), pg_temp.outcome($$SELECT awspool.forget_provider('acme')$$);
SELECT pg_temp.outcome_as('regress_awspool_viewer', 'SELECT awspool.check_csv(''acme'', '''')') AS read, pg_temp.outcome_as('regress_awspool_stranger', $$SELECT awspool.claim_account('acme', 'MP-0000')$$) AS stranger;
SELECT account_id FROM awspool.add_account('other', '900000000002', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.add_account('other', '900000000005', 'MP-0000', 'SPAM');
-- lint() tells of who is still granted it, and of rows that are there all the same
SELECT severity, object, problem, action FROM awspool.lint() WHERE object LIKE 'provider%';
ALTER TABLE awspool.account DISABLE TRIGGER account_refuse_used;
INSERT INTO awspool.account (provider, account_id, marketplace, model) VALUES ('acme', '910000000009', 'MP-0000', 'SPAM');
ALTER TABLE awspool.account ENABLE ALWAYS TRIGGER account_refuse_used;
SELECT severity, object, problem, action FROM awspool.lint() WHERE object LIKE 'provider%' AND severity = 'error';
-- It may come back.
SELECT awspool.thaw_provider('acme');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000');
-- and begins anew
SELECT account_id FROM awspool.add_account('acme', '910000000010', 'MP-0000', 'SPAM');
SELECT provider, marketplace, ready, claims_7d, added_ever, paused_at FROM awspool.pool_status WHERE provider = 'acme';

-- From a backup: the rows of a frozen provider can be restored after its state.
INSERT INTO awspool.provider_state (provider, state) VALUES ('moving', 'frozen'), ('moved', 'away');
SELECT provider, state, restored FROM awspool.provider_state ORDER BY provider;
INSERT INTO awspool.account (provider, account_id, marketplace, model) VALUES ('moving', '920000000001', 'MP-0000', 'SPAM');
SELECT pg_temp.claims('moving') AS moving, pg_temp.claims('moved') AS moved,
       pg_temp.outcome($$UPDATE awspool.account SET model = 'ECAM' WHERE provider = 'moving'$$) AS update,
       pg_temp.outcome($$SELECT awspool.add_account('moving', '920000000002', 'MP-0000', 'SPAM')$$) AS add,
       pg_temp.outcome($$INSERT INTO awspool.account (provider, account_id, marketplace, model) VALUES ('moved', '920000000002', 'MP-0000', 'SPAM')$$) AS insert_moved,
       pg_temp.outcome($$SELECT awspool.forget_provider('moving')$$) AS forget;
SELECT severity, object, problem, action FROM awspool.lint() WHERE object = 'provider "moving"' ORDER BY problem;
SELECT awspool.freeze_provider('moving');
SELECT pg_temp.outcome($$INSERT INTO awspool.account (provider, account_id, marketplace, model) VALUES ('moving', '920000000002', 'MP-0000', 'SPAM')$$);
SELECT provider, state, restored FROM awspool.provider_state ORDER BY provider;
\set VERBOSITY sqlstate
INSERT INTO awspool.provider_state (provider, state) VALUES ('x', 'here');
INSERT INTO awspool.provider_state (provider, state) VALUES (' x', 'away');
\set VERBOSITY default

-- Without the table, as under the script of version 1.0, all are here.
BEGIN;
ALTER TABLE awspool.provider_state RENAME TO provider_state_gone;
SELECT pg_temp.claims('moving') AS here;
ROLLBACK;
SELECT pg_temp.claims('moving') AS frozen;
TRUNCATE awspool.provider_state;
SELECT pg_temp.claims('moving') AS here;

TRUNCATE awspool.account, awspool.account_log, awspool.provider_role, awspool.provider_viewer, awspool.pool_setting;
DROP ROLE regress_awspool_acme, regress_awspool_all, regress_awspool_viewer, regress_awspool_stranger;
