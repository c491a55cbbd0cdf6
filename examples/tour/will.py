"""A client with a will: the broker publishes it when the client is lost, not when it leaves."""

import os

import paho.mqtt.client as mqtt

client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="client05")
client.will_set("test", payload="will", qos=1)
client.on_connect = lambda *_: print(f"connected; try: kill -9 {os.getpid()} (Ctrl-C leaves without a will)")
client.connect("127.0.0.1", int(os.environ.get("MQTT_PORT", "1883")))
try:
    client.loop_forever()
except KeyboardInterrupt:
    client.disconnect()
