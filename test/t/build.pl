# What a PGXS user does with make: build in another folder, name the server in
# the environment, run the tests as a superuser of any name; and every place
# that tells the version tells the same.

use strict;
use warnings FATAL => 'all';

use File::Basename qw(dirname);
use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $project = dirname(dirname($FindBin::RealBin));

# What a command says, and whether it succeeds; it does not know of the make that
# runs us.
sub run_there
{
	my ($dir, @command) = @_;
	my $said = '';

	local %ENV = map { $_ => $ENV{$_} } grep { !/^(MAKE|MFLAGS|PG_CONFIG|VPATH)/ } keys %ENV;
	my $ok = IPC::Run::run(
		[ 'env', '-C', $dir, @command ], '>&', \$said);
	return ($ok, $said);
}

sub version_in
{
	my ($file, $pattern) = @_;

	slurp_file("$project/$file") =~ /$pattern/m or return "none in $file";
	return $1;
}

# What a link may name in a document: its headings, as forges make names of them.
sub headings
{
	my ($text) = @_;

	$text =~ s/^```.*?^```$//gms;
	return map { s/\[([^]]*)\]\([^)]*\)/$1/gr =~ s/[^\w\- ]//gr =~ tr/ /-/r }
	  map { lc } $text =~ /^#+ (.*)$/mg;
}

my $version = version_in('awspool.control', qr/^default_version = '(.*)'/m);

is(version_in('META.json', qr/^   "version": "(\d+\.\d+)\.\d+"/m), $version, 'META.json');
is(version_in('META.json', qr/"file": "awspool--(.*)\.sql"/m), $version, 'the script in META.json');
is(version_in('src/awspool.h', qr/^#define AWSPOOL_VERSION\s+"(.*)"/m), $version, 'the library');
is(version_in('CHANGELOG.md', qr/^## \[?(\d+\.\d+)/m), $version, 'CHANGELOG.md');
is(version_in('debian/changelog', qr/^awspool \((\d+\.\d+)-/m), $version, 'debian/changelog') if -e "$project/debian";
ok(-e "$project/awspool--$version.sql", 'and there is its script');

#
# The bugs that make torture-bugs puts into the code, one at a time, fit it.
#

SKIP:
{
	skip 'no git here', 1 unless (run_there($project, 'git', '--version'))[0];
	my @unfit =
	  grep { !(run_there($project, 'git', 'apply', '--check', $_))[0] }
	  glob "$project/test/torture/bugs/*.patch";
	is("@unfit", '', 'test/torture/bugs');
}

#
# PG_CONFIG from the environment
#

my ($ok, $said) = run_there($project, 'env', 'PG_CONFIG=/no/such/pg_config', 'make', '-n', 'install');
like($said, qr{/no/such/pg_config}, 'PG_CONFIG of the environment counts');

#
# Other folders
#

my $source = PostgreSQL::Test::Utils::tempdir;
my $dir = PostgreSQL::Test::Utils::tempdir;

# What make finds built here, it does not build there.
system("tar -C $project -c --exclude=*.o --exclude=*.bc --exclude=*.so --exclude=tmp_check . | tar -x -C $source") == 0
  or die;

foreach my $how ([ 'make -f', '-f', "$source/Makefile" ],
	[ 'VPATH', "VPATH=$source" ])
{
	my ($name, @argument) = @$how;
	my $dest = PostgreSQL::Test::Utils::tempdir;

	if ($name eq 'VPATH')
	{
		symlink "$source/Makefile", "$dir/Makefile" or die $!;
		unlink "$dir/awspool.so", "$dir/src/view.o";    # enough to build
	}
	# Quick to compile: this is about what is built, and where.
	($ok, $said) = run_there($dir, 'make', @argument, 'COPT=-O0', 'with_llvm=no', 'install', "DESTDIR=$dest");
	ok($ok, "$name: make install") or diag $said;
	ok(-e "$dir/awspool.so", "$name: the library is built there");
	my @installed = map { s/.*\///r } grep { !m{/doc/} } split /\n/, `find $dest -type f`;
	is_deeply(
		[ sort @installed ],
		[ sort 'awspool.control', 'awspool.so', map { s/.*\///r } glob "$project/awspool--*.sql" ],
		"$name: all is installed");
	my ($docs) = split /\n/, `find $dest -type d -path '*/extension/awspool'`;
	foreach my $document (split /\n/, `find $docs -name '*.md'`)
	{
		my ($folder) = $document =~ m{(.*)/};
		my $text = slurp_file($document);
		while ($text =~ /\]\(([^)#:]*)(?:#([^)]*))?\)/g)
		{
			my ($link, $heading) = ($1, $2);
			my $target = $link eq '' ? $document : "$folder/$link";
			if (!-e $target) { fail "$name: $document leads to $link" }
			elsif (defined $heading) {
				(grep { $_ eq $heading } headings(slurp_file($target)))
				  or fail "$name: $document leads to $link#$heading";
			}
		}
	}
	ok(-e "$docs/doc/awspool.md", "$name: and the reference");

	($ok, $said) = run_there($dir, 'make', '-n', @argument, 'installcheck');
	foreach my $test (glob "$project/sql/*.sql $project/test/specs/*.spec")
	{
		my ($file) = $test =~ m{([^/]+)\.\w+$};
		$said =~ /--dbname.* \Q$file\E( |$)/m or fail "$name: installcheck leaves out $test";
	}

	# A server whose superuser is not called as they usually are
	next if $name eq 'VPATH';
	my $node = PostgreSQL::Test::Cluster->new('other_name');
	$node->init(extra => [ '--username', 'the boss' ]);
	$node->start;
	($ok, $said) = run_there($dir, 'env', "PGHOST=" . $node->host, "PGPORT=" . $node->port, 'PGUSER=the boss',
		'make', @argument, 'installcheck', 'REGRESS=lint', 'ISOLATION=claim');
	ok($ok, "$name: make installcheck") or diag $said;
	unlike($said, qr/tap install-check/, 'without the TAP tests');
	$node->stop;
}

done_testing();
