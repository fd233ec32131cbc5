"""The agent that signs with every key of the user."""
import socket
import sys

told = dict(word.split("=", 1) for word in sys.argv[1:])
agent = socket.socket(socket.AF_UNIX)
agent.settimeout(1.5)
try:
    agent.connect(told["OUTSIDE"] + "/agent.sock")
    agent.sendall(b"\0\0\0\1\x0b")
    said = agent.recv(64)
except OSError as error:
    print("blocked", error.strerror or error)
else:
    leaked = b"heard" in said
    print("leaked answered" if leaked else "blocked no answer")
    sys.exit(10 if leaked else 0)
