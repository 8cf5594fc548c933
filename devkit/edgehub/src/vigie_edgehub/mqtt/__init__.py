"""MQTT 3.1.1 as bytes and values, and edgeHub's dialect of topics and user names: no sockets, no clock."""
