# The counts of pools are what a recount finds, in every snapshot: while many
# sessions do all that can be done, in savepoints, in prepared transactions, by
# the owner's SQL, and a crash ends them; after a dump and restore, with triggers
# or without; on a subscriber; and after an update from version 1.0.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use File::Spec;
use File::Temp 'tempfile';
use POSIX 'WNOHANG';
use PostgreSQL::Test::Utils;
use Test::More;

use constant {
	SESSIONS => 8,
	ROUNDS => 3,
	TRANSACTIONS => 200,   # of a session in a round
};

my $seed = $ENV{SEED} // int rand 1_000_000;
note "SEED=$seed";
srand $seed;

my $node = start_pool('tally', conf => <<'CONF');
max_prepared_transactions = 100
max_connections = 40
wal_level = replica
max_wal_senders = 2
synchronous_commit = local
log_lock_waits = off
deadlock_timeout = 100ms
CONF

# In one snapshot, what the views show against what accounts and log say.
my $differences = 'SELECT * FROM awspool.recounted()';

sub is_counted
{
	my ($server, $name, $dbname) = @_;

	is($server->safe_psql($dbname // 'postgres', $differences), '', $name);
	return;
}

#
# Many sessions.  What a script says is random, and does not have to succeed.
#

my @providers = ('acme', 'other');
my @places = map { "MP-000$_" } 0 .. 3;
my $last_id = 100_000_000_000;

sub one_of { return $_[ rand @_ ]; }

# An account of that status, as any other session may pick it as well.
sub some_account
{
	my ($provider, $status, $n) = @_;

	return "(SELECT provider, account_id FROM awspool.account WHERE provider = '$provider'"
	  . " AND status $status ORDER BY random() LIMIT " . ($n // 1) . ') a';
}

my @acts = (
	sub { "SELECT awspool.claim_account('$_[0]', '$_[1]')" },
	sub { "SELECT awspool.claim_account('$_[0]', '$_[1]', 'o-" . int(rand 1e9) . "')" },
	sub { "SELECT awspool.claim_account('$_[0]', '$_[1]')" },
	sub {
		'SELECT awspool.'
		  . one_of('allocate_account(provider, account_id)',
			"fail_account(provider, account_id, 'x')",
			"invalidate_account(provider, account_id, 'x')",
			"replace_account(provider, account_id, 'x')")
		  . ' FROM ' . some_account($_[0], "= 'provisioning_in_progress'");
	},
	sub {
		"SELECT awspool.edit_account(provider, account_id, '$_[1]') FROM "
		  . some_account($_[0], "= 'ready'");
	},
	sub {
		'SELECT awspool.delete_account(provider, account_id) FROM '
		  . some_account($_[0], "<> 'provisioning_in_progress'");
	},
	sub {
		$last_id++;
		"SELECT awspool.add_account('$_[0]', '$last_id', '$_[1]', 'SPAM')";
	},
	sub {
		my $n = one_of(3, 20, 60);
		my @rows = map { $last_id++; "$last_id;" . one_of(@places) . ';SPAM' } 1 .. $n;
		"SELECT count(*) FROM awspool.import_csv('$_[0]', E'" . join('\n', @rows) . "', true)";
	},
	# Rows of earlier hours, which are merged at once.
	sub {
		my $from = $last_id + 1;
		$last_id += 5;
		'INSERT INTO awspool.account (provider, account_id, marketplace, model, added_at)'
		  . " SELECT '$_[0]', i, '$_[1]', 'SPAM', now() - random() * interval '9 days'"
		  . " FROM generate_series($from, $last_id) i";
	},
	sub {
		"UPDATE awspool.account SET status = 'invalid' WHERE account_id IN (SELECT account_id FROM "
		  . some_account($_[0], "= 'ready'", 3) . ')';
	},
	sub {
		"UPDATE awspool.account SET marketplace = '$_[1]' WHERE account_id IN (SELECT account_id FROM "
		  . some_account($_[0], "= 'ready'", 3) . ')';
	},
	sub {
		'DELETE FROM awspool.account WHERE account_id IN (SELECT account_id FROM '
		  . some_account($_[0], "IN ('ready', 'allocated')", 3) . ')';
	},
	sub {
		"DO \$\$ BEGIN PERFORM awspool.claim_account('$_[0]', '$_[1]'); "
		  . "RAISE EXCEPTION 'x'; EXCEPTION WHEN raise_exception THEN NULL; END \$\$";
	});

sub act { return one_of(@acts)->(one_of(@providers), one_of(@places)) . ";\n"; }

# Savepoints within a transaction; after an error, what is left is rolled back.
sub transaction
{
	my ($gid) = @_;
	my $sql = "BEGIN;\n";
	my $depth = 0;

	$sql = 'BEGIN ISOLATION LEVEL ' . one_of('REPEATABLE READ', 'SERIALIZABLE') . ";\n"
	  if rand() < 0.3;
	for (1 .. 1 + rand 6)
	{
		my $what = rand;

		if ($what < 0.25) { $sql .= 'SAVEPOINT s' . ++$depth . ";\n"; }
		elsif ($what < 0.4 && $depth) { $sql .= "ROLLBACK TO s$depth;\n"; }
		elsif ($what < 0.5 && $depth) { $sql .= 'RELEASE s' . $depth-- . ";\n"; }
		else { $sql .= act(); }
	}
	my $end = rand;
	return $sql
	  . ( $end < 0.2 ? 'ROLLBACK'
		: $end < 0.35 ? "PREPARE TRANSACTION '$gid'"
		: 'COMMIT')
	  . ";\n";
}

sub script
{
	my ($session) = @_;
	my $sql = "SET lock_timeout = '200ms';\n";

	for (1 .. TRANSACTIONS)
	{
		$sql .= rand() < 0.5 ? act() : transaction("$session-$last_id-$_");
		$sql .= '\c' . "\nSET lock_timeout = '200ms';\n" if rand() < 0.05;
	}
	return $sql;
}

# Returns the process of a session that runs a script, whatever comes of it.
sub start_session
{
	my ($sql) = @_;
	my ($file, $name) = tempfile(UNLINK => 1);

	print $file $sql;
	close $file;
	my $pid = fork // die "cannot fork: $!";
	return $pid if $pid;
	open STDOUT, '>', File::Spec->devnull;
	open STDERR, '>', File::Spec->devnull;
	exec('psql', '-X', '-q', '-f', $name, '-d', $node->connstr('postgres'))
	  or POSIX::_exit(1);
}

# Some of the prepared transactions, either way.
sub end_prepared
{
	my ($share) = @_;
	my @gids = grep { rand() < $share } split "\n",
	  $node->safe_psql('postgres', 'SELECT gid FROM pg_prepared_xacts');

	$node->psql('postgres',
		join("\n", "SET lock_timeout = '1s';",
			map { one_of('COMMIT', 'ROLLBACK') . " PREPARED '$_';" } @gids),
		on_error_stop => 0);
	return;
}

my $looked = 0;
my @wrong;

# Twice in each snapshot.
sub look
{
	my $sql = join "\n", map { "BEGIN ISOLATION LEVEL $_;\n$differences;\n"
		  . "SELECT pg_sleep(0.01);\n$differences;\nSELECT 'looked';\nCOMMIT;" }
	  ('REPEATABLE READ', 'SERIALIZABLE', 'REPEATABLE READ READ ONLY') x 3;
	my ($ret, $out, $err) = $node->psql('postgres', $sql, on_error_stop => 0);

	$looked++ while $out =~ s/^looked$//m;
	$out =~ s/^\n+//mg;
	push @wrong, $out if $out ne '';
	return;
}

for my $round (1 .. ROUNDS)
{
	my @sessions = map { start_session(script("$round-$_")) } 1 .. SESSIONS;
	my $crash = $round == 2 ? 1 : -1;

	while (@sessions = grep { waitpid($_, WNOHANG) == 0 } @sessions)
	{
		look();
		end_prepared(0.3);
		$node->psql('postgres',
			"SET lock_timeout = '100ms'; " . one_of('VACUUM awspool.tally',
				'VACUUM FULL awspool.tally', 'VACUUM awspool.account', 'SELECT 1'))
		  if rand() < 0.2;
		if ($crash-- == 0)
		{
			$node->stop('immediate');
			$node->start;
			is_counted($node, "round $round: after a crash");
		}
	}
	is_counted($node, "round $round: with transactions prepared");
	end_prepared(1);
	is_counted($node, "round $round: with none");
}
is(join('', @wrong), '', "each of $looked looks found what a recount does");
cmp_ok($looked, '>', 30, 'and there were some');
isnt($node->safe_psql('postgres', 'SELECT count(*) FROM awspool.account'), '0',
	'there are accounts');
isnt($node->safe_psql('postgres', 'SELECT sum(deleted) FROM awspool.pool_activity'), '0',
	'and there were');
cmp_ok(
	$node->safe_psql('postgres', 'SELECT count(*) FROM awspool.tally WHERE part = 1'),
	'>', 10, 'hours were merged');

# The same once made anew.
my $status = 'SELECT * FROM awspool.pool_status ORDER BY 1, 2';
my $activity = 'SELECT * FROM awspool.pool_activity ORDER BY 1, 2, 3';
my $counted = $node->safe_psql('postgres',
	"BEGIN; $activity; SELECT provider, marketplace, ready, added_ever, claimed_ever FROM awspool.pool_status WHERE added_ever > 0 ORDER BY 1, 2; COMMIT;");

$node->safe_psql('postgres', 'SELECT awspool.recount()');
is( $node->safe_psql('postgres',
		"$activity; SELECT provider, marketplace, ready, added_ever, claimed_ever FROM awspool.pool_status WHERE added_ever > 0 ORDER BY 1, 2;"),
	$counted, 'recount changes nothing');

#
# A commit that tidies up goes past what others have, waits for nobody, and
# does it another time.
#

my $owner = $node->background_psql('postgres', on_error_stop => 0);
my $late = "INSERT INTO awspool.account (provider, account_id, marketplace, model, added_at)"
  . " VALUES ('acme', nextval('late'), 'MP-0000', 'SPAM', date_trunc('hour', now()) - interval '50 hours')";
my $merged = "SELECT count(*) FROM awspool.tally WHERE provider = 'acme' AND marketplace = 'MP-0000'"
  . " AND hour = date_trunc('hour', now()) - interval '50 hours' AND part > 1";

$node->safe_psql('postgres', 'CREATE SEQUENCE late START 880000000000');
$node->safe_psql('postgres', $late);
is($node->safe_psql('postgres', $merged), '0', 'an hour that is over is merged at once');
for my $sql (
	'SELECT FROM awspool.tally WHERE part = 0 FOR UPDATE',
	'SELECT FROM awspool.tally WHERE part = 0 FOR KEY SHARE',
	'SELECT FROM awspool.tally WHERE part = 1 FOR UPDATE',
	'SELECT FROM awspool.tally WHERE part = 1 FOR KEY SHARE',
	'DELETE FROM awspool.tally WHERE part = 0',
	'UPDATE awspool.tally SET part = part WHERE part = 1')
{
	$owner->query_safe("BEGIN; $sql");
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	$session->query_safe("SET statement_timeout = '20s'");
	is(eval { $session->query_safe($late); 'done' }, 'done', "beside $sql");
	$owner->query_safe('ROLLBACK');
	is_counted($node, "after $sql");
	$session->query_safe($late);
	is($node->safe_psql('postgres', $merged), '0', 'merged later');
	is_counted($node, 'and counted');
	$session->quit;
}
$owner->quit;
$node->safe_psql('postgres', 'DROP SEQUENCE late');

# While a snapshot is held, nothing that was replaced goes.  A reader passes it by,
# also when it has ended: what it reads does not grow with what was counted.

sub pages_of_status
{
	return buffers_in(plan_again($node, 'SELECT * FROM awspool.pool_status', before => 'SET ROLE regress_awspool_held'));
}

$node->safe_psql('postgres', "CREATE ROLE regress_awspool_held; SELECT awspool.grant_viewer('held', 'regress_awspool_held')");

my $holder = $node->background_psql('postgres', on_error_stop => 0);
my $count = sub {
	my ($n, $from, $hours) = @_;

	$node->safe_psql('postgres', "DO \$\$ BEGIN FOR i IN 1..$n LOOP
		INSERT INTO awspool.account (provider, account_id, marketplace, model, added_at)
		VALUES ('held', $from + i, 'MP-0000', 'SPAM', date_trunc('hour', now()) - interval '$hours hours');
		COMMIT;
	END LOOP; END \$\$");
};
$count->(1, 870000000000, 40);
$holder->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT');
$owner = $node->background_psql('postgres', on_error_stop => 0);
$owner->query_safe("BEGIN; SELECT FROM awspool.tally WHERE part = 0 AND provider = 'held' FOR UPDATE");
$count->(200, 870000001000, 40);
my $few = pages_of_status();
$count->(3000, 870000002000, 40);
is($node->safe_psql('postgres', "SELECT count(*) FROM awspool.tally WHERE provider = 'held' AND part > 1"), '1', 'one fragment grows');
cmp_ok(pages_of_status(), '<', 1.5 * $few, "what it was before is passed by, $few pages");
cmp_ok($node->safe_psql('postgres', 'BEGIN; SET ROLE regress_awspool_held; SELECT FROM awspool.pool_status;'
	. q{SELECT pg_stat_get_xact_numscans('awspool.tally_open'::regclass)}), '>', 1, 'of its entries, too, most');
$owner->query_safe('ROLLBACK');
$count->(1, 870000009000, 39);
is($node->safe_psql('postgres', "SELECT count(*) FROM awspool.tally WHERE provider = 'held' AND part > 1"), '0', 'it is merged');
cmp_ok(pages_of_status(), '<', 1.5 * $few, 'and passed by as a whole');
is_counted($node, 'rightly');
$holder->query_safe('ROLLBACK');
$_->quit for $holder, $owner;

# A provider that is forgotten does not leave what is merged meanwhile: by a
# session that still has that to do, and whose commit waits for a standby.

my ($leaving, $ready) = map {
	"INSERT INTO awspool.account (provider, account_id, marketplace, model, added_at)"
	  . " VALUES ('$_->[0]', '$_->[1]', 'MP-0000', 'SPAM', date_trunc('hour', now()) - interval '$_->[2] hours')"
} ([ 'leaving', '890000000001', 40 ], [ 'other', '890000000002', 0 ]);

$owner = $node->background_psql('postgres', on_error_stop => 0);
$node->safe_psql('postgres', $leaving =~ s/0001'/0003'/r =~ s/40 hours/50 hours/r);
$owner->query_safe("SELECT pg_advisory_lock(7); BEGIN; SELECT FROM awspool.tally WHERE provider = 'leaving' FOR UPDATE");
my @both = start_session("$leaving; SELECT pg_advisory_lock(7); SET synchronous_commit = on; $ready;");
$node->poll_query_until('postgres',
	"SELECT EXISTS (SELECT FROM awspool.tally WHERE provider = 'leaving' AND part > 1)")
  or die 'no part of a sum';
$owner->query_safe('ROLLBACK');
$node->safe_psql('postgres', "SELECT awspool.freeze_provider('leaving')");
$node->safe_psql('postgres', "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
$node->reload;
sleep 2;    # the checkpointer has to hear of it, too
$owner->query_safe('SELECT pg_advisory_unlock(7)');
$node->poll_query_until('postgres',
	"SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep')")
  or die 'nobody waits for a standby';
push @both, start_session("SELECT awspool.forget_provider('leaving')");
$node->poll_query_until('postgres',
	"SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%forget_provider%' AND pid <> pg_backend_pid())")
  or die 'nobody waits for a merge';
$node->safe_psql('postgres', 'ALTER SYSTEM RESET synchronous_standby_names');
$node->reload;
waitpid $_, 0 for @both;
is($node->safe_psql('postgres', "SELECT * FROM awspool.tally WHERE provider = 'leaving'"),
	'', 'of a provider that was forgotten nothing is left, whoever was merging it');
is_counted($node, 'when a provider was forgotten');
$owner->quit;

#
# Readers do not make claims fail.
#

$node->safe_psql('postgres', 'CREATE TABLE seen (n bigint)');
my $failed = 0;
for (1 .. 10)
{
	my $reader = $node->background_psql('postgres', on_error_stop => 0);
	my $claim = $node->background_psql('postgres', on_error_stop => 0);

	$reader->query_safe('BEGIN ISOLATION LEVEL SERIALIZABLE');
	$claim->query_safe('BEGIN ISOLATION LEVEL SERIALIZABLE');
	$claim->query_safe('SELECT count(*) FROM seen');
	$reader->query_safe('INSERT INTO seen SELECT sum(ready) FROM awspool.pool_status');
	$reader->query_safe('SELECT count(*) FROM awspool.pool_activity');
	$claim->query_safe("SELECT account_id FROM awspool.claim_account('acme', 'MP-0000')");
	$failed++ if !eval { $claim->query_safe('COMMIT'); $reader->query_safe('COMMIT'); 1 };
	$reader->quit;
	$claim->quit;
}
is($failed, 0, 'a serializable reader and a claim do not disturb each other');

#
# A dump has none of it; a restore counts again, in the hours of the rows.
#

my $dir = PostgreSQL::Test::Utils::tempdir;
my $before = $node->safe_psql('postgres', "$status; $activity");

$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/dump", $node->connstr('postgres') ], 'dump');
for my $how ([], ['--disable-triggers'])
{
	my $name = @$how ? 'without_triggers' : 'restored';

	$node->safe_psql('postgres', "CREATE DATABASE $name");
	if (@$how)
	{
		$node->safe_psql($name, 'CREATE EXTENSION awspool; CREATE TABLE seen (n bigint)');
	}
	$node->command_ok(
		[ 'pg_restore', '-d', $node->connstr($name), (@$how ? ('--data-only', @$how) : ()), "$dir/dump" ],
		"restore @$how");
	if (@$how)
	{
		isnt($node->safe_psql($name, $differences), '', 'recounted tells that nothing was counted');
		$node->safe_psql($name, 'SELECT awspool.recount()');
	}
	is($node->safe_psql($name, "$status; $activity"), $before, "the same counts, restored @$how");
	is_counted($node, "restored @$how", $name);
}

#
# Version 1.0, with and without an update.
#

$node->safe_psql('postgres', 'CREATE DATABASE old');
$node->safe_psql('old', <<'SQL');
CREATE EXTENSION awspool VERSION '1.0';
SELECT awspool.add_account('acme', lpad(i::text, 12, '0'), 'MP-000' || i % 2, 'SPAM') FROM generate_series(1, 20) i;
SELECT awspool.claim_account('acme', 'MP-0000') FROM generate_series(1, 4);
SELECT awspool.allocate_account('acme', '000000000002');
SELECT awspool.fail_account('acme', '000000000004');
SELECT awspool.edit_account('acme', '000000000010', 'MP-0002');
SELECT awspool.delete_accounts('acme', '{000000000002,000000000004,000000000001,000000000010}');
SELECT awspool.add_account('acme', '000000000001', 'MP-0001', 'SPAM');
SELECT awspool.delete_account('acme', '000000000001');
SQL
is( $node->safe_psql('old',
		'SELECT marketplace, ready, provisioning_in_progress, claims_24h FROM awspool.pool_status ORDER BY 1'),
	"MP-0000|5|2|2\nMP-0001|9|0|0", 'the view of version 1.0 counts accounts');
$node->safe_psql('old', <<'SQL');
BEGIN;
SELECT awspool.claim_account('acme', 'MP-0000');
ALTER EXTENSION awspool UPDATE TO '1.1';
SELECT awspool.claim_account('acme', 'MP-0000');
COMMIT;
SQL
is_counted($node, 'an update counts what is there', 'old');
is( $node->safe_psql('old',
		'SELECT marketplace, ready, provisioning_in_progress, added_ever, claimed_ever FROM awspool.pool_status ORDER BY 1'),
	"MP-0000|3|4|9|6\nMP-0001|9|0|11|0\nMP-0002|0|0|1|0", 'deleted ones as well');

# A dump of version 1.0 in 1.1: the log is completed from its deletions.
$node->safe_psql('postgres', 'CREATE DATABASE older');
$node->safe_psql('older', <<'SQL');
CREATE EXTENSION awspool VERSION '1.0';
SELECT awspool.add_account('acme', lpad(i::text, 12, '0'), 'MP-000' || i % 2, 'SPAM') FROM generate_series(1, 20) i;
SELECT awspool.claim_account('acme', 'MP-0000') FROM generate_series(1, 4);
SELECT awspool.allocate_account('acme', '000000000002');
SELECT awspool.delete_accounts('acme', '{000000000002,000000000001}');
SQL
$node->safe_psql('postgres', 'CREATE DATABASE newer');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/older", $node->connstr('older') ], 'dump of 1.0');
$node->command_ok([ 'pg_restore', '-d', $node->connstr('newer'), "$dir/older" ], 'restored into 1.1');
is_counted($node, 'what came from 1.0 is counted', 'newer');
is( $node->safe_psql('newer',
		'SELECT marketplace, ready, provisioning_in_progress, added_ever, claimed_ever FROM awspool.pool_status ORDER BY 1'),
	"MP-0000|6|3|10|4\nMP-0001|9|0|10|0", 'and what was deleted there');

# The extension goes and comes again in the midst of a transaction.
$node->safe_psql('newer', <<'SQL');
BEGIN;
SELECT awspool.claim_account('acme', 'MP-0000');
DROP EXTENSION awspool CASCADE;
DROP SCHEMA IF EXISTS awspool CASCADE;
CREATE EXTENSION awspool;
SELECT awspool.add_account('acme', '000000000001', 'MP-0009', 'SPAM');
COMMIT;
SQL
is_counted($node, 'nothing of the extension before', 'newer');

#
# Many pools in one transaction.
#

$node->safe_psql('newer', <<'SQL');
INSERT INTO awspool.account (provider, account_id, marketplace, model)
SELECT 'p' || i % 100, 500000000000 + i, 'MP-' || lpad(i::text, 5, '0'), 'SPAM' FROM generate_series(1, 10000) i;
SQL
is( $node->safe_psql('newer', 'SELECT count(*), sum(ready) FROM awspool.pool_status'),
	'10001|10001', 'ten thousand pools');
is_counted($node, 'of ten thousand pools', 'newer');
$node->safe_psql('newer', 'SELECT awspool.recount()');
is_counted($node, 'made anew', 'newer');

# Each of them is below its low-water mark and has an account in progress: the
# alerts find its last claim in one pass over those, not in one for each pool.
sub buffers_of
{
	return buffers_in(plan_again($node, $_[0], dbname => 'newer'));
}

$node->safe_psql('newer', <<'SQL');
INSERT INTO awspool.pool_setting (provider, marketplace, low_water)
SELECT provider, marketplace, 2 FROM awspool.pool_status WHERE provider LIKE 'p%';
INSERT INTO awspool.account (provider, account_id, marketplace, model, status, order_model, claimed_at, claimed_by)
SELECT 'p' || i % 100, 600000000000 + i, 'MP-' || lpad(i::text, 5, '0'), 'SPAM', 'provisioning_in_progress', 'SPAM',
	now() - i * interval '1 second', 'app'
FROM generate_series(1, 10000) i;
SQL
is( $node->safe_psql('newer',
		"SELECT count(*), sum((a.since = o.claimed_at)::int) FROM awspool.alerts a
		JOIN awspool.accounts o USING (provider, marketplace) WHERE alert = 'low' AND o.status = 'provisioning_in_progress'"),
	'10000|10000', 'each has its alert, and since its last claim');
my $pages = buffers_of('SELECT count(*) FROM awspool.pool_status');
cmp_ok(buffers_of('SELECT count(*) FROM awspool.alerts'), '<', 2 * $pages,
	"and that costs about what pool_status costs: $pages buffers");
$node->safe_psql('newer', 'TRUNCATE awspool.pool_setting');

# More in a transaction than is kept in memory.
$node->safe_psql('newer', <<'SQL');
TRUNCATE awspool.account, awspool.account_log;
BEGIN;
SAVEPOINT a;
INSERT INTO awspool.account (provider, account_id, marketplace, model, added_at)
SELECT 'acme', 500000000000 + i, 'MP-0000', 'SPAM', '2001-01-01'::timestamptz + i * interval '1 hour' FROM generate_series(1, 70000) i;
SAVEPOINT b;
INSERT INTO awspool.account (provider, account_id, marketplace, model, added_at)
SELECT 'acme', 600000000000 + i, 'MP-0000', 'SPAM', '2001-01-01'::timestamptz + i * interval '1 hour' FROM generate_series(1, 70000) i;
ROLLBACK TO b;
INSERT INTO awspool.account (provider, account_id, marketplace, model, added_at)
SELECT 'acme', 700000000000 + i, 'MP-0001', 'SPAM', '2001-01-01'::timestamptz + i * interval '1 hour' FROM generate_series(1, 10) i;
COMMIT;
SQL
is( $node->safe_psql('newer',
		'SELECT ready, (SELECT count(*) FROM awspool.pool_activity a WHERE a.marketplace = s.marketplace), (SELECT count(*) FROM awspool.tally t WHERE t.marketplace = s.marketplace AND part > 1) FROM awspool.pool_status s ORDER BY marketplace'),
	"70000|70000|0\n10|10|0", 'many hours in one transaction');
is_counted($node, 'of many hours', 'newer');

# Savepoints that have ended: what they counted cannot be written within another
# one, so it is added up.  Of what was counted in one pool and two hours, in turns,
# little is left; and what is rolled back afterwards is not counted.
my $turns = "INSERT INTO awspool.account (provider, account_id, marketplace, model, added_at) SELECT 'acme', %d + i, 'MP-0002', 'SPAM', '2001-01-01'::timestamptz + i %% 2 * interval '1 hour' FROM generate_series(1, %d) i";
is( $node->safe_psql(
		'newer',
		join ';',
		'BEGIN',
		map({ ("SAVEPOINT $_->[0]", sprintf($turns, $_->[1], $_->[2])) }
			[ 'a', 800000000000, 40000 ], [ 'b', 810000000000, 30000 ]),
		'RELEASE b', 'RELEASE a', 'SAVEPOINT c',
		sprintf($turns, 820000000000, 1000),
		"SELECT used_bytes < 4000000 FROM pg_backend_memory_contexts WHERE name = 'TopTransactionContext'",
		'ROLLBACK TO c', sprintf($turns, 830000000000, 10), 'COMMIT'),
	't', 'more in savepoints than is kept in memory');
is( $node->safe_psql('newer', "SELECT ready FROM awspool.pool_status WHERE marketplace = 'MP-0002'"),
	'70010', 'which is counted');
is_counted($node, 'in ended savepoints', 'newer');

$node->stop;

#
# A subscriber counts what arrives, whatever is published.
#

my %logical = (init => { allows_streaming => 'logical' });
my $publisher = start_pool('tally_publisher', %logical);
my $subscriber = start_pool('tally_subscriber', %logical);

add_accounts($publisher, map { "90000000000$_" } 1 .. 9);
$publisher->safe_psql('postgres', <<'SQL');
SELECT awspool.claim_account('acme', 'MP-0001', 'order-1');
SELECT awspool.allocate_account('acme', '900000000001', 'order-1');
SELECT awspool.delete_account('acme', '900000000001');
CREATE PUBLICATION pool FOR ALL TABLES;
SQL
$subscriber->safe_psql('postgres',
	"CREATE SUBSCRIPTION pool CONNECTION '" . $publisher->connstr . " dbname=postgres' PUBLICATION pool");
$subscriber->wait_for_subscription_sync($publisher, 'pool');
is_counted($subscriber, 'after the first copy');
$publisher->safe_psql('postgres', <<'SQL');
SELECT awspool.claim_account('acme', 'MP-0001', 'order-2');
SELECT awspool.fail_account('acme', '900000000002', 'no quota', 'order-2');
SELECT awspool.claim_account('acme', 'MP-0001', 'order-3');
SELECT awspool.edit_account('acme', '900000000004', 'MP-0002');
SELECT awspool.delete_account('acme', '900000000002');
SELECT awspool.recount();
SQL
$publisher->wait_for_catchup('pool');
is_counted($subscriber, 'while it goes on');
is( $subscriber->safe_psql('postgres', "$status; $activity"),
	$publisher->safe_psql('postgres', "$status; $activity"),
	'the subscriber has the same counts');
$publisher->safe_psql('postgres', 'TRUNCATE awspool.account, awspool.account_log');
$publisher->wait_for_catchup('pool');
is_counted($subscriber, 'after a TRUNCATE');
is($subscriber->safe_psql('postgres', 'SELECT count(*) FROM awspool.account'), '0', 'which arrived');
is($subscriber->safe_psql('postgres', "SELECT count(*) FROM pg_stat_subscription WHERE pid IS NOT NULL AND relid IS NULL"),
	'1', 'the subscription goes on');
$subscriber->stop;
$publisher->stop;

done_testing();
