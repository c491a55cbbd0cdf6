// MQTT.js over MQTT 5.0: connects, subscribes, publishes, goes away and resumes.
const mqtt = require('mqtt');

const url = `mqtt://127.0.0.1:${process.argv[2]}`;
const durable = {
  protocolVersion: 5, clientId: 'js', clean: false, reconnectPeriod: 0, resubscribe: false,
  properties: { sessionExpiryInterval: 3600 },
};

function connect(options) {
  const client = mqtt.connect(url, options);
  client.on('message', (topic, payload, packet) =>
    console.log('message', packet.qos, Number(packet.retain), topic, payload.toString()));
  return new Promise((resolve, reject) => {
    client.once('connect', (connack) => {
      if (!options.clean) console.log('session', Number(connack.sessionPresent));
      resolve(client);
    });
    client.once('error', reject);
  });
}

function arrival(client, wanted) {
  return new Promise((resolve) => client.on('message', (topic) => topic === wanted && resolve()));
}

async function main() {
  const first = await connect(durable);
  const granted = await first.subscribeAsync('js/#', { qos: 2 });
  console.log('granted', granted[0].qos);
  const live = arrival(first, 'js/2');
  for (const qos of [0, 1, 2]) await first.publishAsync(`js/${qos}`, `live-${qos}`, { qos });
  await live;
  await first.endAsync();

  const other = await connect({ protocolVersion: 5, clientId: 'other', clean: true, reconnectPeriod: 0 });
  for (const qos of [1, 2]) await other.publishAsync(`js/${qos}`, `away-${qos}`, { qos });

  const second = await connect(durable);
  const end = arrival(second, 'js/end');
  await other.publishAsync('js/end', 'end', { qos: 2 });
  await end;
  await second.unsubscribeAsync('js/#');
  await Promise.all([second.endAsync(), other.endAsync()]);
  console.log('done');
}

main().catch((error) => { console.error(error); process.exit(1); });
