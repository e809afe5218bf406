# src/store/sqlite/ready.c: of several channels the younger task comes first.
# caught by: contract-pick_test many_channels_are_merged_into_one_order
s/ : a->key < b->key;/ : a->key > b->key;/
