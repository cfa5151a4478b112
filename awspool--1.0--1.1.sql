/* awspool--1.0--1.1.sql: what version 1.1 changes; awspool--1.1.sql is the whole */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION awspool UPDATE TO '1.1'" to load this file. \quit

-- What is in the schema already: all else is new when this script ends.
SELECT pg_catalog.set_config('awspool_update.present',
  pg_catalog.array_agg(objid)::pg_catalog.text, true)
FROM pg_catalog.pg_depend
WHERE refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass
  AND refobjid OPERATOR(pg_catalog.=) 'awspool'::pg_catalog.regnamespace;

-- The C code knows heap tables.  The server does nothing where they are that.
ALTER TABLE awspool.account SET ACCESS METHOD heap;
ALTER TABLE awspool.account_log SET ACCESS METHOD heap;
ALTER TABLE awspool.provider_role SET ACCESS METHOD heap;
ALTER TABLE awspool.arrival_count SET ACCESS METHOD heap;

-- Notes now tell which transaction was the next one.  They are hints, to be
-- made anew.
ALTER EXTENSION awspool DROP TABLE awspool.pool_start;
DROP TABLE awspool.pool_start;
CREATE UNLOGGED TABLE awspool.pool_start (
  position    bigint NOT NULL,  -- the C code changes the first three in place
  arrivals    bigint NOT NULL,
  next_xid    bigint NOT NULL DEFAULT 0,
  provider    text COLLATE "C" NOT NULL,
  marketplace text COLLATE "C" NOT NULL,
  CONSTRAINT pool_start_pkey PRIMARY KEY (provider, marketplace)
) USING heap;

COMMENT ON TABLE awspool.pool_start IS
  'Where to start looking in a pool, kept for sessions to come: a mere hint, worth nothing once arrival_count has gone up. Empty after a crash, and not dumped.';

ALTER TABLE awspool.pool_start
  ALTER position SET STATISTICS 0, ALTER arrivals SET STATISTICS 0, ALTER next_xid SET STATISTICS 0,
  ALTER provider SET STATISTICS 0, ALTER marketplace SET STATISTICS 0;
ALTER TABLE awspool.pool_start ENABLE ROW LEVEL SECURITY;

-- The accounts of each provider, oldest first: where the views look.
DROP INDEX awspool.account_provider;
CREATE INDEX account_provider ON awspool.account (provider, position);

COMMENT ON INDEX awspool.account_provider IS
  'The accounts of each provider, oldest first: where the views look.';

-- The accounts in progress of each provider, the longest first.
CREATE INDEX account_in_progress ON awspool.account (provider, claimed_at)
  WHERE status OPERATOR(pg_catalog.=) 'provisioning_in_progress';

COMMENT ON INDEX awspool.account_in_progress IS
  'The accounts in progress of each provider, the longest first.';

-- The accounts that failed or are invalid, by the order they were claimed for.
CREATE INDEX account_failed ON awspool.account (provider, order_id)
  WHERE status OPERATOR(pg_catalog.=) 'provisioning_failed'
     OR status OPERATOR(pg_catalog.=) 'invalid';

COMMENT ON INDEX awspool.account_failed IS
  'The accounts that failed or are invalid, by the order they were claimed for.';

-- What an account was when it was edited, which tells where the edit belongs in
-- its history.
ALTER TABLE awspool.account_log ADD COLUMN status text COLLATE "C";
ALTER TABLE awspool.account_log ALTER status SET STATISTICS 0;

COMMENT ON COLUMN awspool.account_log.status IS
  'Of an edit: what the account was then; of a reconciliation: what it is since. Tells where that belongs in its history. NULL in edits by version 1.0.';

-- In which pool an event is counted.
ALTER TABLE awspool.account_log ADD COLUMN marketplace text COLLATE "C";
ALTER TABLE awspool.account_log ADD COLUMN added_at timestamptz;
ALTER TABLE awspool.account_log
  ALTER marketplace SET STATISTICS 0, ALTER added_at SET STATISTICS 0;

COMMENT ON COLUMN awspool.account_log.marketplace IS
  'The pool in which the event is counted: that of the account or, of an edit that moved it, the one that it left. NULL in other edits.';
COMMENT ON COLUMN awspool.account_log.added_at IS
  'Of an edit that moved the account: when it was added.';

-- The row of a deletion tells it in its detail, for all of the life it ended.
UPDATE ONLY awspool.account_log l
SET marketplace = (
  SELECT pg_catalog.split_part(d.detail, ', ', 2)
  FROM ONLY awspool.account_log d
  WHERE d.provider OPERATOR(pg_catalog.=) l.provider
    AND d.account_id OPERATOR(pg_catalog.=) l.account_id
    AND d.event OPERATOR(pg_catalog.=) 'deleted'
    AND d.log_id OPERATOR(pg_catalog.>=) l.log_id
  ORDER BY d.log_id LIMIT 1)
WHERE l.event OPERATOR(pg_catalog.<>) 'edited';

-- Arrivals are counted by pool.
INSERT INTO awspool.arrival_count
  SELECT i OPERATOR(pg_catalog.*) 1099511627776
  FROM pg_catalog.generate_series(0::bigint, 200) i;

COMMENT ON TABLE awspool.arrival_count IS
  'Goes up whenever an account may have arrived before others in its pool, other than by being added: by an edit, a restore, replication or hand. Tells sessions to look at their pools anew. One page of rows, changed in place, and not dumped.';

-- Which database roles may look at a provider, and change nothing.
CREATE TABLE awspool.provider_viewer (
  provider text COLLATE "C" NOT NULL,
  role     text COLLATE "C" NOT NULL,
  role_oid oid NOT NULL,
  CONSTRAINT provider_viewer_pkey PRIMARY KEY (provider, role),
  CONSTRAINT provider_viewer_is_well_formed CHECK (
    provider OPERATOR(pg_catalog.=) '*'
    OR awspool.is_well_formed(provider, '000000000000', 'MP-0000', 'SPAM',
         NULL))
) USING heap;

COMMENT ON TABLE awspool.provider_viewer IS
  'Which database roles may look at a provider, and change nothing; "*" stands for every provider. Changed only by awspool.grant_viewer and awspool.revoke_viewer.';
COMMENT ON COLUMN awspool.provider_viewer.role_oid IS
  'The role that had this name when it was granted, or restored. A role counts only while it has both.';

ALTER TABLE awspool.provider_viewer
  ALTER provider SET STATISTICS 0, ALTER role SET STATISTICS 0,
  ALTER role_oid SET STATISTICS 0;
ALTER TABLE awspool.provider_viewer ENABLE ROW LEVEL SECURITY;

-- Lets the grants of viewers find their roles as those of providers do.
CREATE TRIGGER provider_viewer_resolve
  BEFORE INSERT OR UPDATE OR DELETE ON awspool.provider_viewer
  FOR EACH ROW EXECUTE FUNCTION awspool.resolve_provider_role();

ALTER TABLE awspool.provider_viewer
  ENABLE ALWAYS TRIGGER provider_viewer_resolve;

COMMENT ON TRIGGER provider_viewer_resolve ON awspool.provider_viewer IS
  'Finds the role of a name, so that grants survive a restore elsewhere, and has every session read the grants anew.';

-- Which providers are frozen, or have moved to another server; all others are
-- here.
CREATE TABLE awspool.provider_state (
  provider text COLLATE "C" NOT NULL,
  state    text COLLATE "C" NOT NULL,
  restored boolean NOT NULL DEFAULT false,
  since    timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  set_by   text COLLATE "C" NOT NULL DEFAULT current_user,
  CONSTRAINT provider_state_pkey PRIMARY KEY (provider),
  CONSTRAINT provider_state_is_well_formed CHECK (
    awspool.is_well_formed(provider, '000000000000', 'MP-0000', 'SPAM', NULL)),
  CONSTRAINT provider_state_is_known CHECK (
    state OPERATOR(pg_catalog.=) 'frozen' OR state OPERATOR(pg_catalog.=) 'away')
) USING heap;

COMMENT ON TABLE awspool.provider_state IS
  'Which providers are frozen, or away since they have moved to another server; all others are here. Changed only by awspool.freeze_provider, thaw_provider and forget_provider.';
COMMENT ON COLUMN awspool.provider_state.restored IS
  'Whether a backup brought a freeze: until it is frozen again here, its accounts can be restored into the table.';
COMMENT ON COLUMN awspool.provider_state.since IS
  'When it was frozen, or forgotten.';
COMMENT ON COLUMN awspool.provider_state.set_by IS
  'The role that did so.';

ALTER TABLE awspool.provider_state
  ALTER provider SET STATISTICS 0, ALTER state SET STATISTICS 0,
  ALTER restored SET STATISTICS 0, ALTER since SET STATISTICS 0,
  ALTER set_by SET STATISTICS 0;
ALTER TABLE awspool.provider_state ENABLE ROW LEVEL SECURITY;

-- The functions that are asked which ids are taken on other servers.
CREATE TABLE awspool.registry (
  purpose       text COLLATE "C" NOT NULL,
  schema_name   text COLLATE "C" NOT NULL,
  function_name text COLLATE "C" NOT NULL,
  since         timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  set_by        text COLLATE "C" NOT NULL DEFAULT current_user,
  CONSTRAINT registry_pkey PRIMARY KEY (purpose),
  CONSTRAINT registry_purpose_is_known CHECK (
    purpose OPERATOR(pg_catalog.=) 'reserve'
    OR purpose OPERATOR(pg_catalog.=) 'look')
) USING heap;

COMMENT ON TABLE awspool.registry IS
  'The functions that are asked which account ids are taken on other servers, by their names; none if ids are unique in this database alone. Changed only by awspool.use_registry.';
COMMENT ON COLUMN awspool.registry.purpose IS
  'reserve: asked before ids are stored; look: asked by who only checks.';
COMMENT ON COLUMN awspool.registry.since IS
  'When it was named.';
COMMENT ON COLUMN awspool.registry.set_by IS
  'The role that did so.';

ALTER TABLE awspool.registry
  ALTER purpose SET STATISTICS 0, ALTER schema_name SET STATISTICS 0,
  ALTER function_name SET STATISTICS 0, ALTER since SET STATISTICS 0,
  ALTER set_by SET STATISTICS 0;
ALTER TABLE awspool.registry ENABLE ROW LEVEL SECURITY;

-- Has every session read the states anew, and tells those of a backup.
CREATE FUNCTION awspool.note_provider_state() RETURNS trigger
AS 'MODULE_PATHNAME', 'awspool_note_provider_state' LANGUAGE C;

COMMENT ON FUNCTION awspool.note_provider_state() IS
  'Trigger: has every session read the states of providers anew, and marks those that a backup brings.';

CREATE TRIGGER provider_state_note
  BEFORE INSERT OR UPDATE OR DELETE ON awspool.provider_state
  FOR EACH ROW EXECUTE FUNCTION awspool.note_provider_state();

ALTER TABLE awspool.provider_state ENABLE ALWAYS TRIGGER provider_state_note;

COMMENT ON TRIGGER provider_state_note ON awspool.provider_state IS
  'Has every session read the states of providers anew, and marks those that a backup brings.';

-- Has every session read anew which functions are asked.
CREATE FUNCTION awspool.note_registry() RETURNS trigger
AS 'MODULE_PATHNAME', 'awspool_note_registry' LANGUAGE C;

COMMENT ON FUNCTION awspool.note_registry() IS
  'Trigger: has every session read anew which functions are asked for ids that are taken on other servers.';

CREATE TRIGGER registry_note
  BEFORE INSERT OR UPDATE OR DELETE ON awspool.registry
  FOR EACH ROW EXECUTE FUNCTION awspool.note_registry();

ALTER TABLE awspool.registry ENABLE ALWAYS TRIGGER registry_note;

COMMENT ON TRIGGER registry_note ON awspool.registry IS
  'Has every session read anew which functions are asked for ids that are taken on other servers.';

--
-- Triggers: sequences follow whatever brings its own number, not just what
-- logical replication applies.
--

COMMENT ON FUNCTION awspool.refuse_used_account() IS
  'Trigger: refuses the id of an account that was used and deleted; moves the sequence on to a position that was not drawn from it.';
COMMENT ON TRIGGER account_refuse_used ON awspool.account IS
  'Refuses the id of an account that was used and deleted; moves the sequence on to a position that was not drawn from it.';

COMMENT ON FUNCTION awspool.follow_sequence() IS
  'Trigger: moves the sequence on to rows that bring their own number.';

DROP TRIGGER account_follow_sequence ON awspool.account;

ALTER TABLE awspool.account_log
  ENABLE ALWAYS TRIGGER account_log_follow_sequence;

COMMENT ON TRIGGER account_log_follow_sequence ON awspool.account_log IS
  'Moves the sequence on to rows that bring their own number.';

--
-- Views.  No statement changes the collation of a view's column, so this is
-- done in the catalog: what depends on the views may stay.
--

UPDATE pg_catalog.pg_attribute
SET attcollation = (SELECT oid FROM pg_catalog.pg_collation
                    WHERE collname OPERATOR(pg_catalog.=) 'default'
                      AND collnamespace OPERATOR(pg_catalog.=) 'pg_catalog'::pg_catalog.regnamespace)
WHERE attrelid IN ('awspool.accounts'::pg_catalog.regclass,
                   'awspool.pool_status'::pg_catalog.regclass,
                   (SELECT typrelid FROM pg_catalog.pg_type
                    WHERE oid OPERATOR(pg_catalog.=) 'awspool.account_row'::pg_catalog.regtype))
  AND attcollation OPERATOR(pg_catalog.=)
      (SELECT oid FROM pg_catalog.pg_collation
       WHERE collname OPERATOR(pg_catalog.=) 'C'
         AND collnamespace OPERATOR(pg_catalog.=) 'pg_catalog'::pg_catalog.regnamespace);

ALTER TYPE awspool.account_row ADD ATTRIBUTE position bigint;

-- Tells the planner how many accounts there are, and how to read them.
CREATE FUNCTION awspool.plan_accounts(internal) RETURNS internal
AS 'MODULE_PATHNAME', 'awspool_plan_accounts' LANGUAGE C;

COMMENT ON FUNCTION awspool.plan_accounts(internal) IS
  'Planner support of awspool.visible_accounts: how many accounts there are, and how to read them.';

-- The accounts of the caller's providers.  Beside a function whose arguments
-- may all be left out, a call without any would not be unique.
ALTER FUNCTION awspool.visible_accounts(text[], text, text, text, text)
  RENAME TO visible_accounts_before;
CREATE FUNCTION awspool.visible_accounts()
RETURNS SETOF awspool.account_row
AS 'MODULE_PATHNAME', 'awspool_visible_accounts'
LANGUAGE C STABLE SUPPORT awspool.plan_accounts;

COMMENT ON FUNCTION awspool.visible_accounts() IS
  'The accounts of the caller''s providers, as view awspool.accounts shows them.';

-- The accounts of the caller's providers; changing it does what the functions do.
CREATE OR REPLACE VIEW awspool.accounts AS
  SELECT provider, account_id, marketplace, model, status, order_id,
         order_model, reason, added_at, added_by, claimed_at, claimed_by,
         closed_at, closed_by, position
  FROM awspool.visible_accounts();

COMMENT ON COLUMN awspool.accounts.position IS
  'Its age: a lower position is an older account, which is claimed first. Unique; what to sort and page by.';

DROP FUNCTION awspool.visible_accounts_before(text[], text, text, text, text);
DROP FUNCTION awspool.narrow_accounts(internal);

-- The counts of the pools of the caller's providers.
CREATE FUNCTION awspool.read_pools()
RETURNS TABLE (provider text, marketplace text, ready bigint,
  provisioning_in_progress bigint, allocated bigint,
  provisioning_failed bigint, invalid bigint, oldest_ready_at timestamptz,
  claims_24h bigint, claims_7d bigint, oldest_in_progress_at timestamptz,
  added_ever bigint, claimed_ever bigint, last_claim_hour timestamptz)
AS 'MODULE_PATHNAME', 'awspool_read_pools' LANGUAGE C STABLE;

COMMENT ON FUNCTION awspool.read_pools() IS
  'The counts of the pools of the caller''s providers, as view pool_status shows them.';

-- What happened in the pools of the caller's providers.
CREATE FUNCTION awspool.read_activity()
RETURNS TABLE (provider text, marketplace text, hour timestamptz,
  added bigint, claimed bigint, allocated bigint, provisioning_failed bigint,
  invalid bigint, deleted bigint)
AS 'MODULE_PATHNAME', 'awspool_read_activity' LANGUAGE C STABLE;

COMMENT ON FUNCTION awspool.read_activity() IS
  'What happened in the pools of the caller''s providers, as view pool_activity shows it.';

-- The settings of the pools of the caller's providers.
CREATE FUNCTION awspool.visible_settings()
RETURNS TABLE (provider text, marketplace text, low_water bigint,
  min_days numeric, deadline interval, paused_at timestamptz, paused_by text,
  pause_reason text)
AS 'MODULE_PATHNAME', 'awspool_visible_settings' LANGUAGE C STABLE;

COMMENT ON FUNCTION awspool.visible_settings() IS
  'The settings of the pools of the caller''s providers, as view awspool.pool_settings shows them.';

-- The state of each pool: stock, age and demand.
CREATE OR REPLACE VIEW awspool.pool_status WITH (security_barrier) AS
  -- A pool that has a setting need not have an account; one without a setting of
  -- its own is paused with all of its provider's.
  WITH setting AS MATERIALIZED (
    SELECT provider, marketplace, paused_at FROM awspool.visible_settings()
  ), own AS (
    SELECT * FROM setting WHERE marketplace OPERATOR(pg_catalog.<>) '*'
  )
  SELECT COALESCE(p.provider, own.provider) AS provider,
         COALESCE(p.marketplace, own.marketplace) AS marketplace,
         COALESCE(p.ready, 0) AS ready,
         COALESCE(p.provisioning_in_progress, 0) AS provisioning_in_progress,
         COALESCE(p.allocated, 0) AS allocated,
         COALESCE(p.provisioning_failed, 0) AS provisioning_failed,
         COALESCE(p.invalid, 0) AS invalid, p.oldest_ready_at,
         COALESCE(p.claims_24h, 0) AS claims_24h,
         COALESCE(p.claims_7d, 0) AS claims_7d, p.oldest_in_progress_at,
         COALESCE(p.added_ever, 0) AS added_ever,
         COALESCE(p.claimed_ever, 0) AS claimed_ever,
         p.ready OPERATOR(pg_catalog.*) 7.0 OPERATOR(pg_catalog./)
           NULLIF(p.claims_7d, 0) AS days_left,
         CASE WHEN own.provider IS NULL THEN every.paused_at
              ELSE own.paused_at END AS paused_at
  FROM awspool.read_pools() p
  FULL JOIN own ON own.provider OPERATOR(pg_catalog.=) p.provider
    AND own.marketplace OPERATOR(pg_catalog.=) p.marketplace
  LEFT JOIN setting every ON every.marketplace OPERATOR(pg_catalog.=) '*'
    AND every.provider OPERATOR(pg_catalog.=) p.provider;

DROP FUNCTION awspool.count_pools();

COMMENT ON COLUMN awspool.pool_status.oldest_ready_at IS
  'When the oldest ready account was stored; NULL if none is ready.';
COMMENT ON COLUMN awspool.pool_status.claims_24h IS
  'Accounts claimed in the last 24 hours, which begin with a full hour.';
COMMENT ON COLUMN awspool.pool_status.claims_7d IS
  'Accounts claimed in the last 7 days, which begin with a full hour.';
COMMENT ON COLUMN awspool.pool_status.oldest_in_progress_at IS
  'When the account that is longest in progress was claimed; NULL if none is.';
COMMENT ON COLUMN awspool.pool_status.added_ever IS
  'Accounts that were ever in the pool: added, or moved here by an edit.';
COMMENT ON COLUMN awspool.pool_status.claimed_ever IS
  'Accounts that were ever claimed from the pool.';
COMMENT ON COLUMN awspool.pool_status.days_left IS
  'How long the ready accounts last, in days, at the pace of the last 7; NULL without claims.';
COMMENT ON COLUMN awspool.pool_status.paused_at IS
  'Since when the pool is closed for new claims; NULL if it is open.';

-- What happened in each pool, hour by hour.
CREATE VIEW awspool.pool_activity WITH (security_barrier) AS
  SELECT provider, marketplace, hour, added, claimed, allocated,
         provisioning_failed, invalid, deleted
  FROM awspool.read_activity();

COMMENT ON VIEW awspool.pool_activity IS
  'How many accounts of each pool of the caller''s providers were added, claimed, closed and deleted in each hour, since ever, deleted accounts included.';
COMMENT ON COLUMN awspool.pool_activity.provider IS 'Whose pool it is.';
COMMENT ON COLUMN awspool.pool_activity.marketplace IS
  'The marketplace it is for.';
COMMENT ON COLUMN awspool.pool_activity.hour IS
  'When the hour began. Hours are those of UTC.';
COMMENT ON COLUMN awspool.pool_activity.added IS
  'Accounts stored in that hour, also those that an edit moved here later.';
COMMENT ON COLUMN awspool.pool_activity.claimed IS 'Accounts claimed.';
COMMENT ON COLUMN awspool.pool_activity.allocated IS
  'Accounts whose order completed.';
COMMENT ON COLUMN awspool.pool_activity.provisioning_failed IS
  'Accounts whose order failed.';
COMMENT ON COLUMN awspool.pool_activity.invalid IS
  'Accounts that were taken out for good.';
COMMENT ON COLUMN awspool.pool_activity.deleted IS 'Accounts deleted.';

--
-- Lint: also what no backup holds.
--

-- What weakens the walls between providers or the durability of claims, and what
-- no backup holds.
CREATE OR REPLACE FUNCTION awspool.lint()
RETURNS TABLE (severity text, object text, problem text, action text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH member AS (
    SELECT d.classid, d.objid
    FROM pg_depend d JOIN pg_extension e
      ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
    WHERE e.extname = 'awspool' AND d.deptype = 'e'
  ), owner AS (
    SELECT relowner AS oid FROM pg_class WHERE oid = 'awspool.account'::regclass
  ), relation AS (
    SELECT c.* FROM pg_class c JOIN member m
      ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
  ), object AS (
    SELECT 'pg_class'::regclass AS classid, oid AS objid, 0 AS objsubid,
           relowner AS owner, relacl AS acl
    FROM relation
    UNION ALL
    SELECT 'pg_class'::regclass, c.oid, a.attnum, c.relowner, a.attacl
    FROM relation c JOIN pg_attribute a ON a.attrelid = c.oid
    UNION ALL
    SELECT m.classid, m.objid, 0, p.proowner,
           coalesce(p.proacl, acldefault('f', p.proowner))
    FROM member m JOIN pg_proc p
      ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
    UNION ALL
    SELECT 'pg_namespace'::regclass, oid, 0, nspowner, nspacl
    FROM pg_namespace WHERE nspname = 'awspool'
  ), privilege AS (
    SELECT o.classid, o.objid, o.objsubid, a.grantee, a.privilege_type
    FROM object o, aclexplode(o.acl) a
    WHERE a.grantee <> o.owner
      AND NOT (o.classid = 'pg_namespace'::regclass AND a.privilege_type = 'USAGE')
  ), given AS (       -- who may act for a provider, or look at it, as the owner granted it
    SELECT g.provider, g.role, g.acts, r.oid
    FROM (SELECT provider, role, role_oid, true FROM ONLY awspool.provider_role
          UNION ALL
          SELECT provider, role, role_oid, false FROM ONLY awspool.provider_viewer
         ) g (provider, role, role_oid, acts)
      LEFT JOIN pg_roles r ON r.oid = g.role_oid AND r.rolname = g.role::name
  ), made (relation, columns, indexes, checks) AS (   -- by the install script
    VALUES
      ('account',
       '{provider,account_id,marketplace,model,status,order_id,order_model,reason,added_at,added_by,claimed_at,claimed_by,closed_at,closed_by,position}'::text[],
       '{account_pkey,account_ready,account_provider,account_in_progress,account_failed,account_order}'::text[],
       '{account_is_well_formed,account_fits_its_status}'::text[]),
      ('account_log', '{log_id,provider,account_id,at,actor,event,detail,used,status,marketplace,added_at}',
       '{account_log_pkey,account_log_account,account_log_used}', '{}'),
      ('tally',
       '{hour,part,added,now_ready,claimed,now_in_progress,now_allocated,allocated,now_failed,provisioning_failed,now_invalid,invalid,deleted,provider,marketplace,recent_hour,recent_claims}',
       '{tally_pkey,tally_open}', '{}'),
      ('provider_role', '{provider,role,role_oid}', '{provider_role_pkey}',
       '{provider_role_is_well_formed}'),
      ('provider_viewer', '{provider,role,role_oid}', '{provider_viewer_pkey}',
       '{provider_viewer_is_well_formed}'),
      ('provider_state', '{provider,state,restored,since,set_by}', '{provider_state_pkey}',
       '{provider_state_is_well_formed,provider_state_is_known}'),
      ('registry', '{purpose,schema_name,function_name,since,set_by}', '{registry_pkey}',
       '{registry_purpose_is_known}'),
      ('arrival_count', '{arrivals}', '{}', '{}'),
      ('pool_start', '{position,arrivals,next_xid,provider,marketplace}',
       '{pool_start_pkey}', '{}'),
      ('pool_setting',
       '{provider,marketplace,low_water,min_days,deadline,paused_at,paused_by,pause_reason}',
       '{pool_setting_pkey}',
       '{pool_setting_is_well_formed,pool_setting_makes_sense}')
  ), made_view (relation, columns) AS (
    VALUES
      ('accounts',
       '{provider,account_id,marketplace,model,status,order_id,order_model,reason,added_at,added_by,claimed_at,claimed_by,closed_at,closed_by,position}'::text[]),
      ('pool_status',
       '{provider,marketplace,ready,provisioning_in_progress,allocated,provisioning_failed,invalid,oldest_ready_at,claims_24h,claims_7d,oldest_in_progress_at,added_ever,claimed_ever,days_left,paused_at}'),
      ('pool_activity', '{provider,marketplace,hour,added,claimed,allocated,provisioning_failed,invalid,deleted}'),
      ('pool_settings', '{provider,marketplace,low_water,min_days,deadline,paused_at,paused_by,pause_reason}'),
      ('alerts', '{severity,alert,provider,marketplace,account_id,order_id,since,detail,action}'),
      ('import', '{provider,account_id,marketplace_id,account_model}')
  ), base AS (
    SELECT c.*, m.columns, m.indexes, m.checks
    FROM relation c JOIN made m ON m.relation = c.relname
  ), owned_index AS (
    SELECT b.oid AS base, b.indexes, i.indexrelid, i.indisvalid, c.relname, c.reloptions, c.reltablespace
    FROM base b JOIN pg_index i ON i.indrelid = b.oid JOIN pg_class c ON c.oid = i.indexrelid
  )
  -- More than the install script gave, and not what everybody has anyway.
  SELECT 'error', pg_describe_object(p.classid, p.objid, p.objsubid),
         format('%s has %s', g.name, p.privilege_type),
         format('REVOKE %s ... FROM %s', p.privilege_type, g.name)
  FROM privilege p,
    LATERAL (SELECT CASE p.grantee WHEN 0 THEN 'PUBLIC'
                    ELSE p.grantee::regrole::text END) g (name)
  WHERE NOT EXISTS (
      SELECT FROM pg_init_privs i, aclexplode(i.initprivs) a
      WHERE i.classoid = p.classid AND i.objoid = p.objid
        AND i.objsubid = p.objsubid
        AND a.grantee IN (0, p.grantee)
        AND a.privilege_type = p.privilege_type)
  UNION ALL
  SELECT 'error', pg_describe_object(o.classid, o.objid, 0),
         format('it belongs to %s, the accounts to %s', o.owner::regrole, w.oid::regrole),
         format('ALTER ... OWNER TO %s', w.oid::regrole)
  FROM object o, owner w
  WHERE o.owner <> w.oid AND o.objsubid = 0
  UNION ALL
  SELECT 'error', pg_describe_object('pg_class'::regclass, c.oid, 0),
         'row security is off', format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', c.oid::regclass)
  FROM relation c
  WHERE c.relkind = 'r' AND NOT c.relrowsecurity
  UNION ALL
  SELECT 'error', pg_describe_object('pg_class'::regclass, c.oid, 0),
         'row security holds for the owner, too', format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', c.oid::regclass)
  FROM relation c
  WHERE c.relforcerowsecurity
  UNION ALL
  SELECT 'error', pg_describe_object('pg_class'::regclass, c.oid, a.attnum),
         'samples of its values are kept', format('ALTER TABLE %s ALTER %I SET STATISTICS 0', c.oid::regclass, a.attname)
  FROM base c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = ANY (c.columns)
  WHERE c.relname <> 'arrival_count' AND coalesce(a.attstattarget, -1) <> 0
  UNION ALL
  SELECT 'error', pg_describe_object('pg_policy'::regclass, y.oid, 0),
         'a policy lets others in', format('DROP POLICY %I ON %s', y.polname, y.polrelid::regclass)
  FROM pg_policy y JOIN relation c ON y.polrelid = c.oid
  UNION ALL
  SELECT 'error', pg_describe_object('pg_class'::regclass, c.oid, 0),
         'it is no security barrier', format('ALTER VIEW %s SET (security_barrier)', c.oid::regclass)
  FROM relation c
  WHERE c.relkind = 'v' AND c.relname NOT IN ('accounts', 'import')
    AND NOT 'security_barrier=true' = ANY (coalesce(c.reloptions, '{}'))
  UNION ALL
  -- The extension's own triggers.
  SELECT 'error', format('trigger %s on table awspool.%s', x.name, x.relation),
         CASE WHEN t.oid IS NULL THEN 'it is missing' ELSE 'it does not fire when it should' END,
         'restore it as in the install script of the extension'
  FROM (VALUES ('account', 'account_transition', 'A'),
               ('account', 'account_log_change', 'A'),
               ('account', 'account_refuse_used', 'A'),
               ('account', 'account_tally', 'A'),
               ('account', 'account_recount', 'A'),
               ('account_log', 'account_log_follow_sequence', 'A'),
               ('account_log', 'account_log_tally', 'A'),
               ('account_log', 'account_log_recount', 'A'),
               ('tally', 'tally_keep', 'R'),
               ('provider_role', 'provider_role_resolve', 'A'),
               ('provider_viewer', 'provider_viewer_resolve', 'A'),
               ('provider_state', 'provider_state_note', 'A'),
               ('registry', 'registry_note', 'A'),
               ('pool_setting', 'pool_setting_count_change', 'A'),
               ('import', 'import_begin', 'O'), ('import', 'import_row', 'O'),
               ('import', 'import_end', 'O'), ('accounts', 'change_accounts', 'O')
       ) x (relation, name, enabled)
    JOIN relation c ON c.relname = x.relation
    LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND t.tgname = x.name
  WHERE t.tgenabled IS DISTINCT FROM x.enabled::"char"
  UNION ALL
  -- The extension's own indexes and constraints, and how its rows are stored.
  SELECT 'error', format('index awspool.%I', x.name),
         CASE WHEN i.indexrelid IS NULL THEN 'it is missing' ELSE 'it is invalid' END,
         CASE WHEN i.indexrelid IS NULL THEN 'restore it as in the install script of the extension'
              ELSE format('REINDEX INDEX %s', i.indexrelid::regclass) END
  FROM base c CROSS JOIN unnest(c.indexes) x (name)
    LEFT JOIN owned_index i ON i.base = c.oid AND i.relname = x.name
  WHERE i.indisvalid IS NOT TRUE
  UNION ALL
  SELECT 'error', format('constraint %I on table awspool.%I', x.name, c.relname),
         CASE WHEN k.oid IS NULL THEN 'it is missing' ELSE 'it is not valid' END,
         CASE WHEN k.oid IS NULL THEN 'restore it as in the install script of the extension'
              ELSE format('ALTER TABLE %s VALIDATE CONSTRAINT %I', c.oid::regclass, x.name) END
  FROM base c CROSS JOIN unnest(c.checks) x (name)
    LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.conname = x.name AND k.contype = 'c'
  WHERE k.convalidated IS NOT TRUE
  UNION ALL
  SELECT 'error', pg_describe_object('pg_class'::regclass, c.oid, 0),
         'it is not a heap', format('ALTER TABLE %s SET ACCESS METHOD heap', c.oid::regclass)
  FROM base c JOIN pg_am m ON m.oid = c.relam
  WHERE m.amname <> 'heap'
  UNION ALL
  SELECT 'error', pg_describe_object('pg_class'::regclass, c.oid, 0), 'a crash empties it',
         format('ALTER %s %s SET LOGGED', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid::regclass)
  FROM relation c
  WHERE c.relpersistence = 'u' AND c.relname <> 'pool_start'
  UNION ALL
  SELECT 'error', pg_describe_object('pg_class'::regclass, c.oid, 0),
         'it does not draw one number after the other',
         format('ALTER SEQUENCE %s INCREMENT 1 CACHE 1 NO CYCLE', c.oid::regclass)
  FROM relation c JOIN pg_sequence s ON s.seqrelid = c.oid
  WHERE (s.seqincrement, s.seqcache, s.seqcycle) <> (1, 1, false)
  UNION ALL
  -- What is drawn next.  A sequence does not follow numbers of the upper half.
  SELECT 'error', 'sequence awspool.' || s.name, 'it is behind numbers that are in use',
         format('SELECT setval(%L, %s)', 'awspool.' || s.name, s.used)
  FROM (SELECT 'account_position', last_value,
               (SELECT max(position) FROM ONLY awspool.account WHERE position < 4611686018427387904)
        FROM awspool.account_position
        UNION ALL
        SELECT 'account_log_log_id_seq', last_value,
               (SELECT max(log_id) FROM ONLY awspool.account_log WHERE log_id < 4611686018427387904)
        FROM awspool.account_log_log_id_seq) s (name, last_value, used)
  WHERE s.used > s.last_value
  UNION ALL
  SELECT 'warning', pg_describe_object('pg_class'::regclass, h.inhrelid, 0),
         format('it inherits from %s, and its rows do not count', c.oid::regclass),
         format('ALTER TABLE %s NO INHERIT %s', h.inhrelid::regclass, c.oid::regclass)
  FROM base c JOIN pg_inherits h ON h.inhparent = c.oid
  UNION ALL
  -- What a dump cannot carry.  It has the rows of the extension's tables, with
  -- all columns, but nothing that makes a table.
  SELECT 'error', pg_describe_object('pg_class'::regclass, c.oid, a.attnum),
         'no row of the table comes back from a dump',
         'drop it; keep what it holds in a table of your own that refers to the account'
  FROM base c JOIN pg_attribute a ON a.attrelid = c.oid
  WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    AND a.attname <> ALL (c.columns)
  UNION ALL
  SELECT 'warning', pg_describe_object(x.classid, x.objid, x.objsubid),
         'a dump does not have it', 'keep a script that makes it anew after a restore'
  FROM base c, LATERAL (
    SELECT 'pg_class'::regclass, c.oid, a.attnum::int
    FROM pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> ''
    UNION ALL
    SELECT 'pg_constraint'::regclass, k.oid, 0
    FROM pg_constraint k
    WHERE k.conrelid = c.oid AND k.contype IN ('c', 'f', 'p', 'u', 'x')
      AND k.conname <> ALL (c.indexes) AND k.conname <> ALL (c.checks)
    UNION ALL
    SELECT 'pg_class'::regclass, i.indexrelid, 0
    FROM owned_index i
    WHERE i.base = c.oid AND i.relname <> ALL (c.indexes)
      AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.conrelid = c.oid)
    UNION ALL
    SELECT 'pg_statistic_ext'::regclass, s.oid, 0
    FROM pg_statistic_ext s
    WHERE s.stxrelid = c.oid) x (classid, objid, objsubid)
  UNION ALL
  SELECT 'warning', pg_describe_object('pg_class'::regclass, c.oid, a.attnum),
         'a dump does not have it', 'keep a script that makes it anew after a restore'
  FROM relation c JOIN made_view v ON v.relation = c.relname JOIN pg_attribute a ON a.attrelid = c.oid
  WHERE a.attnum > 0 AND a.attname <> ALL (v.columns)
  UNION ALL
  SELECT 'warning', pg_describe_object('pg_class'::regclass, c.oid, 0),
         format('%s is set, and a dump does not have it', x.setting),
         'keep a script that sets it anew after a restore'
  FROM relation c, LATERAL (
    SELECT unnest(c.reloptions)
    UNION ALL
    SELECT 'toast.' || unnest(t.reloptions) FROM pg_class t WHERE t.oid = c.reltoastrelid
    UNION ALL
    SELECT 'replica identity' WHERE c.relkind = 'r' AND c.relreplident <> 'd'
    UNION ALL
    SELECT 'a tablespace' WHERE c.reltablespace <> 0
    UNION ALL
    SELECT format('%s of index %I', x.setting, i.relname)
    FROM owned_index i, LATERAL (SELECT unnest(i.reloptions) UNION ALL SELECT 'a tablespace' WHERE i.reltablespace <> 0) x (setting)
    WHERE i.base = c.oid AND i.relname = ANY (i.indexes)
    UNION ALL
    SELECT format('%s of column %I', x.setting, a.attname)
    FROM pg_attribute a, LATERAL (SELECT unnest(a.attoptions)) x (setting)
    WHERE a.attrelid = c.oid AND NOT a.attisdropped
      AND x.setting LIKE 'n\_distinct%'   -- servers set options of their own
    UNION ALL
    SELECT format('%s of column %I', x.setting, a.attname)
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum,
      LATERAL (
        SELECT 'another storage' WHERE a.attstorage <> t.typstorage
        UNION ALL
        SELECT 'a compression' WHERE a.attcompression <> ''
        UNION ALL
        SELECT 'a default' WHERE d.oid IS NOT NULL AND a.attgenerated = ''
          AND (c.relname, a.attname) NOT IN (
            ('account', 'status'), ('account', 'added_at'), ('account', 'added_by'), ('account', 'position'),
            ('account_log', 'used'), ('pool_start', 'next_xid'),
            ('provider_state', 'restored'), ('provider_state', 'since'), ('provider_state', 'set_by'),
            ('registry', 'since'), ('registry', 'set_by'))) x (setting)
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'v')
    UNION ALL
    SELECT format('CLUSTER ON %I', k.relname)
    FROM pg_index i JOIN pg_class k ON k.oid = i.indexrelid
    WHERE i.indrelid = c.oid AND i.indisclustered
    UNION ALL
    SELECT format('INHERIT %s', h.inhparent::regclass) FROM pg_inherits h WHERE h.inhrelid = c.oid) x (setting)
  WHERE x.setting <> 'security_barrier=true'
    AND (c.relname, x.setting) <> ('tally', 'fillfactor=50')
  UNION ALL
  SELECT 'warning', pg_describe_object('pg_proc'::regclass, p.oid, 0),
         format('%s is set, and a dump does not have it', x.setting),
         'keep a script that sets it anew after a restore'
  FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid,
    unnest(p.proconfig) x (setting)
  WHERE p.proname NOT IN ('count_anew', 'recounted', 'find_alerts', 'verify', 'lint')
  UNION ALL
  SELECT 'error', pg_describe_object('pg_proc'::regclass, p.oid, 0),
         'it runs as its owner, so that whoever calls it acts for all', format('ALTER FUNCTION %s SECURITY INVOKER', p.oid::regprocedure)
  FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
  WHERE p.prosecdef
  UNION ALL
  SELECT 'warning', pg_describe_object('pg_publication_rel'::regclass, p.oid, 0),
         'a dump does not have it', 'publish TABLES IN SCHEMA awspool instead'
  FROM pg_publication_rel p JOIN relation c ON p.prrelid = c.oid
  UNION ALL
  SELECT CASE WHEN x.name IS NULL THEN 'error' ELSE 'warning' END, 'extension awspool',
         format('a dump takes privileges from role %s, %s', coalesce(quote_ident(x.name), format('"%s"', x.role)),
                CASE WHEN x.name IS NULL THEN 'which is gone: no restore goes through'
                     ELSE 'without which no restore goes through' END),
         format('mend pg_init_privs, see Backup in the reference; or CREATE ROLE %s before a restore',
                coalesce(quote_ident(x.name), format('"%s"', x.role)))
  FROM (SELECT DISTINCT r.role, pg_roles.rolname
        FROM object o JOIN pg_init_privs i
          ON i.classoid = o.classid AND i.objoid = o.objid AND i.objsubid = o.objsubid
          CROSS JOIN aclexplode(i.initprivs) a
          CROSS JOIN LATERAL (VALUES (a.grantee), (a.grantor)) r (role)
          LEFT JOIN pg_roles ON pg_roles.oid = r.role
        WHERE r.role NOT IN (0, o.owner)) x (role, name)
  UNION ALL
  SELECT 'warning', 'table awspool.account',
         format('it belongs to %s, and a restored one to who restores it', w.oid::regrole),
         'give it back after a restore, see Backup in the reference'
  FROM owner w JOIN pg_roles r ON r.oid = w.oid
  WHERE NOT r.rolsuper
  UNION ALL
  -- Somebody else's triggers and rules: they run with others' rights.
  SELECT 'warning', pg_describe_object('pg_trigger'::regclass, t.oid, 0),
         'it is not the extension''s, and a dump does not have it',
         'see that it is meant, and what its function does'
  FROM pg_trigger t JOIN relation c ON t.tgrelid = c.oid
  WHERE NOT t.tgisinternal
    AND NOT EXISTS (SELECT FROM member m
                    WHERE m.classid = 'pg_proc'::regclass AND m.objid = t.tgfoid)
  UNION ALL
  SELECT 'warning', pg_describe_object('pg_rewrite'::regclass, r.oid, 0),
         'it is not the extension''s', format('DROP RULE %I ON %s', r.rulename, r.ev_class::regclass)
  FROM pg_rewrite r JOIN relation c ON r.ev_class = c.oid
  WHERE r.rulename <> '_RETURN'
  UNION ALL
  SELECT 'warning', pg_describe_object(d.classid, d.objid, 0),
         'it is in schema awspool, but not the extension''s', 'DROP it, or move it'
  FROM pg_depend d
  WHERE d.refclassid = 'pg_namespace'::regclass
    AND d.refobjid = 'awspool'::regnamespace
    AND d.classid NOT IN ('pg_extension'::regclass, 'pg_publication_namespace'::regclass)
    AND NOT EXISTS (SELECT FROM member m
                    WHERE m.classid = d.classid AND m.objid = d.objid)
  UNION ALL
  SELECT 'warning', format('role %I', g.role),
         format(CASE WHEN g.acts THEN 'it was dropped or renamed, and is still granted provider "%s"'
                     ELSE 'it was dropped or renamed, and is still a viewer of provider "%s"' END, g.provider),
         format(CASE WHEN g.acts THEN 'SELECT awspool.revoke_provider(%L, %L)'
                     ELSE 'SELECT awspool.revoke_viewer(%L, %L)' END, g.provider, g.role)
  FROM given g
  WHERE g.oid IS NULL
  UNION ALL
  SELECT 'warning', format('provider "%s"', p.provider), 'no role may act for it',
         format('SELECT awspool.grant_provider(%L, ...)', p.provider)
  FROM (SELECT provider FROM ONLY awspool.account
        UNION SELECT provider FROM given) p
  WHERE p.provider <> '*'
    AND NOT EXISTS (SELECT FROM given g
                    WHERE g.acts AND g.provider IN (p.provider, '*') AND g.oid IS NOT NULL)
  UNION ALL
  -- Providers that have moved to another server, or are on their way.
  SELECT 'warning', format('provider "%s"', s.provider),
         format('it is away, and role %I is still granted it', g.role),
         format(CASE WHEN g.acts THEN 'SELECT awspool.revoke_provider(%L, %L)'
                     ELSE 'SELECT awspool.revoke_viewer(%L, %L)' END, g.provider, g.role)
  FROM ONLY awspool.provider_state s JOIN given g ON g.provider = s.provider
  WHERE s.state = 'away' AND g.oid IS NOT NULL
  UNION ALL
  SELECT 'error', format('provider "%s"', s.provider),
         'it is away, and has accounts or a log here',
         format('find out which server is right; to erase what is here: awspool.thaw_provider(%1$L), freeze_provider(%1$L), forget_provider(%1$L)', s.provider)
  FROM ONLY awspool.provider_state s
  WHERE s.state = 'away'
    AND (EXISTS (SELECT FROM ONLY awspool.account a WHERE a.provider = s.provider)
         OR EXISTS (SELECT FROM ONLY awspool.account_log l WHERE l.provider = s.provider))
  UNION ALL
  SELECT 'warning', format('provider "%s"', s.provider),
         'a backup brought it frozen',
         format('SELECT awspool.thaw_provider(%1$L), or awspool.freeze_provider(%1$L) if it has moved', s.provider)
  FROM ONLY awspool.provider_state s
  WHERE s.state = 'frozen' AND s.restored
  UNION ALL
  -- Who is asked for ids that are taken on other servers.
  SELECT x.severity, format('function %I.%I', n.schema_name, n.function_name), x.problem, x.action
  FROM ONLY awspool.registry n CROSS JOIN owner w
    LEFT JOIN (pg_namespace s JOIN pg_proc p ON p.pronamespace = s.oid
                 AND p.proargtypes = concat_ws(' ', 'text'::regtype::oid, 'text[]'::regtype::oid)::oidvector)
      ON s.nspname = n.schema_name AND p.proname = n.function_name,
    LATERAL (
      SELECT 'error', 'it is to tell which ids are taken on other servers, and is missing: no account can be added',
             'make it again, or SELECT awspool.use_registry(...)'
      WHERE p.oid IS NULL
      UNION ALL
      SELECT 'error', 'it is to tell which ids are taken on other servers, and does not return SETOF text: no account can be added',
             'make it again, or SELECT awspool.use_registry(...)'
      WHERE p.oid IS NOT NULL AND (p.prokind, p.proretset, p.prorettype) <> ('f', true, 'text'::regtype)
      UNION ALL
      SELECT 'error', format('it is to tell which ids are taken on other servers, and belongs to %s: no account can be added', p.proowner::regrole),
             format('see what it does; ALTER FUNCTION %s OWNER TO %s', p.oid::regprocedure, w.oid::regrole)
      WHERE NOT pg_has_role(p.proowner, w.oid, 'USAGE')
      UNION ALL
      SELECT 'error', format('it is to tell which ids are taken on other servers, and %s may not call it: no account can be added', w.oid::regrole),
             format('GRANT EXECUTE ON FUNCTION %s TO %s, and USAGE on its schema', p.oid::regprocedure, w.oid::regrole)
      WHERE NOT (has_function_privilege(w.oid, p.oid, 'EXECUTE') AND has_schema_privilege(w.oid, s.oid, 'USAGE'))
      UNION ALL
      SELECT DISTINCT 'warning', format('%s may call it, and so reserve ids for any provider', g.name),
             format('REVOKE EXECUTE ON FUNCTION %s FROM %s', p.oid::regprocedure, g.name)
      FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a,
        LATERAL (SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END) g (name)
      WHERE a.privilege_type = 'EXECUTE' AND a.grantee NOT IN (p.proowner, w.oid)) x (severity, problem, action)
  UNION ALL
  -- Who is no member may become one.
  SELECT DISTINCT 'warning', format('role %I', r.rolname),
         format(CASE WHEN g.acts THEN 'it may grant itself role %I, and so provider "%s"'
                     ELSE 'it may grant itself role %I, and so look at provider "%s"' END, g.role, g.provider),
         format('REVOKE ADMIN OPTION FOR %s FROM %I', m.roleid::regrole, r.rolname)
  FROM given g JOIN pg_auth_members m
    ON m.admin_option AND pg_has_role(m.roleid, g.oid, 'MEMBER')
    JOIN pg_roles r ON r.oid = m.member
  WHERE NOT r.rolsuper AND NOT pg_has_role(r.oid, g.oid, 'USAGE')
  UNION ALL
  SELECT 'warning', format('role %I', r.rolname),
         'with CREATEROLE it may grant itself any provider''s role',
         format('ALTER ROLE %I NOCREATEROLE', r.rolname)
  FROM pg_roles r
  WHERE r.rolcreaterole AND NOT r.rolsuper
    AND current_setting('server_version_num')::int < 160000
    AND EXISTS (SELECT FROM given WHERE oid IS NOT NULL)
  UNION ALL
  -- A provider's role that sees through walls.
  SELECT DISTINCT 'warning', format('role %I', r.rolname),
         format(CASE WHEN g.acts THEN 'it acts for provider "%s" and has %s'
                     ELSE 'it may look at provider "%s" and has %s' END, g.provider, p.power),
         'take one of the two from it'
  FROM given g
    JOIN pg_roles r ON pg_has_role(r.oid, g.oid, 'USAGE')
    JOIN LATERAL (
      SELECT 'BYPASSRLS' WHERE r.rolbypassrls
      UNION ALL
      SELECT 'the privileges of ' || w.rolname FROM pg_roles w
      WHERE w.rolname IN ('pg_read_all_data', 'pg_write_all_data', 'pg_read_all_stats',
                          'pg_read_server_files', 'pg_write_server_files',
                          'pg_execute_server_program', 'pg_maintain')
        AND pg_has_role(r.oid, w.oid, 'USAGE')
        -- What it tells of others, who looks at all may know.
        AND (w.rolname <> 'pg_read_all_stats' OR NOT EXISTS (
               SELECT FROM given a
               WHERE a.provider = '*' AND pg_has_role(r.oid, a.oid, 'USAGE')))) p (power) ON true
  WHERE (g.provider <> '*' OR NOT g.acts) AND NOT r.rolsuper
    AND NOT pg_has_role(r.oid, (SELECT oid FROM owner), 'USAGE')
  UNION ALL
  -- Claims are durable all the same, but COMMIT PREPARED is not the extension's.
  SELECT 'warning',
         concat_ws(' in ', CASE s.setrole WHEN 0 THEN 'all roles' ELSE 'role ' || s.setrole::regrole END,
                   'database ' || d.datname),
         format('%s is set', c.setting), 'RESET synchronous_commit there'
  FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase,
    unnest(s.setconfig) c (setting)
  WHERE c.setting IN ('synchronous_commit=off', 'synchronous_commit=local')
    AND coalesce(d.datname = current_database(), true)
  UNION ALL
  SELECT 'error', 'server', format('%s is off: a crash can lose what was acknowledged', s.name),
         format('ALTER SYSTEM SET %s = on', s.name)
  FROM pg_settings s
  WHERE s.name IN ('fsync', 'full_page_writes') AND s.setting = 'off'
  UNION ALL
  -- Who may not see what walsenders do sees that they are there.
  SELECT 'warning', 'server', 'it has standbys and waits for none: after a failover, what was sold can be ready again',
         'set synchronous_standby_names, or synchronous_mode of Patroni; see Standbys in the reference'
  WHERE current_setting('synchronous_standby_names') = ''
    AND EXISTS (SELECT FROM pg_stat_replication s
                WHERE coalesce(s.state, 'streaming') = 'streaming'
                  AND coalesce(s.application_name, '') NOT IN ('pg_receivewal', 'pg_basebackup')
                  AND NOT EXISTS (SELECT FROM pg_replication_slots l
                                  WHERE l.active_pid = s.pid AND l.slot_type = 'logical'))
  ORDER BY 1, 2, 3
$$;

COMMENT ON FUNCTION awspool.lint() IS
  'Owner only: a row for each thing that weakens the walls between providers or the durability of claims, or that no backup holds, with severity error or warning, and what to do; none when all is well.';

-- What was counted of each pool: its state is the sum of its rows.
CREATE TABLE awspool.tally (
  hour                timestamptz NOT NULL,
  part                bigint NOT NULL,
  added               bigint NOT NULL,
  now_ready           bigint NOT NULL,
  claimed             bigint NOT NULL,
  now_in_progress     bigint NOT NULL,
  now_allocated       bigint NOT NULL,
  allocated           bigint NOT NULL,
  now_failed          bigint NOT NULL,
  provisioning_failed bigint NOT NULL,
  now_invalid         bigint NOT NULL,
  invalid             bigint NOT NULL,
  deleted             bigint NOT NULL,
  provider            text COLLATE "C" NOT NULL,
  marketplace         text COLLATE "C" NOT NULL,
  recent_hour         timestamptz,
  recent_claims       integer[],
  CONSTRAINT tally_pkey PRIMARY KEY (provider, marketplace, hour, part)
) USING heap WITH (fillfactor = 50);

COMMENT ON TABLE awspool.tally IS
  'What was counted of each pool, as partial sums: the state of a pool is the sum of its rows, but for those of part 1. Written by the transactions that change accounts; not dumped, but counted again by a restore. For the owner only: use views awspool.pool_status and awspool.pool_activity.';
COMMENT ON COLUMN awspool.tally.hour IS
  'When something happened: the beginning of the hour, of UTC; -infinity in part 0.';
COMMENT ON COLUMN awspool.tally.part IS
  '0: all of the hours that are over; 1: what happened in an hour that is over, again; else a part of what is neither in 0 nor in 1 yet.';
COMMENT ON COLUMN awspool.tally.recent_hour IS
  'In part 0: the latest hour of recent_claims.';
COMMENT ON COLUMN awspool.tally.recent_claims IS
  'In part 0: the claims of each of the last hours, the latest first.';

-- What is not in the rows of the hours: where pool_status looks.
CREATE INDEX tally_open
  ON awspool.tally (provider, marketplace, hour, part)
  WHERE part OPERATOR(pg_catalog.<>) 1;

COMMENT ON INDEX awspool.tally_open IS
  'The rows that add up to the state of each pool: where view pool_status looks.';

ALTER TABLE awspool.tally
  ALTER hour SET STATISTICS 0, ALTER part SET STATISTICS 0,
  ALTER added SET STATISTICS 0, ALTER now_ready SET STATISTICS 0,
  ALTER claimed SET STATISTICS 0, ALTER now_in_progress SET STATISTICS 0,
  ALTER now_allocated SET STATISTICS 0, ALTER allocated SET STATISTICS 0,
  ALTER now_failed SET STATISTICS 0,
  ALTER provisioning_failed SET STATISTICS 0,
  ALTER now_invalid SET STATISTICS 0, ALTER invalid SET STATISTICS 0,
  ALTER deleted SET STATISTICS 0, ALTER provider SET STATISTICS 0,
  ALTER marketplace SET STATISTICS 0, ALTER recent_hour SET STATISTICS 0,
  ALTER recent_claims SET STATISTICS 0;
ALTER TABLE awspool.tally ENABLE ROW LEVEL SECURITY;

-- Counts what is done to accounts by SQL.
CREATE FUNCTION awspool.tally_account() RETURNS trigger
AS 'MODULE_PATHNAME', 'awspool_tally_account' LANGUAGE C;

COMMENT ON FUNCTION awspool.tally_account() IS
  'Trigger: counts what is done to accounts by SQL.';

CREATE TRIGGER account_tally
  AFTER INSERT OR UPDATE OR DELETE ON awspool.account
  FOR EACH ROW EXECUTE FUNCTION awspool.tally_account();

ALTER TABLE awspool.account ENABLE ALWAYS TRIGGER account_tally;

COMMENT ON TRIGGER account_tally ON awspool.account IS
  'Counts what is done to accounts by SQL.';

-- Counts what the log tells of accounts that are gone.
CREATE FUNCTION awspool.tally_account_log() RETURNS trigger
AS 'MODULE_PATHNAME', 'awspool_tally_account_log' LANGUAGE C;

COMMENT ON FUNCTION awspool.tally_account_log() IS
  'Trigger: counts what the log tells of accounts that are gone.';

CREATE TRIGGER account_log_tally
  AFTER INSERT OR UPDATE OR DELETE ON awspool.account_log
  FOR EACH ROW EXECUTE FUNCTION awspool.tally_account_log();

ALTER TABLE awspool.account_log ENABLE ALWAYS TRIGGER account_log_tally;

COMMENT ON TRIGGER account_log_tally ON awspool.account_log IS
  'Counts what the log tells of accounts that are gone.';

-- Makes the counts anew once accounts or log are truncated.
CREATE FUNCTION awspool.recount_truncated() RETURNS trigger
AS 'MODULE_PATHNAME', 'awspool_recount_truncated' LANGUAGE C;

COMMENT ON FUNCTION awspool.recount_truncated() IS
  'Trigger: makes the counts anew once accounts or log are truncated.';

CREATE TRIGGER account_recount
  AFTER TRUNCATE ON awspool.account
  FOR EACH STATEMENT EXECUTE FUNCTION awspool.recount_truncated();

ALTER TABLE awspool.account ENABLE ALWAYS TRIGGER account_recount;

COMMENT ON TRIGGER account_recount ON awspool.account IS
  'Makes the counts anew once accounts or log are truncated.';

CREATE TRIGGER account_log_recount
  AFTER TRUNCATE ON awspool.account_log
  FOR EACH STATEMENT EXECUTE FUNCTION awspool.recount_truncated();

ALTER TABLE awspool.account_log ENABLE ALWAYS TRIGGER account_log_recount;

COMMENT ON TRIGGER account_log_recount ON awspool.account_log IS
  'Makes the counts anew once accounts or log are truncated.';

-- Passes by the counts of a publisher: what it sends is counted here.
CREATE FUNCTION awspool.keep_tally() RETURNS trigger
AS 'MODULE_PATHNAME', 'awspool_keep_tally' LANGUAGE C;

COMMENT ON FUNCTION awspool.keep_tally() IS
  'Trigger: passes by the counts of a publisher, since what it sends is counted where it arrives.';

CREATE TRIGGER tally_keep
  BEFORE INSERT OR UPDATE OR DELETE ON awspool.tally
  FOR EACH ROW EXECUTE FUNCTION awspool.keep_tally();

ALTER TABLE awspool.tally ENABLE REPLICA TRIGGER tally_keep;

COMMENT ON TRIGGER tally_keep ON awspool.tally IS
  'Passes by the counts of a publisher, since what it sends is counted where it arrives.';

--
-- The counts: made anew, and compared with what they should be.
--

-- What the counts have to be: what accounts and log contribute, by hour.
CREATE FUNCTION awspool.count_anew()
RETURNS TABLE (provider text, marketplace text, hour timestamptz,
  added bigint, now_ready bigint, claimed bigint, now_in_progress bigint,
  now_allocated bigint, allocated bigint, now_failed bigint,
  provisioning_failed bigint, now_invalid bigint, invalid bigint,
  deleted bigint)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT e.provider, e.marketplace, date_trunc('hour', e.at, 'UTC'),
         count(*) FILTER (WHERE e.event = 'added'),
         count(*) FILTER (WHERE e.event = 'now ready'),
         count(*) FILTER (WHERE e.event = 'claimed'),
         count(*) FILTER (WHERE e.event = 'now provisioning_in_progress'),
         count(*) FILTER (WHERE e.event = 'now allocated'),
         count(*) FILTER (WHERE e.event = 'allocated'),
         count(*) FILTER (WHERE e.event = 'now provisioning_failed'),
         count(*) FILTER (WHERE e.event = 'provisioning_failed'),
         count(*) FILTER (WHERE e.event = 'now invalid'),
         count(*) FILTER (WHERE e.event = 'invalid'),
         count(*) FILTER (WHERE e.event = 'deleted')
  FROM (
    SELECT a.provider, a.marketplace, x.at, x.event
    FROM ONLY awspool.account a, LATERAL (VALUES
      (a.added_at, 'added'), (a.claimed_at, 'claimed'), (a.closed_at, a.status),
      (a.added_at, 'now ' || a.status)) x (at, event)
    WHERE x.at IS NOT NULL
    UNION ALL
    -- An account that an edit moved was added to the pool that it left, too.
    SELECT l.provider, l.marketplace,
           CASE l.event WHEN 'edited' THEN l.added_at ELSE l.at END,
           CASE l.event WHEN 'edited' THEN 'added' WHEN 'failed' THEN 'provisioning_failed'
                        WHEN 'invalidated' THEN 'invalid' ELSE l.event END
    FROM ONLY awspool.account_log l
    WHERE l.marketplace IS NOT NULL
      AND (l.event <> 'edited' OR l.added_at IS NOT NULL)) e
  GROUP BY 1, 2, 3
$$;

COMMENT ON FUNCTION awspool.count_anew() IS
  'What the counts of each pool and hour have to be, counted from accounts and log; for recount() and verify().';

-- The pools whose counts are not what they have to be.
CREATE FUNCTION awspool.recounted()
RETURNS TABLE (provider text, marketplace text, problem text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  WITH anew AS MATERIALIZED (
    SELECT * FROM awspool.count_anew()
  ), pool AS (
    SELECT provider, marketplace, sum(now_ready), sum(now_in_progress),
           sum(now_allocated), sum(now_failed), sum(now_invalid), sum(added),
           sum(claimed),
           sum(claimed) FILTER (WHERE hour >= date_trunc('hour', now() - interval '24 hours', 'UTC')),
           sum(claimed) FILTER (WHERE hour >= date_trunc('hour', now() - interval '168 hours', 'UTC'))
    FROM anew GROUP BY 1, 2
  ), hour AS (
    SELECT provider, marketplace, hour, added, claimed, allocated,
           provisioning_failed, invalid, deleted
    FROM anew
    WHERE (added, claimed, allocated, provisioning_failed, invalid, deleted)
          <> (0, 0, 0, 0, 0, 0)
  )
  SELECT provider, marketplace,
         string_agg(format('%s is %s and should be %s', x.what, coalesce(x.counted, 0), coalesce(x.anew, 0)), ', ' ORDER BY x.n)
  FROM (
    SELECT provider, marketplace, d.*
    FROM awspool.read_pools() c
      FULL JOIN pool p (provider, marketplace, ready, in_progress, allocated,
        failed, invalid, added, claimed, claims_24h, claims_7d)
      USING (provider, marketplace), LATERAL (VALUES
        (1, 'ready', c.ready, p.ready),
        (2, 'provisioning_in_progress', c.provisioning_in_progress, p.in_progress),
        (3, 'allocated', c.allocated, p.allocated),
        (4, 'provisioning_failed', c.provisioning_failed, p.failed),
        (5, 'invalid', c.invalid, p.invalid),
        (6, 'added_ever', c.added_ever, p.added),
        (7, 'claimed_ever', c.claimed_ever, p.claimed),
        (8, 'claims_24h', c.claims_24h, p.claims_24h),
        (9, 'claims_7d', c.claims_7d, p.claims_7d)) d (n, what, counted, anew)
    UNION ALL
    SELECT provider, marketplace, 10, 'number of hours with other counts', count(*), 0
    FROM (SELECT * FROM awspool.read_activity() EXCEPT SELECT * FROM hour
          UNION ALL
          (SELECT * FROM hour EXCEPT SELECT * FROM awspool.read_activity())) h
    GROUP BY 1, 2) x (provider, marketplace, n, what, counted, anew)
  WHERE coalesce(x.counted, 0) <> coalesce(x.anew, 0)
  GROUP BY 1, 2
$$;

COMMENT ON FUNCTION awspool.recounted() IS
  'Owner only: a row for each pool whose counts are not what accounts and log say, and how they differ; none when all is well. Takes as long as reading every account.';

-- Makes the counts anew.
CREATE FUNCTION awspool.recount() RETURNS void
AS 'MODULE_PATHNAME', 'awspool_recount' LANGUAGE C;

COMMENT ON FUNCTION awspool.recount() IS
  'Owner only: makes the counts of all pools anew from accounts and log, as after a restore with --disable-triggers. Waits for whoever is changing accounts, and keeps them waiting. 25006: read-only.';

-- Lets a database role look at a provider, and change nothing.
CREATE FUNCTION awspool.grant_viewer(provider text, role_name text)
RETURNS void
AS 'MODULE_PATHNAME', 'awspool_grant_viewer' LANGUAGE C;

COMMENT ON FUNCTION awspool.grant_viewer(text, text) IS
  'Owner only: lets a database role, and who has its privileges, look at a provider and change nothing; "*" means every provider. 42704: no such role; 22023: a malformed provider; 42501: not the owner.';

-- Takes back what grant_viewer gave.
CREATE FUNCTION awspool.revoke_viewer(provider text, role_name text)
RETURNS void
AS 'MODULE_PATHNAME', 'awspool_revoke_viewer' LANGUAGE C;

COMMENT ON FUNCTION awspool.revoke_viewer(text, text) IS
  'Owner only: takes back what grant_viewer gave, at once, also from a role that was dropped or renamed since; what grant_provider gave stays. Nothing to take back is no error. 42501: not the owner.';

-- What a provider wants of a pool, and since when it is paused.
CREATE TABLE awspool.pool_setting (
  provider     text COLLATE "C" NOT NULL,
  marketplace  text COLLATE "C" NOT NULL,
  low_water    bigint,
  min_days     numeric,
  deadline     interval,
  paused_at    timestamptz,
  paused_by    text COLLATE "C",
  pause_reason text,
  CONSTRAINT pool_setting_pkey PRIMARY KEY (provider, marketplace),
  CONSTRAINT pool_setting_is_well_formed CHECK (
    awspool.is_well_formed(provider, '000000000000',
      CASE WHEN marketplace OPERATOR(pg_catalog.=) '*' THEN 'MP-0000'
           ELSE marketplace END, 'SPAM', NULL)),
  CONSTRAINT pool_setting_makes_sense CHECK (
    low_water OPERATOR(pg_catalog.>=) 0
    AND min_days OPERATOR(pg_catalog.>=) 0
    AND min_days OPERATOR(pg_catalog.<) 'Infinity'
    AND deadline OPERATOR(pg_catalog.>) '0'
    AND (paused_at IS NOT NULL
         OR pg_catalog.num_nonnulls(paused_by,
              pause_reason) OPERATOR(pg_catalog.=) 0)
    AND (marketplace OPERATOR(pg_catalog.<>) '*'
         OR pg_catalog.num_nonnulls(low_water, min_days,
              deadline) OPERATOR(pg_catalog.=) 0))
) USING heap;

COMMENT ON TABLE awspool.pool_setting IS
  'What a provider wants of a pool, and since when it is paused; the marketplace "*" stands for the pools of the provider that have no row of their own. Changed by awspool.configure_pool, pause_pool and resume_pool.';

-- Of the settings of the providers whose names have a certain hash.
INSERT INTO awspool.arrival_count
  SELECT i OPERATOR(pg_catalog.*) 1099511627776
  FROM pg_catalog.generate_series(201::bigint, 220) i;

ALTER TABLE awspool.pool_setting
  ALTER provider SET STATISTICS 0, ALTER marketplace SET STATISTICS 0,
  ALTER low_water SET STATISTICS 0, ALTER min_days SET STATISTICS 0,
  ALTER deadline SET STATISTICS 0, ALTER paused_at SET STATISTICS 0,
  ALTER paused_by SET STATISTICS 0, ALTER pause_reason SET STATISTICS 0;

ALTER TABLE awspool.pool_setting ENABLE ROW LEVEL SECURITY;

-- Has every session look at the settings of the provider again.
CREATE FUNCTION awspool.count_setting_change() RETURNS trigger
AS 'MODULE_PATHNAME', 'awspool_count_setting_change' LANGUAGE C;

COMMENT ON FUNCTION awspool.count_setting_change() IS
  'Trigger: has every session look at the settings of the provider again.';

CREATE TRIGGER pool_setting_count_change
  AFTER INSERT OR UPDATE OR DELETE ON awspool.pool_setting
  FOR EACH ROW EXECUTE FUNCTION awspool.count_setting_change();

ALTER TABLE awspool.pool_setting
  ENABLE ALWAYS TRIGGER pool_setting_count_change;

COMMENT ON TRIGGER pool_setting_count_change ON awspool.pool_setting IS
  'Has every session look at the settings of the provider again.';

-- What is wanted of each pool, and which are paused.
CREATE VIEW awspool.pool_settings WITH (security_barrier) AS
  SELECT provider, marketplace, low_water, min_days, deadline, paused_at,
         paused_by, pause_reason
  FROM awspool.visible_settings();

COMMENT ON VIEW awspool.pool_settings IS
  'The settings of the pools of the caller''s providers. Change them by awspool.configure_pool, pause_pool and resume_pool.';
COMMENT ON COLUMN awspool.pool_settings.provider IS 'Whose pool it is.';
COMMENT ON COLUMN awspool.pool_settings.marketplace IS
  'The marketplace it is for; "*": the provider paused all its pools, and this is what those without a row of their own share.';
COMMENT ON COLUMN awspool.pool_settings.low_water IS
  'An alert is wanted when fewer accounts are ready; NULL if none is.';
COMMENT ON COLUMN awspool.pool_settings.min_days IS
  'An alert is wanted when the ready accounts last for fewer days; NULL if none is.';
COMMENT ON COLUMN awspool.pool_settings.deadline IS
  'How long an account may be in progress before it is overdue; NULL if for ever.';
COMMENT ON COLUMN awspool.pool_settings.paused_at IS
  'Since when the pool gives no accounts; NULL if it is open.';
COMMENT ON COLUMN awspool.pool_settings.paused_by IS 'The role that paused it.';
COMMENT ON COLUMN awspool.pool_settings.pause_reason IS
  'Why it is paused, if somebody said.';

-- The accounts of a provider that are in progress beyond the deadline.
CREATE FUNCTION awspool.overdue_accounts(provider text)
RETURNS TABLE (marketplace text, account_id text, order_id text,
  claimed_at timestamptz, deadline interval)
AS 'MODULE_PATHNAME', 'awspool_overdue_accounts' LANGUAGE C STABLE ROWS 10;

COMMENT ON FUNCTION awspool.overdue_accounts(text) IS
  'The accounts of a provider that are in progress beyond the deadline of their pool, as view awspool.alerts shows them.';

-- The ready accounts of a provider that an old or prepared transaction holds.
CREATE FUNCTION awspool.blocked_accounts(provider text)
RETURNS TABLE (marketplace text, account_id text, is_prepared boolean,
  pid int, transaction_name text, since timestamptz)
AS 'MODULE_PATHNAME', 'awspool_blocked_accounts' LANGUAGE C STABLE ROWS 10;

COMMENT ON FUNCTION awspool.blocked_accounts(text) IS
  'The oldest ready accounts of each pool of a provider that an old or a prepared transaction holds, as view awspool.alerts shows them.';

-- What needs a person now.
CREATE FUNCTION awspool.find_alerts()
RETURNS TABLE (severity text, alert text, provider text, marketplace text,
  account_id text, order_id text, since timestamptz, detail text, action text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  SET jit = off   -- it expects a thousand alerts; compiling takes far longer
AS $$
  WITH setting AS MATERIALIZED (
    SELECT * FROM awspool.visible_settings()
  ), status AS MATERIALIZED (
    SELECT p.provider, p.marketplace, p.ready, p.provisioning_in_progress, p.claims_7d, p.last_claim_hour
    FROM awspool.read_pools() p
  ), pool AS (        -- one that has a setting need not have an account
    SELECT coalesce(p.provider, s.provider) AS provider, coalesce(p.marketplace, s.marketplace) AS marketplace,
           coalesce(p.ready, 0) AS ready, p.provisioning_in_progress, coalesce(p.claims_7d, 0) AS claims_7d,
           p.ready / nullif(p.claims_7d / 7.0, 0) AS days_left, p.last_claim_hour, s.low_water, s.min_days
    FROM status p FULL JOIN (SELECT * FROM setting WHERE marketplace <> '*') s
      ON p.provider = s.provider AND p.marketplace = s.marketplace
  ), stock AS (
    SELECT p.*, a.severity, a.alert, a.detail
    FROM pool p, LATERAL (
      SELECT 'critical', 'dry',
             concat_ws(', ', 'no ready account', format('%s claims in 7 days', p.claims_7d), 'low-water mark ' || p.low_water)
      WHERE p.ready = 0 AND (p.low_water IS NOT NULL OR p.claims_7d > 0)
      UNION ALL
      SELECT 'warning', 'low', format('%s ready, low-water mark %s', p.ready, p.low_water)
      WHERE p.ready < p.low_water
      UNION ALL
      SELECT 'warning', 'runway',
             format('%s ready last for %s days at %s claims in 7 days, %s days are wanted',
                    p.ready, round(p.days_left, 1), p.claims_7d, p.min_days)
      WHERE p.days_left < p.min_days) a (severity, alert, detail)
  ), newest AS (      -- each provider is read once, and only if it is asked for
    SELECT p.provider, a.marketplace, a.claimed_at
    FROM (SELECT DISTINCT s.provider FROM stock s WHERE s.provisioning_in_progress > 0) p,
      LATERAL (
        SELECT a.marketplace, max(a.claimed_at) AS claimed_at FROM awspool.accounts a
        WHERE a.provider = p.provider AND a.status = 'provisioning_in_progress'
        GROUP BY a.marketplace) a
  )
  SELECT s.severity, s.alert, s.provider, s.marketplace, NULL, NULL, greatest(s.last_claim_hour, n.claimed_at),
         s.detail, format('SELECT * FROM awspool.import_csv(%L, ...)', s.provider)
  FROM stock s LEFT JOIN newest n
    ON n.provider = s.provider AND n.marketplace = s.marketplace
  UNION ALL
  SELECT 'warning', 'overdue', p.provider, o.marketplace, o.account_id, o.order_id, o.claimed_at + o.deadline,
         format('in progress since %s, deadline %s', o.claimed_at, o.deadline),
         format('SELECT * FROM awspool.fail_overdue(%L)', p.provider)
  FROM (SELECT DISTINCT s.provider FROM setting s WHERE s.deadline IS NOT NULL) p,
    LATERAL awspool.overdue_accounts(p.provider) o
  UNION ALL
  SELECT 'warning', 'blocked', p.provider, b.marketplace, b.account_id, NULL, b.since,
         CASE WHEN b.transaction_name IS NOT NULL THEN format('held by prepared transaction %L', b.transaction_name)
              WHEN b.is_prepared THEN 'held by a prepared transaction of another role'
              WHEN b.pid IS NOT NULL THEN format('held by the session with pid %s', b.pid)
              ELSE 'held by a session of another role' END,
         CASE WHEN b.transaction_name IS NOT NULL THEN format('ROLLBACK PREPARED %L, or COMMIT PREPARED', b.transaction_name)
              WHEN b.pid IS NOT NULL THEN format('SELECT pg_terminate_backend(%s)', b.pid)
              ELSE 'ask who runs the server to end it' END
  FROM (SELECT DISTINCT s.provider FROM status s) p,
    LATERAL awspool.blocked_accounts(p.provider) b
  UNION ALL
  SELECT 'warning', 'paused', s.provider, s.marketplace, NULL, NULL, s.paused_at,
         concat_ws(': ', 'by role ' || quote_ident(s.paused_by), s.pause_reason),
         format('SELECT awspool.resume_pool(%L%s)', s.provider,
                CASE WHEN s.marketplace <> '*' THEN format(', %L', s.marketplace) END)
  FROM setting s
  WHERE s.paused_at IS NOT NULL
  ORDER BY 1, 2, 3, 4, 7, 5
$$;

COMMENT ON FUNCTION awspool.find_alerts() IS
  'What of the caller''s providers needs a person now, as view awspool.alerts shows it.';

-- What needs a person now; empty when all is well.
CREATE VIEW awspool.alerts WITH (security_barrier) AS
  SELECT severity, alert, provider, marketplace, account_id, order_id, since,
         detail, action
  FROM awspool.find_alerts();

COMMENT ON VIEW awspool.alerts IS
  'A row for each thing of the caller''s providers that needs a person now; none when all is well.';
COMMENT ON COLUMN awspool.alerts.severity IS 'critical or warning.';
COMMENT ON COLUMN awspool.alerts.alert IS
  'dry: no ready account, although there is a low-water mark or there were claims in the last 7 days. low: below the low-water mark. runway: fewer days left than wanted. overdue: in progress beyond the deadline. blocked: an old or a prepared transaction holds the account. paused: the pool gives no accounts.';
COMMENT ON COLUMN awspool.alerts.provider IS 'Whose pool it is.';
COMMENT ON COLUMN awspool.alerts.marketplace IS
  'The marketplace it is for; "*": all pools of the provider that have no setting of their own.';
COMMENT ON COLUMN awspool.alerts.account_id IS
  'Of overdue and blocked: which account.';
COMMENT ON COLUMN awspool.alerts.order_id IS
  'Of overdue: the order that has the account, if it was claimed for one.';
COMMENT ON COLUMN awspool.alerts.since IS
  'Of dry, low and runway: the last claim from the pool, which is not since when it is so; the time of the latest claim that is in progress, or the beginning of the hour of the last claim within 7 days if that is later, so it goes back to that when the order ends. Of overdue: when the deadline passed. Of blocked: since when the transaction runs, or is prepared. Of paused: since then. NULL if not known.';
COMMENT ON COLUMN awspool.alerts.detail IS 'The particulars.';
COMMENT ON COLUMN awspool.alerts.action IS
  'What to do: the statement to run. Not complete are those of dry, low and runway, which want the accounts, and of an account that a prepared transaction holds, which are two to choose from; words, if that is not told.';

--
-- Pools: what is wanted of them, and whether they are open.
--

-- Sets what is wanted of a pool; what is not given is switched off.
CREATE FUNCTION awspool.configure_pool(provider text, marketplace text,
  low_water bigint DEFAULT NULL, min_days numeric DEFAULT NULL,
  deadline interval DEFAULT NULL)
RETURNS void
AS 'MODULE_PATHNAME', 'awspool_configure_pool' LANGUAGE C;

COMMENT ON FUNCTION awspool.configure_pool(text, text, bigint, numeric, interval) IS
  'Sets what is wanted of a pool: at least so many ready accounts, enough for so many days, and how long one may be in progress. What is not given is switched off. 22023: a value is malformed or negative; WS008: the provider is frozen; 42501: not your provider; 25006: read-only.';

-- Closes a pool, or all of a provider's, for new claims and replacements.
CREATE FUNCTION awspool.pause_pool(provider text,
  marketplace text DEFAULT NULL, reason text DEFAULT NULL)
RETURNS void
AS 'MODULE_PATHNAME', 'awspool_pause_pool' LANGUAGE C;

COMMENT ON FUNCTION awspool.pause_pool(text, text, text) IS
  'Closes a pool or, without marketplace, all of the provider''s and those to come: claims and replacements fail with WS007, but an order that holds an account gets it. Returns when all claims that began before have ended. 22023: a value is malformed; WS008: the provider is frozen; 42501: not your provider; 25006: read-only.';

-- Opens what pause_pool closed.
CREATE FUNCTION awspool.resume_pool(provider text,
  marketplace text DEFAULT NULL)
RETURNS void
AS 'MODULE_PATHNAME', 'awspool_resume_pool' LANGUAGE C;

COMMENT ON FUNCTION awspool.resume_pool(text, text) IS
  'Opens a pool or, without marketplace, all of the provider''s. Nothing to open is no error. 22023: a value is malformed; WS008: the provider is frozen; 42501: not your provider; 25006: read-only.';

-- Ends what is in progress beyond the deadline of its pool.
CREATE FUNCTION awspool.fail_overdue(provider text,
  max_accounts int DEFAULT 100)
RETURNS SETOF awspool.accounts
AS 'MODULE_PATHNAME', 'awspool_fail_overdue' LANGUAGE C;

COMMENT ON FUNCTION awspool.fail_overdue(text, int) IS
  'The accounts that have been in progress beyond their pool''s deadline become provisioning_failed, the longest first, no more than so many, and are returned. Skips those that somebody is changing. 22023: a number below 0; WS008: the provider is frozen; 42501: not your provider; 25006: read-only.';

COMMENT ON FUNCTION awspool.add_account(text, text, text, text) IS
  'Stores a ready account at the end of its pool and returns it. 22023: a value is malformed; 23505: the id is taken; WS005: it was used before; WS008: the provider is frozen; WS009: the registry of ids cannot be asked; 42501: not your provider.';
COMMENT ON FUNCTION awspool.edit_account(text, text, text, text) IS
  'Changes the marketplace (of a ready account) or model of an account and returns it; NULL leaves as is. WS003: no such account; WS004: the marketplace of an account that is not ready; 22023: a value is malformed; WS008: the provider is frozen; 42501: not your provider.';
COMMENT ON FUNCTION awspool.delete_account(text, text) IS
  'Deletes an account and returns it as it was. WS003: no such account; WS004: an order is using it; WS008: the provider is frozen; 42501: not your provider.';
COMMENT ON FUNCTION awspool.delete_accounts(text, text[]) IS
  'Deletes what it can of the given accounts; a row for each id asked for, in that order, with outcome deleted, in_use or not_found. 22023: a NULL; WS008: the provider is frozen; 42501: not your provider.';
COMMENT ON FUNCTION awspool.allocate_account(text, text, text) IS
  'The order completed: its account becomes allocated and is returned. Repeating is harmless. WS001: the account is not in progress; WS002: another order holds it; WS003: no such account; WS008: the provider is frozen; 42501: not your provider.';
COMMENT ON FUNCTION awspool.fail_account(text, text, text, text) IS
  'The order failed: its account becomes provisioning_failed and is returned. Repeating is harmless. WS001: the account is not in progress; WS002: another order holds it; WS003: no such account; WS008: the provider is frozen; 42501: not your provider.';
COMMENT ON FUNCTION awspool.invalidate_account(text, text, text) IS
  'Takes an account that is ready or in progress out for good and returns it, now invalid. Repeating is harmless. WS001: the account is allocated or failed; WS003: no such account; WS008: the provider is frozen; 42501: not your provider.';
COMMENT ON FUNCTION awspool.import_csv(text, text, boolean) IS
  'Stores the accounts of a CSV file in file order; a row for each row of the file, with outcome added, present or rejected. WS006: rows were rejected, so nothing is stored, unless skip_rejected; 22P04: the file cannot be read; WS008: the provider is frozen; WS009: the registry of ids cannot be asked; 42501: not your provider.';
COMMENT ON FUNCTION awspool.check_csv(text, text) IS
  'Tells what import_csv would do with a CSV file; stores nothing, and a bad row is no error. 22P04: the file cannot be read; WS009: the registry of ids cannot be asked; 42501: not your provider.';
COMMENT ON FUNCTION awspool.claim_account(text, text, text) IS
  'Takes the oldest ready account of a pool and returns it, now provisioning_in_progress; no row if there is none. An order that holds an account already gets that one again. WS002: the order holds an account of another marketplace; WS007: the pool is paused; 22023: a value is malformed; WS008: the provider is frozen; 42501: not your provider; 25006: read-only.';
COMMENT ON FUNCTION awspool.replace_account(text, text, text, text) IS
  'In one step: this account failed, and its order gets the next one of the pool, which is returned; no row, and nothing changed, if there is none. Repeating is harmless if the account was claimed with an order. WS001: the account is not in progress; WS002: another order holds it; WS003: no such account; WS007: the pool is paused; WS008: the provider is frozen; 42501: not your provider.';

-- Takes the oldest ready accounts of a pool for several orders.
CREATE FUNCTION awspool.claim_accounts(provider text, marketplace text,
  order_ids text[])
RETURNS SETOF awspool.accounts
AS 'MODULE_PATHNAME', 'awspool_claim_accounts' LANGUAGE C ROWS 100;

COMMENT ON FUNCTION awspool.claim_accounts(text, text, text[]) IS
  'Does for each order, in the order of the array, what claim_account does, all or nothing; a row for each order that holds an account then, none for those for which there was none. A NULL claims without an order. WS002: an order holds an account of another marketplace; WS007: the pool is paused; 22023: a value is malformed; 54000: more than 10,000 orders; WS008: the provider is frozen; 42501: not your provider; 25006: read-only.';

-- Tells what a claim would meet, and changes nothing.
CREATE FUNCTION awspool.explain_claim(provider text, marketplace text)
RETURNS TABLE (rank bigint, account_id text, verdict text, detail text)
AS 'MODULE_PATHNAME', 'awspool_explain_claim' LANGUAGE C ROWS 10;

COMMENT ON FUNCTION awspool.explain_claim(text, text) IS
  'The first ten accounts that a claim would meet, oldest first, and what it would do with each: verdict next or ready, or added, claimed, edited, deleted, invalidated or locked, with who does that; or one row without a rank that says why there is none: verdict frozen, away, paused, none_stored, elsewhere or used_up. Changes nothing. 22023: a value is malformed; 42501: not your provider.';

--
-- Reconciliation: after a restore to an earlier time.
--

-- Marks as used what the orders system's list says was used.
CREATE FUNCTION awspool.reconcile_csv(provider text, csv text)
RETURNS TABLE (line bigint, account_id text, order_id text, outcome text,
  detail text)
AS 'MODULE_PATHNAME', 'awspool_reconcile_csv' LANGUAGE C;

COMMENT ON FUNCTION awspool.reconcile_csv(text, text) IS
  'Brings the pool in line with a CSV list of what orders have used: columns account_id, order_id and, if given, status, marketplace_id, account_model, claimed_at, closed_at, reason; a row for each row of the list, with outcome marked, present, added, unknown, conflict or rejected. Changes what it can, and never makes an account ready. 22P04: the list cannot be read; WS008: the provider is frozen; WS009: the registry of ids cannot be asked; 42501: not your provider; 25006: read-only.';

-- Tells what reconcile_csv would do with a list; changes nothing.
CREATE FUNCTION awspool.check_reconcile_csv(provider text, csv text)
RETURNS TABLE (line bigint, account_id text, order_id text, outcome text,
  detail text)
AS 'MODULE_PATHNAME', 'awspool_check_reconcile_csv' LANGUAGE C;

COMMENT ON FUNCTION awspool.check_reconcile_csv(text, text) IS
  'Tells what reconcile_csv would do with a CSV list; changes nothing. 22P04: the list cannot be read; WS009: the registry of ids cannot be asked; 42501: not your provider.';

-- The ready accounts that are older than one that was claimed.
CREATE FUNCTION awspool.passed_over(provider text)
RETURNS SETOF awspool.accounts
AS 'MODULE_PATHNAME', 'awspool_passed_over' LANGUAGE C STABLE;

COMMENT ON FUNCTION awspool.passed_over(text) IS
  'The ready accounts that a claim of a younger one of the same pool has passed over, oldest first: none while claims alone are at work; after a restore to an earlier time, the ones to be suspicious of. 42501: not your provider.';

--
-- Verify: what the data cannot see to themselves.
--

-- Whether each index of accounts and of their log has what the table has.
CREATE FUNCTION awspool.verify_indexes()
RETURNS TABLE (severity text, object text, problem text, action text)
AS 'MODULE_PATHNAME', 'awspool_verify_indexes' LANGUAGE C STABLE;

COMMENT ON FUNCTION awspool.verify_indexes() IS
  'Part of awspool.verify, for the owner: whether each index of accounts and of their log has an entry for each row that belongs there, and no other.';

-- Whether the notes of where to start looking in a pool hold.
CREATE FUNCTION awspool.verify_pool_starts()
RETURNS TABLE (severity text, object text, problem text, action text)
AS 'MODULE_PATHNAME', 'awspool_verify_pool_starts' LANGUAGE C;

COMMENT ON FUNCTION awspool.verify_pool_starts() IS
  'Part of awspool.verify, for the owner: whether the notes of where to start looking in a pool hold.';

-- What is wrong with the data.  Reads the tables as a whole: what an index lacks
-- must not be lacking here; nor may constraints be taken for granted.
CREATE FUNCTION awspool.verify()
RETURNS TABLE (severity text, object text, problem text, action text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
  SET enable_seqscan = on SET enable_indexscan = off
  SET enable_indexonlyscan = off SET enable_bitmapscan = off
  SET constraint_exclusion = off SET jit = off
AS $$
  WITH stored AS NOT MATERIALIZED (
    SELECT a.*, format('account %s of provider "%s"', a.account_id, a.provider) AS name
    FROM ONLY awspool.account a
  ), sequence (name, drawn) AS (
    SELECT 'account_position', last_value - (NOT is_called)::int FROM awspool.account_position
    UNION ALL
    SELECT 'account_log_log_id_seq', last_value - (NOT is_called)::int FROM awspool.account_log_log_id_seq
  ), used AS (        -- the ids that nobody may add again
    SELECT l.account_id, count(*) AS deletions
    FROM ONLY awspool.account_log l WHERE l.used GROUP BY 1
  ), logged AS NOT MATERIALIZED (
    SELECT l.*, format('log_id %s, account %s of provider "%s"', l.log_id, l.account_id, l.provider) AS name
    FROM ONLY awspool.account_log l
  ), step AS (        -- of lives that have ended, which are in the log as a whole
    SELECT l.*, lag(l.event) OVER w AS before, lead(l.event) OVER w AS after
    FROM logged l
    WHERE l.event IN ('added', 'claimed', 'allocated', 'failed', 'invalidated', 'deleted')
    WINDOW w AS (PARTITION BY l.provider, l.account_id ORDER BY l.log_id)
  )
  -- Rows by themselves, whatever became of the constraints.
  SELECT 'error', a.name, 'a column is null that must not be', 'see what the account is, and mend or delete the row'
  FROM stored a
  WHERE num_nulls(a.provider, a.account_id, a.marketplace, a.model, a.status,
                  a.added_at, a.added_by, a.position) > 0
  UNION ALL
  SELECT 'error', a.name, 'a value does not have its form', 'see what the account is, and mend or delete the row'
  FROM stored a
  WHERE NOT awspool.is_well_formed(a.provider, a.account_id, a.marketplace, a.model, a.order_id)
  UNION ALL
  SELECT 'error', a.name, format('its status is "%s", and other columns do not fit that', a.status),
         'see what the account is, and mend the row; if in doubt, make it invalid'
  FROM stored a
  WHERE NOT CASE a.status
    WHEN 'ready' THEN
      num_nonnulls(a.order_id, a.order_model, a.reason, a.claimed_at, a.claimed_by, a.closed_at, a.closed_by) = 0
    WHEN 'provisioning_in_progress' THEN
      num_nulls(a.order_model, a.claimed_at, a.claimed_by) = 0
      AND num_nonnulls(a.reason, a.closed_at, a.closed_by) = 0
    WHEN 'allocated' THEN
      num_nulls(a.order_model, a.claimed_at, a.claimed_by, a.closed_at, a.closed_by) = 0
      AND num_nonnulls(a.reason) = 0
    WHEN 'provisioning_failed' THEN
      num_nulls(a.order_model, a.claimed_at, a.claimed_by, a.closed_at, a.closed_by) = 0
    WHEN 'invalid' THEN
      num_nulls(a.closed_at, a.closed_by) = 0
      AND (num_nulls(a.order_model, a.claimed_at, a.claimed_by) = 0
           OR num_nonnulls(a.order_id, a.order_model, a.claimed_at, a.claimed_by) = 0)
    ELSE false END
  UNION ALL
  -- Accounts among each other.
  SELECT 'error', format('account %s', a.account_id),
         format('it is stored %s times, by provider "%s"', count(*), string_agg(a.provider, '", "' ORDER BY a.provider)),
         'see who sold it, keep that row, and delete the others'
  FROM stored a
  GROUP BY a.account_id HAVING count(*) > 1
  UNION ALL
  SELECT 'error', format('order "%s" of provider "%s"', a.order_id, a.provider),
         format('it holds %s accounts: %s', count(*), string_agg(a.account_id, ', ' ORDER BY a.account_id)),
         'see which one was delivered; the others are used, make them invalid'
  FROM stored a
  WHERE a.order_id IS NOT NULL AND a.status IN ('provisioning_in_progress', 'allocated')
  GROUP BY a.provider, a.order_id HAVING count(*) > 1
  UNION ALL
  SELECT 'error', format('position %s', a.position),
         format('%s accounts have it: %s', count(*),
                array_to_string((array_agg(a.account_id ORDER BY a.account_id))[1:3], ', ') || CASE WHEN count(*) > 3 THEN ', ...' ELSE '' END),
         'delete all but one while they are ready, and add them again'
  FROM stored a
  GROUP BY a.position HAVING count(*) > 1 AND num_nulls(a.position) = 0
  UNION ALL
  SELECT 'error', a.name, format('it is stored, though its id is used up; it is "%s"', a.status),
         CASE a.status WHEN 'ready' THEN format('SELECT awspool.invalidate_account(%L, %L)', a.provider, a.account_id)
                       ELSE 'it may have been sold twice: see account_history' END
  FROM stored a JOIN used u ON u.account_id = a.account_id
  UNION ALL
  SELECT 'error', format('account %s', u.account_id), format('it was used up and deleted %s times', u.deletions),
         'it may have been sold twice: see account_history'
  FROM used u
  WHERE u.deletions > 1
  UNION ALL
  -- What is drawn next.  A sequence does not follow numbers of the upper half.
  SELECT 'error', 'sequence awspool.' || s.name,
         format('it is behind %s numbers that are in use, up to %s', count(*), max(n.number)),
         format('SELECT setval(%L, %s)', 'awspool.' || s.name, max(n.number))
  FROM sequence s JOIN (
      SELECT 'account_position', a.position FROM stored a
      UNION ALL
      SELECT 'account_log_log_id_seq', l.log_id FROM logged l) n (name, number)
    ON n.name = s.name AND n.number > s.drawn AND n.number <= 4611686018427387903
  GROUP BY s.name
  UNION ALL
  SELECT 'warning', a.name, 'its position is out of all proportion: it stays the youngest of its pool',
         'delete it while it is ready, and add it again'
  FROM stored a
  WHERE a.position > 4611686018427387903
  UNION ALL
  -- The log: what it holds, and whether each life in it is whole.
  SELECT 'error', l.name, 'a column is null that must not be, or a value does not have its form',
         'see account_history, and mend or delete the row'
  FROM logged l
  WHERE num_nulls(l.log_id, l.provider, l.account_id, l.at, l.actor, l.event, l.used) > 0
     OR NOT awspool.is_well_formed(l.provider, l.account_id, NULL, NULL, NULL)
  UNION ALL
  SELECT 'error', format('log_id %s', l.log_id), format('%s rows of the log have it', count(*)),
         'give all but one a new one, drawn from sequence awspool.account_log_log_id_seq'
  FROM logged l
  GROUP BY l.log_id HAVING count(*) > 1 AND num_nulls(l.log_id) = 0
  UNION ALL
  SELECT 'error', l.name, 'it says that the id is used up, but not that the account was deleted',
         'see account_history, and mend the row'
  FROM logged l
  WHERE l.used AND l.event <> 'deleted'
  UNION ALL
  SELECT 'error', l.name, 'a used account was deleted, and its id can be added again',
         format('UPDATE awspool.account_log SET used = true WHERE log_id = %s', l.log_id)
  FROM logged l
  WHERE NOT l.used AND l.event = 'deleted' AND NOT l.detail LIKE 'ready,%'
  UNION ALL
  SELECT 'warning', l.name, 'an account was deleted while it was ready, and its id cannot be added again',
         format('UPDATE awspool.account_log SET used = false WHERE log_id = %s', l.log_id)
  FROM logged l
  WHERE l.used AND l.event = 'deleted' AND l.detail LIKE 'ready,%'
  UNION ALL
  SELECT 'error', s.name, format('"%s" %s', s.event, CASE
           WHEN s.before IS NULL THEN 'is the first that is known of the account'
           ELSE format('comes after "%s"', s.before) END),
         'rows of the log are missing or out of place: restore them from a backup'
  FROM step s
  WHERE NOT CASE s.event
    WHEN 'added' THEN coalesce(s.before, 'deleted') = 'deleted'
    WHEN 'claimed' THEN coalesce(s.before, '') = 'added'
    WHEN 'invalidated' THEN coalesce(s.before, '') IN ('added', 'claimed')
    WHEN 'deleted' THEN coalesce(s.before, '') NOT IN ('', 'claimed', 'deleted')
    ELSE coalesce(s.before, '') = 'claimed' END
  UNION ALL
  SELECT 'error', s.name, 'the deletion that has to follow is missing',
         'rows of the log are missing or out of place: restore them from a backup'
  FROM step s
  WHERE s.after IS NULL AND s.event <> 'deleted'
  UNION ALL
  SELECT 'error', format('account %s of provider "%s"', l.account_id, l.provider),
         'it was edited, and is gone; the log does not tell of a deletion',
         'see in a backup what it was; if it was used, its id must not be added again'
  FROM (SELECT l.provider, l.account_id, max(l.log_id) AS last,
               max(l.log_id) FILTER (WHERE l.event = 'edited') AS edited
        FROM logged l GROUP BY 1, 2) l
  WHERE l.edited = l.last
    AND NOT EXISTS (SELECT FROM stored a WHERE a.provider = l.provider AND a.account_id = l.account_id)
  UNION ALL
  -- The counts of arrivals: all that is read is on the first page.  Rows behind
  -- them, such as a subscription brings with its first copy, harm nobody.
  SELECT 'warning', 'table awspool.arrival_count', 'its rows are not those that the install script made, where it made them',
         'TRUNCATE it and awspool.pool_start, insert the rows as the install script does, and have all sessions connect anew'
  FROM (SELECT c.arrivals, c.ctid < '(1,0)'::tid AS is_read,
               greatest(row_number() OVER (ORDER BY c.ctid) - 2, 0) * 1099511627776 AS base
        FROM ONLY awspool.arrival_count c) c
  HAVING count(*) FILTER (WHERE c.is_read AND c.arrivals - c.base BETWEEN 0 AND 1099511627775) <> 222
  UNION ALL
  SELECT i.severity, i.object, i.problem, i.action FROM awspool.verify_indexes() i
  UNION ALL
  SELECT n.severity, n.object, n.problem, n.action FROM awspool.verify_pool_starts() n
  UNION ALL
  SELECT 'error', format('pool %s of provider "%s"', r.marketplace, r.provider), r.problem,
         'SELECT awspool.recount()'
  FROM awspool.recounted() r
  ORDER BY 1, 2, 3
$$;

COMMENT ON FUNCTION awspool.verify() IS
  'Owner only: a row for each thing that is wrong with the data, with severity error or warning, and what to do; none when all is well. Checks the accounts, their orders, positions and log, and each index against its table, as the snapshot shows them; locks nobody out.';

-- Refuses every change of a provider's accounts, as long as it moves.
CREATE FUNCTION awspool.freeze_provider(provider text) RETURNS void
AS 'MODULE_PATHNAME', 'awspool_freeze_provider' LANGUAGE C;

COMMENT ON FUNCTION awspool.freeze_provider(text) IS
  'Owner only: refuses every change of a provider''s accounts and of the settings of its pools, whoever asks and whichever way, with WS008; returns when the transactions that were changing accounts have ended. Reading goes on. 22023: a malformed provider; WS008: it has moved away; 42501: not the owner.';

-- Ends a freeze.
CREATE FUNCTION awspool.thaw_provider(provider text) RETURNS void
AS 'MODULE_PATHNAME', 'awspool_thaw_provider' LANGUAGE C;

COMMENT ON FUNCTION awspool.thaw_provider(text) IS
  'Owner only: ends what freeze_provider began, and lets a provider come back that was forgotten. Nothing to end is no error. 22023: a malformed provider; 42501: not the owner.';

-- Erases a provider that has moved to another server.
CREATE FUNCTION awspool.forget_provider(provider text) RETURNS void
AS 'MODULE_PATHNAME', 'awspool_forget_provider' LANGUAGE C;

COMMENT ON FUNCTION awspool.forget_provider(text) IS
  'Owner only: erases the accounts, the log, the counts and the settings of a frozen provider that has moved to another server, and keeps one line that says so. Their ids are free here. 55000: it is not frozen; 22023: a malformed provider; 42501: not the owner.';

-- Keeps ids unique over several servers.
CREATE FUNCTION awspool.use_registry(reserve regprocedure,
  look regprocedure DEFAULT NULL)
RETURNS void
AS 'MODULE_PATHNAME', 'awspool_use_registry' LANGUAGE C;

COMMENT ON FUNCTION awspool.use_registry(regprocedure, regprocedure) IS
  'Owner only: from the commit on, function reserve is asked before ids are stored, and look, if given, by who only checks: each takes a provider and an array of ids, (text, text[]), and returns SETOF text, those of them that somebody else has. NULL: no registry. 42P13: the function is another; 42501: it belongs to somebody who has not the owner''s privileges, or the caller is not the owner.';

--
-- What is new belongs to whom the accounts belong to, whichever superuser runs
-- the update, and nobody has anything of it but what is given below, whatever
-- the default privileges say.  What users granted of the rest, or revoked, stays.
--

DO $$
DECLARE
  new record;
  given record;
  accounts_owner CONSTANT pg_catalog.oid := relowner FROM pg_catalog.pg_class
    WHERE oid OPERATOR(pg_catalog.=) 'awspool.account'::pg_catalog.regclass;
BEGIN
  FOR new IN
    SELECT o.kind, o.name
    FROM (
      -- The sequence of a column follows its table.
      SELECT oid, CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
             pg_catalog.format('awspool.%I', relname)
      FROM pg_catalog.pg_class c
      WHERE relnamespace OPERATOR(pg_catalog.=) 'awspool'::pg_catalog.regnamespace
        AND relkind OPERATOR(pg_catalog.=) ANY ('{r,v,S}'::pg_catalog."char"[])
        AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_depend d
          WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
            AND d.objid OPERATOR(pg_catalog.=) c.oid AND d.deptype OPERATOR(pg_catalog.=) 'i'
            AND c.relkind OPERATOR(pg_catalog.=) 'S')
      UNION ALL
      SELECT oid, 'FUNCTION',
             pg_catalog.format('awspool.%I(%s)', proname, pg_catalog.pg_get_function_identity_arguments(oid))
      FROM pg_catalog.pg_proc
      WHERE pronamespace OPERATOR(pg_catalog.=) 'awspool'::pg_catalog.regnamespace
    ) o (oid, kind, name)
    WHERE o.oid OPERATOR(pg_catalog.<>)
      ALL (pg_catalog.current_setting('awspool_update.present')::pg_catalog.oid[])
  LOOP
    EXECUTE pg_catalog.format('ALTER %s %s OWNER TO %s', new.kind, new.name, accounts_owner::pg_catalog.regrole);
  END LOOP;

  FOR given IN
    SELECT o.kind, o.name,
           CASE a.grantee WHEN 0 THEN 'PUBLIC'
                          ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END AS grantee
    FROM (
      SELECT oid, CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
             pg_catalog.format('awspool.%I', relname), relacl
      FROM pg_catalog.pg_class
      WHERE relnamespace OPERATOR(pg_catalog.=) 'awspool'::pg_catalog.regnamespace
        AND relkind OPERATOR(pg_catalog.=) ANY ('{r,v,S}'::pg_catalog."char"[])
      UNION ALL
      SELECT oid, 'FUNCTION',
             pg_catalog.format('awspool.%I(%s)', proname, pg_catalog.pg_get_function_identity_arguments(oid)),
             COALESCE(proacl, pg_catalog.acldefault('f', proowner))
      FROM pg_catalog.pg_proc
      WHERE pronamespace OPERATOR(pg_catalog.=) 'awspool'::pg_catalog.regnamespace
    ) o (oid, kind, name, acl), pg_catalog.aclexplode(o.acl) a
    WHERE o.oid OPERATOR(pg_catalog.<>)
        ALL (pg_catalog.current_setting('awspool_update.present')::pg_catalog.oid[])
      AND a.grantee OPERATOR(pg_catalog.<>) accounts_owner
  LOOP
    EXECUTE pg_catalog.format('REVOKE ALL ON %s %s FROM %s', given.kind, given.name, given.grantee);
  END LOOP;
END $$;

GRANT EXECUTE ON FUNCTION awspool.visible_accounts() TO PUBLIC;

GRANT SELECT ON awspool.pool_activity TO PUBLIC;
GRANT EXECUTE ON FUNCTION awspool.read_pools, awspool.read_activity TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('awspool.pool_start', 'WHERE false');
SELECT pg_catalog.pg_extension_config_dump('awspool.tally', 'WHERE false');

-- The tables are locked: nobody changes an account meanwhile.
SELECT awspool.recount();

-- As those of provider_role.
SELECT pg_catalog.pg_extension_config_dump('awspool.provider_viewer',
  'WHERE EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid OPERATOR(pg_catalog.=) role_oid AND r.rolname OPERATOR(pg_catalog.=) role::pg_catalog.name)');

GRANT SELECT ON awspool.pool_settings, awspool.alerts TO PUBLIC;
GRANT EXECUTE ON FUNCTION
  awspool.configure_pool, awspool.pause_pool, awspool.resume_pool,
  awspool.fail_overdue, awspool.visible_settings, awspool.overdue_accounts,
  awspool.blocked_accounts, awspool.find_alerts
TO PUBLIC;

SELECT pg_catalog.pg_extension_config_dump('awspool.pool_setting', '');

GRANT EXECUTE ON FUNCTION awspool.claim_accounts, awspool.explain_claim TO PUBLIC;

GRANT EXECUTE ON FUNCTION
  awspool.reconcile_csv, awspool.check_reconcile_csv, awspool.passed_over
TO PUBLIC;

SELECT pg_catalog.pg_extension_config_dump('awspool.provider_state', '');

SELECT pg_catalog.pg_extension_config_dump('awspool.registry', '');
