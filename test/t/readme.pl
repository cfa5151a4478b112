# README's tour, word for word: each statement is typed into psql in the checkout,
# and what psql answers is what the page shows.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use PostgreSQL::Test::Utils;
use Test::More;

my $project = "$FindBin::RealBin/../..";
my ($tour) = slurp_file("$project/README.md") =~ /^## The life of an account\n(.*?)^## /ms;
my $shown = join "\n", $tour =~ /^```sql\n(.*?)^```$/msg;

# A statement begins a paragraph, and ends with its semicolon; psql's own commands
# are a line each.
my @statements = map { /^(\\.*?|[A-Z].*?;)$/ms ? $1 : () } grep { /^[\\A-Z]/ } split /\n\n/, $shown;
cmp_ok(scalar @statements, '>', 20, 'the tour has statements');

# psql repeats what it reads (-a); where it found an error is told apart.
my $node = start_pool('readme');
my $said = '';
IPC::Run::run([ 'env', '-C', $project, 'psql', '-X', '-a', '-d', $node->connstr('postgres') ],
	'<', \join("\n", @statements, ''), '>&', \$said);
$said =~ s/^psql:<stdin>:\d+: //mg;

sub lines { return [ grep { $_ ne '' } map { s/ +$//r } split /\n/, shift ] }
is_deeply(lines($said), lines($shown), 'psql answers as README says') or diag $said;

done_testing();
