import asyncio
import os
import ssl
import sys

from websockets.asyncio.client import connect


async def main(uri):
    proxy = "http://x:%s@%s" % (os.environ["KEY"], os.environ["PROXY"])
    context = ssl.create_default_context(cafile=os.environ["CA"]) if uri.startswith("wss") else None
    async with connect(uri, proxy=proxy, ssl=context, open_timeout=20) as socket:
        for number in range(20):
            await socket.send("hello %d" % number)
            assert await socket.recv() == "hello %d" % number
        print("echo of hello")


asyncio.run(main(sys.argv[1]))
