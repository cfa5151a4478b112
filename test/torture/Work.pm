# What clients do all day: a table of operations, each a small transaction or a
# few, chosen by weight and at random.

package Work;

use strict;
use warnings FATAL => 'all';

use History qw(now);
use Work::Chance qw(is_calm);
use Work::Orders;
use Work::Pools;
use Work::Reading;
use Work::Stock;

# How often, what, and whether that is an edit: it makes every session look at
# its pools anew, and so hides what they learnt of them.
my %OPERATIONS = (
	claim => [ 22, \&Work::Orders::claim ],
	claim_without_order => [ 3, \&Work::Orders::claim_without_order ],
	claim_together => [ 6, \&Work::Orders::claim_together ],
	finish => [ 20, \&Work::Orders::finish ],
	hold => [ 8, \&Work::Orders::hold ],
	savepoints => [ 6, \&Work::Orders::savepoints ],
	snapshot => [ 5, \&Work::Orders::snapshot ],
	prepare => [ 4, \&Work::Orders::prepare ],
	decide => [ 4, \&Work::Orders::decide ],
	meet => [ 6, \&Work::Orders::meet ],
	claim_again => [ 6, \&Work::Orders::claim_again ],
	add => [ 5, \&Work::Stock::add ],
	import_some => [ 3, \&Work::Stock::import_some ],
	import_together => [ 2, \&Work::Stock::import_together ],
	move => [ 5, \&Work::Stock::move, 1 ],
	edit => [ 3, \&Work::Stock::edit, 1 ],
	invalidate => [ 3, \&Work::Stock::invalidate ],
	delete_one => [ 3, \&Work::Stock::delete_one ],
	delete_and_add => [ 3, \&Work::Stock::delete_and_add ],
	cross => [ 5, \&Work::Stock::cross, 1 ],
	look => [ 4, \&Work::Stock::look ],
	read_some => [ 6, \&Work::Reading::read_some ],
	sums_in_snapshot => [ 2, \&Work::Reading::sums_in_snapshot ],
	sums_of_own => [ 2, \&Work::Reading::sums_of_own ],
	as_viewer => [ 3, \&Work::Reading::as_viewer ],
	pause => [ 1, \&Work::Pools::pause ],
	fail_overdue => [ 2, \&Work::Pools::fail_overdue ],
	reconcile => [ 3, \&Work::Pools::reconcile ],
	bad_input => [ 3, \&Work::Stock::bad_input ],);

# For a bug, some of them more often.
$OPERATIONS{$_}[0] *= 10 for split ' ', $ENV{TORTURE_WORK} // '';

my $total = 0;
$total += $_->[0] for values %OPERATIONS;

# What may cut an operation short, some of the time.
my @LIMITS =
  qw(statement_timeout lock_timeout idle_in_transaction_session_timeout);

sub choose
{
	my $choice = rand $total;

	for my $name (sort keys %OPERATIONS)
	{
		$choice -= $OPERATIONS{$name}[0];
		return @{ $OPERATIONS{$name} } if $choice < 0;
	}
	return @{ $OPERATIONS{claim} };
}

# One operation of a client.  In every other second nobody edits, and at times
# nobody leaves anything prepared.  A setting is no use to who has no session.
sub work
{
	my ($client) = @_;
	my $limit =
	  !$client->{pooled} && rand() < 0.06 ? $LIMITS[ rand @LIMITS ] : undef;
	my (undef, $operation, $is_edit) = choose();

	return if $is_edit && int(now()) % 2;
	if (is_calm()) { $client->decide while @{ $client->{prepared} }; }
	$client->plainly(sprintf "SET $limit = %d", 1 + rand 15)
	  if defined $limit;
	$operation->($client);
	$client->plainly("RESET $limit") if defined $limit;
	$client->resolve;
	return;
}

1;
