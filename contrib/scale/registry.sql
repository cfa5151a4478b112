-- The registry of account ids: which provider an id belongs to, over all servers
-- of a pool.  For a database of its own, on a server that they all reach; it
-- needs no extension.  As its owner:
--
--	psql -d registry -f registry.sql
--	CREATE ROLE server_1 LOGIN PASSWORD '...' IN ROLE awspool_registry;
--
-- One login for each server that has a pool; registry-shard.sql is what goes
-- there.  To run it again changes nothing that is stored.
--
-- An id belongs to the first provider that reserved it.  It is the provider's,
-- not a server's: a provider that moves takes its ids along, and nothing
-- changes here.  A reservation is committed before the account is stored, so a
-- crash in between leaves one without an account.  The same provider's next try
-- goes through it, and registry.release on the provider's server gives it back.
--
-- More ids than one database should have go into several, each with this script:
-- see registry-shard.sql.  None of them needs to know that.

\set ON_ERROR_STOP on
BEGIN;

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'awspool_registry') THEN
    CREATE ROLE awspool_registry;
    COMMENT ON ROLE awspool_registry IS
      'May reserve account ids for any provider: the servers that have a pool.';
  END IF;
END $$;

CREATE SCHEMA IF NOT EXISTS registry;
COMMENT ON SCHEMA registry IS
  'Which provider an account id belongs to, over all servers of a pool.';

CREATE TABLE IF NOT EXISTS registry.id (
  account_id text COLLATE "C",
  provider   text COLLATE "C" NOT NULL,
  closing    boolean NOT NULL DEFAULT false,
  CONSTRAINT id_pkey PRIMARY KEY (account_id)
);
COMMENT ON TABLE registry.id IS
  'The ids that were reserved, and by whom.';
COMMENT ON COLUMN registry.id.closing IS
  'It is being given back: until that has ended nobody gets it, its provider included.';

-- Reserves ids for a provider, and returns those that somebody else has.  In the
-- order of the ids, so two calls never wait for each other in a circle.  What
-- somebody reserves at this moment is waited for.
CREATE OR REPLACE FUNCTION registry.reserve(provider text, account_ids text[])
RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  -- whatever the caller or its role has set: who is told that an id is theirs
  -- may store it
  PERFORM set_config('synchronous_commit', 'on', true)
  WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write');
  INSERT INTO registry.id (account_id, provider)
  SELECT DISTINCT x.account_id COLLATE "C", reserve.provider
  FROM unnest(account_ids) x (account_id)
  ORDER BY 1
  ON CONFLICT DO NOTHING;
  -- a statement of its own, which sees whom the other one has waited for
  RETURN QUERY SELECT t FROM registry.taken(reserve.provider, account_ids) t;
END $$;
COMMENT ON FUNCTION registry.reserve(text, text[]) IS
  'Reserves ids for a provider; returns those that somebody else has, or that are being given back.';

-- Looks only: the ids that somebody else has.
CREATE OR REPLACE FUNCTION registry.taken(provider text, account_ids text[])
RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT i.account_id FROM registry.id i
  WHERE i.account_id = ANY (account_ids) AND (i.provider <> taken.provider OR i.closing)
$$;
COMMENT ON FUNCTION registry.taken(text, text[]) IS
  'The ids that another provider has, or that are being given back; reserves nothing.';

-- The first half of giving ids back: from now on nobody gets them.  Returns those
-- that are the provider's.
CREATE OR REPLACE FUNCTION registry.close_ids(provider text, account_ids text[])
RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'on', true)
  WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write');
  PERFORM FROM registry.id i
  WHERE i.account_id = ANY (account_ids) AND i.provider = close_ids.provider
  ORDER BY i.account_id FOR UPDATE;
  RETURN QUERY
    UPDATE registry.id i SET closing = true
    WHERE i.account_id = ANY (account_ids) AND i.provider = close_ids.provider
    RETURNING i.account_id;
END $$;
COMMENT ON FUNCTION registry.close_ids(text, text[]) IS
  'The first half of giving ids back: from now on nobody gets them. Returns those of them that are the provider''s.';

-- The second half: those that the provider's server has not are free, the others
-- stay the provider's.  Returns those that are free now.
CREATE OR REPLACE FUNCTION registry.settle_ids(provider text, account_ids text[], has boolean[])
RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM FROM registry.id i
  WHERE i.account_id = ANY (account_ids) AND i.provider = settle_ids.provider AND i.closing
  ORDER BY i.account_id FOR UPDATE;
  UPDATE registry.id i SET closing = false
  FROM unnest(account_ids, has) x (account_id, has)
  WHERE i.account_id = x.account_id AND x.has
    AND i.provider = settle_ids.provider AND i.closing;
  RETURN QUERY
    DELETE FROM registry.id i
    USING unnest(account_ids, has) x (account_id, has)
    WHERE i.account_id = x.account_id AND NOT x.has
      AND i.provider = settle_ids.provider AND i.closing
    RETURNING i.account_id;
END $$;
COMMENT ON FUNCTION registry.settle_ids(text, text[], boolean[]) IS
  'The second half of giving ids back: those that the provider''s server has not are free, the others stay the provider''s. Returns those that are free now.';

-- Ids of which whoever calls knows that no server has them, and that nobody is
-- storing them: of a server that is lost, say.  Otherwise registry.release on the
-- provider's server is what to call.  Returns those that are free now.
CREATE OR REPLACE FUNCTION registry.release(provider text, account_ids text[])
RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM FROM registry.id i
  WHERE i.account_id = ANY (account_ids) AND i.provider = release.provider
  ORDER BY i.account_id FOR UPDATE;
  RETURN QUERY
    DELETE FROM registry.id i
    WHERE i.account_id = ANY (account_ids) AND i.provider = release.provider
    RETURNING i.account_id;
END $$;
COMMENT ON FUNCTION registry.release(text, text[]) IS
  'Makes ids of a provider free of which the caller knows that no server has them; asks nobody. Returns those that are free now.';

-- Every id that a provider has reserved.
CREATE OR REPLACE FUNCTION registry.ids_of(provider text)
RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT i.account_id FROM registry.id i WHERE i.provider = ids_of.provider
$$;
COMMENT ON FUNCTION registry.ids_of(text) IS
  'Every id that a provider has reserved, also those that are being given back.';

CREATE INDEX IF NOT EXISTS id_provider ON registry.id (provider);
COMMENT ON INDEX registry.id_provider IS
  'The ids of a provider.';

REVOKE ALL ON SCHEMA registry FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA registry FROM PUBLIC;
GRANT USAGE ON SCHEMA registry TO awspool_registry;
GRANT EXECUTE ON FUNCTION registry.reserve, registry.taken, registry.close_ids,
  registry.settle_ids, registry.ids_of TO awspool_registry;

COMMIT;
