# What clients choose by chance: orders, accounts, pools, and when they meet.

package Work::Chance;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use History qw(now);
use Time::HiRes qw(sleep);

our @EXPORT_OK = qw(marketplaces deadline_of some_order some_orders some_marketplace
  take_held new_ids some_id next_moment is_calm);

sub marketplaces
{
	return ('MP-0000', 'MP-0001');
}

# How many seconds an account may be in progress; undef: for ever.
sub deadline_of
{
	my ($marketplace) = @_;

	return $marketplace eq 'MP-0000' ? 4 : undef;
}

# An order that others ask for, too, now and then: all clients of a provider
# count on at about the same pace.
sub some_order
{
	my ($client) = @_;
	my $number = int($client->{transactions} * 8 + rand 60);

	return (
		provider => $client->{provider},
		marketplace => (marketplaces())[ $number % 2 ],
		order_id => "o$number");
}

# As many of one marketplace, each another one.
sub some_orders
{
	my ($client, $count) = @_;
	my %first = some_order($client);
	my ($number) = $first{order_id} =~ /(\d+)/;

	return
	  map { { %first, order_id => rand() < 0.8 ? 'o' . ($number + 2 * $_) : undef } }
	  0 .. $count - 1;
}

sub some_marketplace
{
	my ($client) = @_;

	return (
		provider => $client->{provider},
		marketplace => (marketplaces())[ rand 2 ]);
}

sub take_held
{
	my ($client) = @_;
	my $held = $client->{held};

	return @$held ? splice @$held, rand @$held, 1 : undef;
}

# Ids of one client are in a row; the others of its provider are two on.
sub new_ids
{
	my ($client, $count) = @_;
	my $first = sprintf '%03d%09d', $client->{number}, $client->{new_ids};

	$client->{new_ids} += $count;
	return $first;
}

sub some_id
{
	my ($client) = @_;
	my $whose = $client->{number} % 2 + 2 * int rand($client->{clients} / 2);
	my $behind = int rand 40;

	return sprintf '%03d%09d', $whose,
	  $client->{new_ids} > $behind ? $client->{new_ids} - $behind : 0;
}

# Half of the time all clients decide at once what they have prepared: who closes
# a pool, or freezes a provider, waits for that.
sub is_calm
{
	return int(now() / 3) % 2;
}

# Waits for the next of the moments, so many in a second, that all clients wait
# for, and returns its number.
sub next_moment
{
	my ($in_second) = @_;
	my $now = now();
	my $moment = int($now * $in_second) + 1;

	sleep $moment / $in_second - $now;
	return $moment;
}

1;
