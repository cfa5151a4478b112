-- What the benchmark adds to a database: the twin of awspool.account, and ways
-- to stock both.

CREATE EXTENSION awspool;
CREATE SCHEMA bench;

-- The same columns, constraints and indexes, without the extension's triggers.
-- It holds what the side under test changes if that is not awspool.
CREATE TABLE bench.account (LIKE awspool.account INCLUDING ALL);
ALTER TABLE bench.account ALTER provider SET DEFAULT '1';	-- not in a file

-- A caller as applications are: no superuser, and granted its providers.
GRANT USAGE ON SCHEMA bench TO app;
GRANT ALL ON bench.account TO app;
GRANT USAGE ON SEQUENCE awspool.account_position TO app;
GRANT pg_read_server_files TO app;
GRANT EXECUTE ON FUNCTION pg_read_file(text) TO app;
SELECT awspool.grant_provider(p::text, 'app') FROM generate_series(1, 200) p;

-- Ready accounts behind so many allocated ones.  Providers are called 1, 2, 3;
-- the k-th has a share in proportion to k ^ -1.1, which is how often
-- random_zipfian(1, pools, 1.1) asks for it, and a hundred more.
CREATE PROCEDURE bench.stock(account regclass, allocated bigint, ready bigint,
  pools int)
LANGUAGE plpgsql AS $$
DECLARE
  shares float8[] := array_agg(sum ORDER BY k) FROM (
    SELECT k, sum(k ^ -1.1::float8) OVER (ORDER BY k) / sum(k ^ -1.1::float8) OVER () AS sum
    FROM generate_series(1, pools) k) s;
BEGIN
  EXECUTE format($sql$
    INSERT INTO %s (provider, account_id, marketplace, model, status, order_id,
      order_model, claimed_at, claimed_by, closed_at, closed_by)
    SELECT '1', 200000000000 + i, 'MP-0000', 'SPAM', 'allocated', 'old ' || i,
      'SPAM', now(), 'app', now(), 'app'
    FROM generate_series(1, $1) i $sql$, account) USING allocated;
  EXECUTE format($sql$
    INSERT INTO %s (provider, account_id, marketplace, model)
    SELECT CASE WHEN i <= 100 * $3 THEN i %% $3 + 1
                ELSE least(width_bucket(random(), $2), $3 - 1) + 1 END,
      100000000000 + i, 'MP-0000', 'SPAM'
    FROM generate_series(1, $1) i $sql$, account) USING ready, shares, pools;
END $$;

-- The oldest ready accounts are claimed, so many of them.
CREATE PROCEDURE bench.claim(account regclass, accounts bigint)
LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format($sql$
    UPDATE %s SET status = 'provisioning_in_progress', order_model = model,
      claimed_at = clock_timestamp(), claimed_by = current_user
    WHERE account_id BETWEEN '100000000001' AND (100000000000 + $1)::text
      AND status = 'ready' $sql$, account) USING accounts;
END $$;
