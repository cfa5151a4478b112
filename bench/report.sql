-- The table of results, in Markdown, from the files that bench/run.sh wrote.

\set scenarios :work '/scenarios'
\set lines :work '/lines'
\set figures :work '/figures'
\set windows :work '/windows'

CREATE TEMP TABLE scenario (title text, how text, n serial);
CREATE TEMP TABLE line (title text, text text, unit text, target text, n serial);
CREATE TEMP TABLE figure (title text, text text, round int, side text, value float8);
CREATE TEMP TABLE held (side text, second float8, tps float8);
COPY scenario (title, how) FROM :'scenarios';
COPY line (title, text, unit, target) FROM :'lines';
COPY figure FROM :'figures';
COPY held FROM :'windows';

-- Three digits that count, or all before the point.
CREATE FUNCTION pg_temp.show(v float8) RETURNS text IMMUTABLE
RETURN CASE WHEN v >= 100 THEN ltrim(to_char(v, '999,999,999'))
            WHEN v >= 10 THEN ltrim(to_char(v, '90.0'))
            WHEN v >= 0.01 OR v = 0 THEN ltrim(to_char(v, '0.00'))
            WHEN v > 0 THEN ltrim(to_char(v, '0.0000')) END;

CREATE FUNCTION pg_temp.show(v float8, ratio float8) RETURNS text IMMUTABLE
RETURN concat(pg_temp.show(v), ' (' || pg_temp.show(ratio) || ')');

CREATE TEMP TABLE median AS
SELECT f.title, f.text, f.side,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY f.value) AS value,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY f.value / nullif(l.value, 0)) AS ratio
FROM figure f LEFT JOIN figure l
  ON (l.title, l.text, l.round, l.side) = (f.title, f.text, f.round, 'limit')
GROUP BY f.title, f.text, f.side;

-- What is judged: the ratio to the limit, or a figure that is a ratio itself.
CREATE TEMP TABLE result AS
SELECT line.*, l.value AS limit, a.value AS awspool, s.value AS skip, n.value AS naive,
       CASE WHEN unit <> '' THEN a.ratio END AS awspool_ratio,
       CASE WHEN unit <> '' THEN s.ratio END AS skip_ratio,
       CASE WHEN unit <> '' THEN n.ratio END AS naive_ratio,
       CASE WHEN target LIKE '>=%'
            THEN (CASE WHEN unit = '' THEN a.value ELSE a.ratio END) >= substr(target, 4)::float8
            WHEN target LIKE '<=%'
            THEN (CASE WHEN unit = '' THEN a.value ELSE a.ratio END) <= substr(target, 4)::float8
       END AS met
FROM line
     LEFT JOIN median l ON (l.title, l.text, l.side) = (line.title, line.text, 'limit')
     LEFT JOIN median a ON (a.title, a.text, a.side) = (line.title, line.text, 'awspool')
     LEFT JOIN median s ON (s.title, s.text, s.side) = (line.title, line.text, 'skip')
     LEFT JOIN median n ON (n.title, n.text, n.side) = (line.title, line.text, 'naive');

-- For bench/plot.gp
\o :work/hot
SELECT concat_ws(' ', split_part(text, ' ', 1), awspool_ratio, skip_ratio, naive_ratio)
FROM result WHERE title = 'One hot pool' AND text NOT LIKE '%order%' ORDER BY n;
\o

SELECT 'Written by `make bench`, whose `DURATION` and `ROUNDS` are told below.' || CASE WHEN :'quick' <> ''
  THEN ' **A quick look, whose figures mean nothing.**' ELSE '' END;
SELECT E'\n' || format($$*The limit* is the same change by primary key, with no search, on a twin of the
extension's table that has its columns, constraints and indexes, but not its triggers. *SKIP LOCKED* is one
statement, tuned by hand: the oldest is found in a materialised CTE, along the matching partial index, the planner
left no other choice. *Naive* is `UPDATE ... WHERE id = (SELECT ... ORDER BY added_at LIMIT 1 FOR UPDATE)`, with an
index that matches. Numbers in brackets are ratios to the limit.

PostgreSQL %s, %s cores, %s GB of memory, server and clients on one machine; fsync, synchronous_commit and
autovacuum on, shared_buffers %s, max_wal_size %s, checkpoint_timeout %s, everything else as it comes. pgbench, prepared
statements, a caller who is no superuser; where nothing else is said, rounds: %s, of %s s for each side, in rotated
order, each run on a fresh copy of the same database, vacuumed, analyzed and checkpointed. Figures and ratios are
medians over the rounds, ratios taken inside a round.$$,
  current_setting('server_version'), :'cores', :'memory', current_setting('shared_buffers'),
  current_setting('max_wal_size'), current_setting('checkpoint_timeout'), :'rounds', :'duration');
SELECT E'\n' || format('Of %s targets %s are met.', count(*), count(*) FILTER (WHERE met))
FROM result WHERE target <> '';

SELECT CASE WHEN l.n = first_value(l.n) OVER w THEN
         format(E'\n## %s\n\n%s\n\n| | the limit | awspool | target | SKIP LOCKED | naive |\n|---|--:|--:|---|--:|--:|\n',
                s.title, s.how) ELSE '' END ||
       format('| %s | %s | %s | %s | %s | %s |',
         concat_ws(', ', l.text, nullif(l.unit, '')), pg_temp.show(l.limit),
         pg_temp.show(l.awspool, awspool_ratio),
         CASE WHEN l.target <> '' THEN
           replace(replace(l.target, '>=', '≥'), '<=', '≤') ||
           CASE WHEN met THEN ', met' ELSE ', **missed**' END ELSE '' END,
         pg_temp.show(l.skip, skip_ratio),
         pg_temp.show(l.naive, naive_ratio))
FROM scenario s JOIN result l USING (title)
WINDOW w AS (PARTITION BY s.n ORDER BY l.n)
ORDER BY s.n, l.n;

SELECT E'\n## Over time, while a snapshot is held\n\nTransactions per second in each tenth of the time.\n\n| until second | the limit | awspool | SKIP LOCKED |\n|--:|--:|--:|--:|'
WHERE EXISTS (SELECT FROM held);
SELECT format('| %s | %s | %s | %s |', round(second),
         pg_temp.show(max(tps) FILTER (WHERE side = 'limit')),
         pg_temp.show(max(tps) FILTER (WHERE side = 'awspool')),
         pg_temp.show(max(tps) FILTER (WHERE side = 'skip')))
FROM held GROUP BY round(second) ORDER BY round(second);
