"""A server that reads requests and never answers. Prints its port on loopback, then each request's first line."""

import socket
import threading


def listen(client: socket.socket) -> None:
    text = b""
    while b"\r\n" not in text:
        more = client.recv(4096)
        if not more:
            return
        text += more
    print(text.split(b"\r\n")[0].decode(), flush=True)
    while client.recv(4096):
        pass


def main() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    print(server.getsockname()[1], flush=True)
    while True:
        client, _ = server.accept()
        threading.Thread(target=listen, args=(client,), daemon=True).start()


main()
