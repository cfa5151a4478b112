--
-- Views alerts, and fail_overdue: what needs a person.
--
SELECT count(*) FROM awspool.alerts;
CREATE FUNCTION pg_temp.add(p text, pool text, n int, m int) RETURNS bigint LANGUAGE sql AS $$
  SELECT count(*) FROM awspool.import_csv(p, (SELECT string_agg(format('%s;%s;SPAM', 830000000000 + i, pool), E'\n' ORDER BY i) FROM generate_series(n, m) i))
$$;
CREATE VIEW pg_temp.alert AS
  SELECT severity, alert, provider, marketplace, account_id, order_id, since IS NOT NULL AS known, detail, action FROM awspool.alerts;
-- Claimed so long ago, and in progress.
CREATE FUNCTION pg_temp.claimed(p text, id bigint, pool text, order_id text, ago interval) RETURNS void LANGUAGE sql AS $$
  INSERT INTO awspool.account (provider, account_id, marketplace, model, status, order_id, order_model, claimed_at, claimed_by)
  VALUES (p, id, pool, 'SPAM', 'provisioning_in_progress', order_id, 'SPAM', now() - ago, 'somebody')
$$;
\x on

-- dry and low: with a low-water mark, or with claims.
SELECT awspool.configure_pool('acme', 'MP-0001', 2);
TABLE pg_temp.alert;
SELECT pg_temp.add('acme', 'MP-0001', 1, 1);
TABLE pg_temp.alert;
SELECT pg_temp.add('acme', 'MP-0001', 2, 2);
TABLE pg_temp.alert;
SELECT pg_temp.add('acme', 'MP-0002', 3, 3);
SELECT account_id FROM awspool.claim_account('acme', 'MP-0002');
TABLE pg_temp.alert;
-- None of either: all is well.
SELECT pg_temp.add('acme', 'MP-0003', 4, 4);
SELECT account_id FROM awspool.delete_account('acme', '830000000004');
SELECT alert, marketplace FROM awspool.alerts;
SELECT pg_temp.add('acme', 'MP-0002', 5, 5);
TABLE pg_temp.alert;
-- since: of the last claim; of its hour, when it is completed
SELECT account_id FROM awspool.claim_account('acme', 'MP-0002');
SELECT alert, since = (SELECT max(claimed_at) FROM awspool.accounts) AS last_claim FROM awspool.alerts;
SELECT count(*) FROM awspool.accounts a, awspool.allocate_account('acme', a.account_id) WHERE a.status = 'provisioning_in_progress';
SELECT alert, since = (SELECT date_trunc('hour', max(claimed_at), 'UTC') FROM awspool.accounts) AS its_hour FROM awspool.alerts;
TRUNCATE awspool.account, awspool.account_log, awspool.pool_setting;

-- runway: fewer days left than wanted.
SELECT pg_temp.add('acme', 'MP-0001', 1, 17);
SELECT count(*) FROM generate_series(1, 7) i, awspool.claim_account('acme', 'MP-0001', 'O-' || i);
SELECT awspool.configure_pool('acme', 'MP-0001', min_days => 10);
TABLE pg_temp.alert;
SELECT awspool.configure_pool('acme', 'MP-0001', min_days => 10.5);
TABLE pg_temp.alert;
TRUNCATE awspool.account, awspool.account_log, awspool.pool_setting;

-- paused: each setting that says so, and what opens it again.
SELECT pg_temp.add('acme', 'MP-0001', 1, 1);
SELECT awspool.pause_pool('acme', 'MP-0001', 'a reason'), awspool.pause_pool('it''s', reason => NULL);
SELECT severity, alert, provider, marketplace, since = (SELECT s.paused_at FROM awspool.pool_settings s WHERE (s.provider, s.marketplace) = (a.provider, a.marketplace)) AS since_then,
       replace(detail, quote_ident(current_user), 'me') AS detail, action FROM awspool.alerts a;
SELECT string_agg(action, ';' ORDER BY action) AS action FROM awspool.alerts \gset
:action;
SELECT count(*) FROM awspool.alerts;
TRUNCATE awspool.account, awspool.account_log, awspool.pool_setting;

-- overdue: in progress beyond the deadline of the pool.
SELECT awspool.configure_pool('acme', 'MP-0001', deadline => '2 hours'), awspool.configure_pool('acme', 'MP-0002', deadline => '3 hours');
SELECT pg_temp.claimed('acme', 830000000001, 'MP-0001', 'O-1', '1 hour 59 minutes'), pg_temp.claimed('acme', 830000000002, 'MP-0001', 'O-2', '2 hours 1 minute'),
       pg_temp.claimed('acme', 830000000003, 'MP-0001', NULL, '5 hours'), pg_temp.claimed('acme', 830000000004, 'MP-0002', 'O-4', '2 hours 59 minutes'),
       pg_temp.claimed('acme', 830000000005, 'MP-0002', 'O-5', '4 hours'), pg_temp.claimed('acme', 830000000006, 'MP-0003', 'O-6', '1 year'),
       pg_temp.claimed('other', 830000000007, 'MP-0001', 'O-7', '1 year');
SELECT severity, provider, marketplace, account_id, order_id,
       since = (SELECT claimed_at + CASE marketplace WHEN 'MP-0001' THEN interval '2 hours' ELSE '3 hours' END FROM awspool.accounts o WHERE o.account_id = a.account_id) AS since_deadline,
       detail ~ '^in progress since .*, deadline @ [23] hours$' AS detail, action
FROM awspool.alerts a WHERE alert = 'overdue';
\x off
-- The longest in progress first, no more than so many, and each once.
SELECT account_id, status, order_id, reason ~ '^overdue: in progress since .*, deadline @ 2 hours$' AS reason FROM awspool.fail_overdue('acme', 1);
SELECT account_id, status, order_id, reason ~ '^overdue: in progress since .*, deadline' AS reason FROM awspool.fail_overdue('acme');
SELECT account_id FROM awspool.fail_overdue('acme');
SELECT account_id FROM awspool.fail_overdue('other');
SELECT account_id, status FROM awspool.accounts ORDER BY 1;
SELECT count(*) FROM awspool.alerts WHERE alert = 'overdue';
SELECT event FROM awspool.account_history('acme', '830000000003');
-- The order is told, and may claim anew.
\set VERBOSITY sqlstate
SELECT awspool.allocate_account('acme', '830000000002', 'O-2');
\set VERBOSITY default
SELECT awspool.fail_overdue('acme', 0);
SELECT pg_temp.add('acme', 'MP-0001', 20, 20);
SELECT account_id FROM awspool.claim_account('acme', 'MP-0001', 'O-2');
-- Twice in one statement, and in transactions with one snapshot
SELECT pg_temp.claimed('acme', 830000000011, 'MP-0001', 'O-11', '1 day'), pg_temp.claimed('acme', 830000000012, 'MP-0001', 'O-12', '2 days');
SELECT a.account_id AS a, b.account_id AS b FROM awspool.fail_overdue('acme') a FULL JOIN awspool.fail_overdue('acme') b ON true ORDER BY 1;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT pg_temp.claimed('acme', 830000000013, 'MP-0001', 'O-13', '1 day');
SELECT account_id FROM awspool.fail_overdue('acme');
SELECT account_id FROM awspool.fail_overdue('acme');
COMMIT;
TRUNCATE awspool.account, awspool.account_log, awspool.pool_setting;
-- A deadline that is configured in the same transaction
BEGIN;
SELECT pg_temp.claimed('acme', 830000000014, 'MP-0001', 'O-14', '1 day');
SELECT awspool.configure_pool('acme', 'MP-0001', deadline => '1 hour');
SELECT account_id FROM awspool.fail_overdue('acme');
ROLLBACK;

-- By the calendar: a deadline in months is over when claimed_at + deadline is,
-- which may be days away from where now - deadline is.  There are such deadlines
-- whatever day it is: the first account has passed one, the second has not.
SELECT deadline AS early FROM (SELECT make_interval(months => m, days => d) AS deadline, m, d FROM generate_series(1, 6) m, generate_series(0, 400) d) x
WHERE now() - deadline + interval '1 hour' + deadline < now() - interval '1 hour' ORDER BY m, d LIMIT 1 \gset
SELECT deadline AS late FROM (SELECT make_interval(months => m, days => d) AS deadline, m, d FROM generate_series(1, 6) m, generate_series(0, 400) d) x
WHERE now() - deadline - interval '1 hour' + deadline > now() + interval '1 hour' ORDER BY m, d LIMIT 1 \gset
SELECT awspool.configure_pool('acme', 'MP-0001', deadline => :'early'), awspool.configure_pool('acme', 'MP-0002', deadline => :'late');
INSERT INTO awspool.account (provider, account_id, marketplace, model, status, order_model, claimed_at, claimed_by)
VALUES ('acme', 830000000001, 'MP-0001', 'SPAM', 'provisioning_in_progress', 'SPAM', now() - interval :'early' + interval '1 hour', 'somebody'),
       ('acme', 830000000002, 'MP-0002', 'SPAM', 'provisioning_in_progress', 'SPAM', now() - interval :'late' - interval '1 hour', 'somebody');
SELECT account_id, since < now() AS since_then FROM awspool.alerts WHERE alert = 'overdue';
SELECT account_id FROM awspool.fail_overdue('acme');
TRUNCATE awspool.account, awspool.account_log, awspool.pool_setting;

-- What a look reads is in proportion to what is in progress for long.
SELECT pg_temp.add('acme', 'MP-0001', 1, 3);
SELECT awspool.configure_pool('acme', 'MP-0001', 5, 5, '1 day');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0001');
CREATE FUNCTION pg_temp.read_by(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    IF line ~ 'Read By' THEN
      RETURN NEXT ltrim(line);
    END IF;
  END LOOP;
END $$;
SELECT * FROM pg_temp.read_by($$
  SELECT p.provider, a.marketplace, a.claimed_at
  FROM unnest('{acme,other}'::text[]) p (provider),
    LATERAL (
      SELECT a.marketplace, max(a.claimed_at) AS claimed_at FROM awspool.accounts a
      WHERE a.provider = p.provider AND a.status = 'provisioning_in_progress'
      GROUP BY a.marketplace) a
$$);

TRUNCATE awspool.account, awspool.account_log, awspool.provider_role, awspool.pool_setting;
