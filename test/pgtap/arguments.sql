-- Every function with every argument that nobody should pass: an error of its
-- own or a normal answer, never a crash and never an internal error (XX000).
BEGIN;
SELECT no_plan();

CREATE ROLE regress_awspool_acme;
SELECT awspool.grant_provider('acme', 'regress_awspool_acme');
SELECT awspool.grant_viewer('acme', 'regress_awspool_acme');
SELECT awspool.add_account('acme', '90000000000' || i, 'MP-0001', 'SPAM') FROM generate_series(1, 4) i;
SELECT awspool.claim_account('acme', 'MP-0001', 'order');  -- 1
SELECT awspool.freeze_provider('moving');

--
-- The calls, with good arguments, and what each argument is.
--

CREATE TEMP TABLE call (name text, arguments text[], kinds text[]);
INSERT INTO call VALUES
  ('account_events', '{2026-01-01,me,2026-01-01,me,order,SPAM,2026-01-01,me,invalid,broken}',
   '{time,any,time,any,any,any,time,any,any,any}'),
  ('account_history', '{acme,900000000001}', '{provider,account}'),
  ('acts_for_all', '{}', '{}'),
  ('add_account', '{acme,900000000009,MP-0001,SPAM}', '{provider,account,marketplace,model}'),
  ('allocate_account', '{acme,900000000001,order}', '{provider,account,held order}'),
  ('blocked_accounts', '{acme}', '{provider}'),
  ('check_csv', '{acme,900000000009;MP-0001;SPAM}', '{provider,checked file}'),
  ('check_reconcile_csv', '{acme,900000000009;order}', '{provider,checked file}'),
  ('claim_account', '{acme,MP-0001,order-2}', '{provider,marketplace,order}'),
  ('claim_accounts', '{acme,MP-0001,"{order-2,order-3}"}', '{provider,marketplace,orders}'),
  ('configure_pool', '{acme,MP-0001,5,2.5,1 day}', '{provider,marketplace,number,days,deadline}'),
  ('count_anew', '{}', '{}'),
  ('delete_account', '{acme,900000000002}', '{provider,account}'),
  ('delete_accounts', '{acme,"{900000000002}"}', '{provider,ids}'),
  ('edit_account', '{acme,900000000002,MP-0002,ECAM}', '{provider,account,marketplace or null,model or null}'),
  ('explain_claim', '{acme,MP-0001}', '{provider,marketplace}'),
  ('fail_account', '{acme,900000000001,broken,order}', '{provider,account,any,held order}'),
  ('fail_overdue', '{acme,100}', '{provider,count}'),
  ('find_alerts', '{}', '{}'),
  ('forget_provider', '{moving}', '{forgotten provider}'),
  ('freeze_provider', '{acme}', '{moving provider}'),
  ('grant_provider', '{acme,regress_awspool_acme}', '{granted provider,role}'),
  ('grant_viewer', '{acme,regress_awspool_acme}', '{granted provider,role}'),
  ('import_csv', '{acme,900000000009;MP-0001;SPAM,false}', '{provider,file,flag}'),
  ('invalidate_account', '{acme,900000000002,broken}', '{provider,account,any}'),
  ('is_well_formed', '{acme,900000000001,MP-0001,SPAM,order}', '{any,any,any,any,any}'),
  ('lint', '{}', '{}'),
  ('my_providers', '{}', '{}'),
  ('overdue_accounts', '{acme}', '{provider}'),
  ('pause_pool', '{acme,MP-0002,broken}', '{provider,marketplace or null,any}'),
  ('passed_over', '{acme}', '{provider}'),
  ('reconcile_csv', '{acme,900000000009;order}', '{provider,checked file}'),
  ('read_activity', '{}', '{}'),
  ('read_pools', '{}', '{}'),
  ('recount', '{}', '{}'),
  ('recounted', '{}', '{}'),
  ('replace_account', '{acme,900000000001,broken,order}', '{provider,account,any,held order}'),
  ('resume_pool', '{acme,MP-0002}', '{provider,marketplace or null}'),
  ('revoke_provider', '{acme,regress_awspool_acme}', '{granted provider,old role}'),
  ('verify', '{}', '{}'),
  ('verify_indexes', '{}', '{}'),
  ('verify_pool_starts', '{}', '{}'),
  ('revoke_viewer', '{acme,regress_awspool_acme}', '{granted provider,old role}'),
  ('thaw_provider', '{acme}', '{moving provider}'),
  ('use_registry', '{NULL,NULL}', '{asked,also asked}'),
  ('visible_accounts', '{}', '{}'),
  ('visible_settings', '{}', '{}');

-- Trigger functions follow below; nobody can call what takes an "internal".
SELECT set_eq(
  $$ SELECT proname::text FROM pg_proc
     WHERE pronamespace = 'awspool'::regnamespace AND prorettype NOT IN ('trigger'::regtype, 'internal'::regtype) $$,
  'SELECT name FROM call',
  'every function is called, and no other');
SELECT is(pronargs::int, cardinality(kinds), name || ' is called with every argument')
FROM call JOIN pg_proc p ON proname = name AND pronamespace = 'awspool'::regnamespace
ORDER BY name;

--
-- The values: is it a name, as that of a provider or order must be, and what
-- is it as a file: nothing, rejected rows, or broken?
--

CREATE TEMP TABLE value (type regtype, label text, value text, is_name boolean, file text);
INSERT INTO value VALUES
  ('text', 'NULL', NULL, false, NULL),
  ('text', 'empty', '', false, 'nothing'),
  ('text', 'space', ' ', false, 'nothing'),
  ('text', 'space before', ' acme', false, 'rejected'),
  ('text', 'line feed', E'\n', false, 'nothing'),
  ('text', 'line feed within', E'ac\nme', false, 'rejected'),
  ('text', 'carriage return among line feeds', E'a\rb\nc', false, 'broken'),
  ('text', 'tab after', E'acme\t', false, 'rejected'),
  ('text', '65 characters', repeat('x', 65), false, 'rejected'),
  ('text', '65 characters of two bytes', repeat(U&'\00e9', 65), false, 'rejected'),
  ('text', '65 characters of four bytes', repeat(U&'\+01f600', 65), false, 'rejected'),
  ('text', 'a million bytes', repeat('x', 1000000), false, 'rejected'),
  ('text', 'more than a million separators', repeat(';', 1000001), false, 'broken'),
  ('text', 'many line feeds', repeat(E'\n', 10000), false, 'nothing'),
  ('text', 'many quotes', repeat('"', 10000), false, 'rejected'),
  ('text', 'bell', E'acme\x07', false, 'rejected'),
  ('text', 'window title of a terminal', E'\x1b]0;acme\x07', false, 'rejected'),
  ('text', 'clear screen of a terminal', E'\x1b[2J', false, 'rejected'),
  ('text', 'the same as one C1 control', U&'\009b2J', false, 'rejected'),
  ('text', 'delete', E'acm\x7fe', false, 'rejected'),
  ('text', 'zero-width space', U&'acme\200b', false, 'rejected'),
  ('text', 'no-break space', U&'acme\00a0', false, 'rejected'),
  ('text', 'no-break space before', U&'\00a0acme', false, 'rejected'),
  ('text', 'ideographic space', U&'acme\3000', false, 'rejected'),
  ('text', 'byte order mark', U&'\feff', false, 'nothing'),
  ('text', 'every provider', '*', false, 'rejected'),
  ('text', 'no-break space within', U&'ac\00a0me', true, 'rejected'),
  ('text', '64 characters', repeat('x', 64), true, 'rejected'),
  ('text', 'another case', 'ACME', true, 'rejected'),
  ('text', 'a Cyrillic letter', U&'\0430cme', true, 'rejected'),
  ('text', 'a combining accent', U&'acme\0301', true, 'rejected'),
  ('text', 'full-width letters', U&'\ff41\ff43\ff4d\ff45', true, 'rejected'),
  ('text', 'full-width digits', U&'\ff19\ff10\ff10\ff10\ff10\ff10\ff10\ff10\ff10\ff10\ff10\ff11', true, 'rejected'),
  ('text', 'Arabic digits', U&'\0669\0660\0660\0660\0660\0660\0660\0660\0660\0660\0660\0661', true, 'rejected'),
  ('text', 'superscript digits', U&'90000000000\00b9', true, 'rejected'),
  ('text', 'a Cyrillic marketplace', U&'M\0420-0001', true, 'rejected'),
  ('text', 'a model with a Cyrillic letter', U&'SP\0410M', true, 'rejected'),
  ('text', 'right-to-left override', U&'\202eemca', true, 'rejected'),
  ('text', 'right-to-left mark', U&'acme\200f', true, 'rejected'),
  ('text', 'the last character', U&'\+10ffff', true, 'rejected'),
  ('text', '64 characters of four bytes', repeat(U&'\+01f600', 64), true, 'rejected'),
  ('text', 'quote', '''', true, 'rejected'),
  ('text', 'SQL', ''' OR ''''='''' --', true, 'rejected'),
  ('text', 'two statements', 'acme''); DROP TABLE awspool.account; --', true, 'rejected'),
  ('text', 'double quote', '"', true, 'broken'),
  ('text', 'backslash', '\', true, 'rejected'),
  ('text', 'backslash and digits', '\000', true, 'rejected'),
  ('text', 'NULL as in COPY', '\N', true, 'rejected'),
  ('text', 'end as in COPY', '\.', true, 'nothing'),
  ('text', 'NULL as a word', 'null', true, 'rejected'),
  ('text', 'format of C', '%s%n%m%99999$s', true, 'rejected'),
  ('text', 'wildcards', '%_', true, 'rejected'),
  ('text', 'parameter', '$1', true, 'rejected'),
  ('text', 'variable of a shell', '$(id)`id`', true, 'rejected'),
  ('text', 'array', '{acme,other}', true, 'rejected'),
  ('text', 'row', '(acme,900000000002)', true, 'rejected'),
  ('text', 'negative', '-1', true, 'rejected'),
  ('text', 'not a number', 'NaN', true, 'rejected'),
  ('text', 'of a spreadsheet', '9E+11', true, 'rejected');
INSERT INTO value VALUES
  ('regprocedure', 'NULL', NULL),
  ('regprocedure', 'none', '0'),
  ('regprocedure', 'one that is gone', '4294967295'),
  ('regprocedure', 'of the server', 'pg_catalog.lower(text)'),
  ('regprocedure', 'of the extension', 'awspool.delete_accounts(text,text[])'),
  ('boolean', 'NULL', NULL),
  ('boolean', 'true', 'true'),
  ('int4', 'NULL', NULL),
  ('int4', 'negative', '-1'),
  ('int4', 'nothing', '0'),
  ('int4', 'the last', '2147483647'),
  ('int8', 'NULL', NULL),
  ('int8', 'the first', '-9223372036854775808'),
  ('int8', 'nothing', '0'),
  ('int8', 'the last', '9223372036854775807'),
  ('numeric', 'NULL', NULL),
  ('numeric', 'not a number', 'NaN'),
  ('numeric', 'minus infinity', '-Infinity'),
  ('numeric', 'negative', '-0.0000001'),
  ('numeric', 'nothing', '0'),
  ('numeric', 'very many', '1e1000'),
  ('numeric', 'very few', '1e-1000'),
  ('interval', 'NULL', NULL),
  ('interval', 'negative', '-1 microsecond'),
  ('interval', 'nothing', '0'),
  ('interval', 'negative in part', '1 month -1 day'),
  ('interval', 'the last', '178000000 years'),
  ('interval', 'months with days against them', '100000 years -35999000 days'),
  ('interval', 'many of everything', '1000 years 366000 days 8784000 hours'),
  ('interval', 'the shortest', '1 microsecond'),
  ('timestamptz', 'NULL', NULL),
  ('timestamptz', 'the first', '4713-01-01 00:00:00 BC'),
  ('timestamptz', 'the last', '294276-12-31 23:59:59.999999'),
  ('timestamptz', 'infinity', 'infinity'),
  ('timestamptz', 'minus infinity', '-infinity'),
  ('text[]', 'NULL', NULL),
  ('text[]', 'one NULL', '{NULL}'),
  ('text[]', 'a NULL among ids', '{900000000002,NULL,900000000003}'),
  ('text[]', 'empty', '{}'),
  ('text[]', 'two dimensions', '{{900000000002,900000000003},{900000000002,x}}'),
  ('text[]', 'six dimensions', '{{{{{{900000000002}}}}}}'),
  ('text[]', 'subscripts at the end of integers', '[2147483646:2147483646]={900000000002}'),
  ('text[]', 'negative subscripts', '[-2147483648:-2147483647]={900000000002,900000000003}'),
  ('text[]', 'an element of a million bytes', ARRAY[repeat('x', 1000000)]::text),
  ('text[]', 'the same id a hundred thousand times', array_fill('900000000002'::text, '{100000}')::text),
  ('text[]', 'hostile elements', ARRAY['', '*', '''', '"', E'\x1b[2J', U&'\202e', '\000', '{}', 'NULL']::text);

-- What an argument of a kind answers to a value: an SQLSTATE, or "done".
CREATE FUNCTION pg_temp.expected(kind text, v value) RETURNS text
LANGUAGE sql AS $$
  SELECT CASE
    WHEN kind = 'any' OR v.type IN ('boolean', 'timestamptz') THEN 'done'
    WHEN kind = 'number' THEN CASE WHEN v.value::int8 < 0 THEN '22023' ELSE 'done' END
    WHEN kind = 'count' THEN CASE WHEN v.value::int8 >= 0 THEN 'done' ELSE '22023' END
    WHEN kind = 'days' THEN CASE WHEN v.value = 'NaN' OR v.value LIKE '-%' THEN '22023' ELSE 'done' END
    WHEN kind = 'deadline' THEN CASE WHEN v.value IS NULL OR v.label IN ('many of everything', 'the shortest') THEN 'done' ELSE '22023' END
    WHEN kind = 'ids' THEN CASE WHEN v.value IS NULL OR v.label ~ 'NULL' THEN '22023' ELSE 'done' END
    WHEN kind = 'filter ids' THEN 'done'
    WHEN kind = 'orders' THEN CASE WHEN v.label ~ 'thousand' THEN '54000'
      WHEN v.value IS NULL OR v.label ~ 'million|hostile' THEN '22023' ELSE 'done' END
    WHEN kind = 'provider' THEN CASE WHEN v.is_name THEN '42501' ELSE '22023' END
    WHEN kind = 'granted provider' THEN CASE WHEN v.is_name OR v.value = '*' THEN 'done' ELSE '22023' END
    WHEN kind = 'moving provider' THEN CASE WHEN v.is_name THEN 'done' ELSE '22023' END
    WHEN kind = 'forgotten provider' THEN CASE WHEN v.is_name THEN '55000' ELSE '22023' END
    WHEN v.type = 'regprocedure' AND v.value IS NULL THEN 'done'
    WHEN kind = 'asked' THEN CASE v.label WHEN 'none' THEN 'done' WHEN 'one that is gone' THEN '42883' ELSE '42P13' END
    WHEN kind = 'role' THEN CASE WHEN v.value IS NULL THEN '22023' ELSE '42704' END
    WHEN kind = 'old role' THEN CASE WHEN v.value IS NULL THEN '22023' ELSE 'done' END
    WHEN kind IN ('order', 'held order') AND v.value IS NULL THEN 'done'
    WHEN kind = 'order' THEN CASE WHEN v.is_name OR v.value = '*' THEN 'done' ELSE '22023' END
    WHEN kind = 'held order' THEN CASE WHEN v.is_name OR v.value = '*' THEN 'WS002' ELSE '22023' END
    WHEN kind IN ('file', 'checked file') AND v.value IS NULL THEN '22023'
    WHEN kind IN ('file', 'checked file') AND v.file = 'broken' THEN '22P04'
    WHEN kind = 'file' AND v.file = 'rejected' THEN 'WS006'
    WHEN kind IN ('file', 'checked file') THEN 'done'
    WHEN kind IN ('marketplace or null', 'model or null') AND v.value IS NULL THEN 'done'
    ELSE '22023'
  END
$$;

CREATE FUNCTION pg_temp.outcome(who name, statement text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('role', who, true);
  EXECUTE statement;
  RAISE EXCEPTION USING ERRCODE = 'DONE0';
EXCEPTION WHEN OTHERS THEN
  RETURN CASE SQLSTATE WHEN 'DONE0' THEN 'done' ELSE SQLSTATE END;
END
$$;

-- The call with some of its arguments, the others being good.
CREATE FUNCTION pg_temp.call(c call, bad int[], value text) RETURNS text
LANGUAGE sql AS $$
  SELECT format('SELECT * FROM awspool.%I(%s)', c.name,
           string_agg(format('%L::%s', CASE WHEN i = ANY (bad) THEN value ELSE c.arguments[i] END,
                             p.proargtypes[i - 1]::regtype), ', ' ORDER BY i) FILTER (WHERE i > 0))
  FROM pg_proc p LEFT JOIN generate_series(1, p.pronargs) i ON true
  WHERE p.proname = c.name AND p.pronamespace = 'awspool'::regnamespace
  GROUP BY p.oid
$$;

-- As the role of the provider, or as the owner where only the owner may.
CREATE FUNCTION pg_temp.caller(name text) RETURNS name
LANGUAGE sql AS $$
  SELECT CASE WHEN has_function_privilege('regress_awspool_acme', p.oid, 'EXECUTE')
              THEN 'regress_awspool_acme' ELSE current_user END
  FROM pg_proc p WHERE p.proname = $1 AND p.pronamespace = 'awspool'::regnamespace
$$;

SELECT is(pg_temp.outcome(pg_temp.caller(name), pg_temp.call(call, '{}', NULL)), 'done', name || ' with good arguments')
FROM call ORDER BY name;

SELECT is(string_agg(format('%s: %s instead of %s', v.label, x.outcome, e.expected), ', ' ORDER BY v.label) FILTER (WHERE x.outcome IS NOT NULL), NULL,
  format('%s, %s', c.name, p.proargnames[i]))
FROM call c
  JOIN pg_proc p ON p.proname = c.name AND p.pronamespace = 'awspool'::regnamespace
  CROSS JOIN generate_subscripts(c.kinds, 1) i
  JOIN value v ON v.type = p.proargtypes[i - 1]
  CROSS JOIN LATERAL pg_temp.expected(c.kinds[i], v) e (expected)
  CROSS JOIN LATERAL (SELECT nullif(pg_temp.outcome(pg_temp.caller(c.name), pg_temp.call(c, ARRAY[i], v.value)), e.expected)) x (outcome)
GROUP BY c.name, i, p.proargnames
ORDER BY c.name, i;

-- With nothing but NULL, each complains of its first argument if it has to
-- have one.
SELECT is(pg_temp.outcome(pg_temp.caller(name), pg_temp.call(call, ARRAY(SELECT generate_subscripts(kinds, 1)), NULL)),
  CASE WHEN kinds[1] LIKE '%provider' THEN '22023' ELSE 'done' END, name || ' with nothing but NULL')
FROM call ORDER BY name;

-- What is too much is a limit of the program, and no lack of memory.
SELECT is(pg_temp.outcome('regress_awspool_acme',
  $$ SELECT FROM awspool.delete_accounts('acme', array_fill('900000000002'::text, '{34000000}')) $$),
  '54000', 'delete_accounts with 34 million ids');

--
-- Trigger functions: on their own relation, when and on what the install
-- script has them, and nowhere else.  test/pgtap/matrix.sql calls them as plain
-- functions.
--

CREATE TEMP TABLE event (relation text, operation text, statement text);
INSERT INTO event VALUES
  ('awspool.account', 'INSERT', $$INSERT INTO %s (provider, account_id, marketplace, model) VALUES ('acme', '900000000009', 'MP-0001', 'SPAM')$$),
  ('awspool.account', 'UPDATE', $$UPDATE %s SET model = 'ECAM' WHERE account_id = '900000000002'$$),
  ('awspool.account', 'DELETE', $$DELETE FROM %s WHERE account_id = '900000000002'$$),
  ('awspool.account_log', 'INSERT', $$INSERT INTO %s (provider, account_id, at, actor, event) VALUES ('acme', '900000000009', now(), 'me', 'edited')$$),
  ('awspool.account_log', 'UPDATE', $$UPDATE %s SET detail = NULL$$),
  ('awspool.account_log', 'DELETE', $$DELETE FROM %s$$),
  ('awspool.provider_role', 'INSERT', $$INSERT INTO %s VALUES ('other', 'regress_awspool_acme', 0)$$),
  ('awspool.provider_role', 'UPDATE', $$UPDATE %s SET provider = 'other'$$),
  ('awspool.provider_role', 'DELETE', $$DELETE FROM %s$$),
  ('awspool.pool_setting', 'INSERT', $$INSERT INTO %s (provider, marketplace) VALUES ('acme', 'MP-0009')$$),
  ('awspool.pool_setting', 'UPDATE', $$UPDATE %s SET low_water = 5$$),
  ('awspool.pool_setting', 'DELETE', $$DELETE FROM %s$$),
  ('awspool.provider_state', 'INSERT', $$INSERT INTO %s (provider, state) VALUES ('moved', 'away')$$),
  ('awspool.provider_state', 'UPDATE', $$UPDATE %s SET state = 'away'$$),
  ('awspool.provider_state', 'DELETE', $$DELETE FROM %s$$),
  ('awspool.registry', 'INSERT', $$INSERT INTO %s (purpose, schema_name, function_name) VALUES ('reserve', 'mine', 'reserve')$$),
  ('awspool.registry', 'UPDATE', $$UPDATE %s SET function_name = 'other'$$),
  ('awspool.registry', 'DELETE', $$DELETE FROM %s$$),
  ('awspool.provider_viewer', 'INSERT', $$INSERT INTO %s VALUES ('other', 'regress_awspool_acme', 0)$$),
  ('awspool.provider_viewer', 'UPDATE', $$UPDATE %s SET provider = 'other'$$),
  ('awspool.provider_viewer', 'DELETE', $$DELETE FROM %s$$),
  ('awspool.tally', 'INSERT', $$INSERT INTO %s VALUES ('2026-01-01', 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'acme', 'MP-0001')$$),
  ('awspool.tally', 'UPDATE', $$UPDATE %s SET added = added$$),
  ('awspool.tally', 'DELETE', $$DELETE FROM %s$$),
  ('awspool.accounts', 'INSERT', $$INSERT INTO %s (provider, account_id, marketplace, model) VALUES ('acme', '900000000009', 'MP-0001', 'SPAM')$$),
  ('awspool.accounts', 'UPDATE', $$UPDATE %s SET model = 'ECAM' WHERE account_id = '900000000002'$$),
  ('awspool.accounts', 'DELETE', $$DELETE FROM %s WHERE account_id = '900000000002'$$),
  ('awspool.import', 'INSERT', $$INSERT INTO %s VALUES ('acme', '900000000009', 'MP-0001', 'SPAM')$$);
-- Nothing can be updated or deleted in view import, and no view truncated.
INSERT INTO event
  SELECT relation, 'TRUNCATE', 'TRUNCATE %s' FROM event WHERE relation !~ 'accounts|import' GROUP BY relation;

INSERT INTO awspool.pool_setting (provider, marketplace) VALUES ('acme', 'MP-0001');
SELECT awspool.edit_account('acme', '900000000002', model => 'ECAM');
SELECT awspool.edit_account('acme', '900000000002', model => 'SPAM');
SELECT awspool.recount();

-- The triggers that there are, as they are created.
CREATE TEMP VIEW there AS
  SELECT t.tgfoid::regproc::text AS function, t.tgrelid::regclass::text AS relation, e.operation,
         CASE WHEN t.tgtype & 64 > 0 THEN 'INSTEAD OF' WHEN t.tgtype & 2 > 0 THEN 'BEFORE' ELSE 'AFTER' END AS timing,
         CASE WHEN t.tgtype & 1 > 0 THEN 'ROW' ELSE 'STATEMENT' END AS level
  FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid AND p.pronamespace = 'awspool'::regnamespace
    JOIN (VALUES ('INSERT', 4), ('DELETE', 8), ('UPDATE', 16), ('TRUNCATE', 32)) e (operation, bit)
      ON t.tgtype & e.bit > 0;

SELECT set_eq('SELECT DISTINCT function FROM there',
  $$ SELECT oid::regproc::text FROM pg_proc
     WHERE pronamespace = 'awspool'::regnamespace AND prorettype = 'trigger'::regtype $$,
  'every trigger function has a trigger');

-- A table of the same name and columns, in another schema.
DO $$
DECLARE
  name text;
BEGIN
  FOR name IN SELECT DISTINCT substr(relation, 9) FROM event LOOP
    EXECUTE format('CREATE TEMP TABLE %1$I AS SELECT * FROM awspool.%1$I', name);
  END LOOP;
END
$$;

-- Every way to have a trigger there; those that come first in the alphabet
-- fire first.
CREATE TEMP VIEW wrong AS
  SELECT f.function, e.relation, timing || ' ' || e.operation || ' FOR EACH ' || level AS kind,
         format('CREATE TRIGGER a %s %s ON %s FOR EACH %s EXECUTE FUNCTION %s(); ',
                timing, e.operation, r.relation, level, f.function)
         || format(e.statement, r.relation) AS statement, r.relation AS place
  FROM (SELECT DISTINCT function FROM there) f
    CROSS JOIN event e
    CROSS JOIN LATERAL (VALUES (e.relation), (replace(e.relation, 'awspool', 'pg_temp'))) r (relation)
    CROSS JOIN unnest('{BEFORE,AFTER,INSTEAD OF}'::text[]) timing
    CROSS JOIN unnest('{ROW,STATEMENT}'::text[]) level
  WHERE CASE WHEN r.relation IN ('awspool.accounts', 'awspool.import')
             THEN (timing = 'INSTEAD OF') = (level = 'ROW')
             ELSE timing <> 'INSTEAD OF' AND (e.operation <> 'TRUNCATE' OR level = 'STATEMENT') END
    AND (f.function, r.relation, e.operation, timing, level) NOT IN (SELECT function, relation, operation, timing, level FROM there)
    -- the script of version 1.0 has it there
    AND (f.function, r.relation, e.operation, timing, level) <> ('awspool.follow_sequence', 'awspool.account', 'INSERT', 'AFTER', 'ROW');

SELECT is(string_agg(format('%s: %s', kind, x.outcome), ', ' ORDER BY kind) FILTER (WHERE x.outcome IS NOT NULL), NULL,
  format('%s as a trigger of %s', function, place))
FROM wrong,
  LATERAL (SELECT nullif(pg_temp.outcome(current_user, statement), '39P01')) x (outcome)
GROUP BY function, place
ORDER BY function, place;

SELECT * FROM finish();
ROLLBACK;
