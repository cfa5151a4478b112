--
-- Orders: allocate_account, fail_account, invalidate_account, replace_account.
--

-- The SQLSTATE of a statement, or "done"; either way it leaves no trace.
CREATE FUNCTION pg_temp.outcome(statement text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE statement;
  RAISE EXCEPTION USING ERRCODE = 'DONE0';
EXCEPTION WHEN OTHERS THEN
  RETURN CASE SQLSTATE WHEN 'DONE0' THEN 'done' ELSE SQLSTATE END;
END $$;

-- One account of each status, by the functions, as an application makes them.
CREATE FUNCTION pg_temp.fill() RETURNS void LANGUAGE sql AS $$
  SELECT awspool.add_account('acme', id::text, 'MP-0000', 'SPAM') FROM generate_series(300000000002, 300000000007) id ORDER BY id;
  SELECT awspool.claim_account('acme', 'MP-0000', o) FROM (VALUES ('O-2'), ('O-3'), ('O-4'), ('O-5'), (NULL)) v (o);
  SELECT awspool.allocate_account('acme', '300000000003');
  SELECT awspool.fail_account('acme', '300000000004', 'broken');
  SELECT awspool.invalidate_account('acme', '300000000005', 'stolen');
  SELECT awspool.invalidate_account('acme', '300000000007', 'unfit');
  SELECT awspool.add_account('acme', '300000000001', 'MP-0000', 'SPAM');
$$;

-- Every call on an account of each status: without an order, with the order
-- that claimed the account, and with another one.
SELECT pg_temp.fill();
SELECT a.account_id, a.status, a.order_id,
       pg_temp.outcome(format('SELECT awspool.allocate_account(%L, %L)', provider, account_id)) AS allocate,
       pg_temp.outcome(format('SELECT awspool.allocate_account(%L, %L, %L)', provider, account_id, order_id)) AS "its order",
       pg_temp.outcome(format('SELECT awspool.allocate_account(%L, %L, %L)', provider, account_id, 'O-99')) AS "other order",
       pg_temp.outcome(format('SELECT awspool.fail_account(%L, %L)', provider, account_id)) AS fail,
       pg_temp.outcome(format('SELECT awspool.fail_account(%L, %L, %L, %L)', provider, account_id, 'why', order_id)) AS "its order",
       pg_temp.outcome(format('SELECT awspool.fail_account(%L, %L, %L, %L)', provider, account_id, 'why', 'O-99')) AS "other order",
       pg_temp.outcome(format('SELECT awspool.invalidate_account(%L, %L)', provider, account_id)) AS invalidate,
       pg_temp.outcome(format('SELECT awspool.replace_account(%L, %L, %L)', provider, account_id, 'why')) AS replace,
       pg_temp.outcome(format('SELECT awspool.replace_account(%L, %L, %L, %L)', provider, account_id, 'why', order_id)) AS "its order",
       pg_temp.outcome(format('SELECT awspool.replace_account(%L, %L, %L, %L)', provider, account_id, 'why', 'O-99')) AS "other order"
FROM awspool.accounts a ORDER BY account_id;

-- The errors, once.
SELECT awspool.allocate_account('acme', '300000000001');
SELECT awspool.fail_account('acme', '300000000003', 'why');
SELECT awspool.allocate_account('acme', '300000000002', 'O-99');
SELECT awspool.fail_account('acme', '300000000006', 'why', 'O-99');
SELECT awspool.invalidate_account('acme', '300000000003');
SELECT awspool.replace_account('acme', '300000000005', 'why');
SELECT awspool.invalidate_account('acme', '399999999999');
-- "not yours" is "not there"
SELECT awspool.allocate_account('other', '300000000002');
SELECT pg_temp.outcome($$SELECT awspool.allocate_account('other', '300000000002', 'O-2')$$) AS allocate,
       pg_temp.outcome($$SELECT awspool.fail_account('other', '300000000002')$$) AS fail,
       pg_temp.outcome($$SELECT awspool.invalidate_account('other', '300000000002')$$) AS invalidate,
       pg_temp.outcome($$SELECT awspool.replace_account('other', '300000000002', 'why')$$) AS replace;
TRUNCATE awspool.account, awspool.account_log;

-- An order that completes.  Repeated, the answer is the same to the last bit.
SELECT account_id FROM awspool.add_account('acme', '300000000001', 'MP-0000', 'SPAM');
SELECT account_id, status, order_id FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
SELECT account_id, status, order_id, order_model, reason,
       claimed_at <= closed_at AS in_order, closed_by = current_user AS closed_by_me
FROM awspool.allocate_account(provider => 'acme', account_id => '300000000001', order_id => 'O-1');
CREATE TEMP TABLE was AS SELECT * FROM awspool.accounts;
SELECT count(*) FROM (SELECT * FROM awspool.allocate_account('acme', '300000000001', 'O-1') INTERSECT TABLE was) same;
SELECT count(*) FROM (SELECT * FROM awspool.allocate_account('acme', '300000000001') INTERSECT TABLE was) same;
SELECT count(*) FROM (SELECT * FROM awspool.claim_account('acme', 'MP-0000', 'O-1') INTERSECT TABLE was) same;
SELECT count(*) FROM (TABLE awspool.accounts INTERSECT TABLE was) same;
DROP TABLE was;
TRUNCATE awspool.account, awspool.account_log;

-- An order that fails: the first reason stays.  It may have none.
SELECT account_id FROM awspool.add_account('acme', '300000000001', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.add_account('acme', '300000000002', 'MP-0000', 'SPAM');
SELECT account_id, status, order_id FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
SELECT account_id, status, order_id, order_model, reason FROM awspool.fail_account(provider => 'acme', account_id => '300000000001', reason => 'no answer', order_id => 'O-1');
CREATE TEMP TABLE was AS SELECT * FROM awspool.accounts WHERE account_id = '300000000001';
SELECT count(*) FROM (SELECT * FROM awspool.fail_account('acme', '300000000001', 'another') INTERSECT TABLE was) same;
SELECT count(*) FROM (SELECT * FROM awspool.fail_account('acme', '300000000001', NULL, 'O-1') INTERSECT TABLE was) same;
DROP TABLE was;
-- ... and the order gets a new one
SELECT account_id, status, order_id FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
SELECT account_id, status, reason FROM awspool.fail_account('acme', '300000000002');
SELECT count(*) FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
SELECT account_id, status, order_id FROM awspool.accounts ORDER BY account_id;
TRUNCATE awspool.account, awspool.account_log;

-- Taken out for good, ready or in progress.  The order gets a new one.
SELECT account_id FROM awspool.add_account('acme', '300000000001', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.add_account('acme', '300000000002', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.add_account('acme', '300000000003', 'MP-0000', 'SPAM');
SELECT account_id, status, order_id, order_model, claimed_at, reason, closed_by = current_user AS closed_by_me
FROM awspool.invalidate_account(provider => 'acme', account_id => '300000000001', reason => 'closed by AWS');
SELECT account_id, status, order_id FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
SELECT account_id, status, order_id, order_model, claimed_at <= closed_at AS in_order, reason FROM awspool.invalidate_account('acme', '300000000002');
CREATE TEMP TABLE was AS SELECT * FROM awspool.accounts WHERE status = 'invalid';
SELECT count(*) FROM (SELECT * FROM awspool.invalidate_account('acme', '300000000001', 'another') INTERSECT TABLE was) same;
SELECT count(*) FROM (SELECT * FROM awspool.invalidate_account('acme', '300000000002', 'another') INTERSECT TABLE was) same;
DROP TABLE was;
SELECT account_id, status, order_id FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
TRUNCATE awspool.account, awspool.account_log;

-- replace_account: this account failed, and its order gets the next one, of
-- the same marketplace.
SELECT account_id FROM awspool.add_account('acme', '300000000001', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.add_account('acme', '300000000002', 'MP-1111', 'SPAM');
SELECT account_id FROM awspool.add_account('other', '300000000003', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.add_account('acme', '300000000004', 'MP-0000', 'ECAM');
SELECT account_id FROM awspool.add_account('acme', '300000000005', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
SELECT account_id, status, order_id, order_model FROM awspool.replace_account(provider => 'acme', account_id => '300000000001', reason => 'broken', order_id => 'O-1');
SELECT account_id, status, order_id, reason FROM awspool.accounts ORDER BY account_id;
-- who lost the answer asks again and gets the same one
SELECT account_id, status, order_id FROM awspool.replace_account('acme', '300000000001', 'broken', 'O-1');
SELECT account_id, status, order_id FROM awspool.replace_account('acme', '300000000001', 'broken');
SELECT account_id, status, order_id FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
-- the next one, and then there is none: no row, and nothing changed
SELECT account_id, status, order_id FROM awspool.replace_account('acme', '300000000004', NULL, 'O-1');
SELECT count(*) FROM awspool.replace_account('acme', '300000000005', 'broken', 'O-1');
SELECT count(*) FROM awspool.replace_account('acme', '300000000005', 'broken');
SELECT account_id, status, order_id, reason, closed_at IS NULL AS open FROM awspool.accounts ORDER BY account_id;
SELECT account_id, status FROM awspool.claim_account('acme', 'MP-0000', 'O-1');
-- stock comes
SELECT account_id FROM awspool.add_account('acme', '300000000006', 'MP-0000', 'SPAM');
SELECT account_id, status, order_id FROM awspool.replace_account('acme', '300000000005', 'broken', 'O-1');
-- an order that lost its account without a replacement gets one, too
SELECT account_id, status FROM awspool.fail_account('acme', '300000000006', 'broken', 'O-1');
SELECT count(*) FROM awspool.replace_account('acme', '300000000006', 'broken', 'O-1');
SELECT account_id FROM awspool.add_account('acme', '300000000007', 'MP-0000', 'SPAM');
SELECT account_id, status, order_id FROM awspool.replace_account('acme', '300000000006', 'another', 'O-1');
SELECT account_id, status, order_id, reason FROM awspool.accounts WHERE order_id = 'O-1' ORDER BY account_id;
-- and once it is complete, it stays so
SELECT account_id, status FROM awspool.allocate_account('acme', '300000000007', 'O-1');
SELECT account_id, status FROM awspool.replace_account('acme', '300000000006', 'broken', 'O-1');
SELECT pg_temp.outcome($$SELECT awspool.replace_account('acme', '300000000007', 'broken', 'O-1')$$);
TRUNCATE awspool.account, awspool.account_log;

-- Claimed without an order, replaced without one.  A repetition would take a
-- third, so it is refused.
SELECT account_id FROM awspool.add_account('acme', '300000000001', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.add_account('acme', '300000000002', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.add_account('acme', '300000000003', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.claim_account('acme', 'MP-0000');
SELECT account_id, status, order_id FROM awspool.replace_account('acme', '300000000001', 'broken');
SELECT pg_temp.outcome($$SELECT awspool.replace_account('acme', '300000000001', 'broken')$$);
SELECT account_id, status, order_id FROM awspool.accounts ORDER BY account_id;

-- A completion belongs to the transaction, as a claim does.
BEGIN;
SELECT account_id, status FROM awspool.allocate_account('acme', '300000000002');
ROLLBACK;
BEGIN;
SAVEPOINT s;
SELECT account_id, status FROM awspool.replace_account('acme', '300000000002', 'broken');
ROLLBACK TO s;
COMMIT;
SELECT account_id, status, order_id FROM awspool.accounts ORDER BY account_id;
SELECT account_id, status FROM awspool.claim_account('acme', 'MP-0000');

-- Nothing of it in a transaction that may not write.
BEGIN READ ONLY;
SELECT pg_temp.outcome($$SELECT awspool.allocate_account('acme', '300000000002')$$) AS allocate,
       pg_temp.outcome($$SELECT awspool.fail_account('acme', '300000000002')$$) AS fail,
       pg_temp.outcome($$SELECT awspool.invalidate_account('acme', '300000000002')$$) AS invalidate,
       pg_temp.outcome($$SELECT awspool.replace_account('acme', '300000000002', 'why')$$) AS replace;
COMMIT;

TRUNCATE awspool.account, awspool.account_log, awspool.provider_role;
