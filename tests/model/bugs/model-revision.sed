# src/engine/edit.c: If-Match is not looked at.
s/  if (order->if_revision == ABSENT || /  if (order != NULL || /
