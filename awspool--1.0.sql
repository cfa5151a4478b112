/* awspool--1.0.sql: the whole public face, to be read from top to bottom */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION awspool" to load this file. \quit

--
-- Who may look inside: everybody may call; whose accounts a caller sees and
-- changes is decided by awspool.provider_role, on every call.
--

GRANT USAGE ON SCHEMA awspool TO PUBLIC;

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
  CONSTRAINT account_pkey PRIMARY KEY (account_id),
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
);

COMMENT ON TABLE awspool.account IS
  'Every account of every provider, one row each, which is its own history. For the owner only: use view awspool.accounts and the functions.';

-- The ready accounts of each pool, oldest first: where a claim looks.
CREATE INDEX account_ready ON awspool.account (provider, marketplace, position)
  WHERE status OPERATOR(pg_catalog.=) 'ready';

COMMENT ON INDEX awspool.account_ready IS
  'The ready accounts of each pool, oldest first: where a claim looks.';

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
  CONSTRAINT account_log_pkey PRIMARY KEY (log_id)
);

COMMENT ON TABLE awspool.account_log IS
  'What the row of an account cannot show: edits, and the life of deleted accounts. For the owner only: use awspool.account_history.';
COMMENT ON COLUMN awspool.account_log.used IS
  'True in the row that says that a used account was deleted: its id can never be added again.';
COMMENT ON SEQUENCE awspool.account_log_log_id_seq IS
  'Numbers the rows of awspool.account_log.';

-- The log of one account.
CREATE INDEX account_log_account ON awspool.account_log (account_id);

COMMENT ON INDEX awspool.account_log_account IS 'The log of one account.';

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
);

COMMENT ON TABLE awspool.provider_role IS
  'Which database roles may act for a provider; "*" stands for every provider. Changed only by awspool.grant_provider and awspool.revoke_provider.';
COMMENT ON COLUMN awspool.provider_role.role_oid IS
  'The role that had this name when it was granted, or restored. A role counts only while it has both.';

-- Goes up, in place, whenever an account may have arrived before others.
CREATE TABLE awspool.arrival_count (
  arrivals bigint NOT NULL
);
INSERT INTO awspool.arrival_count VALUES (0);

COMMENT ON TABLE awspool.arrival_count IS
  'Goes up whenever an account may have arrived before others in its pool, other than by being added: by an edit, a restore, replication or hand. Tells sessions to look at their pools anew. One row, changed in place, and not dumped.';

-- Where to start looking in a pool, kept for sessions to come: a mere hint.
CREATE UNLOGGED TABLE awspool.pool_start (
  position    bigint NOT NULL,  -- the C code changes the first two in place
  arrivals    bigint NOT NULL,
  provider    text COLLATE "C" NOT NULL,
  marketplace text COLLATE "C" NOT NULL,
  CONSTRAINT pool_start_pkey PRIMARY KEY (provider, marketplace)
);

COMMENT ON TABLE awspool.pool_start IS
  'Where to start looking in a pool, kept for sessions to come: a mere hint, worth nothing once arrival_count has gone up. Empty after a crash, and not dumped.';

REVOKE ALL ON SEQUENCE awspool.account_position FROM PUBLIC;
REVOKE ALL ON SEQUENCE awspool.account_log_log_id_seq FROM PUBLIC;
REVOKE ALL ON TABLE awspool.account FROM PUBLIC;
REVOKE ALL ON TABLE awspool.account_log FROM PUBLIC;
REVOKE ALL ON TABLE awspool.provider_role FROM PUBLIC;
REVOKE ALL ON TABLE awspool.arrival_count FROM PUBLIC;
REVOKE ALL ON TABLE awspool.pool_start FROM PUBLIC;

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

-- ALWAYS: what replication applies is not judged here, but noted.
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

COMMENT ON TRIGGER account_log_change ON awspool.account IS
  'Logs the edits and deletions of accounts.';

-- Refuses the id of an account that was used and deleted.
CREATE FUNCTION awspool.refuse_used_account() RETURNS trigger
AS 'MODULE_PATHNAME', 'awspool_refuse_used_account' LANGUAGE C;

COMMENT ON FUNCTION awspool.refuse_used_account() IS
  'Trigger: refuses the id of an account that was used and deleted.';

CREATE TRIGGER account_refuse_used
  AFTER INSERT ON awspool.account
  FOR EACH ROW EXECUTE FUNCTION awspool.refuse_used_account();

ALTER TABLE awspool.account ENABLE ALWAYS TRIGGER account_refuse_used;

COMMENT ON TRIGGER account_refuse_used ON awspool.account IS
  'Refuses the id of an account that was used and deleted.';

-- Moves the sequences on when logical replication applies rows.
CREATE FUNCTION awspool.follow_sequence() RETURNS trigger
AS 'MODULE_PATHNAME', 'awspool_follow_sequence' LANGUAGE C;

COMMENT ON FUNCTION awspool.follow_sequence() IS
  'Trigger: moves the sequences on when logical replication applies rows.';

CREATE TRIGGER account_follow_sequence
  AFTER INSERT ON awspool.account
  FOR EACH ROW EXECUTE FUNCTION awspool.follow_sequence();
ALTER TABLE awspool.account ENABLE REPLICA TRIGGER account_follow_sequence;

COMMENT ON TRIGGER account_follow_sequence ON awspool.account IS
  'Moves the sequence on when logical replication applies rows.';

CREATE TRIGGER account_log_follow_sequence
  AFTER INSERT ON awspool.account_log
  FOR EACH ROW EXECUTE FUNCTION awspool.follow_sequence();
ALTER TABLE awspool.account_log
  ENABLE REPLICA TRIGGER account_log_follow_sequence;

COMMENT ON TRIGGER account_log_follow_sequence ON awspool.account_log IS
  'Moves the sequence on when logical replication applies rows.';

-- Finds the role of a name, so that grants survive a restore elsewhere.
CREATE FUNCTION awspool.resolve_provider_role() RETURNS trigger
AS 'MODULE_PATHNAME', 'awspool_resolve_provider_role' LANGUAGE C;

COMMENT ON FUNCTION awspool.resolve_provider_role() IS
  'Trigger: finds the role of a name, so that grants survive a restore elsewhere.';

CREATE TRIGGER provider_role_resolve
  BEFORE INSERT OR UPDATE ON awspool.provider_role
  FOR EACH ROW EXECUTE FUNCTION awspool.resolve_provider_role();
-- ALWAYS: a replica's roles have oids of their own, too.
ALTER TABLE awspool.provider_role
  ENABLE ALWAYS TRIGGER provider_role_resolve;

COMMENT ON TRIGGER provider_role_resolve ON awspool.provider_role IS
  'Finds the role of a name, so that grants survive a restore elsewhere.';

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

-- The accounts of the caller's providers; changing it does what the functions do.
CREATE VIEW awspool.accounts WITH (security_barrier) AS
  SELECT provider, account_id, marketplace, model, status, order_id,
         order_model, reason, added_at, added_by, claimed_at, claimed_by,
         closed_at, closed_by
  FROM awspool.account
  WHERE (SELECT awspool.acts_for_all())
     OR provider OPERATOR(pg_catalog.=) ANY ((SELECT awspool.my_providers())::pg_catalog.text[]);

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

-- The state of each pool: stock, age and demand.
CREATE VIEW awspool.pool_status WITH (security_barrier) AS
  SELECT provider,
         marketplace,
         pg_catalog.count(*) FILTER (WHERE status OPERATOR(pg_catalog.=) 'ready') AS ready,
         pg_catalog.count(*) FILTER (WHERE status OPERATOR(pg_catalog.=) 'provisioning_in_progress') AS provisioning_in_progress,
         pg_catalog.count(*) FILTER (WHERE status OPERATOR(pg_catalog.=) 'allocated') AS allocated,
         pg_catalog.count(*) FILTER (WHERE status OPERATOR(pg_catalog.=) 'provisioning_failed') AS provisioning_failed,
         pg_catalog.count(*) FILTER (WHERE status OPERATOR(pg_catalog.=) 'invalid') AS invalid,
         pg_catalog.min(added_at) FILTER (WHERE status OPERATOR(pg_catalog.=) 'ready') AS oldest_ready_at,
         pg_catalog.count(*) FILTER (WHERE claimed_at OPERATOR(pg_catalog.>) (pg_catalog.now() OPERATOR(pg_catalog.-) '24 hours'::pg_catalog.interval)) AS claims_24h,
         pg_catalog.count(*) FILTER (WHERE claimed_at OPERATOR(pg_catalog.>) (pg_catalog.now() OPERATOR(pg_catalog.-) '7 days'::pg_catalog.interval)) AS claims_7d
  FROM awspool.accounts
  GROUP BY provider, marketplace;

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
  'Accounts claimed in the last 24 hours and not deleted since.';
COMMENT ON COLUMN awspool.pool_status.claims_7d IS
  'Accounts claimed in the last 7 days and not deleted since.';

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

--
-- Grants: the views and functions check each caller themselves.
--

GRANT SELECT, INSERT, UPDATE, DELETE ON awspool.accounts TO PUBLIC;
GRANT SELECT ON awspool.pool_status TO PUBLIC;
GRANT SELECT, INSERT ON awspool.import TO PUBLIC;

REVOKE ALL ON FUNCTION awspool.account_transition() FROM PUBLIC;
REVOKE ALL ON FUNCTION awspool.log_account_change() FROM PUBLIC;
REVOKE ALL ON FUNCTION awspool.refuse_used_account() FROM PUBLIC;
REVOKE ALL ON FUNCTION awspool.follow_sequence() FROM PUBLIC;
REVOKE ALL ON FUNCTION awspool.resolve_provider_role() FROM PUBLIC;
REVOKE ALL ON FUNCTION awspool.import_begin() FROM PUBLIC;
REVOKE ALL ON FUNCTION awspool.import_row() FROM PUBLIC;
REVOKE ALL ON FUNCTION awspool.import_end() FROM PUBLIC;
REVOKE ALL ON FUNCTION awspool.change_accounts() FROM PUBLIC;
REVOKE ALL ON FUNCTION awspool.account_events(timestamptz, text, timestamptz, text, text, text, timestamptz, text, text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION awspool.grant_provider(text, text) FROM PUBLIC;
REVOKE ALL ON FUNCTION awspool.revoke_provider(text, text) FROM PUBLIC;

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
