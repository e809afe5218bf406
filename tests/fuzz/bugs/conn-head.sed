# src/http/respond.c: the answer to HEAD has a body.
s/ && !what->head_only && / \&\& /
