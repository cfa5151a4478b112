# Files as people, spreadsheets and other programs make them.  The table
# test/data/corpus.psv has what is expected of each in test/data/corpus/; files
# that are too long to be kept are made here.
#
# The server reads each file as bytes, and makes it the text that an application
# would send; so what is no text fails on the way, as it does for the application.
# Then check_csv, import_csv with and without skip_rejected, and, where the table
# says so, COPY into awspool.import meet the same pool.

use strict;
use warnings FATAL => 'all';

use FindBin;
use lib $FindBin::RealBin;
use Awspool;
use PostgreSQL::Test::Utils;
use Test::More;

my $corpus = "$FindBin::RealBin/../data/corpus";
my $made = PostgreSQL::Test::Utils::tempdir;
my $node = start_pool('corpus',
	init => { extra => [ '--encoding=UTF8', '--no-locale' ] });

# What the files meet.  Account n is of marketplace MP-000n, and SPAM.
#
#	acme    600000000001  ready
#	        600000000002  provisioning_in_progress
#	        600000000003  allocated
#	        600000000004  provisioning_failed
#	        600000000005  invalid
#	        600000000006  used and deleted
#	        600000000007  deleted while it was ready
#	        600000000008  ready, its model edited to ECAM
#	other   700000000001  ready
#	        700000000002  used and deleted
#	        700000000003  deleted while it was ready
#
# The importer acts for acme only.
$node->safe_psql('postgres', <<'SQL');
SELECT FROM generate_series(1, 8) n, awspool.add_account('acme', '60000000000' || n, 'MP-000' || n, 'SPAM');
SELECT FROM unnest('{2,3,4,6}'::int[]) n, awspool.claim_account('acme', 'MP-000' || n, 'order-' || n);
SELECT FROM awspool.allocate_account('acme', '600000000003');
SELECT FROM awspool.fail_account('acme', '600000000004');
SELECT FROM awspool.invalidate_account('acme', '600000000005');
SELECT FROM awspool.allocate_account('acme', '600000000006');
SELECT FROM awspool.delete_accounts('acme', '{600000000006,600000000007}');
SELECT FROM awspool.edit_account('acme', '600000000008', model => 'ECAM');

SELECT FROM generate_series(1, 3) n, awspool.add_account('other', '70000000000' || n, 'MP-000' || n, 'SPAM');
SELECT FROM awspool.claim_account('other', 'MP-0002', 'order-2');
SELECT FROM awspool.allocate_account('other', '700000000002');
SELECT FROM awspool.delete_accounts('other', '{700000000002,700000000003}');

CREATE TABLE before AS TABLE awspool.account;

CREATE ROLE regress_awspool_importer;
SELECT awspool.grant_provider('acme', 'regress_awspool_importer');
GRANT pg_read_server_files TO regress_awspool_importer;
GRANT EXECUTE ON FUNCTION pg_read_binary_file(text) TO regress_awspool_importer;
SQL

# Run each statement as the importer, show what is stored now that was not before,
# and roll back.  Returns for each the output and nothing, or nothing and the
# error.  All in one session: to start one takes longer than most files.
sub attempt
{
	my (@statements) = @_;
	my $next = 'the next statement';
	my $script = join '', map { <<SQL } @statements;
BEGIN;
SET ROLE regress_awspool_importer;
$_;
RESET ROLE;
SELECT 'stored', provider, account_id, marketplace, model
  FROM (TABLE awspool.account EXCEPT TABLE before) stored ORDER BY position;
ROLLBACK;
\\echo $next
\\warn $next
SQL
	my (undef, $stdout, $stderr) = $node->psql(
		'postgres', "\\set VERBOSITY verbose\n$script",
		on_error_stop => 0);
	my @outputs = split /^\Q$next\E\n?/m, $stdout, @statements + 1;
	my @errors = split /^\Q$next\E\n?/m, $stderr, @statements + 1;

	return map {
		$errors[$_] =~ /ERROR:/
		  ? [ '', plain($errors[$_]) ]
		  : [ plain($outputs[$_]), '' ]
	} 0 .. $#statements;
}

# The statement that makes a report, as the table has it
sub report
{
	my ($call, $path, @arguments) = @_;
	my $csv = "convert_from(pg_read_binary_file('$path'), 'UTF8')";
	my $arguments = join ', ', "'acme'", $csv, @arguments;

	return
	  "COPY (SELECT * FROM awspool.$call($arguments) ORDER BY line)
		 TO STDOUT (DELIMITER '|', NULL '-')";
}

sub copy
{
	my ($path, $options) = @_;

	return
	  "COPY awspool.import (account_id, marketplace_id, account_model) FROM '$path'
		 (FORMAT csv, DELIMITER ';', ENCODING 'UTF8', $options)";
}

# Bytes in the notation of the table
sub plain
{
	my ($text) = @_;

	$text =~ s/(9{100,})/'9{' . length($1) . '}'/ge;
	$text =~ s/([^\x20-\x7e\n])/sprintf '\x%02x', ord $1/ge;
	return $text;
}

# An error's code and, if COPY tells it, its line
sub failure
{
	my ($error) = @_;
	my ($sqlstate) = $error =~ /ERROR:  (\w{5}):/;
	my ($line) = $error =~ /^CONTEXT:  COPY import, line (\d+)/m;

	return 'no error' unless defined $sqlstate;
	return defined $line ? "$sqlstate line $line" : $sqlstate;
}

# The error with which import_csv refuses a file with rejected rows
sub refusal
{
	my ($error) = @_;

	return $error =~ /ERROR:  (WS006: .*\nDETAIL:  (?:.*\n)+?)HINT:/
	  ? $1
	  : failure($error);
}

sub expected_refusal
{
	my (@rows) = @_;
	my @rejected;

	for my $row (@rows)
	{
		my ($line, $outcome, $detail) =
		  ($row =~ /(?:^|\|)((?:\\.|[^\\|])*)/g)[ 0, 4, 5 ];

		next if $outcome ne 'rejected';
		$detail =~ s/\\([\\|])/$1/g;
		push @rejected, "line $line: $detail\n";
	}
	return '' if !@rejected;
	return sprintf("WS006: %d of %d rows rejected, nothing imported\nDETAIL:  ",
		scalar @rejected, scalar @rows)
	  . join '', grep { defined } @rejected[ 0 .. 9 ];
}

# What is expected of a file: "rows" of the report or an "error", and what COPY
# does with which "options": "stores" what import_csv stores, or the error, whose
# line matters if it is given.
sub test_file
{
	my ($name, $path, %expected) = @_;

	subtest $name => sub {
		my @rows = @{ $expected{rows} // [] };
		my @stored =
		  map { /^\d+(\|.*)\|added\|-$/ ? "stored|acme$1" : () } @rows;
		my ($checked, $skipping, $imported, $copied) = attempt(
			report('check_csv', $path),
			report('import_csv', $path, 'true'),
			report('import_csv', $path),
			defined $expected{copy} ? copy($path, $expected{options}) : ());

		if (defined $expected{error})
		{
			like(failure($checked->[1]), qr/^$expected{error}( |$)/, 'check_csv');
			like(failure($skipping->[1]), qr/^$expected{error}( |$)/,
				'import_csv, skip_rejected');
			like(failure($imported->[1]), qr/^$expected{error}( |$)/, 'import_csv');
		}
		else
		{
			same_lines($checked, \@rows, 'check_csv');
			same_lines($skipping, [ @rows, @stored ], 'import_csv, skip_rejected');
			if (my $refusal = expected_refusal(@rows))
			{
				is(refusal($imported->[1]), $refusal, 'import_csv');
			}
			else
			{
				same_lines($imported, [ @rows, @stored ], 'import_csv');
			}
		}

		if (defined $expected{copy})
		{
			if ($expected{copy} eq 'stores')
			{
				same_lines($copied, \@stored, 'COPY');
			}
			else
			{
				like(failure($copied->[1]), qr/^$expected{copy}( |$)/, 'COPY');
			}
		}
	};
	return;
}

# Tells only the first line that differs.
sub same_lines
{
	my ($got, $expected, $name) = @_;

	return is_deeply([ split /\n/, join '', @$got ], $expected, $name);
}

#
# The files that are kept
#

my %table;
for (split /\n/, slurp_file("$corpus.psv"))
{
	next if /^(#|$)/;
	my ($name, $kind, $rest) = split /\|/, $_, 3;
	my $expected = $table{$name} //= {};

	if ($kind eq 'error')
	{
		$expected->{error} = $rest;
	}
	elsif ($kind eq 'COPY')
	{
		@$expected{ 'options', 'copy' } = split /\|/, $rest;
	}
	elsif ($kind eq 'no rows')
	{
		$expected->{rows} = [];
	}
	else
	{
		push @{ $expected->{rows} }, "$kind|$rest";
	}
}

is_deeply(
	[ sort keys %table ],
	[ sort map { /([^\/]+)\.csv$/ } glob "$corpus/*" ],
	'the table has every file');
test_file($_, "$corpus/$_.csv", %{ $table{$_} }) for sample(8, sort keys %table);

#
# Files that are made.  Rows are stored 4,096 at a time.
#

sub make_file
{
	my ($name, @parts) = @_;
	my $path = "$made/$name.csv";

	open my $file, '>:raw', $path or die "$path: $!";
	print $file @parts;
	close $file or die "$path: $!";
	return $path;
}

# A file of well-formed rows, but for row $at, which is given as text together
# with what follows the line in the report, and the error of COPY.
sub test_long_file
{
	my ($name, $n, $at, $row, $report, $copy) = @_;
	my @ids = map { 100000000000 + $_ } 1 .. $n;
	my @lines = map { "$_;MP-0000;SPAM\n" } @ids;
	my @rows = map { "$_|$ids[$_ - 1]|MP-0000|SPAM|added|-" } 1 .. $n;

	if (defined $at)
	{
		$lines[ $at - 1 ] = "$row\n";
		$rows[ $at - 1 ] = "$at|$report";
		$copy .= " line $at";
	}
	test_file($name, make_file($name, @lines),
		rows => \@rows, options => 'HEADER false', copy => $copy // 'stores');
	return;
}

test_long_file("$_ rows", $_) for 4095, 4096, 4097, 8192, 9000;

for my $at (sample(3, 1, 4096, 4097, 9000))
{
	test_long_file("malformed row $at of 9000",
		9000, $at, '12345678901;MP-0000;SPAM',
		'12345678901|MP-0000|SPAM|rejected|account id "12345678901" must be exactly 12 digits (a spreadsheet may have dropped a leading zero)',
		'22023');
	test_long_file("short row $at of 9000",
		9000, $at, '123456789012;MP-0000',
		'123456789012|MP-0000|-|rejected|wrong number of fields: 2 instead of 3',
		'22P04');
	test_long_file("used account in row $at of 9000",
		9000, $at, '600000000006;MP-0006;SPAM',
		'600000000006|MP-0006|SPAM|rejected|account "600000000006" was used before and cannot be added again',
		'WS005');
	test_long_file("account of another in row $at of 9000",
		9000, $at, '700000000001;MP-0001;SPAM',
		'700000000001|MP-0001|SPAM|rejected|account id "700000000001" is taken',
		'23505');
}

# Row 1 again
for my $at (sample(3, 4096, 4097, 5500, 9000))
{
	test_long_file("row 1 again in row $at of 9000",
		9000, $at, '100000000001;MP-0000;SPAM',
		'100000000001|MP-0000|SPAM|rejected|account id "100000000001" is on line 1 already',
		'23505');
	test_long_file("row 1 again in row $at of 9000, otherwise",
		9000, $at, '100000000001;MP-0009;ECAM',
		'100000000001|MP-0009|ECAM|rejected|account id "100000000001" is on line 1 already',
		'23505');
}

# An account that is there already, twice, more than 5,000 rows apart
{
	my $present = "600000000001;MP-0001;SPAM\n";
	my @ids = map { 100000000000 + $_ } 1 .. 6000;

	test_file(
		'present rows far apart',
		make_file(
			'present', $present, (map { "$_;MP-0000;SPAM\n" } @ids), $present),
		rows => [
			'1|600000000001|MP-0001|SPAM|present|-',
			(map { $_ - 99999999999 . "|$_|MP-0000|SPAM|added|-" } @ids),
			'6002|600000000001|MP-0001|SPAM|rejected|account id "600000000001" is on line 1 already'
		],
		options => 'HEADER false',
		copy => '23505 line 6002');
}

# Whatever may be between and around values, on every side of the reader's
# buffers, whose ends are at multiples of 64 kB
{
	my @separators = (';', ',');
	my @quotes = ('', '"');
	my @ends = ("\n", "\r\n", ";\r\n", ",,\n", "\r\n\r\n");
	my $file = "\xef\xbb\xbfaccount_id;marketplace_id,account_model\r\n";
	my $line = 2;
	my @rows;

	for my $i (1 .. 9000)
	{
		my $id = 100000000000 + $i;
		my $quote = $quotes[ $i % 2 ];
		my $end = $ends[ $i % 5 ];

		push @rows, "$line|$id|MP-0000|SPAM|added|-";
		$file .= join $separators[ $i / 2 % 2 ],
		  map { "$quote$_$quote" } $id, 'MP-0000', 'SPAM';
		$file .= $end;
		$line += $end =~ tr/\n//;
	}
	test_file('9000 rows of all kinds', make_file('all-kinds', $file),
		rows => \@rows);
}

# What is broken is found after the first rows were stored, and these are gone.
{
	my @rows = map { 100000000000 + $_ . ";MP-0000;SPAM\n" } 1 .. 9000;

	test_file(
		'quotes open in row 5000',
		make_file('quotes', @rows[ 0 .. 4998 ], '"', @rows[ 4999 .. 8999 ]),
		error => '22P04',
		options => 'HEADER false',
		copy => '22P04');
	test_file(
		'end mark in row 5000',
		make_file('mark', @rows[ 0 .. 4998 ], "\\.\n", @rows[ 4999 .. 8999 ]),
		error => '22P04');
	test_file(
		'NUL byte in row 5000',
		make_file('nul', @rows[ 0 .. 4998 ], "\0", @rows[ 4999 .. 8999 ]),
		error => '22021',
		options => 'HEADER false',
		copy => '22021');
}

# A line of 100 MB
{
	my $size = 100 * 1024 * 1024;
	my $path = make_file(
		'100-mb',
		"123456789012;MP-0000;SPAM\n",
		'9' x $size,
		";MP-0000;SPAM\n123456789013;MP-0000;ECAM\n");
	my @rows = (
		'1|12|added|',
		"2|$size|rejected|account id \"" . '9' x 64 . '..." must be exactly 12 digits',
		'3|12|added|');
	my @stored = (
		'stored|acme|123456789012|MP-0000|SPAM',
		'stored|acme|123456789013|MP-0000|ECAM');

	my ($checked, $skipping, $imported, $copied) = attempt((map {
			"SELECT line, length(account_id), outcome, detail
			 FROM awspool.$_->[0]('acme',
			   convert_from(pg_read_binary_file('$path'), 'UTF8')$_->[1])
			 ORDER BY line"
		} [ 'check_csv', '' ], [ 'import_csv', ', true' ]),
		report('import_csv', $path),
		copy($path, 'HEADER false'));

	same_lines($checked, \@rows, 'a line of 100 MB: check_csv');
	same_lines($skipping, [ @rows, @stored ],
		'a line of 100 MB: import_csv, skip_rejected');
	is( refusal($imported->[1]),
		"WS006: 1 of 3 rows rejected, nothing imported\nDETAIL:  line 2: account id \""
		  . '9' x 64
		  . "...\" must be exactly 12 digits\n",
		'a line of 100 MB: import_csv');
	is(failure($copied->[1]), '22023 line 2', 'a line of 100 MB: COPY');
	unlink $path;
}

$node->stop;
done_testing();
