-- The reading database of a pool that is on several servers: where each provider
-- is, and views over all servers.  doc/scale.md tells how to use it.
--
--	createdb reader && psql -d reader -f reader.sql		# as a superuser
--
-- Schema scale says which servers there are, which provider sells on which, and
-- how far a move is.  PgBouncer's aliases are written from it (aliases), and a
-- move (move) keeps its state in it.
--
-- Schema awspool has the views accounts, pool_status, pool_activity and alerts,
-- as on a server, with one column more: which server a row is from.  Who reads
-- them is on each server who they are here.  A role reaches a server by the user
-- mapping that scale.map_role made for it.  Nobody has USAGE on the servers, so
-- nobody can make a mapping, or change one, and become somebody else there; and
-- there is no mapping for PUBLIC, which would be one for whoever comes along.
--
-- A server that is down is a row of pool_status, pool_activity and alerts.  View
-- accounts fails then: part of the accounts would look like all of them, and
-- what is read by functions cannot be read by an index.  Those of the servers
-- that are up are in the schemas named like them.

\set ON_ERROR_STOP 1

BEGIN;

CREATE EXTENSION postgres_fdw;
CREATE SCHEMA scale;
CREATE SCHEMA awspool;
GRANT USAGE ON SCHEMA scale, awspool TO PUBLIC;

--
-- Which servers there are, and which provider is where.
--

-- Positions are unique over all servers, so that accounts can move with theirs:
-- each server draws them from a block of its own, and from a new one whenever a
-- provider moves there, whose accounts would take it into the blocks of others.
CREATE SEQUENCE scale.block;

COMMENT ON SEQUENCE scale.block IS
  'The last block of positions, of 10^12 each, that was given to a server.';

CREATE TABLE scale.server (
  name   text COLLATE "C" PRIMARY KEY,
  host   text NOT NULL,
  port   int  NOT NULL,
  dbname text NOT NULL,
  block  bigint NOT NULL UNIQUE DEFAULT nextval('scale.block'),
  CONSTRAINT server_needs_no_quotes CHECK (
    name ~ '^[a-z][a-z0-9_]*$' AND host ~ '^[A-Za-z0-9_./:-]+$'
    AND dbname ~ '^[A-Za-z0-9_-]+$')
);

COMMENT ON TABLE scale.server IS
  'The servers of the pool. Written by scale.add_server.';
COMMENT ON COLUMN scale.server.block IS
  'The block of positions that it draws from.';

GRANT SELECT (name) ON scale.server TO PUBLIC;

CREATE TABLE scale.placement (
  provider   text COLLATE "C" PRIMARY KEY,
  alias      text COLLATE "C" NOT NULL UNIQUE,
  server     text COLLATE "C" NOT NULL REFERENCES scale.server,
  moves_to   text COLLATE "C" REFERENCES scale.server,
  moved_from text COLLATE "C" REFERENCES scale.server,
  ahead      boolean NOT NULL DEFAULT false,
  step       text,
  step_at    timestamptz,
  CONSTRAINT placement_needs_no_quotes CHECK (
    alias ~ '^[A-Za-z0-9_.-]{1,63}$' AND alias <> 'pgbouncer'),
  CONSTRAINT placement_fits_its_step CHECK (
    CASE WHEN step IS NULL THEN num_nonnulls(moves_to, moved_from) = 0
         WHEN step IN ('copy', 'freeze', 'back')
         THEN moves_to IS NOT NULL AND moves_to <> server AND moved_from IS NULL
         WHEN step IN ('switch', 'forget')
         THEN moves_to IS NULL AND moved_from IS NOT NULL AND moved_from <> server
         ELSE false END)
);

-- One at a time, or positions of two blocks could meet on a third server.  What
-- is left to do after the switch, or of a move that was given up, has nothing to
-- do with positions, and does not keep others from moving.
CREATE UNIQUE INDEX placement_one_move ON scale.placement ((true))
  WHERE step IN ('copy', 'freeze');

COMMENT ON TABLE scale.placement IS
  'Which provider sells on which server. Written by scale.place and by contrib/scale/move.';
COMMENT ON COLUMN scale.placement.alias IS
  'The name of its database in PgBouncer.';
COMMENT ON COLUMN scale.placement.server IS 'Where it sells.';
COMMENT ON COLUMN scale.placement.moves_to IS
  'Where it is being copied to; what is there sells nothing yet.';
COMMENT ON COLUMN scale.placement.moved_from IS
  'Where it was; what is left there sells nothing any more.';
COMMENT ON COLUMN scale.placement.ahead IS
  'Whether it is copied ahead by logical replication.';
COMMENT ON COLUMN scale.placement.step IS
  'Of a move: copy, freeze, switch or forget, the step that was begun; back, if it was given up; NULL if it does not move.';
COMMENT ON COLUMN scale.placement.step_at IS 'When it began.';

-- PgBouncer's list, a line for each provider.
CREATE VIEW scale.alias AS
  SELECT p.alias, format('%s = host=%s port=%s dbname=%s', p.alias, s.host, s.port, s.dbname) AS line
  FROM scale.placement p JOIN scale.server s ON s.name = p.server;

COMMENT ON VIEW scale.alias IS
  'The lines of PgBouncer''s list of databases, one for each provider.';

-- Says that a provider sells on a server.  Another one is a matter of moving.
CREATE FUNCTION scale.place(provider text, server text, alias text DEFAULT NULL)
RETURNS void LANGUAGE sql
AS $$ INSERT INTO scale.placement (provider, server, alias)
      VALUES ($1, $2, coalesce($3, $1)) $$;

COMMENT ON FUNCTION scale.place(text, text, text) IS
  'Says that a provider sells on a server, under the name of a database in PgBouncer: its own, if it has no characters but letters, digits, "_", "." and "-".';

-- The copies on a server that are not what sells: those of a provider that moves.
CREATE FUNCTION scale.copies_on(server text) RETURNS text[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT coalesce(array_agg(p.provider), '{}') FROM scale.placement p
      WHERE $1 IN (p.moves_to, p.moved_from) $$;

COMMENT ON FUNCTION scale.copies_on(text) IS
  'The provider, if any, that is on the server as a copy which does not sell: it is being moved.';

--
-- Reading over all servers.
--

-- The rows of the views, as they are here: those of a server have neither "server"
-- nor "server_down", which says what is wrong with it.
CREATE TYPE scale.account_row AS (
  server text, provider text, account_id text, marketplace text, model text, status text, order_id text,
  order_model text, reason text, added_at timestamptz, added_by text, claimed_at timestamptz, claimed_by text,
  closed_at timestamptz, closed_by text, position bigint);
CREATE TYPE scale.pool_row AS (
  server text, provider text, marketplace text, ready bigint, provisioning_in_progress bigint, allocated bigint,
  provisioning_failed bigint, invalid bigint, oldest_ready_at timestamptz, claims_24h bigint, claims_7d bigint,
  oldest_in_progress_at timestamptz, added_ever bigint, claimed_ever bigint, days_left numeric,
  paused_at timestamptz, server_down text);
CREATE TYPE scale.activity_row AS (
  server text, provider text, marketplace text, hour timestamptz, added bigint, claimed bigint, allocated bigint,
  provisioning_failed bigint, invalid bigint, deleted bigint, server_down text);
CREATE TYPE scale.alert_row AS (
  server text, severity text, alert text, provider text, marketplace text, account_id text, order_id text,
  since timestamptz, detail text, action text);

-- A view of a server, as a foreign table in the schema that is named like it.
CREATE FUNCTION scale.make_foreign_table(server text, view_name text, row_type regtype)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  EXECUTE (
    SELECT format('CREATE FOREIGN TABLE %I.%I (%s) SERVER %I OPTIONS (schema_name ''awspool'')', server, view_name,
                  string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum),
                  server)
    FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid
    WHERE t.oid = row_type AND a.attname NOT IN ('server', 'server_down'));
  EXECUTE format('GRANT SELECT ON %I.%I TO PUBLIC', server, view_name);
END $$;

COMMENT ON FUNCTION scale.make_foreign_table(text, text, regtype) IS
  'Makes a foreign table of a view of a server.';

-- Makes a server known.  Returns what is to be run there, and before anything
-- is added there, if it is new.
CREATE FUNCTION scale.add_server(name text, host text, port int DEFAULT 5432,
  dbname text DEFAULT 'pool')
RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  block bigint;
BEGIN
  INSERT INTO scale.server AS s (name, host, port, dbname)
    VALUES (add_server.name, add_server.host, add_server.port, add_server.dbname)
    RETURNING s.block INTO block;
  EXECUTE format('CREATE SERVER %I FOREIGN DATA WRAPPER postgres_fdw'
    ' OPTIONS (host %L, port %L, dbname %L, connect_timeout ''3'', async_capable ''true'','
    ' fetch_size ''10000'', updatable ''false'', truncatable ''false'')', name, host, port::text, dbname);
  EXECUTE format('CREATE SCHEMA %I', name);
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO PUBLIC', name);
  PERFORM scale.make_foreign_table(name, 'accounts', 'scale.account_row');
  PERFORM scale.make_foreign_table(name, 'pool_status', 'scale.pool_row');
  PERFORM scale.make_foreign_table(name, 'pool_activity', 'scale.activity_row');
  PERFORM scale.make_foreign_table(name, 'alerts', 'scale.alert_row');
  PERFORM scale.make_accounts();
  RETURN format('SELECT setval(''awspool.account_position'', %s)', block * 1000000000000);
END $$;

COMMENT ON FUNCTION scale.add_server(text, text, int, text) IS
  'Makes a server known, and returns the statement to be run there: new accounts get positions that no other server gives.';

-- View accounts, over all servers that there are.  A condition goes to each of
-- them.
CREATE FUNCTION scale.make_accounts() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  EXECUTE (
    SELECT 'CREATE OR REPLACE VIEW awspool.accounts WITH (security_invoker) AS ' ||
           string_agg(format('SELECT %L AS server, a.* FROM %I.accounts a'
                             ' WHERE a.provider <> ALL ((SELECT scale.copies_on(%L))::text[])',
                             s.name, s.name, s.name), ' UNION ALL ' ORDER BY s.name)
    FROM scale.server s);
  GRANT SELECT ON awspool.accounts TO PUBLIC;
  COMMENT ON VIEW awspool.accounts IS
    'The accounts of the caller''s providers on all servers. Fails if one of them is down.';
END $$;

COMMENT ON FUNCTION scale.make_accounts() IS
  'Makes view awspool.accounts for the servers that there are.';

-- Lets a role read on all servers, as itself.  Without a password it is for the
-- servers to know that it is the reader who comes (doc/scale.md).
CREATE FUNCTION scale.map_role(role_name text, password text DEFAULT NULL)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  server text;
BEGIN
  FOR server IN SELECT s.name FROM scale.server s LOOP
    EXECUTE format('DROP USER MAPPING IF EXISTS FOR %I SERVER %I', role_name, server);
    EXECUTE format('CREATE USER MAPPING FOR %I SERVER %I OPTIONS (user %L, %s)', role_name, server, role_name,
      CASE WHEN password IS NULL THEN 'password_required ''false''' ELSE format('password %L', password) END);
  END LOOP;
END $$;

COMMENT ON FUNCTION scale.map_role(text, text) IS
  'Lets a role read on all servers that there are, as itself. To be called again when there is another server.';

-- The rows of a view of each server or, of one that is down, a row that says so:
-- with the values "down", and the message in the column "told_in".
CREATE FUNCTION scale.read_all(row_type anyelement, view_name text, told_in text,
  down jsonb DEFAULT '{}')
RETURNS SETOF anyelement LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  server text;
  here jsonb;
BEGIN
  FOR server IN SELECT s.name FROM scale.server s ORDER BY s.name LOOP
    BEGIN
      RETURN QUERY EXECUTE format(
        'SELECT (jsonb_populate_record($1, to_jsonb(t) || jsonb_build_object(''server'', %L))).*'
        ' FROM %I.%I t WHERE t.provider <> ALL (scale.copies_on(%L))', server, server, view_name, server)
        USING row_type;
    EXCEPTION
      WHEN connection_exception OR admin_shutdown OR crash_shutdown OR cannot_connect_now THEN
        here := down || jsonb_build_object('server', server, told_in, SQLERRM);
        RETURN QUERY SELECT (jsonb_populate_record(row_type, here)).*;
    END;
  END LOOP;
END $$;

COMMENT ON FUNCTION scale.read_all(anyelement, text, text, jsonb) IS
  'The rows of a view of each server or, of one that is down, a row that says so.';

CREATE VIEW awspool.pool_status WITH (security_invoker) AS
  SELECT * FROM scale.read_all(NULL::scale.pool_row, 'pool_status', 'server_down');
CREATE VIEW awspool.pool_activity WITH (security_invoker) AS
  SELECT * FROM scale.read_all(NULL::scale.activity_row, 'pool_activity', 'server_down');
CREATE VIEW awspool.alerts WITH (security_invoker) AS
  SELECT * FROM scale.read_all(NULL::scale.alert_row, 'alerts', 'detail',
    '{"severity": "critical", "alert": "unreachable", "action": "see why this server does not answer; its providers sell nothing"}');

COMMENT ON VIEW awspool.pool_status IS
  'The pools of the caller''s providers on all servers; of a server that is down, a row that says so in server_down.';
COMMENT ON VIEW awspool.pool_activity IS
  'What happened in the pools of the caller''s providers on all servers; of a server that is down, a row that says so in server_down.';
COMMENT ON VIEW awspool.alerts IS
  'What needs a person now, on all servers; of a server that is down, the alert "unreachable".';

GRANT SELECT ON awspool.pool_status, awspool.pool_activity, awspool.alerts TO PUBLIC;

-- What only the owner may call.
REVOKE ALL ON FUNCTION scale.place(text, text, text), scale.add_server(text, text, int, text),
  scale.make_foreign_table(text, text, regtype), scale.make_accounts(), scale.map_role(text, text) FROM PUBLIC;

COMMIT;
