# Where the head of a pool is, when the end of a transaction is decided
# elsewhere, when sessions or servers die, and when accounts arrive from
# outside.  What goes without that is in test/specs/head.spec.  As there,
# sessions are warm, younger accounts are left so that one that is missed shows
# as a wrong order, and what is named in brackets is what, in src/head.c unless
# said otherwise, the test before it fails without.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $node = start_pool(
	'pool',
	init => { allows_streaming => 'logical' },
	conf => "max_prepared_transactions = 10\nrestart_after_crash = on\n");
my $claim = claim_sql() . ';';
my $last_id = 0;

# Add that many accounts to a pool, and return their ids, oldest first.
sub stock
{
	my ($count, $marketplace, $on) = @_;
	my @ids = map { sprintf '9%011d', ++$last_id } 1 .. $count;
	my $rows = join ', ',
	  map { "('acme', '$_', '" . ($marketplace // 'MP-0001') . "', 'SPAM')" }
	  @ids;

	($on // $node)->safe_psql('postgres',
		"INSERT INTO awspool.accounts (provider, account_id, marketplace, model) VALUES $rows"
	);
	return @ids;
}

# Add many accounts that are used up at once.  An old snapshot, or a
# transaction that lasts, keeps the dead entries: to walk past them is long.
sub fill
{
	my ($marketplace) = @_;
	my $first = $last_id + 1;

	$marketplace //= 'MP-0001';

	$last_id += 3000;
	$node->safe_psql('postgres', <<"SQL");
INSERT INTO awspool.accounts (provider, account_id, marketplace, model)
SELECT 'acme', 900000000000 + i, '$marketplace', 'SPAM' FROM generate_series($first, $last_id) i;
UPDATE awspool.account SET status = 'invalid'
WHERE account_id::bigint >= 900000000000 + $first;
SQL
	return;
}

sub start_over
{
	$node->safe_psql('postgres',
		'TRUNCATE awspool.account, awspool.account_log, awspool.provider_role, awspool.pool_start'
	);
	return;
}

sub session
{
	my ($on) = @_;

	return ($on // $node)->background_psql('postgres', on_error_stop => 0);
}

# Claim that many times in a session.
sub claims
{
	my ($session, $count) = @_;

	return join ' ', map { $session->query_safe($claim) } 1 .. $count;
}

sub prepare
{
	my ($name, $sql) = @_;

	$node->safe_psql('postgres', "BEGIN; $sql; PREPARE TRANSACTION '$name';");
	return;
}

# Rows that somebody inserts by hand, older than all others
sub insert_sql
{
	my (@ids) = @_;
	my $ids = join ', ', map { "'$_'" } @ids;

	return "INSERT INTO awspool.account (provider, account_id, marketplace, model, added_by, position)"
	  . " SELECT 'acme', u.id, 'MP-0001', 'SPAM', 'hand', low + i - 100"
	  . " FROM (SELECT coalesce(min(position), 0) AS low FROM awspool.account) p,"
	  . " unnest(ARRAY[$ids]) WITH ORDINALITY u (id, i)";
}

sub notes
{
	return $node->safe_psql('postgres',
		'SELECT count(*) FROM awspool.pool_start WHERE arrivals >= 0');
}

sub wait_until_gone
{
	my ($pid) = @_;

	$node->poll_query_until('postgres',
		"SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)");
	return;
}

#
# The extension is dropped and created again: positions begin anew.
#

my ($warm, $cold) = (session(), session());
my @a = stock(6);
is(claims($warm, 3), "@a[0 .. 2]", 'a session warms up');
is(claims($cold, 2), "@a[3 .. 4]", 'so does another');
$warm->query_safe('DROP EXTENSION awspool; CREATE EXTENSION awspool');
@a = stock(6);
is(claims($warm, 2), "@a[0 .. 1]",
	'the session that creates the extension anew claims [get_pool: pools_table, pools_file]'
);
is(claims($cold, 2), "@a[2 .. 3]", 'so does the other');
$cold->quit;

#
# PREPARE TRANSACTION: the claim is decided elsewhere.
#

start_over();
@a = stock(12);
is(claims($warm, 2), "@a[0 .. 1]", 'a session warms up');
$warm->query_safe('BEGIN');
is(claims($warm, 3), "@a[2 .. 4]", 'it claims, and prepares that');
$warm->query_safe("PREPARE TRANSACTION 'own'");
is(claims($warm, 1), $a[5], 'it steps over what it has prepared');
$node->safe_psql('postgres', "ROLLBACK PREPARED 'own'");
is(claims($warm, 3), "@a[2 .. 4]",
	'which is rolled back [end_transaction: XACT_EVENT_PREPARE]');
prepare('other', "$claim $claim");
is(claims($warm, 1), $a[8], 'it steps over what others have prepared');
$node->safe_psql('postgres', "ROLLBACK PREPARED 'other'");
is(claims($warm, 2), "@a[6 .. 7]",
	'which is rolled back [learn: position = doubt.first]');
prepare('other', $claim);
is(claims($warm, 1), $a[10], 'another claim is prepared');
$node->safe_psql('postgres', "COMMIT PREPARED 'other'");
is(claims($warm, 1), $a[11], 'and committed');

# Prepared claims become doubts, since to walk past them is long.
@a = stock(2);
prepare('claims', "$claim $claim");
fill();
my @b = stock(4);
is(claims($warm, 2), "@b[0 .. 1]", 'a long walk past prepared claims');
$node->safe_psql('postgres', "ROLLBACK PREPARED 'claims'");
is( claims($warm, 4),
	"@a @b[2 .. 3]",
	'which are rolled back [reserve_doubtful: start->position = doubt.first]'
);

# So do prepared accounts.
@a = map { sprintf '8%011d', $_ } 1 .. 3;
prepare('accounts', insert_sql(@a));
fill();
@b = stock(4);
is(claims($warm, 2), "@b[0 .. 1]", 'a long walk past prepared accounts');
$node->safe_psql('postgres', "COMMIT PREPARED 'accounts'");
is( claims($warm, 5),
	"@a @b[2 .. 3]",
	'which are committed [walk: dirty.xmin; add_doubt: last]');

# Two that share a position are one doubt, and then may be two.
@a = map { sprintf '8%011d', $_ } 11 .. 12;
$node->safe_psql('postgres', insert_sql($_)) for $a[0];
$node->safe_psql('postgres',
	"INSERT INTO awspool.account (provider, account_id, marketplace, model, added_by, position)"
	  . " SELECT provider, '$a[1]', marketplace, model, added_by, position FROM awspool.account WHERE account_id = '$a[0]'"
);
prepare('claims', "$claim $claim");
fill();
@b = stock(4);
is(claims($warm, 2), "@b[0 .. 1]",
	'a long walk past prepared claims of two accounts at one position');
$node->safe_psql('postgres', "ROLLBACK PREPARED 'claims'");
my @others = (session(), session());
$_->query_safe('BEGIN') for @others;
my ($lasting, $aborted) = map { claims($_, 1) } @others;
is(join(' ', sort $lasting, $aborted), "@a", 'they are claimed once more');
is(claims($warm, 1), $b[2], 'and stepped over');
$others[1]->query_safe('ROLLBACK');
is(claims($warm, 2), "$aborted $b[3]",
	'one is given back [look_again: ndoubts]');
$others[0]->query_safe('ROLLBACK');
is(claims($warm, 1), $lasting, 'then the other');
$_->quit for @others;

# The server restarts before the decision, or it does not.
for my $mode ('', 'fast', 'immediate')
{
	my ($moved) = stock(1, 'MP-0009');
	my @first = stock(2);
	@a = stock(4);
	if (!$mode)
	{
		is(claims($warm, 2), "@first", 'a session warms up');
	}

	prepare('move',
		"SELECT FROM awspool.edit_account('acme', '$moved', 'MP-0001')");
	if ($mode)
	{
		$warm->quit;
		$node->stop($mode);
		$node->start;
		$warm = session();
		is(claims($warm, 2), "@first", "a session warms up after $mode stop");
	}
	prepare('claims', "$claim $claim");
	my $added = sprintf '9%011d', ++$last_id;
	prepare('add',
		"SELECT FROM awspool.add_account('acme', '$added', 'MP-0001', 'SPAM')");
	if ($mode)
	{
		# Once more, with all of them
		$warm->quit;
		$node->stop($mode);
		$node->start;
		$warm = session();
	}
	@b = stock(5);
	is(claims($warm, 3), "@a[2 .. 3] $b[0]",
		'it steps over all that is prepared');
	$node->safe_psql('postgres', "ROLLBACK PREPARED 'claims'");
	is(claims($warm, 3), "@a[0 .. 1] $b[1]", 'claims are rolled back');
	$node->safe_psql('postgres', "COMMIT PREPARED 'move'");
	is(claims($warm, 2), "$moved $b[2]",
		'a move is committed [arrival.c: XACT_EVENT_PRE_PREPARE]');
	$node->safe_psql('postgres', "COMMIT PREPARED 'add'");
	is(claims($warm, 3), "$added @b[3 .. 4]", 'an addition is committed');
}

#
# A session ends in the middle of a claim.
#

my $doomed = session();
my $pid = $doomed->query_safe('SELECT pg_backend_pid()');
@a = stock(6);
is(claims($warm, 1), $a[0], 'a session warms up');
$doomed->query_safe('BEGIN');
is(claims($doomed, 2), "@a[1 .. 2]", 'another begins to claim');
is(claims($warm, 1), $a[3], 'and is stepped over');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
wait_until_gone($pid);
eval { $doomed->quit };
is(claims($warm, 3), "@a[1, 2, 4]",
	'it is terminated [learn: position = doubt.first]');

#
# Who reads pool_status starts where a session that claims has kept that it should,
# but for what an older snapshot shows.
#

start_over();
stock(100);
my ($elsewhere) = stock(1, 'MP-0009');
my ($claimed) = stock(1);
stock(599);
my ($left) = stock(1);
my ($before, $then, $now) = (session(), session(), session());

# The account that is said to be the oldest ready one, or the one in progress.
sub oldest_ready { return oldest($_[0], 'a.added_at = p.oldest_ready_at'); }
sub oldest_in_progress { return oldest($_[0], 'a.claimed_at = p.oldest_in_progress_at'); }

sub oldest
{
	my ($session, $is_oldest) = @_;

	return $session->query_safe(
		"SELECT a.account_id FROM awspool.pool_status p JOIN awspool.account a ON $is_oldest
		 WHERE p.marketplace = 'MP-0001'");
}

sub claim_many
{
	my ($count) = @_;

	$warm->query_safe('SELECT $_$'
		  . $claim
		  . '$_$ FROM generate_series(1, '
		  . $count
		  . ') \gexec');
	return;
}

# Those that are longest in progress are allocated.
sub close_all_but_ten
{
	$now->query_safe(
		"SELECT awspool.allocate_account(provider, account_id) FROM
			(SELECT * FROM awspool.account WHERE status = 'provisioning_in_progress' ORDER BY claimed_at DESC OFFSET 10) a");
	return;
}

sub cost_of_status
{
	my $plan = $now->query_safe(
		'EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM awspool.read_pools()');
	my ($hit) = $plan =~ /"Shared Hit Blocks": (\d+)/;

	return $hit;
}

$before->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT');
claim_many(100);
$then->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
is(oldest_ready($then), $claimed, 'the oldest account');
is(oldest_ready($now), $claimed, 'and in another session');
claim_many(600);
is(notes(), '1', 'where to start is kept [reserve_from_start: KEEP_EVERY]');
is(oldest_ready($now), $left, 'the next one');
cost_of_status();
cmp_ok(cost_of_status(), '<', 500,
	'is not found behind all that is dead [tally_read.c, noted_start]');
is(oldest_ready($then), $claimed,
	'an older snapshot shows what it did [pool_start.c, shows_all_before]');
my $longest = oldest_in_progress($then);
is(oldest_in_progress($now), $longest, 'of those in progress the oldest one');
close_all_but_ten();
is( oldest_in_progress($now),
	$now->query_safe("SELECT account_id FROM awspool.account WHERE status = 'provisioning_in_progress' ORDER BY claimed_at LIMIT 1"),
	'a later one when most are closed');
my $behind_few = cost_of_status();
stock(1000);
claim_many(1000);
close_all_but_ten();
cost_of_status();
cmp_ok(cost_of_status(), '<', $behind_few + 10,
	'is not found behind all that is dead, either [tally_read.c, backwards]');
is(oldest_in_progress($then), $longest, 'an older snapshot shows what it did');
$now->query_safe("BEGIN; SELECT awspool.edit_account('acme', '$elsewhere', 'MP-0001')");
is(oldest_ready($now), $elsewhere,
	'an older account that came in this transaction [tally_read.c, awspool_has_arrived]');
$now->query_safe('COMMIT');
is(oldest_ready($now), $elsewhere, 'and afterwards [tally_read.c, arrivals]');
$_->quit for $before, $then, $now;

start_over();
@a = stock(610);
my $holder = session();
$holder->query_safe('BEGIN');
is(claims($holder, 1), $a[0], 'a transaction holds an account');
claim_many(600);
is(notes(), '1', 'that is passed each time, and kept');
$holder->quit;
is(claim($node), $a[0],
	'it is what a cold session takes, once it is free [keep: start->position]');

#
# A session that is cold starts where another one has kept that it should,
# while an old snapshot keeps all that is dead.
#

start_over();
my $old = session();
$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT');

# Claim in a new session and return how many buffers that touched.
sub cost_of_claim
{
	my ($plan) =
	  $node->safe_psql('postgres',
		"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) $claim");
	my ($hit) = $plan =~ /"Shared Hit Blocks": (\d+)/;
	my ($read) = $plan =~ /"Shared Read Blocks": (\d+)/;

	return $hit + $read;
}

my ($moved) = stock(1, 'MP-0009');
fill() for 1 .. 3;
@a = stock(40);
my $long = cost_of_claim();
is(claim($node), $a[1], 'a second cold session claims');
is(notes(), '1', 'and has kept where');
my $short = cost_of_claim();
cmp_ok($short, '<', $long - 100,
	'a third one has a shorter walk [keep; awspool_read_start]');
$node->safe_psql('postgres',
	"SELECT awspool.edit_account('acme', '$moved', 'MP-0001')");
is(claim($node), $moved,
	'an account is moved into the pool [awspool_read_start: arrivals]');
is(claim($node), $a[3], 'and the next is in order');
is(notes(), '1', 'where to start is kept again');

#
# Two serializable transactions look for starts of two pools, and keep them
# when their walks are long.
#

my %serializable = map { $_ => session() } 'MP-0003', 'MP-0004';

sub claim_serializably
{
	my ($marketplace) = @_;

	return $serializable{$marketplace}->query_safe(
		"SELECT account_id FROM awspool.claim_account('acme', '$marketplace')");
}

for my $marketplace (sort keys %serializable)
{
	$serializable{$marketplace}->query_safe('BEGIN ISOLATION LEVEL SERIALIZABLE');
	is(claim_serializably($marketplace), '', "$marketplace is empty");
}
for my $marketplace (sort keys %serializable)
{
	fill($marketplace) for 1 .. 2;
	my ($only) = stock(1, $marketplace);
	is(claim_serializably($marketplace), $only, 'now it is not');
}
for my $session (values %serializable)
{
	$session->query('COMMIT');
	is($session->{stderr}, '',
		'the commit is not in the way of the other [open_note: dirty]');
	$session->quit;
}
is( $node->safe_psql('postgres', 'SELECT count(*) FROM awspool.pool_start'),
	'3', 'there is something kept of each');

#
# A standby is promoted.  It has no notes, and a session there that could not
# claim before can now.
#

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
my $waiting = session($standby);
$waiting->query($claim);
like($waiting->{stderr}, qr/read-only transaction/,
	'a session cannot claim on a standby');
$waiting->{stderr} = '';

$doomed = session();
$doomed->query_safe('BEGIN');
is(claims($doomed, 2), "@a[4 .. 5]", 'a transaction on the primary claims');
is(claim($node), $a[6], 'and so does another');
$node->wait_for_catchup($standby);
$standby->promote;
is( $standby->safe_psql('postgres',
		'SELECT count(*) FROM awspool.pool_start'),
	'0',
	'a promoted standby has no notes [awspool--1.1.sql: UNLOGGED]');
is(claims($waiting, 3), "@a[4, 5, 7]",
	'the session claims there what was not committed');
$waiting->quit;
$standby->stop;

#
# A backend dies, and the server starts afresh.
#

$pid = $doomed->query_safe('SELECT pg_backend_pid()');
my $offset = -s $node->logfile;
kill 'KILL', $pid;
$node->wait_for_log(qr/database system is ready to accept connections/,
	$offset);
$node->poll_query_until('postgres', 'SELECT true');
eval { $_->quit }
  for ($doomed, $old, $warm);
is( $node->safe_psql('postgres', 'SELECT count(*) FROM awspool.pool_start'),
	'0', 'after a crash there are no notes [awspool--1.1.sql: UNLOGGED]');
$warm = session();
is(claims($warm, 3), "@a[4, 5, 7]", 'claims go on in order');

#
# The table is emptied, by TRUNCATE, under the feet of a session.
#

$node->safe_psql('postgres', 'TRUNCATE awspool.account');
@a = stock(4);
is(claims($warm, 2), "@a[0 .. 1]", 'after TRUNCATE there is new stock');
$warm->query_safe('BEGIN; TRUNCATE awspool.account');
is(claims($warm, 1), '', 'the session itself empties the table');
@b = ($a[2]);
$warm->query_safe('ROLLBACK');
is(claims($warm, 1), $b[0], 'and takes that back');

#
# A backup of the data is restored into the same database, with accounts that
# are older than those that sessions know of.
#

my $file = PostgreSQL::Test::Utils::tempdir . '/data.sql';

start_over();
@a = stock(8);
$node->command_ok(
	[
		'pg_dump', '--data-only', '--file', $file, '--dbname',
		$node->connstr('postgres')
	],
	'the data are dumped');
is(claims($warm, 8), "@a", 'all are claimed');
$old = session();
$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT');
fill();
@b = stock(6);
claim($node) for 1 .. 2;
is(notes(), '1', 'where to start is kept');
is(claims($warm, 1), $b[2], 'a session warms up');
$node->safe_psql('postgres',
	'TRUNCATE awspool.account, awspool.account_log, awspool.provider_role');
$node->command_ok(
	[
		'psql', '--no-psqlrc', '--quiet', '--set', 'ON_ERROR_STOP=1',
		'--file', $file, '--dbname', $node->connstr('postgres')
	],
	'the data are restored');
$cold = session();
is(claims($cold, 3), "@a[0 .. 2]",
	'a cold session begins with the oldest [awspool--1.1.sql: arrival_count is not dumped]'
);
is(claims($warm, 3), "@a[3 .. 5]", 'and so does a warm one');
$cold->quit;
$old->quit;

#
# Logical replication brings accounts, and moves them, behind the start of a
# session at the subscriber.
#

start_over();
($moved) = stock(1, 'MP-0009');
@a = stock(3);
my $subscriber =
  start_pool('subscriber', init => { allows_streaming => 'logical' });
$node->safe_psql('postgres',
	'CREATE PUBLICATION pool FOR TABLES IN SCHEMA awspool');
$subscriber->safe_psql('postgres',
	"CREATE SUBSCRIPTION pool CONNECTION '"
	  . $node->connstr
	  . " dbname=postgres' PUBLICATION pool");
$subscriber->wait_for_subscription_sync($node, 'pool');
$subscriber->safe_psql('postgres',
	"SELECT setval('awspool.account_position', 1000000)");
@b = stock(5, 'MP-0001', $subscriber);
my $there = session($subscriber);
is(claims($there, 4), "@a $b[0]", 'a session at the subscriber warms up');
@a = stock(2);
$node->wait_for_catchup('pool');
is(claims($there, 2), "$a[0] $a[1]",
	'an account arrives [history.c: awspool_note_arrival; awspool--1.1.sql: ENABLE ALWAYS]'
);
is(claims($there, 1), $b[1], 'and the next is in order');
$node->safe_psql('postgres',
	"SELECT awspool.edit_account('acme', '$moved', 'MP-0001')");
$node->wait_for_catchup('pool');
is(claims($there, 1), $moved,
	'an account is moved [lifecycle.c: note_arrival; awspool--1.1.sql: ENABLE ALWAYS]'
);
is(claims($there, 1), $b[2], 'and the next is in order again');
$there->quit;
$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION pool');
$subscriber->stop;

#
# Somebody sets the sequence back, which nobody should: what is stored then is
# the oldest.  A session that knew better is wrong for a second.
#

start_over();
$old = session();
$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT');
fill() for 1 .. 2;
@a = stock(3);
is(claim($node), $a[0], 'where to start is kept');
is(claims($warm, 2), "@a[1, 2]", 'a session is warm');
$node->safe_psql('postgres', 'ALTER SEQUENCE awspool.account_position RESTART');
@a = stock(5);
is(claim($node), $a[0], 'a cold session claims what is older [noted_start]');
$warm->query_safe('BEGIN');
my $healed = '';
for (1 .. 100)
{
	$healed = claims($warm, 1);
	last if $healed;
	sleep 0.1;
}
is($healed, $a[1], 'so does the warm one, before long [look_back]');
$warm->query_safe('ROLLBACK');
is(claims($warm, 3), "@a[1 .. 3]",
	'and knows better from then on, also when it rolls that back [look_back: forget_pool]'
);
$old->quit;

#
# Somebody raises the CACHE of the sequence.  What a session stores then may be
# older than what others have stored and claimed.
#

sub import_sql
{
	my @ids = map { sprintf '9%011d', ++$last_id } 1 .. 20;

	return (
		"INSERT INTO awspool.import VALUES "
		  . join(', ', map { "('acme', '$_', 'MP-0001', 'SPAM')" } @ids),
		@ids);
}

start_over();
$node->safe_psql('postgres', 'ALTER SEQUENCE awspool.account_position CACHE 1000');
my $importer = session();
(my $import, @a) = import_sql();
$importer->query_safe($import);
is(claims($warm, 21), "@a ", 'a session claims all that was imported');
@b = stock(2);
is(claims($warm, 1), $b[0], 'and what is younger');
($import, @a) = import_sql();
$importer->query_safe($import);
is(claims($warm, 21), "@a $b[1]",
	'then what has an older position [batch.c: awspool_note_arrival]');
$importer->query_safe(
	"SELECT FROM awspool.add_account('acme', '800000000001', 'MP-0001', 'SPAM')"
);
is(claims($warm, 1), '800000000001',
	'also if it is stored alone [history.c: awspool_note_arrival]');
$importer->quit;
$node->safe_psql('postgres', 'ALTER SEQUENCE awspool.account_position CACHE 1');

#
# The extension is dropped in the transaction in which an account arrived.
#

$node->safe_psql('postgres', 'DROP PUBLICATION pool');
start_over();
@a = stock(2);
is(claims($warm, 1), $a[0], 'a session warms up');
$warm->query_safe(
	'BEGIN; DROP EXTENSION awspool; CREATE EXTENSION awspool;');
$warm->query_safe(insert_sql('800000000000'));
$warm->query_safe('ROLLBACK');
is(claims($warm, 1), $a[1], 'that is rolled back');
$warm->query_safe('BEGIN; ' . insert_sql('800000000000'));
$warm->query_safe('DROP EXTENSION awspool');
is($warm->query_safe('COMMIT; SELECT 1'),
	'1', 'dropped after an arrival [awspool_open_arrivals: OidIsValid]');
$warm->quit;

$node->stop;
done_testing();
