import os
import sys

import grpc

roots = open(os.environ["CA"], "rb").read()
with grpc.secure_channel(sys.argv[1], grpc.ssl_channel_credentials(roots)) as channel:
    same = lambda message: message
    call = channel.unary_unary("/grpc.Echo/Say", request_serializer=same, response_deserializer=same)
    for _ in range(5):
        answer = call(b"hello", timeout=20, wait_for_ready=False)
    print("answer:", answer.decode())
