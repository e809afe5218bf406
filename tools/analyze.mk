# Run by `make analyze`: clang-tidy and gcc -fanalyzer, once for each source since its last change.
# Tests are left out: they are run. The stamp of a source depends on all the headers it includes, as
# the compiler lists them.

SOURCES := $(filter-out tests/% %_test.c,$(filter %.c,$(shell tools/sources)))
OUT := build/analyze
# PART, a number: every second source, begun with the first or the second, and all that the latest
# commits changed.
ifdef PART
RECENT := $(shell git diff --name-only HEAD~10 2>/dev/null || echo $(SOURCES))
SOURCES := $(sort $(filter $(RECENT),$(SOURCES)) \
  $(shell printf '%s\n' $(SOURCES) | awk 'NR % 2 == $(PART) % 2'))
endif
# gcc's leak checks do not follow a condition that is asked twice; LeakSanitizer finds leaks. Its
# check of arguments takes every text that str_of was given for one that may be NULL.
FLAGS := -std=gnu17 -D_GNU_SOURCE -DTASKYARD_VERSION='""' -Isrc -I. -Itools/tidy -Ibuild/src \
  -isystem /usr/share/include/llhttp $(patsubst -I%,-isystem %,$(shell pkg-config --cflags libpq)) \
  -Wall -Wextra \
  -Wno-analyzer-malloc-leak -Wno-analyzer-file-leak -Wno-analyzer-null-argument

all: $(SOURCES:%.c=$(OUT)/%.ok)

$(OUT)/%.ok: %.c .clang-tidy tools/analyze.mk
	@mkdir -p $(@D)
	@echo "analyze $<"
	@clang-tidy --quiet --warnings-as-errors='*' $< -- $(FLAGS) 2>$(@:.ok=.log) || \
	  { cat $(@:.ok=.log); exit 1; }
	@gcc $(FLAGS) -O1 -fanalyzer -Werror -MMD -MF $(@:.ok=.d) -MT $@ -c -o /dev/null $<
	@touch $@

-include $(SOURCES:%.c=$(OUT)/%.d)
