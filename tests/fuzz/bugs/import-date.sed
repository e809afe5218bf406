# src/app/ejson.c: a date that no clock shows is put as it came, without quotes.
s/  if (!str_to_i64(number, \&ms)) return false;/  if (!str_to_i64(number, \&ms)) { buf_put(out, number); return true; }/
