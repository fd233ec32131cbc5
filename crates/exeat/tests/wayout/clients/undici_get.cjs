const { ProxyAgent, fetch } = require("undici");
const { KEY, PROXY } = process.env;
const token = `Basic ${Buffer.from(`x:${KEY}`).toString("base64")}`;
const dispatcher = new ProxyAgent({ uri: `http://${PROXY}`, token });

(async () => {
  for (let i = 0; i < 3; i++) {
    const answer = await fetch(process.argv[2], { dispatcher });
    const text = await answer.text();
    console.log(answer.status, text);
    if (answer.status !== 200) process.exit(1);
  }
  process.exit(0);
})().catch((error) => {
  console.error(error, error.cause);
  process.exit(1);
});
