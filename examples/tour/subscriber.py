"""A durable subscriber: what is published while it is away waits for it."""

import os

import paho.mqtt.client as mqtt


def on_connect(client, userdata, flags, reason, properties):
    print(f"connected, session {'kept' if flags.session_present else 'new'}")
    client.subscribe("test", qos=1)


def on_subscribe(client, userdata, mid, reasons, properties):
    print("waiting for messages on 'test'; Ctrl-C ends")


def on_message(client, userdata, message):
    print(f"{message.topic}: {message.payload.decode()}")


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="client03", clean_session=False)
client.on_connect = on_connect
client.on_subscribe = on_subscribe
client.on_message = on_message
client.connect("127.0.0.1", int(os.environ.get("MQTT_PORT", "1883")))
try:
    client.loop_forever()
except KeyboardInterrupt:
    client.disconnect()
