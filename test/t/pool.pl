# Pools that are paused while claims run, and what becomes of the pause and of the
# waiting when sessions are cancelled or killed, transactions prepared, servers
# stopped and settings restored; and the alerts that tell who holds an account.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_pool('pool', conf => "max_prepared_transactions = 10\n");
my $claim_2 = "SELECT account_id FROM awspool.claim_account('acme', 'MP-0002')";
my $claim_other = "SELECT account_id FROM awspool.claim_account('other', 'MP-0001')";

add_accounts($node, map { sprintf '9000000000%02d', $_ } 1 .. 30);
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE regress_awspool_acme LOGIN;
SELECT awspool.grant_provider('acme', 'regress_awspool_acme');
SELECT count(*) FROM awspool.import_csv('acme', (SELECT string_agg(910000000000 + i || ';MP-0002;SPAM', E'\n' ORDER BY i) FROM generate_series(1, 30) i));
SELECT count(*) FROM awspool.import_csv('other', (SELECT string_agg(920000000000 + i || ';MP-0001;SPAM', E'\n' ORDER BY i) FROM generate_series(1, 30) i));
SQL

sub session
{
	return $node->background_psql('postgres', on_error_stop => 0);
}

# Has a session call something that will wait, and waits until it does.
sub begin_waiting
{
	my ($session, $sql) = @_;
	my $pid = $session->query_safe('SELECT pg_backend_pid()');

	$session->query_until(qr/calling/, "\\echo calling\n$sql;\n");
	ok( $node->poll_query_until('postgres',
			"SELECT wait_event = 'transactionid' FROM pg_stat_activity WHERE pid = $pid"
		),
		"waits: $sql");
	return $pid;
}

sub is_paused
{
	my ($name) = @_;

	is(sqlstate($node, claim_sql(undef) . ';'), 'WS007', $name);
	return;
}

sub is_open
{
	my ($name) = @_;

	like($node->safe_psql('postgres', 'BEGIN; ' . claim_sql(undef) . '; ROLLBACK'), qr/^\d{12}$/, $name);
	return;
}

# What a session is told that asks for something it does not get.
sub refusal
{
	my ($session, $sql) = @_;
	my $said;

	$session->query($sql);
	$said = $session->{stderr};
	$session->{stderr} = '';
	return $said;
}

#
# A claim is held open.  The pause waits for it; claims of this pool are refused
# meanwhile, and those of others go on, also in sessions that knew the pool.
#

my ($claimer, $pauser, $knows) = map { session() } 1 .. 3;

$knows->query_safe(claim_sql(undef));
$claimer->query_safe('BEGIN');
$claimer->query_safe(claim_sql('held'));
my $pid = begin_waiting($pauser, "SELECT awspool.pause_pool('acme', 'MP-0001', 'price change')");
is_paused('no claim while the pause waits');
my $refusal = refusal($knows, claim_sql(undef));
like($refusal, qr/is paused/, 'nor in a session that knew the pool');
like($refusal, qr/Since \d{4}-.*, by role ".*": price change\./, 'which is told since when, by whom and why');
is( $node->safe_psql('postgres',
		"SET lock_timeout = '10s'; SET statement_timeout = '60s'; $claim_2; $claim_other; $claim_2"),
	"910000000001\n920000000001\n910000000002",
	'claims of other pools and providers go on');
is( $node->safe_psql('postgres',
		"SELECT cardinality(pg_blocking_pids($pid))"),
	'1',
	'the server tells for whom it waits');

# It is cancelled: the pool is open, as if nothing had been.
$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
$refusal = refusal($pauser, 'SELECT 1');
like($refusal, qr/canceling statement due to user request/, 'a pause can be cancelled');
like($refusal, qr/waiting for running claims of provider "acme" and marketplace "MP-0001" to end/, 'and says what it was doing');
is_open('then the pool is open');
like($knows->query_safe(claim_sql(undef)), qr/^\d{12}$/, 'also in a session that was refused');
is($node->safe_psql('postgres', 'SELECT count(*) FROM awspool.pool_settings'), '0', 'and no setting is left');

# A lock_timeout ends it as well.
is( sqlstate($node, "SET lock_timeout = '10ms'; SELECT awspool.pause_pool('acme');"),
	'55P03', 'a pause honours lock_timeout');
is_open('and leaves the pool open');

# Its session is ended while it waits.
$pid = begin_waiting($pauser, "SELECT awspool.pause_pool('acme')");
is(sqlstate($node, "$claim_2;"), 'WS007', 'all pools of the provider are closed');
like($node->safe_psql('postgres', $claim_other), qr/^\d{12}$/, 'and no others');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"), 'the session that pauses is ended');
is_open('then the pool is open');

# The claim ends, and with it the waiting.
eval { $pauser->quit };
$pauser = session();
begin_waiting($pauser, "SELECT awspool.pause_pool('acme', 'MP-0001')");
$claimer->query_safe('COMMIT');
$pauser->query_safe('SELECT 1');
is_paused('after the claim has ended the pool is paused');
is( $node->safe_psql('postgres', claim_sql('held')),
	$node->safe_psql('postgres', "SELECT account_id FROM awspool.accounts WHERE order_id = 'held'"),
	'the order gets what it holds');

#
# The server is stopped at once.
#

$_->quit for $knows, $pauser, $claimer;
$node->stop('immediate');
$node->start;
is_paused('a pause survives a crash');
$node->safe_psql('postgres', "SELECT awspool.resume_pool('acme', 'MP-0001')");
is_open('and can be ended after it');

#
# Prepared transactions
#

sub prepare
{
	my ($name, $sql) = @_;

	$node->safe_psql('postgres', "BEGIN; $sql; PREPARE TRANSACTION '$name'");
	return;
}

# A prepared claim is waited for, and named.
prepare('claim', claim_sql('prepared'));
my (undef, undef, $said) = $node->psql('postgres',
	"SET lock_timeout = '10ms'; SELECT awspool.pause_pool('acme', 'MP-0001')");
like($said, qr/NOTICE:  waiting for prepared transaction "claim", which claims an account/, 'the pause tells which prepared transaction it waits for');
like($said, qr/HINT:  End it with COMMIT PREPARED or ROLLBACK PREPARED/, 'and what to do');
(undef, undef, $said) = $node->psql('postgres',
	"SET lock_timeout = '10ms'; SELECT awspool.pause_pool('acme', 'MP-0001')",
	extra_params => [ '-U', 'regress_awspool_acme' ]);
like($said, qr/NOTICE:  waiting for a prepared transaction of another role/, 'not which one if it is another role\'s');
unlike($said, qr/"claim"/, 'nowhere');

# What is blocked is told to whom it may concern.
my $blocked = "SELECT account_id, since IS NOT NULL, detail, action FROM awspool.alerts WHERE alert = 'blocked'";
my $held = $node->safe_psql('postgres', "SELECT min(account_id) FROM awspool.accounts WHERE marketplace = 'MP-0001' AND status = 'ready'");
is( $node->safe_psql('postgres', $blocked),
	"$held|t|held by prepared transaction 'claim'|ROLLBACK PREPARED 'claim', or COMMIT PREPARED",
	'an alert names the prepared transaction');
is( $node->safe_psql('postgres', $blocked, extra_params => [ '-U', 'regress_awspool_acme' ]),
	"$held|f|held by a prepared transaction of another role|ask who runs the server to end it",
	'but only to who has the privileges of its role');
prepare('deletion', "SELECT awspool.delete_account('acme', '910000000009')");
prepare('lock', "SELECT FROM awspool.account WHERE account_id = '910000000010' FOR UPDATE");
prepare('key', "SELECT FROM awspool.account WHERE account_id = '910000000011' FOR KEY SHARE");
prepare('stock', "SELECT awspool.add_account('acme', '910000000099', 'MP-0002', 'SPAM')");
prepare('foreign', "SELECT awspool.delete_account('other', '920000000009')");
is( $node->safe_psql('postgres',
		"SELECT provider, account_id, detail FROM awspool.alerts WHERE alert = 'blocked' AND account_id <> '$held' ORDER BY account_id"),
	"acme|910000000009|held by prepared transaction 'deletion'\nacme|910000000010|held by prepared transaction 'lock'\nother|920000000009|held by prepared transaction 'foreign'",
	'whatever it does to a ready account');
is( $node->safe_psql('postgres', "SELECT DISTINCT provider FROM awspool.alerts", extra_params => [ '-U', 'regress_awspool_acme' ]),
	'acme', 'nobody sees those of other providers');
$node->safe_psql('postgres', "ROLLBACK PREPARED '$_'") for qw(deletion lock key stock foreign);

# Ready accounts are looked at only while such a transaction has any.
sub looks
{
	return $node->safe_psql('postgres', <<'SQL');
BEGIN;
DO 'BEGIN PERFORM awspool.blocked_accounts($$acme$$); END';
SELECT pg_stat_get_xact_numscans('awspool.account_ready'::regclass) > 0;
COMMIT;
SQL
}

is(looks(), 't', 'ready accounts are looked at');
$pauser = session();
begin_waiting($pauser, "SELECT awspool.pause_pool('acme', 'MP-0001')");
$node->safe_psql('postgres', "COMMIT PREPARED 'claim'");
like(refusal($pauser, 'SELECT 1'), qr/waiting for prepared transaction "claim"/, 'the session that pauses is told as well');
is_paused('once that is committed, the pool is paused');
is($node->safe_psql('postgres', $blocked), '', 'and nothing is blocked');
prepare('other', 'CREATE TABLE public.other AS SELECT count(*) FROM awspool.account');
is(looks(), 'f', 'nor looked at for a transaction that is about something else');
$node->safe_psql('postgres', "ROLLBACK PREPARED 'other'");
prepare('lock', "SELECT FROM awspool.account WHERE account_id = '910000000010' FOR UPDATE");
$node->restart;
is(looks(), 't', 'but for one that was there before a restart');
is( $node->safe_psql('postgres', $blocked),
	"910000000010|t|held by prepared transaction 'lock'|ROLLBACK PREPARED 'lock', or COMMIT PREPARED",
	'which is named');
$node->safe_psql('postgres', "ROLLBACK PREPARED 'lock'");
$node->safe_psql('postgres', "SELECT awspool.resume_pool('acme')");

# When a transaction began is not known where track_activities is off.
my $unknown = session();
$unknown->query_safe("SET track_activities = off; BEGIN; $claim_2");
is($node->safe_psql('postgres', $blocked), '', 'a session that does not tell when it began is no alert');
like($node->safe_psql('postgres', "SELECT detail FROM awspool.explain_claim('acme', 'MP-0002') WHERE verdict = 'claimed'"),
	qr/^by process \d+ of role "\w+"$/, 'and is told of without that');
$unknown->query_safe('RESET track_activities; COMMIT; BEGIN');
$unknown->query_safe($claim_2);
like($node->safe_psql('postgres', "SELECT detail FROM awspool.explain_claim('acme', 'MP-0002') WHERE verdict = 'claimed'"),
	qr/^by process \d+ of role "\w+", in a transaction since \d{4}-/, 'otherwise with it');
$unknown->quit;

# A pause that is prepared closes the pool, in every session, and over a restart.
prepare('pause', "SELECT awspool.pause_pool('acme', 'MP-0001')");
is_paused('a prepared pause closes the pool');
$pauser->quit;
$node->restart;
is_paused('also after a restart');
$knows = session();
like(refusal($knows, claim_sql(undef)), qr/is paused/, 'in a session that goes on');
$node->safe_psql('postgres', "ROLLBACK PREPARED 'pause'");
like($knows->query_safe(claim_sql(undef)), qr/^\d{12}$/, 'once rolled back, the pool is open');
prepare('pause', "SELECT awspool.pause_pool('acme', 'MP-0001')");
$node->safe_psql('postgres', "COMMIT PREPARED 'pause'");
like(refusal($knows, claim_sql(undef)), qr/is paused/, 'and once committed, it is paused');

# A session whose own pause is prepared forgets nothing.
my $own = session();
$node->safe_psql('postgres', "SELECT awspool.resume_pool('acme')");
like($own->query_safe(claim_sql(undef)), qr/^\d{12}$/, 'the pool is open');
$own->query_safe("BEGIN; SELECT awspool.pause_pool('acme', 'MP-0001'); PREPARE TRANSACTION 'own'");
like(refusal($own, claim_sql(undef)), qr/is paused/, 'a pause that the session itself prepared');
$node->safe_psql('postgres', "ROLLBACK PREPARED 'own'");
like($own->query_safe(claim_sql(undef)), qr/^\d{12}$/, 'and that is rolled back elsewhere');

# A superuser's SQL is heard by sessions that knew the pool.  That pool has a row
# of its own until the table is truncated.
$node->safe_psql('postgres', "UPDATE awspool.pool_setting SET paused_at = now() WHERE provider = 'acme' AND marketplace = 'MP-0001'");
like(refusal($own, claim_sql(undef)), qr/is paused/, 'a row that a superuser changes');
$node->safe_psql('postgres', "TRUNCATE awspool.pool_setting");
like($own->query_safe(claim_sql(undef)), qr/^\d{12}$/, 'the table truncated');
$node->safe_psql('postgres', "INSERT INTO awspool.pool_setting (provider, marketplace, paused_at) VALUES ('acme', '*', now())");
like(refusal($own, claim_sql(undef)), qr/is paused/, 'and a row that a superuser inserts');
$node->safe_psql('postgres', "DELETE FROM awspool.pool_setting");
$_->quit for $own, $knows;

#
# A backup has the settings.
#

$node->safe_psql('postgres', "SELECT awspool.configure_pool('acme', 'MP-0002', 5, 2, '3 hours'), awspool.pause_pool('acme', 'MP-0001', 'restored')");
my $dir = PostgreSQL::Test::Utils::tempdir;
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/dump", $node->connstr('postgres') ], 'the pool is dumped');
$node->safe_psql('postgres', 'CREATE DATABASE restored TEMPLATE template0');
$node->command_ok([ 'pg_restore', '-d', $node->connstr('restored'), "$dir/dump" ], 'and restored');
is( $node->safe_psql('restored', 'SELECT marketplace, low_water, min_days, deadline, paused_at IS NOT NULL, pause_reason FROM awspool.pool_settings ORDER BY 1'),
	"MP-0001||||t|restored\nMP-0002|5|2|03:00:00|f|",
	'with its settings');
is(sqlstate($node, claim_sql(undef) . ';', 'restored'), 'WS007', 'what was paused is paused');
like($node->safe_psql('restored', $claim_2), qr/^\d{12}$/, 'what was not gives accounts');

#
# The script of version 1.0 knows no settings; a session that has claimed by it
# hears of them once it is updated.
#

$node->safe_psql('postgres', "CREATE DATABASE old; ");
$node->safe_psql('old', "CREATE EXTENSION awspool VERSION '1.0'");
$node->safe_psql('old', "SELECT count(*) FROM awspool.import_csv('acme', (SELECT string_agg(930000000000 + i || ';MP-0001;SPAM', E'\n' ORDER BY i) FROM generate_series(1, 9) i))");
my $old = $node->background_psql('old', on_error_stop => 0);
is($old->query_safe(claim_sql('old')), '930000000001', 'a claim by the script of version 1.0');
$node->safe_psql('old', 'ALTER EXTENSION awspool UPDATE');
is($old->query_safe(claim_sql(undef)), '930000000002', 'and after the update');
$node->safe_psql('old', "SELECT awspool.pause_pool('acme')");
like(refusal($old, claim_sql(undef)), qr/is paused/, 'which can pause its pool');
$node->safe_psql('old', "SELECT awspool.resume_pool('acme')");
is($old->query_safe(claim_sql(undef)), '930000000003', 'and open it again');
$old->quit;

#
# pg_cron calls fail_overdue, where it can be had.
#

SKIP:
{
	skip 'pg_cron is not installed here', 1
	  unless $node->safe_psql('postgres', "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_cron'");

	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_cron'\ncron.use_background_workers = on\n");
	$node->append_conf('postgresql.conf', "max_worker_processes = 20\n");
	$node->restart;
	my ($recipe) = slurp_file("$FindBin::RealBin/../../doc/awspool.md") =~ /^(SELECT cron\.schedule\(.*?\);)$/m;
	$recipe =~ s/\*\/5 \* \* \* \*/* * * * */;
	$node->safe_psql('postgres', "CREATE EXTENSION pg_cron");
	$node->safe_psql('postgres', <<'SQL');
SELECT awspool.configure_pool('acme', 'MP-0009', deadline => '1 hour');
INSERT INTO awspool.account (provider, account_id, marketplace, model, status, order_id, order_model, claimed_at, claimed_by)
VALUES ('acme', '940000000001', 'MP-0009', 'SPAM', 'provisioning_in_progress', 'late', 'SPAM', now() - interval '2 hours', 'me');
SQL
	$node->safe_psql('postgres', $recipe);
	ok($node->poll_query_until('postgres', "SELECT status = 'provisioning_failed' FROM awspool.accounts WHERE account_id = '940000000001'"), 'the recipe for pg_cron');
}

$node->stop;
done_testing();
