-- What the scenario "reads" reads: two providers, of which the benchmark is
-- the first; orders are called by the number of their account.

SELECT awspool.revoke_provider(p::text, 'app') FROM generate_series(2, 200) p;

-- Rows that no trigger has to look at, and positions in their order.
ALTER TABLE awspool.account DISABLE TRIGGER USER;
INSERT INTO awspool.account (provider, account_id, marketplace, model, status,
  order_id, order_model, claimed_at, claimed_by, closed_at, closed_by)
SELECT (2 - (i + 1) % 2)::text, 200000000000 + i, 'MP-000' || i / 2 % 4, 'SPAM',
  CASE WHEN i % 20 = 0 THEN 'provisioning_failed' ELSE 'allocated' END,
  i, 'SPAM', now() - interval '1 year' + i * interval '5 s', 'app', now(), 'app'
FROM generate_series(1, :closed) i;
INSERT INTO awspool.account (provider, account_id, marketplace, model, status,
  order_id, order_model, claimed_at, claimed_by)
SELECT (2 - (i + 1) % 2)::text, 300000000000 + i, 'MP-000' || i / 2 % 4, 'SPAM',
  'provisioning_in_progress', 1000000000 + i, 'SPAM',
  now() - interval '1 day' * CASE WHEN i <= 20 THEN 31 ELSE 1 END, 'app'
FROM generate_series(1, 2000) i;
INSERT INTO awspool.account (provider, account_id, marketplace, model)
SELECT (2 - (i + 1) % 2)::text, 400000000000 + i, 'MP-000' || i / 2 % 4, 'SPAM'
FROM generate_series(1, 100000) i;
ALTER TABLE awspool.account ENABLE TRIGGER USER;
VACUUM ANALYZE awspool.account;

CREATE TABLE bench.orders AS
SELECT n, (2 * (n * 7919 % greatest(:closed / 2, 1)))::text AS order_id,
  (200000000000 + 2 * (n * 7919 % greatest(:closed / 2, 1)))::text AS account_id
FROM generate_series(1, 1000) n;
ANALYZE bench.orders;
GRANT SELECT ON bench.orders TO app;
