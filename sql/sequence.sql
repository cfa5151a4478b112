--
-- Positions, and the numbers of the log, that were not drawn from their
-- sequences: these follow, so what is added next is the youngest.
--

-- An account by hand, with a position of its own.
CREATE FUNCTION pg_temp.insert_at(account_id text, at bigint) RETURNS void LANGUAGE sql AS $$
  INSERT INTO awspool.account (provider, account_id, marketplace, model, position) VALUES ('acme', account_id, 'MP-0000', 'SPAM', at)
$$;
CREATE TEMP VIEW by_age AS SELECT account_id, position FROM awspool.account ORDER BY position;
ALTER SEQUENCE awspool.account_position RESTART;

-- Beyond the sequence, which follows, and before it, which it does not.
SELECT account_id FROM awspool.add_account('acme', '700000000001', 'MP-0000', 'SPAM');
SELECT pg_temp.insert_at('700000000002', 1000);
SELECT account_id FROM awspool.add_account('acme', '700000000003', 'MP-0000', 'SPAM');
SELECT pg_temp.insert_at('700000000004', 5);
SELECT pg_temp.insert_at('700000000005', -5);
SELECT account_id FROM awspool.add_account('acme', '700000000006', 'MP-0000', 'SPAM');
SELECT * FROM by_age;

-- A table that is read in as a backup of it would be, also as a replica does.
COPY awspool.account (provider, account_id, marketplace, model, position) FROM stdin;
acme	700000000011	MP-0000	SPAM	2000
acme	700000000012	MP-0000	SPAM	1500
\.
SELECT count(*) FROM awspool.import_csv('acme', (SELECT string_agg(700000000100 + n || ';MP-0000;SPAM', E'\n') FROM generate_series(1, 20) n));
SET session_replication_role = replica;
SELECT pg_temp.insert_at('700000000013', 3000);
RESET session_replication_role;
SELECT account_id FROM awspool.add_account('acme', '700000000014', 'MP-0000', 'SPAM');
SELECT min(position), max(position) FROM by_age WHERE account_id LIKE '7000000001%';
SELECT * FROM by_age WHERE position >= 1500 AND account_id NOT LIKE '7000000001%';

-- What is drawn next in the same transaction is beyond it, too; rolled back, the
-- row leaves a gap.
BEGIN;
SELECT account_id FROM awspool.add_account('acme', '700000000021', 'MP-0000', 'SPAM');
SELECT pg_temp.insert_at('700000000022', 4000);
SELECT account_id FROM awspool.add_account('acme', '700000000023', 'MP-0000', 'SPAM');
SELECT * FROM by_age WHERE position > 3001;
ROLLBACK;
SELECT account_id FROM awspool.add_account('acme', '700000000024', 'MP-0000', 'SPAM');
SELECT * FROM by_age WHERE position > 3001;

-- One that leaves nothing to draw is not followed.
SELECT pg_temp.insert_at('700000000031', 9223372036854775807);
SELECT account_id FROM awspool.add_account('acme', '700000000032', 'MP-0000', 'SPAM');
SELECT * FROM by_age WHERE position > 4002;

-- Whoever may insert needs no right on the sequence.
CREATE ROLE regress_awspool_restorer BYPASSRLS;
GRANT INSERT ON awspool.account TO regress_awspool_restorer;
SET ROLE regress_awspool_restorer;
INSERT INTO awspool.account (provider, account_id, marketplace, model, position) VALUES ('acme', '700000000041', 'MP-0000', 'SPAM', 5000);
RESET ROLE;
REVOKE INSERT ON awspool.account FROM regress_awspool_restorer;
DROP ROLE regress_awspool_restorer;
SELECT account_id FROM awspool.add_account('acme', '700000000042', 'MP-0000', 'SPAM');
SELECT * FROM by_age WHERE account_id LIKE '70000000004_';

-- Many are drawn at once, but not what the session keeps of a CACHE.
ALTER SEQUENCE awspool.account_position CACHE 20;
SELECT count(*) FROM awspool.import_csv('acme', (SELECT string_agg(700000000200 + n || ';MP-0000;SPAM', E'\n') FROM generate_series(1, 30) n));
SELECT account_id FROM awspool.add_account('acme', '700000000043', 'MP-0000', 'SPAM');
SELECT count(*) - count(DISTINCT position) AS twice FROM by_age;
ALTER SEQUENCE awspool.account_position CACHE 1;

-- The log.
SELECT last_value AS last FROM awspool.account_log_log_id_seq \gset
INSERT INTO awspool.account_log (log_id, provider, account_id, at, actor, event) OVERRIDING SYSTEM VALUE
VALUES (:last + 100, 'acme', '700000000001', now(), 'me', 'edited'), (:last + 50, 'acme', '700000000001', now(), 'me', 'edited');
SELECT account_id FROM awspool.edit_account('acme', '700000000001', model => 'ECAM');
SELECT log_id - :last AS number, actor = 'me' AS mine FROM awspool.account_log ORDER BY log_id;

-- What nobody follows is a sequence that is set back, as by a dump of a smaller
-- pool that is loaded into this one: lint() tells.
BEGIN;
SELECT FROM setval('awspool.account_position', 1);
SELECT FROM setval('awspool.account_log_log_id_seq', 1);
SELECT severity, object, problem, regexp_replace(action, '\d+\)', '...)') AS action FROM awspool.lint() WHERE object LIKE 'sequence %';
SELECT account_id FROM awspool.add_account('acme', '700000000051', 'MP-0000', 'SPAM');
ROLLBACK;
SELECT FROM setval('awspool.account_position', (SELECT max(position) FROM awspool.account WHERE position < 10000));
SELECT FROM setval('awspool.account_log_log_id_seq', (SELECT max(log_id) FROM awspool.account_log));
SELECT count(*) FROM awspool.lint() WHERE object LIKE 'sequence %';

TRUNCATE awspool.account, awspool.account_log;
DROP VIEW by_age;
