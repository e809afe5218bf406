# src/engine/catalog.c: a key opens a moment longer than it says.
# caught by: engine-catalog_test a_key_opens_until_its_end
s/^  return key->expires_at && key->expires_at <= now;/  return key->expires_at \&\& key->expires_at < now;/
