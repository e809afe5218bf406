// judge.c: the program `judge`: verdicts on what faults have left of stores.
//   judge lines                             reads lines "PATH FACTS" ("-": no facts), and answers
//                                           each with "good TASKS" or "bad WHY"
//   judge power RECORD FACTS SEED N FOLDER  builds N states of a disk after power loss
//   judge flips STORE SEED N FOLDER         flips N bits of a copy, one at a time
#include "tests/faults/judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/faults/verdict.h"

int judge_lines(void) {
  char line[4096], path[2048], facts_path[2048];
  while (fgets(line, sizeof line, stdin)) {
    if (sscanf(line, "%2047s %2047s", path, facts_path) != 2) return 2;
    struct facts *facts = strcmp(facts_path, "-") == 0 ? NULL : facts_read(facts_path);
    struct verdict v = verdict_of(path, facts, UINT64_MAX);
    if (verdict_good(&v))
      printf("good %zu\n", v.tasks);
    else
      printf("bad %s\n", v.why);
    fflush(stdout);
    facts_free(facts);
  }
  return 0;
}

static uint64_t number(const char *text) { return strtoull(text, NULL, 10); }

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "lines") == 0) return judge_lines();
  if (argc == 7 && strcmp(argv[1], "power") == 0)
    return judge_power(argv[2], argv[3], number(argv[4]), number(argv[5]), argv[6]);
  if (argc == 6 && strcmp(argv[1], "flips") == 0)
    return judge_flips(argv[2], number(argv[3]), number(argv[4]), argv[5]);
  fprintf(stderr,
          "usage: judge lines | power RECORD FACTS SEED N FOLDER | flips STORE SEED N DIR\n");
  return 2;
}
