-- Every refusal in the contract by its error code, function by function, and
-- the harmless repetitions that are no errors.
BEGIN;
SELECT no_plan();

CREATE ROLE regress_awspool_acme;
CREATE ROLE regress_awspool_nobody;
SELECT awspool.grant_provider('acme', 'regress_awspool_acme');

--
-- The pool: an account of each status.  1 and 2 are ready, 10 is another's,
-- 20 was used and deleted, 21 was deleted unused, 30 was never there.
--

SELECT count(*) FROM
  generate_series(1, 9) i, awspool.add_account('acme', '90000000000' || i, 'MP-0001', 'SPAM');
SELECT awspool.add_account('other', '900000000010', 'MP-0001', 'SPAM');
SELECT awspool.add_account('acme', '900000000020', 'MP-0002', 'SPAM');
SELECT awspool.invalidate_account('acme', '900000000020');
SELECT awspool.delete_account('acme', '900000000020');
SELECT awspool.add_account('acme', '900000000021', 'MP-0002', 'SPAM');
SELECT awspool.delete_account('acme', '900000000021');
SELECT awspool.add_account('other', '900000000022', 'MP-0002', 'SPAM');
SELECT awspool.invalidate_account('other', '900000000022');
SELECT awspool.delete_account('other', '900000000022');

-- From here on as the role of a provider.
SET LOCAL ROLE regress_awspool_acme;

-- The oldest first, so these names say what they hold.
SELECT awspool.claim_account('acme', 'MP-0001', 'running');       -- 1
SELECT awspool.claim_account('acme', 'MP-0001');                  -- 2
SELECT awspool.claim_account('acme', 'MP-0001', 'done');          -- 3
SELECT awspool.allocate_account('acme', '900000000003', 'done');
SELECT awspool.claim_account('acme', 'MP-0001', 'failed');        -- 4
SELECT awspool.fail_account('acme', '900000000004', 'broken', 'failed');
SELECT awspool.claim_account('acme', 'MP-0001');                  -- 5
SELECT awspool.fail_account('acme', '900000000005');
SELECT awspool.claim_account('acme', 'MP-0001', 'revoked');       -- 6
SELECT awspool.invalidate_account('acme', '900000000006', 'closed');
SELECT awspool.invalidate_account('acme', '900000000007');

CREATE FUNCTION pg_temp.refused(code text, statement text, description text DEFAULT NULL)
RETURNS text LANGUAGE sql AS $$
  SELECT throws_ok(statement, code::char(5), NULL, concat(code, ': ', replace(coalesce(description, statement), E'\n', '\n')))
$$;

SELECT results_eq(
  $$ SELECT account_id COLLATE "default", status COLLATE "default" FROM awspool.accounts ORDER BY 1 $$,
  $$ VALUES ('900000000001', 'provisioning_in_progress'), ('900000000002', 'provisioning_in_progress'),
            ('900000000003', 'allocated'), ('900000000004', 'provisioning_failed'),
            ('900000000005', 'provisioning_failed'), ('900000000006', 'invalid'),
            ('900000000007', 'invalid'), ('900000000008', 'ready'), ('900000000009', 'ready') $$,
  'the pool');

--
-- Arguments of every function: the provider, and who the caller is
--

CREATE TEMP TABLE call (name text, template text);
INSERT INTO call VALUES
  ('add_account', $$ awspool.add_account(%L, '900000000030', 'MP-0001', 'SPAM') $$),
  ('edit_account', $$ awspool.edit_account(%L, '900000000008') $$),
  ('delete_account', $$ awspool.delete_account(%L, '900000000008') $$),
  ('delete_accounts', $$ awspool.delete_accounts(%L, '{900000000008}') $$),
  ('import_csv', $$ awspool.import_csv(%L, '') $$),
  ('check_csv', $$ awspool.check_csv(%L, '') $$),
  ('claim_account', $$ awspool.claim_account(%L, 'MP-0001') $$),
  ('claim_accounts', $$ awspool.claim_accounts(%L, 'MP-0001', '{NULL}') $$),
  ('explain_claim', $$ awspool.explain_claim(%L, 'MP-0001') $$),
  ('allocate_account', $$ awspool.allocate_account(%L, '900000000001') $$),
  ('fail_account', $$ awspool.fail_account(%L, '900000000001') $$),
  ('invalidate_account', $$ awspool.invalidate_account(%L, '900000000001') $$),
  ('replace_account', $$ awspool.replace_account(%L, '900000000001', NULL) $$),
  ('account_history', $$ awspool.account_history(%L, '900000000001') $$),
  ('configure_pool', $$ awspool.configure_pool(%L, 'MP-0001') $$),
  ('pause_pool', $$ awspool.pause_pool(%L) $$),
  ('resume_pool', $$ awspool.resume_pool(%L) $$),
  ('fail_overdue', $$ awspool.fail_overdue(%L) $$),
  ('overdue_accounts', $$ awspool.overdue_accounts(%L) $$),
  ('blocked_accounts', $$ awspool.blocked_accounts(%L) $$),
  ('reconcile_csv', $$ awspool.reconcile_csv(%L, '') $$),
  ('check_reconcile_csv', $$ awspool.check_reconcile_csv(%L, '') $$),
  ('passed_over', $$ awspool.passed_over(%L) $$);

SELECT pg_temp.refused('22023', format('SELECT' || template, provider), name || ' for ' || what)
FROM call, (VALUES
  (NULL, 'no provider'), ('', 'an empty provider'), (' acme', 'a leading space'),
  ('acme ', 'a trailing space'), (E'ac\nme', 'a control character'), (E'acme\u0085', 'a C1 control character'),
  (repeat('x', 65), '65 characters'), (repeat('é', 65), '65 characters of two bytes'),
  ('*', 'every provider')) p (provider, what)
ORDER BY name, what;

-- "Not yours" and "not there" are the same answer.
SELECT pg_temp.refused('42501', format('SELECT' || template, provider), name || ' for ' || provider)
FROM call, unnest(ARRAY['other', 'absent', 'ACME', repeat('é', 32)]) provider
ORDER BY name, provider;
SET LOCAL ROLE regress_awspool_nobody;
SELECT pg_temp.refused('42501', format('SELECT' || template, 'acme'), name || ' by a stranger')
FROM (VALUES ('add_account', $$ awspool.add_account(%L, '900000000030', 'MP-0001', 'SPAM') $$),
             ('claim_account', $$ awspool.claim_account(%L, 'MP-0001') $$),
             ('account_history', $$ awspool.account_history(%L, '900000000001') $$)) call (name, template);
SET LOCAL ROLE regress_awspool_acme;

-- An account id
SELECT pg_temp.refused('22023', format('SELECT awspool.' || template, account_id), NULL)
FROM unnest(ARRAY[NULL, '', '12345678901', '1234567890123', '12345678901x', ' 123456789012',
                  '١٢٣٤٥٦٧٨٩٠١٢', '1.23457E+11', '-12345678901', E'123456789012\n']) account_id,
  unnest(ARRAY[$$add_account('acme', %L, 'MP-0001', 'SPAM')$$, $$edit_account('acme', %L)$$,
               $$delete_account('acme', %L)$$, $$allocate_account('acme', %L)$$,
               $$fail_account('acme', %L)$$, $$invalidate_account('acme', %L)$$,
               $$replace_account('acme', %L, NULL)$$, $$account_history('acme', %L)$$]) template;

-- An account that is not there, was deleted, or is somebody else's
SELECT pg_temp.refused('WS003', format('SELECT awspool.' || template, account_id), NULL)
FROM unnest(ARRAY['900000000030', '900000000020', '900000000021', '900000000010']) account_id,
  unnest(ARRAY[$$edit_account('acme', %L)$$, $$edit_account('acme', %L, 'MP-0002', 'ECAM')$$,
               $$delete_account('acme', %L)$$, $$allocate_account('acme', %L)$$,
               $$allocate_account('acme', %L, 'running')$$, $$fail_account('acme', %L)$$,
               $$invalidate_account('acme', %L)$$, $$replace_account('acme', %L, NULL)$$]) template;
SELECT pg_temp.refused('WS003', format('SELECT awspool.account_history(''acme'', %L)', account_id), NULL)
FROM unnest(ARRAY['900000000030', '900000000010', '900000000022']) account_id;
SELECT lives_ok(format('SELECT awspool.account_history(''acme'', %L)', account_id),
  'the history of a deleted account, ' || account_id)
FROM unnest(ARRAY['900000000020', '900000000021']) account_id;

-- A marketplace and a model
SELECT pg_temp.refused('22023', format('SELECT awspool.' || template, marketplace), NULL)
FROM unnest(ARRAY['', 'MP-000', 'mp-0000', 'MP-00x0', 'MP0000', ' MP-0000', 'MP-0000 ', 'MP-']) marketplace,
  unnest(ARRAY[$$add_account('acme', '900000000030', %L, 'SPAM')$$,
               $$edit_account('acme', '900000000008', %L)$$, $$claim_account('acme', %L)$$,
               $$configure_pool('acme', %L)$$, $$pause_pool('acme', %L)$$, $$resume_pool('acme', %L)$$,

               $$claim_accounts('acme', %L, '{}')$$, $$explain_claim('acme', %L)$$]) template;
SELECT pg_temp.refused('22023', format('SELECT awspool.' || template, model), NULL)
FROM unnest(ARRAY['', 'spam', 'SPAM ', 'HAM', 'SPAMECAM']) model,
  unnest(ARRAY[$$add_account('acme', '900000000030', 'MP-0001', %L)$$,
               $$edit_account('acme', '900000000008', NULL, %L)$$]) template;
SELECT pg_temp.refused('22023', $$SELECT awspool.add_account('acme', '900000000030', NULL, 'SPAM')$$);
SELECT pg_temp.refused('22023', $$SELECT awspool.add_account('acme', '900000000030', 'MP-0001', NULL)$$);
SELECT pg_temp.refused('22023', $$SELECT awspool.claim_account('acme', NULL)$$);

-- An order
SELECT pg_temp.refused('22023', format('SELECT awspool.' || template, order_id), NULL)
FROM unnest(ARRAY['', ' o', 'o ', E'o\t1', repeat('o', 65)]) order_id,
  unnest(ARRAY[$$claim_account('acme', 'MP-0001', %L)$$,
               $$allocate_account('acme', '900000000001', %L)$$,
               $$fail_account('acme', '900000000001', NULL, %L)$$,
               $$replace_account('acme', '900000000001', NULL, %L)$$]) template;

--
-- Stock
--

SELECT pg_temp.refused('23505', $$SELECT awspool.add_account('acme', '900000000008', 'MP-0001', 'SPAM')$$, 'add_account: already there');
SELECT pg_temp.refused('23505', $$SELECT awspool.add_account('acme', '900000000003', 'MP-0001', 'SPAM')$$, 'add_account: there and used');
SELECT pg_temp.refused('23505', $$SELECT awspool.add_account('acme', '900000000010', 'MP-0001', 'SPAM')$$, 'add_account: somebody else''s');
SELECT pg_temp.refused('23505', $$SELECT awspool.add_account('acme', '900000000022', 'MP-0001', 'SPAM')$$, 'add_account: somebody else''s, used and deleted');
SELECT pg_temp.refused('WS005', $$SELECT awspool.add_account('acme', '900000000020', 'MP-0001', 'SPAM')$$, 'add_account: used and deleted');

SELECT pg_temp.refused('WS004', format($$SELECT awspool.edit_account('acme', '90000000000%s', 'MP-0002')$$, i), 'edit_account: marketplace of ' || i)
FROM generate_series(1, 7) i;
SELECT lives_ok(format($$SELECT awspool.edit_account('acme', '90000000000%s', 'MP-0001', 'ECAM')$$, i), 'edit_account: model of ' || i)
FROM generate_series(1, 9) i;
SELECT lives_ok(format($$SELECT awspool.edit_account('acme', '90000000000%s', model => 'SPAM')$$, i), 'edit_account: model of ' || i || ' again')
FROM generate_series(1, 9) i;

SELECT pg_temp.refused('WS004', $$SELECT awspool.delete_account('acme', '900000000001')$$, 'delete_account: in progress for an order');
SELECT pg_temp.refused('WS004', $$SELECT awspool.delete_account('acme', '900000000002')$$, 'delete_account: in progress');

SELECT pg_temp.refused('22023', $$SELECT awspool.delete_accounts('acme', NULL)$$);
SELECT pg_temp.refused('22023', $$SELECT awspool.delete_accounts('acme', '{900000000008,NULL}')$$);
SELECT results_eq(
  $$ SELECT account_id, outcome FROM awspool.delete_accounts('acme', '{900000000001,900000000010,900000000030,x}') $$,
  $$ VALUES ('900000000001', 'in_use'), ('900000000010', 'not_found'),
            ('900000000030', 'not_found'), ('x', 'not_found') $$,
  'delete_accounts refuses nothing but tells');

--
-- Claim
--

SELECT pg_temp.refused('WS002', $$SELECT awspool.claim_account('acme', 'MP-0002', 'running')$$, 'claim_account: the order holds an account of another marketplace');
SELECT pg_temp.refused('WS002', $$SELECT awspool.claim_account('acme', 'MP-0002', 'done')$$, 'claim_account: or completed with one');
SELECT is_empty($$ SELECT * FROM awspool.claim_account('acme', 'MP-9999', 'none') $$, 'claim_account: no account is no error');
SELECT results_eq(
  $$ SELECT account_id COLLATE "default" FROM awspool.claim_account('acme', 'MP-0001', 'running')
     UNION ALL SELECT account_id COLLATE "default" FROM awspool.claim_account('acme', 'MP-0001', 'done') $$,
  ARRAY['900000000001', '900000000003'], 'claim_account: asked again, the order gets what it holds');

--
-- Orders.  Each end from each status: what is not harmless is WS001.
--

CREATE TEMP TABLE ending (status text, account text, allocate text, fail text, invalidate text, replace text);
INSERT INTO ending VALUES
  ('ready',                      '8', 'WS001', 'WS001', NULL,    'WS001'),
  ('allocated',                  '3', NULL,    'WS001', 'WS001', 'WS001'),
  ('provisioning_failed',        '5', 'WS001', NULL,    'WS001', 'WS001'),
  ('invalid, from in progress',  '6', 'WS001', 'WS001', NULL,    'WS001'),
  ('invalid, from ready',        '7', 'WS001', 'WS001', NULL,    'WS001');

CREATE FUNCTION pg_temp.ends(code text, call text, description text) RETURNS SETOF text
LANGUAGE plpgsql AS $$
BEGIN
  IF code IS NULL THEN
    RETURN NEXT lives_ok(call, 'harmless: ' || description);
  ELSE
    RETURN NEXT throws_ok(call, code::char(5), NULL, code || ': ' || description);
  END IF;
END
$$;

SELECT pg_temp.ends(allocate, format($$SELECT awspool.allocate_account('acme', '90000000000%s')$$, account), 'allocate_account, ' || status) FROM ending;
SELECT pg_temp.ends(fail, format($$SELECT awspool.fail_account('acme', '90000000000%s')$$, account), 'fail_account, ' || status) FROM ending;
SELECT pg_temp.ends(replace, format($$SELECT awspool.replace_account('acme', '90000000000%s', 'broken')$$, account), 'replace_account, ' || status) FROM ending;
SELECT pg_temp.ends(invalidate, format($$SELECT awspool.invalidate_account('acme', '90000000000%s')$$, account), 'invalidate_account, ' || status)
FROM ending WHERE status <> 'ready';
SELECT lives_ok($$SELECT awspool.allocate_account('acme', '900000000003', 'done')$$, 'harmless: allocate_account by the same order');
SELECT lives_ok($$SELECT awspool.fail_account('acme', '900000000004', 'again', 'failed')$$, 'harmless: fail_account by the same order');
SELECT is((SELECT reason FROM awspool.accounts WHERE account_id = '900000000004'), 'broken', 'which leaves the first reason');

SELECT pg_temp.refused('WS002', format('SELECT awspool.' || template, account), NULL)
FROM (VALUES ('900000000001', 'in progress for another'), ('900000000002', 'in progress for none'),
             ('900000000003', 'completed by another'), ('900000000004', 'failed for another')) a (account, what),
  unnest(ARRAY[$$allocate_account('acme', %L, 'stranger')$$,
               $$fail_account('acme', %L, NULL, 'stranger')$$,
               $$replace_account('acme', %L, NULL, 'stranger')$$]) template;
-- An order that lost its account has no right to another's.
SELECT pg_temp.refused('WS002', $$SELECT awspool.allocate_account('acme', '900000000001', 'failed')$$);

--
-- Files
--

SELECT pg_temp.refused('22023', format($$SELECT awspool.%s('acme', NULL)$$, f)) FROM unnest(ARRAY['import_csv', 'check_csv', 'reconcile_csv', 'check_reconcile_csv']) f;
SELECT pg_temp.refused('22P04', format('SELECT awspool.%s(''acme'', %L)', f, csv), f || ': ' || what)
FROM unnest(ARRAY['import_csv', 'check_csv']) f,
  (VALUES (E'"900000000030;MP-0001;SPAM\n', 'a quote that is not closed'),
          (E'900000000030;MP-0001;SPAM\n\\.\n900000000031;MP-0001;SPAM\n', 'something after \.'),
          (E'\\.\n\n \n', 'even a space after \.')) c (csv, what);

CREATE TEMP TABLE bad_row (csv text, what text);
INSERT INTO bad_row VALUES
  ('900000000030;MP-0001', 'too few fields'),
  ('900000000030;MP-0001;SPAM;x', 'too many fields'),
  ('90000000030;MP-0001;SPAM', '11 digits'),
  ('9000000000300;MP-0001;SPAM', '13 digits'),
  ('9.00000E+11;MP-0001;SPAM', 'what a spreadsheet made of an id'),
  ('900000000030;MP-1;SPAM', 'a bad marketplace'),
  ('900000000030;MP-0001;HAM', 'an unknown model'),
  ('900000000030;MP-0001;', 'no model'),
  (E'900000000030;MP-0001;SPAM\n900000000030;MP-0001;SPAM', 'an id twice'),
  ('900000000020;MP-0001;SPAM', 'an id that is used up'),
  ('900000000010;MP-0001;SPAM', 'an id of somebody else'),
  ('900000000022;MP-0001;SPAM', 'an id that somebody else used up'),
  ('900000000008;MP-0002;SPAM', 'there, in another marketplace'),
  ('900000000008;MP-0001;ECAM', 'there, as another model');
SELECT pg_temp.refused('WS006', format('SELECT awspool.import_csv(''acme'', %L)', csv), 'import_csv: ' || what) FROM bad_row;
SELECT is(
  (SELECT count(*) FROM awspool.check_csv('acme', csv) WHERE outcome = 'rejected' AND detail <> ''), 1::bigint,
  'check_csv: rejected, and no error: ' || what)
FROM bad_row;
SELECT results_eq(
  $$ SELECT DISTINCT outcome, detail FROM generate_series(1, 20),
       awspool.check_csv('acme', '900000000010;MP-0001;SPAM') $$,
  $$ VALUES ('rejected', 'account id "900000000010" is taken') $$,
  'check_csv: what is somebody else''s is taken, each time one asks');
SELECT is(
  (SELECT count(*) FROM awspool.import_csv('acme', E'900000000031;MP-0003;SPAM\nx', true) WHERE outcome = 'rejected'), 1::bigint,
  'import_csv with skip_rejected: no error');
SELECT is((SELECT status FROM awspool.accounts WHERE account_id = '900000000031'), 'ready', 'which stores the rest');
SELECT results_eq(
  $$ SELECT outcome FROM awspool.import_csv('acme', E'900000000008;MP-0001;SPAM\n900000000003,MP-0001,SPAM') $$,
  ARRAY['present', 'present'], 'import_csv: what is there is no error');

-- awspool.import has no report, so each bad row is an error of its own.
CREATE FUNCTION pg_temp.import(id text, marketplace text DEFAULT 'MP-0001', model text DEFAULT 'SPAM') RETURNS text
LANGUAGE sql AS $$
  SELECT format('INSERT INTO awspool.import (account_id, marketplace_id, account_model) VALUES (%L, %L, %L)', id, marketplace, model)
$$;
SELECT pg_temp.refused('22023', pg_temp.import(NULL));
SELECT pg_temp.refused('22023', pg_temp.import('90000000030'));
SELECT pg_temp.refused('22023', pg_temp.import('900000000030', 'MP-1'));
SELECT pg_temp.refused('22023', pg_temp.import('900000000030', model => 'HAM'));
SELECT pg_temp.refused('23505', pg_temp.import('900000000010'));
SELECT pg_temp.refused('23505', pg_temp.import('900000000008', 'MP-0002'));
SELECT pg_temp.refused('23505', pg_temp.import('900000000030') || $$, ('900000000030', 'MP-0001', 'SPAM')$$, 'awspool.import: an id twice');
SELECT pg_temp.refused('WS005', pg_temp.import('900000000020'));
SELECT lives_ok(pg_temp.import('900000000008'), 'awspool.import: what is there is no error');
SELECT pg_temp.refused('42501', $$INSERT INTO awspool.import VALUES ('other', '900000000030', 'MP-0001', 'SPAM')$$);
SELECT pg_temp.refused('22023', $$INSERT INTO awspool.import VALUES ('', '900000000030', 'MP-0001', 'SPAM')$$);
SET LOCAL awspool.provider = 'other';
SELECT pg_temp.refused('42501', pg_temp.import('900000000030'), 'awspool.import: the setting names another''s provider');
RESET awspool.provider;
SET LOCAL ROLE regress_awspool_nobody;
SELECT pg_temp.refused('22023', pg_temp.import('900000000030'), 'awspool.import: the caller has no provider');
SELECT pg_temp.refused('42501', $$INSERT INTO awspool.import VALUES ('acme', '900000000030', 'MP-0001', 'SPAM')$$, 'awspool.import: a stranger');
SET LOCAL ROLE regress_awspool_acme;

--
-- The view accounts: each with the errors of the function
--

CREATE FUNCTION pg_temp.update(id text, change text) RETURNS text LANGUAGE sql AS $$
  SELECT format('UPDATE awspool.accounts SET %s WHERE account_id = %L', change, '90000000000' || id)
$$;
CREATE FUNCTION pg_temp.insert(columns text, row_values text) RETURNS text LANGUAGE sql AS $$
  SELECT format('INSERT INTO awspool.accounts (%s) VALUES (%s)', columns, row_values)
$$;
SELECT pg_temp.refused(code, pg_temp.insert('provider, account_id, marketplace, model', v))
FROM (VALUES
  ('23505', $$'acme', '900000000008', 'MP-0001', 'SPAM'$$), ('23505', $$'acme', '900000000010', 'MP-0001', 'SPAM'$$),
  ('WS005', $$'acme', '900000000020', 'MP-0001', 'SPAM'$$), ('42501', $$'other', '900000000030', 'MP-0001', 'SPAM'$$),
  ('22023', $$'', '900000000030', 'MP-0001', 'SPAM'$$), ('22023', $$'acme', '90000000030', 'MP-0001', 'SPAM'$$),
  ('22023', $$'acme', '900000000030', NULL, 'SPAM'$$), ('22023', $$'acme', '900000000030', 'MP-0001', 'HAM'$$)) r (code, v);
SELECT pg_temp.refused('22023', pg_temp.insert('provider, account_id, marketplace, model, ' || c, $$'acme', '900000000030', 'MP-0001', 'SPAM', $$ || v))
FROM (VALUES ('status', $$'ready'$$), ('status', $$'allocated'$$), ('order_id', $$'o'$$), ('order_model', $$'SPAM'$$), ('reason', $$'r'$$),
             ('added_at', 'now()'), ('added_by', $$'me'$$), ('claimed_at', 'now()'), ('claimed_by', $$'me'$$),
             ('closed_at', 'now()'), ('closed_by', $$'me'$$)) o (c, v);

SELECT pg_temp.refused(code, pg_temp.update(id, change))
FROM (VALUES
  ('22023', '8', $$provider = 'other'$$), ('22023', '8', $$account_id = '900000000030'$$),
  ('22023', '8', $$order_id = 'o'$$), ('22023', '1', $$order_model = 'ECAM'$$),
  ('22023', '8', 'added_at = now()'), ('22023', '8', $$added_by = 'me'$$), ('22023', '1', 'claimed_at = now()'),
  ('22023', '1', $$claimed_by = 'me'$$), ('22023', '3', 'closed_at = now()'), ('22023', '3', $$closed_by = 'me'$$),
  ('22023', '8', $$reason = 'r'$$), ('22023', '4', $$reason = 'r'$$), ('22023', '1', $$status = 'allocated', reason = 'r'$$),
  ('22023', '8', $$marketplace = 'MP-1'$$), ('22023', '8', 'marketplace = NULL'), ('22023', '8', $$model = 'HAM'$$),
  ('22023', '8', 'model = NULL'), ('22023', '8', $$status = 'sold'$$), ('22023', '8', 'status = NULL'),
  ('WS004', '1', $$marketplace = 'MP-0002'$$), ('WS004', '3', $$marketplace = 'MP-0002'$$),
  ('WS001', '8', $$status = 'provisioning_in_progress'$$), ('WS001', '8', $$status = 'allocated'$$),
  ('WS001', '8', $$status = 'provisioning_failed'$$), ('WS001', '1', $$status = 'ready'$$),
  ('WS001', '3', $$status = 'ready'$$), ('WS001', '3', $$status = 'provisioning_failed'$$),
  ('WS001', '4', $$status = 'ready'$$), ('WS001', '4', $$status = 'allocated'$$),
  ('WS001', '6', $$status = 'ready'$$), ('WS001', '6', $$status = 'provisioning_in_progress'$$)) r (code, id, change);
SELECT pg_temp.refused('WS004', $$DELETE FROM awspool.accounts WHERE account_id = '900000000001'$$);
SELECT lives_ok($$DELETE FROM awspool.accounts WHERE account_id = '900000000010'$$, 'another''s account is not there to be deleted');
SELECT lives_ok(pg_temp.update('1', 'status = status, reason = reason, order_id = order_id'), 'an update that changes nothing is no error');
SET LOCAL ROLE regress_awspool_nobody;
SELECT pg_temp.refused('42501', pg_temp.insert('provider, account_id, marketplace, model', $$'acme', '900000000030', 'MP-0001', 'SPAM'$$), 'insert by a stranger');
SELECT pg_temp.refused('22023', pg_temp.insert('account_id, marketplace, model', $$'900000000030', 'MP-0001', 'SPAM'$$), 'insert: the caller has no provider');
RESET ROLE;
SELECT is((SELECT provider FROM awspool.accounts WHERE account_id = '900000000010'), 'other', 'another''s account is still there');

--
-- Grants
--

SELECT pg_temp.refused('42704', $$SELECT awspool.grant_provider('acme', 'regress_awspool_absent')$$);
SELECT lives_ok($$SELECT awspool.revoke_provider('acme', 'regress_awspool_absent')$$, 'nothing to revoke is no error');
SELECT lives_ok($$SELECT awspool.grant_provider('acme', 'regress_awspool_acme')$$, 'to grant again is no error');
SELECT pg_temp.refused('22023', format('SELECT awspool.%s(%L, %L)', f, provider, role))
FROM unnest(ARRAY['grant_provider', 'revoke_provider']) f,
  (VALUES (NULL, 'regress_awspool_acme'), ('', 'regress_awspool_acme'), (' x', 'regress_awspool_acme'),
          (repeat('x', 65), 'regress_awspool_acme'), ('acme', NULL)) a (provider, role);
SELECT pg_temp.refused('42501', $$SET LOCAL ROLE regress_awspool_acme; SELECT awspool.grant_provider('acme', 'regress_awspool_nobody')$$);
SELECT pg_temp.refused('42501', $$SET LOCAL ROLE regress_awspool_acme; SELECT awspool.revoke_provider('acme', 'regress_awspool_acme')$$);
RESET ROLE;

--
-- Below the API: a superuser at the base table
--

CREATE FUNCTION pg_temp.base(id text, change text) RETURNS text LANGUAGE sql AS $$
  SELECT format('UPDATE awspool.account SET %s WHERE account_id = %L', change, '90000000000' || id)
$$;
SELECT pg_temp.refused('WS001', pg_temp.base(id, format('status = %L', status)), old || ' to ' || status)
FROM (VALUES ('8', 'ready'), ('1', 'provisioning_in_progress'), ('3', 'allocated'), ('4', 'provisioning_failed'), ('6', 'invalid')) a (id, old),
  unnest(ARRAY['ready', 'provisioning_in_progress', 'allocated', 'provisioning_failed', 'invalid']) status
WHERE status <> old
  AND (old, status) NOT IN (('ready', 'provisioning_in_progress'), ('ready', 'invalid'),
        ('provisioning_in_progress', 'allocated'), ('provisioning_in_progress', 'provisioning_failed'),
        ('provisioning_in_progress', 'invalid'));
SELECT pg_temp.refused('WS004', $$DELETE FROM awspool.account WHERE account_id = '900000000001'$$);
SELECT pg_temp.refused('WS004', pg_temp.base(i::text, $$marketplace = 'MP-0002'$$)) FROM generate_series(1, 7) i;
SELECT pg_temp.refused('22023', pg_temp.base(id, change))
FROM (VALUES ('8', $$provider = 'other'$$), ('8', $$account_id = '900000000030'$$), ('8', 'position = 1'),
             ('8', 'added_at = now()'), ('8', $$added_by = 'me'$$), ('8', $$order_id = 'o'$$), ('1', $$order_id = 'o'$$),
             ('1', $$order_model = 'ECAM'$$), ('1', 'claimed_at = now()'), ('1', $$claimed_by = 'me'$$),
             ('1', $$reason = 'r'$$), ('3', 'closed_at = now()'), ('3', $$closed_by = 'me'$$), ('4', $$reason = 'r'$$),
             ('8', $$status = 'sold'$$)) r (id, change);
SELECT pg_temp.refused('23514', pg_temp.base(id, change))
FROM (VALUES ('8', $$model = 'HAM'$$), ('8', $$marketplace = 'MP-1'$$), ('1', $$status = 'allocated', reason = 'r'$$),
             ('8', $$status = 'provisioning_in_progress', order_id = ' '$$)) r (id, change);
SELECT pg_temp.refused('23502', pg_temp.base('8', change))
FROM unnest(ARRAY['status = NULL', 'model = NULL']) change;
SELECT pg_temp.refused('WS005', $$INSERT INTO awspool.account (provider, account_id, marketplace, model) VALUES ('acme', '900000000020', 'MP-0001', 'SPAM')$$);
SELECT pg_temp.refused('23505', $$INSERT INTO awspool.account (provider, account_id, marketplace, model) VALUES ('acme', '900000000008', 'MP-0001', 'SPAM')$$);
SELECT pg_temp.refused('23505',
  $$INSERT INTO awspool.account (provider, account_id, marketplace, model, status, order_id, order_model, claimed_at, claimed_by)
    VALUES ('acme', '900000000030', 'MP-0001', 'SPAM', 'provisioning_in_progress', 'running', 'SPAM', now(), 'me')$$,
  'an order that holds two accounts');
SELECT pg_temp.refused('23514', format('INSERT INTO awspool.account (provider, account_id, marketplace, model, status, %s) VALUES (''acme'', ''900000000030'', ''MP-0001'', ''SPAM'', %L, %s)', columns, status, vals), status || ' with ' || columns)
FROM (VALUES ('ready', 'order_id', $$'o'$$), ('ready', 'reason', $$'r'$$), ('ready', 'claimed_at', 'now()'), ('ready', 'closed_by', $$'me'$$),
             ('provisioning_in_progress', 'order_id', $$'o'$$),
             ('provisioning_in_progress', 'order_model, claimed_at, claimed_by, closed_at', $$'SPAM', now(), 'me', now()$$),
             ('allocated', 'order_model, claimed_at, claimed_by', $$'SPAM', now(), 'me'$$),
             ('allocated', 'closed_at, closed_by', $$now(), 'me'$$),
             ('provisioning_failed', 'closed_at, closed_by', $$now(), 'me'$$),
             ('invalid', 'reason', $$'r'$$),
             ('invalid', 'closed_at, closed_by, order_id', $$now(), 'me', 'o'$$),
             ('sold', 'order_id', 'NULL')) r (status, columns, vals);

--
-- A read-only transaction, which is all that a standby has
--

SELECT awspool.grant_provider('*', 'regress_awspool_acme');
SET LOCAL transaction_read_only = on;
-- pgTAP's bookkeeping writes to temporary tables only, which is allowed.
SELECT pg_temp.refused('25006', 'SELECT awspool.' || c)
FROM unnest(ARRAY[$$add_account('acme', '900000000030', 'MP-0001', 'SPAM')$$, $$edit_account('acme', '900000000008')$$,
  $$delete_account('acme', '900000000008')$$, $$delete_accounts('acme', '{}')$$, $$import_csv('acme', '')$$,
  $$claim_account('acme', 'MP-0001')$$, $$claim_account('acme', 'MP-0001', 'running')$$,
  $$claim_accounts('acme', 'MP-0001', '{running}')$$, $$claim_accounts('acme', 'MP-0001', '{}')$$, $$allocate_account('acme', '900000000001')$$,
  $$fail_account('acme', '900000000001')$$, $$invalidate_account('acme', '900000000001')$$,
  $$replace_account('acme', '900000000001', NULL)$$, $$grant_provider('acme', 'regress_awspool_acme')$$,
  $$revoke_provider('acme', 'regress_awspool_acme')$$]) c;
SELECT lives_ok('SELECT awspool.' || c, 'read-only is enough for ' || c)
FROM unnest(ARRAY[$$check_csv('acme', 'x')$$, $$account_history('acme', '900000000001')$$,
  $$explain_claim('acme', 'MP-0001')$$, $$my_providers()$$, $$acts_for_all()$$]) c;

SELECT * FROM finish();
ROLLBACK;
