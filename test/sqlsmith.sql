-- What the queries of sqlsmith find: accounts of every status, of three providers,
-- and a shop, which acts for two of them, with orders of its own.

CREATE EXTENSION awspool;
CREATE ROLE shop LOGIN;
SELECT awspool.grant_provider('acme', 'shop'), awspool.grant_provider('other', 'shop');

INSERT INTO awspool.accounts (provider, account_id, marketplace, model)
SELECT (ARRAY['acme', 'other', 'third'])[1 + i % 3], (900000000000 + i)::text,
  'MP-000' || i / 3 % 3, (ARRAY['SPAM', 'ECAM'])[1 + i / 5 % 2]
FROM generate_series(1, 900) i;
SELECT awspool.claim_account(p, m, CASE WHEN n % 3 > 0 THEN p || m || n END)
FROM unnest('{acme,other,third}'::text[]) p, unnest('{MP-0000,MP-0001}'::text[]) m, generate_series(1, 70) n;
SELECT awspool.allocate_account(provider, account_id)
FROM awspool.accounts WHERE status = 'provisioning_in_progress' AND position % 5 = 0;
SELECT awspool.fail_account(provider, account_id, 'no reason')
FROM awspool.accounts WHERE status = 'provisioning_in_progress' AND position % 5 = 1;
SELECT awspool.invalidate_account(provider, account_id)
FROM awspool.accounts WHERE position % 11 = 0 AND status IN ('ready', 'provisioning_in_progress');
SELECT awspool.delete_account(provider, account_id)
FROM awspool.accounts WHERE position % 17 = 0 AND status <> 'provisioning_in_progress';

CREATE TABLE orders (order_id text, account_id text, place bigint, at timestamptz, ids text[]);
INSERT INTO orders
SELECT order_id, account_id, position, claimed_at, ARRAY[account_id, NULL, '900000000001']
FROM awspool.accounts WHERE order_id IS NOT NULL OR position % 7 = 0;
CREATE INDEX ON orders (order_id);
CREATE INDEX ON orders (account_id);
ALTER TABLE orders OWNER TO shop;
ANALYZE orders;
