-- What a server of a pool needs to keep account ids unique over all servers, by
-- the registry that registry.sql made.  In the pool's database, as a superuser,
-- with PL/Proxy installed (Debian: postgresql-15-plproxy):
--
--	psql -d pool -v registry='host=registry dbname=registry' \
--		-v user=server_1 -v password='...' -f registry-shard.sql
--
-- Without a password, that user's is looked for in the .pgpass of the user whom
-- the server runs as.  To run it again replaces what it made before.
--
-- PL/Proxy, since it commits behind the caller's back: what was reserved must stay
-- so whatever becomes of the caller's transaction.  Each session that adds
-- accounts keeps a connection to the registry; if those are too many, put
-- PgBouncer in front of it (pool_mode = transaction).
--
-- Where the registry is in several databases, "registry" lists them, separated by
-- "|", in the same order on all servers.  An id is in the one that its last six
-- digits say, modulo their number.
--
-- What is there then, for the owner of the pool:
--
--	SELECT * FROM registry.enroll();        ids stored here that somebody else has
--	SELECT * FROM registry.orphans('acme'); reservations without an account
--	SELECT * FROM registry.release('acme', '{123456789012}');  give them back

\set ON_ERROR_STOP on
\if :{?password} \else \set password '' \endif
SELECT pg_catalog.quote_ident(relowner::regrole::text::name) AS owner
FROM pg_catalog.pg_class WHERE oid = 'awspool.account'::regclass \gset

BEGIN;
CREATE EXTENSION IF NOT EXISTS plproxy;
CREATE SCHEMA IF NOT EXISTS registry;
COMMENT ON SCHEMA registry IS
  'The way to the registry of account ids, over all servers of a pool.';
REVOKE ALL ON SCHEMA registry FROM PUBLIC;

DROP SERVER IF EXISTS registry CASCADE;
SELECT pg_catalog.format('CREATE SERVER registry FOREIGN DATA WRAPPER plproxy OPTIONS (modular_mapping ''1'', query_timeout ''30'', %s)',
         pg_catalog.string_agg(pg_catalog.format('p%s %L', n - 1, pg_catalog.btrim(part)), ', ' ORDER BY n))
FROM pg_catalog.unnest(pg_catalog.string_to_array(:'registry', '|')) WITH ORDINALITY u (part, n) \gexec
SELECT pg_catalog.format('CREATE USER MAPPING FOR %s SERVER registry OPTIONS (user %L%s)', :'owner', :'user',
         CASE WHEN :'password' <> '' THEN pg_catalog.format(', password %L', :'password') ELSE '' END) \gexec
GRANT USAGE ON FOREIGN SERVER registry TO :owner;

-- Which of the registry's databases has an id; PL/Proxy takes it modulo their
-- number.
CREATE OR REPLACE FUNCTION registry.part_of(account_id text) RETURNS int
LANGUAGE sql IMMUTABLE AS
  $$ SELECT pg_catalog.right(account_id, 6)::pg_catalog.int4 $$;
COMMENT ON FUNCTION registry.part_of(text) IS
  'Which of the registry''s databases has an id, modulo their number.';

-- What the registry has itself, and says more of.
CREATE OR REPLACE FUNCTION registry.reserve(provider text, account_ids text[]) RETURNS SETOF text
LANGUAGE plproxy AS $$ CLUSTER 'registry'; SPLIT account_ids; RUN ON registry.part_of(account_ids); $$;
COMMENT ON FUNCTION registry.reserve(text, text[]) IS
  'Reserves ids for a provider, and commits that at once; returns those that somebody else has.';

CREATE OR REPLACE FUNCTION registry.taken(provider text, account_ids text[]) RETURNS SETOF text
LANGUAGE plproxy AS $$ CLUSTER 'registry'; SPLIT account_ids; RUN ON registry.part_of(account_ids); $$;
COMMENT ON FUNCTION registry.taken(text, text[]) IS
  'The ids that somebody else has; reserves nothing.';

CREATE OR REPLACE FUNCTION registry.close_ids(provider text, account_ids text[]) RETURNS SETOF text
LANGUAGE plproxy AS $$ CLUSTER 'registry'; SPLIT account_ids; RUN ON registry.part_of(account_ids); $$;
COMMENT ON FUNCTION registry.close_ids(text, text[]) IS
  'The first half of registry.release.';

CREATE OR REPLACE FUNCTION registry.settle_ids(provider text, account_ids text[], has boolean[]) RETURNS SETOF text
LANGUAGE plproxy AS $$ CLUSTER 'registry'; SPLIT account_ids, has; RUN ON registry.part_of(account_ids); $$;
COMMENT ON FUNCTION registry.settle_ids(text, text[], boolean[]) IS
  'The second half of registry.release.';

CREATE OR REPLACE FUNCTION registry.ids_of(provider text) RETURNS SETOF text
LANGUAGE plproxy AS $$ CLUSTER 'registry'; RUN ON ALL; $$;
COMMENT ON FUNCTION registry.ids_of(text) IS
  'Every id that a provider has reserved.';

-- Waits for the transactions that are changing accounts, or may be about to store
-- one whose id they have asked for: they have locked the table before that.  Who
-- comes later goes on.  Prepared transactions count.
CREATE OR REPLACE FUNCTION registry.wait_for_writers() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  older text[];
BEGIN
  older := ARRAY(
    SELECT l.virtualtransaction FROM pg_locks l
    WHERE l.locktype = 'relation' AND l.relation = 'awspool.account'::regclass
      AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
      AND l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()
      AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'));
  WHILE EXISTS (
    SELECT FROM pg_locks l
    WHERE l.locktype = 'relation' AND l.relation = 'awspool.account'::regclass
      AND l.virtualtransaction = ANY (older))
  LOOP
    PERFORM pg_sleep(0.05);
  END LOOP;
END $$;
COMMENT ON FUNCTION registry.wait_for_writers() IS
  'Waits for the transactions that are changing accounts now.';

-- Reserves what is stored here already, used and deleted ids included, and tells
-- what of it somebody else has: nothing, as long as no id was on two servers.  To
-- be run on every server once it asks the registry, and again on all of them
-- whenever the registry was restored to an earlier time, or failed over to a
-- standby that may have lagged behind.
CREATE OR REPLACE FUNCTION registry.enroll() RETURNS TABLE (provider text, account_id text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  part record;
  last text;
  next text := '';
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = 'registry.enroll must run in READ COMMITTED';
  END IF;
  PERFORM registry.wait_for_writers();
  WHILE next IS NOT NULL LOOP
    last := next;
    next := NULL;
    FOR part IN
      SELECT x.provider AS name, array_agg(x.account_id) AS ids, max(x.account_id) AS last
      FROM (
        (SELECT a.provider, a.account_id FROM awspool.account a
         WHERE a.account_id > last COLLATE "C" ORDER BY a.account_id LIMIT 4096)
        UNION
        (SELECT l.provider, l.account_id FROM awspool.account_log l
         WHERE l.used AND l.account_id > last COLLATE "C" ORDER BY l.account_id LIMIT 4096)
        ORDER BY 2 LIMIT 4096) x
      GROUP BY 1
    LOOP
      RETURN QUERY SELECT part.name, t FROM registry.reserve(part.name, part.ids) t;
      next := greatest(next, part.last COLLATE "C");
    END LOOP;
  END LOOP;
END $$;
COMMENT ON FUNCTION registry.enroll() IS
  'Reserves every id that is stored or used up here; returns those that somebody else has, which should be none.';

-- A provider may be asked about where it is: not where it is frozen or away, or
-- never was.
CREATE OR REPLACE FUNCTION registry.is_here(provider text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT EXISTS (SELECT FROM awspool.provider_role r WHERE r.provider = is_here.provider)
    AND NOT EXISTS (SELECT FROM awspool.provider_state s WHERE s.provider = is_here.provider)
$$;
COMMENT ON FUNCTION registry.is_here(text) IS
  'Whether a provider was granted here by its name, and is neither frozen nor away.';

-- Gives ids back that no server has, since an import was rolled back, or a server
-- died between the two commits, or their accounts were deleted while they were
-- ready: closes them, so that nobody gets them meanwhile, waits for who may be
-- storing them, and looks.  If it ends half-way the ids stay closed, and taken to
-- everybody, until it is run again.
CREATE OR REPLACE FUNCTION registry.release(provider text, account_ids text[])
RETURNS TABLE (account_id text, outcome text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  closed text[];
  has boolean[];
  here boolean;
BEGIN
  IF current_setting('transaction_isolation') <> 'read committed'
     OR pg_current_xact_id_if_assigned() IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = 'registry.release must run in READ COMMITTED, and in a transaction that has changed nothing',
      HINT = 'Run it in a transaction of its own.';
  END IF;
  IF NOT registry.is_here(release.provider) THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format('provider "%s" is not on this server, or on its way to another', release.provider),
      HINT = 'Ask the server that it is on.';
  END IF;
  closed := ARRAY(SELECT c FROM registry.close_ids(release.provider, account_ids) c ORDER BY c);
  PERFORM registry.wait_for_writers();
  -- in one statement: what it sees belongs together
  SELECT registry.is_here(release.provider), ARRAY(
    SELECT EXISTS (SELECT FROM awspool.account a WHERE a.account_id = c.id AND a.provider = release.provider)
        OR EXISTS (SELECT FROM awspool.account_log l WHERE l.account_id = c.id AND l.provider = release.provider AND l.used)
    FROM unnest(closed) WITH ORDINALITY c (id, n) ORDER BY c.n) INTO here, has;
  IF NOT here THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format('provider "%s" has moved meanwhile', release.provider),
      HINT = 'Run this again on the server that it is on: the ids are closed until then.';
  END IF;
  PERFORM registry.settle_ids(release.provider, closed, has);
  RETURN QUERY
    SELECT u.id, CASE WHEN c.id IS NULL THEN 'not_reserved' WHEN c.has THEN 'kept' ELSE 'released' END
    FROM unnest(account_ids) WITH ORDINALITY u (id, n)
      LEFT JOIN unnest(closed, has) c (id, has) ON c.id = u.id
    ORDER BY u.n;
END $$;
COMMENT ON FUNCTION registry.release(text, text[]) IS
  'Gives ids of a provider back; a row for each, in that order, with outcome released, kept (it is stored or used up here) or not_reserved (by this provider).';

-- The reservations of a provider without an account: of accounts that were never
-- stored, or deleted while they were ready.  Or not committed yet: release sees.
CREATE OR REPLACE FUNCTION registry.orphans(provider text) RETURNS SETOF text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF NOT registry.is_here(orphans.provider) THEN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format('provider "%s" is not on this server, or on its way to another', orphans.provider),
      HINT = 'Ask the server that it is on.';
  END IF;
  RETURN QUERY
    SELECT i.id FROM registry.ids_of(orphans.provider) i (id)
    WHERE NOT EXISTS (SELECT FROM awspool.account a WHERE a.account_id = i.id AND a.provider = orphans.provider)
      AND NOT EXISTS (SELECT FROM awspool.account_log l
                      WHERE l.account_id = i.id AND l.provider = orphans.provider AND l.used)
    ORDER BY 1;
END $$;
COMMENT ON FUNCTION registry.orphans(text) IS
  'The ids that a provider has reserved, and neither stored nor used up.';

-- Nobody but the owner of the pool, as whom all of it runs.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA registry FROM PUBLIC;
GRANT USAGE ON SCHEMA registry TO :owner;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA registry TO :owner;
ALTER FUNCTION registry.wait_for_writers() OWNER TO :owner;
ALTER FUNCTION registry.enroll() OWNER TO :owner;
ALTER FUNCTION registry.is_here(text) OWNER TO :owner;
ALTER FUNCTION registry.release(text, text[]) OWNER TO :owner;
ALTER FUNCTION registry.orphans(text) OWNER TO :owner;

SELECT awspool.use_registry('registry.reserve(text, text[])', 'registry.taken(text, text[])');
COMMIT;

-- What is stored already, and does somebody else have it?
SELECT * FROM registry.enroll();
