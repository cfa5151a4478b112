# A client of the pool: a process that calls its functions, writes down what it
# asked and what it was told, and does after a fault what doc/awspool.md says
# that an application should: connect again, and ask again.
#
# What it asks is in Work.pm.

package Client;

use strict;
use warnings FATAL => 'all';

use DBI;
use History;
use POSIX ();
use Statement qw(send_call send_claims send_list may_go_through_view);
use Time::HiRes qw(sleep);

# The part of what can be done through view accounts that is.
use constant THROUGH_VIEW => 0.25;

# number: of the client; provider, role: for whom it acts; dir: where the
# histories are, and the file that tells of the server; unsafe: the part of its
# sessions that turn synchronous_commit off; pooled: whether it goes through the
# pooler, where there is one, and so has no session of its own.
sub new
{
	my ($class, %params) = @_;
	my $self = bless {
		%params,
		history => History->new($params{dir}, $params{number}),
		transactions => 0,
		new_ids => 0,
		parent => getppid,
		held => [],    # what it was granted and has not finished
		served => [],    # the orders of that, and of what it has finished
		prepared => [],    # what it has still to decide
		lost => [],    # calls whose answer was lost
	}, $class;

	$self->connect;
	return $self;
}

# Connects to the server that is in charge, once that lets us, and does not
# return before what the session that was lost did is decided.  Without a
# director there will be no server.
sub connect
{
	my ($self) = @_;

	delete $self->{dbh};
	until (eval { $self->begin_session; 1 })
	{
		check_error();
		POSIX::_exit(1) if getppid != $self->{parent};
		sleep 0.05;
	}
	return;
}

# The server's epoch is how many promotions were before, as its timeline tells:
# nobody else can say to whom of several servers a session got.
sub begin_session
{
	my ($self) = @_;

	open my $file, '<', "$self->{dir}/server" or die "no server: $!";
	chomp(my $line = <$file>);
	my ($direct, $pooled) = split /\t/, $line;
	my $durability = rand() < $self->{unsafe} ? 'off' : 'on';

	$self->{pooled} = 0 unless $pooled;
	my $connstr =
	  $self->{pooled}
	  ? "$pooled dbname=$durability"
	  : "$direct options='-c lock_timeout=3s -c synchronous_commit=$durability'";
	my $dbh = DBI->connect(
		"dbi:Pg:$connstr user=$self->{role}",
		'', '',
		{
			PrintError => 0,
			RaiseError => 1,
			PrintWarn => 1,
			pg_server_prepare => $self->{pooled} ? 0 : 1
		});
	my ($pid, $now, $epoch) = $dbh->selectrow_array(<<'SQL');
SELECT pg_backend_pid(), now(),
	('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int - 1
SQL

	$self->wait_for_lost($dbh, $now)
	  if defined $self->{pid} && $epoch == $self->{epoch};
	@$self{qw(dbh epoch pid)} = ($dbh, $epoch, $pid);
	return;
}

# Which session of the pooler was lost, nobody knows; so wait for all that had
# begun before now.
sub wait_for_lost
{
	my ($self, $dbh, $now) = @_;
	my ($condition, $value) =
	  $self->{pooled}
	  ? ('usename = current_user AND xact_start < ?', $now)
	  : ('pid = ?', $self->{pid});

	sleep 0.01
	  while $dbh->selectrow_array(
		"SELECT count(*) FROM pg_stat_activity WHERE $condition",
		undef, $value);
	return;
}

sub is_connected
{
	my ($self) = @_;

	return eval { $self->{dbh}->ping > 0 };
}

# What an eval has caught goes on if it is no error of the database.
sub check_error
{
	die $@ unless $@ =~ /^(?:DBD::Pg|DBI connect|SQLSTATE)/;
	return;
}

# A statement that is no part of the history.  False if it failed.
sub plainly
{
	my ($self, $sql) = @_;
	my $ok = eval { $self->{dbh}->do($sql); 1 };

	check_error() unless $ok;
	$self->connect unless $ok || $self->is_connected;
	return $ok;
}

# Makes a call in the transaction at hand, and returns its rows, or dies.
sub ask
{
	my ($self, $name, %args) = @_;
	my ($history, $number) = @$self{qw(history transactions)};

	$args{via} = 'view'
	  if may_go_through_view($name)
	  && !defined $args{expect}
	  && rand() < THROUGH_VIEW;
	push @{ $self->{asked} }, [ $name, %args ];
	$history->note_and_sync($number, call => (name => $name, %args));

	my $rows = eval { send_call($self->{dbh}, $name, %args) };
	if (!defined $rows)
	{
		check_error();
		$self->{state} = $self->{dbh}->state;
		$history->note($number, error => (state => $self->{state}));
		die "SQLSTATE $self->{state}\n";
	}
	$history->note($number, row => %$_) for @$rows;
	$history->note($number, answer => (rows => scalar @$rows));
	return $rows;
}

# Makes some calls in one, all asked and answered together.  What "send" sends
# of them returns the rows of each.
sub ask_together
{
	my ($self, $send, @calls) = @_;
	my ($history, $number) = @$self{qw(history transactions)};

	push @{ $self->{asked} }, @calls;
	for (@calls)
	{
		my ($name, %args) = @$_;
		$history->note($number, call => (name => $name, %args));
	}
	$history->note_and_sync($number, together => (calls => scalar @calls));

	my @answers = eval { $send->($self->{dbh}) };
	if (!@answers)
	{
		check_error();
		$self->{state} = $self->{dbh}->state;
		$history->note($number,
			error => (call => $_ - @calls, state => $self->{state}))
		  for 0 .. $#calls;
		die "SQLSTATE $self->{state}\n";
	}
	for my $i (0 .. $#calls)
	{
		my @call = (call => $i - @calls);

		$history->note($number, row => (@call, %$_)) for @{ $answers[$i] };
		$history->note($number,
			answer => (@call, rows => scalar @{ $answers[$i] }));
	}
	return [ map { @$_ } @answers ];
}

# Claims for some orders of a pool at once: a claim for each.
sub ask_claims
{
	my ($self, @orders) = @_;

	return $self->ask_together(sub { send_claims($_[0], @orders) },
		map { [ claim_account => %$_ ] } @orders);
}

# Has a list of used accounts reconciled: a call for each of its lines.
sub ask_list
{
	my ($self, @lines) = @_;

	return $self->ask_together(sub { send_list($_[0], @lines) },
		map { [ reconcile => %$_ ] } @lines);
}

# A transaction, with what is done in it and how it begins: nothing is sent
# for the latter if it is undefined, so what is done must be one call.  What
# is done returns how it ends: commit, rollback, prepare or vanish.
#
# Returns whether it has committed for certain.
sub transaction
{
	my ($self, $begin, $body) = @_;
	my $history = $self->{history};
	my $number = ++$self->{transactions};
	my $open = 0;
	my $outcome;

	@$self{qw(asked unsure state)} = ([], 0, '');
	local $SIG{__WARN__} = sub {
		$self->{unsure} = 1
		  if $_[0] =~ /canceling wait for synchronous|already committed/;
	};
	$history->note(
		$number,
		begin => (
			epoch => $self->{epoch},
			isolation => ($begin // '') =~ /LEVEL (\w+)/ ? $1 : undef,
			open => defined $begin ? 1 : undef));

	my $done = eval {
		if (defined $begin)
		{
			$open = 1;
			$self->{dbh}->do($begin);
		}
		my $end = $body->($self);
		if ($open)
		{
			$open = 0 unless $end =~ /rollback|vanish/;
			$self->end_transaction($end);
		}
		$outcome =
			$end =~ /rollback|vanish/ ? 'rolled_back'
		  : $self->{unsure} ? 'unknown'
		  : $end eq 'prepare' ? $self->{prepared}[-1]{outcome}
		  : 'committed';
		1;
	};
	check_error() unless $done;

	# Lost before the commit was asked for, it can only be rolled back.
	$outcome //= $open || $self->is_connected ? 'rolled_back' : 'unknown';
	$self->clear_up unless $done;
	push @{ $self->{lost} }, @{ $self->{asked} } if $outcome eq 'unknown';
	$self->{outcome} = $outcome;
	$history->note_and_sync($number, end => (outcome => $outcome));
	return $outcome eq 'committed';
}

sub end_transaction
{
	my ($self, $end) = @_;
	my ($history, $number, $dbh) = @$self{qw(history transactions dbh)};

	if ($end eq 'commit')
	{
		$history->note_and_sync($number, 'commit');
		$dbh->do('COMMIT');
	}
	elsif ($end eq 'prepare')
	{
		my $outcome = rand() < 0.5 ? 'will_commit' : 'will_roll_back';
		my $gid = "$outcome $self->{number} $number";

		push @{ $self->{prepared} },
		  { number => $number, gid => $gid, outcome => $outcome };
		$history->note_and_sync($number, prepare => (gid => $gid));
		$dbh->do("PREPARE TRANSACTION '$gid'");
	}
	elsif ($end eq 'rollback') { $dbh->do('ROLLBACK'); }
	else
	{
		$dbh->disconnect;
		$self->connect;
	}
	return;
}

# After an error: out of the transaction, and connected.
sub clear_up
{
	my ($self) = @_;

	eval { $self->{dbh}->do('ROLLBACK') } if $self->is_connected;
	$self->connect unless $self->is_connected;
	return;
}

# One call in a transaction of its own.  Returns its rows, or undef.
sub call
{
	my ($self, $name, %args) = @_;
	my $rows;

	return $rows
	  if $self->transaction(undef,
		sub { $rows = $self->ask($name, %args); return 'commit' });
	return;
}

# A list in a transaction of its own, likewise.
sub call_list
{
	my ($self, @lines) = @_;
	my $rows;

	return $rows
	  if $self->transaction(undef,
		sub { $rows = $self->ask_list(@lines); return 'commit' });
	return;
}

# Undoes the calls from one on.
sub roll_back_to
{
	my ($self, $savepoint, $from) = @_;

	$self->{dbh}->do("ROLLBACK TO $savepoint");
	$self->{history}->note($self->{transactions}, undo => (from => $from));
	return;
}

# Decides a transaction that was prepared, the oldest of them.
sub decide
{
	my ($self) = @_;
	my $prepared = shift @{ $self->{prepared} } or return;
	my $sql = $prepared->{outcome} eq 'will_commit' ? 'COMMIT' : 'ROLLBACK';

	$self->{history}
	  ->note_and_sync(0, deciding => (transaction => $prepared->{number}));
	$self->{unsure} = 0;
	local $SIG{__WARN__} = sub { $self->{unsure} = 1 };
	if (   $self->plainly('SET synchronous_commit = on')
		&& $self->plainly("$sql PREPARED '$prepared->{gid}'")
		&& !$self->{unsure})
	{
		$self->{history}
		  ->note_and_sync(0, decided => (transaction => $prepared->{number}));
	}
	$self->plainly('RESET synchronous_commit');
	return;
}

# Asks again for whatever answer was lost, as often as it takes.  What cannot
# be asked twice is an import, since some of it may be deleted meanwhile, and a
# claim for nobody by name.  Who has closed a pool opens it again anyway.
#
# A pool that is closed, or a provider that is frozen, is asked a little later.
sub resolve
{
	my ($self) = @_;

	while (my $call = shift @{ $self->{lost} })
	{
		my ($name, %args) = @$call;

		next if exists $args{first} || $name =~ /^(?:look|read|sums)$|_pool$/;
		next if $name eq 'claim_account' && !defined $args{order_id};
		$self->{resolved}++;
		my $rows = $self->call_in_the_end($name, %args);
		$self->remember($rows) if $name =~ /^(?:claim|replace)_account$/;
	}
	return;
}

# A call that is made again as long as it is refused for the moment.
sub call_in_the_end
{
	my ($self, $name, %args) = @_;

	while (1)
	{
		my $rows =
		  $name eq 'reconcile'
		  ? $self->call_list(\%args)
		  : $self->call($name, %args);
		return $rows if $rows || $self->{state} !~ /^WS00[78]$/;
		sleep 0.05;
	}
}

# What was granted has to be finished some time.
sub remember
{
	my ($self, $rows) = @_;
	my $served = $self->{served};

	push @$served,
	  grep { defined } map { $_->{order_id} } @{ $rows // [] };
	splice @$served, 0, 50 if @$served > 100;
	push @{ $self->{held} },
	  grep { $_->{status} eq 'provisioning_in_progress' } @{ $rows // [] };
	splice @{ $self->{held} }, 0, 50 if @{ $self->{held} } > 100;
	return;
}

1;
