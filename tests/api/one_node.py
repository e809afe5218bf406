"""What of the black-box tests is otherwise when the server is several nodes (tools/run-tests
api-nodes): all else asks them in turn, and has to get the answers that one server gives."""

import zlib

# The fixtures that are several nodes then. A test that has none of them starts servers of its own,
# or none: it is left out, since api-postgres has run it.
SEVERAL = {"server", "keyed", "keyless", "session_server", "asked", "narrow", "listed", "star"}

# File, or file::test: why all its requests go to one node, another one for each file. Besides, a
# test that pauses a queue, sets a type or makes a key stays from then on with the node that
# answered: lib/nodes.py.
SESSIONS = "a session is in the memory of the node that it began on"
WORKERS = "a node tells of the workers that it has seen itself"
ORDER = "claims that wait are served in their order by each node for itself"
CONTROL = "a program changes what other nodes hear of a little later"
IN_PROGRESS = "that the first request still waits is known to its own node alone"
NEWS = "a claim that finds a task may pass over one that another node made some ms before"
STAY = {
    "test_audit.py::test_each_event_of_a_session_names_it_or_a_worker_and_never_a_key": SESSIONS,
    "test_claims.py::test_a_claim_takes_only_the_types_it_names": NEWS,
    "test_claims.py::test_priority_counts_across_the_types_of_a_claim": NEWS,
    "test_claims.py::test_of_two_waiting_claims_the_first_is_served_first": ORDER,
    "test_cli.py::test_queues_are_listed_paused_and_resumed": CONTROL,
    "test_cors.py": SESSIONS,
    "test_idempotency.py::test_a_key_whose_first_request_still_waits_is_in_progress": IN_PROGRESS,
    "test_idempotency.py::test_a_claim_that_waits_with_a_key_is_in_progress_and_then_replayed":
        IN_PROGRESS,
    "test_isolation.py::test_what_another_session_has_is_as_if_it_were_absent": SESSIONS,
    "test_isolation.py::test_what_a_session_has_is_absent_to_every_credential": SESSIONS,
    "test_isolation.py::test_no_body_of_a_session_sets_what_is_not_its_own": SESSIONS,
    "test_isolation_lists.py::test_no_filter_nor_cursor_finds_what_another_session_has": SESSIONS,
    "test_live.py::test_a_session_has_20_streams_and_sees_its_own_events_only": SESSIONS,
    "test_live.py::test_the_streams_of_a_deleted_session_end_and_its_marks_are_foreign_to_the_next":
        SESSIONS,
    "test_live.py::test_a_session_by_parameter_streams_to_an_event_source": SESSIONS,
    "test_queues_types_workers.py::test_a_worker_is_listed_with_what_it_does": WORKERS,
    "test_queues_types_workers.py::test_a_waiting_worker_is_listed_as_waiting": WORKERS,
    "test_queues_types_workers.py::test_a_heartbeat_is_a_sign_of_life": WORKERS,
    "test_routes.py::test_each_demo_route_makes_and_starts_a_task_in_a_session": SESSIONS,
    "test_session_cli.py": SESSIONS,
    "test_session_executor.py": SESSIONS,
    "test_session_places.py": SESSIONS,
    "test_sessions_cleanup.py": SESSIONS,
    "test_sessions_ephemeral.py": SESSIONS,
    "test_sessions_isolation.py": SESSIONS,
    "test_sessions_keys.py": SESSIONS,
    "test_sessions_lives.py": SESSIONS,
    "test_sessions_log.py": SESSIONS,
    "test_sessions_shapes.py": SESSIONS,
    "test_sessions_workers.py": SESSIONS,
}


def of_nodes(item):
    return bool(SEVERAL & set(item.fixturenames))


def number_of(item):
    """Of the node that it stays with, or None."""
    name = item.path.name
    if name in STAY or f"{name}::{item.originalname}" in STAY:
        return zlib.crc32(name.encode())
    return None
