// A leaf device on Node's device SDK, unmodified: answers a method, reports a property, sends back what the cloud sends.
// Usage: node device.js mqtt|websockets CONNECTION_STRING CA_FILE
'use strict';
const fs = require('fs');
const { Client, Message } = require('azure-iot-device');
const { Mqtt, MqttWs } = require('azure-iot-device-mqtt');

const [transport, connectionString, caFile] = process.argv.slice(2);

async function main() {
  const client = Client.fromConnectionString(connectionString, transport === 'websockets' ? MqttWs : Mqtt);
  await client.setOptions({ ca: fs.readFileSync(caFile, 'utf-8') });
  client.on('message', async (message) => {
    await client.complete(message);
    const back = new Message(Buffer.from(`back:${message.getBytes().toString()}`));
    back.properties.add('level', message.properties.getValue('level'));
    await client.sendEvent(back);
  });
  await client.open();
  client.onDeviceMethod('double', (request, response) => {
    response.send(200, { doubled: 2 * request.payload.n }, () => undefined);
  });
  const twin = await client.getTwin();
  twin.on('properties.desired', (desired) => {
    twin.properties.reported.update({ seen: desired.wanted ?? null }, () => undefined);
  });
  console.log('ready');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
