--
-- CREATE EXTENSION on a stock database, and what it makes.  The tests that
-- follow use the extension that this one leaves behind.
--

-- The schema is fixed: no other at the start, and no other later.
\set VERBOSITY sqlstate
CREATE EXTENSION awspool SCHEMA public;

-- Not for everybody to create.
CREATE ROLE regress_awspool_user;
SET ROLE regress_awspool_user;
CREATE EXTENSION awspool;
RESET ROLE;
DROP ROLE regress_awspool_user;

-- Somebody else's object of the same name is not adopted.
CREATE SCHEMA awspool;
CREATE TABLE awspool.account (mine text);
CREATE EXTENSION awspool;
DROP SCHEMA awspool CASCADE;
\set VERBOSITY default

-- No setting, no preload, no role.  First a CREATE that is rolled back, then
-- one that is dropped: the library remembers nothing of them.
BEGIN;
CREATE EXTENSION awspool;
SELECT account_id, status FROM awspool.add_account('acme', '100000000001', 'MP-0000', 'SPAM');
SELECT account_id, status FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
SELECT event FROM awspool.account_history('acme', '100000000001');
ROLLBACK;

CREATE EXTENSION awspool;
SELECT account_id, status FROM awspool.add_account('acme', '100000000001', 'MP-0000', 'SPAM');
SELECT account_id, status FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
SELECT account_id, status FROM awspool.allocate_account('acme', '100000000001');
SELECT account_id, outcome FROM awspool.import_csv('acme', '100000000002;MP-0000;ECAM');
SELECT event FROM awspool.account_history('acme', '100000000001');
SELECT account_id FROM awspool.delete_account('acme', '100000000001');
DROP EXTENSION awspool;

CREATE EXTENSION awspool;
ALTER EXTENSION awspool SET SCHEMA public;
SELECT n.nspname, e.extrelocatable,
       e.extowner = (SELECT oid FROM pg_roles WHERE rolname = current_user) AS mine
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'awspool';

-- It is empty, also of what the one before it held.
SELECT count(*) FROM awspool.accounts;
SELECT count(*) FROM awspool.pool_status;
SELECT account_id, status FROM awspool.add_account('acme', '100000000001', 'MP-0000', 'SPAM');
SELECT account_id, status FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
SELECT account_id, outcome FROM awspool.check_csv('acme', '100000000001;MP-0000;SPAM');
SELECT event FROM awspool.account_history('acme', '100000000001');
TRUNCATE awspool.account, awspool.account_log, awspool.provider_role;

-- What \dx+ lists; from 17 on it lists the types of rows as well.
CREATE TEMP VIEW members AS
  SELECT d.classid, d.objid,
         pg_describe_object(d.classid, d.objid, 0) AS object
  FROM pg_depend d JOIN pg_extension e
    ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
  WHERE e.extname = 'awspool' AND d.deptype = 'e'
    AND d.classid <> 'pg_type'::regclass;
SELECT object FROM members ORDER BY object;

-- The public functions, as applications call them.
SELECT p.proname AS function, pg_get_function_arguments(p.oid) AS arguments,
       pg_get_function_result(p.oid) AS result
FROM members m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
WHERE p.proname IN ('add_account', 'edit_account', 'delete_account',
  'delete_accounts', 'import_csv', 'check_csv', 'claim_account',
  'allocate_account', 'fail_account', 'invalidate_account', 'replace_account',
  'grant_provider', 'revoke_provider', 'account_history')
ORDER BY p.proname;

-- No overloads; nothing that runs as its owner by itself; nothing that changes
-- accounts is fit for a parallel worker or for the planner to call early.
SELECT p.proname FROM members m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
GROUP BY p.proname HAVING count(*) > 1;
SELECT p.proname FROM members m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
WHERE p.prosecdef ORDER BY p.proname;
SELECT p.proname, p.provolatile, p.proparallel
FROM members m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
WHERE p.provolatile <> 'v' OR p.proparallel <> 'u' ORDER BY p.proname;

-- The public views.
SELECT a.attrelid::regclass AS view, string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum) AS columns
FROM members m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND m.objid = c.oid AND c.relkind = 'v'
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
GROUP BY a.attrelid ORDER BY a.attrelid::regclass::text;

-- Every object documents itself, and so do the columns of the views, and the
-- indexes and triggers, which are no members.
SELECT object FROM members m
WHERE obj_description(m.objid, m.classid::regclass::name) IS NULL ORDER BY object;
SELECT c.relname, a.attname
FROM members m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND m.objid = c.oid AND c.relkind = 'v'
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE col_description(c.oid, a.attnum) IS NULL ORDER BY 1, a.attnum;
SELECT i.indexrelid::regclass AS index
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
WHERE c.relnamespace = 'awspool'::regnamespace AND NOT i.indisprimary
  AND obj_description(i.indexrelid, 'pg_class') IS NULL;
SELECT t.tgname
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = 'awspool'::regnamespace AND NOT t.tgisinternal
  AND obj_description(t.oid, 'pg_trigger') IS NULL;

-- A dump carries every table and every sequence: none is missing here.
SELECT object FROM members m JOIN pg_class c
  ON m.classid = 'pg_class'::regclass AND m.objid = c.oid AND c.relkind IN ('r', 'S')
WHERE c.oid <> ALL ((SELECT extconfig FROM pg_extension WHERE extname = 'awspool')::oid[])
ORDER BY object;

-- What everybody may do.  The base tables are nobody's but the owner's.
SELECT m.objid::regclass AS relation, a.privilege_type
FROM members m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND m.objid = c.oid,
  aclexplode(c.relacl) a
WHERE a.grantee = 0
ORDER BY c.relname, a.privilege_type;
SELECT p.proname
FROM members m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
WHERE NOT EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                  WHERE a.grantee = 0)
ORDER BY p.proname;

-- The library does not take a function that is declared to return something else.
CREATE FUNCTION pg_temp.other_rows(a text, b text) RETURNS TABLE (c text)
AS '$libdir/awspool', 'awspool_delete_account' LANGUAGE C;
SELECT pg_temp.other_rows('acme', '000000000000');

-- The one setting, which anybody may set; no other is accepted.
SELECT name, context, vartype, boot_val FROM pg_settings WHERE name LIKE 'awspool.%';
\set VERBOSITY sqlstate
SET awspool.providers = 'acme';
\set VERBOSITY default

DROP VIEW members;
