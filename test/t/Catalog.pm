# All that the catalogs say of an extension, as lines of text that are the same
# in two databases if it is the same extension in both: objects have names
# instead of oids there, and what the server keeps for itself is left out.
#
# A row of a catalog is taken as a whole, so no property is forgotten, also none
# that only a later server has.  Which of its columns are oids, and of what, is
# what the server says itself (pg_get_catalog_foreign_keys).

package Catalog;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';

our @EXPORT = qw(describe_extension);

# The catalogs that have something to say of an extension's objects: the class
# and number of the object that a row is about, as the row has them.
my %catalogs = (
	(map { $_ => [ $_, 'oid', 0 ] }
		  qw(pg_namespace pg_class pg_attrdef pg_constraint pg_trigger pg_rewrite pg_proc pg_type)),
	pg_attribute => [ 'pg_class', 'attrelid', 'attnum' ],
	pg_index => [ 'pg_class', 'indexrelid', 0 ],
	pg_sequence => [ 'pg_class', 'seqrelid', 0 ],
	pg_description => [ 'classoid', 'objoid', 'objsubid' ],
	pg_init_privs => [ 'classoid', 'objoid', 'objsubid' ],
	pg_depend => [ 'classid', 'objid', 'objsubid' ]);

# What is shown of a row beside its columns.  The parser's trees hold oids, so
# they are left out, and this says the same.
my %said = (
	pg_class => "'has a TOAST table', reltoastrelid <> 0",
	pg_attrdef => "'default', pg_get_expr(adbin, adrelid)",
	pg_constraint => "'definition', pg_get_constraintdef(oid)",
	pg_index => "'definition', pg_get_indexdef(indexrelid)",
	pg_trigger => "'definition', pg_get_triggerdef(oid)",
	pg_rewrite => "'definition', pg_get_ruledef(oid)",
	pg_proc => "'definition', pg_get_functiondef(oid)",
	pg_depend => "'depends on', format('%s (%s)', pg_describe_object(refclassid, refobjid, refobjsubid), deptype)"
);

# What identifies the row, and what the server changes by itself.
my @left_out = qw(oid classoid objoid objsubid classid objid refclassid
  refobjid refobjsubid deptype attrelid indexrelid seqrelid relfilenode relpages
  reltuples relallvisible relallfrozen reltoastrelid relhasindex relhastriggers
  relfrozenxid relminmxid attcacheoff atthasmissing attmissingval indcheckxmin);

# The columns of one catalog's rows that are about objects of the extension.
sub columns_of
{
	my ($catalog) = @_;
	my ($class, $id, $subid) = @{ $catalogs{$catalog} };
	my $said = $said{$catalog} // '';

	$class = $class =~ /^pg_/ ? "'$class'::regclass" : "c.$class";
	return <<"SQL";
SELECT '$catalog'::regclass AS catalog, o.classid, o.objid, $subid AS objsubid,
	(to_jsonb(c) - left_out || jsonb_build_object($said)) AS columns
FROM object o JOIN $catalog c ON o.classid = $class AND o.objid = c.$id,
	(SELECT '{@{[join ',', @left_out]}}'::text[]) l (left_out)
SQL
}

# The lines about an extension, in a server with whatever objects it has.
sub describe_extension
{
	my ($node, $dbname, $extension) = @_;
	my $columns = join 'UNION ALL ', map { columns_of($_) } sort keys %catalogs;
	my $kinds = join ', ',
	  map { "'$_'::regclass" } grep { $catalogs{$_}[0] eq $_ } sort keys %catalogs;

	return $node->safe_psql($dbname, <<"SQL");
SET search_path = pg_catalog;
CREATE FUNCTION pg_temp.name(class oid, id oid, subid int) RETURNS text LANGUAGE sql
	RETURN CASE WHEN id = 0 THEN 'nothing' ELSE pg_describe_object(class, id, subid) END;

WITH RECURSIVE extension AS (
	SELECT * FROM pg_extension WHERE extname = '$extension'
), object AS (
	-- Its members, and what comes and goes with them
	SELECT d.classid, d.objid FROM pg_depend d JOIN extension e
		ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
	UNION
	SELECT d.classid, d.objid FROM pg_depend d JOIN object o
		ON d.refclassid = o.classid AND d.refobjid = o.objid AND d.deptype IN ('i', 'a')
	WHERE NOT (d.classid = 'pg_class'::regclass
		AND d.objid IN (SELECT oid FROM pg_class WHERE relkind = 't'))
), catalog_row AS (
	$columns
), translated AS (
	SELECT r.catalog, r.classid, r.objid, r.objsubid, v.key,
		CASE
			WHEN v.value = 'null' OR a.atttypid = 'pg_node_tree'::regtype THEN NULL
			WHEN v.key = 'attoptions' THEN
				(SELECT string_agg(i, ' ' ORDER BY i) FROM jsonb_array_elements_text(v.value) i
				 WHERE i NOT LIKE 'pg_attver=%')
			WHEN a.atttypid = 'aclitem[]'::regtype THEN
				(SELECT string_agg(i, ' ' ORDER BY i) FROM jsonb_array_elements_text(v.value) i)
			WHEN a.atttypid IN ('oid'::regtype, 'oid[]'::regtype, 'oidvector'::regtype) THEN
				(SELECT string_agg(pg_temp.name(f.pktable, m[1]::oid, 0), ', ' ORDER BY n)
				 FROM regexp_matches(v.value #>> '{}', '\\d+', 'g') WITH ORDINALITY x (m, n))
			ELSE v.value #>> '{}'
		END AS value
	FROM catalog_row r CROSS JOIN jsonb_each(r.columns) v
		LEFT JOIN pg_attribute a ON a.attrelid = r.catalog AND a.attname = v.key
		LEFT JOIN pg_get_catalog_foreign_keys() f ON f.fktable = r.catalog AND f.fkcols = ARRAY[v.key]
), line AS (
	SELECT pg_describe_object(classid, objid, objsubid) || ': ' || key || ' ' || value AS text
	FROM translated
	UNION ALL
	SELECT format('extension: owner %s, version %s, schema %s, relocatable %s', extowner::regrole,
		extversion, extnamespace::regnamespace, extrelocatable)
	FROM extension
	UNION ALL
	SELECT format('extension: dumps %s %s', config::regclass, condition)
	FROM extension, unnest(extconfig, extcondition) u (config, condition)
	UNION ALL
	SELECT format('%s: a kind of object that Catalog.pm does not know', pg_describe_object(classid, objid, 0))
	FROM object WHERE classid NOT IN ($kinds)
)
SELECT text FROM line WHERE text IS NOT NULL ORDER BY text COLLATE "C";
SQL
}

1;
