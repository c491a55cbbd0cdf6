"""Asks for the latest value and leaves."""

import os

import paho.mqtt.client as mqtt


def on_message(client, userdata, message):
    print(f"{message.topic}: {message.payload.decode()} ({'retained' if message.retain else 'live'})")
    client.disconnect()


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
client.on_connect = lambda client, *_: client.subscribe("room/temperature", qos=1)
client.on_message = on_message
client.connect("127.0.0.1", int(os.environ.get("MQTT_PORT", "1883")))
client.loop_forever()
