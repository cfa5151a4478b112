# make demo-psql leaves one on the pool as the provider's role, and nothing
# behind when its terminal is closed; nor does any script of test/lib.sh when it
# is told to end, however often.  They work where TMPDIR does not serve, and say
# what is missing where they may not install it.

use strict;
use warnings FATAL => 'all';

use File::Basename qw(dirname);
use FindBin;
use IO::Pty;
use PostgreSQL::Test::Utils;
use Test::More;

my $project = dirname(dirname($FindBin::RealBin));
my ($server) = `pg_config --version` =~ /(\d+)/;

system('command -v dpkg-query >/dev/null') == 0
  or plan skip_all => 'the scripts are for Debian';
$ENV{SAMPLE} and plan skip_all => 'the scripts are the same for every server';
-e '/proc/self/stat' && -e '/dev/ptmx'
  or plan skip_all => 'nobody sees processes or has a terminal here';

# Closing a terminal ends nothing whose parent had it ignored, as nohup does.
$SIG{HUP} = 'DEFAULT';

# What is left behind is left here.
my $tmp = PostgreSQL::Test::Utils::tempdir_short;

# Start a command in a terminal of its own.
sub start
{
	my @command = @_;
	my $terminal = IO::Pty->new;
	$terminal->slave->set_winsize(150, 200);    # psql needs no pager

	my $pid = fork // die $!;

	if ($pid == 0)
	{
		$terminal->make_slave_controlling_terminal;
		my $slave = $terminal->slave;
		close $terminal;
		open STDIN, '<&', $slave or die $!;
		open STDOUT, '>&', $slave or die $!;
		open STDERR, '>&', $slave or die $!;
		delete @ENV{ grep { /^(MAKE|MFLAGS)/ } keys %ENV };
		@ENV{qw(TMPDIR SERVER TERM)} = ($tmp, $server, 'dumb');
		chdir $project or die $!;
		exec @command or die $!;
	}
	$terminal->close_slave;
	return { pid => $pid, terminal => $terminal, output => '' };
}

# Wait until it has said something, and return whether it did.
sub says
{
	my ($job, $pattern) = @_;
	my $end = time + $PostgreSQL::Test::Utils::timeout_default;

	while ($job->{output} !~ $pattern)
	{
		my $ready = '';
		vec($ready, fileno $job->{terminal}, 1) = 1;
		if (time > $end
			|| (select($ready, undef, undef, 1)
				&& !sysread $job->{terminal}, $job->{output}, 4096, length $job->{output}))
		{
			diag $job->{output};
			return 0;
		}
	}
	return 1;
}

# Type a line, and wait for an answer to it.
sub answers
{
	my ($job, $line, $pattern) = @_;

	$job->{output} = '';
	syswrite $job->{terminal}, "$line\n";
	return says($job, $pattern);
}

# The processes that work in $tmp, or name it.
sub processes
{
	return grep {
		my ($dir) = /(.*)\/cmdline/;
		my $named = '';
		if (open my $file, '<', $_)    # it may end meanwhile
		{
			local $/;
			$named = <$file> // '';
		}
		index($named, $tmp) >= 0 || index(readlink("$dir/cwd") // '', $tmp) == 0;
	} glob '/proc/[0-9]*/cmdline';
}

# All that was begun there comes to an end.
sub leaves_nothing
{
	my ($job, $how) = @_;
	my $end = time + $PostgreSQL::Test::Utils::timeout_default;

	waitpid $job->{pid}, 0;
	while (time < $end && (processes() || glob "$tmp/*"))
	{
		select undef, undef, undef, 0.1;
	}
	is_deeply([ processes() ], [], "$how: no process is left");
	is_deeply([ glob "$tmp/*" ], [], "$how: no file is left");
	return;
}

#
# The demo, in a terminal that is closed
#

my $demo = start('make', 'demo-psql');
ok(says($demo, qr/postgres=> /), 'make demo-psql ends in psql');
my ($copy) = $demo->{output} =~ /^(\\copy .*?)\r/m;
my ($place) = $demo->{output} =~ /server in (\S+)/;
like($place, qr/^\Q$tmp\E\/awspool\.\w+$/, 'the server is in TMPDIR');
ok(-d "$place/data" && processes() > 1, 'and runs');
ok(!-e "$place/awspool/tmp_check", 'and leaves other servers of tests alone');
ok(answers($demo, 'SELECT current_user;', qr/^ acme_app\r/m), 'as the role of the demo');
ok(answers($demo, $copy, qr/^COPY 2\r/m), 'its \copy can be pasted');
ok(answers($demo, '\i doc/functions.sql', qr/^ claim_account.*^ lint\(\).*=> $/ms), 'and its list of functions be asked for again');
my @listed = $demo->{output} =~ /^ (\w+)\(/mg;
my @in_reference = slurp_file("$project/doc/awspool.md") =~ /(?:\*\*|^\| )`(\w+)\(/mg;
is("@{[ sort @listed ]}", "@{[ sort @in_reference ]}", 'which has those that the reference has');
ok(answers($demo, '\echo sleeping \\\\ SELECT pg_sleep(1000);', qr/^sleeping\r/m), 'a query that takes long');
syswrite $demo->{terminal}, "\cC";
ok(answers($demo, 'SELECT 1 + 1;', qr/^ *2\r/m), 'is all that ^C ends');
close $demo->{terminal};
leaves_nothing($demo, 'closed');

#
# Any script, told to end
#

my $script = "$tmp.sh";
append_to_file($script, <<'SH');
set -euo pipefail
. test/lib.sh
make_private_place
start_server
# From here on a command is running: ^C before it would wait for its end.
bash -c 'echo "ready in $1"; exec sleep 1000' - "$work"
SH

foreach my $case (
	[ TERM => 1 ],
	[ HUP => 100 ],
	[ INT => 1, 'its group' ])
{
	my ($signal, $times, $group) = @$case;
	my $job = start('bash', $script);

	ok(says($job, qr/ready in /), 'a script works');
	foreach my $n (1 .. $times)
	{
		# the script is the leader of its group
		kill $signal, $group || $n > 1 ? -$job->{pid} : $job->{pid};
		select undef, undef, undef, 0.01 if $n < $times;
	}
	leaves_nothing($job, "$signal, $times times");
	close $job->{terminal};
}
unlink $script;

#
# Where scripts work, and what they ask for
#

append_to_file("$script.place", <<'SH');
set -euo pipefail
. test/lib.sh
make_place
echo "ready in $work"
SH

foreach my $case (
	[ 'a long TMPDIR' => "$tmp/" . 'x' x 60, qr/not working in \S+: too long/ ],
	[ 'one that make cannot take' => "$tmp/with space", qr/not working in \S+ \S+: .* characters/ ],
	[ 'one that is not there' => "$tmp/missing", qr/not working in \S+: .*cannot write/ ])
{
	my ($name, $dir, $why) = @$case;

	mkdir $dir unless $name =~ /not there/;
	my $job = start('env', "TMPDIR=$dir", 'bash', "$script.place");
	ok(says($job, qr/ready in/), "$name: a script works");
	like($job->{output}, $why, 'and says why not there');
	like($job->{output}, qr{ready in (/var)?/tmp/awspool\.}, 'but elsewhere');
	waitpid $job->{pid}, 0;
	ok(!-e ($job->{output} =~ /ready in (\S+)/)[0], 'nothing is left of that');
	rmdir $dir;
}
unlink "$script.place";

# Nobody here has a right to install anything: all programs but sudo.
my $programs = PostgreSQL::Test::Utils::tempdir;
system("ln -s /bin/* /usr/bin/* $programs 2>/dev/null; rm -f $programs/sudo");
append_to_file("$script.missing", <<'SH');
set -euo pipefail
. test/lib.sh
install_missing bash no-such-package-1 no-such-package-2
SH
SKIP:
{
	skip 'we are root', 2 if $> == 0;
	my $job = start('env', "PATH=$programs", 'bash', "$script.missing");
	ok(says($job, qr/As root: apt-get install no-such-package-1 no-such-package-2\r/), 'without sudo, it is told what to install');
	waitpid $job->{pid}, 0;
	isnt($?, 0, 'and ends');
}
unlink "$script.missing";

done_testing();
