"""A client with a will: PORT, and how it goes on after its CONNACK."""

import os
import signal
import time

from common import ARGS, PORT, new_client

MODE = ARGS[0]
KEEP_ALIVE = {"periodic": 300, "answering": 1, "silent": 2}.get(MODE, 60)


def on_log(client, userdata, level, text):
    if "PINGRESP" in text:
        print("pong")


client = new_client("client05")
client.will_set("test", payload="will")
client.on_log = on_log
client.connect("127.0.0.1", PORT, keepalive=KEEP_ALIVE)
while not client.is_connected():
    client.loop()
print("connected")

if MODE == "disconnect":
    client.disconnect()
elif MODE == "exit":
    os._exit(0)
elif MODE == "periodic":  # until it is killed
    client.loop_start()
    while True:
        client.publish("alive", "yes", qos=1).wait_for_publish()
        print("published")
        time.sleep(0.1)
elif MODE == "answering":  # longer than its keep alive
    client.loop_forever()
elif MODE == "silent":  # with its socket open
    signal.pause()
