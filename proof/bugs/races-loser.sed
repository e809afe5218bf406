# src/engine/settle.c: who lost is told that he won.
s/return ERR_LEASE_LOST;/return ERR_OK;/
