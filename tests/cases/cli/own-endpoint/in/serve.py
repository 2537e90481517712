"""Answers every request with its own address."""

import os
import socket

text = os.environ["OWN_URL"].encode() + b"\n"
server = socket.create_server(("", int(os.environ["PORT"])))
while True:
    connection, _ = server.accept()
    with connection:
        connection.recv(4096)
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(text)}\r\nconnection: close\r\n\r\n"
        connection.sendall(head.encode() + text)
