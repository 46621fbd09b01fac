// An OPC UA server written by others: node-opcua, serving every type that readings
// hold. It prints what it sends as JSON lines; `{"rounds": n, "everyMs": ms}` on
// standard input makes it send n rounds, with `"good": true` all of status Good
// (node-opcua 2.182 asserts that when its queues overflow).
"use strict";
const readline = require("node:readline");
const opcua = require("node-opcua");

const { DataType, StatusCodes, Variant } = opcua;
const [port, folder, history] = process.argv.slice(2);
const NAMESPACE = "urn:fedbatch:node-neighbour";

function say(body) {
  process.stdout.write(JSON.stringify(body) + "\n");
}

// Each kind: the value of a round, and the same as a string that JSON keeps exactly.
const KINDS = [
  ["Double", DataType.Double, (n) => Math.PI * (n + 1) * (n % 2 ? -1e-9 : 1e9)],
  ["Float", DataType.Float, (n) => Math.fround(0.1 * (n + 1))],
  ["Int32", DataType.Int32, (n) => (n % 2 ? -1 : 1) * (2147483647 - n)],
  ["Int64", DataType.Int64, (n) => 9007199254740993n + BigInt(n)],
  ["Boolean", DataType.Boolean, (n) => n % 2 === 0],
  ["String", DataType.String, (n) => `Phase ${n} µ°`],
  ["Enumeration", DataType.Int32, (n) => n % 3],
];
const STATUS = [
  StatusCodes.Good,
  StatusCodes.UncertainLastUsableValue,
  StatusCodes.Good,
  StatusCodes.BadSensorFailure,
];

function int64(value) {
  return [Number((value >> 32n) & 0xffffffffn), Number(value & 0xffffffffn)];
}

function addVariables(server) {
  const space = server.engine.addressSpace;
  const own = space.registerNamespace(NAMESPACE);
  const vessel = own.addObject({ organizedBy: space.rootFolder.objects, browseName: "NV1", nodeId: "s=NV1" });
  const mode = own.addEnumerationType({
    browseName: "ModeType",
    enumeration: ["Manual", "Automatic", "Cascade"],
  });
  return KINDS.map(([name, type, value]) => {
    const variable = own.addVariable({
      componentOf: vessel,
      browseName: name,
      nodeId: `s=NV1.${name}`,
      dataType: name === "Enumeration" ? mode : type,
      minimumSamplingInterval: 0,
    });
    if (history) space.installHistoricalDataNode(variable, { maxOnlineValues: 2000 });
    return { name, type, value, variable };
  });
}

let round = 0;
function sendRound(variables, good) {
  const time = new Date();
  for (const { name, type, value, variable } of variables) {
    const plain = value(round);
    const status = good ? StatusCodes.Good : STATUS[round % STATUS.length];
    const sent = type === DataType.Int64 ? int64(plain) : plain;
    variable.setValueFromSource(new Variant({ dataType: type, arrayType: opcua.VariantArrayType.Scalar, value: sent }), status, time);
    say({ event: "sent", name, value: typeof plain === "bigint" ? String(plain) : plain, status: status.value, time: time.getTime() * 1000 });
  }
  round += 1;
}

async function sendRounds(variables, { rounds, everyMs, good }) {
  for (let i = 0; i < rounds; i += 1) {
    sendRound(variables, good);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
  say({ event: "done" });
}

async function main() {
  const server = new opcua.OPCUAServer({
    port: Number(port),
    hostname: "127.0.0.1",
    host: "127.0.0.1",
    allowAnonymous: true,
    securityModes: [opcua.MessageSecurityMode.None],
    securityPolicies: [opcua.SecurityPolicy.None],
    serverCertificateManager: new opcua.OPCUACertificateManager({ rootFolder: folder, automaticallyAcceptUnknownCertificate: true }),
    serverInfo: { applicationUri: "urn:fedbatch:node-neighbour" },
  });
  await server.initialize();
  const variables = addVariables(server);
  await server.start();
  say({ event: "ready", url: server.getEndpointUrl() });
  const lines = readline.createInterface({ input: process.stdin });
  lines.on("line", (line) => sendRounds(variables, JSON.parse(line)));
  lines.on("close", () => server.shutdown(0).then(() => process.exit(0)));
}

main().catch((error) => {
  say({ event: "failed", error: String(error) });
  process.exit(1);
});
