import os
import socket
import sys

from websockets.client import ClientProtocol
from websockets.uri import parse_uri

host, port = os.environ["PROXY"].rsplit(":", 1)
connection = socket.create_connection((host, int(port)), timeout=20)
protocol = ClientProtocol(parse_uri("ws://%s/ws" % sys.argv[1]))
request = protocol.connect()
request.headers["Proxy-Authorization"] = "Bearer " + os.environ["KEY"]
protocol.send_request(request)
# As a client does that knows it speaks to a proxy.
first = b"".join(protocol.data_to_send()).replace(b"GET /ws ", b"GET http://%s/ws " % sys.argv[1].encode(), 1)
connection.sendall(first)


def receive():
    while True:
        data = connection.recv(4096)
        protocol.receive_data(data) if data else protocol.receive_eof()
        events = protocol.events_received()
        if protocol.handshake_exc:
            raise protocol.handshake_exc
        if events or not data:
            return events


receive()
protocol.send_text(b"hello")
connection.sendall(b"".join(protocol.data_to_send()))
assert receive()[0].data == b"hello"
print("echo of hello")
