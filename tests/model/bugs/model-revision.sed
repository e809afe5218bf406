# src/engine/edit.c: If-Match is not looked at.
s/order->if_revision == ABSENT || order->if_revision == row->task.revision/true || row/
