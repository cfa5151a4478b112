--
-- Access: who may act for a provider is decided by database roles, on every
-- call; never by an argument or a setting.
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

-- The same, as somebody else.
CREATE FUNCTION pg_temp.outcome_as(who text, statement text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
  RETURN pg_temp.outcome(format('SET LOCAL ROLE %I; %s', who, statement));
END $$;

-- For whom a role sees accounts, and whose it may change.
CREATE FUNCTION pg_temp.reach(who text, OUT sees text, OUT pools text, OUT changes text)
LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('SET LOCAL ROLE %I', who);
  SELECT coalesce(string_agg(DISTINCT provider, ' ' ORDER BY provider), '-') INTO sees FROM awspool.accounts;
  SELECT coalesce(string_agg(DISTINCT provider, ' ' ORDER BY provider), '-') INTO pools FROM awspool.pool_status;
  SELECT coalesce(string_agg(p, ' ' ORDER BY p), '-') INTO changes
    FROM unnest(ARRAY['acme', 'other', 'third']) p
    WHERE pg_temp.outcome(format('SELECT awspool.claim_account(%L, %L)', p, 'MP-0000')) <> '42501';
  RESET ROLE;
END $$;

CREATE ROLE regress_awspool_acme;
CREATE ROLE regress_awspool_other;
CREATE ROLE regress_awspool_both;
CREATE ROLE regress_awspool_all;
CREATE ROLE regress_awspool_stranger;
-- who has the privileges of a granted role: a member; a member's member; not
-- one who must SET ROLE for them
CREATE ROLE regress_awspool_group;
CREATE ROLE regress_awspool_member IN ROLE regress_awspool_group;
CREATE ROLE regress_awspool_submember IN ROLE regress_awspool_member;
CREATE ROLE regress_awspool_noinherit NOINHERIT IN ROLE regress_awspool_group;
CREATE ROLE regress_awspool_reader IN ROLE pg_read_all_data, pg_write_all_data, pg_monitor;
CREATE ROLE regress_awspool_super SUPERUSER;
CREATE ROLE "regress_awspool ""odd"" Röle'";

SELECT awspool.grant_provider(provider => 'acme', role_name => 'regress_awspool_acme');
SELECT awspool.grant_provider(p, r) FROM (VALUES ('other', 'regress_awspool_other'), ('acme', 'regress_awspool_both'), ('other', 'regress_awspool_both'),
  ('*', 'regress_awspool_all'), ('acme', 'regress_awspool_group'), ('third', 'regress_awspool "odd" Röle''')) v (p, r);
SELECT account_id FROM awspool.add_account('acme', '900000000001', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.add_account('other', '900000000002', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.add_account('third', '900000000003', 'MP-0000', 'SPAM');

SELECT rolname, r.* FROM pg_roles, pg_temp.reach(rolname) r WHERE rolname LIKE 'regress_awspool%' ORDER BY rolname;
SELECT r.* FROM pg_temp.reach(current_user::text) r;
SET ROLE regress_awspool_both;
SELECT awspool.acts_for_all(), awspool.my_providers();
SET ROLE regress_awspool_all;
SELECT awspool.acts_for_all(), awspool.my_providers();
SET ROLE regress_awspool_stranger;
SELECT awspool.acts_for_all(), awspool.my_providers();
RESET ROLE;

-- Every function and every write: with a grant, without, and as a superuser.
-- Who has none gets the same answer whether the provider has such an account,
-- has another, or does not exist.
SELECT c.n, pg_temp.outcome_as('regress_awspool_super', format(c.call, 'acme', '900000000001')) AS super,
       pg_temp.outcome_as('regress_awspool_acme', format(c.call, 'acme', '900000000001')) AS its_own,
       pg_temp.outcome_as('regress_awspool_all', format(c.call, 'acme', '900000000001')) AS "all",
       pg_temp.outcome_as('regress_awspool_acme', format(c.call, 'other', '900000000002')) AS other_own,
       pg_temp.outcome_as('regress_awspool_acme', format(c.call, 'other', '900000000001')) AS other_mine,
       pg_temp.outcome_as('regress_awspool_acme', format(c.call, 'other', '999999999999')) AS other_no,
       pg_temp.outcome_as('regress_awspool_acme', format(c.call, 'nobody', '900000000002')) AS nobody,
       pg_temp.outcome_as('regress_awspool_stranger', format(c.call, 'acme', '900000000001')) AS stranger,
       c.call
FROM (VALUES
  (1, 'SELECT awspool.add_account(%1$L, ''9999999999'' || right(%2$L, 2), ''MP-0000'', ''SPAM'')'),
  (2, 'SELECT awspool.edit_account(%L, %L)'),
  (3, 'SELECT awspool.delete_account(%L, %L)'),
  (4, 'SELECT awspool.delete_accounts(%L, ARRAY[%L])'),
  (5, 'SELECT awspool.import_csv(%L, %L)'),
  (6, 'SELECT awspool.check_csv(%L, %L)'),
  (7, 'SELECT awspool.claim_account(%1$L, ''MP-0000'')'),
  (8, 'SELECT awspool.claim_account(%1$L, ''MP-0000'', ''O-1'')'),
  (9, 'SELECT awspool.allocate_account(%L, %L)'),
  (10, 'SELECT awspool.fail_account(%L, %L)'),
  (11, 'SELECT awspool.invalidate_account(%L, %L)'),
  (12, 'SELECT awspool.replace_account(%L, %L, NULL)'),
  (13, 'SELECT awspool.account_history(%L, %L)'),
  (14, 'INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES (%1$L, ''999999999999'', ''MP-0000'', ''SPAM'')'),
  (15, 'INSERT INTO awspool.import (provider, account_id, marketplace_id, account_model) VALUES (%1$L, ''999999999999'', ''MP-0000'', ''SPAM'')')
) c (n, call) ORDER BY c.n;

-- The wording says nothing of what is there.
SET ROLE regress_awspool_acme;
SELECT awspool.claim_account('other', 'MP-0000');
SELECT awspool.claim_account('nobody', 'MP-0000');
SELECT awspool.allocate_account('acme', '900000000002');
SELECT awspool.allocate_account('acme', '999999999999');
SELECT awspool.account_history('acme', '900000000002');
SELECT awspool.account_history('acme', '999999999999');
SELECT * FROM awspool.delete_accounts('acme', '{900000000002,999999999999}');
-- the one bit
SELECT awspool.add_account('acme', '900000000002', 'MP-0000', 'SPAM');
INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES ('acme', '900000000002', 'MP-0000', 'SPAM');
-- what others have is not there to be changed
UPDATE awspool.accounts SET model = 'ECAM' WHERE account_id = '900000000002' RETURNING account_id;
UPDATE awspool.accounts SET status = 'invalid' WHERE provider = 'other' RETURNING account_id;
DELETE FROM awspool.accounts WHERE provider <> 'acme' RETURNING account_id;
-- nor to be looked at by a function in the WHERE that leaks what it is given
CREATE FUNCTION pg_temp.leak(value text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$
BEGIN
  RAISE NOTICE 'leaked %', value;
  RETURN true;
END $$;
SELECT account_id FROM awspool.accounts WHERE pg_temp.leak(account_id);
SELECT provider FROM awspool.pool_status WHERE pg_temp.leak(provider);
DROP FUNCTION pg_temp.leak;
-- nor by a plan that was made for somebody else
PREPARE mine AS SELECT account_id FROM awspool.accounts ORDER BY account_id;
EXECUTE mine;
SET ROLE regress_awspool_all;
EXECUTE mine;
SET ROLE regress_awspool_stranger;
EXECUTE mine;
DEALLOCATE mine;
RESET ROLE;
SELECT account_id, model, status FROM awspool.accounts ORDER BY account_id;

-- Another's used id, deleted: still but one bit.
SELECT account_id FROM awspool.invalidate_account('other', '900000000002');
SELECT account_id FROM awspool.delete_account('other', '900000000002');
SET ROLE regress_awspool_acme;
SELECT awspool.add_account('acme', '900000000002', 'MP-0000', 'SPAM');
SELECT outcome, detail FROM awspool.check_csv('acme', '900000000002;MP-0000;SPAM');
RESET ROLE;
SELECT pg_temp.outcome_as('regress_awspool_other', $$SELECT awspool.add_account('other', '900000000002', 'MP-0000', 'SPAM')$$) AS owner,
       pg_temp.outcome_as('regress_awspool_other', $$SELECT awspool.account_history('other', '900000000002')$$) AS history,
       pg_temp.outcome_as('regress_awspool_acme', $$SELECT awspool.account_history('acme', '900000000002')$$) AS of_another;

-- The base tables, the sequences and what is only for the inside are nobody's.
SELECT r.who, o.statement, x.outcome
FROM (VALUES ('regress_awspool_acme'), ('regress_awspool_all'), ('regress_awspool_stranger')) r (who),
  (VALUES ('SELECT FROM awspool.account'), ('INSERT INTO awspool.account (provider, account_id, marketplace, model) VALUES (''acme'', ''999999999999'', ''MP-0000'', ''SPAM'')'),
    ('UPDATE awspool.account SET model = ''ECAM'''), ('DELETE FROM awspool.account'), ('TRUNCATE awspool.account'), ('SELECT FROM awspool.account_log'), ('SELECT FROM awspool.provider_role'),
    ('INSERT INTO awspool.provider_role VALUES (''other'', ''regress_awspool_acme'', 0)'), ('DELETE FROM awspool.account_log'),
    ('SELECT nextval(''awspool.account_position'')'), ('SELECT setval(''awspool.account_position'', 1)'), ('SELECT FROM awspool.account_position'),
    ('LOCK TABLE awspool.account'), ('CREATE TABLE awspool.mine ()'),
    ('CREATE TRIGGER t BEFORE UPDATE ON awspool.account FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()'),
    ('SELECT awspool.grant_provider(''other'', ''regress_awspool_acme'')'), ('SELECT awspool.revoke_provider(''other'', ''regress_awspool_other'')'),
    ('SELECT awspool.grant_provider(''acme'', ''regress_awspool_acme'')'), ('DROP EXTENSION awspool')) o (statement),
  pg_temp.outcome_as(r.who, o.statement) x (outcome)
WHERE x.outcome <> '42501'
ORDER BY 1, 2;
-- ... with the roles that read and write everything, too: they pass the
-- grants, and see, add and change nothing
SET ROLE regress_awspool_reader;
SELECT (SELECT count(*) FROM awspool.account) AS account, (SELECT count(*) FROM awspool.account_log) AS log,
       (SELECT count(*) FROM awspool.provider_role) AS roles, (SELECT count(*) FROM awspool.accounts) AS accounts;
UPDATE awspool.account SET model = 'ECAM' RETURNING account_id;
DELETE FROM awspool.account RETURNING account_id;
DELETE FROM awspool.account_log RETURNING account_id;
DELETE FROM awspool.provider_role RETURNING provider;
\set VERBOSITY sqlstate
INSERT INTO awspool.account (provider, account_id, marketplace, model) VALUES ('acme', '999999999999', 'MP-0000', 'SPAM');
INSERT INTO awspool.provider_role VALUES ('acme', 'regress_awspool_reader', 0);
INSERT INTO awspool.account_log (provider, account_id, at, actor, event, used) VALUES ('acme', '999999999999', now(), 'me', 'deleted', true);
SET row_security = off;
SELECT FROM awspool.account;
RESET row_security;
SELECT awspool.claim_account('acme', 'MP-0000');
\set VERBOSITY default
RESET ROLE;

-- The setting authorises nothing.
SET awspool.provider = 'acme';
SELECT r.* FROM pg_temp.reach('regress_awspool_stranger') r;
RESET awspool.provider;

-- Nor does a session, only the effective role: who took the stranger's role is
-- one, and who must SET ROLE to have a privilege has it then.
SET SESSION AUTHORIZATION regress_awspool_noinherit;
SELECT count(*) FROM awspool.accounts;
SET ROLE regress_awspool_group;
SELECT provider, account_id FROM awspool.accounts ORDER BY account_id;
RESET SESSION AUTHORIZATION;

-- A function that runs as its owner acts for whom its owner may; the caller
-- gains that much, and loses their own.
SET ROLE regress_awspool_other;
CREATE FUNCTION pg_temp.as_other(provider text) RETURNS text LANGUAGE sql SECURITY DEFINER
  AS $$ SELECT account_id FROM awspool.add_account(provider, '900000000004', 'MP-0000', 'SPAM') $$;
SET ROLE regress_awspool_acme;
SELECT pg_temp.as_other('other');
\set VERBOSITY sqlstate
SELECT pg_temp.as_other('acme');
\set VERBOSITY default
RESET ROLE;
SELECT account_id, added_by FROM awspool.accounts WHERE account_id = '900000000004';
DROP FUNCTION pg_temp.as_other;

-- What the extension does as its owner ends with the call, also by an error that
-- is caught: the role and the search path are the caller's again.
CREATE FUNCTION pg_temp.fail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'as %, with search path %', current_user = 'regress_awspool_acme', current_setting('search_path');
END $$;
CREATE TRIGGER fail BEFORE INSERT ON awspool.account FOR EACH ROW EXECUTE FUNCTION pg_temp.fail();
GRANT EXECUTE ON FUNCTION pg_temp.fail() TO PUBLIC;
SET ROLE regress_awspool_acme;
SET search_path = public;
DO $$
BEGIN
  PERFORM awspool.add_account('acme', '900000000005', 'MP-0000', 'SPAM');
EXCEPTION WHEN raise_exception THEN
  RAISE NOTICE '%; then as %, with search path %', SQLERRM, current_user, current_setting('search_path');
END $$;
\set VERBOSITY terse
SELECT awspool.add_account('acme', '900000000005', 'MP-0000', 'SPAM');
\set VERBOSITY default
SELECT current_user, current_setting('search_path') AS search_path;
RESET search_path;
RESET ROLE;
DROP TRIGGER fail ON awspool.account;
DROP FUNCTION pg_temp.fail();

-- A view of somebody's own shows what its caller may see.
SET ROLE regress_awspool_all;
CREATE TEMP VIEW everything AS SELECT account_id FROM awspool.accounts;
GRANT SELECT ON everything TO PUBLIC;
SET ROLE regress_awspool_acme;
SELECT account_id FROM everything ORDER BY account_id;
RESET ROLE;
DROP VIEW everything;

-- grant_provider: the errors; the owner's alone; the same twice is harmless.
SELECT awspool.grant_provider('acme', 'regress_awspool_nobody');
SELECT pg_temp.outcome($$SELECT awspool.grant_provider('', 'regress_awspool_acme')$$) AS empty,
       pg_temp.outcome($$SELECT awspool.grant_provider(NULL, 'regress_awspool_acme')$$) AS no_provider,
       pg_temp.outcome($$SELECT awspool.grant_provider('acme', NULL)$$) AS no_role,
       pg_temp.outcome($$SELECT awspool.grant_provider('acme', '')$$) AS empty_role,
       pg_temp.outcome($$SELECT awspool.grant_provider('acme', 'public')$$) AS public,
       pg_temp.outcome($$SELECT awspool.revoke_provider('acme', NULL)$$) AS no_role,
       pg_temp.outcome($$SELECT awspool.revoke_provider(E'a\n', 'regress_awspool_acme')$$) AS malformed,
       pg_temp.outcome($$SELECT awspool.grant_provider('acme', 'regress_awspool_acme')$$) AS twice;
SET ROLE regress_awspool_all;
SELECT awspool.grant_provider('acme', 'regress_awspool_stranger');
RESET ROLE;
-- it looks for itself, whoever may execute it
GRANT EXECUTE ON FUNCTION awspool.grant_provider(text, text) TO regress_awspool_all;
SET ROLE regress_awspool_all;
SELECT awspool.grant_provider('acme', 'regress_awspool_stranger');
RESET ROLE;
REVOKE EXECUTE ON FUNCTION awspool.grant_provider(text, text) FROM regress_awspool_all;
-- of any number of providers
BEGIN;
SELECT count(awspool.grant_provider('provider ' || n, 'regress_awspool_stranger')) FROM generate_series(1, 40) n;
SET LOCAL ROLE regress_awspool_stranger;
SELECT cardinality(awspool.my_providers()), (awspool.my_providers())[40];
ROLLBACK;

-- revoke_provider works at once, also in the middle of a transaction; of "*"
-- it takes "*" alone, and of one provider that one.
SELECT awspool.grant_provider('acme', 'regress_awspool_all');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT r.* FROM pg_temp.reach('regress_awspool_all') r;
SELECT awspool.revoke_provider('*', 'regress_awspool_all');
SELECT r.* FROM pg_temp.reach('regress_awspool_all') r;
ROLLBACK;
SELECT r.* FROM pg_temp.reach('regress_awspool_all') r;
SELECT awspool.revoke_provider('acme', 'regress_awspool_all');
SELECT r.* FROM pg_temp.reach('regress_awspool_all') r;
SELECT awspool.revoke_provider('other', 'regress_awspool_all');
SELECT awspool.revoke_provider('other', 'regress_awspool_both');
SELECT awspool.revoke_provider('nobody', 'regress_awspool_nobody');
SELECT awspool.revoke_provider('acme', 'regress_awspool_group');
SELECT rolname, r.* FROM pg_roles, pg_temp.reach(rolname) r WHERE rolname LIKE 'regress_awspool%' ORDER BY rolname;

-- A role that left a group has lost its grants, one that joined has them.
SELECT awspool.grant_provider('acme', 'regress_awspool_group');
REVOKE regress_awspool_group FROM regress_awspool_member;
GRANT regress_awspool_group TO regress_awspool_stranger;
SELECT rolname, r.* FROM pg_roles, pg_temp.reach(rolname) r
WHERE rolname IN ('regress_awspool_member', 'regress_awspool_submember', 'regress_awspool_stranger') ORDER BY rolname;
REVOKE regress_awspool_group FROM regress_awspool_stranger;

-- Renamed, dropped, made anew: another role of the same name has nothing until
-- it is granted, nor has the same role under another name.
ALTER ROLE regress_awspool_acme RENAME TO regress_awspool_renamed;
CREATE ROLE regress_awspool_acme;
SELECT rolname, r.sees, r.changes FROM pg_roles, pg_temp.reach(rolname) r WHERE rolname IN ('regress_awspool_acme', 'regress_awspool_renamed') ORDER BY rolname;
SELECT awspool.grant_provider('acme', 'regress_awspool_acme');
SELECT rolname, r.sees, r.changes FROM pg_roles, pg_temp.reach(rolname) r WHERE rolname IN ('regress_awspool_acme', 'regress_awspool_renamed') ORDER BY rolname;
DROP ROLE regress_awspool_acme;
ALTER ROLE regress_awspool_renamed RENAME TO regress_awspool_acme;
SELECT r.sees, r.changes FROM pg_temp.reach('regress_awspool_acme') r;
SELECT awspool.grant_provider('acme', 'regress_awspool_acme');
SELECT r.sees, r.changes FROM pg_temp.reach('regress_awspool_acme') r;
DROP ROLE regress_awspool_acme;
CREATE ROLE regress_awspool_acme;
SELECT r.sees, r.changes FROM pg_temp.reach('regress_awspool_acme') r;
DROP ROLE regress_awspool_acme;
-- what was granted to a role that is gone can be taken back
SELECT awspool.revoke_provider('acme', 'regress_awspool_acme');
SELECT provider, role FROM awspool.provider_role ORDER BY provider, role;
TRUNCATE awspool.account, awspool.account_log, awspool.provider_role;

-- An owner who is no superuser, as where the extension was installed by
-- somebody who was one then: may do everything, as may who has that role.
DROP EXTENSION awspool;
SET ROLE regress_awspool_super;
CREATE EXTENSION awspool;
RESET ROLE;
ALTER ROLE regress_awspool_super NOSUPERUSER;
GRANT regress_awspool_super TO regress_awspool_member;
SET ROLE regress_awspool_super;
SELECT provider, added_by FROM awspool.add_account('acme', '900000000001', 'MP-0000', 'SPAM');
INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES ('other', '900000000002', 'MP-0000', 'SPAM');
SELECT account_id, claimed_by FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
SELECT account_id, closed_by FROM awspool.replace_account('acme', '900000000001', 'broken', 'O-1');
SELECT account_id, closed_by FROM awspool.allocate_account('acme', '900000000001', 'O-1');
SELECT account_id FROM awspool.edit_account('acme', '900000000001', model => 'ECAM');
SELECT account_id FROM awspool.delete_account('acme', '900000000001');
SELECT actor, event FROM awspool.account_history('acme', '900000000001');
SELECT outcome FROM awspool.import_csv('third', '900000000003;MP-0000;SPAM');
SELECT awspool.grant_provider('third', 'regress_awspool_other');
SELECT count(*) FROM awspool.account;
\set VERBOSITY sqlstate
UPDATE awspool.account SET status = 'allocated' WHERE account_id = '900000000002';
\set VERBOSITY default
RESET ROLE;
SELECT rolname, r.* FROM pg_roles, pg_temp.reach(rolname) r WHERE rolname LIKE 'regress_awspool%' ORDER BY rolname;
-- a granted role calls through the owner's rights, not the superuser's
SET ROLE regress_awspool_other;
SELECT outcome FROM awspool.import_csv('third', '900000000004;MP-0000;SPAM');
SELECT account_id, added_by, claimed_by FROM awspool.claim_account('third', 'MP-0000');
SELECT account_id FROM awspool.edit_account('third', '900000000003', model => 'ECAM');
SELECT account_id FROM awspool.invalidate_account('third', '900000000003');
SELECT account_id FROM awspool.delete_account('third', '900000000003');
SELECT actor, event FROM awspool.account_history('third', '900000000003');
RESET ROLE;

DROP EXTENSION awspool;
CREATE EXTENSION awspool;

-- Many roles that take turns, as behind a pooler: each has what it was granted,
-- also by way of a group, and after every change.  What a call costs does not
-- grow with what others were granted.
SELECT awspool.grant_provider('acme', 'regress_awspool_group');
DO $$
BEGIN
  FOR n IN 1 .. 200 LOOP
    EXECUTE format('CREATE ROLE regress_awspool_turn%s', n);
    PERFORM awspool.grant_provider('turn ' || n, 'regress_awspool_turn' || n);
  END LOOP;
  GRANT regress_awspool_group TO regress_awspool_turn7;
END $$;
\c -
CREATE FUNCTION pg_temp.who_acts() RETURNS TABLE (role text, providers text[]) LANGUAGE plpgsql AS $$
BEGIN
  FOR n IN 1 .. 200 LOOP
    role := 'regress_awspool_turn' || n;
    PERFORM set_config('role', role, true);
    providers := awspool.my_providers();
    RETURN NEXT;
  END LOOP;
  RESET ROLE;
END $$;
CREATE FUNCTION pg_temp.odd_ones() RETURNS TABLE (role text, providers text[]) LANGUAGE sql AS $$
  SELECT * FROM pg_temp.who_acts() WHERE providers <> ARRAY[replace(role, 'regress_awspool_turn', 'turn ')] ORDER BY 1
$$;
BEGIN;
SET LOCAL ROLE regress_awspool_turn1;
SELECT awspool.my_providers(), awspool.acts_for_all();
SELECT pg_stat_get_xact_numscans('pg_authid_oid_index'::regclass) < 50 AS few_roles_looked_up;
ROLLBACK;
BEGIN;
SELECT * FROM pg_temp.odd_ones();
SELECT awspool.revoke_provider('turn 3', 'regress_awspool_turn3'), awspool.grant_provider('turn 5', 'regress_awspool_turn4');
SELECT * FROM pg_temp.odd_ones();
REVOKE regress_awspool_group FROM regress_awspool_turn7;
GRANT regress_awspool_turn8 TO regress_awspool_turn9;
ALTER ROLE regress_awspool_turn2 RENAME TO regress_awspool_turned;
ALTER ROLE regress_awspool_turn6 RENAME TO regress_awspool_turn2;
ALTER ROLE regress_awspool_turned RENAME TO regress_awspool_turn6;
SELECT * FROM pg_temp.odd_ones();
ROLLBACK;
SELECT * FROM pg_temp.odd_ones();
DO $$
BEGIN
  FOR n IN 1 .. 200 LOOP
    PERFORM awspool.revoke_provider('turn ' || n, 'regress_awspool_turn' || n);
    EXECUTE format('DROP ROLE regress_awspool_turn%s', n);
  END LOOP;
END $$;
DROP FUNCTION pg_temp.who_acts, pg_temp.odd_ones;
SELECT awspool.revoke_provider('acme', 'regress_awspool_group');

DROP ROLE regress_awspool_other, regress_awspool_both, regress_awspool_all, regress_awspool_stranger, regress_awspool_group,
  regress_awspool_member, regress_awspool_submember, regress_awspool_noinherit, regress_awspool_reader, regress_awspool_super,
  "regress_awspool ""odd"" Röle'";
