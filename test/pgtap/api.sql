-- The public face: every function, view and column that the contract names,
-- with its types, in its order, and nothing besides.
BEGIN;
SELECT no_plan();

--
-- Functions
--

-- Arguments and result, as \df shows them.  Helpers and triggers are at the end.
SELECT results_eq(
  $$ SELECT p.proname::text COLLATE "default", pg_get_function_arguments(p.oid), pg_get_function_result(p.oid)
     FROM pg_proc p
     WHERE p.pronamespace = 'awspool'::regnamespace
       AND p.prorettype <> 'trigger'::regtype
     ORDER BY p.proname COLLATE "C" $$,
  $$ VALUES
     ('account_events',
      'added_at timestamp with time zone, added_by text, claimed_at timestamp with time zone, claimed_by text, order_id text, order_model text, closed_at timestamp with time zone, closed_by text, status text, reason text',
      'TABLE(at timestamp with time zone, actor text, event text, detail text)'),
     ('account_history',
      'provider text, account_id text',
      'TABLE(at timestamp with time zone, actor text, event text, detail text)'),
     ('acts_for_all', '', 'boolean'),
     ('add_account',
      'provider text, account_id text, marketplace text, model text',
      'SETOF awspool.accounts'),
     ('allocate_account',
      'provider text, account_id text, order_id text DEFAULT NULL::text',
      'SETOF awspool.accounts'),
     ('blocked_accounts', 'provider text',
      'TABLE(marketplace text, account_id text, is_prepared boolean, pid integer, transaction_name text, since timestamp with time zone)'),
     ('check_csv',
      'provider text, csv text',
      'TABLE(line bigint, account_id text, marketplace text, model text, outcome text, detail text)'),
     ('check_reconcile_csv',
      'provider text, csv text',
      'TABLE(line bigint, account_id text, order_id text, outcome text, detail text)'),
     ('claim_account',
      'provider text, marketplace text, order_id text DEFAULT NULL::text',
      'SETOF awspool.accounts'),
     ('claim_accounts',
      'provider text, marketplace text, order_ids text[]',
      'SETOF awspool.accounts'),
     ('configure_pool',
      'provider text, marketplace text, low_water bigint DEFAULT NULL::bigint, min_days numeric DEFAULT NULL::numeric, deadline interval DEFAULT NULL::interval',
      'void'),
     ('count_anew', '',
      'TABLE(provider text, marketplace text, hour timestamp with time zone, added bigint, now_ready bigint, claimed bigint, now_in_progress bigint, now_allocated bigint, allocated bigint, now_failed bigint, provisioning_failed bigint, now_invalid bigint, invalid bigint, deleted bigint)'),
     ('delete_account',
      'provider text, account_id text',
      'SETOF awspool.accounts'),
     ('delete_accounts',
      'provider text, account_ids text[]',
      'TABLE(account_id text, outcome text, detail text)'),
     ('edit_account',
      'provider text, account_id text, marketplace text DEFAULT NULL::text, model text DEFAULT NULL::text',
      'SETOF awspool.accounts'),
     ('explain_claim',
      'provider text, marketplace text',
      'TABLE(rank bigint, account_id text, verdict text, detail text)'),
     ('fail_account',
      'provider text, account_id text, reason text DEFAULT NULL::text, order_id text DEFAULT NULL::text',
      'SETOF awspool.accounts'),
     ('fail_overdue',
      'provider text, max_accounts integer DEFAULT 100',
      'SETOF awspool.accounts'),
     ('find_alerts', '',
      'TABLE(severity text, alert text, provider text, marketplace text, account_id text, order_id text, since timestamp with time zone, detail text, action text)'),
     ('forget_provider', 'provider text', 'void'),
     ('freeze_provider', 'provider text', 'void'),
     ('grant_provider', 'provider text, role_name text', 'void'),
     ('grant_viewer', 'provider text, role_name text', 'void'),
     ('import_csv',
      'provider text, csv text, skip_rejected boolean DEFAULT false',
      'TABLE(line bigint, account_id text, marketplace text, model text, outcome text, detail text)'),
     ('invalidate_account',
      'provider text, account_id text, reason text DEFAULT NULL::text',
      'SETOF awspool.accounts'),
     ('is_well_formed',
      'provider text, account_id text, marketplace text, model text, order_id text',
      'boolean'),
     ('lint', '', 'TABLE(severity text, object text, problem text, action text)'),
     ('my_providers', '', 'text[]'),
     ('overdue_accounts', 'provider text',
      'TABLE(marketplace text, account_id text, order_id text, claimed_at timestamp with time zone, deadline interval)'),
     ('passed_over', 'provider text', 'SETOF awspool.accounts'),
     ('pause_pool',
      'provider text, marketplace text DEFAULT NULL::text, reason text DEFAULT NULL::text',
      'void'),
     ('plan_accounts', 'internal', 'internal'),
     ('read_activity', '',
      'TABLE(provider text, marketplace text, hour timestamp with time zone, added bigint, claimed bigint, allocated bigint, provisioning_failed bigint, invalid bigint, deleted bigint)'),
     ('read_pools', '',
      'TABLE(provider text, marketplace text, ready bigint, provisioning_in_progress bigint, allocated bigint, provisioning_failed bigint, invalid bigint, oldest_ready_at timestamp with time zone, claims_24h bigint, claims_7d bigint, oldest_in_progress_at timestamp with time zone, added_ever bigint, claimed_ever bigint, last_claim_hour timestamp with time zone)'),
     ('reconcile_csv',
      'provider text, csv text',
      'TABLE(line bigint, account_id text, order_id text, outcome text, detail text)'),
     ('recount', '', 'void'),
     ('recounted', '', 'TABLE(provider text, marketplace text, problem text)'),
     ('replace_account',
      'provider text, account_id text, reason text, order_id text DEFAULT NULL::text',
      'SETOF awspool.accounts'),
     ('resume_pool', 'provider text, marketplace text DEFAULT NULL::text', 'void'),
     ('revoke_provider', 'provider text, role_name text', 'void'),
     ('revoke_viewer', 'provider text, role_name text', 'void'),
     ('thaw_provider', 'provider text', 'void'),
     ('use_registry', 'reserve regprocedure, look regprocedure DEFAULT NULL::regprocedure', 'void'),
     ('verify', '', 'TABLE(severity text, object text, problem text, action text)'),
     ('verify_indexes', '', 'TABLE(severity text, object text, problem text, action text)'),
     ('verify_pool_starts', '', 'TABLE(severity text, object text, problem text, action text)'),
     ('visible_accounts', '', 'SETOF awspool.account_row'),
     ('visible_settings', '',
      'TABLE(provider text, marketplace text, low_water bigint, min_days numeric, deadline interval, paused_at timestamp with time zone, paused_by text, pause_reason text)') $$,
  'the functions, their arguments and results');

SELECT is_empty(
  $$ SELECT proname FROM pg_proc WHERE pronamespace = 'awspool'::regnamespace
     GROUP BY proname HAVING count(*) > 1 $$,
  'no function has an overload');

SELECT results_eq(
  $$ SELECT proname::text COLLATE "default" FROM pg_proc
     WHERE pronamespace = 'awspool'::regnamespace AND prorettype = 'trigger'::regtype
     ORDER BY proname COLLATE "C" $$,
  ARRAY['account_transition', 'change_accounts', 'count_setting_change', 'follow_sequence', 'import_begin',
        'import_end', 'import_row', 'keep_tally', 'log_account_change', 'note_provider_state', 'note_registry',
        'recount_truncated', 'refuse_used_account', 'resolve_provider_role', 'tally_account', 'tally_account_log'],
  'the trigger functions');

-- Everything acts on the present, so nothing may be folded, cached or given to
-- a parallel worker, except what says that it only looks.
SELECT results_eq(
  $$ SELECT proname::text COLLATE "default", provolatile::text, proparallel::text FROM pg_proc
     WHERE pronamespace = 'awspool'::regnamespace
       AND (provolatile, proparallel) <> ('v', 'u')
     ORDER BY proname COLLATE "C" $$,
  $$ VALUES ('account_events', 's', 'u'),
            ('acts_for_all', 's', 'u'),
            ('blocked_accounts', 's', 'u'),
            ('count_anew', 's', 'u'),
            ('find_alerts', 's', 'u'),
            ('is_well_formed', 'i', 's'),
            ('lint', 's', 'u'),
            ('my_providers', 's', 'u'),
            ('overdue_accounts', 's', 'u'),
            ('passed_over', 's', 'u'),
            ('read_activity', 's', 'u'),
            ('read_pools', 's', 'u'),
            ('recounted', 's', 'u'),
            ('verify', 's', 'u'),
            ('verify_indexes', 's', 'u'),
            ('visible_accounts', 's', 'u'),
            ('visible_settings', 's', 'u') $$,
  'only these functions are not volatile and parallel unsafe');

-- They judge the caller, so they must know the caller; NULL is an argument.
-- Only what is written in SQL has a search path of its own, and verify more.
SELECT is_empty(
  $$ SELECT proname FROM pg_proc WHERE pronamespace = 'awspool'::regnamespace
     AND proname NOT IN ('count_anew', 'find_alerts', 'lint', 'recounted', 'verify')
     AND (prosecdef OR proisstrict OR proleakproof OR proconfig IS NOT NULL
          OR provariadic <> 0 OR prokind <> 'f') $$,
  'no function is security definer, strict, leakproof or has settings');

-- Beside five million accounts that took 50 times as long as to look.
SELECT ok('jit=off' = ANY (proconfig), 'to look for alerts is not compiled first')
FROM pg_proc WHERE oid = 'awspool.find_alerts'::regproc;

SELECT results_eq(
  $$ SELECT p.proname::text COLLATE "default" FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
     WHERE p.pronamespace = 'awspool'::regnamespace AND l.lanname <> 'c'
     ORDER BY p.proname COLLATE "C" $$,
  ARRAY['account_events', 'count_anew', 'find_alerts', 'lint', 'recounted', 'verify'],
  'all but these are in C');

SELECT is_empty(
  $$ SELECT p.proname, p.prosrc, p.probin
     FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang AND l.lanname = 'c'
     WHERE p.pronamespace = 'awspool'::regnamespace
       AND (p.probin <> '$libdir/awspool'
            OR p.prosrc NOT IN ('awspool_' || p.proname, 'awspool_' || p.proname || '_sql')) $$,
  'the C name of awspool.f is awspool_f');

-- Rows come back in a select list as in FROM.
SELECT is((SELECT count(*) FROM (SELECT awspool.add_account('acme', '900000000001', 'MP-0001', 'SPAM')) r), 1::bigint, 'a row of add_account');
SELECT is((SELECT count(*) FROM (SELECT awspool.edit_account('acme', '900000000001', 'MP-0002')) r), 1::bigint, 'a row of edit_account');
SELECT is((SELECT count(*) FROM (SELECT awspool.check_csv('acme', E'900000000001;MP-0001;SPAM\n900000000002;MP-0002;SPAM')) r), 2::bigint, 'rows of check_csv');
SELECT is((SELECT count(*) FROM (SELECT awspool.import_csv('acme', E'900000000002;MP-0002;SPAM\n900000000003;MP-0002;SPAM')) r), 2::bigint, 'rows of import_csv');
SELECT is((SELECT count(*) FROM (SELECT awspool.import_csv('acme', E'900000000003;MP-0002;SPAM\nx', true)) r), 2::bigint, 'rows of import_csv that skips');
SELECT is((SELECT count(*) FROM (SELECT awspool.claim_account('acme', 'MP-0002', 'order')) r), 1::bigint, 'a row of claim_account');
SELECT is((SELECT count(*) FROM (SELECT awspool.replace_account('acme', '900000000001', NULL, 'order')) r), 1::bigint, 'a row of replace_account');
SELECT is((SELECT count(*) FROM (SELECT awspool.allocate_account('acme', '900000000002', 'order')) r), 1::bigint, 'a row of allocate_account');
SELECT is((SELECT count(*) FROM (SELECT awspool.fail_account('acme', '900000000001')) r), 1::bigint, 'a row of fail_account');
SELECT is((SELECT count(*) FROM (SELECT awspool.invalidate_account('acme', '900000000003')) r), 1::bigint, 'a row of invalidate_account');
SELECT is((SELECT count(*) FROM (SELECT awspool.delete_account('acme', '900000000003')) r), 1::bigint, 'a row of delete_account');
SELECT is((SELECT count(*) FROM (SELECT awspool.delete_accounts('acme', '{900000000001,900000000003}')) r), 2::bigint, 'rows of delete_accounts');
SELECT is((SELECT count(*) FROM (SELECT awspool.account_history('acme', '900000000001')) r), 5::bigint, 'rows of account_history');

--
-- Views and tables, columns in order
--

SELECT results_eq(
  $$ SELECT relname::text COLLATE "default", relkind::text FROM pg_class
     WHERE relnamespace = 'awspool'::regnamespace AND relkind NOT IN ('i', 'S')
     ORDER BY relname COLLATE "C" $$,
  $$ VALUES ('account', 'r'), ('account_log', 'r'), ('account_row', 'c'), ('accounts', 'v'),
            ('alerts', 'v'), ('arrival_count', 'r'), ('import', 'v'), ('pool_activity', 'v'), ('pool_setting', 'r'),
            ('pool_settings', 'v'), ('pool_start', 'r'), ('pool_status', 'v'), ('provider_role', 'r'),
            ('provider_state', 'r'), ('provider_viewer', 'r'), ('registry', 'r'), ('tally', 'r') $$,
  'the tables, views and the type of a row');

CREATE FUNCTION pg_temp.columns_of(relation regclass)
RETURNS TABLE (name text, type text, not_null boolean)
LANGUAGE sql AS $$
  SELECT attname::text, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute
  WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped ORDER BY attnum
$$;

SELECT results_eq(
  $$ SELECT name, type FROM pg_temp.columns_of('awspool.accounts') $$,
  $$ VALUES ('provider', 'text'), ('account_id', 'text'), ('marketplace', 'text'),
            ('model', 'text'), ('status', 'text'), ('order_id', 'text'),
            ('order_model', 'text'), ('reason', 'text'),
            ('added_at', 'timestamp with time zone'), ('added_by', 'text'),
            ('claimed_at', 'timestamp with time zone'), ('claimed_by', 'text'),
            ('closed_at', 'timestamp with time zone'), ('closed_by', 'text'),
            ('position', 'bigint') $$,
  'view accounts: the public row');

SELECT results_eq(
  $$ SELECT name, type FROM pg_temp.columns_of('awspool.pool_status') $$,
  $$ VALUES ('provider', 'text'), ('marketplace', 'text'), ('ready', 'bigint'),
            ('provisioning_in_progress', 'bigint'), ('allocated', 'bigint'),
            ('provisioning_failed', 'bigint'), ('invalid', 'bigint'),
            ('oldest_ready_at', 'timestamp with time zone'),
            ('claims_24h', 'bigint'), ('claims_7d', 'bigint'),
            ('oldest_in_progress_at', 'timestamp with time zone'),
            ('added_ever', 'bigint'), ('claimed_ever', 'bigint'),
            ('days_left', 'numeric'), ('paused_at', 'timestamp with time zone') $$,
  'view pool_status');

SELECT results_eq(
  $$ SELECT name, type FROM pg_temp.columns_of('awspool.pool_activity') $$,
  $$ VALUES ('provider', 'text'), ('marketplace', 'text'),
            ('hour', 'timestamp with time zone'), ('added', 'bigint'),
            ('claimed', 'bigint'), ('allocated', 'bigint'),
            ('provisioning_failed', 'bigint'), ('invalid', 'bigint'),
            ('deleted', 'bigint') $$,
  'view pool_activity');

SELECT results_eq(
  $$ SELECT name, type FROM pg_temp.columns_of('awspool.pool_settings') $$,
  $$ VALUES ('provider', 'text'), ('marketplace', 'text'), ('low_water', 'bigint'),
            ('min_days', 'numeric'), ('deadline', 'interval'),
            ('paused_at', 'timestamp with time zone'), ('paused_by', 'text'),
            ('pause_reason', 'text') $$,
  'view pool_settings');

SELECT results_eq(
  $$ SELECT name, type FROM pg_temp.columns_of('awspool.alerts') $$,
  $$ VALUES ('severity', 'text'), ('alert', 'text'), ('provider', 'text'),
            ('marketplace', 'text'), ('account_id', 'text'), ('order_id', 'text'),
            ('since', 'timestamp with time zone'), ('detail', 'text'), ('action', 'text') $$,
  'view alerts');

SELECT results_eq(
  $$ SELECT name, type FROM pg_temp.columns_of('awspool.import') $$,
  $$ VALUES ('provider', 'text'), ('account_id', 'text'),
            ('marketplace_id', 'text'), ('account_model', 'text') $$,
  'view import');

-- The library counts on these columns and their order.
SELECT results_eq(
  $$ SELECT * FROM pg_temp.columns_of('awspool.account') $$,
  $$ VALUES ('provider', 'text', true), ('account_id', 'text', true),
            ('marketplace', 'text', true), ('model', 'text', true),
            ('status', 'text', true), ('order_id', 'text', false),
            ('order_model', 'text', false), ('reason', 'text', false),
            ('added_at', 'timestamp with time zone', true), ('added_by', 'text', true),
            ('claimed_at', 'timestamp with time zone', false), ('claimed_by', 'text', false),
            ('closed_at', 'timestamp with time zone', false), ('closed_by', 'text', false),
            ('position', 'bigint', true) $$,
  'table account: the public row and the position');

SELECT results_eq(
  $$ SELECT * FROM pg_temp.columns_of('awspool.account_log') $$,
  $$ VALUES ('log_id', 'bigint', true), ('provider', 'text', true),
            ('account_id', 'text', true), ('at', 'timestamp with time zone', true),
            ('actor', 'text', true), ('event', 'text', true),
            ('detail', 'text', false), ('used', 'boolean', true),
            ('status', 'text', false), ('marketplace', 'text', false),
            ('added_at', 'timestamp with time zone', false) $$,
  'table account_log');

SELECT results_eq(
  $$ SELECT * FROM pg_temp.columns_of('awspool.tally') $$,
  $$ VALUES ('hour', 'timestamp with time zone', true), ('part', 'bigint', true),
            ('added', 'bigint', true), ('now_ready', 'bigint', true),
            ('claimed', 'bigint', true), ('now_in_progress', 'bigint', true),
            ('now_allocated', 'bigint', true), ('allocated', 'bigint', true),
            ('now_failed', 'bigint', true), ('provisioning_failed', 'bigint', true),
            ('now_invalid', 'bigint', true), ('invalid', 'bigint', true),
            ('deleted', 'bigint', true), ('provider', 'text', true),
            ('marketplace', 'text', true), ('recent_hour', 'timestamp with time zone', false),
            ('recent_claims', 'integer[]', false) $$,
  'table tally');

SELECT results_eq(
  $$ SELECT * FROM pg_temp.columns_of('awspool.provider_role') $$,
  $$ VALUES ('provider', 'text', true), ('role', 'text', true), ('role_oid', 'oid', true) $$,
  'table provider_role');
SELECT results_eq(
  $$ SELECT * FROM pg_temp.columns_of('awspool.provider_viewer') $$,
  $$ VALUES ('provider', 'text', true), ('role', 'text', true), ('role_oid', 'oid', true) $$,
  'table provider_viewer');
SELECT results_eq(
  $$ SELECT * FROM pg_temp.columns_of('awspool.provider_state') $$,
  $$ VALUES ('provider', 'text', true), ('state', 'text', true), ('restored', 'boolean', true),
            ('since', 'timestamp with time zone', true), ('set_by', 'text', true) $$,
  'table provider_state');
SELECT results_eq(
  $$ SELECT * FROM pg_temp.columns_of('awspool.registry') $$,
  $$ VALUES ('purpose', 'text', true), ('schema_name', 'text', true), ('function_name', 'text', true),
            ('since', 'timestamp with time zone', true), ('set_by', 'text', true) $$,
  'table registry');

SELECT results_eq(
  $$ SELECT * FROM pg_temp.columns_of('awspool.arrival_count') $$,
  $$ VALUES ('arrivals', 'bigint', true) $$,
  'table arrival_count');
SELECT results_eq(
  $$ SELECT * FROM pg_temp.columns_of('awspool.pool_start') $$,
  $$ VALUES ('position', 'bigint', true), ('arrivals', 'bigint', true), ('next_xid', 'bigint', true),
            ('provider', 'text', true), ('marketplace', 'text', true) $$,
  'table pool_start');
SELECT results_eq(
  $$ SELECT * FROM pg_temp.columns_of('awspool.pool_setting') $$,
  $$ VALUES ('provider', 'text', true), ('marketplace', 'text', true),
            ('low_water', 'bigint', false), ('min_days', 'numeric', false),
            ('deadline', 'interval', false), ('paused_at', 'timestamp with time zone', false),
            ('paused_by', 'text', false), ('pause_reason', 'text', false) $$,
  'table pool_setting');

--
-- What an error, a plan or a script may name: constraints, indexes, triggers
--

SELECT results_eq(
  $$ SELECT conrelid::regclass::text, conname::text COLLATE "default", contype::text, convalidated
     FROM pg_constraint
     WHERE connamespace = 'awspool'::regnamespace AND contype <> 'n'
     ORDER BY conrelid::regclass::text COLLATE "C", conname COLLATE "C" $$,
  $$ VALUES ('awspool.account', 'account_fits_its_status', 'c', true),
            ('awspool.account', 'account_is_well_formed', 'c', true),
            ('awspool.account', 'account_pkey', 'p', true),
            ('awspool.account_log', 'account_log_pkey', 'p', true),
            ('awspool.pool_setting', 'pool_setting_is_well_formed', 'c', true),
            ('awspool.pool_setting', 'pool_setting_makes_sense', 'c', true),
            ('awspool.pool_setting', 'pool_setting_pkey', 'p', true),
            ('awspool.pool_start', 'pool_start_pkey', 'p', true),
            ('awspool.provider_role', 'provider_role_is_well_formed', 'c', true),
            ('awspool.provider_role', 'provider_role_pkey', 'p', true),
            ('awspool.provider_state', 'provider_state_is_known', 'c', true),
            ('awspool.provider_state', 'provider_state_is_well_formed', 'c', true),
            ('awspool.provider_state', 'provider_state_pkey', 'p', true),
            ('awspool.provider_viewer', 'provider_viewer_is_well_formed', 'c', true),
            ('awspool.provider_viewer', 'provider_viewer_pkey', 'p', true),
            ('awspool.registry', 'registry_pkey', 'p', true),
            ('awspool.registry', 'registry_purpose_is_known', 'c', true),
            ('awspool.tally', 'tally_pkey', 'p', true) $$,
  'the constraints');

SELECT results_eq(
  $$ SELECT i.indexrelid::regclass::text, i.indisunique,
            ARRAY(SELECT pg_get_indexdef(i.indexrelid, n, true)
                  FROM generate_series(1, i.indnkeyatts) n ORDER BY n),
            i.indpred IS NOT NULL
     FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
     WHERE c.relnamespace = 'awspool'::regnamespace
     ORDER BY c.relname COLLATE "C" $$,
  $$ VALUES ('awspool.account_failed', false, ARRAY['provider', 'order_id'], true),
            ('awspool.account_in_progress', false, ARRAY['provider', 'claimed_at'], true),
            ('awspool.account_log_account', false, ARRAY['provider', 'account_id'], false),
            ('awspool.account_log_pkey', true, ARRAY['log_id'], false),
            ('awspool.account_log_used', true, ARRAY['account_id'], true),
            ('awspool.account_order', true, ARRAY['provider', 'order_id'], true),
            ('awspool.account_pkey', true, ARRAY['account_id'], false),
            ('awspool.account_provider', false, ARRAY['provider', '"position"'], false),
            ('awspool.account_ready', false, ARRAY['provider', 'marketplace', '"position"'], true),
            ('awspool.pool_setting_pkey', true, ARRAY['provider', 'marketplace'], false),
            ('awspool.pool_start_pkey', true, ARRAY['provider', 'marketplace'], false),
            ('awspool.provider_role_pkey', true, ARRAY['provider', 'role'], false),
            ('awspool.provider_state_pkey', true, ARRAY['provider'], false),
            ('awspool.provider_viewer_pkey', true, ARRAY['provider', 'role'], false),
            ('awspool.registry_pkey', true, ARRAY['purpose'], false),
            ('awspool.tally_open', false, ARRAY['provider', 'marketplace', 'hour', 'part'], true),
            ('awspool.tally_pkey', true, ARRAY['provider', 'marketplace', 'hour', 'part'], false) $$,
  'the indexes');

-- ORIGIN: not while logical replication applies rows;
-- ALWAYS: then, too; REPLICA: only then.
SELECT results_eq(
  $$ SELECT tgrelid::regclass::text, tgname::text COLLATE "default", tgfoid::regproc::text, tgenabled::text
     FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
     WHERE c.relnamespace = 'awspool'::regnamespace AND NOT tgisinternal
     ORDER BY c.relname COLLATE "C", tgname COLLATE "C" $$,
  $$ VALUES ('awspool.account', 'account_log_change', 'awspool.log_account_change', 'A'),
            ('awspool.account', 'account_recount', 'awspool.recount_truncated', 'A'),
            ('awspool.account', 'account_refuse_used', 'awspool.refuse_used_account', 'A'),
            ('awspool.account', 'account_tally', 'awspool.tally_account', 'A'),
            ('awspool.account', 'account_transition', 'awspool.account_transition', 'A'),
            ('awspool.account_log', 'account_log_follow_sequence', 'awspool.follow_sequence', 'A'),
            ('awspool.account_log', 'account_log_recount', 'awspool.recount_truncated', 'A'),
            ('awspool.account_log', 'account_log_tally', 'awspool.tally_account_log', 'A'),
            ('awspool.accounts', 'change_accounts', 'awspool.change_accounts', 'O'),
            ('awspool.import', 'import_begin', 'awspool.import_begin', 'O'),
            ('awspool.import', 'import_end', 'awspool.import_end', 'O'),
            ('awspool.import', 'import_row', 'awspool.import_row', 'O'),
            ('awspool.pool_setting', 'pool_setting_count_change', 'awspool.count_setting_change', 'A'),
            ('awspool.provider_role', 'provider_role_resolve', 'awspool.resolve_provider_role', 'A'),
            ('awspool.provider_state', 'provider_state_note', 'awspool.note_provider_state', 'A'),
            ('awspool.provider_viewer', 'provider_viewer_resolve', 'awspool.resolve_provider_role', 'A'),
            ('awspool.registry', 'registry_note', 'awspool.note_registry', 'A'),
            ('awspool.tally', 'tally_keep', 'awspool.keep_tally', 'R') $$,
  'the triggers');

-- Ids are compared byte by byte, whatever the locale of the database.
SELECT is_empty(
  $$ SELECT c.relname, a.attname, l.collname
     FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
       CROSS JOIN LATERAL unnest(i.indcollation::oid[], i.indkey::int2[]) k (coll, attnum)
       JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
       JOIN pg_collation l ON l.oid = k.coll
     WHERE c.relnamespace = 'awspool'::regnamespace AND l.collname <> 'C' $$,
  'every text column of an index has collation "C"');

SELECT * FROM finish();
ROLLBACK;
