"""Answers every request with what it was given."""

import os
import socket
import urllib.request

url = os.environ.get("SEARCH_URL")
server = socket.create_server(("", int(os.environ["PORT"])))
while True:
    connection, _ = server.accept()
    with connection:
        connection.recv(4096)
        text = b"found it\n"
        if url:
            with urllib.request.urlopen(url) as answer:
                text = b"search says: " + answer.read()
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(text)}\r\nconnection: close\r\n\r\n"
        connection.sendall(head.encode() + text)
