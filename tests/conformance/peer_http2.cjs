// Node's http2: calls of all kinds on one connection; what came of them is printed as JSON.
"use strict";
const http2 = require("node:http2");
const fs = require("node:fs");

const [address, file, scenario] = process.argv.slice(2);
const body = fs.readFileSync(file);
const PATH = "/inference.GRPCInferenceService/ModelInfer";
const options = {
  calls: {},
  "small windows": { settings: { initialWindowSize: 10, maxFrameSize: 16384, headerTableSize: 0 } },
  "large frames": { settings: { initialWindowSize: 1 << 24, maxFrameSize: (1 << 24) - 1, headerTableSize: 1 << 16 } },
  padding: { paddingStrategy: http2.constants.PADDING_STRATEGY_MAX },
  "many streams": {},
  cancels: {},
}[scenario];
// Otherwise Node itself refuses streams while much waits to be sent.
const session = http2.connect(`http://${address}`, { maxSessionMemory: 1000, ...options });
const fail = (error) => {
  console.error(error);
  process.exit(1);
};
session.on("error", fail);
session.on("goaway", (code) => code && fail(`GOAWAY ${code}`));

function call(cut) {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": PATH,
      "content-type": "application/grpc",
      te: "trailers",
    });
    let size = 0;
    let status;
    stream.on("data", (chunk) => (size += chunk.length));
    stream.on("trailers", (headers) => (status = headers["grpc-status"]));
    stream.on("error", reject);
    stream.on("close", () => resolve({ status, size, code: stream.rstCode }));
    if (cut) {
      stream.write(body.subarray(0, body.length >> 1));
      stream.close(http2.constants.NGHTTP2_CANCEL);
    } else {
      stream.end(body);
    }
  });
}

(async () => {
  const found = [];
  if (scenario === "many streams") {
    found.push(...(await Promise.all(Array.from({ length: 1000 }, () => call(false)))));
  } else {
    for (let i = 0; i < 5; i++) {
      if (scenario === "cancels") await Promise.all(Array.from({ length: 20 }, () => call(true)));
      found.push(await call(false));
      await new Promise((resolve, reject) => session.ping((error) => (error ? reject(error) : resolve())));
    }
  }
  console.log(JSON.stringify(found));
  session.close();
})().catch(fail);
