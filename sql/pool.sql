--
-- Settings of pools: configure_pool, pause_pool, resume_pool, view pool_settings.
--
CREATE FUNCTION pg_temp.add(pool text, n int, m int) RETURNS bigint LANGUAGE sql AS $$
  SELECT count(*) FROM awspool.import_csv('acme', (SELECT string_agg(format('%s;%s;SPAM', 810000000000 + i, pool), E'\n' ORDER BY i) FROM generate_series(n, m) i))
$$;
CREATE VIEW pg_temp.setting AS
  SELECT provider, marketplace, low_water, min_days, deadline, paused_at IS NOT NULL AS paused, paused_by = current_user AS by_me, pause_reason
  FROM awspool.pool_settings;
SELECT pg_temp.add('MP-0001', 1, 9), pg_temp.add('MP-0002', 11, 19);

-- All three are set at once, and what is not given is switched off.
SELECT awspool.configure_pool('acme', 'MP-0001', 5, 2.5, '2 hours');
TABLE pg_temp.setting ORDER BY 1, 2;
SELECT awspool.configure_pool('acme', 'MP-0001', deadline => '1 day');
TABLE pg_temp.setting ORDER BY 1, 2;
SELECT awspool.configure_pool('acme', 'MP-0001');
TABLE pg_temp.setting ORDER BY 1, 2;

-- What makes no sense is refused.
SELECT awspool.configure_pool('acme', 'MP-0001', -1);
SELECT awspool.configure_pool('acme', 'MP-0001', min_days => -0.1);
SELECT awspool.configure_pool('acme', 'MP-0001', deadline => '0');
\set VERBOSITY sqlstate
SELECT awspool.configure_pool('acme', 'MP-0001', min_days => 'NaN');
SELECT awspool.configure_pool('acme', 'MP-0001', min_days => 'Infinity');
SELECT awspool.configure_pool('acme', 'MP-0001', deadline => '-1 second');
SELECT awspool.configure_pool('acme', 'MP-0001', deadline => '1 day -1 second');
SELECT awspool.configure_pool('acme', 'MP-0001', deadline => '1001 years');
SELECT awspool.configure_pool('acme', 'MP-0001', deadline => '100000 years -35999000 days');
SELECT awspool.configure_pool('acme', '*');
SELECT awspool.configure_pool('acme', NULL);
SELECT awspool.configure_pool(NULL, 'MP-0001');
SELECT awspool.configure_pool('*', 'MP-0001');
SELECT awspool.pause_pool('acme', '*');
SELECT awspool.pause_pool(NULL);
SELECT awspool.pause_pool('*');
SELECT awspool.resume_pool('acme', 'mp-1');
SELECT awspool.resume_pool(NULL);
SELECT awspool.fail_overdue(NULL);
SELECT awspool.fail_overdue('acme', -1);
SELECT awspool.fail_overdue('acme', NULL);
BEGIN READ ONLY;
SELECT awspool.pause_pool('acme');
ROLLBACK;
BEGIN READ ONLY;
SELECT awspool.resume_pool('acme');
ROLLBACK;
BEGIN READ ONLY;
SELECT awspool.configure_pool('acme', 'MP-0001');
ROLLBACK;
BEGIN READ ONLY;
SELECT awspool.fail_overdue('acme');
ROLLBACK;
\set VERBOSITY default
SELECT awspool.configure_pool('acme', 'MP-0001', 0, 0, '1000 years');
SELECT count(*) FROM awspool.fail_overdue('acme');
DELETE FROM awspool.pool_setting;

-- A pool that is paused gives no account; other pools do.
SELECT account_id FROM awspool.claim_account('acme', 'MP-0001', 'O-1');
SELECT awspool.pause_pool('acme', 'MP-0001', 'price change');
TABLE pg_temp.setting ORDER BY 1, 2;
UPDATE awspool.pool_setting SET paused_at = '2026-01-02 03:04:05+00', paused_by = 'somebody';
SET timezone = 'UTC';
SELECT account_id FROM awspool.claim_account('acme', 'MP-0001', 'O-2');
SELECT account_id FROM awspool.replace_account('acme', '810000000001', 'broken', 'O-1');
UPDATE awspool.pool_setting SET paused_by = NULL, pause_reason = NULL;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0001');
RESET timezone;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0002');
SELECT status FROM awspool.accounts WHERE account_id = '810000000001';

-- The order that holds an account gets it; everything else goes on.
SELECT account_id, status FROM awspool.claim_account('acme', 'MP-0001', 'O-1');
SELECT account_id FROM awspool.add_account('acme', '810000000010', 'MP-0001', 'ECAM');
SELECT account_id, model FROM awspool.edit_account('acme', '810000000010', model => 'SPAM');
SELECT account_id, status FROM awspool.invalidate_account('acme', '810000000010');
SELECT account_id FROM awspool.delete_account('acme', '810000000009');
SELECT account_id, status FROM awspool.fail_account('acme', '810000000001', 'broken', 'O-1');
\set VERBOSITY sqlstate
SELECT account_id FROM awspool.replace_account('acme', '810000000001', 'broken', 'O-1');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0001', 'O-1');
\set VERBOSITY default

-- Pausing again keeps since when and by whom; another reason replaces the old
-- one.  Configuring it does not open it.
SELECT awspool.pause_pool('acme', 'MP-0001');
SELECT awspool.pause_pool('acme', 'MP-0001', 'still');
SELECT awspool.configure_pool('acme', 'MP-0001', 3);
SELECT low_water, paused_at = '2026-01-02 03:04:05+00' AS same, paused_by, pause_reason FROM awspool.pool_settings;

-- Opened again, it gives the oldest.
SELECT awspool.resume_pool('acme', 'MP-0001');
SELECT awspool.resume_pool('acme', 'MP-0001');
TABLE pg_temp.setting ORDER BY 1, 2;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0001', 'O-1');
SELECT awspool.resume_pool('acme', 'MP-0009');
TABLE pg_temp.setting ORDER BY 1, 2;

-- All pools of a provider, those to come included, and nobody else's.
SELECT awspool.pause_pool('acme', reason => 'holidays');
TABLE pg_temp.setting ORDER BY 1, 2;
SELECT count(*) FROM awspool.import_csv('other', '820000000001;MP-0002;SPAM');
SELECT account_id FROM awspool.claim_account('other', 'MP-0002');
SELECT pg_temp.add('MP-0003', 21, 29);
\set VERBOSITY sqlstate
SELECT account_id FROM awspool.claim_account('acme', 'MP-0001');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0002');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0003');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0009');
-- One that is configured now is paused like the others.
SELECT awspool.configure_pool('acme', 'MP-0003', 1);
SELECT account_id FROM awspool.claim_account('acme', 'MP-0003');
-- One of them opens, configured or not, and stays open.
SELECT awspool.resume_pool('acme', 'MP-0003'), awspool.resume_pool('acme', 'MP-0002');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0002');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0003');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0001');
\set VERBOSITY default
SELECT awspool.configure_pool('acme', 'MP-0003', 2);
TABLE pg_temp.setting ORDER BY 1, 2;
-- Closed by itself, it opens with the others.
SELECT awspool.pause_pool('acme', 'MP-0003', 'by itself');
SELECT awspool.pause_pool('acme');
SELECT awspool.pause_pool('acme', reason => 'again');
TABLE pg_temp.setting ORDER BY 1, 2;
SELECT awspool.resume_pool('acme');
SELECT awspool.resume_pool('acme');
TABLE pg_temp.setting ORDER BY 1, 2;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0001');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0002');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0003');

-- What was rolled back has not been, in this session either, as often as it is
-- tried; savepoints are no different.
\set VERBOSITY sqlstate
BEGIN;
SELECT awspool.pause_pool('acme', 'MP-0002');
SAVEPOINT s;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0002');
ROLLBACK TO s;
SELECT awspool.resume_pool('acme', 'MP-0002');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0002');
ROLLBACK TO s;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0002');
ROLLBACK;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0002');
SELECT awspool.pause_pool('acme', 'MP-0002');
BEGIN;
SELECT awspool.resume_pool('acme', 'MP-0002');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0002');
ROLLBACK;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0002');
BEGIN;
SAVEPOINT s;
DELETE FROM awspool.pool_setting;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0002');
ROLLBACK TO s;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0002');
ROLLBACK;
BEGIN;
TRUNCATE awspool.pool_setting;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0002');
ROLLBACK;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0002');
-- In one function, where errors are caught.
DO $$
BEGIN
  PERFORM awspool.claim_account('acme', 'MP-0002');
  RAISE 'a paused pool gave an account';
EXCEPTION WHEN SQLSTATE 'WS007' THEN
  PERFORM awspool.resume_pool('acme', 'MP-0002');
  PERFORM awspool.claim_account('acme', 'MP-0002');
END $$;

-- A superuser's SQL is heard at once as well, whatever it changes.
UPDATE awspool.pool_setting SET paused_at = now() WHERE marketplace = 'MP-0002';
SELECT account_id FROM awspool.claim_account('acme', 'MP-0002');
UPDATE awspool.pool_setting SET marketplace = 'MP-0007' WHERE marketplace = 'MP-0002';
SELECT account_id FROM awspool.claim_account('acme', 'MP-0002');
UPDATE awspool.pool_setting SET marketplace = 'MP-0002' WHERE marketplace = 'MP-0007';
SELECT account_id FROM awspool.claim_account('acme', 'MP-0002');
UPDATE awspool.pool_setting SET provider = 'other' WHERE marketplace = 'MP-0002';
SELECT account_id FROM awspool.claim_account('acme', 'MP-0002');
SELECT account_id FROM awspool.claim_account('other', 'MP-0002');
SET session_replication_role = replica;
DELETE FROM awspool.pool_setting WHERE provider = 'other';
INSERT INTO awspool.pool_setting (provider, marketplace, paused_at) VALUES ('acme', 'MP-0004', now());
RESET session_replication_role;
SELECT account_id FROM awspool.claim_account('other', 'MP-0002');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0004');
TRUNCATE awspool.pool_setting;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0004');
-- But not everything may be said.
INSERT INTO awspool.pool_setting (provider, marketplace, low_water) VALUES ('acme', 'MP-0004', -1);
INSERT INTO awspool.pool_setting (provider, marketplace, min_days) VALUES ('acme', 'MP-0004', 'NaN');
INSERT INTO awspool.pool_setting (provider, marketplace, deadline) VALUES ('acme', 'MP-0004', '0');
INSERT INTO awspool.pool_setting (provider, marketplace, pause_reason) VALUES ('acme', 'MP-0004', 'why');
INSERT INTO awspool.pool_setting (provider, marketplace, deadline) VALUES ('acme', '*', '1 day');
INSERT INTO awspool.pool_setting (provider, marketplace) VALUES ('*', 'MP-0004');
INSERT INTO awspool.pool_setting (provider, marketplace) VALUES ('acme', 'x');

-- In transactions with one snapshot
SELECT pg_temp.add('MP-0005', 41, 49);
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT awspool.pause_pool('acme', 'MP-0005');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0005');
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0005');
SELECT awspool.pause_pool('acme', 'MP-0005');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0005');
COMMIT;
\set VERBOSITY default

-- Whose settings are in view, and whose may be changed.
CREATE ROLE regress_awspool_user;
SELECT awspool.configure_pool('acme', 'MP-0001', 5), awspool.configure_pool('other', 'MP-0001', 6);
SET ROLE regress_awspool_user;
SELECT count(*) FROM awspool.pool_settings;
SELECT count(*) FROM awspool.alerts;
\set VERBOSITY sqlstate
SELECT awspool.configure_pool('acme', 'MP-0001', 5);
SELECT awspool.pause_pool('acme');
SELECT awspool.resume_pool('acme', 'MP-0001');
SELECT awspool.fail_overdue('acme');
SELECT awspool.overdue_accounts('acme');
SELECT awspool.blocked_accounts('acme');
TABLE awspool.pool_setting;
UPDATE awspool.pool_settings SET low_water = 1;
\set VERBOSITY default
RESET ROLE;
SELECT awspool.grant_provider('other', 'regress_awspool_user');
SET ROLE regress_awspool_user;
SELECT provider, marketplace, low_water FROM awspool.pool_settings ORDER BY 1, 2;
SELECT DISTINCT provider FROM awspool.alerts;
SELECT awspool.pause_pool('other', 'MP-0002', 'mine');
SELECT awspool.configure_pool('other', 'MP-0001', 7);
RESET ROLE;
SELECT provider, marketplace, low_water, paused_by, pause_reason FROM awspool.pool_settings ORDER BY 1, 2;

TRUNCATE awspool.account, awspool.account_log, awspool.provider_role, awspool.pool_setting;
DROP ROLE regress_awspool_user;
