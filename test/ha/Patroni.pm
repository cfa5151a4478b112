# etcd and three servers under Patroni, with the settings of "Standbys" in
# doc/awspool.md.  All is on 127.0.0.1, in a folder of its own, and gives orders
# and data to nobody who does not know a secret of this run.
#
# The processes that are started here end with ours, whichever way that ends.
# Patroni starts its server so that it outlives Patroni; that is the point of
# Patroni, so stop() ends the servers, and test/lib.sh any that are left.

package Patroni;

use strict;
use warnings FATAL => 'all';

use Fault;
use HTTP::Tiny;
use JSON::PP ();
use Member;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils ();
use Time::HiRes qw(sleep time);

use constant TTL => 20;    # seconds; Patroni's least
use constant PATIENCE => 120;    # seconds for whatever is waited for

# programs: where etcd and Patroni are unpacked; bindir: the server's programs.
sub new
{
	my ($class, %params) = @_;
	my $self = bless {
		%params,
		dir => PostgreSQL::Test::Utils::tempdir(),
		secret => secret(),
		processes => {},
		read => {},
	}, $class;

	$self->start_etcd;
	for my $name ('n1', 'n2', 'n3')
	{
		my $member = Member->new(
			name => $name,
			dir => "$self->{dir}/$name",
			secret => $self->{secret},
			port => PostgreSQL::Test::Cluster::get_free_port(),
			rest => PostgreSQL::Test::Cluster::get_free_port());

		push @{ $self->{members} }, $member;
		$self->configure($member);
		$self->start_patroni($member);
		wait_for('the first server', sub { $member->is('primary') })
		  if $name eq 'n1';
	}
	$self->wait_until_whole(1);
	return $self;
}

sub secret
{
	open my $random, '<:raw', '/dev/urandom' or die "no secret: $!";
	read $random, my $bytes, 16;
	return 'no' . unpack 'H*', $bytes;    # no number, to YAML
}

sub members
{
	return @{ $_[0]{members} };
}

# Waits for a condition, and returns what it returned.
sub wait_for
{
	my ($what, $condition) = @_;
	my $end = time + PATIENCE;

	while (time < $end)
	{
		my $result = $condition->();
		return $result if $result;
		sleep 0.05;
	}
	die "$what: not within ${\ PATIENCE} s\n";
}

# A process with a log of its own, and nothing that tells libpq of other servers.
sub start_process
{
	my ($self, $name, @command) = @_;
	my $pid = fork // die "no process: $!";

	if ($pid == 0)
	{
		delete $ENV{$_} for grep { /^PG/ } keys %ENV;
		$ENV{PYTHONPATH} = "$self->{programs}/usr/lib/python3/dist-packages";
		open STDIN, '<', '/dev/null';
		open STDOUT, '>>',
		  "$PostgreSQL::Test::Utils::log_path/ha_$name.log";
		open STDERR, '>&', \*STDOUT;
		exec 'setpriv', '--pdeathsig', 'TERM', @command
		  or POSIX::_exit(127);
	}
	$self->{processes}{$name} = $pid;
	return;
}

sub kill_process
{
	my ($self, $name) = @_;
	my $pid = delete $self->{processes}{$name} // return;

	kill 'KILL', $pid;
	waitpid $pid, 0;
	return;
}

sub start_etcd
{
	my ($self) = @_;
	my ($port, $peer) =
	  map { PostgreSQL::Test::Cluster::get_free_port() } 1 .. 2;
	my ($client_url, $peer_url) =
	  map { "http://127.0.0.1:$_" } $port, $peer;

	$self->{etcd} = $port;
	$self->start_process(
		'etcd', "$self->{programs}/usr/bin/etcd",
		'--data-dir' => "$self->{dir}/etcd",
		'--name' => 'etcd',
		'--bcrypt-cost' => 4,
		'--listen-client-urls' => $client_url,
		'--advertise-client-urls' => $client_url,
		'--listen-peer-urls' => $peer_url,
		'--initial-advertise-peer-urls' => $peer_url,
		'--initial-cluster' => "etcd=$peer_url");
	wait_for('etcd',
		sub { HTTP::Tiny->new->get("$client_url/health")->{success} });
	$self->tell_etcd('user/add',
		name => 'root',
		password => $self->{secret});
	$self->tell_etcd('role/add', name => 'root');
	$self->tell_etcd('user/grant', user => 'root', role => 'root');
	$self->tell_etcd('enable');
	return;
}

sub tell_etcd
{
	my ($self, $what, %order) = @_;
	my $answer =
	  HTTP::Tiny->new->post("http://127.0.0.1:$self->{etcd}/v3/auth/$what",
		{ content => JSON::PP::encode_json(\%order) });

	die "etcd, $what: $answer->{content}\n" unless $answer->{success};
	return;
}

# Data may be lost in a power cut, which is not tried: a server that flushes is
# the same under these faults, and slower.
sub configure
{
	my ($self, $member) = @_;
	my ($name, $dir, $secret) = @$member{qw(name dir secret)};
	my ($rest, $listen) =
	  map { "127.0.0.1:$member->{$_}" } qw(rest port);

	mkdir $dir or die "$dir: $!";
	PostgreSQL::Test::Utils::append_to_file("$dir.yml", <<"END");
scope: awspool
name: $name
restapi:
  listen: $rest
  connect_address: $rest
  authentication: {username: patroni, password: $secret}
etcd3:
  host: 127.0.0.1:$self->{etcd}
  username: root
  password: $secret
bootstrap:
  dcs:
    ttl: ${\ TTL}
    loop_wait: 1
    retry_timeout: 8
    primary_start_timeout: 0
    maximum_lag_on_failover: 1048576
    synchronous_mode: true
    postgresql:
      use_pg_rewind: true
      parameters:
        max_connections: 100
        max_prepared_transactions: 100
        wal_keep_size: 512MB
        shared_buffers: 32MB
        fsync: off
        autovacuum_naptime: 1s
        deadlock_timeout: 100ms
  initdb: [{encoding: UTF8}, {locale: C}, {auth-local: trust}, {auth-host: scram-sha-256}, data-checksums, no-sync]
  pg_hba:
    - local all all trust
    - host all all 127.0.0.1/32 scram-sha-256
    - host replication all 127.0.0.1/32 scram-sha-256
postgresql:
  listen: $listen
  connect_address: $listen
  bin_dir: $self->{bindir}
  data_dir: $dir/data
  pgpass: $dir/pgpass
  use_unix_socket: true
  create_replica_methods: [basebackup]
  basebackup: [{checkpoint: fast}, no-sync]
  authentication:
    superuser: {username: postgres, password: $secret}
    replication: {username: replicator, password: $secret}
    rewind: {username: postgres, password: $secret}
  parameters:
    unix_socket_directories: $dir
    logging_collector: on
    log_directory: $PostgreSQL::Test::Utils::log_path
    log_filename: ${\ $member->logname}
    log_rotation_age: 0
watchdog: {mode: 'off'}
END
	return;
}

sub start_patroni
{
	my ($self, $member) = @_;

	$self->start_process($member->name, '/usr/bin/python3', '-m', 'patroni',
		"$member->{dir}.yml");
	return;
}

sub kill_patroni
{
	my ($self, $member) = @_;

	$self->kill_process($member->name);
	return;
}

# How a client finds the server that is in charge, and what it knows.
sub dsn
{
	my ($self) = @_;
	my $hosts = join ',', map { '127.0.0.1' } $self->members;
	my $ports = join ',', map { $_->{port} } $self->members;
	my $file = "$self->{dir}/passfile";

	if (!-e $file)
	{
		PostgreSQL::Test::Utils::append_to_file($file,
			"*:*:*:*:$self->{secret}\n");
		chmod 0600, $file;
	}
	return "host=$hosts port=$ports target_session_attrs=read-write"
	  . " connect_timeout=2 tcp_user_timeout=5000 dbname=postgres passfile=$file";
}

# The member that is in charge; undef if none is.
sub leader
{
	my ($self) = @_;
	my ($leader) = grep { $_->is('primary') } $self->members;

	return $leader;
}

# Waits until somebody is in charge, other than this one if one is named.
sub wait_for_leader
{
	my ($self, $other_than) = @_;

	return wait_for(
		'somebody in charge',
		sub {
			my $leader = $self->leader;
			return $leader && $leader != ($other_than // 0) ? $leader : undef;
		});
}

# Waits until all three run, as they should.  Returns who is in charge.
sub wait_until_whole
{
	my ($self, $synchronous) = @_;

	return wait_for(
		'three servers that run',
		sub {
			my $leader = $self->leader // return;
			my @standbys = grep { $_->is('replica') } $self->members;
			my @sync = grep { $_->is('sync') } @standbys;
			my @sent = @{ $leader->status->{replication} // [] };

			return $leader
			  if @standbys == 2
			  && @sync == ($synchronous ? 1 : 0)
			  && 2 == grep { $_->{state} eq 'streaming' } @sent
			  and ($synchronous ? 1 : 0) ==
			  grep { $_->{sync_state} eq 'sync' } @sent;
			return;
		});
}

# Has commits wait for a standby, or not.
sub set_synchronous
{
	my ($self, $synchronous) = @_;

	$self->wait_for_leader->tell(
		PATCH => '/config',
		{
			synchronous_mode => $synchronous
			? JSON::PP::true
			: JSON::PP::false
		});
	return;
}

# What the servers have logged since this was asked last.
sub new_logs
{
	my ($self) = @_;
	my @logs;

	for my $member ($self->members)
	{
		open my $file, '<', $member->logfile or next;
		seek $file, $self->{read}{ $member->name } // 0, 0;
		local $/;
		push @logs, readline($file) // '';
		$self->{read}{ $member->name } = tell $file;
	}
	return @logs;
}

# Ends everything, at once: it is not needed any more.
sub stop
{
	my ($self) = @_;

	$self->kill_patroni($_) for $self->members;
	for my $pid (grep { defined } map { $_->postmaster } $self->members)
	{
		my @children = Fault::children($pid);

		kill 'KILL', $pid, @children;
	}
	$self->kill_process('etcd');
	return;
}

1;
