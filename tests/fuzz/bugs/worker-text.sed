# src/worker/text.c: a character that the bound cuts in two is left as it is.
s/  while (text.len > 0 \&\& continues(text.at\[text.len\])) text.len--;//
