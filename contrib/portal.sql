-- The pool that make portal shows: two providers, and an account in each of the
-- statuses.  The passwords are no secret.

\set ON_ERROR_STOP on
CREATE EXTENSION awspool;
CREATE ROLE acme_app LOGIN PASSWORD 'acme';
CREATE ROLE globex_app LOGIN PASSWORD 'globex';
CREATE ROLE both_app LOGIN PASSWORD 'both';
SELECT awspool.grant_provider('acme', 'acme_app'), awspool.grant_provider('globex', 'globex_app'),
       awspool.grant_provider('acme', 'both_app'), awspool.grant_provider('globex', 'both_app');

SET ROLE acme_app;
INSERT INTO awspool.accounts (provider, account_id, marketplace, model)
  SELECT 'acme', to_char(104729000000 + i * 7919 * 13, 'FM000000000000'),
         (ARRAY['MP-0000', 'MP-0000', 'MP-0001'])[1 + i % 3], (ARRAY['SPAM', 'ECAM'])[1 + i % 5 / 3]
  FROM generate_series(1, 137) i ORDER BY i;
SELECT count(*) FROM generate_series(4001, 4009) i, awspool.claim_account('acme', 'MP-0000', 'order-' || i);
SELECT count(*) FROM unnest(ARRAY['order-4001', 'order-4002', 'order-4004', 'order-4005', 'order-4008']) o,
  awspool.claim_account('acme', 'MP-0000', o) c, awspool.allocate_account('acme', c.account_id, o);
SELECT count(*) FROM awspool.claim_account('acme', 'MP-0000', 'order-4003') c,
  awspool.fail_account('acme', c.account_id, 'no root login', 'order-4003');
UPDATE awspool.accounts SET status = 'invalid', reason = 'closed by AWS'
  WHERE order_id IS NULL AND position = (SELECT min(position) + 20 FROM awspool.accounts);

SET ROLE globex_app;
INSERT INTO awspool.accounts (provider, account_id, marketplace, model)
  SELECT 'globex', to_char(271828000000 + i * 6547 * 31, 'FM000000000000'), 'MP-0000', 'SPAM'
  FROM generate_series(1, 12) i ORDER BY i;
RESET ROLE;

-- Who may only look, and what calls for a person.
CREATE ROLE viewer_app LOGIN PASSWORD 'viewer';
SELECT awspool.grant_viewer('acme', 'viewer_app'), awspool.grant_viewer('globex', 'viewer_app');
SELECT awspool.configure_pool('globex', 'MP-0000', low_water => 20), awspool.configure_pool('acme', 'MP-0001', low_water => 50);
