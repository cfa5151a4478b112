-- The extension as an object: how it may be made and moved, what belongs to
-- it, what a dump takes along, and that everything says what it is.
BEGIN;
SELECT no_plan();

SELECT has_extension('awspool', 'the extension is there');
SELECT has_schema('awspool', 'and so is its schema');

SELECT results_eq(
  $$ SELECT name::text COLLATE "default", superuser, trusted, relocatable, schema::text COLLATE "default", requires::text[]
     FROM pg_available_extension_versions WHERE name = 'awspool' AND installed $$,
  $$ VALUES ('awspool', true, false, false, 'awspool', NULL::text[]) $$,
  'for superusers, not trusted, in a schema that is fixed, and needs nothing');
SELECT results_eq(
  $$ SELECT extnamespace::regnamespace::text, extrelocatable
     FROM pg_extension WHERE extname = 'awspool' $$,
  $$ VALUES ('awspool', false) $$,
  'it is installed so');
SELECT results_eq(
  $$ SELECT default_version = installed_version, comment IS NOT NULL
     FROM pg_available_extensions WHERE name = 'awspool' $$,
  $$ VALUES (true, true) $$,
  'its default version is the one installed, and it has a comment');

-- The library, which the first call loads, says so from 18 on.
CREATE FUNCTION pg_temp.library() RETURNS TABLE (name text, version text) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM awspool.acts_for_all();
  IF current_setting('server_version_num')::int < 180000 THEN
    RETURN QUERY SELECT e.name::text, default_version FROM pg_available_extensions e WHERE e.name = 'awspool';
  ELSE
    RETURN QUERY EXECUTE
      $q$ SELECT module_name, version FROM pg_get_loaded_modules() WHERE file_name ~ '^awspool' $q$;
  END IF;
END
$$;
SELECT results_eq(
  'SELECT name COLLATE "C", version COLLATE "C" FROM pg_temp.library()',
  $$ SELECT name::text COLLATE "C", default_version COLLATE "C" FROM pg_available_extensions WHERE name = 'awspool' $$,
  'and is that of the library');

SELECT throws_ok(
  'ALTER EXTENSION awspool SET SCHEMA public', '0A000', NULL,
  'it cannot be moved');
SELECT throws_ok(
  'CREATE EXTENSION awspool SCHEMA public', '42710', NULL,
  'it cannot be made twice');

CREATE ROLE regress_awspool_maker;
DO $$
BEGIN
  EXECUTE format('GRANT CREATE ON DATABASE %I TO regress_awspool_maker', current_database());
END
$$;
SAVEPOINT dropped;
DROP EXTENSION awspool;
SELECT throws_ok(
  'CREATE EXTENSION awspool SCHEMA public', '0A000', NULL,
  'it cannot be made in another schema');
SET LOCAL ROLE regress_awspool_maker;
SELECT throws_ok(
  'CREATE EXTENSION awspool', '42501', NULL,
  'who may create in a database may not create it');
RESET ROLE;
SELECT is_empty(
  $$ SELECT oid FROM pg_class WHERE relnamespace = 'awspool'::regnamespace
     UNION ALL SELECT oid FROM pg_proc WHERE pronamespace = 'awspool'::regnamespace
     UNION ALL SELECT oid FROM pg_type WHERE typnamespace = 'awspool'::regnamespace $$,
  'dropped, it leaves nothing in its schema');
SELECT lives_ok('CREATE EXTENSION awspool', 'and can be made again');
ROLLBACK TO dropped;

--
-- What belongs to it
--

-- Row types, which follow their tables, are members from 16 on.
CREATE TEMP VIEW member AS
  SELECT classid, objid FROM pg_depend
  WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e' AND classid <> 'pg_type'::regclass
    AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'awspool');

SELECT is_empty(
  $$ SELECT 'pg_class'::regclass, oid FROM pg_class
     WHERE relnamespace = 'awspool'::regnamespace AND relkind NOT IN ('i', 't', 'c')
     UNION ALL
     SELECT 'pg_proc'::regclass, oid FROM pg_proc WHERE pronamespace = 'awspool'::regnamespace
     EXCEPT SELECT classid, objid FROM member $$,
  'everything in its schema belongs to it');
SELECT is_empty(
  $$ SELECT pg_describe_object(classid, objid, 0) FROM member
     WHERE (classid <> 'pg_class'::regclass
            OR (SELECT relnamespace FROM pg_class WHERE oid = objid) <> 'awspool'::regnamespace)
       AND (classid <> 'pg_proc'::regclass
            OR (SELECT pronamespace FROM pg_proc WHERE oid = objid) <> 'awspool'::regnamespace)
       AND (classid, objid) <> ('pg_namespace'::regclass, 'awspool'::regnamespace) $$,
  'and everything that belongs to it is there: tables, sequences, views, functions');
SELECT is_empty(
  $$ SELECT polname FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
     WHERE c.relnamespace = 'awspool'::regnamespace $$,
  'no policy, which a dump would make a second time');
SELECT is_empty(
  $$ SELECT evtname FROM pg_event_trigger WHERE evtfoid IN
       (SELECT oid FROM pg_proc WHERE pronamespace = 'awspool'::regnamespace) $$,
  'no event trigger');

--
-- What a dump takes along
--

SELECT results_eq(
  $$ SELECT c::regclass::text, condition <> ''
     FROM pg_extension, unnest(extconfig, extcondition) u (c, condition)
     WHERE extname = 'awspool' ORDER BY c::regclass::text COLLATE "C" $$,
  $$ VALUES ('awspool.account', false), ('awspool.account_log', false),
            ('awspool.account_log_log_id_seq', false), ('awspool.account_position', false),
            ('awspool.arrival_count', true), ('awspool.pool_setting', false), ('awspool.pool_start', true),
            ('awspool.provider_role', true), ('awspool.provider_state', false),
            ('awspool.provider_viewer', true), ('awspool.registry', false),
            ('awspool.tally', true) $$,
  'the rows of every table and the state of every sequence; of grants those that count');
SELECT results_eq(
  $$ SELECT c::regclass::text, condition COLLATE "default"
     FROM pg_extension, unnest(extconfig, extcondition) u (c, condition)
     WHERE extname = 'awspool' AND c::regclass::text IN ('awspool.arrival_count', 'awspool.pool_start', 'awspool.tally')
     ORDER BY c::regclass::text COLLATE "C" $$,
  $$ VALUES ('awspool.arrival_count', 'WHERE false'), ('awspool.pool_start', 'WHERE false'),
            ('awspool.tally', 'WHERE false') $$,
  'nothing of what sessions only tell each other, or a restore counts again');
SELECT is_empty(
  $$ SELECT oid::regclass FROM pg_class
     WHERE relnamespace = 'awspool'::regnamespace AND relkind IN ('r', 'p', 'S', 'm', 'f')
       AND oid <> ALL (SELECT unnest(extconfig) FROM pg_extension WHERE extname = 'awspool') $$,
  'no table and no sequence is left out');

--
-- Everything says what it is.
--

CREATE TEMP VIEW described AS
  SELECT classid, objid, 0 AS objsubid FROM member
  UNION ALL
  SELECT 'pg_namespace'::regclass, 'awspool'::regnamespace, 0
  UNION ALL
  SELECT 'pg_class'::regclass, i.indexrelid, 0
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
  WHERE c.relnamespace = 'awspool'::regnamespace
    AND i.indexrelid NOT IN (SELECT conindid FROM pg_constraint)
  UNION ALL
  SELECT 'pg_trigger'::regclass, t.oid, 0
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
  WHERE c.relnamespace = 'awspool'::regnamespace AND NOT t.tgisinternal
  UNION ALL
  SELECT 'pg_class'::regclass, a.attrelid, a.attnum
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
  WHERE c.relnamespace = 'awspool'::regnamespace AND c.relkind = 'v'
    AND a.attnum > 0 AND NOT a.attisdropped;

SELECT cmp_ok((SELECT count(*) FROM described), '>=', 60::bigint,
  'there is something to describe');
SELECT is_empty(
  $$ SELECT pg_describe_object(o.classid, o.objid, o.objsubid)
     FROM described o LEFT JOIN pg_description d
       ON d.classoid = o.classid AND d.objoid = o.objid AND d.objsubid = o.objsubid
     WHERE coalesce(d.description, '') !~ '\w{3}.*\.$' $$,
  'every object has a comment, which is a sentence');

-- The comment of a function says which errors it raises, by codes that exist.
SELECT is_empty(
  $$ SELECT p.proname, code
     FROM pg_proc p, regexp_matches(obj_description(p.oid, 'pg_proc'), '\m([0-9A-Z]{2}[0-9]{2}[0-9A-Z])\M:', 'g') m,
          unnest(m) code
     WHERE p.pronamespace = 'awspool'::regnamespace
       AND code NOT IN ('22023', '23505', '42501', '22P04', '25006', '42704', '54000', '55000',
                        'WS001', 'WS002', 'WS003', 'WS004', 'WS005', 'WS006', 'WS007', 'WS008', 'WS009') $$,
  'the comments name no other error codes');

SELECT * FROM finish();
ROLLBACK;
