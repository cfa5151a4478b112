/* awspool--1.1.sql: the whole public face, to be read from top to bottom */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION awspool" to load this file. \quit

--
-- The schema is the owner's alone.  It may be there already: a dump brings it,
-- and so may somebody who wants to put functions and operators there that stand
-- in for the extension's.
--

DO $$
BEGIN
  IF EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass
      AND d.refobjid OPERATOR(pg_catalog.=) 'awspool'::pg_catalog.regnamespace
      AND d.classid OPERATOR(pg_catalog.<>) 'pg_catalog.pg_extension'::pg_catalog.regclass)
  THEN
    RAISE EXCEPTION USING
      ERRCODE = 'duplicate_schema',
      MESSAGE = 'schema "awspool" is not empty',
      HINT = 'Drop the schema, or what is in it.';
  END IF;
END $$;

ALTER SCHEMA awspool OWNER TO CURRENT_USER;

COMMENT ON SCHEMA awspool IS
  'A pool of preconfigured AWS accounts that orders claim.';

--
-- Tables: only the owner reads or writes them.
--

-- Whether the values of an account have the form they must have.
CREATE FUNCTION awspool.is_well_formed(provider text, account_id text,
  marketplace text, model text, order_id text)
RETURNS boolean
AS 'MODULE_PATHNAME', 'awspool_is_well_formed'
LANGUAGE C IMMUTABLE PARALLEL SAFE;

COMMENT ON FUNCTION awspool.is_well_formed(text, text, text, text, text) IS
  'Whether the values of an account have the form they must have.';

-- The age of accounts: a lower position is an older account.
CREATE SEQUENCE awspool.account_position;

COMMENT ON SEQUENCE awspool.account_position IS
  'The age of accounts: a lower position is an older account.';

-- Every account of every provider, one row each, which is its own history.
CREATE TABLE awspool.account (
  provider    text COLLATE "C" NOT NULL,
  account_id  text COLLATE "C" NOT NULL,
  marketplace text COLLATE "C" NOT NULL,
  model       text COLLATE "C" NOT NULL,
  status      text COLLATE "C" NOT NULL DEFAULT 'ready',
  order_id    text COLLATE "C",
  order_model text COLLATE "C",
  reason      text,
  added_at    timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  added_by    text COLLATE "C" NOT NULL DEFAULT current_user,
  claimed_at  timestamptz,
  claimed_by  text COLLATE "C",
  closed_at   timestamptz,
  closed_by   text COLLATE "C",
  position    bigint NOT NULL
              DEFAULT pg_catalog.nextval('awspool.account_position'),
  -- With the provider in it, somebody else's id is told from its own entry,
  -- and looking for it costs no more than looking for one that is not there.
  CONSTRAINT account_pkey PRIMARY KEY (account_id) INCLUDE (provider),
  CONSTRAINT account_is_well_formed CHECK (
    awspool.is_well_formed(provider, account_id, marketplace, model, order_id)),
  -- What a row of each status has, and what it has not.
  CONSTRAINT account_fits_its_status CHECK (
    CASE status
      WHEN 'ready' THEN
        pg_catalog.num_nonnulls(order_id, order_model, reason, claimed_at,
          claimed_by, closed_at, closed_by) OPERATOR(pg_catalog.=) 0
      WHEN 'provisioning_in_progress' THEN
        pg_catalog.num_nulls(order_model, claimed_at,
          claimed_by) OPERATOR(pg_catalog.=) 0
        AND pg_catalog.num_nonnulls(reason, closed_at,
          closed_by) OPERATOR(pg_catalog.=) 0
      WHEN 'allocated' THEN
        pg_catalog.num_nulls(order_model, claimed_at, claimed_by, closed_at,
          closed_by) OPERATOR(pg_catalog.=) 0
        AND reason IS NULL
      WHEN 'provisioning_failed' THEN
        pg_catalog.num_nulls(order_model, claimed_at, claimed_by, closed_at,
          closed_by) OPERATOR(pg_catalog.=) 0
      WHEN 'invalid' THEN
        pg_catalog.num_nulls(closed_at, closed_by) OPERATOR(pg_catalog.=) 0
        AND (pg_catalog.num_nulls(order_model, claimed_at,
               claimed_by) OPERATOR(pg_catalog.=) 0
             OR pg_catalog.num_nonnulls(order_id, order_model, claimed_at,
               claimed_by) OPERATOR(pg_catalog.=) 0)
      ELSE false
    END)
) USING heap;

COMMENT ON TABLE awspool.account IS
  'Every account of every provider, one row each, which is its own history. For the owner only: use view awspool.accounts and the functions.';

-- The ready accounts of each pool, oldest first: where a claim looks.
CREATE INDEX account_ready ON awspool.account (provider, marketplace, position)
  WHERE status OPERATOR(pg_catalog.=) 'ready';

COMMENT ON INDEX awspool.account_ready IS
  'The ready accounts of each pool, oldest first: where a claim looks.';

-- The accounts of each provider, oldest first: where the views look.
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

-- An order holds one account at a time; who claims again finds it here.
CREATE UNIQUE INDEX account_order ON awspool.account (provider, order_id)
  WHERE order_id IS NOT NULL
    AND (status OPERATOR(pg_catalog.=) 'provisioning_in_progress'
         OR status OPERATOR(pg_catalog.=) 'allocated');

COMMENT ON INDEX awspool.account_order IS
  'An order holds one account at a time; who claims again finds it here.';

-- What the row of an account cannot show: edits, and the life of the deleted.
CREATE TABLE awspool.account_log (
  log_id     bigint GENERATED ALWAYS AS IDENTITY,
  provider   text COLLATE "C" NOT NULL,
  account_id text COLLATE "C" NOT NULL,
  at         timestamptz NOT NULL,
  actor      text COLLATE "C" NOT NULL,
  event      text COLLATE "C" NOT NULL,
  detail     text,
  used       boolean NOT NULL DEFAULT false,
  status     text COLLATE "C",
  marketplace text COLLATE "C",
  added_at   timestamptz,
  CONSTRAINT account_log_pkey PRIMARY KEY (log_id)
) USING heap;

COMMENT ON TABLE awspool.account_log IS
  'What the row of an account cannot show: edits, and the life of deleted accounts. For the owner only: use awspool.account_history.';
COMMENT ON COLUMN awspool.account_log.used IS
  'True in the row that says that a used account was deleted: its id can never be added again.';
COMMENT ON COLUMN awspool.account_log.status IS
  'Of an edit: what the account was then, which tells where the edit belongs in its history. NULL in edits by version 1.0.';
COMMENT ON COLUMN awspool.account_log.marketplace IS
  'The pool in which the event is counted: that of the account or, of an edit that moved it, the one that it left. NULL in other edits.';
COMMENT ON COLUMN awspool.account_log.added_at IS
  'Of an edit that moved the account: when it was added.';
COMMENT ON SEQUENCE awspool.account_log_log_id_seq IS
  'Numbers the rows of awspool.account_log.';

-- The log of one provider's account.
CREATE INDEX account_log_account
  ON awspool.account_log (provider, account_id);

COMMENT ON INDEX awspool.account_log_account IS
  'The log of one provider''s account.';

-- The ids that were used and deleted, which nobody may add again.
CREATE UNIQUE INDEX account_log_used ON awspool.account_log (account_id)
  WHERE used;

COMMENT ON INDEX awspool.account_log_used IS
  'The ids that were used and deleted, which nobody may add again.';

-- Which database roles may act for a provider; "*" stands for every provider.
CREATE TABLE awspool.provider_role (
  provider text COLLATE "C" NOT NULL,
  role     text COLLATE "C" NOT NULL,
  role_oid oid NOT NULL,
  CONSTRAINT provider_role_pkey PRIMARY KEY (provider, role),
  CONSTRAINT provider_role_is_well_formed CHECK (
    provider OPERATOR(pg_catalog.=) '*'
    OR awspool.is_well_formed(provider, '000000000000', 'MP-0000', 'SPAM',
         NULL))
) USING heap;

COMMENT ON TABLE awspool.provider_role IS
  'Which database roles may act for a provider; "*" stands for every provider. Changed only by awspool.grant_provider and awspool.revoke_provider.';
COMMENT ON COLUMN awspool.provider_role.role_oid IS
  'The role that had this name when it was granted, or restored. A role counts only while it has both.';

-- Goes up, in place, whenever an account may have arrived before others.
CREATE TABLE awspool.arrival_count (
  arrivals bigint NOT NULL
) USING heap;
-- Of all pools, as in version 1.0; then those of them that are in the rows
-- below as well; then of the pools whose names have a certain hash.
INSERT INTO awspool.arrival_count VALUES (0);
INSERT INTO awspool.arrival_count
  SELECT i OPERATOR(pg_catalog.*) 1099511627776
  FROM pg_catalog.generate_series(0::bigint, 200) i;

COMMENT ON TABLE awspool.arrival_count IS
  'Goes up whenever an account may have arrived before others in its pool, other than by being added: by an edit, a restore, replication or hand. Tells sessions to look at their pools anew. One page of rows, changed in place, and not dumped.';

-- Where to start looking in a pool, kept for sessions to come: a mere hint.
CREATE UNLOGGED TABLE awspool.pool_start (
  position    bigint NOT NULL,  -- the C code changes the first two in place
  arrivals    bigint NOT NULL,
  provider    text COLLATE "C" NOT NULL,
  marketplace text COLLATE "C" NOT NULL,
  CONSTRAINT pool_start_pkey PRIMARY KEY (provider, marketplace)
) USING heap;

COMMENT ON TABLE awspool.pool_start IS
  'Where to start looking in a pool, kept for sessions to come: a mere hint, worth nothing once arrival_count has gone up. Empty after a crash, and not dumped.';

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


-- @viewer-table


-- @pool-table


-- @batch-table


-- @reconcile-table


-- @verify-table


-- @freeze-table


-- No samples of the values: the server shows those to roles that read all data.
ALTER TABLE awspool.account
  ALTER provider SET STATISTICS 0, ALTER account_id SET STATISTICS 0,
  ALTER marketplace SET STATISTICS 0, ALTER model SET STATISTICS 0,
  ALTER status SET STATISTICS 0, ALTER order_id SET STATISTICS 0,
  ALTER order_model SET STATISTICS 0, ALTER reason SET STATISTICS 0,
  ALTER added_at SET STATISTICS 0, ALTER added_by SET STATISTICS 0,
  ALTER claimed_at SET STATISTICS 0, ALTER claimed_by SET STATISTICS 0,
  ALTER closed_at SET STATISTICS 0, ALTER closed_by SET STATISTICS 0,
  ALTER position SET STATISTICS 0;
ALTER TABLE awspool.account_log
  ALTER log_id SET STATISTICS 0, ALTER provider SET STATISTICS 0,
  ALTER account_id SET STATISTICS 0, ALTER at SET STATISTICS 0,
  ALTER actor SET STATISTICS 0, ALTER event SET STATISTICS 0,
  ALTER detail SET STATISTICS 0, ALTER used SET STATISTICS 0,
  ALTER status SET STATISTICS 0, ALTER marketplace SET STATISTICS 0,
  ALTER added_at SET STATISTICS 0;
ALTER TABLE awspool.provider_role
  ALTER provider SET STATISTICS 0, ALTER role SET STATISTICS 0,
  ALTER role_oid SET STATISTICS 0;
ALTER TABLE awspool.pool_start
  ALTER position SET STATISTICS 0, ALTER arrivals SET STATISTICS 0,
  ALTER provider SET STATISTICS 0, ALTER marketplace SET STATISTICS 0;

-- A second wall, for roles such as pg_read_all_data that need no grant.
ALTER TABLE awspool.account ENABLE ROW LEVEL SECURITY;
ALTER TABLE awspool.account_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE awspool.provider_role ENABLE ROW LEVEL SECURITY;
ALTER TABLE awspool.arrival_count ENABLE ROW LEVEL SECURITY;
ALTER TABLE awspool.pool_start ENABLE ROW LEVEL SECURITY;

--
-- Triggers: what holds for whoever writes, superusers included.
--

-- Lets an account move forward only, and stamps who moved it and when.
CREATE FUNCTION awspool.account_transition() RETURNS trigger
AS 'MODULE_PATHNAME', 'awspool_account_transition' LANGUAGE C;

COMMENT ON FUNCTION awspool.account_transition() IS
  'Trigger: lets an account move forward only, and stamps who moved it and when.';

CREATE TRIGGER account_transition
  BEFORE UPDATE OR DELETE ON awspool.account
  FOR EACH ROW EXECUTE FUNCTION awspool.account_transition();

-- ALWAYS, here and below: also while session_replication_role is "replica".
ALTER TABLE awspool.account ENABLE ALWAYS TRIGGER account_transition;

COMMENT ON TRIGGER account_transition ON awspool.account IS
  'Lets an account move forward only, and stamps who moved it and when.';

-- Logs the edits and deletions of accounts.
CREATE FUNCTION awspool.log_account_change() RETURNS trigger
AS 'MODULE_PATHNAME', 'awspool_log_account_change' LANGUAGE C;

COMMENT ON FUNCTION awspool.log_account_change() IS
  'Trigger: logs the edits and deletions of accounts.';

CREATE TRIGGER account_log_change
  AFTER DELETE OR UPDATE OF marketplace, model ON awspool.account
  FOR EACH ROW EXECUTE FUNCTION awspool.log_account_change();

ALTER TABLE awspool.account ENABLE ALWAYS TRIGGER account_log_change;

COMMENT ON TRIGGER account_log_change ON awspool.account IS
  'Logs the edits and deletions of accounts.';

-- Refuses the id of an account that was used and deleted; moves the sequence on
-- to a position that was not drawn from it.
CREATE FUNCTION awspool.refuse_used_account() RETURNS trigger
AS 'MODULE_PATHNAME', 'awspool_refuse_used_account' LANGUAGE C;

COMMENT ON FUNCTION awspool.refuse_used_account() IS
  'Trigger: refuses the id of an account that was used and deleted; moves the sequence on to a position that was not drawn from it.';

CREATE TRIGGER account_refuse_used
  AFTER INSERT ON awspool.account
  FOR EACH ROW EXECUTE FUNCTION awspool.refuse_used_account();

ALTER TABLE awspool.account ENABLE ALWAYS TRIGGER account_refuse_used;

COMMENT ON TRIGGER account_refuse_used ON awspool.account IS
  'Refuses the id of an account that was used and deleted; moves the sequence on to a position that was not drawn from it.';

-- Moves the sequence on to rows that bring their own number.
CREATE FUNCTION awspool.follow_sequence() RETURNS trigger
AS 'MODULE_PATHNAME', 'awspool_follow_sequence' LANGUAGE C;

COMMENT ON FUNCTION awspool.follow_sequence() IS
  'Trigger: moves the sequence on to rows that bring their own number.';

CREATE TRIGGER account_log_follow_sequence
  AFTER INSERT ON awspool.account_log
  FOR EACH ROW EXECUTE FUNCTION awspool.follow_sequence();

ALTER TABLE awspool.account_log
  ENABLE ALWAYS TRIGGER account_log_follow_sequence;

COMMENT ON TRIGGER account_log_follow_sequence ON awspool.account_log IS
  'Moves the sequence on to rows that bring their own number.';

-- Finds the role of a name, so that grants survive a restore elsewhere, and has
-- every session read the grants anew.
CREATE FUNCTION awspool.resolve_provider_role() RETURNS trigger
AS 'MODULE_PATHNAME', 'awspool_resolve_provider_role' LANGUAGE C;

COMMENT ON FUNCTION awspool.resolve_provider_role() IS
  'Trigger: finds the role of a name, so that grants survive a restore elsewhere, and has every session read the grants anew.';

CREATE TRIGGER provider_role_resolve
  BEFORE INSERT OR UPDATE OR DELETE ON awspool.provider_role
  FOR EACH ROW EXECUTE FUNCTION awspool.resolve_provider_role();
-- ALWAYS: a replica's roles have oids of their own, too.
ALTER TABLE awspool.provider_role
  ENABLE ALWAYS TRIGGER provider_role_resolve;

COMMENT ON TRIGGER provider_role_resolve ON awspool.provider_role IS
  'Finds the role of a name, so that grants survive a restore elsewhere, and has every session read the grants anew.';

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
-- Who is calling.
--

-- Whether the caller may act for every provider.
CREATE FUNCTION awspool.acts_for_all() RETURNS boolean
AS 'MODULE_PATHNAME', 'awspool_acts_for_all_sql'
LANGUAGE C STABLE;

COMMENT ON FUNCTION awspool.acts_for_all() IS
  'Whether the caller may act for every provider: a superuser, the owner, or a role granted "*".';

-- The providers that were granted to the caller by name.
CREATE FUNCTION awspool.my_providers() RETURNS text[]
AS 'MODULE_PATHNAME', 'awspool_my_providers'
LANGUAGE C STABLE;

COMMENT ON FUNCTION awspool.my_providers() IS
  'The providers that were granted to the caller by name, in alphabetical order.';

--
-- Views: what everybody else reads, each caller the rows of their providers.
--

-- A row as the view accounts shows it.
CREATE TYPE awspool.account_row AS (
  provider    text,
  account_id  text,
  marketplace text,
  model       text,
  status      text,
  order_id    text,
  order_model text,
  reason      text,
  added_at    timestamptz,
  added_by    text,
  claimed_at  timestamptz,
  claimed_by  text,
  closed_at   timestamptz,
  closed_by   text,
  position    bigint
);

COMMENT ON TYPE awspool.account_row IS
  'A row as the view awspool.accounts shows it.';

-- Tells the planner how many accounts there are, and how to read them.
CREATE FUNCTION awspool.plan_accounts(internal) RETURNS internal
AS 'MODULE_PATHNAME', 'awspool_plan_accounts' LANGUAGE C;

COMMENT ON FUNCTION awspool.plan_accounts(internal) IS
  'Planner support of awspool.visible_accounts: how many accounts there are, and how to read them.';

-- The accounts of the caller's providers.
CREATE FUNCTION awspool.visible_accounts()
RETURNS SETOF awspool.account_row
AS 'MODULE_PATHNAME', 'awspool_visible_accounts'
LANGUAGE C STABLE SUPPORT awspool.plan_accounts;

COMMENT ON FUNCTION awspool.visible_accounts() IS
  'The accounts of the caller''s providers, as view awspool.accounts shows them.';

-- The accounts of the caller's providers; changing it does what the functions do.
-- No security barrier: what it reads from has nobody else's rows, and a barrier
-- would keep joins from reading by an index.
CREATE VIEW awspool.accounts AS
  SELECT provider, account_id, marketplace, model, status, order_id,
         order_model, reason, added_at, added_by, claimed_at, claimed_by,
         closed_at, closed_by, position
  FROM awspool.visible_accounts();

COMMENT ON VIEW awspool.accounts IS
  'The accounts of the caller''s providers. INSERT adds, UPDATE of marketplace or model edits, UPDATE of status and reason closes, DELETE deletes, as the functions do. Claiming is awspool.claim_account''s alone.';
COMMENT ON COLUMN awspool.accounts.provider IS 'Whose account it is.';
COMMENT ON COLUMN awspool.accounts.account_id IS
  'The AWS account id: 12 digits, unique in the whole database.';
COMMENT ON COLUMN awspool.accounts.marketplace IS
  'The marketplace it is for: "MP-" and at least four digits.';
COMMENT ON COLUMN awspool.accounts.model IS 'SPAM or ECAM.';
COMMENT ON COLUMN awspool.accounts.status IS
  'ready, provisioning_in_progress, allocated, provisioning_failed or invalid.';
COMMENT ON COLUMN awspool.accounts.order_id IS
  'The order that claimed it; NULL if it was claimed without one, or never.';
COMMENT ON COLUMN awspool.accounts.order_model IS
  'The model it had when it was claimed, which is what the order got.';
COMMENT ON COLUMN awspool.accounts.reason IS
  'Why it failed or became invalid, if somebody said.';
COMMENT ON COLUMN awspool.accounts.added_at IS 'When it was stored.';
COMMENT ON COLUMN awspool.accounts.added_by IS 'The role that stored it.';
COMMENT ON COLUMN awspool.accounts.claimed_at IS
  'When it was claimed; NULL if never.';
COMMENT ON COLUMN awspool.accounts.claimed_by IS 'The role that claimed it.';
COMMENT ON COLUMN awspool.accounts.closed_at IS
  'When it became allocated, provisioning_failed or invalid; NULL before.';
COMMENT ON COLUMN awspool.accounts.closed_by IS 'The role that closed it.';
COMMENT ON COLUMN awspool.accounts.position IS
  'Its age: a lower position is an older account, which is claimed first. Unique; what to sort and page by.';

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
CREATE VIEW awspool.pool_status WITH (security_barrier) AS
  SELECT provider, marketplace, ready, provisioning_in_progress, allocated,
         provisioning_failed, invalid, oldest_ready_at, claims_24h, claims_7d,
         oldest_in_progress_at, added_ever, claimed_ever,
         ready OPERATOR(pg_catalog.*) 7.0 OPERATOR(pg_catalog./)
           NULLIF(claims_7d, 0) AS days_left,
         -- of awspool.pool_setting, whose pools are here as well
         NULL::pg_catalog.timestamptz AS paused_at
  FROM awspool.read_pools();

COMMENT ON VIEW awspool.pool_status IS
  'The state of each pool of the caller''s providers: how many accounts in each status, since when the oldest ready one waits, and how many were claimed lately.';
COMMENT ON COLUMN awspool.pool_status.provider IS 'Whose pool it is.';
COMMENT ON COLUMN awspool.pool_status.marketplace IS 'The marketplace it is for.';
COMMENT ON COLUMN awspool.pool_status.ready IS 'Accounts waiting for an order.';
COMMENT ON COLUMN awspool.pool_status.provisioning_in_progress IS
  'Accounts that an order is using.';
COMMENT ON COLUMN awspool.pool_status.allocated IS
  'Accounts whose order completed.';
COMMENT ON COLUMN awspool.pool_status.provisioning_failed IS
  'Accounts whose order failed.';
COMMENT ON COLUMN awspool.pool_status.invalid IS
  'Accounts that were taken out for good.';
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


-- @viewer-view


-- @pool-view


-- @batch-view


-- @reconcile-view


-- @verify-view


-- @freeze-view


--
-- Stock: adding, editing and deleting accounts.
--

-- Stores a ready account at the end of its pool.
CREATE FUNCTION awspool.add_account(provider text, account_id text,
  marketplace text, model text)
RETURNS SETOF awspool.accounts
AS 'MODULE_PATHNAME', 'awspool_add_account' LANGUAGE C ROWS 1;

COMMENT ON FUNCTION awspool.add_account(text, text, text, text) IS
  'Stores a ready account at the end of its pool and returns it. 22023: a value is malformed; 23505: the id is taken; WS005: it was used before; 42501: not your provider.';

-- Changes the marketplace or model of an account; NULL leaves it as it is.
CREATE FUNCTION awspool.edit_account(provider text, account_id text,
  marketplace text DEFAULT NULL, model text DEFAULT NULL)
RETURNS SETOF awspool.accounts
AS 'MODULE_PATHNAME', 'awspool_edit_account' LANGUAGE C ROWS 1;

COMMENT ON FUNCTION awspool.edit_account(text, text, text, text) IS
  'Changes the marketplace (of a ready account) or model of an account and returns it; NULL leaves as is. WS003: no such account; WS004: the marketplace of an account that is not ready; 22023: a value is malformed; 42501: not your provider.';

-- Deletes an account that no order is using.
CREATE FUNCTION awspool.delete_account(provider text, account_id text)
RETURNS SETOF awspool.accounts
AS 'MODULE_PATHNAME', 'awspool_delete_account' LANGUAGE C ROWS 1;

COMMENT ON FUNCTION awspool.delete_account(text, text) IS
  'Deletes an account and returns it as it was. WS003: no such account; WS004: an order is using it; 42501: not your provider.';

-- Deletes those of the given accounts that no order is using.
CREATE FUNCTION awspool.delete_accounts(provider text, account_ids text[])
RETURNS TABLE (account_id text, outcome text, detail text)
AS 'MODULE_PATHNAME', 'awspool_delete_accounts' LANGUAGE C;

COMMENT ON FUNCTION awspool.delete_accounts(text, text[]) IS
  'Deletes what it can of the given accounts; a row for each id asked for, in that order, with outcome deleted, in_use or not_found. 22023: a NULL; 42501: not your provider.';

--
-- Claim: an order takes the oldest ready account.
--

-- Takes the oldest ready account of a pool for an order.
CREATE FUNCTION awspool.claim_account(provider text, marketplace text,
  order_id text DEFAULT NULL)
RETURNS SETOF awspool.accounts
AS 'MODULE_PATHNAME', 'awspool_claim_account' LANGUAGE C ROWS 1;

COMMENT ON FUNCTION awspool.claim_account(text, text, text) IS
  'Takes the oldest ready account of a pool and returns it, now provisioning_in_progress; no row if there is none. An order that holds an account already gets that one again. WS002: the order holds an account of another marketplace; 22023: a value is malformed; 42501: not your provider; 25006: read-only.';

--
-- Orders: how a claim ends.
--

-- The order completed: its account is allocated.
CREATE FUNCTION awspool.allocate_account(provider text, account_id text,
  order_id text DEFAULT NULL)
RETURNS SETOF awspool.accounts
AS 'MODULE_PATHNAME', 'awspool_allocate_account' LANGUAGE C ROWS 1;

COMMENT ON FUNCTION awspool.allocate_account(text, text, text) IS
  'The order completed: its account becomes allocated and is returned. Repeating is harmless. WS001: the account is not in progress; WS002: another order holds it; WS003: no such account; 42501: not your provider.';

-- The order failed: its account is never offered again.
CREATE FUNCTION awspool.fail_account(provider text, account_id text,
  reason text DEFAULT NULL, order_id text DEFAULT NULL)
RETURNS SETOF awspool.accounts
AS 'MODULE_PATHNAME', 'awspool_fail_account' LANGUAGE C ROWS 1;

COMMENT ON FUNCTION awspool.fail_account(text, text, text, text) IS
  'The order failed: its account becomes provisioning_failed and is returned. Repeating is harmless. WS001: the account is not in progress; WS002: another order holds it; WS003: no such account; 42501: not your provider.';

-- Takes an account out for good, ready or in progress.
CREATE FUNCTION awspool.invalidate_account(provider text, account_id text,
  reason text DEFAULT NULL)
RETURNS SETOF awspool.accounts
AS 'MODULE_PATHNAME', 'awspool_invalidate_account' LANGUAGE C ROWS 1;

COMMENT ON FUNCTION awspool.invalidate_account(text, text, text) IS
  'Takes an account that is ready or in progress out for good and returns it, now invalid. Repeating is harmless. WS001: the account is allocated or failed; WS003: no such account; 42501: not your provider.';

-- An account failed, and its order gets the next one.
CREATE FUNCTION awspool.replace_account(provider text, account_id text,
  reason text, order_id text DEFAULT NULL)
RETURNS SETOF awspool.accounts
AS 'MODULE_PATHNAME', 'awspool_replace_account' LANGUAGE C ROWS 1;

COMMENT ON FUNCTION awspool.replace_account(text, text, text, text) IS
  'In one step: this account failed, and its order gets the next one of the pool, which is returned; no row, and nothing changed, if there is none. Repeating is harmless if the account was claimed with an order. WS001: the account is not in progress; WS002: another order holds it; WS003: no such account; 42501: not your provider.';

--
-- Import: stock from a file.
--

-- Stores the accounts of a CSV file, and reports on each row.
CREATE FUNCTION awspool.import_csv(provider text, csv text,
  skip_rejected boolean DEFAULT false)
RETURNS TABLE (line bigint, account_id text, marketplace text, model text,
  outcome text, detail text)
AS 'MODULE_PATHNAME', 'awspool_import_csv' LANGUAGE C;

COMMENT ON FUNCTION awspool.import_csv(text, text, boolean) IS
  'Stores the accounts of a CSV file in file order; a row for each row of the file, with outcome added, present or rejected. WS006: rows were rejected, so nothing is stored, unless skip_rejected; 22P04: the file cannot be read; 42501: not your provider.';

-- Tells what import_csv would do with a CSV file; stores nothing.
CREATE FUNCTION awspool.check_csv(provider text, csv text)
RETURNS TABLE (line bigint, account_id text, marketplace text, model text,
  outcome text, detail text)
AS 'MODULE_PATHNAME', 'awspool_check_csv' LANGUAGE C;

COMMENT ON FUNCTION awspool.check_csv(text, text) IS
  'Tells what import_csv would do with a CSV file; stores nothing, and a bad row is no error. 22P04: the file cannot be read; 42501: not your provider.';

-- Where COPY streams a file in; it holds nothing.
CREATE VIEW awspool.import AS
  SELECT NULL::pg_catalog.text AS provider,
         NULL::pg_catalog.text AS account_id,
         NULL::pg_catalog.text AS marketplace_id,
         NULL::pg_catalog.text AS account_model
  WHERE false;

COMMENT ON VIEW awspool.import IS
  'Insert only: COPY or \copy a file of accounts into it, all or nothing. Without a provider, the caller''s only one is used, or the one that the setting awspool.provider names.';
COMMENT ON COLUMN awspool.import.provider IS
  'Whose account it is; may be left out.';
COMMENT ON COLUMN awspool.import.account_id IS
  'The AWS account id: 12 digits.';
COMMENT ON COLUMN awspool.import.marketplace_id IS
  'The marketplace it is for: "MP-" and at least four digits.';
COMMENT ON COLUMN awspool.import.account_model IS 'SPAM or ECAM.';

-- Begins a statement that inserts into awspool.import.
CREATE FUNCTION awspool.import_begin() RETURNS trigger
AS 'MODULE_PATHNAME', 'awspool_import_begin' LANGUAGE C;

COMMENT ON FUNCTION awspool.import_begin() IS
  'Trigger: begins a statement that inserts into awspool.import.';

CREATE TRIGGER import_begin
  BEFORE INSERT ON awspool.import
  FOR EACH STATEMENT EXECUTE FUNCTION awspool.import_begin();

COMMENT ON TRIGGER import_begin ON awspool.import IS
  'Begins a statement that inserts into awspool.import.';

-- Gathers a row that is inserted into awspool.import.
CREATE FUNCTION awspool.import_row() RETURNS trigger
AS 'MODULE_PATHNAME', 'awspool_import_row' LANGUAGE C;

COMMENT ON FUNCTION awspool.import_row() IS
  'Trigger: gathers a row that is inserted into awspool.import.';

CREATE TRIGGER import_row
  INSTEAD OF INSERT ON awspool.import
  FOR EACH ROW EXECUTE FUNCTION awspool.import_row();

COMMENT ON TRIGGER import_row ON awspool.import IS
  'Gathers a row that is inserted into awspool.import.';

-- Stores what a statement inserted into awspool.import.
CREATE FUNCTION awspool.import_end() RETURNS trigger
AS 'MODULE_PATHNAME', 'awspool_import_end' LANGUAGE C;

COMMENT ON FUNCTION awspool.import_end() IS
  'Trigger: stores what a statement inserted into awspool.import.';

CREATE TRIGGER import_end
  AFTER INSERT ON awspool.import
  FOR EACH STATEMENT EXECUTE FUNCTION awspool.import_end();

COMMENT ON TRIGGER import_end ON awspool.import IS
  'Stores what a statement inserted into awspool.import.';

--
-- The view accounts, for writing.
--

-- Does what the functions do, for whoever writes to the view.
CREATE FUNCTION awspool.change_accounts() RETURNS trigger
AS 'MODULE_PATHNAME', 'awspool_change_accounts' LANGUAGE C;

COMMENT ON FUNCTION awspool.change_accounts() IS
  'Trigger: does what the functions do, for whoever writes to awspool.accounts.';

CREATE TRIGGER change_accounts
  INSTEAD OF INSERT OR UPDATE OR DELETE ON awspool.accounts
  FOR EACH ROW EXECUTE FUNCTION awspool.change_accounts();

COMMENT ON TRIGGER change_accounts ON awspool.accounts IS
  'Does what the functions do, for whoever writes to awspool.accounts.';

--
-- History.
--

-- What the row of an account tells of its life.
CREATE FUNCTION awspool.account_events(added_at timestamptz, added_by text,
  claimed_at timestamptz, claimed_by text, order_id text, order_model text,
  closed_at timestamptz, closed_by text, status text, reason text)
RETURNS TABLE (at timestamptz, actor text, event text, detail text)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT added_at, added_by, 'added'::pg_catalog.text, NULL::pg_catalog.text
  UNION ALL
  SELECT claimed_at, claimed_by, 'claimed',
         CASE WHEN order_id IS NULL
              THEN pg_catalog.format('without an order, as %s', order_model)
              ELSE pg_catalog.format('for order "%s", as %s', order_id, order_model)
         END
  WHERE claimed_at IS NOT NULL
  UNION ALL
  SELECT closed_at, closed_by,
         CASE status WHEN 'allocated' THEN 'allocated'
                     WHEN 'provisioning_failed' THEN 'failed'
                     ELSE 'invalidated' END,
         reason
  WHERE closed_at IS NOT NULL;
END;

COMMENT ON FUNCTION awspool.account_events(timestamptz, text, timestamptz, text, text, text, timestamptz, text, text, text) IS
  'What the row of an account tells of its life: added, claimed, and allocated, failed or invalidated.';

-- The life of an account, oldest event first.
CREATE FUNCTION awspool.account_history(provider text, account_id text)
RETURNS TABLE (at timestamptz, actor text, event text, detail text)
AS 'MODULE_PATHNAME', 'awspool_account_history' LANGUAGE C ROWS 5;

COMMENT ON FUNCTION awspool.account_history(text, text) IS
  'The life of an account, oldest event first, also of a deleted one: when, which role, what (added, edited, claimed, allocated, failed, invalidated, deleted), and the particulars. WS003: no such account; 42501: not your provider.';

--
-- Providers: who may act for whom.
--

-- Lets a database role act for a provider.
CREATE FUNCTION awspool.grant_provider(provider text, role_name text)
RETURNS void
AS 'MODULE_PATHNAME', 'awspool_grant_provider' LANGUAGE C;

COMMENT ON FUNCTION awspool.grant_provider(text, text) IS
  'Owner only: lets a database role, and who has its privileges, act for a provider; "*" means every provider. 42704: no such role; 22023: a malformed provider; 42501: not the owner.';

-- Takes back what grant_provider gave.
CREATE FUNCTION awspool.revoke_provider(provider text, role_name text)
RETURNS void
AS 'MODULE_PATHNAME', 'awspool_revoke_provider' LANGUAGE C;

COMMENT ON FUNCTION awspool.revoke_provider(text, text) IS
  'Owner only: takes back what grant_provider gave, at once, also from a role that was dropped or renamed since. Nothing to take back is no error. 42501: not the owner.';



-- @viewer-function


-- @pool-function


-- @batch-function


-- @reconcile-function


-- @verify-function


-- @freeze-function


--
-- Lint: what the walls cannot see to themselves.
--

-- What weakens the walls between providers or the durability of claims, and what
-- no backup holds.
CREATE FUNCTION awspool.lint()
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

--
-- Grants: nobody has anything but what is given here, whatever the default
-- privileges of this database say.
--

DO $$
DECLARE
  given record;
BEGIN
  FOR given IN
    SELECT o.kind, o.name,
           CASE a.grantee WHEN 0 THEN 'PUBLIC'
                          ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END AS grantee
    FROM (
      SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
             pg_catalog.format('awspool.%I', relname), relacl, relowner
      FROM pg_catalog.pg_class
      WHERE relnamespace OPERATOR(pg_catalog.=) 'awspool'::pg_catalog.regnamespace
        AND relkind OPERATOR(pg_catalog.=) ANY ('{r,v,S}'::pg_catalog."char"[])
      UNION ALL
      SELECT 'FUNCTION',
             pg_catalog.format('awspool.%I(%s)', proname, pg_catalog.pg_get_function_identity_arguments(oid)),
             COALESCE(proacl, pg_catalog.acldefault('f', proowner)), proowner
      FROM pg_catalog.pg_proc
      WHERE pronamespace OPERATOR(pg_catalog.=) 'awspool'::pg_catalog.regnamespace
      UNION ALL
      SELECT 'SCHEMA', nspname, nspacl, nspowner
      FROM pg_catalog.pg_namespace
      WHERE oid OPERATOR(pg_catalog.=) 'awspool'::pg_catalog.regnamespace
    ) o (kind, name, acl, owner), pg_catalog.aclexplode(o.acl) a
    WHERE a.grantee OPERATOR(pg_catalog.<>) o.owner
  LOOP
    EXECUTE pg_catalog.format('REVOKE ALL ON %s %s FROM %s', given.kind, given.name, given.grantee);
  END LOOP;
END $$;

-- Everybody may call; whose accounts a caller sees and changes is decided by
-- awspool.provider_role, on every call.
GRANT USAGE ON SCHEMA awspool TO PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON awspool.accounts TO PUBLIC;
GRANT SELECT ON awspool.pool_status TO PUBLIC;
GRANT SELECT, INSERT ON awspool.import TO PUBLIC;
GRANT EXECUTE ON FUNCTION
  awspool.add_account, awspool.edit_account, awspool.delete_account,
  awspool.delete_accounts, awspool.claim_account, awspool.allocate_account,
  awspool.fail_account, awspool.invalidate_account, awspool.replace_account,
  awspool.import_csv, awspool.check_csv, awspool.account_history,
  awspool.acts_for_all, awspool.my_providers, awspool.visible_accounts,
  awspool.is_well_formed
TO PUBLIC;

GRANT SELECT ON awspool.pool_activity TO PUBLIC;
GRANT EXECUTE ON FUNCTION awspool.read_pools, awspool.read_activity TO PUBLIC;


-- @viewer-grant


-- @pool-grant


-- @batch-grant


-- @reconcile-grant


-- @verify-grant


-- @freeze-grant


--
-- Dump marks: a backup holds the accounts, their order and the grants.
--

SELECT pg_catalog.pg_extension_config_dump('awspool.account_position', '');
SELECT pg_catalog.pg_extension_config_dump('awspool.account', '');
SELECT pg_catalog.pg_extension_config_dump('awspool.account_log_log_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('awspool.account_log', '');
-- A grant whose role was dropped or renamed stays behind: in the restored
-- database its name may be somebody else's.
SELECT pg_catalog.pg_extension_config_dump('awspool.provider_role',
  'WHERE EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid OPERATOR(pg_catalog.=) role_oid AND r.rolname OPERATOR(pg_catalog.=) role::pg_catalog.name)');
-- Marked like the others, but nothing of them is dumped.
SELECT pg_catalog.pg_extension_config_dump('awspool.arrival_count', 'WHERE false');
SELECT pg_catalog.pg_extension_config_dump('awspool.pool_start', 'WHERE false');

SELECT pg_catalog.pg_extension_config_dump('awspool.tally', 'WHERE false');


-- @viewer-dump


-- @pool-dump


-- @batch-dump


-- @reconcile-dump


-- @verify-dump


-- @freeze-dump


