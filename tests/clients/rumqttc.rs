//! rumqttc over MQTT 3.1.1 and 5.0: two clients of the same shape, so one test for both.

use hikyaku_tests::Broker;
use hikyaku_tests::raw::{Connect, Publish, Version, WAIT};
use tokio::time::timeout;

macro_rules! resumes {
    ($version:expr) => {
        /// Steps the client until an event gives what is looked for.
        async fn until<T>(events: &mut EventLoop, mut found: impl FnMut(&Event) -> Option<T>) -> T {
            let search = async {
                loop {
                    let event = events.poll().await.expect("the connection holds");
                    if let Some(result) = found(&event) {
                        return result;
                    }
                }
            };
            timeout(WAIT, search).await.expect("the event comes in time")
        }

        fn connack(event: &Event) -> Option<ConnAck> {
            if let Event::Incoming(Packet::ConnAck(connack)) = event { Some(connack.clone()) } else { None }
        }

        fn message(event: &Event) -> Option<(u8, String)> {
            let Event::Incoming(Packet::Publish(publish)) = event else {
                return None;
            };
            Some((publish.qos as u8, String::from_utf8_lossy(&publish.payload).into_owned()))
        }

        #[tokio::test]
        async fn connects_subscribes_publishes_and_resumes() {
            let broker = Broker::memory();
            let (client_one, mut events) = client(&broker);
            assert!(!until(&mut events, connack).await.session_present);
            client_one.subscribe("rust/#", QoS::ExactlyOnce).await.unwrap();
            for (qos, number) in [(QoS::AtMostOnce, 0), (QoS::AtLeastOnce, 1), (QoS::ExactlyOnce, 2)] {
                client_one.publish("rust/live", qos, false, format!("live-{number}")).await.unwrap();
                assert_eq!(until(&mut events, message).await, (number, format!("live-{number}")));
            }
            // Its memory of a handshake goes with the client, so it leaves when the last one is through.
            until(&mut events, |event| matches!(event, Event::Outgoing(rumqttc::Outgoing::PubComp(_))).then_some(()))
                .await;
            client_one.disconnect().await.unwrap();
            until(&mut events, |event| matches!(event, Event::Outgoing(rumqttc::Outgoing::Disconnect)).then_some(()))
                .await;
            drop(events);

            let mut other = Connect::new($version, "other").ok(&broker);
            other.publish(Publish::new("rust/away", "away-1", 1));
            other.publish(Publish::new("rust/away", "away-2", 2));
            let (_client_two, mut events) = client(&broker);
            assert!(until(&mut events, connack).await.session_present, "the session was kept");
            let mut away = Vec::new();
            while away.last().is_none_or(|(_, text)| text != "away-2") {
                away.push(until(&mut events, message).await);
            }
            away.retain(|(_, text)| text.starts_with("away"));
            assert_eq!(away, [(1, "away-1".to_string()), (2, "away-2".to_string())]);
        }
    };
}

mod v4 {
    use super::*;
    use rumqttc::{AsyncClient, ConnAck, Event, EventLoop, MqttOptions, Packet, QoS};

    fn client(broker: &Broker) -> (AsyncClient, EventLoop) {
        let mut options = MqttOptions::new("rumqttc", "127.0.0.1", broker.port());
        options.set_clean_session(false);
        AsyncClient::new(options, 10)
    }

    resumes!(Version::V311);
}

mod v5 {
    use super::*;
    use rumqttc::v5::mqttbytes::QoS;
    use rumqttc::v5::mqttbytes::v5::{ConnAck, ConnectProperties, Packet};
    use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};

    fn client(broker: &Broker) -> (AsyncClient, EventLoop) {
        let mut options = MqttOptions::new("rumqttc", "127.0.0.1", broker.port());
        options.set_clean_start(false);
        let mut properties = ConnectProperties::new();
        properties.session_expiry_interval = Some(3600);
        options.set_connect_properties(properties);
        AsyncClient::new(options, 10)
    }

    resumes!(Version::V5);
}
