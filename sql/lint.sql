--
-- awspool.lint(): each thing that weakens the walls is seen, and nothing else.
--

-- Test servers have fsync off, and lint says so.
CREATE TEMP VIEW lint AS SELECT * FROM awspool.lint() WHERE object <> 'server';
SELECT object, problem = format('%s is off: a crash can lose what was acknowledged',
                                CASE current_setting('fsync') WHEN 'off' THEN 'fsync' ELSE 'full_page_writes' END) AS right
FROM awspool.lint() WHERE object = 'server' AND current_setting('fsync') = 'off'
UNION ALL SELECT 'server', true WHERE current_setting('fsync') = 'on';

-- An installation that is used as it should be is clean.
CREATE ROLE regress_awspool_acme;
CREATE ROLE regress_awspool_member IN ROLE regress_awspool_acme;
CREATE ROLE regress_awspool_all;
CREATE ROLE regress_awspool_x;
SELECT awspool.grant_provider('acme', 'regress_awspool_acme');
SELECT awspool.grant_viewer('acme', 'regress_awspool_x');
SELECT awspool.revoke_viewer('acme', 'regress_awspool_x');
SELECT account_id FROM awspool.add_account('acme', '900000000001', 'MP-0000', 'SPAM');
GRANT SELECT ON awspool.accounts TO regress_awspool_x;
GRANT EXECUTE ON FUNCTION awspool.claim_account TO regress_awspool_x;
SELECT * FROM lint;

-- Privileges beyond those of the install script.
GRANT SELECT ON awspool.account TO regress_awspool_x;
GRANT UPDATE (model) ON awspool.account TO PUBLIC;
GRANT USAGE ON SEQUENCE awspool.account_position TO regress_awspool_x;
GRANT EXECUTE ON FUNCTION awspool.grant_provider TO regress_awspool_x;
GRANT TRIGGER ON awspool.accounts TO regress_awspool_x;
GRANT CREATE ON SCHEMA awspool TO regress_awspool_x;
SELECT severity, object, problem, action FROM lint;
REVOKE SELECT ON awspool.account FROM regress_awspool_x;
REVOKE UPDATE (model) ON awspool.account FROM PUBLIC;
REVOKE USAGE ON SEQUENCE awspool.account_position FROM regress_awspool_x;
REVOKE EXECUTE ON FUNCTION awspool.grant_provider FROM regress_awspool_x;
REVOKE TRIGGER ON awspool.accounts FROM regress_awspool_x;
REVOKE CREATE ON SCHEMA awspool FROM regress_awspool_x;
SELECT * FROM lint;

-- Objects that are not as the install script made them, or not of its making.
BEGIN;
ALTER FUNCTION awspool.my_providers() OWNER TO regress_awspool_x;
ALTER FUNCTION awspool.claim_account SECURITY DEFINER;
ALTER TABLE awspool.account_log DISABLE ROW LEVEL SECURITY;
CREATE POLICY everybody ON awspool.account USING (true);
ALTER VIEW awspool.accounts RESET (security_barrier);
ALTER TABLE awspool.account DISABLE TRIGGER account_transition;
ALTER TABLE awspool.account ENABLE TRIGGER account_refuse_used;
DROP TRIGGER provider_role_resolve ON awspool.provider_role;
ALTER TABLE awspool.provider_viewer DISABLE TRIGGER provider_viewer_resolve;
ALTER TABLE awspool.provider_viewer DISABLE ROW LEVEL SECURITY;
CREATE TRIGGER mine BEFORE UPDATE ON awspool.account FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE RULE mine AS ON INSERT TO awspool.pool_status DO INSTEAD NOTHING;
CREATE FUNCTION awspool.claim_account(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
SELECT severity, object, replace(problem, quote_ident(current_user), '(me)') AS problem FROM lint;
ROLLBACK;
SELECT * FROM lint;

-- What stores and finds the rows otherwise.
BEGIN;
DROP INDEX awspool.account_provider;
ALTER TABLE awspool.account DROP CONSTRAINT account_fits_its_status, DROP CONSTRAINT account_is_well_formed;
ALTER TABLE awspool.account ADD CONSTRAINT account_is_well_formed CHECK (true) NOT VALID;
ALTER TABLE awspool.account SET UNLOGGED;
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'awspool.account_order'::regclass;
ALTER TABLE awspool.account_log FORCE ROW LEVEL SECURITY;
ALTER TABLE awspool.provider_role ALTER role SET STATISTICS 100;
ALTER TABLE awspool.provider_viewer DROP CONSTRAINT provider_viewer_is_well_formed;
ALTER SEQUENCE awspool.account_position CACHE 10;
ALTER SEQUENCE awspool.account_log_log_id_seq INCREMENT -1;
CREATE TABLE public.regress_awspool_heir () INHERITS (awspool.account);
CREATE ACCESS METHOD regress_awspool_am TYPE TABLE HANDLER heap_tableam_handler;
ALTER TABLE awspool.arrival_count SET ACCESS METHOD regress_awspool_am;
SELECT severity, object, problem, action FROM lint WHERE object <> 'sequence awspool.account_position' OR problem !~ 'crash';
ROLLBACK;

-- What a dump does not hold, or what makes it worthless.
CREATE ROLE regress_awspool_gone;
BEGIN;
ALTER TABLE awspool.account ADD COLUMN note text, ADD COLUMN note_length int GENERATED ALWAYS AS (length(note)) STORED;
ALTER TABLE awspool.account_log ADD COLUMN "My note" text;
ALTER TABLE awspool.account DROP COLUMN note CASCADE;
ALTER TABLE awspool.account ADD COLUMN shout text GENERATED ALWAYS AS (upper(account_id)) STORED;
ALTER TABLE awspool.account ADD CONSTRAINT mine_check CHECK (account_id <> '000000000000'), ADD CONSTRAINT mine_unique UNIQUE (position);
ALTER TABLE awspool.account ADD CONSTRAINT mine_foreign FOREIGN KEY (account_id) REFERENCES awspool.account;
CREATE INDEX mine_index ON awspool.account_log (at);
CREATE STATISTICS public.regress_awspool_statistics ON provider, model FROM awspool.account;
ALTER TABLE awspool.account SET (autovacuum_enabled = off, toast.autovacuum_enabled = off);
ALTER INDEX awspool.account_ready SET (fillfactor = 50);
ALTER TABLE awspool.account ALTER provider SET (n_distinct = 3);
ALTER TABLE awspool.account REPLICA IDENTITY FULL;
ALTER VIEW awspool.accounts SET (security_invoker);
ALTER VIEW awspool.import ALTER provider SET DEFAULT 'acme';
CREATE OR REPLACE VIEW awspool.pool_settings WITH (security_barrier) AS SELECT s.*, 1 AS mine FROM awspool.visible_settings() s;
ALTER TABLE awspool.account ALTER reason SET DEFAULT 'none', ALTER reason SET STORAGE EXTERNAL, ALTER reason SET COMPRESSION pglz;
ALTER TABLE awspool.account CLUSTER ON account_pkey;
CREATE TABLE public.regress_awspool_parent (provider text COLLATE "C" NOT NULL);
ALTER TABLE awspool.provider_state INHERIT public.regress_awspool_parent;
ALTER FUNCTION awspool.claim_account SET lock_timeout = '5s';
SET LOCAL client_min_messages = error;    -- whatever wal_level is
CREATE PUBLICATION regress_awspool_tables FOR TABLE awspool.account;
CREATE PUBLICATION regress_awspool_schema FOR TABLES IN SCHEMA awspool;
SELECT severity, object, problem, action FROM lint;
ROLLBACK;
-- A table of one's own that refers to accounts is none of that.
BEGIN;
CREATE TABLE public.regress_awspool_note (account_id text PRIMARY KEY REFERENCES awspool.account ON DELETE CASCADE, note text);
SELECT * FROM lint;
ROLLBACK;
-- Privileges that a dump takes from whom the extension belonged to.
BEGIN;
UPDATE pg_init_privs SET initprivs = '{regress_awspool_gone=r/regress_awspool_gone,=r/regress_awspool_gone}'
WHERE classoid = 'pg_class'::regclass AND objoid = 'awspool.pool_status'::regclass;
SELECT severity, object, problem, action FROM lint;
SELECT 'regress_awspool_gone'::regrole::oid AS gone \gset
DROP ROLE regress_awspool_gone;
SELECT severity, object, replace(problem, :'gone', '...') AS problem, replace(action, :'gone', '...') AS action FROM lint
WHERE object = 'extension awspool';
ROLLBACK;
DROP ROLE regress_awspool_gone;
-- An owner who is no superuser.
BEGIN;
ALTER TABLE awspool.account OWNER TO regress_awspool_x;
SELECT severity, object, problem, action FROM lint WHERE object = 'table awspool.account';
ROLLBACK;
SELECT * FROM lint;

-- A dropped role, a renamed role, and providers that nobody may act for: one
-- that was granted once, and one that has accounts.
CREATE ROLE regress_awspool_dropped;
SELECT awspool.grant_provider('gone', 'regress_awspool_dropped');
DROP ROLE regress_awspool_dropped;
SELECT account_id FROM awspool.add_account('nobody', '900000000002', 'MP-0000', 'SPAM');
ALTER ROLE regress_awspool_acme RENAME TO regress_awspool_renamed;
SELECT severity, object, problem, action FROM lint;
ALTER ROLE regress_awspool_renamed RENAME TO regress_awspool_acme;
-- who may act for all may act for those
SELECT awspool.grant_provider('*', 'regress_awspool_all');
SELECT awspool.revoke_provider('gone', 'regress_awspool_dropped');
SELECT * FROM lint;

-- Roles that may let themselves in: by ADMIN OPTION, directly or through a
-- member, and before 16 by CREATEROLE.
ALTER ROLE regress_awspool_x NOINHERIT;
GRANT regress_awspool_acme TO regress_awspool_x WITH ADMIN OPTION;
CREATE ROLE regress_awspool_y NOINHERIT;
GRANT regress_awspool_member TO regress_awspool_y WITH ADMIN OPTION;
SELECT severity, object, problem, action FROM lint WHERE problem ~ 'grant itself role';
REVOKE regress_awspool_acme FROM regress_awspool_x;
REVOKE regress_awspool_member FROM regress_awspool_y;
ALTER ROLE regress_awspool_x CREATEROLE;
SELECT count(*) = (current_setting('server_version_num')::int < 160000)::int AS expected
FROM lint WHERE object = 'role regress_awspool_x' AND problem ~ 'CREATEROLE';
ALTER ROLE regress_awspool_x NOCREATEROLE;

-- A provider's role that sees through walls, by itself or by membership.
ALTER ROLE regress_awspool_acme BYPASSRLS;
GRANT pg_read_all_data TO regress_awspool_member;
GRANT pg_write_all_data TO regress_awspool_x, regress_awspool_all;
SELECT severity, object, problem FROM lint;
ALTER ROLE regress_awspool_acme NOBYPASSRLS;
REVOKE pg_read_all_data FROM regress_awspool_member;
REVOKE pg_write_all_data FROM regress_awspool_x, regress_awspool_all;

-- The role that the reference has for monitoring looks at all, and so may read
-- all statistics; one that looks at some may not.
SELECT awspool.grant_viewer('*', 'regress_awspool_y'), awspool.grant_viewer('acme', 'regress_awspool_y');
ALTER ROLE regress_awspool_y INHERIT;
ALTER ROLE regress_awspool_x INHERIT;
GRANT pg_read_all_stats TO regress_awspool_x, regress_awspool_y;
SELECT * FROM lint;
SELECT awspool.grant_viewer('acme', 'regress_awspool_x');
SELECT severity, object, problem FROM lint;
SELECT awspool.revoke_viewer('*', 'regress_awspool_y'), awspool.revoke_viewer('acme', 'regress_awspool_y'), awspool.revoke_viewer('acme', 'regress_awspool_x');
REVOKE pg_read_all_stats FROM regress_awspool_x, regress_awspool_y;
ALTER ROLE regress_awspool_x NOINHERIT;
ALTER ROLE regress_awspool_y NOINHERIT;

-- A viewer is held to the same, also where it looks at all: a role that is gone,
-- a provider that only viewers have, one that may let itself in, one that sees
-- or writes through walls.
CREATE ROLE regress_awspool_dropped;
CREATE ROLE regress_awspool_viewer;
SELECT awspool.grant_viewer('acme', 'regress_awspool_dropped'), awspool.grant_viewer('acme', 'regress_awspool_viewer');
SELECT * FROM lint;
DROP ROLE regress_awspool_dropped;
SELECT awspool.revoke_provider('*', 'regress_awspool_all'), awspool.grant_viewer('watched', 'regress_awspool_all'), awspool.grant_viewer('*', 'regress_awspool_all');
GRANT regress_awspool_viewer TO regress_awspool_y WITH ADMIN OPTION;
ALTER ROLE regress_awspool_viewer BYPASSRLS;
GRANT pg_write_all_data TO regress_awspool_all;
SELECT severity, object, problem, action FROM lint;
REVOKE pg_write_all_data FROM regress_awspool_all;
REVOKE regress_awspool_viewer FROM regress_awspool_y;
SELECT awspool.revoke_viewer('acme', 'regress_awspool_dropped'), awspool.revoke_viewer('watched', 'regress_awspool_all'), awspool.revoke_viewer('*', 'regress_awspool_all');
SELECT awspool.grant_provider('*', 'regress_awspool_all'), awspool.revoke_viewer('acme', 'regress_awspool_viewer');
DROP ROLE regress_awspool_viewer;
SELECT * FROM lint;

-- Durability turned down.
ALTER ROLE regress_awspool_acme SET synchronous_commit = off;
ALTER ROLE regress_awspool_x IN DATABASE :DBNAME SET synchronous_commit = local;
SELECT severity, replace(object, current_database(), '...') AS object, problem FROM lint ORDER BY 2;
ALTER ROLE regress_awspool_acme RESET synchronous_commit;
ALTER ROLE regress_awspool_x IN DATABASE :DBNAME RESET synchronous_commit;
SELECT * FROM lint;

-- It tells of every provider, so it is the owner's.
SET ROLE regress_awspool_all;
SELECT * FROM awspool.lint();
RESET ROLE;

TRUNCATE awspool.account, awspool.account_log, awspool.provider_role;
REVOKE ALL ON awspool.accounts FROM regress_awspool_x;
REVOKE ALL ON FUNCTION awspool.claim_account FROM regress_awspool_x;
DROP VIEW lint;
DROP ROLE regress_awspool_acme, regress_awspool_member, regress_awspool_all, regress_awspool_x, regress_awspool_y;
