// facts.h: what clients were told, from a file of lines. `at` says how long the record of the file
// system's calls was just then (0 where there is none):
//   T at id revision status attempt subject   a task, as an answer showed it
//   D at id                                   an answer said that it was deleted
//   M at id                                   a deletion was sent
//   G subject subject …                       tasks that were created together
//   K at key, A at id, Y at name, Q at name   an answer is kept under this Idempotency-Key; this
//   API
//                                             key, type, queue was made
#ifndef TESTS_FAULTS_FACTS_H
#define TESTS_FAULTS_FACTS_H

#include <stddef.h>
#include <stdint.h>

enum { FACT_ID = 40, FACT_SUBJECT = 64 };

struct fact {
  uint64_t at;
  char kind;
  char id[FACT_ID], subject[FACT_SUBJECT];
  long long revision, attempt;
  int status;
};

struct facts {
  struct fact *list;  // by id, then in the order in which they were told
  size_t count, cap;
  char **groups;
  size_t group_count;
  struct fact_key {
    uint64_t at;
    char kind, key[FACT_SUBJECT];
  } * keys;
  size_t key_count;
};

struct facts *facts_read(const char *path);  // NULL: it cannot be read, or is no such file
void facts_free(struct facts *facts);

#endif
