"""What a server gives up when it starts, seen from outside.

guard_test.c has the rest; proof/hardening looks at the program and its unit.
"""


def test_a_server_gets_no_new_rights_by_running_a_program(make_server):
    server = make_server()
    with open(f"/proc/{server.pid}/status") as lines:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in lines if ":\t" in line)
    assert status["NoNewPrivs"] == "1"
