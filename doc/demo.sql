-- The life of an account, as make demo tells it: run by doc/demo.sh in an empty
-- database, as a superuser, with the project as the current directory.

\set ON_ERROR_STOP on
\pset pager off
\pset footer off
\pset null ''
\set QUIET off
\set ECHO queries

\echo
\echo '-- One statement installs it.'
CREATE EXTENSION awspool;

\echo
\echo '-- A superuser says which role may act for provider acme.'
CREATE ROLE acme_app LOGIN;
SELECT awspool.grant_provider('acme', 'acme_app');

\echo '-- From here on all is done as that role.'
SET ROLE acme_app;

\echo
\echo '-- It fills its pool from a CSV file of any size.'
\set ECHO none
\echo '\\copy awspool.import (account_id, marketplace_id, account_model) FROM \'test/data/accounts.csv\' WITH (FORMAT csv, DELIMITER \';\', HEADER)'
\copy awspool.import (account_id, marketplace_id, account_model) FROM 'test/data/accounts.csv' WITH (FORMAT csv, DELIMITER ';', HEADER)
\set ECHO queries

\echo
\echo '-- The same file again, as a value: what is there already does no harm.'
\set csv `cat test/data/accounts.csv`
SELECT line, account_id, marketplace, model, outcome
  FROM awspool.import_csv('acme', :'csv');

\echo '-- Single accounts are inserted like rows.'
INSERT INTO awspool.accounts (provider, account_id, marketplace, model)
  VALUES ('acme', '000000000007', 'MP-0000', 'SPAM'),
         ('acme', '000000000008', 'MP-0000', 'ECAM');

\echo
\echo '-- An order claims the oldest ready account.'
SELECT account_id, model, status, order_id
  FROM awspool.claim_account('acme', 'MP-0000', 'order-1');

\echo '-- It asks again, having lost the answer, and gets the same account.'
SELECT account_id, model, status, order_id
  FROM awspool.claim_account('acme', 'MP-0000', 'order-1');

\echo '-- The order completes: the account is sold, for good.'
SELECT account_id, model, status, order_id
  FROM awspool.allocate_account('acme', '123456789012', 'order-1');

\echo '-- The next order gets the next account ...'
SELECT account_id, model, status, order_id
  FROM awspool.claim_account('acme', 'MP-0000', 'order-2');

\echo '-- ... and fails: that account is never offered again, either.'
SELECT account_id, status, reason
  FROM awspool.fail_account('acme', '123456789013', 'no root login', 'order-2');

\echo '-- How the pool stands.'
SELECT marketplace, ready, provisioning_in_progress AS in_progress,
       allocated, provisioning_failed AS failed, claims_24h
  FROM awspool.pool_status;

\echo '-- What became of an account, when, and by whose doing.'
SELECT to_char(at, 'HH24:MI:SS') AS at, actor, event, detail
  FROM awspool.account_history('acme', '123456789013');
