-- Who may touch what: base tables nobody but the owner, views and functions
-- everybody, each for their own providers, grants the owner alone.
BEGIN;
SELECT no_plan();

CREATE ROLE regress_awspool_nobody;
CREATE ROLE regress_awspool_acme;
CREATE ROLE regress_awspool_member IN ROLE regress_awspool_acme;
CREATE ROLE regress_awspool_outsider NOINHERIT IN ROLE regress_awspool_acme;
CREATE ROLE regress_awspool_other;
CREATE ROLE regress_awspool_all;
CREATE ROLE regress_awspool_reader IN ROLE pg_read_all_data, pg_write_all_data;
SELECT awspool.grant_provider('acme', 'regress_awspool_acme');
SELECT awspool.grant_provider('other', 'regress_awspool_other');
SELECT awspool.grant_provider('*', 'regress_awspool_all');

--
-- What the catalogs say
--

-- What PUBLIC has; grantee 0 is PUBLIC.
CREATE FUNCTION pg_temp.public_has(relation regclass) RETURNS text[]
LANGUAGE sql AS $$
  SELECT ARRAY(SELECT a.privilege_type FROM pg_class, aclexplode(relacl) a
               WHERE oid = relation AND a.grantee = 0 ORDER BY 1)
$$;

SELECT is(pg_temp.public_has(c.oid::regclass), '{}', 'PUBLIC has nothing on ' || c.oid::regclass)
FROM pg_class c
WHERE c.relnamespace = 'awspool'::regnamespace AND c.relkind IN ('r', 'S')
ORDER BY c.relname;
SELECT is(pg_temp.public_has('awspool.accounts'), '{DELETE,INSERT,SELECT,UPDATE}',
  'everybody may read and write accounts');
SELECT is(pg_temp.public_has('awspool.pool_status'), '{SELECT}',
  'everybody may read pool_status');
SELECT is(pg_temp.public_has('awspool.import'), '{INSERT,SELECT}',
  'everybody may import');
SELECT is_empty(
  $$ SELECT a.attrelid::regclass, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
     WHERE c.relnamespace = 'awspool'::regnamespace AND a.attacl IS NOT NULL $$,
  'no column has privileges of its own');
SELECT is_empty(
  $$ SELECT c.relname, a.grantee::regrole FROM pg_class c, aclexplode(c.relacl) a
     WHERE c.relnamespace = 'awspool'::regnamespace AND a.grantee NOT IN (0, c.relowner)
     UNION ALL
     SELECT p.proname, a.grantee::regrole FROM pg_proc p, aclexplode(p.proacl) a
     WHERE p.pronamespace = 'awspool'::regnamespace AND a.grantee NOT IN (0, p.proowner) $$,
  'nobody but the owner and PUBLIC has anything: no role is required');

SELECT is(has_schema_privilege('regress_awspool_nobody', 'awspool', 'USAGE'), true,
  'everybody may look inside the schema');
SELECT is(has_schema_privilege('regress_awspool_nobody', 'awspool', 'CREATE'), false,
  'nobody may put anything there');

SELECT results_eq(
  $$ SELECT proname::text COLLATE "default" FROM pg_proc p
     WHERE pronamespace = 'awspool'::regnamespace
       AND has_function_privilege('regress_awspool_nobody', p.oid, 'EXECUTE')
     ORDER BY proname COLLATE "C" $$,
  ARRAY['account_history', 'acts_for_all', 'add_account', 'allocate_account', 'check_csv',
        'claim_account', 'count_pools', 'delete_account', 'delete_accounts', 'edit_account', 'fail_account',
        'import_csv', 'invalidate_account', 'is_well_formed', 'my_providers', 'replace_account', 'visible_accounts'],
  'what everybody may call; nobody else may grant, revoke or call a trigger');

SELECT is_empty(
  $$ SELECT relname FROM pg_class
     WHERE relnamespace = 'awspool'::regnamespace AND relkind = 'r' AND NOT relrowsecurity $$,
  'every base table has row security');
SELECT is_empty(
  $$ SELECT relname FROM pg_class
     WHERE relnamespace = 'awspool'::regnamespace AND relkind = 'v' AND relname <> 'import'
       AND NOT coalesce('security_barrier=true' = ANY (reloptions), false) $$,
  'every view that shows rows is a security barrier');
SELECT is_empty(
  $$ SELECT relname FROM pg_class
     WHERE relnamespace = 'awspool'::regnamespace AND reloptions::text ~ 'security_invoker' $$,
  'no view reads the base table as the caller');

--
-- What each role finds.  42501 is the answer where there is no way in.
--

SELECT awspool.add_account('acme', '900000000001', 'MP-0001', 'SPAM');
SELECT awspool.add_account('acme', '900000000002', 'MP-0001', 'SPAM');
SELECT awspool.add_account('other', '900000000003', 'MP-0001', 'SPAM');

CREATE FUNCTION pg_temp.finds(who name) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  found text;
BEGIN
  PERFORM set_config('role', who, true);
  SELECT concat_ws(' ',
           (SELECT string_agg(DISTINCT a.provider, ',' ORDER BY a.provider) FROM awspool.accounts a),
           (SELECT sum(s.ready) FROM awspool.pool_status s),
           awspool.my_providers(), awspool.acts_for_all())
  INTO found;
  PERFORM set_config('role', 'none', true);
  RETURN found;
END
$$;

SELECT is(pg_temp.finds('regress_awspool_nobody'), '{} f', 'a stranger finds nothing');
SELECT is(pg_temp.finds('regress_awspool_acme'), 'acme 2 {acme} f', 'a role finds its provider');
SELECT is(pg_temp.finds('regress_awspool_member'), 'acme 2 {acme} f', 'so does a member of it');
SELECT is(pg_temp.finds('regress_awspool_outsider'), '{} f', 'but not one that does not inherit');
SELECT is(pg_temp.finds('regress_awspool_other'), 'other 1 {other} f', 'another finds the other');
SELECT is(pg_temp.finds('regress_awspool_all'), 'acme,other 3 {} t', 'and who is granted * finds all');
SELECT is(pg_temp.finds('regress_awspool_reader'), '{} f',
  'who may read and write all data finds nothing in the views');
SELECT is(pg_temp.finds(current_user), 'acme,other 3 {acme,other} t', 'a superuser is everybody');

-- Each role against the base tables.
CREATE FUNCTION pg_temp.refused(who name, statement text, description text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  PERFORM set_config('role', who, true);
  result := throws_ok(statement, '42501', NULL, who || ': ' || description);
  PERFORM set_config('role', 'none', true);
  RETURN result;
END
$$;

SELECT pg_temp.refused(r, s.statement, s.statement)
FROM unnest(ARRAY['regress_awspool_nobody', 'regress_awspool_acme', 'regress_awspool_all']) r,
  (VALUES ('SELECT FROM awspool.account'),
          ('SELECT FROM awspool.account_log'),
          ('SELECT FROM awspool.provider_role'),
          ('SELECT last_value FROM awspool.account_position'),
          ('SELECT nextval(''awspool.account_position'')'),
          ('SELECT setval(''awspool.account_log_log_id_seq'', 1)'),
          ('INSERT INTO awspool.account DEFAULT VALUES'),
          ('UPDATE awspool.account SET status = ''ready'''),
          ('DELETE FROM awspool.account_log'),
          ('INSERT INTO awspool.provider_role VALUES (''acme'', ''regress_awspool_nobody'', 0)'),
          ('TRUNCATE awspool.account'),
          ('LOCK awspool.account IN SHARE MODE'),
          ('CREATE TABLE awspool.mine ()'),
          ('CREATE FUNCTION awspool.mine() RETURNS int LANGUAGE sql AS ''SELECT 1'''),
          ('SELECT awspool.grant_provider(''acme'', ''regress_awspool_nobody'')'),
          ('SELECT awspool.revoke_provider(''acme'', ''regress_awspool_acme'')'),
          ('SELECT awspool.account_transition()'),
          ('CREATE TRIGGER t BEFORE INSERT ON awspool.account FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()')
  ) s (statement)
ORDER BY r, s.statement;

SELECT throws_ok(statement, '55000', NULL, 'not even the owner: ' || statement)
FROM unnest(ARRAY['UPDATE awspool.pool_status SET ready = 0',
                  'DELETE FROM awspool.pool_status',
                  'UPDATE awspool.import SET provider = NULL',
                  'DELETE FROM awspool.import']) statement;

-- Privileges on all data stop at row security: nothing is read, nothing written.
SET LOCAL ROLE regress_awspool_reader;
SELECT is_empty('SELECT account_id FROM awspool.account', 'who reads all data reads no account');
SELECT is_empty('SELECT role FROM awspool.provider_role', 'and no grant');
SELECT is_empty('SELECT account_id FROM awspool.account_log', 'and no log');
SELECT throws_ok(
  $$ INSERT INTO awspool.account (provider, account_id, marketplace, model)
     VALUES ('acme', '900000000009', 'MP-0001', 'SPAM') $$,
  '42501', NULL, 'who writes all data writes no account');
SELECT throws_ok(
  $$ INSERT INTO awspool.provider_role VALUES ('acme', 'regress_awspool_reader', 0) $$,
  '42501', NULL, 'and no grant');
SELECT is_empty(
  $$ UPDATE awspool.account SET status = 'invalid' RETURNING account_id $$,
  'and changes none');
RESET ROLE;

-- Even with EXECUTE given away by mistake, only the owner grants.
GRANT EXECUTE ON FUNCTION awspool.grant_provider(text, text), awspool.revoke_provider(text, text)
  TO regress_awspool_all;
SELECT pg_temp.refused('regress_awspool_all',
  $$ SELECT awspool.grant_provider('acme', 'regress_awspool_nobody') $$, 'grants as a non-owner');
SELECT pg_temp.refused('regress_awspool_all',
  $$ SELECT awspool.revoke_provider('acme', 'regress_awspool_acme') $$, 'revokes as a non-owner');

-- A setting and an argument authorise nothing.
SET LOCAL awspool.provider = 'acme';
SELECT pg_temp.refused('regress_awspool_nobody',
  $$ INSERT INTO awspool.import (account_id, marketplace_id, account_model)
     VALUES ('900000000009', 'MP-0001', 'SPAM') $$, 'imports by the setting');
SET LOCAL awspool.provider = '*';
SELECT throws_ok(
  $$ INSERT INTO awspool.import (account_id, marketplace_id, account_model)
     VALUES ('900000000009', 'MP-0001', 'SPAM') $$,
  '22023', NULL, 'the setting cannot name every provider');

-- A grant ends with the role, and with its name.
ALTER ROLE regress_awspool_other RENAME TO regress_awspool_renamed;
SELECT is(pg_temp.finds('regress_awspool_renamed'), '{} f', 'a renamed role has lost its grant');
CREATE ROLE regress_awspool_other;
SELECT is(pg_temp.finds('regress_awspool_other'), '{} f', 'and whoever takes its name has none');
SELECT awspool.grant_provider('other', 'regress_awspool_other');
SELECT is(pg_temp.finds('regress_awspool_other'), 'other 1 {other} f', 'until it is granted again');
SELECT awspool.revoke_provider('other', 'regress_awspool_other');
SELECT is(pg_temp.finds('regress_awspool_other'), '{} f', 'and revoked');

SELECT * FROM finish();
ROLLBACK;
