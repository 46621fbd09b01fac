// node-opcua's client as a peer: node client.js URL ITEMS SECONDS
// A monitored item group's 'changed' event fills typed arrays, which are added up.
"use strict";
const {
  AttributeIds, ClientMonitoredItemGroup, ClientSubscription, MessageSecurityMode,
  OPCUAClient, SecurityPolicy, TimestampsToReturn, DataType,
} = require("node-opcua");

const [url, itemsText, secondsText] = process.argv.slice(2);
const items = Number(itemsText);
const sums = { readings: 0, tag: 0, time: 0, value: 0, status: 0 };
const tags = new Int32Array(items);
const times = new Float64Array(items);
const values = new Float64Array(items);
const statuses = new Uint32Array(items);
let filled = 0;

function addUp() {
  let tag = 0, time = 0, value = 0, status = 0;
  for (let i = 0; i < filled; i++) {
    tag += tags[i];
    time += times[i] % 1048576;
    if (!Number.isNaN(values[i])) value += values[i];
    status += statuses[i];
  }
  sums.readings += filled;
  sums.tag += tag;
  sums.time = (sums.time + time) % 9007199254740992;
  sums.value += value;
  sums.status += status;
  filled = 0;
}

function number(variant) {
  const value = variant.value;
  switch (variant.dataType) {
    case DataType.Null: return NaN;
    case DataType.Boolean: return value ? 1 : 0;
    case DataType.Int64: return value[0] * 4294967296 + value[1];
    default: return value;
  }
}

function take(item, dataValue, index) {
  tags[filled] = index + 1;
  times[filled] = dataValue.sourceTimestamp.getTime() * 1000
    + Math.round((dataValue.sourcePicoseconds || 0) / 1000000);
  values[filled] = number(dataValue.value);
  statuses[filled] = dataValue.statusCode.value;
  filled += 1;
  if (filled === items) addUp();
}

function cpuSeconds() {
  const used = process.cpuUsage();
  return (used.user + used.system) / 1e6;
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function main() {
  const client = OPCUAClient.create({
    securityMode: MessageSecurityMode.None,
    securityPolicy: SecurityPolicy.None,
    endpointMustExist: false,
    connectionStrategy: { maxRetry: 3 },
  });
  await client.connect(url);
  const session = await client.createSession();
  const subscription = ClientSubscription.create(session, {
    requestedPublishingInterval: 500, requestedLifetimeCount: 6000,
    requestedMaxKeepAliveCount: 10, maxNotificationsPerPublish: 5000,
    publishingEnabled: true, priority: 1,
  });
  await new Promise((started) => subscription.on("started", started));
  const wanted = Array.from({ length: items }, (_, i) => ({
    nodeId: `ns=1;i=${i + 1}`, attributeId: AttributeIds.Value,
  }));
  const group = ClientMonitoredItemGroup.create(
    subscription, wanted,
    { samplingInterval: 250, discardOldest: true, queueSize: 100 },
    TimestampsToReturn.Both);
  group.on("changed", take);
  while (sums.readings === 0) await pause(10);
  await pause(500);
  const [readings, cpu, wall] = [sums.readings, cpuSeconds(), Date.now()];
  await pause(Number(secondsText) * 1000);
  console.log(JSON.stringify({
    window: sums.readings - readings, cpu_s: cpuSeconds() - cpu,
    wall_s: (Date.now() - wall) / 1000,
  }));
  await new Promise((sent) => process.stdout.write(JSON.stringify(sums) + "\n", sent));
  process.exit(0);
}

main().catch((error) => { console.error(error); process.exit(1); });
