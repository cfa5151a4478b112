--
-- Viewers: a role that may look at a provider, and change nothing.
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

-- For whom a role sees accounts, pools and histories, and whose it may change.
CREATE FUNCTION pg_temp.reach(who text, OUT sees text, OUT pools text, OUT checks text, OUT changes text)
LANGUAGE plpgsql AS $$
DECLARE
  all_providers CONSTANT text[] := '{acme,other,third}';
BEGIN
  EXECUTE format('SET LOCAL ROLE %I', who);
  SELECT coalesce(string_agg(DISTINCT provider, ' ' ORDER BY provider), '-') INTO sees FROM awspool.accounts;
  SELECT coalesce(string_agg(DISTINCT provider, ' ' ORDER BY provider), '-') INTO pools FROM awspool.pool_status;
  SELECT coalesce(string_agg(p, ' ' ORDER BY p), '-') INTO checks FROM unnest(all_providers) p
    WHERE pg_temp.outcome(format('SELECT awspool.check_csv(%L, %L)', p, '')) <> '42501';
  SELECT coalesce(string_agg(p, ' ' ORDER BY p), '-') INTO changes FROM unnest(all_providers) p
    WHERE pg_temp.outcome(format('SELECT awspool.claim_account(%L, %L)', p, 'MP-0000')) <> '42501';
  RESET ROLE;
END $$;

CREATE ROLE regress_awspool_acts;
CREATE ROLE regress_awspool_looks;
CREATE ROLE regress_awspool_looks_at_all;
CREATE ROLE regress_awspool_mixed;
CREATE ROLE regress_awspool_member IN ROLE regress_awspool_looks;
CREATE ROLE regress_awspool_noinherit NOINHERIT IN ROLE regress_awspool_looks;
CREATE ROLE regress_awspool_stranger;
SELECT awspool.grant_provider('acme', 'regress_awspool_acts');
SELECT awspool.grant_viewer(provider => 'acme', role_name => 'regress_awspool_looks');
SELECT awspool.grant_viewer('*', 'regress_awspool_looks_at_all');
-- acts for one, looks at another, and has both grants for a third
SELECT awspool.grant_provider('acme', 'regress_awspool_mixed'), awspool.grant_viewer('other', 'regress_awspool_mixed');
SELECT awspool.grant_provider('third', 'regress_awspool_mixed'), awspool.grant_viewer('third', 'regress_awspool_mixed');
SELECT account_id FROM awspool.add_account('acme', '900000000001', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.add_account('other', '900000000002', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.add_account('third', '900000000003', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.add_account('acme', '900000000004', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-1');

SELECT rolname, r.* FROM pg_roles, pg_temp.reach(rolname) r WHERE rolname LIKE 'regress_awspool%' ORDER BY rolname;
SELECT provider, role, role_oid = role::regrole AS right FROM awspool.provider_viewer ORDER BY provider, role;

-- What a viewer sees is what who acts sees; it acts for nobody.
SET ROLE regress_awspool_looks;
SELECT awspool.acts_for_all(), awspool.my_providers();
SELECT provider, account_id, status, order_id FROM awspool.accounts ORDER BY position;
SELECT account_id FROM awspool.accounts WHERE account_id = '900000000001';
SELECT account_id FROM awspool.accounts WHERE account_id = '900000000002';
SELECT account_id FROM awspool.accounts WHERE provider = 'acme' AND order_id = 'O-1';
SELECT account_id FROM awspool.accounts WHERE provider IN ('acme', 'other') AND marketplace = 'MP-0000' AND status = 'ready' ORDER BY position;
SELECT count(*) FROM awspool.accounts;
SELECT account_id FROM awspool.visible_accounts() ORDER BY account_id;
SELECT provider, marketplace, ready, provisioning_in_progress FROM awspool.pool_status;
SELECT event, detail FROM awspool.account_history('acme', '900000000001');
SELECT line, account_id, outcome, detail FROM awspool.check_csv('acme', E'900000000001;MP-0000;SPAM\n900000000002;MP-0000;SPAM\n900000000009;MP-0000;SPAM');
SELECT * FROM awspool.import;
-- also where nothing may be written
BEGIN READ ONLY;
SELECT count(*) FROM awspool.accounts;
SELECT outcome FROM awspool.check_csv('acme', '900000000009;MP-0000;SPAM');
ROLLBACK;
-- who looks at all providers and acts for one sees all of them in order
SET ROLE regress_awspool_looks_at_all;
SELECT awspool.acts_for_all(), awspool.my_providers();
SELECT provider, account_id FROM awspool.accounts ORDER BY position;
SELECT provider, account_id FROM awspool.accounts WHERE status = 'ready' ORDER BY position DESC LIMIT 2;
SELECT provider, ready FROM awspool.pool_status ORDER BY provider;
-- each account once, whatever gives the right to see it
SET ROLE regress_awspool_mixed;
SELECT awspool.acts_for_all(), awspool.my_providers();
SELECT provider, account_id FROM awspool.accounts ORDER BY position;
SELECT provider, ready FROM awspool.pool_status ORDER BY provider;
RESET ROLE;

-- It changes nothing, by whatever way.
SELECT c.n, pg_temp.outcome_as('regress_awspool_acts', c.call) AS acts,
       pg_temp.outcome_as('regress_awspool_looks', c.call) AS looks,
       pg_temp.outcome_as('regress_awspool_member', c.call) AS member,
       pg_temp.outcome_as('regress_awspool_looks_at_all', c.call) AS "all",
       pg_temp.outcome_as('regress_awspool_mixed', c.call) AS mixed,
       pg_temp.outcome_as('regress_awspool_mixed', replace(c.call, 'acme', 'other')) AS mixed_other,
       pg_temp.outcome_as('regress_awspool_stranger', c.call) AS stranger, c.call
FROM (VALUES
  (1, 'SELECT awspool.add_account(''acme'', ''900000000009'', ''MP-0000'', ''SPAM'')'),
  (2, 'SELECT awspool.edit_account(''acme'', ''900000000004'', model => ''ECAM'')'),
  (3, 'SELECT awspool.edit_account(''acme'', ''900000000004'')'),
  (4, 'SELECT awspool.delete_account(''acme'', ''900000000004'')'),
  (5, 'SELECT awspool.delete_accounts(''acme'', ''{900000000004}'')'),
  (6, 'SELECT awspool.delete_accounts(''acme'', ''{}'')'),
  (7, 'SELECT awspool.import_csv(''acme'', ''900000000009;MP-0000;SPAM'')'),
  (8, 'SELECT awspool.import_csv(''acme'', '''')'),
  (9, 'SELECT awspool.claim_account(''acme'', ''MP-0000'')'),
  (10, 'SELECT awspool.claim_account(''acme'', ''MP-0000'', ''O-1'')'),
  (11, 'SELECT awspool.claim_account(''acme'', ''MP-9999'')'),
  (12, 'SELECT awspool.allocate_account(''acme'', ''900000000001'')'),
  (13, 'SELECT awspool.fail_account(''acme'', ''900000000001'')'),
  (14, 'SELECT awspool.invalidate_account(''acme'', ''900000000001'')'),
  (15, 'SELECT awspool.replace_account(''acme'', ''900000000001'', NULL)'),
  (16, 'INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES (''acme'', ''900000000009'', ''MP-0000'', ''SPAM'')'),
  (17, 'INSERT INTO awspool.accounts (account_id, marketplace, model) VALUES (''900000000009'', ''MP-0000'', ''SPAM'')'),
  (18, 'UPDATE awspool.accounts SET model = ''ECAM'' WHERE provider = ''acme'''),
  (19, 'UPDATE awspool.accounts SET model = model WHERE provider = ''acme'''),
  (20, 'UPDATE awspool.accounts SET status = ''invalid'' WHERE provider = ''acme'''),
  (21, 'DELETE FROM awspool.accounts WHERE provider = ''acme'' AND status = ''ready'''),
  (22, 'INSERT INTO awspool.import VALUES (''acme'', ''900000000009'', ''MP-0000'', ''SPAM'')'),
  (23, 'INSERT INTO awspool.import (account_id, marketplace_id, account_model) VALUES (''900000000009'', ''MP-0000'', ''SPAM'')'),
  (24, 'SET LOCAL awspool.provider = ''acme''; INSERT INTO awspool.import (account_id, marketplace_id, account_model) VALUES (''900000000009'', ''MP-0000'', ''SPAM'')'),
  (25, 'INSERT INTO awspool.account (provider, account_id, marketplace, model) VALUES (''acme'', ''900000000009'', ''MP-0000'', ''SPAM'')'),
  (26, 'UPDATE awspool.account SET model = ''ECAM'' WHERE provider = ''acme'''),
  (27, 'SELECT awspool.grant_viewer(''acme'', ''regress_awspool_stranger'')'),
  (28, 'SELECT awspool.revoke_viewer(''acme'', ''regress_awspool_looks'')'),
  (29, 'SELECT awspool.grant_provider(''acme'', ''regress_awspool_looks'')'),
  (30, 'SELECT FROM awspool.provider_viewer'),
  (31, 'SELECT awspool.lint()'),
  (32, 'SELECT awspool.claim_accounts(''acme'', ''MP-0000'', ''{NULL}'')'),
  (33, 'SELECT awspool.claim_accounts(''acme'', ''MP-0000'', ''{O-1}'')'),
  (34, 'SELECT awspool.claim_accounts(''acme'', ''MP-0000'', ''{}'')'),
  (35, 'SELECT awspool.configure_pool(''acme'', ''MP-0000'', 5)'),
  (36, 'SELECT awspool.configure_pool(''acme'', ''MP-0000'')'),
  (37, 'SELECT awspool.pause_pool(''acme'')'),
  (38, 'SELECT awspool.pause_pool(''acme'', ''MP-0000'', ''why'')'),
  (39, 'SELECT awspool.resume_pool(''acme'')'),
  (40, 'SELECT awspool.resume_pool(''acme'', ''MP-0000'')'),
  (41, 'SELECT awspool.fail_overdue(''acme'')'),
  (42, 'SELECT awspool.fail_overdue(''acme'', 0)'),
  (43, 'SELECT awspool.reconcile_csv(''acme'', ''900000000004;O-2'')'),
  (44, 'SELECT awspool.reconcile_csv(''acme'', '''')'),
  (45, 'INSERT INTO awspool.pool_setting (provider, marketplace) VALUES (''acme'', ''MP-0000'')'),
  (46, 'SELECT FROM awspool.tally'),
  (47, 'SELECT awspool.recount()'),
  (48, 'SELECT awspool.recounted()'),
  (49, 'SELECT awspool.verify()'),
  (50, 'SELECT awspool.freeze_provider(''acme'')')
) c (n, call) ORDER BY c.n;
-- the wording, which tells viewers from strangers
SET ROLE regress_awspool_looks;
SELECT awspool.claim_account('acme', 'MP-0000');
SELECT awspool.claim_account('other', 'MP-0000');
UPDATE awspool.accounts SET status = 'invalid' WHERE account_id = '900000000004';
COPY awspool.import (account_id, marketplace_id, account_model) FROM STDIN (DELIMITER ';');
900000000009;MP-0000;SPAM
\.
SELECT awspool.account_history('other', '900000000002');
SELECT awspool.account_history('acme', '900000000002');
SELECT awspool.check_csv('other', '');
RESET ROLE;
GRANT EXECUTE ON FUNCTION awspool.grant_viewer TO regress_awspool_looks_at_all;
SET ROLE regress_awspool_looks_at_all;
SELECT awspool.grant_viewer('acme', 'regress_awspool_stranger');
RESET ROLE;
REVOKE EXECUTE ON FUNCTION awspool.grant_viewer FROM regress_awspool_looks_at_all;
-- nothing of it has changed anything
SELECT account_id, model, status FROM awspool.accounts ORDER BY account_id;
SELECT * FROM awspool.pool_settings;

-- All that tells of a pool is told who looks as it is told who acts, and nobody
-- else: functions refuse a stranger, views are empty.
SELECT awspool.configure_pool(p, 'MP-0000', 5, 5, '1 microsecond'), awspool.pause_pool(p, 'MP-0001', 'why ' || p)
FROM unnest('{acme,other}'::text[]) p;
CREATE TEMP TABLE tells (n int, call text);
INSERT INTO tells VALUES
  (1, 'SELECT provider, marketplace, ready, claims_24h, days_left, paused_at IS NULL FROM awspool.pool_status'),
  (2, 'SELECT provider, marketplace, sum(added), sum(claimed) FROM awspool.pool_activity GROUP BY 1, 2'),
  (3, 'SELECT provider, marketplace, low_water, min_days, deadline, pause_reason FROM awspool.pool_settings'),
  (4, 'SELECT provider, marketplace, alert, account_id, order_id FROM awspool.alerts'),
  (5, 'SELECT account_id, verdict FROM awspool.explain_claim(''acme'', ''MP-0000'')'),
  (6, 'SELECT account_id, verdict, detail LIKE ''%why acme%'' FROM awspool.explain_claim(''acme'', ''MP-0001'')'),
  (7, 'SELECT line, account_id, order_id, outcome FROM awspool.check_reconcile_csv(''acme'', E''900000000004;O-2\n900000000002;O-3'')'),
  (8, 'SELECT account_id FROM awspool.passed_over(''acme'')'),
  (9, 'SELECT event FROM awspool.account_history(''acme'', ''900000000001'')'),
  (10, 'SELECT line, outcome FROM awspool.check_csv(''acme'', ''900000000004;MP-0000;SPAM'')'),
  (11, 'SELECT account_id FROM awspool.overdue_accounts(''acme'')'),
  (12, 'SELECT account_id FROM awspool.blocked_accounts(''acme'')');
CREATE FUNCTION pg_temp.told(who text, call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  told text;
BEGIN
  EXECUTE format('SET LOCAL ROLE %I', who);
  EXECUTE format('SELECT string_agg(t::text, '' '' ORDER BY t::text) FROM (%s) t', call) INTO told;
  RESET ROLE;
  RETURN coalesce(told, 'nothing');
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE;
END $$;
SELECT t.n, o.acts, o.acts = pg_temp.told('regress_awspool_looks', t.call) AS looks,
       o.acts = pg_temp.told('regress_awspool_member', t.call) AS member,
       pg_temp.told('regress_awspool_stranger', t.call) AS stranger
FROM tells t, LATERAL (SELECT pg_temp.told('regress_awspool_acts', t.call)) o (acts) ORDER BY t.n;
-- who looks at all is told of every provider by the views, as the owner is
SELECT t.n, pg_temp.told('regress_awspool_looks_at_all', t.call) = pg_temp.told(current_user, t.call) AS as_owner
FROM tells t ORDER BY t.n;
-- of another provider a viewer is told as little as a stranger
SELECT t.n, pg_temp.told('regress_awspool_looks', replace(t.call, 'acme', 'other')) AS looks
FROM tells t WHERE t.n > 4 ORDER BY t.n;
-- also where nothing may be written
BEGIN READ ONLY;
SELECT n, pg_temp.told('regress_awspool_looks', call) NOT LIKE '25%' AS told FROM tells ORDER BY n;
ROLLBACK;
TRUNCATE awspool.pool_setting;

-- Who looks at all may know that another provider used an id.
SELECT account_id FROM awspool.invalidate_account('other', '900000000002');
SELECT account_id FROM awspool.delete_account('other', '900000000002');
SET ROLE regress_awspool_looks;
SELECT outcome, detail FROM awspool.check_csv('acme', '900000000002;MP-0000;SPAM');
SET ROLE regress_awspool_looks_at_all;
SELECT outcome, detail FROM awspool.check_csv('acme', '900000000002;MP-0000;SPAM');
SELECT event FROM awspool.account_history('other', '900000000002');
RESET ROLE;
SELECT account_id FROM awspool.add_account('other', '900000000005', 'MP-0000', 'SPAM');

-- A plan that was made for somebody else, and a cursor that is read later.
PREPARE mine AS SELECT account_id FROM awspool.accounts ORDER BY account_id;
SET ROLE regress_awspool_acts;
EXECUTE mine;
SET ROLE regress_awspool_looks_at_all;
EXECUTE mine;
SET ROLE regress_awspool_stranger;
EXECUTE mine;
DEALLOCATE mine;
RESET ROLE;

-- Each grant is taken back by its own function; twice is no error.
SELECT awspool.revoke_provider('acme', 'regress_awspool_looks'), awspool.revoke_viewer('acme', 'regress_awspool_acts');
SELECT rolname, r.* FROM pg_roles, pg_temp.reach(rolname) r WHERE rolname IN ('regress_awspool_acts', 'regress_awspool_looks') ORDER BY rolname;
SELECT awspool.revoke_provider('third', 'regress_awspool_mixed');
SELECT r.* FROM pg_temp.reach('regress_awspool_mixed') r;
SELECT awspool.grant_provider('third', 'regress_awspool_mixed'), awspool.revoke_viewer('third', 'regress_awspool_mixed'), awspool.revoke_viewer('third', 'regress_awspool_mixed');
SELECT r.* FROM pg_temp.reach('regress_awspool_mixed') r;
SELECT awspool.revoke_viewer('acme', 'regress_awspool_looks');
SELECT rolname, r.* FROM pg_roles, pg_temp.reach(rolname) r WHERE rolname IN ('regress_awspool_looks', 'regress_awspool_member') ORDER BY rolname;
SELECT awspool.grant_viewer('acme', 'regress_awspool_looks'), awspool.grant_viewer('acme', 'regress_awspool_looks');
SELECT r.* FROM pg_temp.reach('regress_awspool_looks') r;
-- what is rolled back was never granted
BEGIN;
SELECT awspool.grant_viewer('other', 'regress_awspool_looks');
SELECT r.* FROM pg_temp.reach('regress_awspool_looks') r;
ROLLBACK;
SELECT r.* FROM pg_temp.reach('regress_awspool_looks') r;
BEGIN;
SAVEPOINT s;
SELECT awspool.revoke_viewer('acme', 'regress_awspool_looks');
SELECT r.* FROM pg_temp.reach('regress_awspool_looks') r;
ROLLBACK TO s;
SELECT r.* FROM pg_temp.reach('regress_awspool_looks') r;
COMMIT;

-- Membership, and who must SET ROLE to have it.
GRANT regress_awspool_looks TO regress_awspool_stranger;
SELECT r.* FROM pg_temp.reach('regress_awspool_stranger') r;
REVOKE regress_awspool_looks FROM regress_awspool_stranger;
SELECT r.* FROM pg_temp.reach('regress_awspool_stranger') r;
SET SESSION AUTHORIZATION regress_awspool_noinherit;
SELECT count(*) FROM awspool.accounts;
SET ROLE regress_awspool_looks;
SELECT count(*) FROM awspool.accounts;
RESET SESSION AUTHORIZATION;

-- The grant belongs to the role, not to the name.
ALTER ROLE regress_awspool_looks RENAME TO regress_awspool_renamed;
SELECT r.* FROM pg_temp.reach('regress_awspool_renamed') r;
CREATE ROLE regress_awspool_looks;
SELECT r.* FROM pg_temp.reach('regress_awspool_looks') r;
DROP ROLE regress_awspool_looks;
ALTER ROLE regress_awspool_renamed RENAME TO regress_awspool_looks;
SELECT r.* FROM pg_temp.reach('regress_awspool_looks') r;
REASSIGN OWNED BY regress_awspool_looks TO regress_awspool_stranger;
DROP OWNED BY regress_awspool_looks;
DROP ROLE regress_awspool_looks;
CREATE ROLE regress_awspool_looks;
SELECT rolname, r.* FROM pg_roles, pg_temp.reach(rolname) r WHERE rolname IN ('regress_awspool_looks', 'regress_awspool_stranger', 'regress_awspool_member') ORDER BY rolname;
SELECT object, problem, action FROM awspool.lint() WHERE object <> 'server' AND problem ~ 'viewer|dropped';
SELECT awspool.grant_viewer('acme', 'regress_awspool_looks');
SELECT r.* FROM pg_temp.reach('regress_awspool_looks') r;
-- a restore brings the name, and finds the oid
INSERT INTO awspool.provider_viewer VALUES ('third', 'regress_awspool_stranger', 12345), ('third', 'regress_awspool_nobody', 10);
SELECT provider, role, role_oid = to_regrole(role)::oid AS right, role_oid = 0 AS nobody FROM awspool.provider_viewer WHERE provider = 'third' ORDER BY role;
SELECT r.* FROM pg_temp.reach('regress_awspool_stranger') r;
SELECT awspool.revoke_viewer('third', 'regress_awspool_nobody'), awspool.revoke_viewer('third', 'regress_awspool_stranger');

-- What cannot be granted.
\set VERBOSITY sqlstate
SELECT awspool.grant_viewer('acme', 'regress_awspool_nobody');
SELECT awspool.grant_viewer('acme', NULL);
SELECT awspool.grant_viewer(NULL, 'regress_awspool_looks');
SELECT awspool.grant_viewer('', 'regress_awspool_looks');
SELECT awspool.grant_viewer(' acme', 'regress_awspool_looks');
SELECT awspool.revoke_viewer('acme', NULL);
INSERT INTO awspool.provider_viewer VALUES (' acme', 'regress_awspool_looks', 0);
INSERT INTO awspool.provider_viewer VALUES ('acme', NULL, 0);
\set VERBOSITY default

-- Without the table, as under the script of version 1.0, nobody is a viewer.
BEGIN;
ALTER TABLE awspool.provider_viewer RENAME TO provider_viewer_gone;
SELECT rolname, r.* FROM pg_roles, pg_temp.reach(rolname) r WHERE rolname LIKE 'regress_awspool%' ORDER BY rolname;
ROLLBACK;
SELECT r.* FROM pg_temp.reach('regress_awspool_looks') r;

-- Many viewers that take turns, as behind a pooler: each sees its own.
DO $$
BEGIN
  FOR n IN 1 .. 100 LOOP
    EXECUTE format('CREATE ROLE regress_awspool_turn%s', n);
    PERFORM awspool.grant_viewer('turn ' || n, 'regress_awspool_turn' || n);
    PERFORM awspool.add_account('turn ' || n, to_char(100000000000 + n, 'FM000000000000'), 'MP-0000', 'SPAM');
  END LOOP;
END $$;
\c -
CREATE FUNCTION pg_temp.odd_ones() RETURNS TABLE (role text, providers text[]) LANGUAGE plpgsql AS $$
BEGIN
  FOR n IN 1 .. 100 LOOP
    role := 'regress_awspool_turn' || n;
    PERFORM set_config('role', role, true);
    providers := ARRAY(SELECT provider FROM awspool.accounts ORDER BY provider);
    IF providers <> ARRAY['turn ' || n] THEN
      RETURN NEXT;
    END IF;
  END LOOP;
  RESET ROLE;
END $$;
BEGIN;
SET LOCAL ROLE regress_awspool_turn1;
SELECT count(*) FROM awspool.accounts;
SELECT pg_stat_get_xact_numscans('pg_authid_oid_index'::regclass) < 50 AS few_roles_looked_up;
ROLLBACK;
SELECT * FROM pg_temp.odd_ones();
SELECT awspool.revoke_viewer('turn 3', 'regress_awspool_turn3'), awspool.grant_viewer('turn 5', 'regress_awspool_turn4');
GRANT regress_awspool_turn8 TO regress_awspool_turn9;
SELECT * FROM pg_temp.odd_ones();
TRUNCATE awspool.provider_viewer;
SELECT awspool.grant_viewer('turn 1', 'regress_awspool_turn1');
SET ROLE regress_awspool_turn1;
SELECT provider FROM awspool.accounts;
RESET ROLE;
DO $$
BEGIN
  FOR n IN 1 .. 100 LOOP
    EXECUTE format('DROP ROLE regress_awspool_turn%s', n);
  END LOOP;
END $$;

TRUNCATE awspool.account, awspool.account_log, awspool.provider_role, awspool.provider_viewer;
DROP ROLE regress_awspool_acts, regress_awspool_looks, regress_awspool_looks_at_all, regress_awspool_mixed,
  regress_awspool_member, regress_awspool_noinherit, regress_awspool_stranger;
