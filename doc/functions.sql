-- The functions that are there to be called, for psql: \i doc/functions.sql, or
-- make demo-psql.  \df awspool.* lists the machinery behind them as well.
--
-- Most of these check the caller's right, and their comments say so: 42501, owner
-- only.

SELECT p.proname || '(' || coalesce(
       (SELECT string_agg(CASE WHEN n <= p.pronargs - p.pronargdefaults THEN a.name ELSE '[' || a.name || ']' END,
                          ', ' ORDER BY n)
          FROM unnest(p.proargnames[:p.pronargs]) WITH ORDINALITY a (name, n)), '') || ')' AS "awspool.",
       substring(d.comment, '^(.*?)(?:;|[.](?= |$))') AS "what it does"
  FROM pg_proc p, obj_description(p.oid, 'pg_proc') d (comment)
  WHERE p.pronamespace = 'awspool'::regnamespace
    AND (d.comment ~ '42501:|^Owner only' OR p.proname IN ('acts_for_all', 'my_providers'))
  ORDER BY p.oid
\g (format=wrapped columns=120 footer=off)
