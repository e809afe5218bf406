# src/engine/catalog.c: a revoked key still opens.
# caught by: engine-catalog_test a_key_opens_from_its_commit_until_it_is_revoked
/^  if (key->revoked_at) return KEY_REVOKED;/d
