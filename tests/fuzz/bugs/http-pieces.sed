# src/http/scan.c: a CR at the end of a piece is passed over without the LF behind it.
s/    if (scan->at + 1 == bytes.len) break;/    if (scan->at + 1 == bytes.len) { scan->at++; break; }/
