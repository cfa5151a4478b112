--
-- Ids that are unique over several servers: the function that is asked.
--

CREATE FUNCTION pg_temp.outcome(statement text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE statement;
  RAISE EXCEPTION USING ERRCODE = 'DONE0';
EXCEPTION WHEN OTHERS THEN
  RETURN CASE SQLSTATE WHEN 'DONE0' THEN 'done' ELSE SQLSTATE END;
END $$;
CREATE FUNCTION pg_temp.outcome_as(who text, statement text) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
  RETURN pg_temp.outcome(format('SET LOCAL ROLE %I; %s', who, statement));
END $$;

CREATE ROLE regress_awspool_acme;
CREATE ROLE regress_awspool_viewer;
CREATE ROLE regress_awspool_other;
SELECT awspool.grant_provider('acme', 'regress_awspool_acme'), awspool.grant_viewer('acme', 'regress_awspool_viewer'),
       awspool.grant_provider('other', 'regress_awspool_other');

-- A registry in the same database.  It notes who asked for what.
CREATE SCHEMA regress_registry;
CREATE TABLE regress_registry.id (account_id text PRIMARY KEY, provider text NOT NULL);
CREATE TABLE regress_registry.call (n bigint GENERATED ALWAYS AS IDENTITY, what text, provider text, ids text[], as_role text, path text);
CREATE FUNCTION regress_registry.taken(provider text, account_ids text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  IF NOT current_setting('transaction_read_only')::boolean THEN
    INSERT INTO regress_registry.call (what, provider, ids, as_role, path)
    VALUES ('look', taken.provider, account_ids, current_user, current_setting('search_path'));
  END IF;
  RETURN QUERY SELECT i.account_id FROM regress_registry.id i WHERE i.account_id = ANY (account_ids) AND i.provider <> taken.provider;
END $$;
CREATE FUNCTION regress_registry.reserve(provider text, account_ids text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO regress_registry.call (what, provider, ids, as_role, path)
  VALUES ('reserve', reserve.provider, account_ids, current_user, current_setting('search_path'));
  INSERT INTO regress_registry.id SELECT u, reserve.provider FROM unnest(account_ids) u ON CONFLICT DO NOTHING;
  RETURN QUERY SELECT i.account_id FROM regress_registry.id i WHERE i.account_id = ANY (account_ids) AND i.provider <> reserve.provider;
END $$;
REVOKE ALL ON FUNCTION regress_registry.taken, regress_registry.reserve FROM PUBLIC;
CREATE FUNCTION pg_temp.calls() RETURNS TABLE (what text, provider text, ids text, as_owner boolean, path text) LANGUAGE sql AS $$
  WITH c AS (DELETE FROM regress_registry.call RETURNING *)
  SELECT what, provider, CASE WHEN cardinality(ids) > 6 THEN cardinality(ids) || ' ids' ELSE ids::text END,
         as_role = (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'awspool.account'::regclass), path
  FROM c ORDER BY n
$$;
INSERT INTO regress_registry.id VALUES ('910000000001', 'elsewhere'), ('910000000002', 'elsewhere'), ('910000000003', 'elsewhere');

-- Without a registry nobody is asked.
SELECT status FROM awspool.add_account('acme', '910000000001', 'MP-0000', 'SPAM');
SELECT account_id FROM awspool.delete_account('acme', '910000000001');
SELECT * FROM pg_temp.calls();

-- Whom to name: the owner's functions, of that form.
CREATE FUNCTION regress_registry.one(text, text[]) RETURNS text LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION regress_registry.args(text, text) RETURNS SETOF text LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION regress_registry.numbers(text, text[]) RETURNS SETOF bigint LANGUAGE sql AS 'SELECT 1::bigint';
CREATE FUNCTION regress_registry.rows(text, text[]) RETURNS TABLE (a text, b text) LANGUAGE sql AS 'SELECT $1, $1';
CREATE FUNCTION regress_registry.others(text, text[]) RETURNS SETOF text LANGUAGE sql AS 'SELECT $1';
ALTER FUNCTION regress_registry.others OWNER TO regress_awspool_acme;
CREATE FUNCTION pg_temp.mine(text, text[]) RETURNS SETOF text LANGUAGE sql AS 'SELECT $1';
SELECT c.n, pg_temp.outcome(c.call) AS owner, pg_temp.outcome_as('regress_awspool_acme', c.call) AS acme, c.call
FROM (VALUES
  (1, 'SELECT awspool.use_registry(''regress_registry.reserve(text,text[])'')'),
  (2, 'SELECT awspool.use_registry(NULL)'),
  (3, 'SELECT awspool.use_registry(NULL, ''regress_registry.reserve(text,text[])'')'),
  (4, 'SELECT awspool.use_registry(''regress_registry.one(text,text[])'')'),
  (5, 'SELECT awspool.use_registry(''regress_registry.args(text,text)'')'),
  (6, 'SELECT awspool.use_registry(''regress_registry.numbers(text,text[])'')'),
  (7, 'SELECT awspool.use_registry(''regress_registry.rows(text,text[])'')'),
  (8, 'SELECT awspool.use_registry(''regress_registry.others(text,text[])'')'),
  (9, 'SELECT awspool.use_registry(''pg_temp.mine(text,text[])'')'),
  (10, 'SELECT awspool.use_registry(0::oid::regprocedure)'),
  (11, 'SELECT awspool.use_registry(4294967295::oid::regprocedure)'),
  (12, 'SELECT awspool.use_registry(''regress_registry.reserve(text,text[])'', ''regress_registry.one(text,text[])'')'),
  (13, 'SET LOCAL transaction_read_only = on; SELECT awspool.use_registry(NULL)'),
  (14, 'TABLE awspool.registry')
) c (n, call) ORDER BY c.n;
SELECT awspool.use_registry('regress_registry.rows(text,text[])');
\set VERBOSITY terse
SELECT awspool.use_registry('regress_registry.others(text,text[])');
\set VERBOSITY default
SET ROLE regress_awspool_acme;
SELECT awspool.use_registry(NULL);
RESET ROLE;
SELECT count(*) FROM awspool.registry;

-- Every entry point: what somebody else has is taken, the rest is stored, and
-- the function runs as the owner, whoever calls.
SELECT awspool.use_registry(reserve => 'regress_registry.reserve(text,text[])', look => 'regress_registry.taken(text,text[])');
SELECT purpose, schema_name, function_name, set_by = current_user AS mine, since <= clock_timestamp() AS "when"
FROM awspool.registry ORDER BY purpose;
SET ROLE regress_awspool_acme;
SELECT status FROM awspool.add_account('acme', '910000000001', 'MP-0000', 'SPAM');
SELECT status FROM awspool.add_account('acme', '920000000001', 'MP-0000', 'SPAM');
INSERT INTO awspool.accounts (account_id, marketplace, model) VALUES ('910000000002', 'MP-0000', 'SPAM');
INSERT INTO awspool.accounts (account_id, marketplace, model) VALUES ('920000000002', 'MP-0000', 'SPAM');
SELECT * FROM awspool.import_csv('acme', E'920000000003;MP-0000;SPAM\n910000000001;MP-0000;SPAM\n920000000002;MP-0000;SPAM\nx;MP-0000;SPAM\n910000000001;MP-0000;SPAM', skip_rejected => true);
SELECT * FROM awspool.import_csv('acme', E'920000000004;MP-0000;SPAM\n910000000001;MP-0000;SPAM');
SELECT * FROM awspool.check_csv('acme', E'920000000005;MP-0000;SPAM\n910000000002;MP-0000;SPAM\n920000000003;MP-0000;SPAM');
INSERT INTO awspool.import VALUES ('acme', '920000000005', 'MP-0000', 'SPAM'), ('acme', '910000000003', 'MP-0000', 'SPAM');
INSERT INTO awspool.import VALUES ('acme', '920000000005', 'MP-0000', 'SPAM'), ('acme', '920000000001', 'MP-0000', 'SPAM');
COPY awspool.import (account_id, marketplace_id, account_model) FROM stdin WITH (FORMAT csv, DELIMITER ';');
920000000006;MP-0000;SPAM
910000000001;MP-0000;SPAM
\.
SELECT * FROM awspool.check_reconcile_csv('acme', E'account_id;order_id;marketplace_id;account_model\n910000000001;O-1;MP-0000;SPAM\n920000000007;O-2;MP-0000;SPAM\n910000000002;O-3;;\n920000000001;O-4;;');
SELECT * FROM awspool.reconcile_csv('acme', E'account_id;order_id;marketplace_id;account_model\n910000000001;O-1;MP-0000;SPAM\n920000000007;O-2;MP-0000;SPAM\n910000000002;O-3;;\n920000000001;O-4;;');
RESET ROLE;
SELECT * FROM pg_temp.calls();
SELECT account_id, status FROM awspool.accounts ORDER BY account_id;
-- The reservations of what was rolled back went with it: this function does not
-- commit by itself.
SELECT account_id, provider FROM regress_registry.id ORDER BY account_id;

-- An order whose first account is taken gets the second of the list.
SELECT * FROM awspool.reconcile_csv('acme', E'account_id;order_id;marketplace_id;account_model\n910000000001;O-9;MP-0000;SPAM\n920000000009;O-9;MP-0000;SPAM');

-- A viewer may check, and nobody else may ask.
TRUNCATE regress_registry.call;
SELECT pg_temp.outcome_as('regress_awspool_viewer', 'SELECT awspool.check_csv(''acme'', ''910000000001;MP-0000;SPAM'')') AS viewer,
       pg_temp.outcome_as('regress_awspool_other', 'SELECT awspool.check_csv(''acme'', ''910000000001;MP-0000;SPAM'')') AS stranger,
       pg_temp.outcome_as('regress_awspool_viewer', 'SELECT awspool.add_account(''acme'', ''930000000001'', ''MP-0000'', ''SPAM'')') AS viewer,
       pg_temp.outcome_as('regress_awspool_acme', 'SELECT regress_registry.reserve(''other'', ''{930000000001}'')') AS direct;
SELECT * FROM pg_temp.calls();
BEGIN READ ONLY;
SELECT outcome FROM awspool.check_csv('acme', '910000000001;MP-0000;SPAM');
SELECT pg_temp.outcome('SELECT awspool.add_account(''acme'', ''930000000001'', ''MP-0000'', ''SPAM'')');
COMMIT;
-- What is malformed, or refused here, is asked of nobody; what another provider
-- has here is.
SELECT pg_temp.outcome('SELECT awspool.add_account(''acme'', ''x'', ''MP-0000'', ''SPAM'')') AS malformed,
       pg_temp.outcome('SELECT awspool.add_account(''acme'', ''920000000001'', ''MP-0000'', ''SPAM'')') AS present,
       pg_temp.outcome('SELECT awspool.claim_account(''acme'', ''MP-0000'')') AS claim;
SELECT account_id FROM awspool.invalidate_account('acme', '920000000003');
SELECT account_id FROM awspool.delete_account('acme', '920000000003');
SELECT pg_temp.outcome('SELECT awspool.add_account(''acme'', ''920000000003'', ''MP-0000'', ''SPAM'')') AS used;
SELECT * FROM pg_temp.calls();
SELECT outcome, detail FROM awspool.import_csv('other', '920000000001;MP-0000;SPAM', true);
SELECT * FROM pg_temp.calls();

-- Deleted while it was ready, it stays the provider's.
SELECT account_id FROM awspool.delete_account('acme', '920000000002');
SELECT pg_temp.outcome('SELECT awspool.add_account(''other'', ''920000000002'', ''MP-0000'', ''SPAM'')') AS other,
       pg_temp.outcome('SELECT awspool.add_account(''acme'', ''920000000002'', ''MP-0000'', ''SPAM'')') AS acme;

-- A large file: once a batch, and once for each provider in it; again, nobody.
TRUNCATE regress_registry.call;
SELECT outcome, count(*) FROM awspool.import_csv('acme',
  (SELECT string_agg(940000000000 + i || ';MP-0000;SPAM', E'\n') FROM generate_series(1, 10000) i)) GROUP BY 1;
SELECT outcome, count(*) FROM awspool.import_csv('acme',
  (SELECT string_agg(940000000000 + i || ';MP-0000;SPAM', E'\n') FROM generate_series(1, 10000) i)) GROUP BY 1;
INSERT INTO awspool.import SELECT CASE i % 2 WHEN 0 THEN 'acme' ELSE 'other' END, 950000000000 + i, 'MP-0000', 'SPAM' FROM generate_series(1, 1000) i;
SELECT * FROM pg_temp.calls();
SELECT count(*) FROM awspool.account WHERE account_id LIKE '950%';

-- In the replica role, as for a subscription, and by hand in the table, nobody is
-- asked.
SET session_replication_role = replica;
INSERT INTO awspool.account (provider, account_id, marketplace, model) VALUES ('acme', '910000000001', 'MP-0000', 'SPAM');
RESET session_replication_role;
SELECT * FROM pg_temp.calls();
DELETE FROM awspool.account WHERE account_id = '910000000001';

-- A function that fails, and others that make no sense: nothing is stored.  Why
-- is the owner's to know.
CREATE FUNCTION regress_registry.odd(provider text, account_ids text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  CASE account_ids[1]
    WHEN '960000000001' THEN RAISE EXCEPTION 'provider elsewhere has it' USING ERRCODE = 'unique_violation';
    WHEN '960000000002' THEN RETURN NEXT NULL;
    WHEN '960000000003' THEN RETURN NEXT '960000000004';
    WHEN '960000000004' THEN RETURN NEXT ' 960000000004';
    WHEN '960000000005' THEN RAISE EXCEPTION USING ERRCODE = 'serialization_failure';
    WHEN '960000000006' THEN RAISE EXCEPTION USING ERRCODE = 'query_canceled';
    WHEN '960000000007' THEN RETURN NEXT account_ids[1]; RETURN NEXT account_ids[1];
    WHEN '960000000008' THEN PERFORM set_config('search_path', 'regress_registry', false); SET CONSTRAINTS ALL DEFERRED;
    WHEN '960000000009' THEN PERFORM awspool.add_account('acme', '960000000010', 'MP-0000', 'SPAM');
    WHEN '960000000010' THEN NULL;
    WHEN '960000000011' THEN SET ROLE regress_awspool_other;
  END CASE;
END $$;
SELECT awspool.use_registry('regress_registry.odd(text,text[])', 'regress_registry.odd(text,text[])');
SELECT i AS n, pg_temp.outcome(format('SELECT awspool.add_account(''acme'', %L, ''MP-0000'', ''SPAM'')', 960000000000 + i)) AS add,
       pg_temp.outcome_as('regress_awspool_acme', format('SELECT awspool.import_csv(''acme'', %L)', 960000000000 + i || ';MP-0000;SPAM')) AS import,
       pg_temp.outcome_as('regress_awspool_acme', format('SELECT awspool.check_csv(''acme'', %L)', 960000000000 + i || ';MP-0000;SPAM')) AS check
FROM generate_series(1, 11) i WHERE i <> 6 ORDER BY i;
SELECT awspool.add_account('acme', '960000000006', 'MP-0000', 'SPAM');
SELECT current_user = session_user AS same, current_setting('search_path');
SELECT awspool.add_account('acme', '960000000001', 'MP-0000', 'SPAM');
SELECT awspool.add_account('acme', '960000000002', 'MP-0000', 'SPAM');
SELECT awspool.add_account('acme', '960000000003', 'MP-0000', 'SPAM');
SET ROLE regress_awspool_acme;
SELECT awspool.add_account('acme', '960000000001', 'MP-0000', 'SPAM');
SELECT awspool.check_csv('acme', '960000000001;MP-0000;SPAM');
RESET ROLE;

-- Dropped, replaced by another's, or not the owner's to call: nothing is stored,
-- and lint tells.  Claims go on.
SELECT awspool.use_registry('regress_registry.reserve(text,text[])', 'regress_registry.taken(text,text[])');
GRANT EXECUTE ON FUNCTION regress_registry.taken TO PUBLIC, regress_awspool_other;
SELECT severity, object, problem, action FROM awspool.lint() WHERE object LIKE 'function regress%';
REVOKE EXECUTE ON FUNCTION regress_registry.taken FROM PUBLIC, regress_awspool_other;
SELECT count(*) FROM awspool.lint() WHERE object LIKE 'function regress%';
ALTER FUNCTION regress_registry.reserve OWNER TO regress_awspool_acme;
SELECT pg_temp.outcome('SELECT awspool.add_account(''acme'', ''930000000001'', ''MP-0000'', ''SPAM'')');
SELECT severity, object, problem FROM awspool.lint() WHERE object LIKE 'function regress%';
DROP FUNCTION regress_registry.reserve;
SELECT awspool.add_account('acme', '930000000001', 'MP-0000', 'SPAM');
SELECT pg_temp.outcome('SELECT awspool.claim_account(''acme'', ''MP-0000'')') AS claim;
SELECT severity, object, problem, action FROM awspool.lint() WHERE object LIKE 'function regress%';
CREATE FUNCTION regress_registry.reserve(text, text[]) RETURNS SETOF int LANGUAGE sql AS 'SELECT 1';
SELECT awspool.add_account('acme', '930000000001', 'MP-0000', 'SPAM');
SELECT severity, object, problem FROM awspool.lint() WHERE object LIKE 'function regress%' AND severity = 'error';
DROP FUNCTION regress_registry.reserve;
-- The same name for the same form is the same to us: whatever it is written in.
CREATE FUNCTION regress_registry.reserve(text, text[]) RETURNS SETOF text LANGUAGE sql AS
  $$ SELECT u FROM unnest($2) u WHERE u = '910000000001' $$;
SELECT pg_temp.outcome('SELECT awspool.add_account(''acme'', ''910000000001'', ''MP-0000'', ''SPAM'')') AS taken,
       pg_temp.outcome('SELECT awspool.add_account(''acme'', ''930000000001'', ''MP-0000'', ''SPAM'')') AS free;
ALTER FUNCTION regress_registry.reserve STRICT;
SELECT pg_temp.outcome('SELECT awspool.add_account(''acme'', ''910000000001'', ''MP-0000'', ''SPAM'')') AS taken;
DROP FUNCTION regress_registry.reserve;
CREATE FUNCTION regress_registry.reserve(text, text[], OUT text) RETURNS SETOF text LANGUAGE sql AS
  $$ SELECT u FROM unnest($2) u WHERE u = '910000000001' $$;
SELECT pg_temp.outcome('SELECT awspool.add_account(''acme'', ''910000000001'', ''MP-0000'', ''SPAM'')') AS taken;

-- In transactions and savepoints: from the commit on, and undone with them.
SELECT awspool.use_registry('regress_registry.taken(text,text[])');
SELECT purpose, function_name FROM awspool.registry ORDER BY purpose;
BEGIN;
SELECT awspool.use_registry(NULL);
SELECT pg_temp.outcome('SELECT awspool.add_account(''acme'', ''910000000001'', ''MP-0000'', ''SPAM'')') AS none;
SAVEPOINT s;
SELECT awspool.use_registry('regress_registry.taken(text,text[])');
SELECT pg_temp.outcome('SELECT awspool.add_account(''acme'', ''910000000001'', ''MP-0000'', ''SPAM'')') AS taken;
ROLLBACK TO s;
SELECT pg_temp.outcome('SELECT awspool.add_account(''acme'', ''910000000001'', ''MP-0000'', ''SPAM'')') AS none;
ROLLBACK;
SELECT pg_temp.outcome('SELECT awspool.add_account(''acme'', ''910000000001'', ''MP-0000'', ''SPAM'')') AS taken;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*) FROM awspool.accounts WHERE provider = 'nobody';
SELECT status FROM awspool.add_account('acme', '930000000002', 'MP-0000', 'SPAM');
SAVEPOINT s;
SELECT awspool.add_account('acme', '910000000001', 'MP-0000', 'SPAM');
ROLLBACK TO s;
COMMIT;
-- Without one that looks, who checks asks nobody.
SELECT outcome FROM awspool.check_csv('acme', '910000000001;MP-0000;SPAM');
-- Rows by hand, or from a backup, count as well.
DELETE FROM awspool.registry;
SELECT pg_temp.outcome('SELECT awspool.add_account(''acme'', ''910000000001'', ''MP-0000'', ''SPAM'')') AS none;
INSERT INTO awspool.registry (purpose, schema_name, function_name) VALUES ('reserve', 'regress_registry', 'taken');
SELECT pg_temp.outcome('SELECT awspool.add_account(''acme'', ''910000000001'', ''MP-0000'', ''SPAM'')') AS taken;
\set VERBOSITY terse
INSERT INTO awspool.registry (purpose, schema_name, function_name) VALUES ('other', 'regress_registry', 'taken');
\set VERBOSITY default
-- Gone, all is as under the script of version 1.0.
ALTER TABLE awspool.registry RENAME TO registry_gone;
SELECT pg_temp.outcome('SELECT awspool.add_account(''acme'', ''910000000001'', ''MP-0000'', ''SPAM'')') AS none;
ALTER TABLE awspool.registry_gone RENAME TO registry;
SELECT pg_temp.outcome('SELECT awspool.add_account(''acme'', ''910000000001'', ''MP-0000'', ''SPAM'')') AS taken;
-- Frozen meanwhile, or the right revoked: the function takes its time.
CREATE FUNCTION regress_registry.freezes(text, text[]) RETURNS SETOF text LANGUAGE sql AS $$ SELECT awspool.freeze_provider($1); SELECT '' WHERE false $$;
CREATE FUNCTION regress_registry.revokes(text, text[]) RETURNS SETOF text LANGUAGE sql AS $$ SELECT awspool.revoke_provider($1, 'regress_awspool_acme'); SELECT '' WHERE false $$;
SELECT awspool.use_registry('regress_registry.freezes(text,text[])');
SELECT pg_temp.outcome_as('regress_awspool_acme', 'SELECT awspool.add_account(''acme'', ''930000000003'', ''MP-0000'', ''SPAM'')') AS add,
       pg_temp.outcome_as('regress_awspool_acme', 'SELECT awspool.import_csv(''acme'', ''930000000003;MP-0000;SPAM'')') AS import;
SELECT awspool.use_registry('regress_registry.revokes(text,text[])');
SELECT pg_temp.outcome_as('regress_awspool_acme', 'SELECT awspool.add_account(''acme'', ''930000000003'', ''MP-0000'', ''SPAM'')') AS add,
       pg_temp.outcome_as('regress_awspool_acme', 'SELECT awspool.import_csv(''acme'', ''930000000003;MP-0000;SPAM'')') AS import;
-- Gone in the midst of a batch: for the batch's other provider nobody is asked.
CREATE FUNCTION regress_registry.leaves(text, text[]) RETURNS SETOF text LANGUAGE sql AS $$ SELECT awspool.use_registry(NULL); SELECT outcome FROM awspool.check_csv($1, '930000000003;MP-0000;SPAM'); SELECT '' WHERE false $$;
SELECT awspool.use_registry('regress_registry.leaves(text,text[])');
SELECT pg_temp.outcome('INSERT INTO awspool.import SELECT CASE i % 2 WHEN 0 THEN ''acme'' ELSE ''other'' END, 970000000000 + i, ''MP-0000'', ''SPAM'' FROM generate_series(1, 40) i') AS import;
SELECT awspool.use_registry(NULL);
SELECT count(*) FROM awspool.registry;

SET client_min_messages = warning;
DROP SCHEMA regress_registry CASCADE;
TRUNCATE awspool.account, awspool.account_log, awspool.provider_role, awspool.provider_viewer;
DROP ROLE regress_awspool_acme, regress_awspool_viewer, regress_awspool_other;
