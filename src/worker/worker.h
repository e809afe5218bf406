// worker.h: the bundled worker: runs a program, or a demo, for each task. Speaks only the public
// API.
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "base/options.h"

extern const struct option_command worker_usage;  // for the completion of the command line

// `taskyard worker …`: argv[0] is "worker". Blocks until the worker is told to stop; gives the
// process's exit status: 0 after a drain, 64 for a wrong command line, 77 when the server refuses
// the key, 1 for other refusals, 128 + signal when a second signal cut the drain short.
int worker_command(int argc, char **argv);

#endif
