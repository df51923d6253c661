"""A DNS server for one name: A queries for it get 127.0.0.1, AAAA queries nothing, other names NXDOMAIN.

    name-server.py ADDRESS NAME

Listens on port 53 of ADDRESS and prints a line for each question.
"""

import socket
import struct
import sys

A = 1


def answer(query: bytes, known: str) -> bytes:
    labels, position = [], 12
    while query[position]:
        labels.append(query[position + 1 : position + 1 + query[position]].decode())
        position += 1 + query[position]
    end = position + 5
    kind = struct.unpack("!H", query[position + 1 : position + 3])[0]
    name = ".".join(labels).lower()
    print(f"{name} {'A' if kind == A else kind}", flush=True)
    found = name == known
    records = b""
    if found and kind == A:
        # A pointer to the name in the question, class IN, a TTL of one minute.
        records = struct.pack("!HHHIH", 0xC00C, A, 1, 60, 4) + socket.inet_aton("127.0.0.1")
    flags = 0x8580 if found else 0x8583
    header = query[:2] + struct.pack("!HHHHH", flags, 1, 1 if records else 0, 0, 0)
    return header + query[12:end] + records


def main() -> None:
    address, name = sys.argv[1:]
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, 53))
    print("ready", flush=True)
    while True:
        query, client = server.recvfrom(4096)
        server.sendto(answer(query, name), client)


main()
