# How a call of a client is put to the server: as a function, as a statement on
# view awspool.accounts, as a file or as a query.

package Statement;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';

our @EXPORT_OK =
  qw(send_call send_claims send_list may_go_through_view all_of);

# What the rows that come back are asked for.
my $COLUMNS = 'provider, account_id, marketplace, model, status, order_id';

# What view accounts does with the same arguments, but for those that say which
# account it is.
my %STATUS_OF = (
	allocate_account => 'allocated',
	fail_account => 'provisioning_failed',
	invalidate_account => 'invalid');

# Queries on view accounts, by what they ask for, each along an index of its own.
my %QUERIES = (
	ready => q(WHERE status = 'ready' AND marketplace = ? ORDER BY position),
	in_progress =>
	  q(WHERE status = 'provisioning_in_progress' ORDER BY claimed_at),
	ended => q(WHERE status IN ('provisioning_failed', 'invalid')),
	order => 'WHERE order_id = ?',
	ids => 'WHERE account_id = ANY (?)',
	either => 'WHERE account_id = ANY (?) OR order_id = ?',
	page => 'WHERE position < ? ORDER BY position DESC',);

# The counts of a provider's pools, as pool_status tells them, and as they are
# in view accounts, in one snapshot.
my $SUMS = <<'SQL';
SELECT marketplace, s.told, a.counted, s.added_ever AS added,
	s.claimed_ever AS claimed
FROM (
	SELECT marketplace, added_ever, claimed_ever,
		concat_ws(' ', ready, provisioning_in_progress, allocated,
			provisioning_failed, invalid, extract(epoch FROM oldest_ready_at),
			extract(epoch FROM oldest_in_progress_at)) AS told
	FROM awspool.pool_status WHERE provider = ?) s
FULL JOIN (
	SELECT marketplace,
		concat_ws(' ', count(*) FILTER (WHERE status = 'ready'),
			count(*) FILTER (WHERE status = 'provisioning_in_progress'),
			count(*) FILTER (WHERE status = 'allocated'),
			count(*) FILTER (WHERE status = 'provisioning_failed'),
			count(*) FILTER (WHERE status = 'invalid'),
			extract(epoch FROM (array_agg(added_at ORDER BY position)
				FILTER (WHERE status = 'ready'))[1]),
			extract(epoch FROM min(claimed_at)
				FILTER (WHERE status = 'provisioning_in_progress'))) AS counted
	FROM awspool.accounts WHERE provider = ?
	GROUP BY marketplace) a USING (marketplace)
ORDER BY 1
SQL

# Sends one call, and returns its rows.
sub send_call
{
	my ($dbh, $name, %args) = @_;
	my $ids = delete $args{ids};
	my $via = delete $args{via};

	delete $args{expect};
	return send_file($dbh, $name, %args) if exists $args{first};
	return send_to_view($dbh, $name, %args) if $via;
	return send_query($dbh, @args{qw(what limit)},
		defined $ids ? [ split /,/, $ids ] : (),
		$args{value} // ())
	  if $name eq 'read';
	return rows($dbh, $SUMS, @args{qw(provider provider)}) if $name eq 'sums';
	return rows($dbh,
		"SELECT $COLUMNS FROM awspool.accounts WHERE account_id = ?",
		$args{account_id})
	  if $name eq 'look';

	$args{account_ids} = [ split /,/, $ids ] if defined $ids;
	my @names = sort keys %args;
	my $call = "awspool.$name(" . join(', ', map { "$_ => ?" } @names) . ')';
	if ($name =~ /_pool$/)
	{
		$dbh->do("SELECT $call", undef, @args{@names});
		return [];
	}
	my $columns = defined $ids ? 'account_id, outcome' : $COLUMNS;
	return rows($dbh, "SELECT $columns FROM $call", @args{@names});
}

sub rows
{
	my ($dbh, $sql, @values) = @_;

	return $dbh->selectall_arrayref($sql, { Slice => {} }, @values);
}

sub may_go_through_view
{
	my ($name) = @_;

	return $STATUS_OF{$name} || $name =~ /^(?:add|edit|delete)_account$/;
}

# What a function does, by a statement on view accounts.  Where that finds no
# row, it does nothing.
sub send_to_view
{
	my ($dbh, $name, %args) = @_;
	my @where = grep { defined $args{$_} } qw(provider account_id order_id);
	my @set = grep { defined $args{$_} } qw(marketplace model reason);
	my @values = @args{@set};

	if ($name eq 'add_account')
	{
		return rows(
			$dbh,
			"INSERT INTO awspool.accounts"
			  . " (provider, account_id, marketplace, model)"
			  . " VALUES (?, ?, ?, ?) RETURNING $COLUMNS",
			@args{qw(provider account_id marketplace model)});
	}
	if ($STATUS_OF{$name})
	{
		push @set, 'status';
		push @values, $STATUS_OF{$name};
	}
	my $what =
	  $name eq 'delete_account'
	  ? 'DELETE FROM awspool.accounts'
	  : 'UPDATE awspool.accounts SET ' . join ', ', map { "$_ = ?" } @set;
	my $where = join ' AND ', map { "$_ = ?" } @where;
	return rows($dbh, "$what WHERE $where RETURNING $COLUMNS",
		@values, @args{@where});
}

sub send_query
{
	my ($dbh, $what, $limit, @values) = @_;

	return rows(
		$dbh,
		"SELECT $COLUMNS, position FROM awspool.accounts $QUERIES{$what}"
		  . (defined $limit ? " LIMIT $limit" : ''),
		@values);
}

# Imports "count" accounts, with ids from "first" on, and a malformed line if
# the call is to fail.  Returns how many had which outcome.
sub send_file
{
	my ($dbh, $name, %args) = @_;
	my @lines = map {
		sprintf "%012d;%s;%s\n", $args{first} + $_,
		  @args{qw(marketplace model)}
	} 0 .. $args{count} - 1;

	push @lines, "$args{malformed}\n" if defined $args{malformed};
	return rows(
		$dbh, <<'SQL', $args{provider}, join '', @lines) if $name eq 'import_csv';
SELECT outcome, count(*) FROM awspool.import_csv(?, ?) GROUP BY 1 ORDER BY 1
SQL
	$dbh->do(
		"COPY awspool.import (account_id, marketplace_id, account_model) FROM STDIN (FORMAT csv, DELIMITER ';')"
	);
	$dbh->pg_putcopydata($_) for @lines;
	$dbh->pg_putcopyend;
	return [];
}

# Claims for some orders of a pool at once, and returns the rows of each.
sub send_claims
{
	my ($dbh, @orders) = @_;
	my @rows = @{
		rows(
			$dbh,
			"SELECT $COLUMNS FROM awspool.claim_accounts(?, ?, ?)",
			@{ $orders[0] }{qw(provider marketplace)},
			[ map { $_->{order_id} } @orders ])
	};
	my @answers;

	for my $order (@orders)
	{
		my $is_next = @rows
		  && ($rows[0]{order_id} // '') eq ($order->{order_id} // '');
		push @answers, [ $is_next ? shift @rows : () ];
	}
	push @{ $answers[-1] }, @rows;    # asked for by nobody
	return @answers;
}

# Has a list reconciled, and returns what is reported of each of its lines.  Only
# those that changed something tell of an account and its order.
sub send_list
{
	my ($dbh, @lines) = @_;
	my @columns = qw(account_id order_id status marketplace model);
	my $csv = "account_id;order_id;status;marketplace_id;account_model\n";

	$csv .= join(';', map { $_ // '' } @$_{@columns}) . "\n" for @lines;
	my @report = @{ rows($dbh, <<'SQL', $lines[0]{provider}, $csv) };
SELECT account_id AS named, outcome FROM awspool.reconcile_csv(?, ?) ORDER BY line
SQL
	my @answers;

	for my $line (@lines)
	{
		my $row = shift @report;

		@$row{qw(account_id order_id status)} =
		  @$line{qw(account_id order_id status)}
		  if $row && $row->{outcome} =~ /^(?:marked|added)$/;
		push @answers, [ $row // () ];
	}
	push @{ $answers[-1] }, @report;
	return @answers;
}

# A query for all that is stored of a provider, in brief.
sub all_of
{
	my ($provider) = @_;

	return <<"SQL";
SELECT md5(concat(
	(SELECT string_agg(a::text, ' ' ORDER BY account_id)
	 FROM awspool.account a WHERE provider = '$provider'),
	(SELECT string_agg(l::text, ' ' ORDER BY log_id)
	 FROM awspool.account_log l WHERE provider = '$provider'),
	(SELECT string_agg(s::text, ' ' ORDER BY marketplace)
	 FROM awspool.pool_setting s WHERE provider = '$provider')))
SQL
}

1;
