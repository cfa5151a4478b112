# What clients do all day: a table of operations, each a small transaction or a
# few, chosen by weight and at random.

package Work;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use History qw(now);
use Work::Orders;
use Work::Stock;

our @EXPORT_OK = qw(work);

# How often, what, and whether that is an edit: it makes every session look at
# its pools anew, and so hides what they learnt of them.
my @OPERATIONS = (
	[ 22, \&Work::Orders::claim ],
	[ 3, \&Work::Orders::claim_without_order ],
	[ 20, \&Work::Orders::finish ],
	[ 8, \&Work::Orders::hold ],
	[ 6, \&Work::Orders::savepoints ],
	[ 5, \&Work::Orders::snapshot ],
	[ 3, \&Work::Orders::prepare ],
	[ 2, \&Work::Orders::decide ],
	[ 6, \&Work::Orders::meet ],
	[ 6, \&Work::Orders::claim_again ],
	[ 5, \&Work::Stock::add ],
	[ 3, \&Work::Stock::import_some ],
	[ 5, \&Work::Stock::move, 1 ],
	[ 3, \&Work::Stock::edit, 1 ],
	[ 3, \&Work::Stock::invalidate ],
	[ 3, \&Work::Stock::delete_one ],
	[ 3, \&Work::Stock::delete_and_add ],
	[ 5, \&Work::Stock::cross, 1 ],
	[ 4, \&Work::Stock::look ],
	[ 3, \&Work::Stock::bad_input ],);

# What may cut an operation short, some of the time.
my @LIMITS =
  qw(statement_timeout lock_timeout idle_in_transaction_session_timeout);

my $total = 0;
$total += $_->[0] for @OPERATIONS;

# One operation of a client.  In every other second nobody edits.
sub work
{
	my ($client) = @_;
	my $limit = rand() < 0.06 ? $LIMITS[ rand @LIMITS ] : undef;
	my $choice = rand $total;
	my $i = 0;

	$choice -= $OPERATIONS[ $i++ ][0] while $choice >= $OPERATIONS[$i][0];
	return if $OPERATIONS[$i][2] && int(now()) % 2;
	$client->plainly(sprintf "SET $limit = %d", 1 + rand 15)
	  if defined $limit;
	$OPERATIONS[$i][1]->($client);
	$client->plainly("RESET $limit") if defined $limit;
	$client->resolve;
	return;
}

1;
