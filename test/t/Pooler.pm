# PgBouncer in transaction mode, with no network port: each server session
# serves many clients, transaction by transaction.

package Pooler;

use strict;
use warnings FATAL => 'all';

use POSIX qw(WNOHANG);
use PostgreSQL::Test::Utils ();
use Time::HiRes qw(sleep);

use constant PORT => 6432;

# databases: name => what to connect to; include: a file with more of them;
# users: who may; servers: how many sessions each user has in each database.
sub new
{
	my ($class, %params) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir_short();
	my $self = bless { dir => $dir, parent => $$ }, $class;

	PostgreSQL::Test::Utils::append_to_file("$dir/users",
		join '', map { qq("$_" ""\n) } @{ $params{users} });
	PostgreSQL::Test::Utils::append_to_file("$dir/pgbouncer.ini", join "\n",
		'[databases]',
		(map { "$_ = $params{databases}{$_}" } sort keys %{ $params{databases} // {} }),
		$params{include} ? "%include $params{include}" : (),
		'[pgbouncer]',
		'listen_addr =',
		'listen_port = ' . PORT,
		"unix_socket_dir = $dir",
		'auth_type = trust',
		"auth_file = $dir/users",
		'pool_mode = transaction',
		"default_pool_size = $params{servers}",
		'server_login_retry = 0.1', '');
	$self->start;
	return $self;
}

sub start
{
	my ($self) = @_;
	my $dir = $self->{dir};

	$self->{pid} = fork // die "no process: $!";
	if ($self->{pid} == 0)
	{
		open STDERR, '>', "$dir/log" or die "cannot write $dir/log: $!";
		exec 'pgbouncer', "$dir/pgbouncer.ini";
	}
	until (-e "$dir/log" && $self->log =~ /process up/)
	{
		if (waitpid $self->{pid}, WNOHANG)
		{
			delete $self->{pid};
			die 'the pooler has ended: ' . $self->log;
		}
		sleep 0.02;
	}
	return;
}

sub log
{
	my ($self) = @_;

	return PostgreSQL::Test::Utils::slurp_file("$self->{dir}/log");
}

sub connstr
{
	my ($self) = @_;

	return "host=$self->{dir} port=" . PORT;
}

# Returns whether it ended well.
sub stop
{
	my ($self, $signal) = @_;

	kill $signal // 'INT', $self->{pid};
	waitpid delete $self->{pid}, 0;
	return $? == 0;
}

# If a test dies, its pooler shall not stay; a child of it leaves that alone.
sub DESTROY
{
	my ($self) = @_;

	local ($?, $!, $@);
	$self->stop('KILL') if $self->{pid} && $self->{parent} == $$;
	return;
}

1;
