// bench.h: the load driver: drives a running server, or a whole suite of servers of its own.
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include "base/options.h"

extern const struct option_command bench_usage;  // for the completion of the command line

// `taskyard bench …`; argv[0] is the word "bench". Returns the exit code, as all commands do: 0 all
// went well, 1 an answer or a count was wrong, 64 the command line was, 69 no server answers.
int bench_command(int argc, char **argv);

#endif
