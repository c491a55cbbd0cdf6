//! What is drawn before anything happens? The limits of the broker, and what its clients are like.

use hikyaku_broker::Limits;
use hikyaku_types::ProtocolVersion;

use crate::client::Profile;
use crate::random::Random;

/// The broker's limits.
pub fn limits(random: &mut Random, rare: &mut Random) -> Limits {
    Limits {
        inflight_messages_max: random.pick(&[2, 10, 1000]),
        mailbox_messages_max: random.pick(&[2, 6, 10_000]),
        output_buffer_bytes_max: random.pick(&[50, 1 << 20]),
        journal_bytes_max: random.pick(&[1000, 256 << 20, 256 << 20]),
        queue_messages_max: if rare.chance(25) { rare.pick(&[1, 3, 20]) } else { Limits::default().queue_messages_max },
        ..Limits::default()
    }
}

/// Who sees all Wills.
pub fn observer() -> Profile {
    Profile {
        version: ProtocolVersion::V5,
        expiry_secs: u32::MAX,
        receive_maximum: 10,
        packet_size_max: None,
        alias_maximum: 0,
        wills: 0,
        fickle: 0,
        nervous: 0,
    }
}

/// A client.
pub fn profile(random: &mut Random, rare: &mut Random) -> Profile {
    let wills = random.pick(&[0, 40]);
    let (fickle, nervous) = (random.pick(&[3, 3, 20]), random.pick(&[0, 0, 40]));
    if random.chance(40) {
        let expiry_secs = random.pick(&[0, u32::MAX, u32::MAX]);
        return Profile {
            version: ProtocolVersion::V311,
            expiry_secs,
            receive_maximum: u16::MAX,
            packet_size_max: None,
            alias_maximum: 0,
            wills,
            fickle,
            nervous,
        };
    }
    Profile {
        version: ProtocolVersion::V5,
        expiry_secs: random.pick(&[0, 60, u32::MAX, u32::MAX, u32::MAX]),
        receive_maximum: random.pick(&[1, 2, 5, u16::MAX]),
        packet_size_max: rare.chance(20).then(|| rare.pick(&[16, 100, 2000])),
        alias_maximum: random.pick(&[0, 0, 2, 10]),
        wills,
        fickle,
        nervous,
    }
}
