// A module on Node's device SDK, unmodified: answers a method, reports a property, sends back what comes in.
// Usage: node module.js mqtt|websockets   with the environment of `./vigie hub env MODULE --shell`
'use strict';
const { ModuleClient, Message } = require('azure-iot-device');
const { Mqtt, MqttWs } = require('azure-iot-device-mqtt');

const transport = process.argv[2] === 'websockets' ? MqttWs : Mqtt;

async function main() {
  const client = await ModuleClient.fromEnvironment(transport);
  client.on('inputMessage', async (input, message) => {
    await client.complete(message);
    const back = new Message(Buffer.from(`${input}:${message.getBytes().toString()}`));
    back.contentType = 'text/plain';
    back.properties.add('language', 'node');
    await client.sendOutputEvent('echo', back);
  });
  client.onMethod('double', (request, response) => {
    response.send(200, { doubled: 2 * request.payload.n }, () => undefined);
  });
  await client.open();
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
