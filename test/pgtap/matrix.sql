-- Who may do what: each kind of role on each object of the extension.  First
-- what the catalogs say, every privilege that the server knows of; then what
-- happens to who tries, since the views and functions ask each caller again
-- and row security hides rows from who has a privilege on all data.
--
-- The objects are found in the catalogs and must be in the lists below, and
-- what is in these lists must be there.
BEGIN;
SELECT no_plan();

-- An owner who is not a superuser, as after the installing one ceased to be.
CREATE ROLE regress_awspool_owner SUPERUSER;
DROP EXTENSION awspool;
DROP SCHEMA IF EXISTS awspool;
SET LOCAL ROLE regress_awspool_owner;
CREATE EXTENSION awspool;
RESET ROLE;
ALTER ROLE regress_awspool_owner NOSUPERUSER;

CREATE ROLE regress_awspool_super SUPERUSER;
CREATE ROLE regress_awspool_member;
CREATE ROLE regress_awspool_inherits IN ROLE regress_awspool_member;
CREATE ROLE regress_awspool_noinherit NOINHERIT IN ROLE regress_awspool_member;
CREATE ROLE regress_awspool_all;
CREATE ROLE regress_awspool_stranger;
CREATE ROLE regress_awspool_revoked;
CREATE ROLE regress_awspool_viewer;
CREATE ROLE regress_awspool_viewer_inherits IN ROLE regress_awspool_viewer;
CREATE ROLE regress_awspool_viewer_of_all;
CREATE ROLE regress_awspool_reader IN ROLE pg_read_all_data;
CREATE ROLE regress_awspool_writer IN ROLE pg_write_all_data;
SELECT awspool.grant_provider('acme', 'regress_awspool_member');
SELECT awspool.grant_provider('*', 'regress_awspool_all');
SELECT awspool.grant_provider('acme', 'regress_awspool_revoked');
SELECT awspool.revoke_provider('acme', 'regress_awspool_revoked');
SELECT awspool.grant_viewer('acme', 'regress_awspool_viewer');
SELECT awspool.grant_viewer('*', 'regress_awspool_viewer_of_all');
SELECT awspool.grant_viewer('acme', 'regress_awspool_revoked');
SELECT awspool.revoke_viewer('acme', 'regress_awspool_revoked');

CREATE TEMP VIEW who AS
  SELECT rolname AS role, replace(rolname, 'regress_awspool_', '') AS kind
  FROM pg_roles WHERE rolname LIKE 'regress\_awspool\_%';

--
-- The objects, and what everybody may do with each.
--

CREATE TEMP TABLE object (type text, name text, everybody text[]);
INSERT INTO object VALUES
  ('schema', 'awspool', '{USAGE}'),
  ('table', 'account', '{}'),
  ('table', 'account_log', '{}'),
  ('table', 'arrival_count', '{}'),
  ('table', 'pool_setting', '{}'),
  ('table', 'pool_start', '{}'),
  ('table', 'provider_role', '{}'),
  ('table', 'provider_state', '{}'),
  ('table', 'provider_viewer', '{}'),
  ('table', 'registry', '{}'),
  ('table', 'tally', '{}'),
  ('sequence', 'account_log_log_id_seq', '{}'),
  ('sequence', 'account_position', '{}'),
  ('view', 'accounts', '{SELECT,INSERT,UPDATE,DELETE}'),
  ('view', 'alerts', '{SELECT}'),
  ('view', 'import', '{SELECT,INSERT}'),
  ('view', 'pool_settings', '{SELECT}'),
  ('view', 'pool_activity', '{SELECT}'),
  ('view', 'pool_status', '{SELECT}'),
  ('type', 'account_row', '{USAGE}'),
  ('function', 'account_events', '{}'),
  ('function', 'account_history', '{EXECUTE}'),
  ('function', 'account_transition', '{}'),
  ('function', 'acts_for_all', '{EXECUTE}'),
  ('function', 'add_account', '{EXECUTE}'),
  ('function', 'allocate_account', '{EXECUTE}'),
  ('function', 'blocked_accounts', '{EXECUTE}'),
  ('function', 'change_accounts', '{}'),
  ('function', 'check_csv', '{EXECUTE}'),
  ('function', 'check_reconcile_csv', '{EXECUTE}'),
  ('function', 'claim_account', '{EXECUTE}'),
  ('function', 'claim_accounts', '{EXECUTE}'),
  ('function', 'configure_pool', '{EXECUTE}'),
  ('function', 'count_setting_change', '{}'),
  ('function', 'count_anew', '{}'),
  ('function', 'delete_account', '{EXECUTE}'),
  ('function', 'delete_accounts', '{EXECUTE}'),
  ('function', 'edit_account', '{EXECUTE}'),
  ('function', 'explain_claim', '{EXECUTE}'),
  ('function', 'fail_account', '{EXECUTE}'),
  ('function', 'fail_overdue', '{EXECUTE}'),
  ('function', 'find_alerts', '{EXECUTE}'),
  ('function', 'follow_sequence', '{}'),
  ('function', 'forget_provider', '{}'),
  ('function', 'freeze_provider', '{}'),
  ('function', 'grant_provider', '{}'),
  ('function', 'grant_viewer', '{}'),
  ('function', 'import_begin', '{}'),
  ('function', 'import_csv', '{EXECUTE}'),
  ('function', 'import_end', '{}'),
  ('function', 'import_row', '{}'),
  ('function', 'invalidate_account', '{EXECUTE}'),
  ('function', 'is_well_formed', '{EXECUTE}'),
  ('function', 'keep_tally', '{}'),
  ('function', 'lint', '{}'),
  ('function', 'log_account_change', '{}'),
  ('function', 'my_providers', '{EXECUTE}'),
  ('function', 'note_provider_state', '{}'),
  ('function', 'note_registry', '{}'),
  ('function', 'overdue_accounts', '{EXECUTE}'),
  ('function', 'pause_pool', '{EXECUTE}'),
  ('function', 'passed_over', '{EXECUTE}'),
  ('function', 'plan_accounts', '{}'),
  ('function', 'reconcile_csv', '{EXECUTE}'),
  ('function', 'read_activity', '{EXECUTE}'),
  ('function', 'read_pools', '{EXECUTE}'),
  ('function', 'recount', '{}'),
  ('function', 'recount_truncated', '{}'),
  ('function', 'recounted', '{}'),
  ('function', 'refuse_used_account', '{}'),
  ('function', 'replace_account', '{EXECUTE}'),
  ('function', 'resolve_provider_role', '{}'),
  ('function', 'resume_pool', '{EXECUTE}'),
  ('function', 'revoke_provider', '{}'),
  ('function', 'tally_account', '{}'),
  ('function', 'tally_account_log', '{}'),
  ('function', 'verify', '{}'),
  ('function', 'verify_indexes', '{}'),
  ('function', 'verify_pool_starts', '{}'),
  ('function', 'revoke_viewer', '{}'),
  ('function', 'thaw_provider', '{}'),
  ('function', 'use_registry', '{}'),
  ('function', 'visible_accounts', '{EXECUTE}'),
  ('function', 'visible_settings', '{EXECUTE}');

-- The members of the extension and their schema.  The types of rows and of
-- arrays come and go with what they are of.
CREATE TEMP VIEW member AS
  SELECT d.classid, d.objid, o.type, coalesce(p.proname, c.relname, t.typname, o.identity)::text AS name
  FROM pg_extension e
    JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
    CROSS JOIN LATERAL pg_identify_object(d.classid, d.objid, 0) o
    LEFT JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
    LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
    LEFT JOIN pg_type t ON d.classid = 'pg_type'::regclass AND t.oid = d.objid
    LEFT JOIN pg_class r ON r.oid = t.typrelid
  WHERE e.extname = 'awspool' AND o.type <> 'composite type'
    AND (t.oid IS NULL OR t.typcategory <> 'A' AND coalesce(r.relkind, 'c') = 'c')
  UNION
  SELECT 'pg_namespace'::regclass, 'awspool'::regnamespace, 'schema', 'awspool';

SELECT set_eq('SELECT type, name FROM member', 'SELECT type, name FROM object',
  'every object of the extension is in the list, and no other');

--
-- What the catalogs say.  The owner and superusers have everything, others
-- what everybody has, and two roles of the server what it gives them.
--

-- Every privilege that an object of a type can have.  A column has what its
-- relation has; test/pgtap/api.sql names all columns.
CREATE TEMP VIEW verb AS
  SELECT t.type, a.privilege_type AS verb
  FROM (VALUES ('schema', 'n'), ('table', 'r'), ('view', 'r'), ('sequence', 's'), ('type', 'T'),
               ('function', 'f')) t (type, code),
    aclexplode(acldefault(t.code::"char", 10)) a
  WHERE a.grantee <> 0;

CREATE FUNCTION pg_temp.server_gives(kind text, type text, verb text) RETURNS boolean
LANGUAGE sql AS $$
  SELECT kind IN ('owner', 'super')
    OR kind IN ('reader', 'writer') AND type = 'schema' AND verb = 'USAGE'
    OR type IN ('table', 'view', 'sequence')
       AND (kind = 'reader' AND verb = 'SELECT'
            OR kind = 'writer' AND verb IN ('INSERT', 'UPDATE', 'DELETE'))
$$;

-- Sequences know no INSERT and DELETE.
CREATE FUNCTION pg_temp.has(role name, classid oid, objid oid, type text, verb text) RETURNS boolean
LANGUAGE sql AS $$
  SELECT CASE type WHEN 'schema' THEN has_schema_privilege(role, objid, verb)
                   WHEN 'sequence' THEN has_sequence_privilege(role, objid, verb)
                   WHEN 'type' THEN has_type_privilege(role, objid, verb)
                   WHEN 'function' THEN has_function_privilege(role, objid, verb)
                   ELSE has_table_privilege(role, objid, verb) END
$$;

SELECT is(
  (SELECT string_agg(concat_ws(' ', w.kind, v.verb), ', ' ORDER BY w.kind, v.verb)
   FROM who w, verb v
   WHERE v.type = o.type
     AND pg_temp.has(w.role, m.classid, m.objid, o.type, v.verb) IS DISTINCT FROM
         (v.verb = ANY (o.everybody) OR pg_temp.server_gives(w.kind, o.type, v.verb))),
  NULL, format('privileges on %s %s', o.type, o.name))
FROM object o JOIN member m USING (type, name)
ORDER BY o.type, o.name;

SELECT is(
  (SELECT string_agg(concat_ws(' ', w.kind, v.verb, a.attname), ', ' ORDER BY w.kind, v.verb, a.attnum)
   FROM who w, unnest('{SELECT,INSERT,UPDATE,REFERENCES}'::text[]) v (verb), pg_attribute a
   WHERE a.attrelid = m.objid AND a.attnum > 0
     AND has_column_privilege(w.role, m.objid, a.attnum, v.verb) IS DISTINCT FROM
         (v.verb = ANY (o.everybody) OR pg_temp.server_gives(w.kind, o.type, v.verb))),
  NULL, format('privileges on the columns of %s %s', o.type, o.name))
FROM object o JOIN member m USING (type, name)
WHERE o.type IN ('table', 'view')
ORDER BY o.type, o.name;

SELECT is_empty(
  $$ SELECT m.name, a.attname FROM member m JOIN pg_attribute a ON m.classid = 'pg_class'::regclass AND a.attrelid = m.objid
     WHERE a.attacl IS NOT NULL $$,
  'no column has privileges of its own');

-- Nobody may pass on what everybody has, and no role is required.
SELECT is_empty(
  $$ SELECT m.name, a.grantee::regrole, a.privilege_type
     FROM member m
       LEFT JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
       LEFT JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
       LEFT JOIN pg_type t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid
       LEFT JOIN pg_namespace n ON m.classid = 'pg_namespace'::regclass AND n.oid = m.objid,
       aclexplode(coalesce(c.relacl, p.proacl, t.typacl, n.nspacl)) a
     WHERE a.grantee NOT IN (0, 'regress_awspool_owner'::regrole) OR a.grantee = 0 AND a.is_grantable $$,
  'nobody but the owner and PUBLIC has been granted anything');

-- A second wall: what is in the base tables is hidden from who has a privilege
-- on all data, and no view tells the conditions of a query what it hides.
SELECT is_empty(
  $$ SELECT relname FROM pg_class
     WHERE relnamespace = 'awspool'::regnamespace AND relkind = 'r' AND NOT relrowsecurity $$,
  'every base table has row security');
SELECT is_empty(
  $$ SELECT relname FROM pg_class
     WHERE relnamespace = 'awspool'::regnamespace AND relkind = 'v' AND relname NOT IN ('accounts', 'import')
       AND reloptions IS DISTINCT FROM '{security_barrier=true}' $$,
  'every view that hides rows is a security barrier, and none is read as its reader');
SELECT is(
  pg_get_viewdef('awspool.accounts'::regclass) LIKE '%FROM awspool.visible_accounts()%', true,
  'view accounts hides none: it reads from the caller''s alone');

--
-- What happens: rows or none, or an error; "may" is anything but 42501.
--

SELECT awspool.add_account('acme', '90000000000' || i, 'MP-0001', 'SPAM') FROM generate_series(1, 4) i;
SELECT awspool.add_account('other', '900000000005', 'MP-0001', 'SPAM');
SELECT awspool.claim_account('acme', 'MP-0001', 'order');
SELECT awspool.edit_account('acme', '900000000003', model => 'ECAM');
INSERT INTO awspool.provider_state (provider, state) VALUES ('moved', 'away');
CREATE FUNCTION public.regress_awspool_look(text, text[]) RETURNS SETOF text LANGUAGE sql AS 'SELECT NULL WHERE false';
INSERT INTO awspool.registry (purpose, schema_name, function_name) VALUES ('look', 'public', 'regress_awspool_look');
INSERT INTO awspool.pool_start VALUES (1, 0, 0, 'acme', 'MP-0001') ON CONFLICT DO NOTHING;
-- An order that is overdue, and pools that are low or paused.
INSERT INTO awspool.account (provider, account_id, marketplace, model, status, order_model, claimed_at, claimed_by)
VALUES ('acme', '900000000006', 'MP-0001', 'SPAM', 'provisioning_in_progress', 'SPAM', now() - interval '1 day', 'me');
SELECT awspool.configure_pool('acme', 'MP-0001', 100, deadline => '1 hour'), awspool.configure_pool('other', 'MP-0001', 100);
SELECT awspool.recount();

CREATE FUNCTION pg_temp.outcome(who name, statement text, expected text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  rows bigint;
BEGIN
  PERFORM set_config('role', who, true);
  EXECUTE statement;
  GET DIAGNOSTICS rows = ROW_COUNT;
  RAISE EXCEPTION USING ERRCODE = 'DONE0';
EXCEPTION WHEN OTHERS THEN
  RETURN CASE WHEN expected = 'may' AND SQLSTATE <> '42501' THEN 'may'
              WHEN SQLSTATE <> 'DONE0' THEN SQLSTATE
              WHEN rows > 0 THEN 'rows'
              ELSE 'none' END;
END
$$;

-- The first expectation is that of the owner and superusers, the second that
-- of who acts for acme: member, who inherits from it, and who acts for all.
-- The third is that of everybody else; the last two are the server's readers
-- and writers of all data.  %1$s is the object, %2$s its first column.  What
-- viewers meet is below, where it differs from what strangers do.
CREATE TEMP TABLE attempt (type text, name text, statement text,
  owner text, member text, stranger text, reader text, writer text);
INSERT INTO attempt VALUES
  ('table', NULL, 'SELECT %2$s FROM %1$s', 'rows', '42501', '42501', 'none', '42501'),
  ('table', NULL, 'INSERT INTO %1$s DEFAULT VALUES', '23502', '42501', '42501', '42501', '42501'),
  ('table', NULL, 'UPDATE %1$s SET %2$s = DEFAULT', 'may', '42501', '42501', '42501', 'none'),
  ('table', NULL, 'DELETE FROM %1$s', 'may', '42501', '42501', '42501', 'none'),
  ('table', NULL, 'TRUNCATE %1$s', 'none', '42501', '42501', '42501', '42501'),
  ('table', NULL, 'LOCK TABLE %1$s IN ACCESS EXCLUSIVE MODE', 'none', '42501', '42501', '42501', 'none'),
  ('sequence', NULL, 'SELECT last_value FROM %s', 'rows', '42501', '42501', 'rows', '42501'),
  ('sequence', NULL, 'SELECT nextval(%L)', 'rows', '42501', '42501', '42501', 'rows'),
  ('sequence', NULL, 'SELECT setval(%L, 1)', 'rows', '42501', '42501', '42501', 'rows'),
  ('schema', NULL, 'CREATE TABLE %s.mine ()', 'none', '42501', '42501', '42501', '42501'),
  ('view', 'accounts', 'SELECT account_id FROM %s', 'rows', 'rows', 'none', 'none', 'none'),
  ('view', 'accounts', 'SELECT account_id FROM %s WHERE provider = ''other''', 'rows', 'none', 'none', 'none', 'none'),
  ('view', 'accounts', 'INSERT INTO %s (provider, account_id, marketplace, model) VALUES (''acme'', ''900000000009'', ''MP-0001'', ''SPAM'')',
   'rows', 'rows', '42501', '42501', '42501'),
  ('view', 'accounts', 'UPDATE %s SET model = ''ECAM''', 'rows', 'rows', 'none', 'none', 'none'),
  ('view', 'accounts', 'DELETE FROM %s WHERE status = ''ready''', 'rows', 'rows', 'none', 'none', 'none'),
  ('view', 'pool_activity', 'SELECT added FROM %s', 'rows', 'rows', 'none', 'none', 'none'),
  ('view', 'pool_activity', 'SELECT added FROM %s WHERE provider = ''other''', 'rows', 'none', 'none', 'none', 'none'),
  ('view', 'pool_activity', 'UPDATE %s SET added = 0', '55000', '55000', '55000', '55000', '55000'),
  ('view', 'pool_activity', 'DELETE FROM %s', '55000', '55000', '55000', '55000', '55000'),
  ('view', 'pool_status', 'SELECT ready FROM %s', 'rows', 'rows', 'none', 'none', 'none'),
  ('view', 'pool_status', 'SELECT ready FROM %s WHERE provider = ''other''', 'rows', 'none', 'none', 'none', 'none'),
  ('view', 'pool_status', 'UPDATE %s SET ready = 0', '55000', '55000', '55000', '55000', '55000'),
  ('view', 'pool_status', 'DELETE FROM %s', '55000', '55000', '55000', '55000', '55000'),
  ('view', 'pool_status', 'INSERT INTO %s DEFAULT VALUES', '55000', '55000', '55000', '55000', '55000'),
  ('view', 'pool_settings', 'SELECT low_water FROM %s', 'rows', 'rows', 'none', 'none', 'none'),
  ('view', 'pool_settings', 'SELECT low_water FROM %s WHERE provider = ''other''', 'rows', 'none', 'none', 'none', 'none'),
  ('view', 'pool_settings', 'UPDATE %s SET low_water = 0', '55000', '55000', '55000', '55000', '55000'),
  ('view', 'pool_settings', 'DELETE FROM %s', '55000', '55000', '55000', '55000', '55000'),
  ('view', 'pool_settings', 'INSERT INTO %s DEFAULT VALUES', '55000', '55000', '55000', '55000', '55000'),
  ('view', 'alerts', 'SELECT detail FROM %s', 'rows', 'rows', 'none', 'none', 'none'),
  ('view', 'alerts', 'SELECT detail FROM %s WHERE provider = ''other''', 'rows', 'none', 'none', 'none', 'none'),
  ('view', 'import', 'SELECT account_id FROM %s', 'none', 'none', 'none', 'none', 'none'),
  ('view', 'import', 'INSERT INTO %s VALUES (''acme'', ''900000000009'', ''MP-0001'', ''SPAM'')',
   'rows', 'rows', '42501', '42501', '42501'),
  ('view', 'import', 'UPDATE %s SET provider = NULL', '55000', '55000', '55000', '55000', '55000'),
  ('view', 'import', 'DELETE FROM %s', '55000', '55000', '55000', '55000', '55000'),
  ('type', 'account_row', 'SELECT NULL::%s', 'rows', 'rows', 'rows', 'rows', 'rows'),
  ('function', 'account_events', 'SELECT %s(now(), ''me'', NULL, NULL, NULL, NULL, NULL, NULL, ''ready'', NULL)', 'rows', '42501', '42501', '42501', '42501'),
  ('function', 'account_history', 'SELECT %s(''acme'', ''900000000001'')', 'rows', 'rows', '42501', '42501', '42501'),
  ('function', 'acts_for_all', 'SELECT WHERE %s()', 'rows', 'none', 'none', 'none', 'none'),
  ('function', 'add_account', 'SELECT %s(''acme'', ''900000000009'', ''MP-0001'', ''SPAM'')', 'rows', 'rows', '42501', '42501', '42501'),
  ('function', 'allocate_account', 'SELECT %s(''acme'', ''900000000001'')', 'rows', 'rows', '42501', '42501', '42501'),
  ('function', 'blocked_accounts', 'SELECT %s(''acme'')', 'none', 'none', '42501', '42501', '42501'),
  ('function', 'check_csv', 'SELECT %s(''acme'', ''900000000009;MP-0001;SPAM'')', 'rows', 'rows', '42501', '42501', '42501'),
  ('function', 'check_reconcile_csv', 'SELECT %s(''acme'', ''900000000002;order-2'')', 'rows', 'rows', '42501', '42501', '42501'),
  ('function', 'claim_account', 'SELECT %s(''acme'', ''MP-0001'')', 'rows', 'rows', '42501', '42501', '42501'),
  ('function', 'claim_account', 'SELECT %s(''other'', ''MP-0001'')', 'rows', '42501', '42501', '42501', '42501'),
  ('function', 'claim_accounts', 'SELECT %s(''acme'', ''MP-0001'', ''{NULL}'')', 'rows', 'rows', '42501', '42501', '42501'),
  ('function', 'claim_accounts', 'SELECT %s(''other'', ''MP-0001'', ''{NULL}'')', 'rows', '42501', '42501', '42501', '42501'),
  ('function', 'configure_pool', 'SELECT %s(''acme'', ''MP-0001'')', 'rows', 'rows', '42501', '42501', '42501'),
  ('function', 'count_anew', 'SELECT %s()', 'rows', '42501', '42501', '42501', '42501'),
  ('function', 'delete_account', 'SELECT %s(''acme'', ''900000000002'')', 'rows', 'rows', '42501', '42501', '42501'),
  ('function', 'delete_accounts', 'SELECT %s(''acme'', ''{900000000002}'')', 'rows', 'rows', '42501', '42501', '42501'),
  ('function', 'edit_account', 'SELECT %s(''acme'', ''900000000002'', model => ''ECAM'')', 'rows', 'rows', '42501', '42501', '42501'),
  ('function', 'explain_claim', 'SELECT %s(''acme'', ''MP-0001'')', 'rows', 'rows', '42501', '42501', '42501'),
  ('function', 'explain_claim', 'SELECT %s(''other'', ''MP-0001'')', 'rows', '42501', '42501', '42501', '42501'),
  ('function', 'fail_account', 'SELECT %s(''acme'', ''900000000001'')', 'rows', 'rows', '42501', '42501', '42501'),
  ('function', 'fail_overdue', 'SELECT %s(''acme'')', 'rows', 'rows', '42501', '42501', '42501'),
  ('function', 'find_alerts', 'SELECT %s()', 'rows', 'rows', 'none', 'none', 'none'),
  ('function', 'forget_provider', 'SELECT %s(''acme'')', '55000', '42501', '42501', '42501', '42501'),
  ('function', 'freeze_provider', 'SELECT %s(''acme'')', 'rows', '42501', '42501', '42501', '42501'),
  ('function', 'grant_provider', 'SELECT %s(''acme'', ''regress_awspool_stranger'')', 'rows', '42501', '42501', '42501', '42501'),
  ('function', 'grant_viewer', 'SELECT %s(''acme'', ''regress_awspool_stranger'')', 'rows', '42501', '42501', '42501', '42501'),
  ('function', 'import_csv', 'SELECT %s(''acme'', ''900000000009;MP-0001;SPAM'')', 'rows', 'rows', '42501', '42501', '42501'),
  ('function', 'invalidate_account', 'SELECT %s(''acme'', ''900000000001'')', 'rows', 'rows', '42501', '42501', '42501'),
  ('function', 'is_well_formed', 'SELECT %s(''acme'', ''900000000001'', NULL, NULL, NULL)', 'rows', 'rows', 'rows', 'rows', 'rows'),
  ('function', 'lint', 'SELECT %s()', 'may', '42501', '42501', '42501', '42501'),
  ('function', 'my_providers', 'SELECT FROM unnest(%s()) p WHERE p = ''acme''', 'rows', 'rows', 'none', 'none', 'none'),
  ('function', 'overdue_accounts', 'SELECT %s(''acme'')', 'rows', 'rows', '42501', '42501', '42501'),
  ('function', 'pause_pool', 'SELECT %s(''acme'')', 'rows', 'rows', '42501', '42501', '42501'),
  ('function', 'resume_pool', 'SELECT %s(''acme'', ''MP-0001'')', 'rows', 'rows', '42501', '42501', '42501'),
  ('function', 'passed_over', 'SELECT %s(''acme'')', 'none', 'none', '42501', '42501', '42501'),
  ('function', 'reconcile_csv', 'SELECT %s(''acme'', ''900000000002;order-2'')', 'rows', 'rows', '42501', '42501', '42501'),
  ('function', 'read_activity', 'SELECT %s()', 'rows', 'rows', 'none', 'none', 'none'),
  ('function', 'read_pools', 'SELECT %s()', 'rows', 'rows', 'none', 'none', 'none'),
  ('function', 'recount', 'SELECT %s()', 'rows', '42501', '42501', '42501', '42501'),
  ('function', 'recounted', 'SELECT %s()', 'none', '42501', '42501', '42501', '42501'),
  ('function', 'replace_account', 'SELECT %s(''acme'', ''900000000001'', NULL)', 'rows', 'rows', '42501', '42501', '42501'),
  ('function', 'revoke_provider', 'SELECT %s(''acme'', ''regress_awspool_member'')', 'rows', '42501', '42501', '42501', '42501'),
  ('function', 'verify', 'SELECT %s()', 'may', '42501', '42501', '42501', '42501'),
  ('function', 'verify_indexes', 'SELECT %s()', 'may', '42501', '42501', '42501', '42501'),
  ('function', 'verify_pool_starts', 'SELECT %s()', 'may', '42501', '42501', '42501', '42501'),
  ('function', 'revoke_viewer', 'SELECT %s(''acme'', ''regress_awspool_viewer'')', 'rows', '42501', '42501', '42501', '42501'),
  ('function', 'thaw_provider', 'SELECT %s(''acme'')', 'rows', '42501', '42501', '42501', '42501'),
  ('function', 'use_registry', 'SELECT %s(NULL)', 'rows', '42501', '42501', '42501', '42501'),
  ('function', 'visible_accounts', 'SELECT %s()', 'rows', 'rows', 'none', 'none', 'none'),
  ('function', 'visible_settings', 'SELECT %s()', 'rows', 'rows', 'none', 'none', 'none');
-- What only the server may call
INSERT INTO attempt
  SELECT 'function', proname, 'SELECT %s()', '39P01', '42501', '42501', '42501', '42501'
  FROM pg_proc WHERE pronamespace = 'awspool'::regnamespace AND prorettype = 'trigger'::regtype
  UNION VALUES ('function', 'plan_accounts', 'SELECT %s(1)', '42883', '42883', '42883', '42883', '42883');

-- A viewer is shown what who acts is shown, and may change what it sees no more
-- than what it does not see.
ALTER TABLE attempt ADD COLUMN viewer text;
UPDATE attempt SET viewer = CASE
    WHEN statement ~ '^SELECT' AND name IN (
      'accounts', 'alerts', 'pool_activity', 'pool_settings', 'pool_status',
      'account_history', 'check_csv', 'check_reconcile_csv', 'explain_claim', 'passed_over',
      'blocked_accounts', 'find_alerts', 'overdue_accounts', 'read_activity', 'read_pools',
      'visible_accounts', 'visible_settings') THEN member
    WHEN name = 'accounts' THEN '42501'
    ELSE stranger END;

SELECT is_empty(
  $$ SELECT o.type, o.name FROM object o
     WHERE NOT EXISTS (SELECT FROM attempt a WHERE a.type = o.type AND coalesce(a.name, o.name) = o.name) $$,
  'something is attempted with each object');

-- Who acts for all sees the others' accounts as well, but is told of no provider
-- that was granted by name.
SELECT is(string_agg(w.kind || ' ' || x.outcome, ', ' ORDER BY w.kind), NULL, a.description)
FROM (SELECT t.*, format(t.statement, o.path, quote_ident(f.attname)) AS description
      FROM attempt t
        JOIN member m ON m.type = t.type AND m.name = coalesce(t.name, m.name)
        CROSS JOIN LATERAL (VALUES (CASE m.type WHEN 'schema' THEN m.name ELSE 'awspool.' || m.name END)) o (path)
        LEFT JOIN pg_attribute f ON m.classid = 'pg_class'::regclass AND f.attrelid = m.objid AND f.attnum = 1) a
  CROSS JOIN who w
  CROSS JOIN LATERAL (SELECT CASE WHEN w.kind IN ('owner', 'all') AND a.name = 'my_providers' THEN 'none'
                                  WHEN w.kind IN ('owner', 'super') THEN a.owner
                                  WHEN w.kind = 'all' AND (a.name = 'acts_for_all' OR a.statement ~ 'other|0005') THEN 'rows'
                                  WHEN w.kind = 'viewer_of_all' AND a.statement ~ 'other' AND (a.type = 'view' OR a.name = 'explain_claim') THEN 'rows'
                                  WHEN w.kind LIKE 'viewer%' THEN a.viewer
                                  WHEN w.kind IN ('member', 'inherits', 'all') THEN a.member
                                  WHEN w.kind = 'reader' THEN a.reader
                                  WHEN w.kind = 'writer' THEN a.writer
                                  ELSE a.stranger END) e (expected)
  CROSS JOIN LATERAL (SELECT nullif(pg_temp.outcome(w.role, a.description, e.expected), e.expected)) x (outcome)
GROUP BY a.description
ORDER BY a.description;

-- Even with EXECUTE given away by mistake, only the owner grants.
GRANT EXECUTE ON FUNCTION awspool.grant_provider, awspool.revoke_provider, awspool.grant_viewer, awspool.revoke_viewer,
  awspool.freeze_provider, awspool.thaw_provider, awspool.forget_provider,
  awspool.use_registry TO regress_awspool_all;
SELECT is(pg_temp.outcome('regress_awspool_all', statement, '42501'), '42501', 'EXECUTE alone: ' || statement)
FROM unnest(ARRAY[$$SELECT awspool.grant_provider('acme', 'regress_awspool_stranger')$$,
                  $$SELECT awspool.revoke_provider('acme', 'regress_awspool_member')$$,
                  $$SELECT awspool.grant_viewer('acme', 'regress_awspool_stranger')$$,
                  $$SELECT awspool.revoke_viewer('acme', 'regress_awspool_viewer')$$,
                  $$SELECT awspool.freeze_provider('acme')$$, $$SELECT awspool.thaw_provider('acme')$$,
                  $$SELECT awspool.forget_provider('acme')$$, $$SELECT awspool.use_registry(NULL)$$]) statement;

SELECT * FROM finish();
ROLLBACK;
