// node-opcua as an independent client of the simulated plant: node browse.js URL
// Finds the LADS device BR101 by browse names, reads, monitors, writes and calls; prints
// one JSON object of what it found.
"use strict";
const {
  AttributeIds, BrowseDirection, DataType, MessageSecurityMode, OPCUAClient,
  SecurityPolicy, TimestampsToReturn, VariantArrayType, makeBrowsePath,
  resolveNodeId,
} = require("node-opcua");

const URIS = {
  di: "http://opcfoundation.org/UA/DI/",
  lads: "http://opcfoundation.org/UA/LADS/",
  flat: "urn:fedbatch:simulated-plant",
};

async function find(session, from, path) {
  const answer = await session.translateBrowsePath(makeBrowsePath(from, path));
  if (!answer.targets || !answer.targets.length) throw new Error(`no ${path}`);
  return answer.targets[0].targetId;
}

async function value(session, nodeId) {
  const read = await session.read({ nodeId, attributeId: AttributeIds.Value });
  const inside = read.value.value;
  return inside && inside.text !== undefined ? inside.text : inside;
}

async function until(session, subscription, nodeId, done) {
  const item = await subscription.monitor(
    { nodeId, attributeId: AttributeIds.Value },
    { samplingInterval: 0, queueSize: 100, discardOldest: true },
    TimestampsToReturn.Both);
  const seen = [];
  await new Promise((resolve) => item.on("changed", (data) => {
    const inside = data.value.value;
    seen.push(inside && inside.text !== undefined ? inside.text : inside);
    if (done(seen)) resolve();
  }));
  return seen;
}

async function startProgram(session, vessel, l, job) {
  const machine = await find(session, vessel, `/${l}:FunctionalUnitState`);
  const sample = await session.constructExtensionObject(
    resolveNodeId(`ns=${l};i=3002`),
    { containerId: "rack 1", sampleId: "S-7", position: "A1", customData: "" });
  const texts = (value) => ({ dataType: DataType.String, value });
  const structures = (value) => ({
    dataType: DataType.ExtensionObject, arrayType: VariantArrayType.Array, value,
  });
  return session.call({
    objectId: machine, methodId: await find(session, machine, `/${l}:StartProgram`),
    inputArguments: [
      texts("Recipe"), structures([]), texts(job), texts(""), structures([sample]),
    ],
  });
}

async function main(url) {
  const client = OPCUAClient.create({
    endpointMustExist: false, securityMode: MessageSecurityMode.None,
    securityPolicy: SecurityPolicy.None, connectionStrategy: { maxRetry: 3 },
  });
  await client.connect(url);
  const session = await client.createSession();
  const names = await session.readNamespaceArray();
  const [d, l, f] = [URIS.di, URIS.lads, URIS.flat].map((uri) => names.indexOf(uri));
  const unitOf = (vessel) => find(session, "RootFolder",
    `/Objects/${d}:DeviceSet/${d}:${vessel}/${l}:FunctionalUnitSet/${l}:Bioreactor`);
  const unit = await unitOf("BR101"), idle = await unitOf("BR102");
  const set = await find(session, unit, `/${l}:FunctionSet`);
  const browsed = await session.browse({
    nodeId: set, browseDirection: BrowseDirection.Forward, includeSubtypes: true,
    referenceTypeId: "HasComponent", nodeClassMask: 1, resultMask: 63,
  });
  const functions = {};
  for (const one of browsed.references) {
    functions[one.browseName.name] = one.typeDefinition.value;
  }
  const controller = `/${l}:FunctionSet/${l}:TemperatureController`;
  const current = await find(session, unit, `${controller}/${l}:CurrentValue`);
  const target = await find(session, unit, `${controller}/${l}:TargetValue`);
  const range = await value(session, await find(session, current, "/EURange"));
  const units = await value(session, await find(session, current, "/EngineeringUnits"));
  const job = await find(session, unit,
    `/${l}:ProgramManager/${l}:ResultSet/${l}:CurrentBatch/${l}:SupervisoryJobId`);
  const step = await find(session, unit,
    `/${l}:ProgramManager/${l}:ActiveProgram/${l}:CurrentStepName`);
  const machine = await find(session, unit,
    `/${l}:FunctionalUnitState/${l}:RunningStateMachine`);
  const inner = await find(session, machine, "/CurrentState");
  const subscription = await session.createSubscription2({
    requestedPublishingInterval: 50, requestedLifetimeCount: 6000,
    requestedMaxKeepAliveCount: 100, maxNotificationsPerPublish: 0,
    publishingEnabled: true, priority: 1,
  });
  const written = await session.write({
    nodeId: target, attributeId: AttributeIds.Value,
    value: { value: { dataType: DataType.Double, value: 36.25 } },
  });
  const setpoints = await until(session, subscription,
    `ns=${f};s=BR101.TIC-101.SP`, (seen) => seen.includes(36.25));
  const temperatures = await until(session, subscription, current, (s) => s.length >= 2);
  const held = await session.call({
    objectId: machine, methodId: await find(session, machine, `/${l}:Hold`),
    inputArguments: [],
  });
  const states = await until(session, subscription, inner, (s) => s.includes("Held"));
  const again = await session.call({
    objectId: machine, methodId: await find(session, machine, `/${l}:Hold`),
    inputArguments: [],
  });
  const busy = await startProgram(session, unit, l, "MAB-26-017");
  const started = await startProgram(session, idle, l, "MAB-26-017");
  await until(session, subscription, `ns=${f};s=BR102.BatchId`,
    (seen) => seen.includes("MAB-26-017"));
  const samples = await value(session, await find(session, idle,
    `/${l}:ProgramManager/${l}:ResultSet/${l}:CurrentBatch/${l}:Samples`));
  const found = {
    busy: busy.statusCode.name, started: started.statusCode.name,
    run: started.outputArguments.map((one) => one.value),
    samples: samples.map((one) => one.sampleId),
    functions, temperatures, setpoints, states,
    range: [range.low, range.high], unitId: units.unitId,
    batch: await value(session, job), step: await value(session, step),
    flatState: await value(session, `ns=${f};s=BR101.State`),
    written: written.name, held: held.statusCode.name, again: again.statusCode.name,
  };
  await session.close();
  await client.disconnect();
  console.log(JSON.stringify(found));
}

main(process.argv[2]).catch((error) => { console.error(error.stack); process.exit(1); });
