-- What a claim reads does not grow with the pool, nor with other pools, nor
-- with what was used: it descends the index of ready accounts to the oldest.
BEGIN;
SELECT no_plan();

-- Whoever rolled back before has left dead entries at the heads of pools.
REINDEX TABLE awspool.account;

-- Run a query three times, %s in it being 1 to 3, and return how many buffers it
-- touched at least, planning aside.  Now and then a run reads catalogs again, as
-- an autovacuum of those has told every session to.
CREATE FUNCTION pg_temp.buffers(query text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  plan json;
  buffers bigint[];
BEGIN
  FOR i IN 1 .. 3 LOOP
    EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ' || format(query, i) INTO plan;
    buffers[i] := (plan -> 0 -> 'Plan' ->> 'Shared Hit Blocks')::bigint
                + (plan -> 0 -> 'Plan' ->> 'Shared Read Blocks')::bigint;
  END LOOP;
  RETURN (SELECT min(b) FROM unnest(buffers) b);
END
$$;

-- Scans of an index or a table in this transaction, and entries they returned
CREATE FUNCTION pg_temp.scans(relation regclass) RETURNS bigint[]
LANGUAGE sql AS $$
  SELECT ARRAY[pg_stat_get_xact_numscans(relation), pg_stat_get_xact_tuples_returned(relation)]
$$;

-- Fill a pool with accounts whose ids begin with a digit; as in a restore.
CREATE FUNCTION pg_temp.fill(first text, provider text, marketplace text, status text, number int)
RETURNS void LANGUAGE sql AS $$
  INSERT INTO awspool.account (provider, account_id, marketplace, model, status, order_id,
      order_model, claimed_at, claimed_by, closed_at, closed_by)
  SELECT provider, first || lpad(i::text, 11, '0'), marketplace, 'SPAM', status,
         CASE WHEN used THEN 'order-' || first || i END, CASE WHEN used THEN 'SPAM' END,
         CASE WHEN used THEN now() END, CASE WHEN used THEN 'somebody' END,
         CASE WHEN used THEN now() END, CASE WHEN used THEN 'somebody' END
  FROM generate_series(1, number) i, (VALUES (status <> 'ready')) u (used)
$$;

--
-- A small pool tells what a claim costs at best.
--

SELECT pg_temp.fill('1', 'acme', 'MP-0001', 'ready', 10);
-- The first calls of a session fill its caches.
SELECT awspool.claim_account('acme', 'MP-0001');
SELECT awspool.claim_account('acme', 'MP-0001', 'warm');
SELECT awspool.claim_account('acme', 'MP-0001', 'warm');

CREATE TEMP TABLE cost (pool text, claim text, buffers bigint);
INSERT INTO cost VALUES
  ('small', 'without an order', pg_temp.buffers($$SELECT * FROM awspool.claim_account('acme', 'MP-0001')$$)),
  ('small', 'for an order', pg_temp.buffers($$SELECT * FROM awspool.claim_account('acme', 'MP-0001', 'a%s')$$)),
  ('small', 'again', pg_temp.buffers($$SELECT * FROM awspool.claim_account('acme', 'MP-0001', 'a1')$$)),
  ('small', 'from an empty pool', pg_temp.buffers($$SELECT * FROM awspool.claim_account('acme', 'MP-9999')$$));

--
-- 100,000 ready accounts in a pool, among as many of others and used ones
--

SELECT pg_temp.fill('2', 'acme', 'MP-0002', 'ready', 100000);
SELECT pg_temp.fill('3', 'acme', 'MP-0003', 'ready', 25000);
SELECT pg_temp.fill('4', 'other', 'MP-0002', 'ready', 25000);
SELECT pg_temp.fill('5', 'acme', 'MP-0002', 'allocated', 25000);
SELECT pg_temp.fill('6', 'acme', 'MP-0002', 'provisioning_failed', 25000);

CREATE TEMP TABLE before AS
  SELECT r, pg_temp.scans(r) AS scans
  FROM unnest('{awspool.account,awspool.account_ready,awspool.account_order,awspool.account_pkey}'::regclass[]) r;
INSERT INTO cost VALUES
  ('large', 'without an order', pg_temp.buffers($$SELECT * FROM awspool.claim_account('acme', 'MP-0002')$$));
SELECT results_eq(
  $$ SELECT r::text, (pg_temp.scans(r))[1] - scans[1], (pg_temp.scans(r))[2] - scans[2] FROM before
     ORDER BY r::text COLLATE "C" $$,
  $$ VALUES ('awspool.account', 0::bigint, 0::bigint), ('awspool.account_order', 0, 0),
            ('awspool.account_pkey', 0, 0), ('awspool.account_ready', 3, 1 + 2 + 3) $$,
  'a claim reads the index of ready accounts to the first one that is, past those of this transaction, and scans nothing else');
INSERT INTO cost VALUES
  ('large', 'for an order', pg_temp.buffers($$SELECT * FROM awspool.claim_account('acme', 'MP-0002', 'b%s')$$)),
  ('large', 'again', pg_temp.buffers($$SELECT * FROM awspool.claim_account('acme', 'MP-0002', 'b1')$$)),
  ('large', 'from an empty pool', pg_temp.buffers($$SELECT * FROM awspool.claim_account('acme', 'MP-9998')$$));
SELECT is(pg_temp.scans('awspool.account'), (SELECT scans FROM before WHERE r = 'awspool.account'::regclass),
  'no claim reads the table from end to end');
SELECT results_eq(
  $$ SELECT account_id COLLATE "default" FROM awspool.account
     WHERE status = 'provisioning_in_progress' AND marketplace = 'MP-0002' ORDER BY position $$,
  ARRAY['200000000001', '200000000002', '200000000003', '200000000004', '200000000005', '200000000006'],
  'the claims took the oldest accounts');

-- A higher tree is a page more for each index that is read or written, and a
-- new page now and then; a search would be thousands.
SELECT cmp_ok(l.buffers, '<=', s.buffers + 25,
  format('a claim %s touches %s buffers in a small pool and %s in a large one', claim, s.buffers, l.buffers))
FROM cost s JOIN cost l USING (claim)
WHERE s.pool = 'small' AND l.pool = 'large'
ORDER BY claim;
SELECT cmp_ok(max(buffers), '<=', 150::bigint, 'no claim touches many') FROM cost;

SELECT * FROM finish();
ROLLBACK;
