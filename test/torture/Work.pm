# What clients do all day: a table of operations, each a small transaction or a
# few, chosen by weight and at random.

package Work;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use Work::Orders;
use Work::Stock;

our @EXPORT_OK = qw(work);

# How often, and what.
my @OPERATIONS = (
	[ 22, \&Work::Orders::claim ],
	[ 3, \&Work::Orders::claim_without_order ],
	[ 20, \&Work::Orders::finish ],
	[ 8, \&Work::Orders::hold ],
	[ 6, \&Work::Orders::savepoints ],
	[ 5, \&Work::Orders::snapshot ],
	[ 3, \&Work::Orders::prepare ],
	[ 6, \&Work::Orders::meet ],
	[ 6, \&Work::Orders::claim_again ],
	[ 5, \&Work::Stock::add ],
	[ 3, \&Work::Stock::import_some ],
	[ 5, \&Work::Stock::move ],
	[ 3, \&Work::Stock::edit ],
	[ 3, \&Work::Stock::invalidate ],
	[ 3, \&Work::Stock::delete_one ],
	[ 3, \&Work::Stock::delete_and_add ],
	[ 5, \&Work::Stock::cross ],
	[ 4, \&Work::Stock::look ],
	[ 3, \&Work::Stock::bad_input ],);

# What may cut an operation short, some of the time.
my @LIMITS =
  qw(statement_timeout lock_timeout idle_in_transaction_session_timeout);

my $total = 0;
$total += $_->[0] for @OPERATIONS;

# One operation of a client.
sub work
{
	my ($client) = @_;
	my $limit = rand() < 0.06 ? $LIMITS[ rand @LIMITS ] : undef;
	my $choice = rand $total;
	my $i = 0;

	$choice -= $OPERATIONS[ $i++ ][0] while $choice >= $OPERATIONS[$i][0];
	$client->plainly(sprintf "SET $limit = %d", 1 + rand 15)
	  if defined $limit;
	$OPERATIONS[$i][1]->($client);
	$client->plainly("RESET $limit") if defined $limit;
	$client->decide if @{ $client->{prepared} } && rand() < 0.1;
	$client->resolve;
	return;
}

1;
