"""A child of Python."""
import socket
import subprocess
import sys

if sys.argv[-1] != "child":
    sys.exit(subprocess.run([sys.executable, __file__, "child"]).returncode)
try:
    outside = socket.create_connection(("45.79.0.1", 443), 1.5)
    outside.sendall(b"probe\n")
    said = outside.recv(64)
except OSError as error:
    print("blocked", error)
else:
    print("leaked answered" if b"heard" in said else "blocked no answer")
    sys.exit(10 if b"heard" in said else 0)
