--
-- The counts of each pool: kept by whatever changes accounts, and always what
-- accounts and log say.
--
CREATE VIEW regress_awspool_pool AS
  SELECT provider, marketplace AS place, ready AS r, provisioning_in_progress AS p, allocated AS a,
         provisioning_failed AS f, invalid AS i, claims_24h AS day, claims_7d AS week, added_ever AS added, claimed_ever AS claimed
  FROM awspool.pool_status ORDER BY provider, marketplace;
CREATE VIEW regress_awspool_hour AS
  SELECT provider, marketplace AS place, CASE WHEN hour < now() - interval '1 day' THEN hour END AS hour, added, claimed, allocated, provisioning_failed AS failed, invalid, deleted
  FROM awspool.pool_activity ORDER BY provider, marketplace, pool_activity.hour;
SET timezone = 'UTC';
TABLE regress_awspool_pool;

-- Each event, by its function.
SELECT count(*) FROM generate_series(1, 9) i, awspool.add_account('acme', '80000000000' || i, 'MP-0000', 'SPAM');
SELECT count(*) FROM generate_series(1, 4) i, awspool.claim_account('acme', 'MP-0000', 'O-' || i);
SELECT status FROM awspool.allocate_account('acme', '800000000001');
SELECT status FROM awspool.allocate_account('acme', '800000000001');    -- again: no event
SELECT status FROM awspool.fail_account('acme', '800000000002');
SELECT status FROM awspool.invalidate_account('acme', '800000000003');
SELECT status FROM awspool.invalidate_account('acme', '800000000009');
SELECT status FROM awspool.replace_account('acme', '800000000004', 'x');
SELECT status FROM awspool.edit_account('acme', '800000000006', 'MP-0001', 'ECAM');
SELECT status FROM awspool.edit_account('acme', '800000000007', model => 'ECAM');
SELECT status FROM awspool.delete_account('acme', '800000000001');
SELECT outcome FROM awspool.delete_accounts('acme', '{800000000002,800000000007,800000000005}');
TABLE regress_awspool_pool;
TABLE regress_awspool_hour;
SELECT * FROM awspool.recounted();
SELECT days_left = ready * 7.0 / nullif(claims_7d, 0) AS days_left, oldest_ready_at IS NOT NULL AS oldest, paused_at,
       oldest_in_progress_at = (SELECT claimed_at FROM awspool.accounts WHERE status = 'provisioning_in_progress') AS in_progress
FROM awspool.pool_status ORDER BY marketplace;

-- By imports: one by one, and many at once; what is rolled back counts nothing.
SELECT count(*) FROM awspool.import_csv('acme', E'800000000101;MP-0000;SPAM\n800000000102;MP-0001;SPAM');
SELECT count(*) FROM awspool.import_csv('acme', (SELECT string_agg(801000000000 + i || ';MP-000' || i % 3 || ';SPAM', E'\n') FROM generate_series(1, 100) i));
SELECT count(*) FROM awspool.import_csv('acme', (SELECT string_agg(801000000000 + i || ';MP-0002;SPAM', E'\n') FROM generate_series(50, 150) i), true);
COPY awspool.import FROM stdin;
acme	802000000001	MP-0002	SPAM
\.
TABLE regress_awspool_pool;
SELECT * FROM awspool.recounted();

-- By the view, and by the owner's SQL.
INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES ('acme', '803000000001', 'MP-0003', 'SPAM'), ('acme', '803000000002', 'MP-0003', 'SPAM');
UPDATE awspool.accounts SET marketplace = 'MP-0004' WHERE account_id = '803000000001';
UPDATE awspool.accounts SET status = 'invalid' WHERE account_id = '803000000002';
DELETE FROM awspool.accounts WHERE account_id = '803000000002';
INSERT INTO awspool.account (provider, account_id, marketplace, model) SELECT 'acme', 804000000000 + i, 'MP-0005', 'SPAM' FROM generate_series(1, 5) i;
UPDATE awspool.account SET status = 'provisioning_in_progress' WHERE account_id IN ('804000000001', '804000000002');
UPDATE awspool.account SET status = 'allocated' WHERE account_id = '804000000001';
UPDATE awspool.account SET marketplace = 'MP-0006' WHERE account_id IN ('804000000003', '804000000004');
DELETE FROM awspool.account WHERE account_id IN ('804000000001', '804000000004');
TABLE regress_awspool_pool;
SELECT * FROM awspool.recounted();

-- By triggers of the user's: one that changes what is stored, one that changes
-- another account, and one that lets nothing happen.
CREATE FUNCTION regress_awspool_move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.marketplace := 'MP-0007'; RETURN NEW; END $$;
CREATE TRIGGER zz_move BEFORE INSERT OR UPDATE ON awspool.account FOR EACH ROW WHEN (NEW.account_id LIKE '805%' AND NEW.status = 'ready') EXECUTE FUNCTION regress_awspool_move();
CREATE FUNCTION regress_awspool_add() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO awspool.account (provider, account_id, marketplace, model) VALUES ('acme', '806' || substr(NEW.account_id, 4), 'MP-0008', 'SPAM'); RETURN NULL; END $$;
CREATE TRIGGER zz_add AFTER UPDATE ON awspool.account FOR EACH ROW WHEN (NEW.account_id LIKE '805%') EXECUTE FUNCTION regress_awspool_add();
CREATE FUNCTION regress_awspool_nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER zz_nothing BEFORE DELETE ON awspool.account FOR EACH ROW WHEN (OLD.account_id LIKE '805%') EXECUTE FUNCTION regress_awspool_nothing();
SELECT marketplace FROM awspool.add_account('acme', '805000000001', 'MP-0000', 'SPAM');
SELECT count(*) FROM awspool.import_csv('acme', (SELECT string_agg(805000000100 + i || ';MP-0000;SPAM', E'\n') FROM generate_series(1, 20) i));
SELECT account_id FROM awspool.claim_account('acme', 'MP-0007');
SELECT marketplace FROM awspool.edit_account('acme', '805000000101', 'MP-0000', 'ECAM');
\set VERBOSITY sqlstate
SELECT awspool.delete_account('acme', '805000000102');
\set VERBOSITY default
DELETE FROM awspool.account WHERE account_id LIKE '805%';
SELECT * FROM regress_awspool_pool WHERE place IN ('MP-0007', 'MP-0008');
SELECT * FROM awspool.recounted();
DROP TRIGGER zz_move ON awspool.account;
DROP TRIGGER zz_add ON awspool.account;
DROP TRIGGER zz_nothing ON awspool.account;
DROP FUNCTION regress_awspool_move, regress_awspool_add, regress_awspool_nothing;

-- In a transaction: each command sees what came before it, a cursor what came
-- before it was opened, and a savepoint takes its changes along.
TRUNCATE awspool.account, awspool.account_log;
TABLE regress_awspool_pool;
SELECT count(*) FROM generate_series(1, 9) i, awspool.add_account('acme', '80000000000' || i, 'MP-0000', 'SPAM');
BEGIN;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000');
SELECT r, p FROM regress_awspool_pool;
DECLARE one CURSOR FOR SELECT r, p FROM regress_awspool_pool;
SAVEPOINT a;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000');
SAVEPOINT b;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000');
SELECT account_id FROM awspool.add_account('acme', '800000000010', 'MP-0001', 'SPAM');
SELECT place, r, p FROM regress_awspool_pool;
SELECT * FROM awspool.recounted();
FETCH one;
ROLLBACK TO b;
SELECT place, r, p FROM regress_awspool_pool;
RELEASE a;
WITH claim AS (SELECT account_id FROM awspool.claim_account('acme', 'MP-0000'))
SELECT account_id, (SELECT p FROM regress_awspool_pool) FROM claim;
SELECT place, r, p FROM regress_awspool_pool;
DO $$
BEGIN
  FOR i IN 1 .. 5 LOOP
    BEGIN
      PERFORM awspool.claim_account('acme', 'MP-0000');
      IF i % 2 = 0 THEN RAISE EXCEPTION 'x'; END IF;
    EXCEPTION WHEN raise_exception THEN NULL;
    END;
  END LOOP;
END $$;
SELECT place, r, p FROM regress_awspool_pool;
COMMIT;
SELECT place, r, p FROM regress_awspool_pool;
SELECT * FROM awspool.recounted();
BEGIN;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000');
TRUNCATE awspool.account, awspool.account_log;
SELECT account_id FROM awspool.add_account('acme', '800000000020', 'MP-0002', 'SPAM');
SELECT place, r, p, added FROM regress_awspool_pool;
ROLLBACK;
SELECT place, r, p FROM regress_awspool_pool;
BEGIN;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000');
SAVEPOINT a;
SELECT awspool.recount();
SELECT place, r, p FROM regress_awspool_pool;
ROLLBACK TO a;
SELECT place, r, p FROM regress_awspool_pool;
SAVEPOINT b;
SELECT awspool.recount();
SELECT account_id FROM awspool.add_account('acme', '800000000030', 'MP-0000', 'SPAM');
COMMIT;
SELECT place, r, p, added FROM regress_awspool_pool;
SELECT * FROM awspool.recounted();
TRUNCATE awspool.account, awspool.account_log;

-- Rows of every status, of long ago, as a restore has them: each in the hours
-- of its own times, which are those of UTC whatever the time zone is, summer or
-- winter.
SET timezone = 'Asia/Kolkata';
COPY awspool.account (provider, account_id, marketplace, model, status, order_model, added_at, claimed_at, claimed_by, closed_at, closed_by) FROM stdin;
acme	800000000001	MP-0000	SPAM	ready	\N	2024-03-31 00:59:59.999999+00	\N	\N	\N	\N
acme	800000000002	MP-0000	SPAM	ready	\N	2024-03-31 01:00:00+00	\N	\N	\N	\N
acme	800000000003	MP-0000	SPAM	provisioning_in_progress	SPAM	2024-03-31 01:30:00+00	2024-10-27 00:30+00	x	\N	\N
acme	800000000004	MP-0000	SPAM	allocated	SPAM	2024-03-31 01:30:00+00	2024-10-27 00:31+00	x	2024-10-27 01:31+00	x
acme	800000000005	MP-0000	SPAM	provisioning_failed	SPAM	1999-12-31 23:59:59+00	2024-10-27 02:31+00	x	2024-10-27 02:31+00	x
acme	800000000006	MP-0001	SPAM	invalid	\N	1999-12-31 23:59:59+00	\N	\N	2024-10-27 02:31+00	x
acme	800000000007	MP-0001	SPAM	ready	\N	-infinity	\N	\N	\N	\N
acme	800000000008	MP-0001	SPAM	ready	\N	infinity	\N	\N	\N	\N
\.
SET timezone = 'UTC';
TABLE regress_awspool_pool;
TABLE regress_awspool_hour;
SELECT * FROM awspool.recounted();
SET timezone = 'Europe/Berlin';
SELECT * FROM awspool.recounted();
SET timezone = 'UTC';
-- The owner sets a time right.
ALTER TABLE awspool.account DISABLE TRIGGER account_transition;
UPDATE awspool.account SET added_at = '2024-05-05 05:05+00' WHERE account_id = '800000000004';
UPDATE awspool.account SET closed_at = '2024-05-05 05:05+00', status = 'invalid' WHERE account_id = '800000000005';
ALTER TABLE awspool.account ENABLE ALWAYS TRIGGER account_transition;
TABLE regress_awspool_hour;
SELECT * FROM awspool.recounted();

-- The last 24 hours and 7 days begin with a full hour.
TRUNCATE awspool.account, awspool.account_log;
INSERT INTO awspool.account (provider, account_id, marketplace, model, status, order_model, claimed_at, claimed_by)
SELECT 'acme', 800000000000 + n, 'MP-0000', 'SPAM', 'provisioning_in_progress', 'SPAM', at, 'x'
FROM (VALUES (1, now()), (2, date_trunc('hour', now() - interval '24 hours')), (3, date_trunc('hour', now() - interval '24 hours') - interval '1 microsecond'),
  (4, date_trunc('hour', now() - interval '168 hours')), (5, date_trunc('hour', now() - interval '168 hours') - interval '1 microsecond'),
  (6, now() - interval '1 year')) v (n, at);
SELECT day, week, claimed FROM regress_awspool_pool;
SELECT awspool.recount();
SELECT day, week, claimed FROM regress_awspool_pool;
SELECT * FROM awspool.recounted();
SELECT days_left = 0 AS days_left, oldest_in_progress_at < now() - interval '1 month' AS oldest FROM awspool.pool_status;

-- Where the triggers did not fire: recounted tells, and recount mends it.
TRUNCATE awspool.account, awspool.account_log;
ALTER TABLE awspool.account DISABLE TRIGGER ALL;
INSERT INTO awspool.account (provider, account_id, marketplace, model) SELECT 'acme', 800000000000 + i, 'MP-0000', 'SPAM' FROM generate_series(1, 5) i;
ALTER TABLE awspool.account ENABLE TRIGGER ALL;
ALTER TABLE awspool.account ENABLE ALWAYS TRIGGER account_transition, ENABLE ALWAYS TRIGGER account_log_change, ENABLE ALWAYS TRIGGER account_refuse_used,
  ENABLE ALWAYS TRIGGER account_tally, ENABLE ALWAYS TRIGGER account_recount;
TABLE regress_awspool_pool;
SELECT * FROM awspool.recounted();
SELECT awspool.recount();
TABLE regress_awspool_pool;
SELECT * FROM awspool.recounted();
UPDATE awspool.tally SET added = added + 1, now_ready = now_ready - 1 WHERE part <> 1;
SELECT provider, problem FROM awspool.recounted();
DELETE FROM awspool.tally;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000');
SELECT awspool.recount();
TABLE regress_awspool_pool;
SELECT * FROM awspool.recounted();

-- Rows of an hour that is over are merged by who begins another; only what
-- happened lately is left in parts.
UPDATE awspool.tally SET hour = hour - interval '3 hours' WHERE hour > '-infinity';
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000');
SELECT count(*) FILTER (WHERE part = 0) AS base, count(*) FILTER (WHERE part = 1) > 0 AS hours,
       bool_and(hour > now() - interval '2 hours') FILTER (WHERE part > 1) AS fragments_are_new
FROM awspool.tally;
SELECT r, p, day, added, claimed FROM regress_awspool_pool;
SELECT added, claimed FROM awspool.pool_activity ORDER BY hour;
VACUUM FULL awspool.tally;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000');
SELECT r, p, day, added, claimed FROM regress_awspool_pool;

-- A log of version 1.0 has no marketplace, but the deletion tells it.
TRUNCATE awspool.account, awspool.account_log;
COPY awspool.account_log (provider, account_id, at, actor, event, detail, used) FROM stdin;
acme	800000000001	2024-05-05 05:05+00	me	added	\N	f
acme	800000000001	2024-05-05 05:05+00	me	edited	marketplace from MP-0000 to MP-0009	f
acme	800000000001	2024-05-05 05:15+00	me	deleted	ready, MP-0009, SPAM	f
acme	800000000001	2024-05-05 05:25+00	me	added	\N	f
acme	800000000001	2024-05-05 06:05+00	me	claimed	without an order, as SPAM	f
acme	800000000001	2024-05-05 07:05+00	me	failed	\N	f
acme	800000000001	2024-05-05 08:05+00	me	deleted	provisioning_failed, MP-0008, SPAM	t
\.
TABLE regress_awspool_pool;
TABLE regress_awspool_hour;
SELECT * FROM awspool.recounted();
DELETE FROM awspool.account_log WHERE event = 'claimed';
SELECT place, claimed FROM regress_awspool_pool;
SELECT * FROM awspool.recounted();
-- The log has no limits of its own: what could be in no pool has no place among
-- the counts.
UPDATE awspool.account_log SET marketplace = repeat('x', 257);

-- Each caller sees their own.
SELECT account_id FROM awspool.add_account('other', '800000000011', 'MP-0000', 'SPAM');
CREATE ROLE regress_awspool_user;
SELECT awspool.grant_provider('other', 'regress_awspool_user');
SET ROLE regress_awspool_user;
SELECT provider, added FROM awspool.pool_activity;
SELECT provider, added_ever FROM awspool.pool_status;
\set VERBOSITY sqlstate
SELECT awspool.recount();
SELECT awspool.recounted();
TABLE awspool.tally;
RESET ROLE;
GRANT EXECUTE ON FUNCTION awspool.recount TO regress_awspool_user;
SET ROLE regress_awspool_user;
SELECT awspool.recount();
RESET ROLE;
REVOKE EXECUTE ON FUNCTION awspool.recount FROM regress_awspool_user;
BEGIN READ ONLY;
SELECT awspool.recount();
ROLLBACK;
\set VERBOSITY default

TRUNCATE awspool.account, awspool.account_log, awspool.provider_role;
DROP ROLE regress_awspool_user;
DROP VIEW regress_awspool_pool, regress_awspool_hour;
RESET timezone;
