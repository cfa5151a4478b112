# A pool of 1.0 is updated as the reference says ("Updating") while clients sell
# from it: who waits how long, and what is told to those who have the library of
# 1.0 still.  test/update.sh builds both versions and runs this.  The times are a
# measure, not a promise: what is promised is that nobody crashes, loses an
# account, gets one twice, or is told what the reference does not tell of.
#
# Half of the clients go through a pooler, which connects anew as it should.  The
# others never do until an error tells them.

use strict;
use warnings FATAL => 'all';

use DBI;
use FindBin;
use IPC::Run;
use List::Util qw(max);
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use lib "$FindBin::RealBin/t";
use Pooler;

use constant {
	CLIENTS => 8,
	PHASE => 5,    # seconds
	LOCK_TIMEOUT => '5s',
};
my $accounts = $ENV{ACCOUNTS} or die 'ACCOUNTS are not given';
my $dir = PostgreSQL::Test::Utils::tempdir_short;
my $node = PostgreSQL::Test::Cluster->new('update');

$node->init;
$node->append_conf('postgresql.conf', <<'END');
fsync = on
shared_buffers = 512MB
max_wal_size = 8GB
END
$node->start;

#
# A pool of 1.0 with a past: a third is sold, and of what was deleted and edited
# there are lines in the log.
#

sub sql
{
	my ($sql) = @_;

	return $node->safe_psql('postgres', $sql);
}

sql('CREATE EXTENSION awspool');
is(sql("SELECT extversion FROM pg_extension WHERE extname = 'awspool'"),
	'1.0', 'the release before is installed');
sql(<<"SQL");
CREATE ROLE regress_awspool_seller LOGIN;
SELECT awspool.grant_provider('acme', 'regress_awspool_seller');
INSERT INTO awspool.account (provider, account_id, marketplace, model, status, order_id, order_model,
	claimed_at, claimed_by, closed_at, closed_by)
  SELECT 'acme', 100000000000 + i, 'MP-000' || i % 10, 'SPAM', 'allocated', 'old ' || i, 'SPAM', now(), 'app', now(), 'app'
  FROM generate_series(1, $accounts / 3) i;
INSERT INTO awspool.account (provider, account_id, marketplace, model)
  SELECT 'acme', 200000000000 + i, 'MP-000' || i % 10, 'SPAM' FROM generate_series(1, $accounts - $accounts / 3) i;
SELECT count(*) FROM generate_series(1, $accounts / 100) i,
  awspool.edit_account('acme', (200000000000 + i * 10)::text, model => 'ECAM');
SELECT count(*) FROM awspool.delete_accounts('acme',
  ARRAY(SELECT (100000000000 + i * 10)::text FROM generate_series(1, $accounts / 100) i));
VACUUM ANALYZE;
CHECKPOINT;
SQL
my $stored = sql('SELECT count(*) FROM awspool.account');

#
# The clients.  Each writes down when it asked what, how long that took, and what
# it was told.
#

my $pooler = Pooler->new(
	databases => { postgres => 'host=' . $node->host . ' port=' . $node->port },
	users => ['regress_awspool_seller'],
	servers => CLIENTS / 2);

sub connect_to
{
	my ($connstr, $is_pooled) = @_;

	return DBI->connect("dbi:Pg:$connstr dbname=postgres user=regress_awspool_seller",
		'', '', { PrintError => 0, RaiseError => 1, pg_server_prepare => $is_pooled ? 0 : 1 });
}

sub sell
{
	my ($number) = @_;
	my $is_pooled = $number % 2;
	my $kind = $is_pooled ? 'pooled' : 'direct';
	my $connstr = $is_pooled ? $pooler->connstr : 'host=' . $node->host . ' port=' . $node->port;
	my $dbh = connect_to($connstr, $is_pooled);
	my ($order, $held) = (0);

	open my $log, '>', "$dir/client.$number" or die $!;
	until (-e "$dir/stop")
	{
		my $began = time;
		my $account = '';
		my $ok = eval {
			if ($held)
			{
				$dbh->do('SELECT awspool.allocate_account(?, ?, ?)', undef, 'acme', $held, "$number-$order");
				$account = $held;
				undef $held;
				$order++;
			}
			else
			{
				($held) = $dbh->selectrow_array(
					'SELECT account_id FROM awspool.claim_account(?, ?, ?)',
					undef, 'acme', "MP-000$number", "$number-$order");
				die 'the pool is dry' unless $held;
			}
			1;
		};
		my $state = $ok ? '' : $dbh->state || $@ =~ s/\s+/ /gr;

		print $log join("\t", $kind, $began, time - $began, $state, $account), "\n";
		next if $ok;
		# As the reference says: connect anew, and ask again.
		sleep 0.01;
		eval { $dbh->disconnect };
		$dbh = connect_to($connstr, $is_pooled);
	}
	close $log or die $!;
	return;
}

my @clients;
for my $number (0 .. CLIENTS - 1)
{
	my $pid = fork // die "no process: $!";
	if ($pid == 0)
	{
		my $ok = eval { sell($number); 1 };
		print STDERR "client $number: $@" unless $ok;
		POSIX::_exit($ok ? 0 : 1);
	}
	push @clients, $pid;
}

#
# What is done, and when.
#

my @phases;

sub phase
{
	my ($name) = @_;

	push @phases, { name => $name, from => time };
	return;
}

phase('1.0');
sleep PHASE;
phase('the new library is installed');
command_ok([ 'make', '-s', '-C', "$FindBin::RealBin/..", 'install', 'with_llvm=no' ], 'make install');
sleep PHASE;
phase('the pooler connects anew');
command_ok(
	[ 'psql', '-XqAt', '-d', $pooler->connstr . ' dbname=pgbouncer user=pgbouncer', '-c', 'RECONNECT' ],
	'RECONNECT');
sleep PHASE;

# Which locks that others meet it has, for how long, is looked up by a session
# that itself asks for none.
my $looker = DBI->connect('dbi:Pg:' . $node->connstr('postgres'), '', '', { RaiseError => 1 });
my $looks = $looker->prepare(<<'SQL');
SELECT relname, mode FROM pg_locks JOIN pg_class c ON c.oid = relation
WHERE granted AND relnamespace = ? AND mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
  AND relkind = 'r' AND pid IN (SELECT pid FROM pg_stat_activity WHERE query LIKE 'ALTER EXTENSION%' AND state = 'active')
SQL
my $schema = $looker->selectrow_array(q(SELECT 'awspool'::regnamespace::oid));
my (%locked, $tries, $update_took);

phase('the update');
for ($tries = 1; $tries <= 20; $tries++)
{
	my ($out, $err) = ('', '');
	my $began = time;
	my $update = IPC::Run::start(
		[ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'),
			'-c', "SET lock_timeout = '@{[LOCK_TIMEOUT]}'", '-c', 'ALTER EXTENSION awspool UPDATE' ],
		'<', \undef, '>', \$out, '2>', \$err);
	%locked = ();
	while ($update->pumpable)
	{
		my $now = time;
		$looks->execute($schema);
		while (my ($table, $mode) = $looks->fetchrow_array)
		{
			$locked{"$table $mode"} //= [ $now - $began ];
			$locked{"$table $mode"}[1] = $now - $began;
		}
		$update->pump_nb;
		sleep 0.02;
	}
	$update->finish;
	$update_took = time - $began;
	last if $update->result == 0;
	like($err, qr/lock timeout|deadlock detected/, 'an update that does not get its locks gives up');
}
is(sql("SELECT extversion FROM pg_extension WHERE extname = 'awspool'"), '1.1', 'the pool is updated');
phase('1.1');
sleep PHASE;
phase('end');
append_to_file("$dir/stop", '');
for my $pid (@clients)
{
	waitpid $pid, 0;
	is($?, 0, 'a client ends well');
}

#
# What came of it.
#

my (%told, %sold);
my ($calls, $twice) = (0, 0);
for my $number (0 .. CLIENTS - 1)
{
	for (split /\n/, slurp_file("$dir/client.$number"))
	{
		my ($kind, $began, $took, $state, $account) = split /\t/, $_, 5;
		my ($phase) = grep { $_->{from} <= $began } reverse @phases;

		$calls++;
		$twice++ if $account ne '' && $sold{$account}++;
		$told{$kind}{$state}++ if $state ne '';
		$phase->{calls}++;
		$phase->{longest}{$kind} = max($took, $phase->{longest}{$kind} // 0);
	}
}

diag(sprintf '%d accounts, %d clients, ALTER EXTENSION took %.1f s, at try %d', $accounts, CLIENTS, $update_took, $tries);
for my $i (0 .. $#phases - 1)
{
	my $phase = $phases[$i];

	diag(sprintf '%-30s %5.1f s, %6.0f calls a second, the longest %6.0f ms pooled, %6.0f ms direct',
		$phase->{name}, $phases[ $i + 1 ]{from} - $phase->{from},
		($phase->{calls} // 0) / ($phases[ $i + 1 ]{from} - $phase->{from}),
		map { 1000 * ($phase->{longest}{$_} // 0) } qw(pooled direct));
}
diag(sprintf '%-45s seen from %.2f to %.2f s', $_, @{ $locked{$_} }) for sort keys %locked;
for my $kind (sort keys %told)
{
	diag("$kind told: " . join ', ', map { "$_ $told{$kind}{$_} times" } sort keys %{ $told{$kind} });
}

ok($locked{'account AccessExclusiveLock'}, 'the update was seen with its lock');
is_deeply($told{pooled} // {}, {}, 'who connects anew before the update is told of no error');
is(join(' ', grep { !/^(?:42804|42883|0A000)$/ } keys %{ $told{direct} }),
	'', 'who does not, only what the reference tells of');
ok(keys %{ $told{direct} } > 0, 'which is something');
my $restarts = 0;
$restarts += $_ for values %{ $told{direct} };
cmp_ok($restarts, '<=', CLIENTS * 2, 'and goes on with a new connection');
cmp_ok(max(map { values %{ $_->{longest} // {} } } @phases), '<', $update_took + 2,
	'nobody waits longer than for the update');
is($twice, 0, 'no account was sold twice');
is( sql("SELECT count(*) FROM awspool.account WHERE status = 'allocated' AND order_id ~ '^\\d+-\\d+\$'"),
	scalar keys %sold, 'all that was sold is, and nothing else');
is(sql('SELECT count(*) FROM awspool.account'), $stored, 'no account is lost');
is(sql('SELECT * FROM awspool.verify()'), '', 'verify() finds nothing');
unlike(slurp_file($node->logfile), qr/PANIC:|TRAP:|terminated by signal/, 'nothing crashed');

$pooler->stop;
$node->stop;
done_testing();
