# src/api/routes.def: workers may pause a queue.
# caught by: tests/api/test_roles_and_tenants.py test_a_route_is_open_to_its_roles_and_closed_to_the_others
s/queue_pause, ADMIN,/queue_pause, WORK,/
