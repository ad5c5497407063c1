// @grpc/grpc-js: calls that answer with what they are sent, and a stream; what came of them is printed as JSON.
"use strict";
const fs = require("node:fs");
const grpc = require("@grpc/grpc-js");

const [address, file, scenario] = process.argv.slice(2);
const request = fs.readFileSync(file);
const SERVICE = "/inference.GRPCInferenceService/";
const same = (bytes) => bytes;
const client = new grpc.Client(address, grpc.credentials.createInsecure(), {
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
});

const unary = (path, message) =>
  new Promise((resolve) => {
    client.makeUnaryRequest(SERVICE + path, same, same, message, (error, answer) =>
      resolve({ status: error ? error.code : 0, size: answer ? answer.length : 0, text: error ? error.details : "" }),
    );
  });

const stream = (count) =>
  new Promise((resolve) => {
    const call = client.makeBidiStreamRequest(`${SERVICE}ModelStreamInfer`, same, same);
    let answers = 0;
    call.on("data", () => {
      answers += 1;
      if (answers < count) call.write(request);
      else call.end();
    });
    call.on("error", () => {});
    call.on("status", (status) => resolve({ status: status.code, answers, text: status.details }));
    call.write(request);
  });

const cancelled = () =>
  new Promise((resolve) => {
    const call = client.makeUnaryRequest(`${SERVICE}ModelInfer`, same, same, request, (error) =>
      resolve({ status: error ? error.code : 0 }),
    );
    setImmediate(() => call.cancel());
  });

(async () => {
  const found = [];
  if (scenario === "many") {
    found.push(...(await Promise.all(Array.from({ length: 1000 }, () => unary("ModelInfer", request)))));
  } else if (scenario === "cancels") {
    for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 10 }, cancelled));
    found.push(await unary("ModelInfer", request));
  } else if (scenario === "stream") {
    found.push(await stream(Number(process.argv[5])));
  } else {
    for (let i = 0; i < 5; i++) found.push(await unary("ModelInfer", request));
    found.push(await unary("NoSuchMethod", request));
  }
  console.log(JSON.stringify(found));
  client.close();
})();
