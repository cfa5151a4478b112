/* awspool--1.0--1.1.sql: what version 1.1 changes; awspool--1.1.sql is the whole */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION awspool UPDATE TO '1.1'" to load this file. \quit

-- What is in the schema already: all else is new when this script ends.
SELECT pg_catalog.set_config('awspool_update.present',
  pg_catalog.array_agg(objid)::pg_catalog.text, true)
FROM pg_catalog.pg_depend
WHERE refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass
  AND refobjid OPERATOR(pg_catalog.=) 'awspool'::pg_catalog.regnamespace;

--
-- What is new belongs to whom the accounts belong to, whichever superuser runs
-- the update, and nobody has anything of it but what is given below, whatever
-- the default privileges say.  What users granted of the rest, or revoked, stays.
--

DO $$
DECLARE
  new record;
  given record;
  accounts_owner CONSTANT pg_catalog.oid := relowner FROM pg_catalog.pg_class
    WHERE oid OPERATOR(pg_catalog.=) 'awspool.account'::pg_catalog.regclass;
BEGIN
  FOR new IN
    SELECT o.kind, o.name
    FROM (
      -- The sequence of a column follows its table.
      SELECT oid, CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
             pg_catalog.format('awspool.%I', relname)
      FROM pg_catalog.pg_class c
      WHERE relnamespace OPERATOR(pg_catalog.=) 'awspool'::pg_catalog.regnamespace
        AND relkind OPERATOR(pg_catalog.=) ANY ('{r,v,S}'::pg_catalog."char"[])
        AND NOT EXISTS (
          SELECT FROM pg_catalog.pg_depend d
          WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
            AND d.objid OPERATOR(pg_catalog.=) c.oid AND d.deptype OPERATOR(pg_catalog.=) 'i'
            AND c.relkind OPERATOR(pg_catalog.=) 'S')
      UNION ALL
      SELECT oid, 'FUNCTION',
             pg_catalog.format('awspool.%I(%s)', proname, pg_catalog.pg_get_function_identity_arguments(oid))
      FROM pg_catalog.pg_proc
      WHERE pronamespace OPERATOR(pg_catalog.=) 'awspool'::pg_catalog.regnamespace
    ) o (oid, kind, name)
    WHERE o.oid OPERATOR(pg_catalog.<>)
      ALL (pg_catalog.current_setting('awspool_update.present')::pg_catalog.oid[])
  LOOP
    EXECUTE pg_catalog.format('ALTER %s %s OWNER TO %s', new.kind, new.name, accounts_owner::pg_catalog.regrole);
  END LOOP;

  FOR given IN
    SELECT o.kind, o.name,
           CASE a.grantee WHEN 0 THEN 'PUBLIC'
                          ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END AS grantee
    FROM (
      SELECT oid, CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
             pg_catalog.format('awspool.%I', relname), relacl
      FROM pg_catalog.pg_class
      WHERE relnamespace OPERATOR(pg_catalog.=) 'awspool'::pg_catalog.regnamespace
        AND relkind OPERATOR(pg_catalog.=) ANY ('{r,v,S}'::pg_catalog."char"[])
      UNION ALL
      SELECT oid, 'FUNCTION',
             pg_catalog.format('awspool.%I(%s)', proname, pg_catalog.pg_get_function_identity_arguments(oid)),
             COALESCE(proacl, pg_catalog.acldefault('f', proowner))
      FROM pg_catalog.pg_proc
      WHERE pronamespace OPERATOR(pg_catalog.=) 'awspool'::pg_catalog.regnamespace
    ) o (oid, kind, name, acl), pg_catalog.aclexplode(o.acl) a
    WHERE o.oid OPERATOR(pg_catalog.<>)
        ALL (pg_catalog.current_setting('awspool_update.present')::pg_catalog.oid[])
      AND a.grantee OPERATOR(pg_catalog.<>) accounts_owner
  LOOP
    EXECUTE pg_catalog.format('REVOKE ALL ON %s %s FROM %s', given.kind, given.name, given.grantee);
  END LOOP;
END $$;
