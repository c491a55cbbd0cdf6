"""Connects, publishes and disconnects in a row, without any loop: PORT PAYLOAD [retain]."""

from common import ARGS, PORT, new_client

client = new_client("client04")
client.connect("127.0.0.1", PORT)
client.publish("test", ARGS[0], qos=1, retain="retain" in ARGS)
client.disconnect()
