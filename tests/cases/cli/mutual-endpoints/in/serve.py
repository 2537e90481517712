"""Answers `/` with its name, and `/other` with what the app at OTHER_URL answers."""

import os
import socket
import urllib.request

server = socket.create_server(("", int(os.environ["PORT"])))
while True:
    connection, _ = server.accept()
    with connection:
        request = connection.recv(4096)
        text = f"this is {os.environ['NAME']}\n".encode()
        if request.startswith(b"GET /other"):
            with urllib.request.urlopen(os.environ["OTHER_URL"]) as answer:
                text = answer.read()
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(text)}\r\nconnection: close\r\n\r\n"
        connection.sendall(head.encode() + text)
