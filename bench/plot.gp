# The picture of bench/results.svg: what bench/run.sh left in "work".
set terminal svg size 900,360 font "sans-serif,13" background "white"
set multiplot layout 1,2
set grid ytics lc rgb "#dddddd"
set border 3
set tics nomirror scale 0.5

set title "Claims from one hot pool, as a part of the limit"
set style data histograms
set style histogram clustered gap 1
set style fill solid 1 noborder
set xlabel "clients"
set yrange [0:*]
set key above
plot work."/hot" using 2:xtic(1) title "awspool" lc rgb "#1b6ca8", \
     "" using 3 title "SKIP LOCKED" lc rgb "#e08e2b", \
     "" using 4 title "naive" lc rgb "#b8b8b8"

set title "Claims a second, a snapshot held, 8 clients"
set style data linespoints
set logscale y
set xlabel "seconds"
set xrange [0:*]
set yrange [1:*]
plot work."/windows.limit" using 2:3 title "the limit" lc rgb "#555555" dt 2 pt 0, \
     work."/windows.awspool" using 2:3 title "awspool" lc rgb "#1b6ca8" pt 7 ps 0.5, \
     work."/windows.skip" using 2:3 title "SKIP LOCKED" lc rgb "#e08e2b" pt 7 ps 0.5
