--
-- The statuses of an account: the moves between them, what a row of each has,
-- and what never changes.  All of it holds for a superuser who writes to the
-- base table, and none of it stops rows that come back from a backup.
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

-- Rows of every status can be inserted as they were, also a claim without an
-- order, and both lives of an invalid account.
INSERT INTO awspool.account (provider, account_id, marketplace, model, status, order_id, order_model,
  reason, added_at, added_by, claimed_at, claimed_by, closed_at, closed_by, position)
VALUES
  ('acme', '200000000001', 'MP-0000', 'SPAM', 'ready', NULL, NULL, NULL, '2024-01-01', 'a', NULL, NULL, NULL, NULL, 1001),
  ('acme', '200000000002', 'MP-0000', 'ECAM', 'provisioning_in_progress', 'O-2', 'SPAM', NULL, '2024-01-01', 'a', '2024-01-02', 'c', NULL, NULL, 1002),
  ('acme', '200000000003', 'MP-0000', 'SPAM', 'allocated', 'O-3', 'SPAM', NULL, '2024-01-01', 'a', '2024-01-02', 'c', '2024-01-03', 'd', 1003),
  ('acme', '200000000004', 'MP-0000', 'SPAM', 'provisioning_failed', 'O-4', 'SPAM', 'broken', '2024-01-01', 'a', '2024-01-02', 'c', '2024-01-03', 'd', 1004),
  ('acme', '200000000005', 'MP-0000', 'SPAM', 'invalid', NULL, NULL, 'never used', '2024-01-01', 'a', NULL, NULL, '2024-01-03', 'd', 1005),
  ('acme', '200000000006', 'MP-0000', 'SPAM', 'invalid', 'O-6', 'SPAM', 'in progress', '2024-01-01', 'a', '2024-01-02', 'c', '2024-01-03', 'd', 1006),
  ('acme', '200000000007', 'MP-0000', 'SPAM', 'provisioning_in_progress', NULL, 'SPAM', NULL, '2024-01-01', 'a', '2024-01-02', 'c', NULL, NULL, 1007),
  ('acme', '200000000008', 'MP-0000', 'SPAM', 'allocated', NULL, 'SPAM', NULL, '2024-01-01', 'a', '2024-01-02', 'c', '2024-01-03', 'd', 1008),
  ('acme', '200000000009', 'MP-0000', 'SPAM', 'provisioning_failed', NULL, 'SPAM', NULL, '2024-01-01', 'a', '2024-01-02', 'c', '2024-01-03', 'd', 1009);

-- They are as they were: nothing is stamped over.
SELECT account_id, status, order_id, order_model, reason, added_at::date, added_by,
       claimed_at::date, claimed_by, closed_at::date, closed_by, position
FROM awspool.account ORDER BY account_id;

-- Every move from every status: "done" where the contract has it.
SELECT a.status, a.account_id,
       pg_temp.outcome(format('UPDATE awspool.account SET status = %L WHERE account_id = %L', 'ready', account_id)) AS ready,
       pg_temp.outcome(format('UPDATE awspool.account SET status = %L WHERE account_id = %L', 'provisioning_in_progress', account_id)) AS in_progress,
       pg_temp.outcome(format('UPDATE awspool.account SET status = %L WHERE account_id = %L', 'allocated', account_id)) AS allocated,
       pg_temp.outcome(format('UPDATE awspool.account SET status = %L WHERE account_id = %L', 'provisioning_failed', account_id)) AS failed,
       pg_temp.outcome(format('UPDATE awspool.account SET status = %L WHERE account_id = %L', 'invalid', account_id)) AS invalid,
       pg_temp.outcome(format('DELETE FROM awspool.account WHERE account_id = %L', account_id)) AS deleted
FROM awspool.account a ORDER BY account_id;

-- The error says what is allowed.
UPDATE awspool.account SET status = 'allocated' WHERE account_id = '200000000001';
UPDATE awspool.account SET status = 'ready' WHERE account_id = '200000000002';
UPDATE awspool.account SET status = 'ready' WHERE account_id = '200000000003';
UPDATE awspool.account SET status = 'sold' WHERE account_id = '200000000001';
DELETE FROM awspool.account WHERE account_id = '200000000002';

-- No other statement gets past it, and no other order of columns.
\set VERBOSITY sqlstate
UPDATE awspool.account SET status = 'ready', order_id = NULL, order_model = NULL, reason = NULL,
  claimed_at = NULL, claimed_by = NULL, closed_at = NULL, closed_by = NULL WHERE status <> 'ready';
UPDATE awspool.account SET status = NULL WHERE account_id = '200000000001';
UPDATE awspool.account SET status = '' WHERE account_id = '200000000001';
UPDATE awspool.account SET status = 'READY' WHERE account_id = '200000000001';
INSERT INTO awspool.account AS a (provider, account_id, marketplace, model)
  VALUES ('acme', '200000000003', 'MP-0000', 'SPAM')
  ON CONFLICT (account_id) DO UPDATE SET status = 'ready';
MERGE INTO awspool.account a USING (VALUES ('200000000003')) v (id) ON a.account_id = v.id
  WHEN MATCHED THEN UPDATE SET status = 'ready';
MERGE INTO awspool.account a USING (VALUES ('200000000002')) v (id) ON a.account_id = v.id
  WHEN MATCHED THEN DELETE;
-- not even in one statement with its deletion, nor from one to the next
WITH gone AS (DELETE FROM awspool.account WHERE account_id = '200000000003' RETURNING *)
INSERT INTO awspool.account (provider, account_id, marketplace, model)
  SELECT provider, account_id, marketplace, model FROM gone;
BEGIN;
DELETE FROM awspool.account WHERE account_id = '200000000003';
INSERT INTO awspool.account (provider, account_id, marketplace, model)
  VALUES ('acme', '200000000003', 'MP-0000', 'SPAM');
ROLLBACK;
\set VERBOSITY default

-- What never changes, and what changes only in a move, for each status.  The
-- model changes at any time, the marketplace while the account is ready.
SELECT c.column, string_agg(DISTINCT r.outcome, ' ') FILTER (WHERE a.status = 'ready') AS ready,
       string_agg(DISTINCT r.outcome, ' ') FILTER (WHERE a.status = 'provisioning_in_progress') AS in_progress,
       string_agg(DISTINCT r.outcome, ' ') FILTER (WHERE a.status NOT IN ('ready', 'provisioning_in_progress')) AS closed
FROM (VALUES ('provider', '''other'''), ('account_id', '''299999999999'''), ('marketplace', '''MP-1111'''),
        ('model', 'CASE model WHEN ''SPAM'' THEN ''ECAM'' ELSE ''SPAM'' END'), ('order_id', '''O-99'''), ('order_model', '''ECAM'''),
        ('reason', '''because'''), ('added_at', 'now()'), ('added_by', '''me'''),
        ('claimed_at', 'now()'), ('claimed_by', '''me'''), ('closed_at', 'now()'),
        ('closed_by', '''me'''), ('position', '1')) c ("column", value),
     awspool.account a,
     pg_temp.outcome(format('UPDATE awspool.account SET %I = %s WHERE account_id = %L', c.column, c.value, a.account_id)) r (outcome)
GROUP BY c.column ORDER BY c.column;
UPDATE awspool.account SET position = 1 WHERE account_id = '200000000002';
UPDATE awspool.account SET reason = 'another' WHERE account_id = '200000000004';
UPDATE awspool.account SET marketplace = 'MP-1111' WHERE account_id = '200000000002';

-- The model of an order stays what it was when the order got the account.
UPDATE awspool.account SET model = 'SPAM' WHERE account_id = '200000000002' RETURNING model, order_model;

-- A move is stamped with the role and the clock of the moment, whatever the
-- statement says; the model of the order is that of the account.
BEGIN;
UPDATE awspool.account SET status = 'provisioning_in_progress', order_id = 'O-1', order_model = 'ECAM',
  claimed_at = '2020-01-01', claimed_by = 'me' WHERE account_id = '200000000001';
UPDATE awspool.account SET status = 'provisioning_failed', reason = 'why',
  closed_at = '2020-01-01', closed_by = 'me' WHERE account_id = '200000000001';
SELECT status, order_id, order_model, reason, claimed_by = current_user AS claimed_by_me, closed_by = current_user AS closed_by_me,
       claimed_at >= now() AS claimed_now, closed_at >= claimed_at AS closed_later
FROM awspool.account WHERE account_id = '200000000001';
ROLLBACK;

-- A row has what belongs to its status, and nothing else.  Each column of each
-- row above by itself, emptied or filled: only these may be either way.
SELECT a.account_id, a.status, c.column, r.outcome
FROM awspool.account a,
     (VALUES ('order_id', '''O-99'''), ('order_model', '''SPAM'''), ('reason', '''because'''), ('claimed_at', 'now()'),
        ('claimed_by', '''me'''), ('closed_at', 'now()'), ('closed_by', '''me''')) c ("column", value),
     pg_temp.outcome(format($$
       INSERT INTO awspool.account (provider, account_id, marketplace, model, status, order_id, order_model, reason,
         claimed_at, claimed_by, closed_at, closed_by)
       SELECT 'acme', '299999999999', marketplace, model, status, %s
       FROM awspool.account WHERE account_id = %L $$,
       (SELECT string_agg(CASE WHEN l.column = c.column THEN format('CASE WHEN %I IS NULL THEN %s END', c.column, c.value)
                               WHEN l.column = 'order_id' THEN 'order_id || ''x'''
                               ELSE l.column END, ', ' ORDER BY l.place)
        FROM (VALUES (1, 'order_id'), (2, 'order_model'), (3, 'reason'), (4, 'claimed_at'),
                (5, 'claimed_by'), (6, 'closed_at'), (7, 'closed_by')) l (place, "column")), a.account_id)) r (outcome)
WHERE r.outcome <> '23514'
ORDER BY a.account_id, c.column;

-- What every row has, and its form.
SELECT c.column, pg_temp.outcome(format($$
       INSERT INTO awspool.account (provider, account_id, marketplace, model, status, added_at, added_by, position)
       SELECT %s FROM awspool.account WHERE account_id = '200000000001' $$,
       (SELECT string_agg(CASE WHEN l.column = c.column THEN c.value
                               WHEN l.column = 'account_id' THEN '''299999999999'''
                               ELSE l.column END, ', ' ORDER BY l.place)
        FROM (VALUES (1, 'provider'), (2, 'account_id'), (3, 'marketplace'), (4, 'model'), (5, 'status'),
                (6, 'added_at'), (7, 'added_by'), (8, 'position')) l (place, "column")))) AS outcome, c.value
FROM (VALUES ('none', ''), ('provider', 'NULL'), ('account_id', 'NULL'), ('marketplace', 'NULL'), ('model', 'NULL'), ('status', 'NULL'),
        ('added_at', 'NULL'), ('added_by', 'NULL'), ('position', 'NULL'),
        ('provider', ''''''), ('provider', '''*'''), ('provider', 'repeat(''x'', 65)'), ('provider', 'E''a\nb'''),
        ('account_id', '''12345678901'''), ('account_id', '''1234567890123'''), ('account_id', '''12345678901x'''),
        ('marketplace', '''MP-000'''), ('marketplace', '''mp-0000'''), ('model', '''spam'''), ('model', ''''''),
        ('status', '''sold'''), ('status', ''''''), ('account_id', '''200000000001''')) c ("column", value)
ORDER BY c.column, c.value;

-- An id is unique over the whole database; an order holds one account at a
-- time, each provider's orders by themselves.
\set VERBOSITY sqlstate
INSERT INTO awspool.account (provider, account_id, marketplace, model) VALUES ('other', '200000000001', 'MP-0000', 'SPAM');
INSERT INTO awspool.account (provider, account_id, marketplace, model, status, order_id, order_model, claimed_at, claimed_by)
  VALUES ('acme', '200000000010', 'MP-1111', 'SPAM', 'provisioning_in_progress', 'O-2', 'SPAM', now(), 'c');
INSERT INTO awspool.account (provider, account_id, marketplace, model, status, order_id, order_model, claimed_at, claimed_by)
  VALUES ('acme', '200000000010', 'MP-1111', 'SPAM', 'provisioning_in_progress', 'O-3', 'SPAM', now(), 'c');
\set VERBOSITY default
INSERT INTO awspool.account (provider, account_id, marketplace, model, status, order_id, order_model, claimed_at, claimed_by)
  VALUES ('acme', '200000000010', 'MP-1111', 'SPAM', 'provisioning_in_progress', 'O-4', 'SPAM', now(), 'c'),
         ('acme', '200000000011', 'MP-1111', 'SPAM', 'provisioning_in_progress', 'O-6', 'SPAM', now(), 'c'),
         ('other', '200000000012', 'MP-1111', 'SPAM', 'provisioning_in_progress', 'O-2', 'SPAM', now(), 'c');

-- session_replication_role is a setting, and exempts nobody.
SET session_replication_role = replica;
SELECT a.status, a.account_id,
       pg_temp.outcome(format($$UPDATE awspool.account SET status = 'ready', order_id = NULL, order_model = NULL, reason = NULL,
         claimed_at = NULL, claimed_by = NULL, closed_at = NULL, closed_by = NULL WHERE account_id = %L$$, account_id)) AS ready,
       pg_temp.outcome(format($$DELETE FROM awspool.account WHERE account_id = %L$$, account_id)) AS deleted,
       pg_temp.outcome(format($$DELETE FROM awspool.account WHERE account_id = %1$L;
         INSERT INTO awspool.account (provider, account_id, marketplace, model) VALUES ('acme', %1$L, 'MP-0000', 'SPAM')$$, account_id)) AS again
FROM awspool.account a WHERE provider = 'acme' ORDER BY account_id;
RESET session_replication_role;

-- An account that was used stays used after its deletion; one that was not
-- may come back.
DELETE FROM awspool.account WHERE status <> 'provisioning_in_progress';
SELECT id, pg_temp.outcome(format($$INSERT INTO awspool.account (provider, account_id, marketplace, model)
  VALUES ('acme', %L, 'MP-0000', 'SPAM')$$, id)) AS again,
  pg_temp.outcome(format($$INSERT INTO awspool.account (provider, account_id, marketplace, model)
  VALUES ('other', %L, 'MP-0000', 'SPAM')$$, id)) AS by_another
FROM generate_series(200000000001, 200000000009) id ORDER BY id;
INSERT INTO awspool.account (provider, account_id, marketplace, model) VALUES ('acme', '200000000003', 'MP-0000', 'SPAM');

-- Deleted in a transaction that did not happen is not deleted.
BEGIN;
UPDATE awspool.account SET status = 'allocated' WHERE account_id = '200000000002';
DELETE FROM awspool.account WHERE account_id = '200000000002';
ROLLBACK;
SELECT status FROM awspool.account WHERE account_id = '200000000002';

TRUNCATE awspool.account, awspool.account_log, awspool.provider_role;
