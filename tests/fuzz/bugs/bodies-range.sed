# src/api/decode.c: numbers are held against the upper end of their range only.
s/if (number < f->min || number > f->max)/if (number > f->max)/
