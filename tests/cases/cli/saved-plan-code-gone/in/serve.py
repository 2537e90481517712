"""Answers every request. It says what it was told to say."""

import os
import socket

print("serving", os.environ.get("GREETING", "nothing"), flush=True)
server = socket.create_server(("", int(os.environ["PORT"])))
while True:
    connection, _ = server.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nok\n")
