# src/app/moment.c: a zone may take a time a day behind 1970.
s/    if (seconds < 0) return false;/    if (seconds < -86400) return false;/
