"""A durable subscriber; it says when it is connected and subscribed, and each message."""

from common import PORT, new_client, on_message


def on_connect(client, userdata, flags, reason, properties=None):
    present = flags["session present"] if isinstance(flags, dict) else flags.session_present
    print("connected", int(present))
    client.subscribe("test", qos=1)


client = new_client("client03", clean_session=False)
client.on_connect = on_connect
client.on_subscribe = lambda *_: print("subscribed")
client.on_message = on_message
client.connect("127.0.0.1", PORT)
client.loop_forever()
