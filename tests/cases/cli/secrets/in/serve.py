"""Answers every request. It says what it was told to say."""

import os
import socket
import time

print(len(os.environ["DB_PASSWORD"]), "letters", flush=True)
print("serving", os.environ.get("GREETING", "nothing"), flush=True)
time.sleep(0.2)  # so that the lines above are there before it is ready
server = socket.create_server(("", int(os.environ["PORT"])))
while True:
    connection, _ = server.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nok\n")
