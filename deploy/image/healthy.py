#!/usr/bin/python3 -IS
"""healthy [path] [port]: ends with 0 if the process in this container answers the path (/readyz) on HEALTH_PORT by 200.

It reads one line from a socket: the modules for HTTP would take most of its time, every ten seconds in each container.
"""

import os
import socket
import sys

path = sys.argv[1] if len(sys.argv) > 1 else "/readyz"
port = int(sys.argv[2] if len(sys.argv) > 2 else os.environ["HEALTH_PORT"])
try:
    with socket.create_connection(("127.0.0.1", port), 4) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
except OSError as error:
    sys.exit(f"port {port} does not answer: {error}")
status = answer.split(b"\r\n", 1)[0]
print(status.decode(), answer.rpartition(b"\r\n\r\n")[2].decode()[:500])
sys.exit(b" 200 " not in status + b" ")
