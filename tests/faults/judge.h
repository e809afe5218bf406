// judge.h: the parts of the program `judge`.
#ifndef TESTS_FAULTS_JUDGE_H
#define TESTS_FAULTS_JUDGE_H

#include <stdint.h>

// Each returns the exit code: 0 when all was judged, whatever the verdicts, which go to stdout.
int judge_lines(void);
int judge_power(const char *record, const char *facts, uint64_t seed, uint64_t count,
                const char *folder);
int judge_flips(const char *store, uint64_t seed, uint64_t count, const char *folder);

#endif
