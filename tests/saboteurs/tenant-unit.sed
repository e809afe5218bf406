# src/engine/unit.c: what a unit has loaded for one tenant is found by another in it.
# caught by: engine-tenants_test what_the_unit_has_loaded_for_one_is_absent_to_the_other
s/^  return row && !row->gone && row->task.tenant == tenant ? row : NULL;/  return row \&\& !row->gone \&\& tenant ? row : NULL;/
