// An operator on Node's service SDK, unmodified: reads identities, adds a leaf device, changes a twin, queries, calls a method.
// Usage: node service.js CONNECTION_STRING DEVICE MODULE   prints one JSON object
'use strict';
const { Client, Registry } = require('azure-iothub');

const [connectionString, device, module_] = process.argv.slice(2);

async function main() {
  const registry = Registry.fromConnectionString(connectionString);
  const scope = (await registry.get(device)).responseBody.deviceScope;
  const added = (await registry.create({ deviceId: 'node-leaf', deviceScope: scope })).responseBody;
  const leaf = { child: added.parentScopes[0] === scope, key: added.authentication.symmetricKey.primaryKey };
  const listed = (await registry.list()).responseBody.map((one) => one.deviceId);
  const modules = (await registry.getModulesOnDevice(device)).responseBody.map((one) => one.moduleId);
  const before = (await registry.getModuleTwin(device, module_)).responseBody;
  const patch = { properties: { desired: { wanted: 'from node' } } };
  const after = (await registry.updateModuleTwin(device, module_, patch, before.etag)).responseBody;
  const query = registry.createQuery('SELECT * FROM devices WHERE capabilities.iotEdge = true');
  const found = (await query.nextAsTwin()).result.map((twin) => twin.deviceId);
  const client = Client.fromConnectionString(connectionString);
  const call = { methodName: 'double', payload: { n: 21 }, responseTimeoutInSeconds: 20, connectTimeoutInSeconds: 20 };
  const answer = (await client.invokeDeviceMethod(device, module_, call)).result;
  console.log(JSON.stringify({ listed, modules, desired: after.properties.desired.wanted, found, answer, leaf }));
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
