# What a client does while nobody else does anything.  Then it is certain which
# account is the oldest, after everything that may confuse what its session
# remembers of the pool.

package Work::Alone;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';

our @EXPORT_OK = qw(take_turn sweep);

# Returns whether there were accounts enough in the pool.
sub take_turn
{
	my ($client, $marketplace) = @_;
	my %pool = (provider => $client->{provider}, marketplace => $marketplace);

	claim_and_end($client, 'rollback', %pool);
	claim_some($client, %pool) or return 0;
	if (!$client->{pooled})
	{
		claim_and_end($client, 'prepare', %pool);
		$client->decide;
		claim_some($client, %pool) or return 0;
	}
	move_here($client, %pool);
	return claim_some($client, %pool);
}

# Ends all that is overdue.
sub sweep
{
	my ($client) = @_;

	$client->call(
		'fail_overdue',
		provider => $client->{provider},
		max_accounts => 1000);
	return;
}

# What was claimed is ready again, and where it was, if that is rolled back.
sub claim_and_end
{
	my ($client, $end, %pool) = @_;

	$client->transaction(
		'BEGIN',
		sub {
			$client->ask('claim_account', %pool) for 1 .. 2;
			return $end;
		});
	return;
}

sub claim_some
{
	my ($client, %pool) = @_;
	my $rows;

	for (1 .. 2)
	{
		$rows = $client->call('claim_account', %pool);
		last unless $rows && @$rows;
	}
	return $rows && @$rows ? 1 : 0;
}

# The oldest account of another pool, for the most part older than all that are
# here.
sub move_here
{
	my ($client, %pool) = @_;
	my $sql = <<'SQL';
SELECT account_id FROM awspool.accounts
WHERE provider = ? AND marketplace <> ? AND status = 'ready'
ORDER BY added_at, account_id LIMIT 1
SQL
	my ($id) = $client->{dbh}
	  ->selectrow_array($sql, undef, @pool{qw(provider marketplace)});

	$client->call('edit_account', %pool, account_id => $id) if defined $id;
	return;
}

1;
