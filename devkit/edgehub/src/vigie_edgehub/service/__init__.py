"""The operator's side of the hub: IoT Hub's service REST, the hub's own paths below /vigie/, and a client of both.

Light to import: the command line reads it for its client, only the hub itself needs the server.
"""
