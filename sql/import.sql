--
-- Import: import_csv and check_csv, which take a whole file as a value, and
-- awspool.import, where COPY streams one in.
--

-- The setting may be there before the library is.
SET awspool.provider = 'acme';
INSERT INTO awspool.import (account_id, marketplace_id, account_model) VALUES ('600000000001', 'MP-0000', 'SPAM');
SELECT provider, account_id, marketplace, model, status FROM awspool.accounts;
RESET awspool.provider;
TRUNCATE awspool.account, awspool.account_log;

-- The SQLSTATE of a statement, or "done"; either way it leaves no trace.
CREATE FUNCTION pg_temp.outcome(statement text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE statement;
  RAISE EXCEPTION USING ERRCODE = 'DONE0';
EXCEPTION WHEN OTHERS THEN
  RETURN CASE SQLSTATE WHEN 'DONE0' THEN 'done' ELSE SQLSTATE END;
END $$;

-- The report of a file that is checked only.
CREATE FUNCTION pg_temp.report(csv text) RETURNS TABLE (line bigint, account_id text, marketplace text, model text, outcome text, detail text)
LANGUAGE sql AS $$ SELECT * FROM awspool.check_csv('acme', csv) ORDER BY line $$;

-- The documented file, mixed separators and all, through all three doors.
\getenv abs_srcdir PG_ABS_SRCDIR
\cd :abs_srcdir
\set csv `cat test/data/accounts.csv`
SELECT :'csv' AS csv;
SELECT * FROM awspool.check_csv(provider => 'acme', csv => :'csv') ORDER BY line;
SELECT count(*) FROM awspool.accounts;
SELECT * FROM awspool.import_csv(provider => 'acme', csv => :'csv', skip_rejected => false) ORDER BY line;
SELECT provider, account_id, marketplace, model, status, added_by = current_user AS added_by_me FROM awspool.accounts ORDER BY account_id;
-- importing the same file twice is harmless, once the accounts are in use, too
SELECT * FROM awspool.import_csv('acme', :'csv') ORDER BY line;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
SELECT line, account_id, outcome FROM awspool.import_csv('acme', :'csv') ORDER BY line;
SET awspool.provider = 'acme';
\copy awspool.import (account_id, marketplace_id, account_model) FROM 'test/data/accounts.csv' WITH (FORMAT csv, DELIMITER ';', HEADER)
SELECT account_id, status FROM awspool.accounts ORDER BY account_id;
TRUNCATE awspool.account, awspool.account_log;
\copy awspool.import (account_id, marketplace_id, account_model) FROM 'test/data/accounts.csv' WITH (FORMAT csv, DELIMITER ';', HEADER)
RESET awspool.provider;
SELECT provider, account_id, marketplace, model, status, added_by = current_user AS added_by_me FROM awspool.accounts ORDER BY account_id;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000');
SELECT event FROM awspool.account_history('acme', '123456789012');
TRUNCATE awspool.account, awspool.account_log;

--
-- What is fine: each of these has the same two accounts.
--
SELECT f.name, count(*), bool_and(outcome = 'added') AS added, string_agg(concat_ws(' ', r.account_id, r.marketplace, r.model, r.detail), ', ' ORDER BY r.line) AS accounts,
       string_agg(r.line::text, ',' ORDER BY r.line) AS lines
FROM (VALUES
  ('semicolons', E'account_id;marketplace_id;account_model\n123456789012;MP-0000;SPAM\n123456789013;MP-0000;ECAM\n'),
  ('commas', E'account_id,marketplace_id,account_model\n123456789012,MP-0000,SPAM\n123456789013,MP-0000,ECAM\n'),
  ('mixed in the header', E'account_id,marketplace_id;account_model\n123456789012;MP-0000;SPAM\n123456789013;MP-0000;ECAM\n'),
  ('mixed from line to line', E'account_id;marketplace_id,account_model\n123456789012,MP-0000,SPAM\n123456789013;MP-0000;ECAM\n'),
  ('mixed in a line', E'account_id;marketplace_id;account_model\n123456789012,MP-0000;SPAM\n123456789013;MP-0000,ECAM\n'),
  ('no header', E'123456789012;MP-0000;SPAM\n123456789013;MP-0000;ECAM\n'),
  ('no header, commas', E'123456789012,MP-0000,SPAM\n123456789013,MP-0000,ECAM\n'),
  ('another order', E'account_model;account_id;marketplace_id\nSPAM;123456789012;MP-0000\nECAM;123456789013;MP-0000\n'),
  ('another order, mixed', E'marketplace_id,account_model;account_id\nMP-0000;SPAM;123456789012\nMP-0000,ECAM,123456789013\n'),
  ('no last line end', E'account_id;marketplace_id,account_model\n123456789012;MP-0000;SPAM\n123456789013;MP-0000;ECAM'),
  ('CRLF', E'account_id;marketplace_id,account_model\r\n123456789012;MP-0000;SPAM\r\n123456789013;MP-0000;ECAM\r\n'),
  ('CRLF, no last one', E'account_id;marketplace_id,account_model\r\n123456789012;MP-0000;SPAM\r\n123456789013;MP-0000;ECAM'),
  ('CRLF, of the last one only CR', E'account_id;marketplace_id,account_model\r\n123456789012;MP-0000;SPAM\r\n123456789013;MP-0000;ECAM\r'),
  ('CRLF, then a blank line, of which only CR', E'123456789012;MP-0000;SPAM\r\n123456789013;MP-0000;ECAM\r\n\r'),
  ('separator line', E'sep=;\naccount_id;marketplace_id;account_model\n123456789012;MP-0000;SPAM\n123456789013;MP-0000;ECAM\n'),
  ('separator line, comma, CRLF', E'sep=,\r\naccount_id,marketplace_id,account_model\r\n123456789012,MP-0000,SPAM\r\n123456789013,MP-0000,ECAM\r\n'),
  ('separator line, quoted, upper case, mark', E'\ufeff"SEP=;"\r\naccount_id;marketplace_id;account_model\r\n123456789012;MP-0000;SPAM\r\n123456789013;MP-0000;ECAM\r\n'),
  ('separator line, no header, CR', E'sep=;\r123456789012;MP-0000;SPAM\r123456789013;MP-0000;ECAM\r'),
  ('byte order mark, read as LATIN1', convert_from('\xefbbbf', 'LATIN1') || E'123456789012;MP-0000;SPAM\n123456789013;MP-0000;ECAM\n'),
  ('CRLF and LF', E'account_id;marketplace_id,account_model\n123456789012;MP-0000;SPAM\r\n123456789013;MP-0000;ECAM\n'),
  ('LF and CRLF', E'account_id;marketplace_id,account_model\r\n123456789012;MP-0000;SPAM\n123456789013;MP-0000;ECAM\r\n'),
  ('byte order mark', E'\ufeffaccount_id;marketplace_id,account_model\n123456789012;MP-0000;SPAM\n123456789013;MP-0000;ECAM\n'),
  ('byte order mark, no header', E'\ufeff123456789012;MP-0000;SPAM\n123456789013;MP-0000;ECAM\n'),
  ('byte order mark, quoted', E'\ufeff"account_id";"marketplace_id","account_model"\r\n"123456789012";"MP-0000";"SPAM"\r\n"123456789013";"MP-0000";"ECAM"\r\n'),
  ('quoted', E'"account_id";"marketplace_id";"account_model"\n"123456789012";"MP-0000";"SPAM"\n"123456789013","MP-0000","ECAM"\n'),
  ('some quoted', E'account_id;"marketplace_id";account_model\n"123456789012";MP-0000;SPAM\n123456789013,MP-0000,"ECAM"\n'),
  ('blank lines', E'\n\naccount_id;marketplace_id,account_model\n\n123456789012;MP-0000;SPAM\n\n\n123456789013;MP-0000;ECAM\n\n\n'),
  ('blank lines, CRLF', E'\r\naccount_id;marketplace_id,account_model\r\n\r\n123456789012;MP-0000;SPAM\r\n\r\n123456789013;MP-0000;ECAM\r\n\r\n'),
  ('trailing separators', E'account_id;marketplace_id,account_model;\n123456789012;MP-0000;SPAM;\n123456789013;MP-0000;ECAM;;;,\n'),
  ('trailing separators, CRLF', E'account_id,marketplace_id,account_model,,\r\n123456789012,MP-0000,SPAM,,\r\n123456789013,MP-0000,ECAM,,\r\n,,,,\r\n'),
  ('end mark', E'123456789012;MP-0000;SPAM\n123456789013;MP-0000;ECAM\n\\.\n'),
  ('end mark, no line end', E'123456789012;MP-0000;SPAM\n123456789013;MP-0000;ECAM\n\\.'),
  ('end mark, CRLF', E'123456789012;MP-0000;SPAM\r\n123456789013;MP-0000;ECAM\r\n\\.\r\n')
) f (name, csv), pg_temp.report(f.csv) r
GROUP BY f.name, f.csv ORDER BY f.name;

-- Files with nothing in them are fine, too; they report nothing.
SELECT f.name, (SELECT count(*) FROM awspool.import_csv('acme', f.csv)) AS rows
FROM (VALUES ('empty', ''), ('mark', E'\ufeff'), ('blank', E'\n\r\n\n'), ('header', E'account_id;marketplace_id,account_model\n'),
  ('separator line', 'sep=;'), ('separator line and header', E'sep=,\naccount_id;marketplace_id,account_model\n'),
  ('header, no line end', 'account_id;marketplace_id,account_model'), ('separators', E';;\n,,,\n;'), ('end mark', E'\\.\n')) f (name, csv)
ORDER BY f.name;

--
-- What is rejected, with line, value and reason.
--
SELECT account_id FROM awspool.add_account('acme', '600000000001', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.add_account('acme', '600000000002', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.add_account('other', '600000000003', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
SELECT account_id FROM awspool.fail_account('acme', '600000000001', 'broken');
SELECT account_id FROM awspool.delete_account('acme', '600000000001');
SELECT account_id FROM awspool.claim_account('other', 'MP-0000');
SELECT account_id FROM awspool.add_account('other', '600000000004', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.invalidate_account('other', '600000000003');
SELECT account_id FROM awspool.delete_account('other', '600000000003');
SELECT line, account_id, outcome, detail FROM pg_temp.report($$account_id;marketplace_id,account_model
123456789001;MP-0000
123456789002
123456789003;MP-0000;SPAM;more
;123456789003;MP-0000;SPAM
123456789003;;MP-0000;SPAM
12345678901;MP-0000;SPAM
1234567890123;MP-0000;SPAM
12345678901x;MP-0000;SPAM
1.23457E+11;MP-0000;SPAM
;MP-0000;SPAM
123456789004;;SPAM
123456789004;MP-0000;""
"";"";""
123456789005;MP-0000;SPIM
123456789006;MP-0000;spam
123456789007;MP-1;SPAM
123456789008;mp-0000;SPAM
MP-0000;123456789009;SPAM
 123456789010;MP-0000;SPAM
123456789011;MP-0000;SPAM 
123456789014;MP-0000;SPAM
123456789014;MP-0000;SPAM
123456789014;MP-1111;ECAM
600000000002;MP-0000;SPAM
600000000002;MP-0000;SPAM
600000000002;MP-1111;SPAM
600000000001;MP-0000;SPAM
600000000004;MP-0000;SPAM
600000000003;MP-0000;SPAM
account_id;marketplace_id;account_model
123456789015;MP-0000;SPAM$$);
SELECT * FROM pg_temp.report(E'600000000002;MP-1111;SPAM\n123456789016;mp;SPAM');

-- A byte order mark in front of an id is named, wherever it is, and so is the line
-- with the separator.  That line is the first one, and names a separator.
SELECT line, outcome, detail FROM pg_temp.report(E'123456789012;MP-0000;SPAM\n\ufeff123456789013;MP-0000;SPAM\n"sep=;";MP-0000;SPAM');
SELECT f.n, r.line, r.outcome FROM (VALUES (1, E'\nsep=;\n'), (2, E'sep=|\n'), (3, E'sep=;;\n'), (4, E'"sep=;\n"\n'), (5, E'sep=;x\n'), (6, E'sep\n')) f (n, csv), pg_temp.report(f.csv) r
ORDER BY f.n, r.line;

-- A header with other names is a row that is none; a header twice, too.
SELECT line, outcome, detail FROM pg_temp.report(E'id;marketplace;model\n123456789012;MP-0000;SPAM');
SELECT line, outcome, detail FROM pg_temp.report(E'account_id;account_id;account_model\n');
SELECT line, outcome, detail FROM pg_temp.report(E'account_id;marketplace_id\n');

-- Separators, quotes and line ends within quotes belong to the value; lines
-- are those of the file, where the row begins.
SELECT line, account_id, replace(marketplace, E'\n', '<LF>') AS marketplace, model, outcome, detail FROM pg_temp.report($$account_id;marketplace_id,account_model
123456789001;"MP-0000;SPAM"
123456789002,"MP-0000,SPAM",SPAM
123456789003;"MP-
00
00";SPAM

123456789004;"MP-""0000";SPAM
123456789005;"MP-
\.
0000";SPAM
"123456789006";"MP-0000";"SPAM"$$);

-- What is shown of a value is not too long, and nothing that a terminal obeys.
SELECT line, length(account_id), outcome, detail FROM pg_temp.report(repeat('9', 100000) || E';MP-0000;SPAM\n1\x1b[2J;MP-0000;SPAM\n"1\r\n2";MP-0000;SPAM\n');

--
-- All or nothing.  The error tells how many and shows the first ten.
--
SELECT string_agg(CASE WHEN n % 2 = 0 THEN 'x' || n ELSE (123456789100 + n)::text END || ';MP-0000;SPAM', E'\n' ORDER BY n) AS csv FROM generate_series(1, 25) n \gset
SELECT awspool.import_csv('acme', :'csv');
SELECT awspool.import_csv('acme', E'123456789012;MP-0000;SPAM\n123456789013;MP-0000;SPUM');
SELECT pg_temp.outcome(format('SELECT awspool.import_csv(%L, %L, %s)', 'acme', E'123456789012;MP-0000;SPAM\nx', s)) AS outcome, s
FROM unnest(ARRAY['false', 'true', 'NULL']) s ORDER BY s;
SELECT count(*) FROM awspool.accounts WHERE account_id LIKE '1%';
-- ... unless the rejected ones are to be skipped
SELECT outcome, count(*) FROM awspool.import_csv('acme', :'csv', skip_rejected => true) GROUP BY outcome ORDER BY outcome;
SELECT count(*), min(account_id), max(account_id) FROM awspool.accounts WHERE account_id LIKE '1%';
SELECT outcome, count(*) FROM awspool.import_csv('acme', :'csv', true) GROUP BY outcome ORDER BY outcome;
SELECT * FROM awspool.import_csv('acme', E'123456789012;MP-0000;SPAM\n12345678901;MP-0000;SPAM', true) ORDER BY line;

-- Errors of the whole file, also when rows may be skipped or are only checked:
-- broken quoting, and anything after the end mark.
\set VERBOSITY sqlstate
SELECT f.name, pg_temp.outcome(format('SELECT awspool.import_csv(%L, %L)', 'acme', csv)) AS import,
       pg_temp.outcome(format('SELECT awspool.import_csv(%L, %L, true)', 'acme', csv)) AS skip,
       pg_temp.outcome(format('SELECT awspool.check_csv(%L, %L)', 'acme', csv)) AS check
FROM (VALUES
  ('open quote', E'123456789020;MP-0000;SPAM\n"123456789021;MP-0000;SPAM\n123456789022;MP-0000;SPAM\n'),
  ('open quote at the end', E'123456789020;MP-0000;SPAM\n123456789021;MP-0000;"SPAM'),
  ('lone quote', '"'),
  ('three quotes', E'"""\n123456789020;MP-0000;SPAM\n'),
  ('after the end mark', E'123456789020;MP-0000;SPAM\n\\.\n123456789021;MP-0000;SPAM\n'),
  ('after the end mark, CRLF', E'123456789020;MP-0000;SPAM\r\n\\.\r\n123456789021;MP-0000;SPAM\r\n'),
  ('after the end mark, blank and row', E'123456789020;MP-0000;SPAM\n\\.\n\n\n123456789021;MP-0000;SPAM'),
  ('end mark first', E'\\.\n123456789021;MP-0000;SPAM\n')
) f (name, csv) ORDER BY f.name;
\set VERBOSITY default
SELECT awspool.check_csv('acme', E'123456789020;MP-0000;SPAM\n\\.\n123456789021;MP-0000;SPAM\n');
SELECT awspool.check_csv('acme', E'123456789020;MP-0000;SPAM\n"123456789021;MP-0000;SPAM\n');
SELECT awspool.import_csv('acme', E'123456789020;MP-0000;SPAM\r\n123456789021;MP-0000;SPAM\r123456789022;MP-0000;SPAM\r\n', true);
-- what only looks like the mark is a row
SELECT line, account_id, outcome FROM pg_temp.report(E'\\.;MP-0000;SPAM\n"\\.";MP-0000;SPAM\n\\.x\n \\.\n123456789020;MP-0000;SPAM');
SELECT count(*) FROM awspool.accounts WHERE account_id BETWEEN '123456789020' AND '123456789099';

-- Whatever the bytes, every row of the file is reported or the file refused.
SELECT f.name, pg_temp.outcome(format('SELECT awspool.check_csv(%L, %L)', 'acme', csv)) AS check
FROM (VALUES
  ('LF and CR', E'123456789020;MP-0000;SPAM\n123456789021;MP-0000;SPAM\r123456789022;MP-0000;SPAM\n'),
  ('CRLF and CR', E'123456789020;MP-0000;SPAM\r\n123456789021;MP-0000;SPAM\r123456789022;MP-0000;SPAM\r\n')
) f (name, csv) ORDER BY f.name;
SELECT line, outcome FROM pg_temp.report(E'123456789020;MP-0000;SPAM\n\ufeff123456789021;MP-0000;SPAM\n12345678"9022";MP-0000;SPAM\n');

-- check_csv writes nothing, so it may run where nothing may be written.
BEGIN READ ONLY;
SELECT line, outcome FROM awspool.check_csv('acme', E'123456789030;MP-0000;SPAM\n1') ORDER BY line;
SELECT pg_temp.outcome($$SELECT awspool.import_csv('acme', '123456789030;MP-0000;SPAM')$$),
       pg_temp.outcome($$SELECT awspool.import_csv('acme', '')$$),
       pg_temp.outcome($$INSERT INTO awspool.import VALUES ('acme', '123456789030', 'MP-0000', 'SPAM')$$);
COMMIT;
SELECT count(*) FROM awspool.accounts WHERE account_id = '123456789030';

-- With your transaction, as everything.
BEGIN;
SELECT outcome FROM awspool.import_csv('acme', '123456789040;MP-0000;SPAM');
SAVEPOINT s;
SELECT outcome FROM awspool.import_csv('acme', E'123456789040;MP-0000;SPAM\n123456789041;MP-0000;SPAM') ORDER BY line;
ROLLBACK TO s;
SELECT account_id FROM awspool.accounts WHERE account_id >= '123456789040' AND account_id < '123456789100' ORDER BY account_id;
ROLLBACK;
SELECT count(*) FROM awspool.accounts WHERE account_id >= '123456789040' AND account_id < '123456789100';
TRUNCATE awspool.account, awspool.account_log;

-- A large file: stored in its own order, so claimed in that order.
SELECT outcome, count(*), min(line), max(line) FROM awspool.import_csv('acme',
  (SELECT 'account_id;marketplace_id,account_model' || E'\r\n' || string_agg(700000020000 - n || ';MP-0000;SPAM', E'\r\n' ORDER BY n) FROM generate_series(1, 20000) n))
GROUP BY outcome ORDER BY outcome;
SELECT c.account_id FROM generate_series(1, 3) i, awspool.claim_account('acme', 'MP-0000', 'O-' || i) c ORDER BY i;
TRUNCATE awspool.account, awspool.account_log;

--
-- awspool.import.
--

-- With a column for the provider; other separators, columns and line ends are
-- for COPY's options to say.
COPY awspool.import FROM STDIN (FORMAT csv);
acme,600000000001,MP-0000,SPAM
other,600000000002,MP-0000,ECAM
\.
COPY awspool.import (account_model, provider, marketplace_id, account_id) FROM STDIN;
SPAM	acme	MP-0000	600000000003
\.
INSERT INTO awspool.import SELECT 'acme', 600000000003 + i, 'MP-0000', 'SPAM' FROM generate_series(1, 2) i;
SELECT provider, account_id, marketplace, model, status FROM awspool.accounts ORDER BY account_id;

-- All or nothing; the context of the error has the line.
COPY awspool.import FROM STDIN (FORMAT csv, DELIMITER ';', HEADER);
provider;account_id;marketplace_id;account_model
acme;600000000010;MP-0000;SPAM
acme;600000000011;MP-0000;SPAM
acme;60000000012;MP-0000;SPUM
acme;600000000013;MP-0000;SPAM
\.
-- twice in the file, the second of them by itself or not the same
COPY awspool.import FROM STDIN (FORMAT csv, DELIMITER ';');
acme;600000000010;MP-0000;SPAM
acme;600000000011;MP-0000;SPAM
acme;600000000010;MP-0000;SPAM
\.
\set VERBOSITY sqlstate
COPY awspool.import FROM STDIN (FORMAT csv, DELIMITER ';');
acme;600000000010;MP-0000;SPAM
acme;600000000010;MP-1111;ECAM
\.
-- twice in the file and in the pool already
COPY awspool.import FROM STDIN (FORMAT csv, DELIMITER ';');
acme;600000000001;MP-0000;SPAM
acme;600000000001;MP-0000;SPAM
\.
-- there already, but not the same; somebody else's
COPY awspool.import FROM STDIN (FORMAT csv, DELIMITER ';');
acme;600000000010;MP-0000;SPAM
acme;600000000001;MP-1111;SPAM
\.
COPY awspool.import FROM STDIN (FORMAT csv, DELIMITER ';');
acme;600000000010;MP-0000;SPAM
acme;600000000002;MP-0000;ECAM
\.
-- too few fields, too many, none; broken quoting
COPY awspool.import (account_id, marketplace_id, account_model) FROM STDIN (FORMAT csv, DELIMITER ';');
600000000010;MP-0000
\.
COPY awspool.import (account_id, marketplace_id, account_model) FROM STDIN (FORMAT csv, DELIMITER ';');
600000000010;MP-0000;SPAM;more
\.
COPY awspool.import FROM STDIN (FORMAT csv, DELIMITER ';');
acme;600000000010;;SPAM
\.
COPY awspool.import FROM STDIN (FORMAT csv, DELIMITER ';');
acme;600000000010;MP-0000;"SPAM
\.
\set VERBOSITY default
SELECT count(*) FROM awspool.accounts;
-- what is there already with the same values is harmless
COPY awspool.import FROM STDIN (FORMAT csv, DELIMITER ';');
acme;600000000001;MP-0000;SPAM
acme;600000000006;MP-0000;SPAM
acme;600000000003;MP-0000;SPAM
\.
BEGIN;
INSERT INTO awspool.import VALUES ('acme', '600000000007', 'MP-0000', 'SPAM');
INSERT INTO awspool.import VALUES ('acme', '600000000007', 'MP-0000', 'SPAM');
COMMIT;
SELECT account_id FROM awspool.accounts ORDER BY account_id;

-- RETURNING shows whose they are, also if the setting says so.
BEGIN;
SET LOCAL awspool.provider = 'acme';
INSERT INTO awspool.import (account_id, marketplace_id, account_model)
VALUES ('600000000020', 'MP-0000', 'SPAM'), ('600000000001', 'MP-0000', 'SPAM') RETURNING *;
INSERT INTO awspool.import VALUES ('other', '600000000021', 'MP-0000', 'SPAM'), (NULL, '600000000022', 'MP-0000', 'SPAM') RETURNING provider;
ROLLBACK;

-- An account's position does not tell it from others: rows written by hand, or
-- merged from two databases, may share one, or have one that is still to come.
BEGIN;
INSERT INTO awspool.account (provider, account_id, marketplace, model, position)
SELECT 'acme', 630000000000 + i, 'MP-0000', 'SPAM', 1000000 FROM generate_series(1, 3) i;
INSERT INTO awspool.import SELECT 'acme', 630000000000 + i, 'MP-0000', 'SPAM' FROM generate_series(1, 20) i;
SELECT count(*) FROM awspool.accounts WHERE account_id LIKE '63%';
SELECT model FROM awspool.edit_account('acme', '630000000001', model => 'ECAM');
INSERT INTO awspool.import VALUES ('acme', '630000000001', 'MP-0000', 'ECAM');
ROLLBACK;

-- Insert only.
\set VERBOSITY sqlstate
SELECT count(*) FROM awspool.import;
UPDATE awspool.import SET account_model = 'SPAM';
DELETE FROM awspool.import;
\set VERBOSITY default
TRUNCATE awspool.account, awspool.account_log;

-- Whose accounts they are, if the rows do not say: the setting's provider, or
-- else the caller's only one.  The setting chooses, it never authorises.
CREATE ROLE regress_awspool_one;
CREATE ROLE regress_awspool_two;
CREATE ROLE regress_awspool_all;
CREATE ROLE regress_awspool_none;
SELECT awspool.grant_provider('acme', 'regress_awspool_one');
SELECT awspool.grant_provider('acme', 'regress_awspool_two');
SELECT awspool.grant_provider('other', 'regress_awspool_two');
SELECT awspool.grant_provider('*', 'regress_awspool_all');
CREATE FUNCTION pg_temp.add_as(who text, id text, setting text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  EXECUTE format('SET LOCAL ROLE %I', who);
  PERFORM set_config('awspool.provider', setting, true);
  INSERT INTO awspool.import (account_id, marketplace_id, account_model) VALUES (id, 'MP-0000', 'SPAM');
  SELECT provider || ' by ' || added_by INTO result FROM awspool.accounts WHERE account_id = id;
  RESET ROLE;
  RETURN result;
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE;
END $$;
SELECT r.who, quote_nullable(s.setting) AS setting, pg_temp.add_as(r.who, row_number() OVER (ORDER BY r.who, s.setting) + 610000000000 || '', s.setting)
FROM (VALUES ('regress_awspool_one'), ('regress_awspool_two'), ('regress_awspool_all'), ('regress_awspool_none')) r (who),
  (VALUES (NULL), (''), ('acme'), ('other'), ('nobody'), ('*'), (' acme'), ('acme, other')) s (setting)
ORDER BY r.who, s.setting;
SELECT provider, account_id, added_by FROM awspool.accounts ORDER BY account_id;
-- a provider in the row goes before the setting
SET ROLE regress_awspool_two;
SET awspool.provider = 'acme';
INSERT INTO awspool.import VALUES ('other', '620000000001', 'MP-0000', 'SPAM'), (NULL, '620000000002', 'MP-0000', 'SPAM');
RESET awspool.provider;
SELECT provider, account_id FROM awspool.accounts WHERE account_id LIKE '62%' ORDER BY account_id;
INSERT INTO awspool.import (account_id, marketplace_id, account_model) VALUES ('620000000003', 'MP-0000', 'SPAM');
\set VERBOSITY sqlstate
-- not yours, in the row or in a function, whatever the setting
SET ROLE regress_awspool_one;
INSERT INTO awspool.import VALUES ('other', '620000000003', 'MP-0000', 'SPAM');
SET awspool.provider = 'other';
INSERT INTO awspool.import VALUES (NULL, '620000000003', 'MP-0000', 'SPAM');
SELECT awspool.import_csv('other', '620000000003;MP-0000;SPAM');
SELECT awspool.check_csv('other', '620000000003;MP-0000;SPAM');
RESET awspool.provider;
SET ROLE regress_awspool_none;
INSERT INTO awspool.import VALUES ('acme', '620000000003', 'MP-0000', 'SPAM');
SELECT awspool.import_csv('acme', '620000000003;MP-0000;SPAM');
SELECT awspool.check_csv('acme', '');
\set VERBOSITY default
-- of an account that is another's no more is said than that the id is taken,
-- whether it is there, was used or was used and deleted
RESET ROLE;
SELECT account_id FROM awspool.claim_account('other', 'MP-0000', 'O-1');
SELECT account_id, status FROM awspool.invalidate_account('other', '620000000001', 'secret');
SELECT account_id, status FROM awspool.delete_account('other', '620000000001');
SELECT account_id FROM awspool.add_account('other', '620000000009', 'MP-9999', 'ECAM');
SET ROLE regress_awspool_one;
SELECT * FROM awspool.check_csv('acme', E'620000000001;MP-0000;SPAM\n620000000009;MP-0000;SPAM\n620000000009;MP-9999;ECAM') ORDER BY line;
SELECT * FROM awspool.import_csv('acme', E'620000000001;MP-0000;SPAM\n620000000009;MP-0000;SPAM', true) ORDER BY line;
INSERT INTO awspool.import VALUES ('acme', '620000000009', 'MP-9999', 'ECAM');
INSERT INTO awspool.import VALUES ('acme', '620000000001', 'MP-0000', 'SPAM');
RESET ROLE;
-- all rows are stored in the name of one role
BEGIN;
INSERT INTO awspool.import SELECT 'acme', '620000000010', 'MP-0000', 'SPAM' FROM set_config('role', 'regress_awspool_one', true);
ROLLBACK;

-- Another unique index may be the one that objects to an id that is there.
CREATE UNIQUE INDEX user_index ON awspool.account (account_id, model);
SELECT outcome, count(*) FROM awspool.import_csv('acme', (SELECT string_agg(to_char(i, 'FM000000000000') || ';MP-0001;SPAM', E'\n')
  FROM generate_series(100000000001, 100000004096) i)) GROUP BY 1;
SELECT outcome, count(*) FROM awspool.import_csv('acme', (SELECT string_agg(to_char(i, 'FM000000000000') || ';MP-0001;SPAM', E'\n')
  FROM (SELECT generate_series(100000004097, 100000008192) UNION ALL SELECT generate_series(100000000001, 100000000040)) n (i))) GROUP BY 1 ORDER BY 1;
DROP INDEX awspool.user_index;

-- What is wrong with one row of a file is told with its line, whenever that shows.
CREATE FUNCTION public.regress_awspool_fits(account_id text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF account_id = '120000000030' THEN RAISE EXCEPTION 'not this one'; END IF;
  RETURN true;
END $$;
ALTER TABLE awspool.account ADD CONSTRAINT user_check CHECK (public.regress_awspool_fits(account_id));
\copy awspool.import FROM PROGRAM 'seq 120000000021 120000000040 | sed "s/.*/acme;&;MP-0000;SPAM/"' (FORMAT csv, DELIMITER ';')
\copy awspool.import FROM PROGRAM 'seq 120000000021 120000004500 | sed "s/.*/acme;&;MP-0000;SPAM/"' (FORMAT csv, DELIMITER ';')
INSERT INTO awspool.import SELECT 'acme', i::text, 'MP-0000', 'SPAM' FROM generate_series(120000000021, 120000000040) i;
SELECT FROM awspool.import_csv('acme', (SELECT string_agg(i || ';MP-0000;SPAM', E'\n') FROM generate_series(120000000021, 120000000040) i));
ALTER TABLE awspool.account DROP CONSTRAINT user_check;
DROP FUNCTION public.regress_awspool_fits;

-- A trigger of the owner's may store an account for each that is stored.  That
-- does not make the others strangers, who arrive without a function storing them.
CREATE FUNCTION public.regress_awspool_pair() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.model = 'SPAM' THEN
    PERFORM FROM awspool.add_account(NEW.provider, translate(NEW.account_id, '1', '9'), NEW.marketplace, 'ECAM');
    BEGIN
      PERFORM FROM awspool.add_account(NEW.provider, translate(NEW.account_id, '1', '9'), NEW.marketplace, 'ECAM');
    EXCEPTION WHEN unique_violation THEN NULL;
    END;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER pair BEFORE INSERT ON awspool.account FOR EACH ROW EXECUTE FUNCTION public.regress_awspool_pair();
CREATE TEMP TABLE arrivals AS SELECT * FROM awspool.arrival_count;
SELECT account_id FROM awspool.add_account('acme', '110000000001', 'MP-0000', 'SPAM');
SELECT outcome FROM awspool.import_csv('acme', '110000000002;MP-0000;SPAM');
SELECT count(*) FROM awspool.accounts WHERE account_id LIKE '99%';
SELECT count(*) FROM (TABLE arrivals EXCEPT TABLE awspool.arrival_count) a;
DROP TRIGGER pair ON awspool.account;
DROP FUNCTION public.regress_awspool_pair;

TRUNCATE awspool.account, awspool.account_log, awspool.provider_role;
DROP ROLE regress_awspool_one, regress_awspool_two, regress_awspool_all, regress_awspool_none;
