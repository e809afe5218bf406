# src/api/jwt.c: a token opens after its end.
# caught by: api-jwt_test times_are_held_against_the_clock_with_leeway
/^  if (now >= exp + leeway) return refuse/d
