-- The life of an account, and the operator's day, as make demo tells them: run by
-- doc/demo.sh in an empty database, as a superuser, with the project as the
-- current directory, on a server that has prepared transactions.

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

\echo
\echo '-- Second act: the operator''s day. What needs a person is a row in one view.'
SELECT awspool.configure_pool('acme', 'MP-0000', low_water => 3) \g /dev/null
SELECT severity, alert, marketplace, detail FROM awspool.alerts;

\echo '-- low: below its low-water mark. One more order, and the pool is dry.'
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'order-3');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'order-4');
SELECT severity, alert, detail, action FROM awspool.alerts;

\echo '-- A new file ends both.'
SELECT count(*) FROM awspool.import_csv('acme', '000000000011;MP-0000;SPAM
000000000012;MP-0000;SPAM
000000000013;MP-0000;SPAM
000000000014;MP-0000;SPAM');
SELECT count(*) AS alerts FROM awspool.alerts;

\echo '-- runway: at the pace of the last 7 days the pool lasts for too few days.'
SELECT awspool.configure_pool('acme', 'MP-0000', min_days => 30) \g /dev/null
SELECT severity, alert, detail FROM awspool.alerts;

\echo '-- overdue: two orders hang. They fail; their accounts are never offered again.'
SELECT awspool.configure_pool('acme', 'MP-0000', deadline => '1 millisecond') \g /dev/null
SELECT alert, account_id, order_id, action FROM awspool.alerts;
SELECT account_id, status, order_id FROM awspool.fail_overdue('acme');
SELECT count(*) AS alerts FROM awspool.alerts;

\echo '-- blocked: a prepared transaction that everybody forgot holds an account.'
SELECT awspool.configure_pool('acme', 'MP-0000') \g /dev/null
BEGIN;
SELECT account_id FROM awspool.edit_account('acme', '000000000011', model => 'ECAM');
PREPARE TRANSACTION 'forgotten';
SELECT alert, account_id, detail, action FROM awspool.alerts;
SELECT rank, account_id, verdict FROM awspool.explain_claim('acme', 'MP-0000');
ROLLBACK PREPARED 'forgotten';
SELECT count(*) AS alerts FROM awspool.alerts;

\echo '-- paused: closed for new orders, until somebody opens it again.'
SELECT awspool.pause_pool('acme', 'MP-0000', 'price change') \g /dev/null
SELECT alert, marketplace, detail, action FROM awspool.alerts;
SELECT awspool.resume_pool('acme', 'MP-0000') \g /dev/null
SELECT count(*) AS alerts FROM awspool.alerts;
