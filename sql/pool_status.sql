--
-- View awspool.pool_status: how each pool of the caller's providers stands.
--
SELECT count(*) FROM awspool.pool_status;

-- Each status is counted, in each pool by itself.
SELECT count(*) FROM awspool.import_csv('acme', (SELECT string_agg(800000000000 + n || ';MP-0000;SPAM', E'\n' ORDER BY n) FROM generate_series(1, 21) n));
SELECT count(*) FROM awspool.import_csv('acme', E'800000000101;MP-1111;SPAM\n800000000102;MP-1111;ECAM');
SELECT count(*) FROM awspool.import_csv('other', '800000000201;MP-0000;SPAM');
-- 1 ready, 2 in progress, 3 allocated, 4 failed, 5 invalid from progress and 6 from ready
SELECT count(*) FROM generate_series(1, 14) i, awspool.claim_account('acme', 'MP-0000', 'O-' || i);
SELECT count(*) FROM generate_series(3, 5) i, awspool.allocate_account('acme', (800000000000 + i)::text);
SELECT count(*) FROM generate_series(6, 9) i, awspool.fail_account('acme', (800000000000 + i)::text);
SELECT count(*) FROM generate_series(10, 14) i, awspool.invalidate_account('acme', (800000000000 + i)::text);
SELECT count(*) FROM generate_series(15, 20) i, awspool.invalidate_account('acme', (800000000000 + i)::text);
SELECT count(*) FROM awspool.claim_account('acme', 'MP-1111');
SELECT provider, marketplace, ready, provisioning_in_progress, allocated, provisioning_failed, invalid, claims_24h, claims_7d,
       oldest_ready_at = (SELECT min(added_at) FROM awspool.accounts a
                          WHERE a.provider = p.provider AND a.marketplace = p.marketplace AND status = 'ready') AS oldest
FROM awspool.pool_status p ORDER BY provider, marketplace;

-- A pool that ran dry stays in view, with no age.
SELECT count(*) FROM awspool.claim_account('other', 'MP-0000');
SELECT marketplace, ready, provisioning_in_progress, oldest_ready_at FROM awspool.pool_status WHERE provider = 'other';

-- An account that moves to another marketplace is counted there.
SELECT account_id FROM awspool.edit_account('acme', '800000000021', 'MP-2222');
SELECT marketplace, ready FROM awspool.pool_status WHERE provider = 'acme' ORDER BY marketplace;
TRUNCATE awspool.account, awspool.account_log;

-- The oldest ready account waits since it was added; a used one that is older
-- does not count.  Claims of the last 24 hours and of the last 7 days, whatever
-- became of them.
INSERT INTO awspool.account (provider, account_id, marketplace, model, status, added_at, order_model, claimed_at, claimed_by, closed_at, closed_by)
SELECT 'acme', 800000000000 + n, 'MP-0000', 'SPAM', status, now() - '30 days'::interval - n * '1 day'::interval,
       CASE WHEN claimed IS NOT NULL THEN 'SPAM' END, now() - claimed::interval, CASE WHEN claimed IS NOT NULL THEN 'c' END,
       CASE WHEN status NOT IN ('ready', 'provisioning_in_progress') THEN now() END, CASE WHEN status NOT IN ('ready', 'provisioning_in_progress') THEN 'd' END
FROM (VALUES (1, 'ready', NULL), (2, 'ready', NULL), (3, 'invalid', '8 days'), (4, 'allocated', '1 minute'), (5, 'provisioning_failed', '23 hours'),
  (6, 'allocated', '25 hours'), (7, 'provisioning_in_progress', '6 days 23 hours'), (8, 'allocated', '7 days 1 hour'), (9, 'allocated', '1 year')) v (n, status, claimed) ORDER BY n DESC;
SELECT ready, provisioning_in_progress, allocated, provisioning_failed, invalid, claims_24h, claims_7d,
       (SELECT account_id FROM awspool.accounts a WHERE a.added_at = p.oldest_ready_at) AS oldest
FROM awspool.pool_status p;
TRUNCATE awspool.account, awspool.account_log;

-- A table that inherits from the base table holds no accounts.
CREATE TABLE public.regress_awspool_heir () INHERITS (awspool.account);
INSERT INTO public.regress_awspool_heir (provider, account_id, marketplace, model) VALUES ('heir', '800000000001', 'MP-0000', 'SPAM');
SELECT count(*) FROM awspool.pool_status;
SELECT awspool.account_history('heir', '800000000001');
CREATE TABLE public.regress_awspool_heir_log () INHERITS (awspool.account_log);
INSERT INTO public.regress_awspool_heir_log (log_id, provider, account_id, at, actor, event, used) VALUES (1, 'heir', '800000000001', now(), 'me', 'deleted', true);
SELECT awspool.account_history('heir', '800000000001');
SELECT account_id FROM awspool.add_account('heir', '800000000001', 'MP-0000', 'SPAM');
SELECT count(*) FROM awspool.pool_status;
DROP TABLE public.regress_awspool_heir, public.regress_awspool_heir_log;
TRUNCATE awspool.account;

-- Whose pools are in view.
SELECT account_id FROM awspool.add_account('acme', '800000000001', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.add_account('other', '800000000002', 'MP-0000', 'SPAM');
CREATE ROLE regress_awspool_user;
SET ROLE regress_awspool_user;
SELECT count(*) FROM awspool.pool_status;
RESET ROLE;
SELECT awspool.grant_provider('other', 'regress_awspool_user');
SET ROLE regress_awspool_user;
SELECT provider, marketplace, ready FROM awspool.pool_status ORDER BY provider;
RESET ROLE;
SELECT awspool.grant_provider('*', 'regress_awspool_user');
SET ROLE regress_awspool_user;
SELECT provider, marketplace, ready FROM awspool.pool_status ORDER BY provider;
RESET ROLE;

-- It is to be read only.
\set VERBOSITY sqlstate
DELETE FROM awspool.pool_status;
SET ROLE regress_awspool_user;
UPDATE awspool.pool_status SET ready = 1;
RESET ROLE;
\set VERBOSITY default

TRUNCATE awspool.account, awspool.account_log, awspool.provider_role;
DROP ROLE regress_awspool_user;
