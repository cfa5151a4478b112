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
ALTER TABLE awspool.pool_start SET ACCESS METHOD heap;

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
  'Of an edit: what the account was then, which tells where the edit belongs in its history. NULL in edits by version 1.0.';

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
  added_ever bigint, claimed_ever bigint)
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

-- The state of each pool: stock, age and demand.
CREATE OR REPLACE VIEW awspool.pool_status WITH (security_barrier) AS
  SELECT provider, marketplace, ready, provisioning_in_progress, allocated,
         provisioning_failed, invalid, oldest_ready_at, claims_24h, claims_7d,
         oldest_in_progress_at, added_ever, claimed_ever,
         ready OPERATOR(pg_catalog.*) 7.0 OPERATOR(pg_catalog./)
           NULLIF(claims_7d, 0) AS days_left,
         -- of awspool.pool_setting, whose pools are here as well
         NULL::pg_catalog.timestamptz AS paused_at
  FROM awspool.read_pools();

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
  ), given AS (       -- who may act for a provider, as the owner granted it
    SELECT g.provider, g.role, r.oid
    FROM ONLY awspool.provider_role g LEFT JOIN pg_roles r
      ON r.oid = g.role_oid AND r.rolname = g.role::name
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
      ('arrival_count', '{arrivals}', '{}', '{}'),
      ('pool_start', '{position,arrivals,provider,marketplace}',
       '{pool_start_pkey}', '{}')
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
      AND x.setting LIKE 'n\_distinct%') x (setting)   -- servers set options of their own
  WHERE x.setting <> 'security_barrier=true'
    AND (c.relname, x.setting) <> ('tally', 'fillfactor=50')
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
         format('it was dropped or renamed, and is still granted provider "%s"', g.provider),
         format('SELECT awspool.revoke_provider(%L, %L)', g.provider, g.role)
  FROM given g
  WHERE g.oid IS NULL
  UNION ALL
  SELECT 'warning', format('provider "%s"', p.provider), 'no role may act for it',
         format('SELECT awspool.grant_provider(%L, ...)', p.provider)
  FROM (SELECT provider FROM ONLY awspool.account
        UNION SELECT provider FROM ONLY awspool.provider_role) p
  WHERE p.provider <> '*'
    AND NOT EXISTS (SELECT FROM given g
                    WHERE g.provider IN (p.provider, '*') AND g.oid IS NOT NULL)
  UNION ALL
  -- Who is no member may become one.
  SELECT DISTINCT 'warning', format('role %I', r.rolname),
         format('it may grant itself role %I, and so provider "%s"', g.role, g.provider),
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
         format('it acts for provider "%s" and has %s', g.provider, p.power),
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
        AND pg_has_role(r.oid, w.oid, 'USAGE')) p (power) ON true
  WHERE g.provider <> '*' AND NOT r.rolsuper
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
         'ALTER SYSTEM SET synchronous_standby_names, see Durability in the reference'
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
  'Owner only: what the counts of each pool and hour have to be, counted from accounts and log.';

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


-- @viewer-update


-- @pool-update


-- @batch-update


-- @reconcile-update


-- @verify-update


-- @freeze-update


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
SELECT pg_catalog.pg_extension_config_dump('awspool.tally', 'WHERE false');

-- The tables are locked: nobody changes an account meanwhile.
SELECT awspool.recount();


-- @viewer-grant


-- @pool-grant


-- @batch-grant


-- @reconcile-grant


-- @verify-grant


-- @freeze-grant


