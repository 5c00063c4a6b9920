"""A pooler as far as a client's first packet goes: what it does not know of it never reaches the server."""

import socket
import struct
import sys
from threading import Thread


def copy(source: socket.socket, target: socket.socket) -> None:
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)


def first_packet(client: socket.socket) -> bytes:
    """The startup packet, once the client has heard that there is no TLS and no GSS here."""
    while True:
        (length,) = struct.unpack("!I", client.recv(4, socket.MSG_WAITALL))
        rest = client.recv(length - 4, socket.MSG_WAITALL)
        (code,) = struct.unpack("!I", rest[:4])
        if code == 196608:
            return rest
        client.sendall(b"N")


def serve(client: socket.socket, address: str) -> None:
    rest = first_packet(client)
    words = rest[4:].rstrip(b"\0").split(b"\0")
    known = {
        name: value
        for name, value in zip(words[::2], words[1::2], strict=True)
        if name in (b"user", b"database")
    }
    packet = rest[:4] + b"".join(name + b"\0" + value + b"\0" for name, value in known.items()) + b"\0"
    server = socket.create_connection((address, 5432))
    server.sendall(struct.pack("!I", len(packet) + 4) + packet)
    Thread(target=copy, args=(server, client), daemon=True).start()
    copy(client, server)


listener = socket.create_server((sys.argv[1], 0))
print(listener.getsockname()[1], flush=True)
while True:
    Thread(target=serve, args=(listener.accept()[0], sys.argv[1]), daemon=True).start()
