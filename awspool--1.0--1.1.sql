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
  'Of an edit: what the account was then; of a reconciliation: what it is since. Tells where that belongs in its history. NULL in edits by version 1.0.';

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

CREATE OR REPLACE VIEW awspool.pool_status WITH (security_barrier) AS
  SELECT provider, marketplace, ready, provisioning_in_progress, allocated,
         provisioning_failed, invalid, oldest_ready_at, claims_24h, claims_7d
  FROM awspool.count_pools();

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
      ('account_log', '{log_id,provider,account_id,at,actor,event,detail,used,status}',
       '{account_log_pkey,account_log_account,account_log_used}', '{}'),
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
               ('account_log', 'account_log_follow_sequence', 'A'),
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

-- @tally-update


-- @viewer-update


-- @pool-update


-- @batch-update


--
-- Reconciliation: after a restore to an earlier time.
--

-- Marks as used what the orders system's list says was used.
CREATE FUNCTION awspool.reconcile_csv(provider text, csv text)
RETURNS TABLE (line bigint, account_id text, order_id text, outcome text,
  detail text)
AS 'MODULE_PATHNAME', 'awspool_reconcile_csv' LANGUAGE C;

COMMENT ON FUNCTION awspool.reconcile_csv(text, text) IS
  'Brings the pool in line with a CSV list of what orders have used: columns account_id, order_id and, if given, status, marketplace_id, account_model, claimed_at, closed_at, reason; a row for each row of the list, with outcome marked, present, added, unknown, conflict or rejected. Changes what it can, and never makes an account ready. 22P04: the list cannot be read; 42501: not your provider; 25006: read-only.';

-- Tells what reconcile_csv would do with a list; changes nothing.
CREATE FUNCTION awspool.check_reconcile_csv(provider text, csv text)
RETURNS TABLE (line bigint, account_id text, order_id text, outcome text,
  detail text)
AS 'MODULE_PATHNAME', 'awspool_check_reconcile_csv' LANGUAGE C;

COMMENT ON FUNCTION awspool.check_reconcile_csv(text, text) IS
  'Tells what reconcile_csv would do with a CSV list; changes nothing. 22P04: the list cannot be read; 42501: not your provider.';

-- The ready accounts that are older than one that was claimed.
CREATE FUNCTION awspool.passed_over(provider text)
RETURNS SETOF awspool.accounts
AS 'MODULE_PATHNAME', 'awspool_passed_over' LANGUAGE C STABLE;

COMMENT ON FUNCTION awspool.passed_over(text) IS
  'The ready accounts that a claim of a younger one of the same pool has passed over, oldest first: none while claims alone are at work; after a restore to an earlier time, the ones to be suspicious of. 42501: not your provider.';

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

-- @tally-grant


-- @viewer-grant


-- @pool-grant


-- @batch-grant


GRANT EXECUTE ON FUNCTION
  awspool.reconcile_csv, awspool.check_reconcile_csv, awspool.passed_over
TO PUBLIC;

-- @verify-grant


-- @freeze-grant


