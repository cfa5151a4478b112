--
-- awspool.verify(): each thing that is wrong with the data is seen, and nothing
-- else.
--

-- A pool as it should be: accounts in every status, edits, lives that ended.
CREATE ROLE regress_awspool_acme;
SELECT awspool.grant_provider('acme', 'regress_awspool_acme');
SELECT count(*) FROM (
  SELECT awspool.add_account('acme', format('9000000000%s', lpad(i::text, 2, '0')), format('MP-000%s', i % 2), 'SPAM')
  FROM generate_series(1, 16) i) a;
SELECT account_id, order_id FROM awspool.claim_account('acme', 'MP-0001', 'order-1');
SELECT account_id FROM awspool.allocate_account('acme', '900000000001');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0001', 'order-2');
SELECT account_id FROM awspool.fail_account('acme', '900000000003', 'broken');
SELECT account_id FROM awspool.delete_account('acme', '900000000003');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0001', 'order-2');
SELECT account_id FROM awspool.invalidate_account('acme', '900000000007');
SELECT account_id FROM awspool.edit_account('acme', '900000000009', 'MP-0000', 'ECAM');
SELECT account_id FROM awspool.delete_account('acme', '900000000009');
SELECT account_id FROM awspool.add_account('acme', '900000000009', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.edit_account('acme', '900000000009', model => 'ECAM');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000');
SELECT * FROM awspool.verify();

-- Also of what this transaction has done, and in one that only reads.
BEGIN;
SELECT account_id FROM awspool.edit_account('acme', '900000000011', 'MP-0000');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'order-3');
SELECT account_id FROM awspool.delete_account('acme', '900000000012');
SELECT * FROM awspool.verify();
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY;
SELECT * FROM awspool.verify();
COMMIT;

-- For the owner only, whoever may execute it.
SET ROLE regress_awspool_acme;
SELECT * FROM awspool.verify();
RESET ROLE;
BEGIN;
GRANT EXECUTE ON FUNCTION awspool.verify, awspool.verify_indexes, awspool.verify_pool_starts TO regress_awspool_acme;
SET LOCAL ROLE regress_awspool_acme;
SAVEPOINT a;
SELECT * FROM awspool.verify();
ROLLBACK TO a;
SELECT * FROM awspool.verify_indexes();
ROLLBACK TO a;
SELECT * FROM awspool.verify_pool_starts();
ROLLBACK;

-- Rows that no constraint would let in.
BEGIN;
ALTER TABLE awspool.account DISABLE TRIGGER account_tally;
ALTER TABLE awspool.account DROP CONSTRAINT account_is_well_formed, DROP CONSTRAINT account_fits_its_status,
  ALTER added_by DROP NOT NULL;
INSERT INTO awspool.account (provider, account_id, marketplace, model, added_by) VALUES
  ('acme', '12345678901', 'MP-0001', 'SPAM', 'x'), ('acme', '900000000021', 'MP-0001', 'SPAM', NULL);
INSERT INTO awspool.account (provider, account_id, marketplace, model, status) VALUES
  ('acme', '900000000022', 'MP-0001', 'SPAM', 'sold'), ('acme', '900000000023', 'MP-0001', 'SPAM', 'provisioning_in_progress');
INSERT INTO awspool.account (provider, account_id, marketplace, model, order_id) VALUES
  ('acme', '900000000024', 'MP-0001', 'SPAM', 'order-4');
SELECT * FROM awspool.verify();
-- The planner may not take them for granted.
ALTER TABLE awspool.account ADD CONSTRAINT account_fits_its_status CHECK (status IN ('ready', 'provisioning_in_progress', 'allocated', 'provisioning_failed', 'invalid')) NOT VALID;
UPDATE pg_constraint SET convalidated = true WHERE conname = 'account_fits_its_status';
SET LOCAL constraint_exclusion = on;
SET LOCAL enable_seqscan = off;
SELECT object, problem FROM awspool.verify() WHERE problem ~ 'sold';
ROLLBACK;

-- Indexes that lack what was written while the server did not keep them, and
-- what a unique one would have refused.
CREATE FUNCTION pg_temp.keep(indexes text, kept boolean) RETURNS void LANGUAGE sql AS $$
  UPDATE pg_index SET indisready = kept WHERE indexrelid::regclass::text ~ indexes AND indrelid::regclass::text ~ '^awspool'
$$;
BEGIN;
ALTER TABLE awspool.account DISABLE TRIGGER ALL;
SELECT pg_temp.keep('', false);
INSERT INTO awspool.account (provider, account_id, marketplace, model)
  SELECT 'acme', format('9000000001%s', lpad(i::text, 2, '0')), 'MP-0002', 'SPAM' FROM generate_series(1, 5) i;
INSERT INTO awspool.account (provider, account_id, marketplace, model, status, order_id, order_model, claimed_at, claimed_by)
  VALUES ('acme', '900000000001', 'MP-0002', 'SPAM', 'provisioning_in_progress', 'order-1', 'SPAM', now(), 'x');
UPDATE awspool.account SET status = 'invalid', closed_at = now(), closed_by = 'x' WHERE account_id = '900000000010';
INSERT INTO awspool.account_log (log_id, provider, account_id, at, actor, event, detail, used) OVERRIDING SYSTEM VALUE
  SELECT l.log_id, 'acme', '900000000003', now(), 'x', e.event, 'invalid, MP-0001, SPAM', e.event = 'deleted'
  FROM (SELECT max(log_id) AS log_id FROM awspool.account_log) l, (VALUES ('deleted')) e (event);
SELECT pg_temp.keep('', true);
SELECT severity, object, regexp_replace(problem, 'log_id \d+', 'log_id ...') AS problem, action FROM awspool.verify() WHERE object ~ '^index';
SELECT severity, regexp_replace(object, 'log_id \d+', 'log_id ...') AS object, problem, action FROM awspool.verify() WHERE object !~ '^index';
ROLLBACK;

-- Entries that lost their row, as vacuum did not know of the index; of another
-- row that has come there since; and of a page that is gone.
SELECT count(*) FROM awspool.delete_accounts('acme', ARRAY['900000000013', '900000000014', '900000000015', '900000000016']);
SELECT pg_temp.keep('account_(provider|ready|log_account)$', false);
CREATE TEMP TABLE log AS TABLE awspool.account_log;
DELETE FROM awspool.account_log;
VACUUM (INDEX_CLEANUP on, TRUNCATE on) awspool.account;
VACUUM (INDEX_CLEANUP on, TRUNCATE on) awspool.account_log;
SELECT pg_relation_size('awspool.account_log');
SELECT pg_temp.keep('', true);
CREATE TEMP VIEW verified AS
  SELECT severity, object, regexp_replace(problem, ':.*', '') AS problem FROM awspool.verify();
SELECT * FROM verified;
-- Looking did not mark them.
SELECT * FROM verified;
INSERT INTO awspool.account (provider, account_id, marketplace, model, status, closed_at, closed_by)
  SELECT 'acme', format('9000000003%s', lpad(i::text, 2, '0')), 'MP-0005', 'SPAM', 'invalid', now(), 'x'
  FROM generate_series(1, 6) i;
INSERT INTO awspool.account_log OVERRIDING SYSTEM VALUE SELECT * FROM log ORDER BY log_id;
SELECT * FROM verified;
DROP VIEW verified;
REINDEX TABLE awspool.account;
REINDEX TABLE awspool.account_log;
SELECT * FROM awspool.verify();

-- An index whose order is not ours to check, and one of the owner's own.
BEGIN;
CREATE FUNCTION pg_temp.short(text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT pg_catalog.right($1, 3) $$;
CREATE INDEX own_hash ON awspool.account USING hash (account_id);
CREATE INDEX own ON awspool.account (pg_temp.short(account_id)) INCLUDE (reason) WHERE reason IS NULL;
SELECT pg_temp.keep('own', false);
SELECT account_id FROM awspool.add_account('acme', '900000000041', 'MP-0001', 'SPAM');
SELECT pg_temp.keep('own', true);
SELECT * FROM awspool.verify();
ROLLBACK;

-- Positions.
BEGIN;
INSERT INTO awspool.account (provider, account_id, marketplace, model, position)
  SELECT 'acme', format('9000000002%s', lpad(i::text, 2, '0')), 'MP-0002', 'SPAM', 1000000 FROM generate_series(1, 4) i
  UNION ALL VALUES ('acme', '900000000299', 'MP-0002', 'SPAM', 9000000000000000000);
SELECT setval('awspool.account_position', 999999);
SELECT * FROM awspool.verify();
ROLLBACK;
SELECT last_value AS log_id FROM awspool.account_log_log_id_seq \gset
SELECT setval('awspool.account_log_log_id_seq', 1);
SELECT object, regexp_replace(problem, '\d+', '...', 'g') AS problem, regexp_replace(action, '\d+', '...') AS action FROM awspool.verify();
SELECT setval('awspool.account_log_log_id_seq', :log_id) = :log_id AS log_id;

-- Used ids that came back, and a log that is not whole.
BEGIN;
SET LOCAL session_replication_role = replica;
ALTER TABLE awspool.account DISABLE TRIGGER ALL;
INSERT INTO awspool.account (provider, account_id, marketplace, model) VALUES ('acme', '900000000003', 'MP-0001', 'SPAM');
DELETE FROM awspool.account WHERE account_id = '900000000009';
SELECT object, problem, action FROM awspool.verify();
ROLLBACK;
BEGIN;
CREATE TEMP TABLE numbered ON COMMIT DROP AS
  SELECT log_id, event, row_number() OVER (ORDER BY log_id) AS n FROM awspool.account_log WHERE account_id = '900000000003';
SELECT n, event FROM numbered ORDER BY n;
CREATE TEMP VIEW verified AS
  SELECT severity, regexp_replace(object, '^log_id \d+', 'log_id ...') AS object, problem, regexp_replace(action, 'log_id = \d+', 'log_id = ...') AS action
  FROM awspool.verify();
SAVEPOINT a;
DELETE FROM awspool.account_log USING numbered WHERE account_log.log_id = numbered.log_id AND n = 1;
SELECT * FROM verified;
ROLLBACK TO a;
DELETE FROM awspool.account_log USING numbered WHERE account_log.log_id = numbered.log_id AND n = 4;
SELECT * FROM verified;
ROLLBACK TO a;
DELETE FROM awspool.account_log USING numbered WHERE account_log.log_id = numbered.log_id AND n = 2;
SELECT * FROM verified;
ROLLBACK TO a;
UPDATE awspool.account_log SET used = false FROM numbered WHERE account_log.log_id = numbered.log_id;
UPDATE awspool.account_log SET used = true FROM numbered WHERE account_log.log_id = numbered.log_id AND n = 3;
SELECT * FROM verified;
ROLLBACK TO a;
UPDATE awspool.account_log SET used = true WHERE event = 'deleted' AND account_id = '900000000009';
SELECT * FROM verified;
ROLLBACK TO a;
UPDATE awspool.account_log SET provider = E'a\x01' FROM numbered WHERE account_log.log_id = numbered.log_id AND n = 1;
SELECT severity, problem FROM verified;
ROLLBACK TO a;
ROLLBACK;

-- The counts of arrivals.
BEGIN;
UPDATE awspool.arrival_count SET arrivals = arrivals WHERE ctid = '(0,3)';
SELECT severity, object, problem FROM awspool.verify();
ROLLBACK;
BEGIN;
TRUNCATE awspool.arrival_count;
SELECT severity, object, problem FROM awspool.verify();
ROLLBACK;
VACUUM awspool.arrival_count;

-- A note of where to start that is behind an account.
SELECT account_id FROM awspool.add_account('acme', '900000000031', 'MP-0009', 'SPAM');
INSERT INTO awspool.pool_start (position, arrivals, provider, marketplace)
  SELECT position + 1, -1, 'acme', 'MP-0009' FROM awspool.account WHERE account_id = '900000000031';
SELECT * FROM awspool.verify();
-- It holds under the count of its pool, which is one of these.
DO $$
BEGIN
  FOR i IN 3 .. 202 LOOP
    UPDATE awspool.pool_start n SET arrivals = c[i] + c[1] - c[2]
    FROM (SELECT array_agg(arrivals ORDER BY ctid) AS c FROM awspool.arrival_count) c
    WHERE n.marketplace = 'MP-0009';
    EXIT WHEN EXISTS (SELECT FROM awspool.verify_pool_starts());
  END LOOP;
END $$;
SELECT * FROM awspool.verify();
UPDATE awspool.pool_start SET position = position - 1;
SELECT * FROM awspool.verify();
UPDATE awspool.pool_start SET position = position + 1;
-- Something has arrived in this transaction, which it counts at its end.
BEGIN;
SELECT account_id FROM awspool.edit_account('acme', '900000000031', model => 'ECAM');
SELECT * FROM awspool.verify();
ROLLBACK;
TRUNCATE awspool.pool_start;

SELECT * FROM awspool.verify();
TRUNCATE awspool.account, awspool.account_log, awspool.provider_role;
SELECT * FROM awspool.verify();
DROP ROLE regress_awspool_acme;
