"""Publishes a value that stays for later subscribers: retained.py [VALUE]"""

import os
import sys

import paho.mqtt.client as mqtt

client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="thermometer")
client.connect("127.0.0.1", int(os.environ.get("MQTT_PORT", "1883")))
client.publish("room/temperature", sys.argv[1] if len(sys.argv) > 1 else "21.5", qos=1, retain=True)
client.disconnect()
