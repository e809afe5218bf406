// bench.h: the load driver: drives a running server, or a whole suite of servers of its own.
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

// `taskyard bench …`; argv[0] is the word "bench". Returns the exit code: 0 all went well, 1 the
// server or a count was wrong or could not be reached, 2 the command line was wrong.
int bench_command(int argc, char **argv);

#endif
