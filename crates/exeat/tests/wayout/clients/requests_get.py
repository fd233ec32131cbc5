import sys

import requests

session = requests.Session()
if len(sys.argv) > 2:
    session.trust_env = False
    session.verify = __import__("os").environ["CA"]
    session.proxies = {"http": sys.argv[2], "https": sys.argv[2]}
for _ in range(3):
    # The connection is kept between them.
    answer = session.get(sys.argv[1], timeout=20)
    answer.raise_for_status()
print(answer.text)
