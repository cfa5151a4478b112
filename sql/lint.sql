--
-- awspool.lint(): each thing that weakens the walls is seen, and nothing else.
--

-- Test servers have fsync off, and lint says so.
CREATE TEMP VIEW lint AS SELECT * FROM awspool.lint() WHERE object <> 'server';
SELECT object, problem = format('%s is off: a crash can lose what was acknowledged',
                                CASE current_setting('fsync') WHEN 'off' THEN 'fsync' ELSE 'full_page_writes' END) AS right
FROM awspool.lint() WHERE object = 'server' AND current_setting('fsync') = 'off'
UNION ALL SELECT 'server', true WHERE current_setting('fsync') = 'on';

-- An installation that is used as it should be is clean.
CREATE ROLE regress_awspool_acme;
CREATE ROLE regress_awspool_member IN ROLE regress_awspool_acme;
CREATE ROLE regress_awspool_all;
CREATE ROLE regress_awspool_x;
SELECT awspool.grant_provider('acme', 'regress_awspool_acme');
SELECT account_id FROM awspool.add_account('acme', '900000000001', 'MP-0000', 'SPAM');
GRANT SELECT ON awspool.accounts TO regress_awspool_x;
GRANT EXECUTE ON FUNCTION awspool.claim_account TO regress_awspool_x;
SELECT * FROM lint;

-- Privileges beyond those of the install script.
GRANT SELECT ON awspool.account TO regress_awspool_x;
GRANT UPDATE (model) ON awspool.account TO PUBLIC;
GRANT USAGE ON SEQUENCE awspool.account_position TO regress_awspool_x;
GRANT EXECUTE ON FUNCTION awspool.grant_provider TO regress_awspool_x;
GRANT TRIGGER ON awspool.accounts TO regress_awspool_x;
GRANT CREATE ON SCHEMA awspool TO regress_awspool_x;
SELECT severity, object, problem, action FROM lint;
REVOKE SELECT ON awspool.account FROM regress_awspool_x;
REVOKE UPDATE (model) ON awspool.account FROM PUBLIC;
REVOKE USAGE ON SEQUENCE awspool.account_position FROM regress_awspool_x;
REVOKE EXECUTE ON FUNCTION awspool.grant_provider FROM regress_awspool_x;
REVOKE TRIGGER ON awspool.accounts FROM regress_awspool_x;
REVOKE CREATE ON SCHEMA awspool FROM regress_awspool_x;
SELECT * FROM lint;

-- Objects that are not as the install script made them, or not of its making.
BEGIN;
ALTER FUNCTION awspool.my_providers() OWNER TO regress_awspool_x;
ALTER TABLE awspool.account_log DISABLE ROW LEVEL SECURITY;
CREATE POLICY everybody ON awspool.account USING (true);
ALTER VIEW awspool.accounts RESET (security_barrier);
ALTER TABLE awspool.account DISABLE TRIGGER account_transition;
ALTER TABLE awspool.account ENABLE TRIGGER account_refuse_used;
DROP TRIGGER provider_role_resolve ON awspool.provider_role;
CREATE TRIGGER mine BEFORE UPDATE ON awspool.account FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE RULE mine AS ON INSERT TO awspool.pool_status DO INSTEAD NOTHING;
CREATE FUNCTION awspool.claim_account(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
-- whatever the superuser is called
SELECT severity, object, replace(problem, format('the accounts to %I', current_user), 'the accounts to postgres') AS problem FROM lint;
ROLLBACK;
SELECT * FROM lint;

-- A dropped role, a renamed role, and providers that nobody may act for: one
-- that was granted once, and one that has accounts.
CREATE ROLE regress_awspool_dropped;
SELECT awspool.grant_provider('gone', 'regress_awspool_dropped');
DROP ROLE regress_awspool_dropped;
SELECT account_id FROM awspool.add_account('nobody', '900000000002', 'MP-0000', 'SPAM');
ALTER ROLE regress_awspool_acme RENAME TO regress_awspool_renamed;
SELECT severity, object, problem, action FROM lint;
ALTER ROLE regress_awspool_renamed RENAME TO regress_awspool_acme;
-- who may act for all may act for those
SELECT awspool.grant_provider('*', 'regress_awspool_all');
SELECT awspool.revoke_provider('gone', 'regress_awspool_dropped');
SELECT * FROM lint;

-- Roles that may let themselves in: by ADMIN OPTION, directly or through a
-- member, and before 16 by CREATEROLE.
ALTER ROLE regress_awspool_x NOINHERIT;
GRANT regress_awspool_acme TO regress_awspool_x WITH ADMIN OPTION;
CREATE ROLE regress_awspool_y NOINHERIT;
GRANT regress_awspool_member TO regress_awspool_y WITH ADMIN OPTION;
SELECT severity, object, problem, action FROM lint WHERE problem ~ 'grant itself role';
REVOKE regress_awspool_acme FROM regress_awspool_x;
REVOKE regress_awspool_member FROM regress_awspool_y;
ALTER ROLE regress_awspool_x CREATEROLE;
SELECT count(*) = (current_setting('server_version_num')::int < 160000)::int AS expected
FROM lint WHERE object = 'role regress_awspool_x' AND problem ~ 'CREATEROLE';
ALTER ROLE regress_awspool_x NOCREATEROLE;

-- A provider's role that sees through walls, by itself or by membership.
ALTER ROLE regress_awspool_acme BYPASSRLS;
GRANT pg_read_all_data TO regress_awspool_member;
GRANT pg_write_all_data TO regress_awspool_x, regress_awspool_all;
SELECT severity, object, problem FROM lint;
ALTER ROLE regress_awspool_acme NOBYPASSRLS;
REVOKE pg_read_all_data FROM regress_awspool_member;
REVOKE pg_write_all_data FROM regress_awspool_x, regress_awspool_all;

-- Durability turned down.
ALTER ROLE regress_awspool_acme SET synchronous_commit = off;
ALTER ROLE regress_awspool_x IN DATABASE :DBNAME SET synchronous_commit = local;
SELECT severity, replace(object, current_database(), '...') AS object, problem FROM lint ORDER BY 2;
ALTER ROLE regress_awspool_acme RESET synchronous_commit;
ALTER ROLE regress_awspool_x IN DATABASE :DBNAME RESET synchronous_commit;
SELECT * FROM lint;

-- It tells of every provider, so it is the owner's.
SET ROLE regress_awspool_all;
SELECT * FROM awspool.lint();
RESET ROLE;

TRUNCATE awspool.account, awspool.account_log, awspool.provider_role;
REVOKE ALL ON awspool.accounts FROM regress_awspool_x;
REVOKE ALL ON FUNCTION awspool.claim_account FROM regress_awspool_x;
DROP VIEW lint;
DROP ROLE regress_awspool_acme, regress_awspool_member, regress_awspool_all, regress_awspool_x, regress_awspool_y;
