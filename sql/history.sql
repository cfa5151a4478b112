--
-- account_history: what happened to an account, oldest first, and which role
-- did it; also of one that is deleted.
--
CREATE ROLE regress_awspool_stock;
CREATE ROLE regress_awspool_orders;
CREATE ROLE regress_awspool_admin;
SELECT awspool.grant_provider('acme', r) FROM unnest(ARRAY['regress_awspool_stock', 'regress_awspool_orders', 'regress_awspool_admin']) r;

-- The whole life of an account, each step by another role; the session's user
-- is not who acted.
SET ROLE regress_awspool_stock;
SELECT account_id FROM awspool.add_account('acme', '110000000001', 'MP-0000', 'SPAM');
SELECT actor, event, detail FROM awspool.account_history(provider => 'acme', account_id => '110000000001');
SET ROLE regress_awspool_admin;
SELECT account_id FROM awspool.edit_account('acme', '110000000001', 'MP-1111');
SELECT account_id FROM awspool.edit_account('acme', '110000000001', model => 'ECAM');
SELECT account_id FROM awspool.edit_account('acme', '110000000001', 'MP-0000', 'SPAM');
-- no edit
SELECT account_id FROM awspool.edit_account('acme', '110000000001', 'MP-0000', 'SPAM');
SET ROLE regress_awspool_orders;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
-- no second claim
SET ROLE regress_awspool_admin;
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
SELECT account_id, added_by, claimed_by, closed_by FROM awspool.edit_account('acme', '110000000001', model => 'ECAM');
SET ROLE regress_awspool_stock;
SELECT account_id, added_by, claimed_by, closed_by FROM awspool.allocate_account('acme', '110000000001', 'O-1');
-- no second end
SET ROLE regress_awspool_admin;
SELECT account_id FROM awspool.allocate_account('acme', '110000000001', 'O-1');
SELECT actor, event, detail FROM awspool.account_history('acme', '110000000001');
-- deleted, and everything is still there
SET ROLE regress_awspool_orders;
SELECT account_id FROM awspool.delete_account('acme', '110000000001');
SELECT actor, event, detail FROM awspool.account_history('acme', '110000000001');
RESET ROLE;
-- in the order of the clock, which does not go back, and none without
SELECT count(*) FROM (SELECT at < lag(at) OVER (ORDER BY n) AS back, at IS NULL AS never
  FROM awspool.account_history('acme', '110000000001') WITH ORDINALITY h (at, actor, event, detail, n)) h WHERE back OR never;
SELECT count(*) FROM awspool.account_history('acme', '110000000001') WHERE at NOT BETWEEN now() - '1 hour'::interval AND now();

-- Each way that an account ends.
SELECT count(*) FROM awspool.import_csv('acme', (SELECT string_agg(110000000010 + n || ';MP-0000;SPAM', E'\n' ORDER BY n) FROM generate_series(1, 6) n));
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-11');
SELECT account_id FROM awspool.fail_account('acme', '110000000011', 'no answer');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000');
SELECT account_id FROM awspool.invalidate_account('acme', '110000000012', 'closed by AWS');
SELECT account_id FROM awspool.invalidate_account('acme', '110000000013');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-14');
SELECT account_id FROM awspool.replace_account('acme', '110000000014', 'replaced', 'O-14');
SELECT account_id FROM awspool.delete_account('acme', '110000000016');
SELECT id, string_agg(event || coalesce(' (' || detail || ')', ''), ', ' ORDER BY n) AS history, bool_and(actor = current_user) AS by_me
FROM generate_series(110000000011, 110000000016) id, awspool.account_history('acme', id::text) WITH ORDINALITY h (at, actor, event, detail, n)
GROUP BY id ORDER BY id;

-- The same events through the view and the base table; what came by import is
-- added as anything else.
INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES ('acme', '110000000021', 'MP-0000', 'SPAM');
INSERT INTO awspool.import VALUES ('acme', '110000000022', 'MP-0000', 'SPAM');
INSERT INTO awspool.account (provider, account_id, marketplace, model) VALUES ('acme', '110000000023', 'MP-0000', 'SPAM');
UPDATE awspool.accounts SET marketplace = 'MP-1111', model = 'ECAM' WHERE account_id IN ('110000000021', '110000000022');
UPDATE awspool.account SET marketplace = 'MP-1111', model = 'ECAM' WHERE account_id = '110000000023';
UPDATE awspool.accounts SET status = 'invalid', reason = 'unfit' WHERE account_id IN ('110000000021', '110000000022');
UPDATE awspool.account SET status = 'invalid', reason = 'unfit' WHERE account_id = '110000000023';
DELETE FROM awspool.accounts WHERE account_id IN ('110000000021', '110000000022');
DELETE FROM awspool.account WHERE account_id = '110000000023';
SELECT id, string_agg(event || coalesce(' (' || detail || ')', ''), ', ' ORDER BY n) AS history, bool_and(actor = current_user) AS by_me
FROM generate_series(110000000021, 110000000023) id, awspool.account_history('acme', id::text) WITH ORDINALITY h (at, actor, event, detail, n)
GROUP BY id ORDER BY id;

-- An account that was deleted while it was ready and added again has both
-- lives; one that went to another provider leaves each with their own.
SELECT account_id FROM awspool.add_account('acme', '110000000031', 'MP-0000', 'SPAM');
SELECT outcome FROM awspool.delete_accounts('acme', '{110000000031}');
SELECT account_id FROM awspool.add_account('acme', '110000000031', 'MP-1111', 'ECAM');
SELECT event, detail FROM awspool.account_history('acme', '110000000031');
SELECT account_id FROM awspool.delete_account('acme', '110000000031');
SELECT account_id FROM awspool.add_account('other', '110000000031', 'MP-2222', 'SPAM');
SELECT account_id FROM awspool.claim_account('other', 'MP-2222', 'secret');
SELECT event, detail FROM awspool.account_history('acme', '110000000031');
SELECT event, detail FROM awspool.account_history('other', '110000000031');

-- What was rolled back, or refused, did not happen.
SELECT account_id FROM awspool.add_account('acme', '110000000041', 'MP-3333', 'SPAM');
BEGIN;
SELECT account_id FROM awspool.edit_account('acme', '110000000041', model => 'ECAM');
SAVEPOINT s;
SELECT account_id FROM awspool.claim_account('acme', 'MP-3333', 'O-41');
SELECT account_id FROM awspool.allocate_account('acme', '110000000041');
SELECT account_id FROM awspool.delete_account('acme', '110000000041');
SELECT event FROM awspool.account_history('acme', '110000000041');
ROLLBACK TO s;
SELECT event FROM awspool.account_history('acme', '110000000041');
ROLLBACK;
SELECT count(*) FROM awspool.delete_accounts('acme', '{110000000041}') WHERE outcome = 'not_found';
SELECT event FROM awspool.account_history('acme', '110000000041');

-- The actor is the effective role: of a function that runs as its owner, that
-- owner.
SET ROLE regress_awspool_orders;
CREATE FUNCTION pg_temp.take(provider text) RETURNS text LANGUAGE sql SECURITY DEFINER
  AS $$ SELECT account_id FROM awspool.claim_account(provider, 'MP-3333') $$;
SET ROLE regress_awspool_stock;
SELECT account_id, added_by FROM awspool.add_account('acme', '110000000042', 'MP-3333', 'SPAM');
SELECT pg_temp.take('acme');
SELECT actor, event, detail FROM awspool.account_history('acme', '110000000042');
RESET ROLE;
DROP FUNCTION pg_temp.take;

-- The name of a role that is gone stays in the history.
SET ROLE regress_awspool_admin;
SELECT account_id, status FROM awspool.fail_account('acme', '110000000042', E'a "quoted"\nreason: ' || repeat('x', 10));
RESET ROLE;
SELECT awspool.revoke_provider('acme', 'regress_awspool_admin');
DROP ROLE regress_awspool_admin;
SELECT actor, event, detail FROM awspool.account_history('acme', '110000000042');

-- No such account, and somebody else's, deleted or not: the same.
SELECT awspool.account_history('acme', '119999999999');
\set VERBOSITY sqlstate
SELECT awspool.account_history('other', '110000000042');
SELECT awspool.account_history('other', '110000000001');
SET ROLE regress_awspool_stock;
SELECT awspool.account_history('other', '110000000031');
RESET ROLE;
\set VERBOSITY default

-- What leaves everything as it was is no edit.
SELECT count(*) AS events FROM awspool.account_history('acme', '110000000042');
UPDATE awspool.account SET model = model, marketplace = marketplace WHERE account_id = '110000000042';
SELECT count(*) AS events FROM awspool.account_history('acme', '110000000042');

-- Clocks are set back.  What happened first is told first all the same: steps
-- have their order by nature, edits are told after the step that they came after.
CREATE FUNCTION pg_temp.life(id text) RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(event || coalesce(' ' || substring(detail, 'from .*'), ''), ', ' ORDER BY n)
  FROM awspool.account_history('acme', id) WITH ORDINALITY h (at, actor, event, detail, n)
$$;
SELECT account_id FROM awspool.add_account('acme', '110000000051', 'MP-4444', 'SPAM');
SELECT account_id FROM awspool.delete_account('acme', '110000000051');
SELECT account_id FROM awspool.add_account('acme', '110000000051', 'MP-4444', 'SPAM');
SELECT account_id FROM awspool.edit_account('acme', '110000000051', 'MP-5555');
SELECT account_id FROM awspool.edit_account('acme', '110000000051', model => 'ECAM');
SELECT account_id FROM awspool.claim_account('acme', 'MP-5555', 'O-51');
SELECT account_id FROM awspool.edit_account('acme', '110000000051', model => 'SPAM');
SELECT account_id FROM awspool.allocate_account('acme', '110000000051');
SELECT account_id FROM awspool.edit_account('acme', '110000000051', model => 'ECAM');
SELECT pg_temp.life('110000000051');
BEGIN;
UPDATE awspool.account_log SET at = at - '1 hour'::interval WHERE account_id = '110000000051' AND event = 'edited';
SELECT pg_temp.life('110000000051');
UPDATE awspool.account_log SET at = at + '2 hours'::interval WHERE account_id = '110000000051';
SELECT pg_temp.life('110000000051');
-- also once it is deleted
SELECT account_id FROM awspool.delete_account('acme', '110000000051');
UPDATE awspool.account_log SET at = now() - log_id * '1 second'::interval WHERE account_id = '110000000051';
SELECT pg_temp.life('110000000051');
ROLLBACK;
-- Version 1.0 did not note the status.  Then the clock says between which steps an
-- edit was, as far as that can be: an account is moved while it is ready, and no
-- edit was before an earlier one.
BEGIN;
UPDATE awspool.account_log SET status = NULL WHERE account_id = '110000000051';
SELECT pg_temp.life('110000000051');
UPDATE awspool.account_log SET at = now() + '1 hour'::interval WHERE account_id = '110000000051' AND detail LIKE 'marketplace%';
SELECT pg_temp.life('110000000051');
UPDATE awspool.account_log SET at = now() + log_id * '1 hour'::interval WHERE account_id = '110000000051';
SELECT pg_temp.life('110000000051');
UPDATE awspool.account_log SET at = now() - log_id * '1 hour'::interval WHERE account_id = '110000000051';
SELECT pg_temp.life('110000000051');
ROLLBACK;
-- Rows that somebody brings along, whose clock went back at each step.
INSERT INTO awspool.account (provider, account_id, marketplace, model, status, order_id, order_model, added_at, claimed_at, claimed_by, closed_at, closed_by)
VALUES ('acme', '110000000052', 'MP-4444', 'SPAM', 'allocated', 'O-52', 'SPAM', '2026-01-03', '2026-01-02', 'me', '2026-01-01', 'me');
SELECT pg_temp.life('110000000052');
SELECT account_id FROM awspool.delete_account('acme', '110000000052');
SELECT pg_temp.life('110000000052');

-- Reading it needs no right to write.
BEGIN READ ONLY;
SELECT count(*) FROM awspool.account_history('acme', '110000000042');
COMMIT;

TRUNCATE awspool.account, awspool.account_log, awspool.provider_role;
DROP ROLE regress_awspool_stock, regress_awspool_orders;
