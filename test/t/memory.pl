# One session makes very many calls, of every function and view, successful and
# failing, and none of its memory grows.
#
# CALLS says how many; make soak makes ten million.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use Test::More;

my $calls = $ENV{CALLS} || ($ENV{SAMPLE} ? 50_000 : 200_000);
my $node = start_pool('memory', conf => <<'END');
autovacuum = on
max_wal_size = 4GB
log_min_messages = fatal
END

$node->safe_psql('postgres', <<'END');
CREATE ROLE regress_awspool_shop;
CREATE ROLE regress_awspool_other;
SELECT awspool.grant_provider('acme', 'regress_awspool_shop');

-- How much memory contexts of each name have, and use.
CREATE TABLE memory (point text, name text, bytes bigint, used bigint);

CREATE PROCEDURE note_memory(point text)
BEGIN ATOMIC
  INSERT INTO memory
    SELECT point, name, sum(total_bytes), sum(used_bytes)
    FROM pg_backend_memory_contexts GROUP BY name;
END;

CREATE FUNCTION used_memory() RETURNS bigint LANGUAGE sql SECURITY DEFINER
RETURN (SELECT sum(used_bytes) FROM pg_backend_memory_contexts);

CREATE FUNCTION id(n int) RETURNS text RETURN lpad(n::text, 12, '0');

CREATE FUNCTION file(first int, last int) RETURNS text
RETURN (SELECT string_agg(id(i) || E';MP-0001;SPAM\n', '')
        FROM generate_series(first, last) i);

-- A call that fails, in a subtransaction that is rolled back.
CREATE PROCEDURE fail_with(code text, call text) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE 'SELECT FROM ' || call;
  RAISE EXCEPTION 'not refused: %', call;
EXCEPTION WHEN OTHERS THEN
  IF SQLSTATE <> code THEN RAISE; END IF;
END;
$$;

-- The life of a pool, from empty to empty: about 10,000 calls.
CREATE PROCEDURE use_pool() LANGUAGE plpgsql AS $$
DECLARE
  new text;
BEGIN
  PERFORM awspool.grant_provider('*', 'regress_awspool_other');
  PERFORM awspool.revoke_provider('*', 'regress_awspool_other');
  SET LOCAL ROLE regress_awspool_shop;

  -- 100 accounts, in every way
  PERFORM FROM awspool.check_csv('acme', file(1, 40));
  PERFORM FROM awspool.check_reconcile_csv('acme', id(0) || ';order;;MP-0001;SPAM;2020-01-01');
  PERFORM FROM awspool.reconcile_csv('acme', id(0) || ';order-r;provisioning_failed;MP-0001;SPAM;2020-01-01');
  PERFORM FROM awspool.passed_over('acme');
  PERFORM FROM awspool.import_csv('acme', file(1, 40));
  PERFORM FROM awspool.import_csv('acme', file(31, 50) || 'x;y;z', true);
  INSERT INTO awspool.import (account_id, marketplace_id, account_model)
    SELECT id(i), 'MP-0001', 'SPAM' FROM generate_series(41, 60) i;
  INSERT INTO awspool.accounts (provider, account_id, marketplace, model)
    SELECT 'acme', id(i), 'MP-0001', 'SPAM' FROM generate_series(61, 80) i;
  UPDATE awspool.accounts SET model = 'ECAM' WHERE account_id > id(50);
  UPDATE awspool.accounts SET marketplace = 'MP-0002' WHERE account_id > id(70);
  FOR i IN 81 .. 100 LOOP
    PERFORM FROM awspool.add_account('acme', id(i), 'MP-0002', 'SPAM');
    PERFORM FROM awspool.edit_account('acme', id(i), 'MP-0001', 'ECAM');
    PERFORM FROM awspool.account_history('acme', id(i));
  END LOOP;
  FOR i IN 1 .. 13 LOOP
    PERFORM FROM awspool.accounts WHERE account_id < id(i);
    PERFORM FROM awspool.pool_status;
  END LOOP;
  PERFORM awspool.my_providers(), awspool.acts_for_all();

  -- Ready again and again: 600 calls
  FOR i IN 1 .. 300 LOOP
    PERFORM FROM awspool.add_account('acme', id(200), 'MP-0003', 'SPAM');
    PERFORM FROM awspool.delete_account('acme', id(200));
  END LOOP;

  -- Twenty orders that ask for their accounts again, and close them: 8,900
  FOR i IN 1 .. 5000 LOOP
    PERFORM FROM awspool.claim_account('acme', 'MP-0001', 'order-' || i % 20);
  END LOOP;
  FOR i IN 1 .. 1300 LOOP
    PERFORM FROM awspool.allocate_account('acme', id(1 + i % 5));
    PERFORM FROM awspool.fail_account('acme', id(6 + i % 5), 'no reason');
    PERFORM FROM awspool.invalidate_account('acme', id(11 + i % 5), 'no reason');
  END LOOP;

  -- Claims without orders, replaced, and closed through the view
  FOR i IN 1 .. 20 LOOP
    SELECT account_id INTO new FROM awspool.claim_account('acme', 'MP-0001');
    SELECT account_id INTO new FROM awspool.replace_account('acme', new, 'no reason');
    UPDATE awspool.accounts SET status = 'allocated' WHERE account_id = new;
    PERFORM FROM awspool.account_history('acme', new);
    PERFORM FROM awspool.claim_account('acme', 'MP-0009', 'order-x');
  END LOOP;

  -- Failures, and claims that are rolled back: 290 calls
  FOR i IN 1 .. 20 LOOP
    CALL fail_with('WS001', format('awspool.fail_account(''acme'', %L)', id(1)));
    CALL fail_with('WS002', format('awspool.allocate_account(''acme'', %L, ''order-x'')', id(16)));
    CALL fail_with('WS002', 'awspool.claim_account(''acme'', ''MP-0002'', ''order-19'')');
    CALL fail_with('WS003', format('awspool.delete_account(''acme'', %L)', id(999)));
    CALL fail_with('WS003', format('awspool.account_history(''acme'', %L)', id(999)));
    CALL fail_with('WS004', format('awspool.delete_account(''acme'', %L)', id(16)));
    CALL fail_with('WS006', format('awspool.import_csv(''acme'', %L)', file(300, 301) || 'x'));
    CALL fail_with('22P04', 'awspool.import_csv(''acme'', ''"'')');
    CALL fail_with('23505', format('awspool.add_account(''acme'', %L, ''MP-0001'', ''SPAM'')', id(1)));
    CALL fail_with('22023', format('awspool.edit_account(''acme'', %L, model => ''none'')', id(1)));
    CALL fail_with('22023', 'awspool.claim_account(''acme'', ''nowhere'')');
    CALL fail_with('42501', 'awspool.claim_account(''other'', ''MP-0001'')');
    CALL fail_with('42501', 'awspool.grant_provider(''acme'', ''regress_awspool_other'')');
    BEGIN
      INSERT INTO awspool.import (account_id, marketplace_id, account_model)
        VALUES (id(300), 'MP-0001', 'SPAM'), (id(301), 'MP-0001', 'none');
    EXCEPTION WHEN invalid_parameter_value THEN NULL;
    END;
  END LOOP;
  FOR i IN 1 .. 10 LOOP
    BEGIN
      SELECT account_id INTO STRICT new FROM awspool.claim_account('acme', 'MP-0001', 'order-y');
      RAISE EXCEPTION USING ERRCODE = 'WS000';
    EXCEPTION WHEN SQLSTATE 'WS000' THEN NULL;
    END;
  END LOOP;

  PERFORM FROM awspool.delete_accounts('acme', ARRAY[id(1), id(6), id(16), id(999)]);
  CALL fail_with('WS005', format('awspool.add_account(''acme'', %L, ''MP-0001'', ''SPAM'')', id(1)));
  PERFORM FROM awspool.account_history('acme', id(1));
  DELETE FROM awspool.accounts WHERE status <> 'provisioning_in_progress';
  RESET ROLE;
  TRUNCATE awspool.account, awspool.account_log;
END;
$$;

CREATE PROCEDURE use_pool(times int) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. times LOOP
    CALL use_pool();
    COMMIT;
  END LOOP;
END;
$$;
END

# The first calls fill caches, and a statement is planned anew five times before
# its plan is kept.  Memory is noted in the same way each time, and when there
# are no statistics left to be sent.  Less than 4 kB may be a cached row of a
# catalog; what is lost in every call, or every failing one, is more.
my $note = "SELECT pg_stat_force_next_flush();\nCALL note_memory";
my $times = int(($calls + 9999) / 10000);

is( $node->safe_psql('postgres', <<"END"), '',
\\o /dev/null
CALL use_pool(8);
$note('first');
$note('before');
CALL use_pool($times);
$note('after');
\\o
SELECT name, before.bytes, after.bytes, before.used, after.used
FROM (SELECT * FROM memory WHERE point = 'after') after
LEFT JOIN (SELECT * FROM memory WHERE point = 'before') before USING (name)
WHERE after.bytes > coalesce(before.bytes, 0)
   OR after.used > coalesce(before.used, 0) + 4096
ORDER BY name;
END
	"no memory grows in ${times}0000 calls");

# Nor within one statement, or transaction, that makes many calls.  Not edits
# of the same account: whatever is changed again in a transaction costs the
# server memory, until that ends.
$node->safe_psql('postgres', <<'END');
SELECT FROM awspool.import_csv('acme', file(1, 10));
SELECT FROM awspool.claim_account('acme', 'MP-0001', 'order-1');
SELECT FROM awspool.allocate_account('acme', id(1));
SELECT FROM awspool.claim_account('acme', 'MP-0001', 'order-2');
SELECT FROM awspool.add_account('other', id(900), 'MP-0001', 'SPAM');
END
for my $call (
	"claim_account('acme', 'MP-0001', 'order-' || 1 + i % 2)",
	"claim_accounts('acme', 'MP-0001', ARRAY['order-1', 'order-2', 'order-1'])",
	"explain_claim('acme', 'MP-000' || 1 + i % 2)",
	"allocate_account('acme', id(1), 'order-' || i / i)",
	"edit_account('acme', id(3 + i % 2), 'MP-0001', 'SPAM')",
	"add_account('acme', id(1000 + i), 'MP-0001', 'SPAM')",
	"import_csv('acme', file(3, 4 + i % 2))",
	"check_csv('acme', file(3, 4 + i % 2))",
	"delete_accounts('acme', ARRAY[id(2 + i % 2 * 997)])",
	"account_history('acme', id(1 + i % 2))",
	'accounts a WHERE a.account_id = ANY (ARRAY[id(1 + i % 10), id(2)])',
	'accounts a WHERE a.position = (SELECT position FROM awspool.accounts WHERE position >= i % 3 ORDER BY position LIMIT 1)')
{
	# What each command has counted is kept until the transaction ends, or there
	# are 65,536 of them (tally.c).
	my $room = $call =~ /^add_account/ ? 300 * 1000 : 1024;

	is($node->safe_psql('postgres', <<"END"), 't', "nor in 1,000 of $call");
SELECT max(used) FILTER (WHERE i = 1500)
       < max(used) FILTER (WHERE i = 500) + $room
FROM (SELECT i, CASE WHEN i % 500 = 0 THEN used_memory() END AS used
      FROM (SELECT generate_series(1, 1500) i) numbers,
        LATERAL (SELECT count(*) FROM awspool.$call) rows OFFSET 0) calls;
END
}

done_testing();
