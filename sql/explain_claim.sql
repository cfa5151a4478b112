--
-- explain_claim: what a claim would meet.  What others hold is in
-- test/specs/explain_claim.spec.
--

-- Nothing at all, elsewhere, here, and used up
SELECT * FROM awspool.explain_claim('acme', 'MP-0000');
SELECT account_id FROM awspool.add_account('acme', '400000000001', 'MP-0001', 'SPAM');
SELECT * FROM awspool.explain_claim('acme', 'MP-0000');
SELECT * FROM awspool.explain_claim('acme', 'MP-0001');
SELECT * FROM awspool.explain_claim('other', 'MP-0001');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0001');
SELECT * FROM awspool.explain_claim('acme', 'MP-0001');
SELECT * FROM awspool.explain_claim('acme', 'MP-0000');

-- The first ten, oldest first
SELECT count(*) FROM awspool.import_csv('acme',
  (SELECT string_agg(500000000100 - n || ';MP-0000;SPAM', E'\n' ORDER BY n) FROM generate_series(1, 12) n));
SELECT * FROM awspool.explain_claim('acme', 'MP-0000');

-- It shows what the transaction has done by now, and changes nothing.
BEGIN;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000');
SELECT account_id FROM awspool.edit_account('acme', '500000000098', model => 'ECAM');
SELECT account_id FROM awspool.delete_account('acme', '500000000097');
SELECT account_id FROM awspool.accounts WHERE account_id = '500000000096' FOR UPDATE;
SELECT account_id FROM awspool.account WHERE account_id = '500000000095' FOR UPDATE;
SELECT account_id, verdict, detail FROM awspool.explain_claim('acme', 'MP-0000') WHERE rank <= 4;
ROLLBACK;
BEGIN READ ONLY;
SELECT account_id, verdict, detail FROM awspool.explain_claim('acme', 'MP-0000') WHERE rank <= 2;
SELECT pg_current_xact_id_if_assigned();
ROLLBACK;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000');

-- Bad arguments
SELECT awspool.explain_claim('acme', NULL);
\set VERBOSITY sqlstate
SELECT awspool.explain_claim(NULL, 'MP-0000');
SELECT awspool.explain_claim('acme', 'MP');
\set VERBOSITY default

TRUNCATE awspool.account, awspool.account_log, awspool.provider_role;
