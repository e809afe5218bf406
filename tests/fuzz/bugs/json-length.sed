# src/base/json.c: a text that ends in a backslash run is read one byte too far.
s/  for (; end - at >= 8; at += 8) {/  for (; end - at >= 7; at += 8) {/
