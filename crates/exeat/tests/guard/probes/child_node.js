// A child of Node.
const { spawnSync } = require("node:child_process");
const net = require("node:net");

if (process.argv.at(-1) !== "child") {
  process.exit(spawnSync(process.execPath, [__filename, "child"], { stdio: "inherit" }).status ?? 3);
}
const end = (verdict, code) => {
  console.log(verdict);
  process.exit(code);
};
const outside = net.connect(443, "45.79.0.1", () => outside.write("probe\n"));
outside.on("data", (said) => (said.includes("heard") ? end("leaked answered", 10) : end("blocked odd answer", 0)));
outside.on("error", (error) => end(`blocked ${error.code}`, 0));
outside.on("close", () => end("blocked closed", 0));
setTimeout(() => end("blocked no answer", 0), 1500);
