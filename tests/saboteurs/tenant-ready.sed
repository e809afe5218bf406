# src/engine/claim.c: a claim takes what another tenant creates in the same unit.
# caught by: engine-tenants_test what_one_creates_the_other_does_not_claim
s/^    if (all\[\*from\]->gone || task->tenant != order->tenant || /    if (all[*from]->gone || /
