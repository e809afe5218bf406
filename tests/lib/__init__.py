"""What the black-box tests share: a server to start, a client to ask it, raw sockets."""
