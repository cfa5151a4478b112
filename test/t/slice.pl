# A pool that is empty, with very many dead entries before the place where a
# session starts to look.  Whoever asks looks back at a slice of them and no
# more.  That is counted in buffers, as in holders.pl.  If the place is wrong,
# since somebody has set the sequence back, slices come to tell.  As in head.pl,
# what is named in brackets is what, in src/head.c, the test before it fails
# without.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

use constant {
	DEAD => 100_000,
	SLICE => 256,			# SLICE_BUFFERS
	PATIENCE => 180,		# seconds
};

my $node = start_pool('slice', conf => "max_prepared_transactions = 2\n");
my $library = PostgreSQL::Test::Utils::tempdir . '/walk.so';
my ($include) = run_command([ 'pg_config', '--includedir-server' ]);
my $claim = claim_sql() . ';';
my $last_id = 0;

system_or_bail('cc', '-shared', '-fPIC', "-I$include", '-o', $library,
	"$FindBin::RealBin/walk.c");
$node->safe_psql('postgres', <<"SQL");
CREATE FUNCTION during_walks(regclass, text, int) RETURNS void AS '$library' LANGUAGE C STRICT;
CREATE FUNCTION walks() RETURNS int AS '$library' LANGUAGE C;
SQL

# Add that many accounts, which come behind that position if there is one given,
# and return their ids.
sub stock
{
	my ($count, $position) = @_;
	my $first = $last_id + 1;

	$last_id += $count;
	$node->safe_psql('postgres',
		"SELECT setval('awspool.account_position', $position)")
	  if $position;
	$node->safe_psql('postgres', <<"SQL");
INSERT INTO awspool.import (provider, account_id, marketplace_id, account_model)
SELECT 'acme', 900000000000 + i, 'MP-0001', 'SPAM' FROM generate_series($first, $last_id) i;
SQL
	return map { 900000000000 + $_ } $first .. $last_id;
}

# Add that many accounts that are used up at once.
sub fill
{
	my ($count) = @_;
	my ($first) = stock($count);

	$node->safe_psql('postgres',
		"UPDATE awspool.account SET status = 'invalid' WHERE account_id >= '$first'");
	return;
}

sub session
{
	return $node->background_psql('postgres', on_error_stop => 0);
}

# Ask an empty pool until that many slices were looked at, and return how many
# buffers each of them touched.
sub slices
{
	my ($session, $count) = @_;
	my $end = time() + PATIENCE;
	my @slices;

	while (@slices < $count && time() < $end)
	{
		my $buffers = claim_buffers($session);

		push @slices, $buffers if $buffers > SLICE / 2;
		sleep 0.02;
	}
	return @slices;
}

# Claim until there is an account.
sub claim_at_last
{
	my ($session) = @_;
	my $end = time() + PATIENCE;
	my $id = '';

	while ($id eq '' && time() < $end)
	{
		sleep 0.02;
		$id = $session->query_safe($claim);
	}
	return $id;
}

my $old = session();
$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT');
my $warm = session();
fill(DEAD);
my $last_position = $node->safe_psql('postgres',
	'SELECT last_value FROM awspool.account_position');

my $walk = claim_buffers($warm);
cmp_ok($walk, '>', 5 * SLICE, "the first walk is long: $walk buffers");
my $alone = (sort { $a <=> $b } map { claim_buffers($warm) } 1 .. 5)[0];
cmp_ok($alone, '<', 40, "then an answer touches $alone");
my @slices = slices($warm, 20);
is(scalar @slices, 20, "slices of what is before the start: @slices");
cmp_ok($_, '<', $alone + SLICE + 20, 'a slice is no more than that [look_at_slice: enough]')
  for sort { $b <=> $a } @slices;

#
# The sequence is set back, once to where slices have just been and once to
# where they have not.
#

$warm->quit;
$warm = session();
is(claim($node), '', 'the pool is empty');
is($warm->query_safe($claim), '', 'a session warms up');
is(scalar slices($warm, 1), 1, 'it has looked at a slice');
my ($oldest) = stock(1, 10);
my ($other) = stock(1, $last_position - 100);
$warm->query_safe('BEGIN');
is(claim_at_last($warm), $oldest,
	'it finds out, and claims the oldest [look_back]');
$warm->query_safe('ROLLBACK');
is($warm->query_safe($claim), $oldest,
	'it has forgotten all, also when that is rolled back [look_back: forget_pool]'
);
is($warm->query_safe($claim), $other, 'the other is next');
is($warm->query_safe($claim), '', 'the pool is empty again');
my ($far) = stock(1, $last_position - 50);
is(claim_at_last($warm), $far,
	'slices go on where the last one ended [look_at_slice: position]');
is($warm->query_safe($claim), '', 'the pool is empty again');
is(scalar slices($warm, 1), 1, 'it has looked at the first slice');
my ($passed) = stock(1, 20);
is(claim_at_last($warm), $passed,
	'slices begin anew at the very start [look_at_slice: VERY_START]');
$node->safe_psql('postgres',
	"SELECT setval('awspool.account_position', $last_position)");
is($warm->query_safe($claim), '', 'the pool is empty once more');

#
# The dead entries become known to be dead, one after the other: not even then
# is it known how many of their pages the index steps over.
#

$old->quit;
@slices = slices($warm, 25);
is(scalar @slices, 25, "slices of what is known to be dead: @slices");
cmp_ok((sort { $b <=> $a } @slices)[0],
	'<', $alone + SLICE + 20,
	'these are no more than that, either [look_at_slice: ignore_killed_tuples]');

#
# What is in doubt is given back in the middle of a claim, to where a slice is
# about to look: that is no reason to walk from the very start.
#

$node->safe_psql('postgres', 'VACUUM awspool.account');
$old = session();
$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT');
my ($back) = stock(1);
my $rollback =
  'psql -Xq -d "' . $node->connstr('postgres') . q(" -c "ROLLBACK PREPARED 'kept'" >/dev/null 2>&1 || true);
my $scans = 0;
my $end = time() + PATIENCE;
while ($scans < 3 && time() < $end)
{
	$node->safe_psql('postgres',
		"BEGIN; $claim PREPARE TRANSACTION 'kept'");
	fill(3000);
	is($warm->query_safe($claim), '', 'an account is in doubt');
	sleep 1;
	$warm->query_safe(
		"SELECT during_walks('awspool.account_ready', \$\$$rollback\$\$, 9)");
	is($warm->query_safe($claim), '',
		'it is given back, to be claimed from the next time on [look_at_slice: is_in_doubt]'
	);
	$scans = $warm->query_safe('SELECT walks()');
	$warm->query_safe('BEGIN');
	is($warm->query_safe($claim), $back, 'now it is');
	$warm->query_safe('ROLLBACK');
}
is($scans, 3, 'a slice was looked at after two walks');
is($warm->query_safe($claim), $back, 'the account is there');
is($warm->query_safe($claim), '', 'and no other');

$old->quit;
$warm->quit;
$node->stop;
done_testing();
