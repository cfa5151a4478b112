--
-- Reconciliation: reconcile_csv, check_reconcile_csv and passed_over, which
-- bring a pool in line with what the orders system says was used.
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

-- A list, as it is and with a header.
CREATE FUNCTION pg_temp.report(list text) RETURNS SETOF text
LANGUAGE sql AS $$
  SELECT concat_ws(' ', line, account_id, order_id, outcome, '(' || detail || ')')
  FROM awspool.reconcile_csv('acme', list)
$$;

--
-- Everything that an account can be here, and everything that the list can
-- say of it.  Each row alone, and nothing remains.
--
CREATE TEMP TABLE here (n int, what text);
INSERT INTO here VALUES
  (1, 'ready'), (2, 'in progress, same order'), (3, 'in progress, other order'), (4, 'in progress, no order'),
  (5, 'allocated, same order'), (6, 'allocated, other order'), (7, 'allocated, no order'),
  (8, 'failed, same order'), (9, 'failed, other order'), (10, 'invalid, same order'), (11, 'invalid, never claimed'),
  (12, 'used and deleted'), (13, 'another provider''s'), (14, 'another provider''s, used and deleted'),
  (15, 'not there'), (16, 'ready, but its order has another'), (17, 'ready, and its order failed before'),
  (18, 'ready once and deleted'), (19, 'not there, but its order has another');
CREATE FUNCTION pg_temp.id(n int) RETURNS text RETURN (100000000000 + n)::text;

INSERT INTO awspool.account (provider, account_id, marketplace, model, status, order_id, order_model, claimed_at, claimed_by, closed_at, closed_by)
  SELECT CASE WHEN n IN (13, 14) THEN 'bolt' ELSE 'acme' END, pg_temp.id(n), 'MP-0001', 'SPAM', s.status,
         CASE WHEN what LIKE '%same order' THEN 'order-' || n WHEN what LIKE '%other order' THEN 'other-' || n END,
         CASE WHEN claimed THEN 'SPAM' END, CASE WHEN claimed THEN now() END, CASE WHEN claimed THEN 'me' END,
         CASE WHEN closed THEN now() END, CASE WHEN closed THEN 'me' END
  FROM here, LATERAL (SELECT CASE WHEN what LIKE 'in progress%' THEN 'provisioning_in_progress'
                                  WHEN what LIKE 'allocated%' OR what LIKE '%used and deleted' THEN 'allocated'
                                  WHEN what LIKE 'failed%' THEN 'provisioning_failed'
                                  WHEN what LIKE 'invalid%' THEN 'invalid' ELSE 'ready' END) s (status),
    LATERAL (SELECT s.status <> 'ready' AND what NOT LIKE '%never claimed', s.status NOT IN ('ready', 'provisioning_in_progress')) c (claimed, closed)
  WHERE what NOT LIKE 'not there%'
  ORDER BY n;
INSERT INTO awspool.account (provider, account_id, marketplace, model, status, order_id, order_model, claimed_at, claimed_by, closed_at, closed_by)
  VALUES ('acme', '200000000016', 'MP-0001', 'SPAM', 'allocated', 'order-16', 'SPAM', now(), 'me', now(), 'me'),
         ('acme', '200000000017', 'MP-0001', 'SPAM', 'provisioning_failed', 'order-17', 'SPAM', now(), 'me', now(), 'me'),
         ('acme', '200000000019', 'MP-0001', 'SPAM', 'provisioning_in_progress', 'order-19', 'SPAM', now(), 'me', NULL, NULL);
DELETE FROM awspool.account WHERE account_id IN (SELECT pg_temp.id(n) FROM here WHERE what LIKE '%deleted');

-- What becomes of it, in the report, and in the pool; as check_reconcile_csv
-- foretells.
CREATE FUNCTION pg_temp.try(list text, id text, OUT report text, OUT stored text, OUT foretold boolean)
LANGUAGE plpgsql AS $$
DECLARE
  foretelling text;
BEGIN
  SELECT outcome || coalesce(' (' || detail || ')', '') INTO foretelling FROM awspool.check_reconcile_csv('acme', list);
  SELECT outcome || coalesce(' (' || detail || ')', '') INTO report FROM awspool.reconcile_csv('acme', list);
  SELECT concat_ws(', ', marketplace, status, order_id, reason, 'claimed ' || to_char(claimed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD'), 'closed ' || to_char(closed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD'))
    INTO stored FROM awspool.accounts WHERE account_id = id AND provider = 'acme' AND report LIKE ANY ('{marked%,added%}');
  foretold := foretelling = report;
  RAISE EXCEPTION USING ERRCODE = 'DONE0';
EXCEPTION WHEN SQLSTATE 'DONE0' THEN
  NULL;
END $$;

CREATE TEMP TABLE list_says (m int, what text, rest text);
INSERT INTO list_says VALUES
  (1, 'nothing', ';;;;'),
  (2, 'allocated, with times', 'allocated;;;2020-01-01T10:00:00Z;2020-01-02T10:00:00Z;'),
  (3, 'in progress', 'provisioning_in_progress;;;2020-01-01T10:00:00Z;;'),
  (4, 'failed', 'provisioning_failed;;;2020-01-01T10:00:00Z;2020-01-02T10:00:00Z;no root'),
  (5, 'invalid', 'invalid;;;;2020-01-02T10:00:00Z;no root'),
  (6, 'with a marketplace', 'allocated;MP-0002;ECAM;2020-01-01T10:00:00Z;2020-01-02T10:00:00Z;'),
  (7, 'ready', 'ready;MP-0001;SPAM;;;');

SELECT h.what AS here, l.what AS list, t.report, regexp_replace(t.stored, '(20[3-9]\d|202[1-9])-\d\d-\d\d', 'now', 'g') AS stored, t.foretold
FROM here h CROSS JOIN list_says l
  CROSS JOIN LATERAL pg_temp.try(E'account_id;order_id;status;marketplace_id;account_model;claimed_at;closed_at;reason\n'
    || pg_temp.id(h.n) || ';order-' || h.n || ';' || CASE l.m WHEN 1 THEN ';;;;;' ELSE l.rest END, pg_temp.id(h.n)) t
ORDER BY h.n, l.m;

-- No order by name: only of what is invalid, and then nobody contradicts.
SELECT h.what AS here, t.report, regexp_replace(t.stored, '(20[3-9]\d|202[1-9])-\d\d-\d\d', 'now', 'g') AS stored, t.foretold
FROM here h CROSS JOIN LATERAL pg_temp.try(E'account_id;order_id;status;closed_at\n' || pg_temp.id(h.n) || ';;invalid;2020-01-02', pg_temp.id(h.n)) t
ORDER BY h.n;
SELECT * FROM pg_temp.try(E'account_id;order_id\n100000000001;', '100000000001');
-- A reason that an allocated account cannot have
SELECT * FROM pg_temp.try(E'account_id;order_id;reason;claimed_at;closed_at\n100000000001;o;note;2020-01-01;2020-01-02', '100000000001');

--
-- What is wrong with a row by itself.
--
SELECT line, t.report, t.foretold
FROM unnest(ARRAY['1;o', '12345678901;o;', ';o', '100000000001;;;', E'100000000001;"a\tb"', '100000000001; o', '100000000001;o;sold', '100000000001;o;READY', '100000000001;o;Allocated',
  '100000000001;o;;MP-1;SPAM', '100000000001;o;;MP-0001;none', '100000000001;o;;;;yesterday', '100000000001;o;;;;01/02/2020', '100000000001;o;;;;2020-13-01', '100000000001;o;;;;2020-01-01 25:00',
  '100000000001;o;;;;infinity', '100000000001;o;;;;2999-01-01', '100000000001;o;;;;;2999-01-01', '100000000001;o;;;;2020-01-02;2020-01-01', '100000000001;o;provisioning_in_progress;;;2020-01-01;2020-01-02',
  '100000000001;o;;;;2020-01-01T00:00:00 Nowhere/Nowhere', '100000000001;o;;;;2020-01-01 ZZ-5', '100000000001;o;;;;now', '100000000001', '100000000001;o;allocated;MP-0001;SPAM;2020-01-01;2020-01-02;;x',
  '1;;x;MP-1;y;z;2999-01-01;']) line
  CROSS JOIN LATERAL pg_temp.try(line, '100000000001') t;

--
-- The file: what import_csv reads, and columns that may be left out.
--
SELECT name, t.report, t.stored, t.foretold
FROM (VALUES
  ('no header', E'100000000001;o;allocated;;;2020-01-01;2020-01-02'),
  ('no header, commas, trailing separators', E'100000000001,o,allocated,,,2020-01-01,2020-01-02,,,,'),
  ('another order', E'closed_at;order_id;CLAIMED_AT;account_id\n2020-01-02;o;2020-01-01;100000000001'),
  ('mixed, CRLF', E'claimed_at;closed_at,account_id;order_id\r\n2020-01-01;2020-01-02;100000000001,o\r\n'),
  ('byte order mark, sep=, blank lines, quotes', E'\ufeffsep=,\n\naccount_id,order_id,claimed_at,closed_at\n\n"100000000001","o","2020-01-01","2020-01-02"\n\n'),
  ('separators behind the header', E'account_id;order_id;claimed_at;closed_at;;;;;;;\n100000000001;o;2020-01-01;2020-01-02;;;;;;;;;;;;'),
  ('a time zone', E'100000000001;o;;;;2020-01-01T23:30:00-01:00;2020-01-02T01:00:00+00')) f (name, list)
  CROSS JOIN LATERAL pg_temp.try(list, '100000000001') t;
SELECT count(*) FROM awspool.reconcile_csv('acme', '');
SELECT count(*) FROM awspool.reconcile_csv('acme', E'account_id;order_id\n');

SELECT awspool.reconcile_csv('acme', E'account_id;order_id;clamed_at\n100000000001;o;2020-01-01');
SELECT awspool.reconcile_csv('acme', E'account_id;status\n100000000001;allocated');
SELECT awspool.reconcile_csv('acme', E'order_id\no');
SELECT awspool.check_reconcile_csv('acme', E'account_id;order_id;status;Status\n100000000001;o;;');
SELECT list, pg_temp.outcome(format('SELECT awspool.reconcile_csv(''acme'', %L)', list)) AS reconcile,
       pg_temp.outcome(format('SELECT awspool.check_reconcile_csv(''acme'', %L)', list)) AS check
FROM unnest(ARRAY['100000000001;"o', E'100000000001;o\n\\.\n100000000002;o', NULL]) list;
SELECT status FROM awspool.accounts WHERE account_id = '100000000001';

--
-- Rows beside each other.
--
-- An id twice; an order with two accounts; an order whose account failed, and
-- that then got another one, which is in the list before.
CREATE FUNCTION pg_temp.both(list text) RETURNS TABLE (reconcile text, check_says_so boolean)
LANGUAGE plpgsql AS $$
DECLARE
  checked text;
BEGIN
  SELECT string_agg(concat_ws(' ', line, account_id, order_id, outcome, '(' || detail || ')'), E'\n' ORDER BY line) INTO checked FROM awspool.check_reconcile_csv('acme', list);
  SELECT string_agg(concat_ws(' ', line, account_id, order_id, outcome, '(' || detail || ')'), E'\n') INTO reconcile FROM awspool.reconcile_csv('acme', list);
  check_says_so := checked = reconcile;
  RETURN NEXT;
END $$;
\pset format unaligned
SELECT * FROM pg_temp.both(E'account_id;order_id;status;marketplace_id;account_model\n'
  '100000000001;o-1;;;\n100000000001;o-1;;;\n100000000001;o-2;;;\n'
  '100000000016;o-1;;;\n300000000001;o-1;;MP-0001;SPAM\n300000000002;o-3;;MP-0001;SPAM\n100000000017;o-3;;;\n'
  '300000000003;order-19;;MP-0001;SPAM\n200000000019;order-19;provisioning_failed;;\n');
-- again: all of that is there
SELECT * FROM pg_temp.both(E'account_id;order_id;status;marketplace_id;account_model\n'
  '100000000001;o-1;;;\n300000000002;o-3;;MP-0001;SPAM\n300000000003;order-19;;MP-0001;SPAM\n200000000019;order-19;provisioning_failed;;\n');
\pset format aligned
-- An order finds its account; the failed one's gets another.
SELECT account_id, status FROM awspool.claim_account('acme', 'MP-0001', 'o-1');
SELECT account_id, status FROM awspool.claim_account('acme', 'MP-0001', 'order-19');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0001', 'order-8');
-- The history tells of it, also once the account is deleted.
SELECT event, actor = current_user AS me, detail FROM awspool.account_history('acme', '100000000001');
SELECT event, detail FROM awspool.account_history('acme', '300000000002');
SELECT event, detail FROM awspool.account_history('acme', '200000000019');
SELECT account_id FROM awspool.delete_account('acme', '100000000001');
SELECT event, detail FROM awspool.account_history('acme', '100000000001');
TRUNCATE awspool.account, awspool.account_log;

-- What was edited in the time that was lost is edited again; who marks it is
-- who did it all.
SELECT account_id FROM awspool.add_account('acme', '100000000001', 'MP-0001', 'SPAM');
SELECT pg_temp.report('100000000001;o;provisioning_in_progress;MP-0002;ECAM;2020-01-01');
SELECT marketplace, model, order_model, status, claimed_by = current_user AS me, claimed_at = '2020-01-01' AS then, closed_at FROM awspool.accounts;
SELECT event, detail FROM awspool.account_history('acme', '100000000001');
SELECT status FROM awspool.allocate_account('acme', '100000000001', 'o');
SELECT event, detail FROM awspool.account_history('acme', '100000000001');
TRUNCATE awspool.account, awspool.account_log;

--
-- Nobody else forges times, or skips a claim: not by a trigger either that
-- changes another account while one is marked.
--
SELECT FROM awspool.import_csv('acme', E'100000000001;MP-0001;SPAM\n100000000002;MP-0001;SPAM');
CREATE FUNCTION pg_temp.meddle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.account_id = '100000000001' THEN
    UPDATE awspool.account SET status = 'allocated', order_id = 'p', claimed_at = '2020-01-01' WHERE account_id = '100000000002';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER a_meddle BEFORE UPDATE ON awspool.account FOR EACH ROW EXECUTE FUNCTION pg_temp.meddle();
SELECT pg_temp.outcome($$SELECT awspool.reconcile_csv('acme', '100000000001;o;;;;2020-01-01;2020-01-02')$$);
DROP TRIGGER a_meddle ON awspool.account;
-- The mark is gone with the error.
SELECT pg_temp.outcome($$UPDATE awspool.account SET status = 'allocated', order_id = 'o' WHERE account_id = '100000000001'$$);
SELECT pg_temp.outcome($$UPDATE awspool.account SET status = 'provisioning_in_progress', claimed_at = '2020-01-01' WHERE account_id = '100000000001'$$);
UPDATE awspool.account SET status = 'provisioning_in_progress', claimed_at = '2020-01-01' WHERE account_id = '100000000001';
SELECT claimed_at > '2020-01-02' AS stamped FROM awspool.accounts WHERE account_id = '100000000001';
-- A trigger that wants something else is told so.
CREATE FUNCTION pg_temp.prevent() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.status = 'invalid'; RETURN NEW; END $$;
CREATE TRIGGER a_prevent BEFORE UPDATE ON awspool.account FOR EACH ROW EXECUTE FUNCTION pg_temp.prevent();
SELECT pg_temp.outcome($$SELECT awspool.reconcile_csv('acme', '100000000002;o')$$);
DROP TRIGGER a_prevent ON awspool.account;
TRUNCATE awspool.account, awspool.account_log;

--
-- Many rows: more than a batch, and more orders than there is room for locks.
--
SELECT count(*) FROM awspool.import_csv('acme', (SELECT string_agg((100000000000 + i)::text || ';MP-000' || i % 2 || ';SPAM', E'\n') FROM generate_series(1, 30000) i));
SELECT outcome, count(*), min(line), max(line) FROM awspool.reconcile_csv('acme', (SELECT string_agg((100000000000 + i)::text || ';order-' || i || CASE i % 10 WHEN 0 THEN ';provisioning_failed;MP-0001;SPAM;;;' WHEN 1 THEN ';allocated;MP-0001;SPAM;;;note' ELSE '' END, E'\n' ORDER BY i) FROM generate_series(1001, 31000) i)) GROUP BY outcome ORDER BY outcome;
SELECT status, count(*), count(order_id) FROM awspool.accounts GROUP BY status ORDER BY status;
SELECT count(*) < 100 AS few_locks FROM pg_locks WHERE pid = pg_backend_pid();
SELECT event, count(*) FROM awspool.account_log GROUP BY event ORDER BY event;
TRUNCATE awspool.account, awspool.account_log;

--
-- What version 1.0 let an order be called is no malformed name, in the row of the
-- account that the order has.
--
INSERT INTO awspool.account (provider, account_id, marketplace, model, status, order_id, order_model, claimed_at, claimed_by, closed_at, closed_by)
VALUES ('acme', '100000000001', 'MP-0001', 'SPAM', 'provisioning_in_progress', U&'o-1\00a0', 'SPAM', now(), 'me', NULL, NULL),
       ('acme', '100000000002', 'MP-0001', 'SPAM', 'allocated', U&'o-2\00a0', 'SPAM', now(), 'me', now(), 'me'),
       ('acme', '100000000003', 'MP-0001', 'SPAM', 'provisioning_in_progress', 'o-3', 'SPAM', now(), 'me', NULL, NULL),
       ('acme', '100000000004', 'MP-0001', 'SPAM', 'ready', NULL, NULL, NULL, NULL, NULL, NULL);
SELECT list, replace(concat_ws(' ', line, order_id, outcome, '(' || left(detail, 40) || ')'), U&'\00a0', '~') AS report
FROM (VALUES
  (1, '1;o-1~;provisioning_in_progress'), (2, '1;o-1~'), (3, '1;o-2~'), (4, '2;o-2~;provisioning_in_progress'),
  (5, '2;o-2~;provisioning_failed'), (6, '3;o-3~'), (7, '4;o-1~'), (8, '4;o-4~'), (9, '5;o-5~;allocated;MP-0001;SPAM'),
  (10, '5;o-5~'), (11, E'2;o-2~\n100000000002;o-2~'), (12, '1;o-1~;sold')) v (list, rows),
  awspool.check_reconcile_csv('acme', '10000000000' || replace(rows, '~', U&'\00a0'))
ORDER BY list, line;
SELECT replace(pg_temp.report(replace(E'100000000001;o-1~\n100000000002;o-2~\n100000000004;o-4~', '~', U&'\00a0')), U&'\00a0', '~');
SELECT account_id, status FROM awspool.accounts ORDER BY account_id;
TRUNCATE awspool.account, awspool.account_log;

--
-- Passed over.
--
SELECT FROM awspool.import_csv('acme', (SELECT string_agg((100000000000 + i)::text || ';MP-000' || i % 2 || ';SPAM', E'\n' ORDER BY i) FROM generate_series(1, 20) i));
SELECT FROM awspool.import_csv('acme', '100000000099;MP-0009;SPAM');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0001', 'o-1');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0001', 'o-2');
SELECT account_id FROM awspool.passed_over('acme');
-- one that joins a pool at its own age was not there yet
SELECT account_id FROM awspool.edit_account('acme', '100000000002', 'MP-0001');
SELECT account_id FROM awspool.passed_over('acme');
SELECT account_id FROM awspool.edit_account('acme', '100000000002', 'MP-0000');
-- what a list says was sold tells of those before it, whatever the times
SELECT pg_temp.report(E'100000000009;o-9;;;;2020-01-01;2020-01-01');
SELECT account_id FROM awspool.passed_over('acme');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0001', 'o-3');
SELECT account_id, status FROM awspool.passed_over('acme');
SELECT count(*) FROM awspool.invalidate_account('acme', '100000000007', 'passed over');
SELECT account_id FROM awspool.passed_over('acme');
-- so does one that was added as sold, but not of what came later than that
SELECT FROM awspool.add_account('acme', '100000000050', 'MP-0000', 'SPAM');
SELECT pg_temp.report(E'account_id;order_id;marketplace_id;account_model\n100000000098;o-98;MP-0009;SPAM');
SELECT pg_temp.report(E'account_id;order_id;marketplace_id;account_model;claimed_at\n100000000097;o-97;MP-0000;SPAM;2020-01-01');
SELECT account_id FROM awspool.passed_over('acme');
-- a claim by hand, of a younger one
UPDATE awspool.account SET status = 'provisioning_in_progress' WHERE account_id = '100000000006';
SELECT account_id FROM awspool.passed_over('acme') WHERE marketplace = 'MP-0000';
SELECT account_id FROM awspool.passed_over('bolt');
TRUNCATE awspool.account, awspool.account_log;
