"""What the Paho scripts of the tests share: one client for both of its APIs."""

import sys

import paho.mqtt.client as mqtt

PORT = int(sys.argv[1])
ARGS = sys.argv[2:]


def new_client(client_id, clean_session=True):
    """A client of API 1.x (Paho 1.6) or of callback API 2 (Paho 2.x)."""
    if hasattr(mqtt, "CallbackAPIVersion"):
        return mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=clean_session)
    return mqtt.Client(client_id=client_id, clean_session=clean_session)


def on_message(client, userdata, message):
    print("message", message.qos, int(message.retain), message.topic, message.payload.decode())
