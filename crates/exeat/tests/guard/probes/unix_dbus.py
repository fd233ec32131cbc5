"""The bus that starts services, mounts disks and asks for passwords."""
import socket
import sys

refusals = []
for place in ("/run/dbus/system_bus_socket", "/var/run/dbus/system_bus_socket"):
    bus = socket.socket(socket.AF_UNIX)
    bus.settimeout(1.5)
    try:
        bus.connect(place)
        bus.sendall(b"\0AUTH EXTERNAL\r\n")
        if b"heard" in bus.recv(64):
            print("leaked answered")
            sys.exit(10)
        refusals.append("no answer")
    except OSError as error:
        refusals.append(error.strerror or str(error))
print("blocked", "; ".join(refusals))
