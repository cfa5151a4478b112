# The clients of a pool on several servers: those of test/torture/Crew.pm, each
# of which is a Trader and acts for one of the providers.

package Traders;

use strict;
use warnings FATAL => 'all';

use Crew;
use Trader;

our @ISA = ('Crew');

use constant { PROVIDERS => 3, STOCK => 20 };

# pooler: see Trader.pm.
sub new_client
{
	my ($self, %params) = @_;

	return Trader->new(%params, pooled => 1, pooler => $self->{pooler});
}

sub work
{
	my ($self, $client) = @_;

	return Trader::work($client);
}

1;
