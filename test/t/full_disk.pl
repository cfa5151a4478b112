# The disk is full: first that of the data, then that of the WAL.  Claims and
# imports fail, what was acknowledged stays, nothing is stored by halves, and
# once there is space again the pool goes on.
#
# SMALL_DISK is a file system of some 32 MB with nothing else on it.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;

use constant {
	SESSIONS => 32,   # claim at once
	ORDERS => 2_000,    # of all sessions together, one for each account
	IMPORTED => 20_000,    # rows of a file
};

my $disk = $ENV{SMALL_DISK} // '';

# A file system of its own has another device than what it is mounted on.
if ($disk eq '' || (stat $disk)[0] == (stat "$disk/..")[0])
{
	plan skip_all =>
	  'no small disk: SMALL_DISK has to name one, and "make test" has to be root, or have sudo, to mount it';
}

my $accounts =
  "INSERT INTO awspool.import SELECT 'acme', 900000000000 + i, 'MP-0001', 'SPAM' FROM generate_series(1, @{[ORDERS]}) i;";

# Ids that come after those, in another pool
my $file =
  "SELECT string_agg((910000000000 + i) || ';MP-0002;SPAM', E'\\n') FROM generate_series(1, @{[IMPORTED]}) i";
my %imports = (
	'import_csv' => "SELECT FROM awspool.import_csv('acme', ($file));",
	'import_csv with skip_rejected' =>
	  "SELECT FROM awspool.import_csv('acme', ($file), true);",
	'view import' =>
	  "INSERT INTO awspool.import SELECT 'acme', 910000000000 + i, 'MP-0002', 'SPAM' FROM generate_series(1, @{[IMPORTED]}) i;",
);

# What each session asks
my $scripts = PostgreSQL::Test::Utils::tempdir;
for my $session (0 .. SESSIONS - 1)
{
	append_to_file(
		"$scripts/$session",
		join "\n",
		'\set VERBOSITY sqlstate',
		map {
			"SELECT order_id, account_id FROM awspool.claim_account('acme', 'MP-0001', 'order-$_');"
		} grep { $_ % SESSIONS == $session } 1 .. ORDERS);
}

# Write until the disk is full, but for so many bytes.
sub fill_disk
{
	my ($spared) = @_;

	open my $ballast, '>', "$disk/ballast" or die $!;
	1 while syswrite $ballast, "\0" x 8192;
	$!{ENOSPC} or die $!;
	truncate $ballast, (-s $ballast) - $spared or die $!;
	close $ballast;
	return;
}

sub free_disk
{
	unlink "$disk/ballast" or die $!;
	return;
}

# Every order claims, from many sessions at once.  Returns which account each
# order was told, and what the sessions complained of.  The client does not
# want to wait for its commits.
sub claim_for_all
{
	my ($node) = @_;
	my (@sessions, @out, @err);
	local $ENV{PGOPTIONS} = '-c synchronous_commit=off';

	for my $session (0 .. SESSIONS - 1)
	{
		push @sessions,
		  IPC::Run::start(
			[
				'psql', '-XqAt', '-d', $node->connstr('pool'),
				'-f', "$scripts/$session"
			],
			'<', \undef, '>', \$out[$session], '2>', \$err[$session]);
	}
	$_->finish for @sessions;

	my %told = map { /^(.+)\|(.+)$/mg } @out;
	return (\%told, join '', @err);
}

sub stored
{
	my ($node) = @_;

	return $node->safe_psql('pool',
		"SELECT count(*) FROM awspool.accounts WHERE marketplace = 'MP-0002'");
}

# Once there is space again: what was answered is so, and every order asks again.
sub check_orders
{
	my ($name, $node, $told) = @_;
	my %held = $node->safe_psql('pool',
		'SELECT order_id, account_id FROM awspool.accounts WHERE order_id IS NOT NULL'
	) =~ /^(.+)\|(.+)$/mg;
	is_deeply({ map { $_ => $held{$_} } keys %$told },
		$told, "$name: an order holds what it was answered");

	my ($answers, $complaints) = claim_for_all($node);
	my %orders = reverse %$answers;

	is($complaints, '', "$name: then every order is answered");
	is(scalar(keys %orders), ORDERS, "$name: each has an account of its own");
	is_deeply({ map { $_ => $answers->{$_} } keys %$told },
		$told, "$name: the answers are the same");
	is( $node->safe_psql('pool',
			"SELECT count(*), min(status), max(status) FROM awspool.accounts WHERE marketplace = 'MP-0001'"
		),
		ORDERS
		  . '|provisioning_in_progress|provisioning_in_progress',
		"$name: no account is lost");
	return;
}

#
# The data: a database is on the small disk, all else is not.  An old snapshot
# keeps claims from getting by on the space of those before them.
#

my $node = PostgreSQL::Test::Cluster->new('data');
$node->init;
$node->append_conf('postgresql.conf', 'autovacuum = off');
$node->start;
mkdir "$disk/data" or die $!;
$node->safe_psql('postgres', "CREATE TABLESPACE small LOCATION '$disk/data'");
$node->safe_psql('postgres', 'CREATE DATABASE pool TABLESPACE small');
$node->safe_psql('pool', "CREATE EXTENSION awspool; $accounts");
my $reader = $node->background_psql('pool');
$reader->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT');

fill_disk(64 * 1024);
my ($told, $complaints) = claim_for_all($node);
cmp_ok(scalar(keys %$told), '>', 0, 'data: some orders are answered');
my %states = map { $_ => 1 } $complaints =~ /ERROR:  (\w+)/g;
is(join(' ', keys %states), '53100', 'data: the others fail');
is( $node->safe_psql('pool',
		"SELECT count(*) FROM awspool.accounts WHERE status = 'provisioning_in_progress'"
	),
	scalar(keys %$told),
	'data: and hold no account');
for my $import (sort keys %imports)
{
	is(sqlstate($node, $imports{$import}, 'pool'), '53100', "data: $import fails");
	is(stored($node), '0', "data: $import has stored nothing");
}

free_disk();
check_orders('data', $node, $told);
is(sqlstate($node, $imports{'import_csv'}, 'pool'), '', 'data: the file is imported');
is(stored($node), IMPORTED, 'data: all of it');

$reader->quit;
$node->safe_psql('postgres', 'DROP DATABASE pool');
$node->safe_psql('postgres', 'DROP TABLESPACE small');
$node->stop;

#
# The WAL: without space for it the server goes down.  It has no segment in
# reserve, so it needs a new one soon.
#

$node = PostgreSQL::Test::Cluster->new('wal');
$node->init(extra => [ '--wal-segsize=1', "--waldir=$disk/wal" ]);
$node->append_conf('postgresql.conf', <<'CONF');
autovacuum = off
min_wal_size = 2MB
max_wal_size = 8MB
wal_recycle = off
CONF
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE pool');
$node->safe_psql('pool', "CREATE EXTENSION awspool; $accounts");

# Do something until the server goes down for want of space, then start it
# with space.
sub run_out_of_wal
{
	my ($name, $run) = @_;
	my $offset = -s $node->logfile;

	$node->safe_psql('postgres', 'CHECKPOINT');
	fill_disk(0);
	my @result = $run->();
	$node->wait_for_log(qr/shutting down because/, $offset);
	like(
		slurp_file($node->logfile, $offset),
		qr/PANIC:.*No space left on device/,
		"WAL: the server goes down from $name");
	$node->stop('immediate', fail_ok => 1);
	free_disk();
	$node->start;
	return @result;
}

for my $import (sort keys %imports)
{
	run_out_of_wal($import, sub { $node->psql('pool', $imports{$import}) });
	is(stored($node), '0', "WAL: $import has stored nothing");
}

($told) = run_out_of_wal('claims', sub { claim_for_all($node) });
cmp_ok(scalar(keys %$told), '>', 0, 'WAL: some orders were answered');
cmp_ok(scalar(keys %$told), '<', ORDERS, 'WAL: others were not');
check_orders('WAL', $node, $told);
is(sqlstate($node, $imports{'view import'}, 'pool'), '', 'WAL: the file is imported');
is(stored($node), IMPORTED, 'WAL: all of it');

$node->stop;
done_testing();
