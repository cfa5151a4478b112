--
-- claim_accounts: what claim_account does, for many orders at once.
--

SELECT count(*) FROM awspool.import_csv('acme',
  (SELECT string_agg(400000000000 + n || ';MP-0000;SPAM', E'\n' ORDER BY n) FROM generate_series(1, 30) n));
SELECT account_id FROM awspool.add_account('acme', '500000000001', 'MP-0001', 'SPAM');
SELECT account_id FROM awspool.add_account('other', '500000000002', 'MP-0000', 'SPAM');

-- The oldest account for the first order of the array, and so on.
SELECT provider, account_id, marketplace, status, order_id, order_model, claimed_by = current_user AS by_me
FROM awspool.claim_accounts('acme', 'MP-0000', '{O-3,O-1,O-2}');

-- A retry gets what it holds; so does an order that is named twice; a NULL is
-- an order without a name, each time another one; an allocated one stays.
SELECT account_id, status FROM awspool.allocate_account('acme', '400000000002', 'O-1');
SELECT account_id, status, order_id FROM awspool.claim_accounts('acme', 'MP-0000', '{O-4,O-1,NULL,O-4,O-3,NULL,O-5}');
SELECT account_id, status, order_id FROM awspool.claim_account('acme', 'MP-0000', 'O-5');
-- ... of another provider it is another order
SELECT account_id, order_id FROM awspool.claim_accounts('other', 'MP-0000', '{O-1,O-2}');
-- what failed is replaced
SELECT account_id FROM awspool.fail_account('acme', '400000000001', 'broken', 'O-3');
SELECT account_id, order_id FROM awspool.claim_accounts('acme', 'MP-0000', '{O-2,O-3}');

-- What was returned is what is stored.
SELECT count(*) FROM (SELECT * FROM awspool.claim_accounts('acme', 'MP-0000', '{O-1,O-2,O-6}') INTERSECT TABLE awspool.accounts) same;

-- Nothing asked, nothing given; an array of any shape.
SELECT count(*) FROM awspool.claim_accounts('acme', 'MP-0000', '{}');
SELECT account_id, order_id FROM awspool.claim_accounts('acme', 'MP-0000', '[7:8][1:2]={{O-7,O-1},{O-8,O-7}}');

-- All or nothing: an order that holds an account of another marketplace, or has
-- a name that no order may have.
SELECT awspool.claim_accounts('acme', 'MP-0001', '{O-9,O-2}');
\set VERBOSITY sqlstate
SELECT awspool.claim_accounts('acme', 'MP-0000', '{O-9," O"}');
SELECT awspool.claim_accounts('acme', 'MP-0000', '{O-9,""}');
SELECT awspool.claim_accounts('acme', 'MP-0000', NULL);
SELECT awspool.claim_accounts('acme', NULL, '{O-9}');
SELECT awspool.claim_accounts('acme', 'MP-0', '{O-9}');
BEGIN READ ONLY;
SELECT awspool.claim_accounts('acme', 'MP-0000', '{}');
ROLLBACK;
\set VERBOSITY default
SELECT awspool.claim_accounts('acme', 'MP-0000', array_fill('O-9'::text, '{10001}'));
SELECT count(*) FROM awspool.accounts WHERE order_id = 'O-9';

-- Fewer than asked for: the first orders get them, and who holds one keeps it.
SELECT string_agg(right(account_id, 2) || ' ' || coalesce(order_id, '-'), ', ') AS claimed
FROM awspool.claim_accounts('acme', 'MP-0000', ARRAY(SELECT 'P-' || i FROM generate_series(1, 40) i) || '{O-2,NULL}');
SELECT count(*) FROM awspool.claim_accounts('acme', 'MP-0000', '{Q-1,NULL}');
SELECT account_id FROM awspool.claim_accounts('acme', 'MP-0000', '{Q-1,O-2,NULL}');
SELECT count(*) FROM awspool.accounts WHERE status = 'ready';
TRUNCATE awspool.account, awspool.account_log;

-- With your transaction, and savepoints: what is rolled back comes first again.
SELECT count(*) FROM awspool.import_csv('acme',
  (SELECT string_agg(400000000000 + n || ';MP-0000;SPAM', E'\n' ORDER BY n) FROM generate_series(1, 20) n));
BEGIN;
SELECT account_id FROM awspool.claim_accounts('acme', 'MP-0000', '{O-1,O-2}');
SAVEPOINT a;
SELECT account_id FROM awspool.claim_accounts('acme', 'MP-0000', '{O-3,O-2,O-4}');
ROLLBACK TO a;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-4');
ROLLBACK;
SELECT account_id FROM awspool.claim_accounts('acme', 'MP-0000', '{O-4,O-3}');

-- The stricter isolation levels
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM awspool.accounts WHERE status = 'ready';
SELECT account_id FROM awspool.claim_accounts('acme', 'MP-0000', '{O-5,O-4,O-6}');
SELECT account_id FROM awspool.claim_accounts('acme', 'MP-0000', '{O-6,O-7}');
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT account_id FROM awspool.claim_accounts('acme', 'MP-0000', '{O-8,O-4}');
COMMIT;

-- Together with what moves an account in, which is older than the others, and
-- stays so when that is rolled back.
SELECT account_id FROM awspool.add_account('acme', '300000000000', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.add_account('acme', '300000000001', 'MP-0001', 'SPAM');
BEGIN;
SELECT account_id FROM awspool.edit_account('acme', '300000000000', 'MP-0001');
SELECT account_id FROM awspool.claim_accounts('acme', 'MP-0001', '{O-9,O-10}');
ROLLBACK;
SELECT account_id, order_id FROM awspool.claim_accounts('acme', 'MP-0001', '{O-9,O-10}');
TRUNCATE awspool.account, awspool.account_log;

-- A trigger that takes an account out which was reserved for the next order:
-- the order gets another one, and no account is given twice.
SELECT count(*) FROM awspool.import_csv('acme',
  (SELECT string_agg(400000000000 + n || ';MP-0000;SPAM', E'\n' ORDER BY n) FROM generate_series(1, 12) n));
CREATE FUNCTION take_out() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.order_id LIKE 'O-%' THEN
    UPDATE awspool.account SET status = 'invalid' WHERE position = NEW.position + 1;
    BEGIN
      UPDATE awspool.account SET status = 'invalid' WHERE position = NEW.position + 2;
      RAISE division_by_zero;
    EXCEPTION WHEN division_by_zero THEN
    END;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER take_out BEFORE UPDATE ON awspool.account FOR EACH ROW EXECUTE FUNCTION take_out();
SELECT account_id, order_id FROM awspool.claim_accounts('acme', 'MP-0000', '{O-1,O-2,O-3}');
DROP TRIGGER take_out ON awspool.account;
DROP FUNCTION take_out;
-- One that claims afterwards
CREATE FUNCTION greedy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.order_id LIKE 'O-%' THEN
    PERFORM awspool.claim_accounts('acme', 'MP-0000', ARRAY['for ' || NEW.order_id]);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER greedy AFTER UPDATE ON awspool.account FOR EACH ROW EXECUTE FUNCTION greedy();
SELECT account_id, order_id FROM awspool.claim_accounts('acme', 'MP-0000', '{O-4,O-5}');
DROP TRIGGER greedy ON awspool.account;
DROP FUNCTION greedy;
SELECT right(account_id, 2) AS account, status, order_id FROM awspool.accounts ORDER BY position;
TRUNCATE awspool.account, awspool.account_log;

-- One walk for the batch: it reads an entry of the ready index for each account,
-- and those of the batch before, and never the table.
INSERT INTO awspool.account (provider, account_id, marketplace, model)
SELECT 'acme', 500000000000 + i, 'MP-0000', 'SPAM' FROM generate_series(1, 5000) i;
SELECT count(*) FROM awspool.claim_accounts('acme', 'MP-0000', ARRAY(SELECT 'O-' || i FROM generate_series(1, 10) i));
BEGIN;
SELECT pg_stat_get_xact_numscans('awspool.account_ready'::regclass) AS scans,
       pg_stat_get_xact_tuples_returned('awspool.account_ready'::regclass) AS entries,
       pg_stat_get_xact_numscans('awspool.account'::regclass) AS seq_scans \gset before_
SELECT count(*), min(account_id), max(account_id) FROM awspool.claim_accounts('acme', 'MP-0000', ARRAY(SELECT 'O-' || i FROM generate_series(11, 1010) i));
SELECT pg_stat_get_xact_numscans('awspool.account_ready'::regclass) - :before_scans AS scans,
       pg_stat_get_xact_tuples_returned('awspool.account_ready'::regclass) - :before_entries <= 1010 AS few_entries,
       pg_stat_get_xact_numscans('awspool.account'::regclass) - :before_seq_scans AS seq_scans;
COMMIT;

TRUNCATE awspool.account, awspool.account_log, awspool.provider_role;
