# A server that Patroni looks after: where it is, and what it says of itself.
# For Round.pm and Fault.pm it is what a PostgreSQL::Test::Cluster is to them.

package Member;

use strict;
use warnings FATAL => 'all';

use DBI;
use HTTP::Tiny;
use JSON::PP ();
use PostgreSQL::Test::Utils ();

# name; dir: its own folder; port: of the server; rest: that of Patroni's REST
# interface; secret: what that wants to know of whoever gives orders.
sub new
{
	my ($class, %params) = @_;

	return bless {%params}, $class;
}

sub name
{
	return $_[0]{name};
}

sub data_dir
{
	return "$_[0]{dir}/data";
}

sub logfile
{
	return "$PostgreSQL::Test::Utils::log_path/" . $_[0]->logname;
}

sub logname
{
	return "ha_$_[0]{name}_server.log";
}

# By its socket, which only we can reach.
sub connstr
{
	my ($self, $dbname) = @_;

	return "host=$self->{dir} port=$self->{port} dbname=$dbname user=postgres";
}

# The process that runs this server; undef if none does, whatever a file that a
# killed one left says.
sub postmaster
{
	my ($self) = @_;

	open my $file, '<', $self->data_dir . '/postmaster.pid' or return undef;
	my $pid = readline($file) // return undef;
	chomp $pid;
	my $cwd = readlink "/proc/$pid/cwd";

	return defined $cwd && $cwd eq $self->data_dir ? $pid : undef;
}

sub safe_psql
{
	my ($self, $dbname, $sql) = @_;
	my $rows =
	  DBI->connect('dbi:Pg:' . $self->connstr($dbname), '', '', { RaiseError => 1 })
	  ->selectall_arrayref($sql);

	return join "\n", map { join '|', map { $_ // '' } @$_ } @$rows;
}

sub kill9
{
	my ($self) = @_;
	my $pid = $self->postmaster;

	kill 'KILL', $pid if defined $pid;
	return;
}

# Asks its Patroni.  Returns the status of the answer, 599 if there is none, and
# what it says.
sub ask
{
	my ($self, $method, $path, $order, $patience) = @_;
	my $answer = HTTP::Tiny->new(timeout => $patience // 3)->request(
		$method,
		"http://patroni:$self->{secret}\@127.0.0.1:$self->{rest}$path",
		defined $order ? { content => JSON::PP::encode_json($order) } : {});

	return ($answer->{status}, $answer->{content});
}

# Whether its Patroni says yes to "primary", "replica" or "sync".
sub is
{
	my ($self, $what) = @_;
	my ($status) = $self->ask(GET => "/$what");

	return $status == 200;
}

# What its Patroni knows of it; nothing, if there is no answer.
sub status
{
	my ($self) = @_;
	my (undef, $content) = $self->ask(GET => '/patroni');

	return eval { JSON::PP::decode_json($content) } // {};
}

# An order, which has to succeed.
sub tell
{
	my ($self, $method, $path, $order) = @_;
	my ($status, $content) = $self->ask($method, $path, $order, 60);

	die "$method $path of $self->{name}: $status $content\n"
	  if $status != 200;
	return;
}

1;
