"""Publishes one message at QoS 1 and leaves at once: publisher.py [TEXT]"""

import os
import sys

import paho.mqtt.client as mqtt

client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="client04")
client.connect("127.0.0.1", int(os.environ.get("MQTT_PORT", "1883")))
client.publish("test", sys.argv[1] if len(sys.argv) > 1 else "abc", qos=1)
client.disconnect()
