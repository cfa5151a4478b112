--
-- What the values of an account may look like: the form of account ids,
-- marketplaces, models, providers and orders, wherever one is given.
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

-- A value as it would be typed; one that is long, or not ASCII, by its size.
CREATE FUNCTION pg_temp.shown(value text) RETURNS text LANGUAGE sql AS $$
  SELECT CASE WHEN length(value) > 20 OR length(value) < octet_length(value)
              THEN length(value) || ' characters, ' || octet_length(value) || ' bytes'
              ELSE coalesce(quote_literal(regexp_replace(value, '[\u0001-\u001f\u007f]', '<CTL>', 'g')), 'NULL') END
$$;

-- An account id: exactly 12 digits, in every way to add one.
CREATE TEMP TABLE id (n serial, value text);
INSERT INTO id (value) VALUES ('123456789012'), ('000000000000'), ('999999999999'),
  ('12345678901'), ('1234567890123'), (''), ('            '), (' 23456789012'), ('12345678901 '),
  ('12345678901x'), ('x23456789012'), ('+12345678901'), ('-12345678901'), ('1234567890.1'), ('1.23457E+11'),
  ('1234-5678-90'), (E'12345678901\n'), (E'123456789012\n'), (E'\t23456789012'),
  (U&'\FF11\FF12\FF13\FF14\FF15\FF16\FF17\FF18\FF19\FF10\FF11\FF12'),
  (U&'\0661\0662\0663\0664'), (U&'12345678901\00b2'), (repeat('1', 1000000)), (NULL);
SELECT pg_temp.shown(value) AS account_id,
       pg_temp.outcome(format('SELECT FROM awspool.add_account(%L, %L, %L, %L)', 'acme', value, 'MP-0000', 'SPAM')) AS add,
       pg_temp.outcome(format('INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES (%L, %L, %L, %L)', 'acme', value, 'MP-0000', 'SPAM')) AS view,
       pg_temp.outcome(format('INSERT INTO awspool.import VALUES (%L, %L, %L, %L)', 'acme', value, 'MP-0000', 'SPAM')) AS import,
       pg_temp.outcome(format('SELECT FROM awspool.edit_account(%L, %L)', 'acme', value)) AS edit,
       pg_temp.outcome(format('SELECT FROM awspool.delete_account(%L, %L)', 'acme', value)) AS delete,
       pg_temp.outcome(format('SELECT FROM awspool.allocate_account(%L, %L)', 'acme', value)) AS allocate,
       pg_temp.outcome(format('SELECT FROM awspool.fail_account(%L, %L)', 'acme', value)) AS fail,
       pg_temp.outcome(format('SELECT FROM awspool.invalidate_account(%L, %L)', 'acme', value)) AS invalidate,
       pg_temp.outcome(format('SELECT FROM awspool.replace_account(%L, %L, %L)', 'acme', value, 'x')) AS replace,
       pg_temp.outcome(format('SELECT FROM awspool.account_history(%L, %L)', 'acme', value)) AS history
FROM id ORDER BY n;

-- Leading zeros are kept, and make another account.
SELECT account_id FROM awspool.add_account('acme', '000000000012', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.add_account('acme', '000000000120', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.accounts ORDER BY account_id;
TRUNCATE awspool.account;

-- A marketplace: "MP-" and at least four digits.
CREATE TEMP TABLE marketplace (n serial, value text);
INSERT INTO marketplace (value) VALUES ('MP-0000'), ('MP-9999'), ('MP-00000'), ('MP-1234567890'),
  ('MP-000'), ('MP-'), ('MP'), (''), ('mp-0000'), ('Mp-0000'), ('MP0000'), ('MP_0000'), ('MP-0000x'), ('xMP-0000'),
  ('MP-00x0'), ('MP--0000'), (' MP-0000'), ('MP-0000 '), (E'MP-0000\n'), (E'MP-0000\r'), (U&'MP-000\0660'),
  (U&'MP\20100000'), (repeat('0', 10000)), ('MP-' || repeat('0', 10000)), (NULL);
SELECT account_id FROM awspool.add_account('acme', '123456789000', 'MP-0000', 'SPAM');
SELECT pg_temp.shown(value) AS marketplace,
       pg_temp.outcome(format('SELECT FROM awspool.add_account(%L, %L, %L, %L)', 'acme', '123456789012', value, 'SPAM')) AS add,
       pg_temp.outcome(format('INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES (%L, %L, %L, %L)', 'acme', '123456789012', value, 'SPAM')) AS view,
       pg_temp.outcome(format('UPDATE awspool.accounts SET marketplace = %L', value)) AS update,
       pg_temp.outcome(format('INSERT INTO awspool.import VALUES (%L, %L, %L, %L)', 'acme', '123456789012', value, 'SPAM')) AS import,
       pg_temp.outcome(format('SELECT FROM awspool.edit_account(%L, %L, %L)', 'acme', '123456789000', value)) AS edit,
       pg_temp.outcome(format('SELECT FROM awspool.claim_account(%L, %L)', 'acme', value)) AS claim
FROM marketplace ORDER BY n;

-- A model: "SPAM" or "ECAM".
CREATE TEMP TABLE model (n serial, value text);
INSERT INTO model (value) VALUES ('SPAM'), ('ECAM'), ('spam'), ('Ecam'), ('SPA'), ('SPAMS'), ('SPAM '), (' ECAM'), (''), (E'SPAM\n'),
  (U&'\0405PAM'), (repeat('SPAM', 1000)), (NULL);
SELECT pg_temp.shown(value) AS model,
       pg_temp.outcome(format('SELECT FROM awspool.add_account(%L, %L, %L, %L)', 'acme', '123456789012', 'MP-0000', value)) AS add,
       pg_temp.outcome(format('INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES (%L, %L, %L, %L)', 'acme', '123456789012', 'MP-0000', value)) AS view,
       pg_temp.outcome(format('UPDATE awspool.accounts SET model = %L', value)) AS update,
       pg_temp.outcome(format('INSERT INTO awspool.import VALUES (%L, %L, %L, %L)', 'acme', '123456789012', 'MP-0000', value)) AS import,
       pg_temp.outcome(format('SELECT FROM awspool.edit_account(%L, %L, NULL, %L)', 'acme', '123456789000', value)) AS edit
FROM model ORDER BY n;

-- A provider and an order: 1 to 64 characters, no control character, no space
-- of any kind at either end.  "*" stands for every provider, so no provider is called so.
CREATE TEMP TABLE name (n serial, value text);
INSERT INTO name (value) VALUES ('a'), ('Acme & Sons'), ('a''b"c\d;--'), ('$1'), ('%s'), ('NULL'), ('*'), ('**'), (repeat('x', 64)), (repeat(U&'\00e9', 32)),
  (U&'\+01F600'), (U&'\4e2d\6587'), ('.'), ('/'), (repeat(U&'\00e9', 64)), (repeat(U&'\+01F600', 64)),
  (U&'a\00a0b'), (U&'a\200bb'), (U&'\0301'),
  (''), (' '), (' a'), ('a '), (repeat('x', 65)), (repeat(U&'\00e9', 65)), (repeat(U&'\+01F600', 65)), (repeat('x', 1000000)),
  (E'a\nb'), (E'a\tb'), (E'a\r'), (E'\x01'), (E'a\x1f'), (E'a\x7fb'), (U&'a\0085b'), (U&'a\009f'), (U&'\0080'), (NULL);
SELECT pg_temp.shown(value) AS name,
       pg_temp.outcome(format('SELECT FROM awspool.add_account(%L, %L, %L, %L)', value, '123456789012', 'MP-0000', 'SPAM')) AS add,
       pg_temp.outcome(format('INSERT INTO awspool.import VALUES (%L, %L, %L, %L)', value, '123456789012', 'MP-0000', 'SPAM')) AS import,
       pg_temp.outcome(format('SELECT FROM awspool.import_csv(%L, %L)', value, '')) AS import_csv,
       pg_temp.outcome(format('SELECT FROM awspool.check_csv(%L, %L)', value, '')) AS check_csv,
       pg_temp.outcome(format('SELECT FROM awspool.delete_accounts(%L, %L)', value, '{}')) AS delete,
       pg_temp.outcome(format('SELECT awspool.grant_provider(%L, current_user)', value)) AS grant,
       pg_temp.outcome(format('SELECT FROM awspool.claim_account(%L, %L)', value, 'MP-0000')) AS claim,
       pg_temp.outcome(format('SELECT FROM awspool.claim_account(%L, %L, %L)', 'acme', 'MP-0000', value)) AS "claim for order"
FROM name ORDER BY n;

-- The spaces that are not ASCII's, and what has no width.
SELECT to_hex(c) AS "space", string_agg(pg_temp.outcome(format(call, name)), ' ' ORDER BY n, name) AS outcomes
FROM unnest(ARRAY[160, 4447, 5760, 6158, 8232, 8233, 8239, 8287, 8288, 12288, 12644, 65279] || ARRAY(SELECT generate_series(8192, 8205))) c,
  LATERAL (VALUES ('a' || chr(c)), (chr(c) || 'a'), (chr(c))) v (name),
  (VALUES (1, 'SELECT FROM awspool.add_account(%L, ''123456789012'', ''MP-0000'', ''SPAM'')'), (2, 'SELECT FROM awspool.claim_account(''acme'', ''MP-0000'', %L)')) f (n, call)
GROUP BY c ORDER BY c;

-- The names of orders are checked wherever one is given.
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
SELECT pg_temp.outcome($$SELECT FROM awspool.allocate_account('acme', '123456789000', '')$$) AS allocate,
       pg_temp.outcome($$SELECT FROM awspool.fail_account('acme', '123456789000', 'x', ' O-1')$$) AS fail,
       pg_temp.outcome($$SELECT FROM awspool.replace_account('acme', '123456789000', 'x', E'O-1\n')$$) AS replace;
TRUNCATE awspool.account;

-- Version 1.0 let names begin and end with such spaces.  Where one is there, its
-- orders and its roles go on with it; to everybody else it is malformed.
CREATE ROLE regress_awspool_acme;
CREATE ROLE regress_awspool_stranger;
CREATE ROLE regress_awspool_all;
SELECT awspool.grant_provider('*', 'regress_awspool_all');
INSERT INTO awspool.provider_role VALUES (U&'acme\00a0', 'regress_awspool_acme', 0);
INSERT INTO awspool.account (provider, account_id, marketplace, model, status, order_id, order_model, claimed_at, claimed_by)
VALUES (U&'acme\00a0', '123456789001', 'MP-0000', 'SPAM', 'provisioning_in_progress', U&'\200bO-1', 'SPAM', now(), 'me'),
       (U&'acme\00a0', '123456789002', 'MP-0000', 'SPAM', 'provisioning_in_progress', 'O-2', 'SPAM', now(), 'me');
CREATE FUNCTION pg_temp.outcome_as(who text, statement text) RETURNS text
LANGUAGE sql AS $$ SELECT pg_temp.outcome(format('SET LOCAL ROLE %I; %s', who, statement)) $$;
SELECT c.n, pg_temp.outcome_as(current_user, c.call) AS owner, pg_temp.outcome_as('regress_awspool_acme', c.call) AS acme,
       pg_temp.outcome_as('regress_awspool_all', c.call) AS "all", pg_temp.outcome_as('regress_awspool_stranger', c.call) AS stranger, c.shown AS call
FROM (SELECT n, call, format(call, U&'acme\00a0', U&'\200bO-1') FROM (VALUES
  (1, 'SELECT FROM awspool.add_account(%L, ''123456789003'', ''MP-0000'', ''SPAM'')'),
  (2, 'SELECT FROM awspool.import_csv(%L, ''123456789003;MP-0000;SPAM'')'),
  (3, 'INSERT INTO awspool.import VALUES (%L, ''123456789003'', ''MP-0000'', ''SPAM'')'),
  (4, 'INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES (%L, ''123456789003'', ''MP-0000'', ''SPAM'')'),
  (5, 'SELECT FROM awspool.claim_account(%L, ''MP-0000'', %L)'),
  (6, 'SELECT FROM awspool.claim_account(%1$L, ''MP-0000'', %2$L || ''1'')'),
  (7, 'SELECT FROM awspool.allocate_account(%L, ''123456789001'', %L)'),
  (8, 'SELECT FROM awspool.fail_account(%L, ''123456789001'', ''x'', %L)'),
  (9, 'SELECT FROM awspool.allocate_account(%L, ''123456789002'', %L)'),
  (10, 'UPDATE awspool.accounts SET status = ''invalid'' WHERE provider = %L')) v (n, call)) c (n, shown, call)
ORDER BY c.n;
-- what was granted can be granted to others, and taken back
SELECT awspool.grant_provider(U&'acme\00a0', 'regress_awspool_stranger');
SELECT awspool.grant_viewer(U&'acme\00a0', 'regress_awspool_stranger');
SELECT awspool.revoke_provider(U&'acme\00a0', r) FROM unnest('{regress_awspool_acme,regress_awspool_stranger}'::text[]) r;
SELECT awspool.revoke_viewer(U&'acme\00a0', 'regress_awspool_stranger');
-- who acts for all needs no grant of it, as long as it has accounts, or a log;
-- nor does who looks at all
SELECT pg_temp.outcome($$SELECT awspool.grant_provider(U&'acme\00a0', 'regress_awspool_acme')$$) AS granted_anew;
SELECT awspool.configure_pool(U&'acme\00a0', 'MP-0000', 3, deadline => '1 microsecond');
SET ROLE regress_awspool_all;
SELECT account_id FROM awspool.add_account(U&'acme\00a0', '123456789003', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.claim_account(U&'acme\00a0', 'MP-0000', 'O-3');
SELECT provider = U&'acme\00a0' AS odd, alert, account_id FROM awspool.alerts ORDER BY alert, account_id;
RESET ROLE;
SELECT outcome FROM awspool.delete_accounts(U&'acme\00a0', '{123456789001,123456789003}') ORDER BY account_id;
SELECT count(*) FROM awspool.fail_overdue(U&'acme\00a0');
SELECT outcome FROM awspool.delete_accounts(U&'acme\00a0', '{123456789001,123456789002,123456789003}') ORDER BY account_id;
SELECT event FROM awspool.account_history(U&'acme\00a0', '123456789003');
SELECT pg_temp.outcome_as('regress_awspool_stranger', $$SELECT awspool.claim_account(U&'acme\00a0', 'MP-0000')$$) AS stranger;
DELETE FROM awspool.pool_setting;
TRUNCATE awspool.account, awspool.account_log;
SELECT pg_temp.outcome($$SELECT awspool.grant_provider(U&'acme\00a0', 'regress_awspool_acme')$$) AS nothing_left;
TRUNCATE awspool.account, awspool.account_log, awspool.provider_role;
DROP ROLE regress_awspool_acme, regress_awspool_stranger, regress_awspool_all;

-- A name is kept as it was given, to the byte, and means just itself.
SELECT provider, account_id FROM awspool.add_account('a''b"c\d;--', '123456789001', 'MP-0000', 'SPAM');
SELECT provider, account_id FROM awspool.add_account('Acme', '123456789002', 'MP-0000', 'SPAM');
SELECT provider, account_id FROM awspool.add_account('acme', '123456789003', 'MP-0000', 'SPAM');
SELECT provider = repeat(U&'\00e9', 64) AS same, account_id FROM awspool.add_account(repeat(U&'\00e9', 64), '123456789004', 'MP-0000', 'SPAM');
SELECT account_id, order_id FROM awspool.claim_account('acme', 'MP-0000', 'o''1"\;--');
SELECT account_id, order_id FROM awspool.claim_account('acme', 'MP-0000', 'o''1"\;--');
SELECT count(*) FROM awspool.claim_account('acme', 'MP-0000', 'O''1"\;--');
SELECT account_id, order_id FROM awspool.claim_account(repeat(U&'\00e9', 64), 'MP-0000', '*');
SELECT account_id, status FROM awspool.accounts ORDER BY account_id;

-- The wording.  What a terminal would obey is not repeated, nor what is long.
SELECT awspool.add_account('acme', '123456789', 'MP-0000', 'SPAM');
SELECT awspool.add_account('acme', '12345678901', 'mp-0', 'PAM');
SELECT awspool.add_account('acme', NULL, NULL, NULL);
SELECT awspool.delete_account('acme', '12345678901');
SELECT awspool.delete_account('acme', E'1\x1b[2J\n\u0085');
SELECT awspool.delete_account('acme', repeat(U&'\00e9', 500));
SELECT awspool.claim_account('acme', 'MP-1');
SELECT awspool.claim_account('acme', 'MP-0000', '');
SELECT awspool.claim_account('acme', 'MP-0000', U&'O-1\200b');
SELECT awspool.claim_account(NULL, 'MP-0000');
SELECT awspool.edit_account('acme', '123456789003', model => 'XXXX');

TRUNCATE awspool.account, awspool.account_log, awspool.provider_role;
