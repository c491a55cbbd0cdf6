//! How do the values of a record look to a person?

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The last millisecond of the year 9999, the last one that has a text.
const LAST_TEXT_MS: u64 = 253_402_300_799_999;

/// A time in milliseconds since 1970, as `2026-11-25T16:14:27.000Z`; what is later than the year 9999 as its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time(pub u64);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 > LAST_TEXT_MS {
            return serializer.serialize_u64(self.0);
        }
        serializer.collect_str(&humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(self.0)))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Time;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time such as 2026-11-25T16:14:27.000Z, or milliseconds since 1970")
            }

            fn visit_u64<E: Error>(self, ms: u64) -> Result<Time, E> {
                Ok(Time(ms))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
                humantime::parse_rfc3339(text)
                    .ok()
                    .and_then(millis)
                    .map(Time)
                    .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

fn millis(time: SystemTime) -> Option<u64> {
    u64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}

/// Bytes: as text where they are text that a line can show, else in base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Bytes {
    /// UTF-8 without control characters but tab and line end.
    Text(String),
    /// With padding, as RFC 4648 has it in section 4.
    Base64(String),
}

impl Bytes {
    pub fn of(bytes: &[u8]) -> Self {
        let plain = |text: &&str| text.chars().all(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\r'));
        match std::str::from_utf8(bytes).ok().filter(plain) {
            Some(text) => Self::Text(text.to_owned()),
            None => Self::Base64(STANDARD.encode(bytes)),
        }
    }

    pub fn bytes(self) -> Result<Box<[u8]>, String> {
        match self {
            Self::Text(text) => Ok(text.into_bytes().into()),
            Self::Base64(text) => match STANDARD.decode(text) {
                Ok(bytes) => Ok(bytes.into()),
                Err(error) => Err(format!("the base64 text cannot be read: {error}")),
            },
        }
    }
}

/// A property that travels with a message; it has the standard's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::enum_variant_names, reason = "the names are the standard's own")]
pub(super) enum Property {
    PayloadFormatIndicator(u8),
    ContentType(String),
    ResponseTopic(String),
    CorrelationData(Bytes),
    UserProperty(String, String),
    /// Whatever follows, encoded, if it is nothing of these.
    Encoded(String),
}

impl Property {
    /// The properties of a block without its length, one by one in their order.
    pub fn all_of(mut block: &[u8]) -> Vec<Self> {
        let mut properties = Vec::new();
        while !block.is_empty() {
            match Self::first_of(block) {
                Some((property, rest)) => {
                    properties.push(property);
                    block = rest;
                }
                None => {
                    properties.push(Self::Encoded(STANDARD.encode(block)));
                    break;
                }
            }
        }
        properties
    }

    fn first_of(block: &[u8]) -> Option<(Self, &[u8])> {
        let (id, rest) = block.split_first()?;
        match id {
            1 => rest.split_first().map(|(flag, rest)| (Self::PayloadFormatIndicator(*flag), rest)),
            3 => text(rest).map(|(text, rest)| (Self::ContentType(text), rest)),
            8 => text(rest).map(|(text, rest)| (Self::ResponseTopic(text), rest)),
            9 => sized(rest).map(|(data, rest)| (Self::CorrelationData(Bytes::of(data)), rest)),
            38 => {
                let (name, rest) = text(rest)?;
                let (value, rest) = text(rest)?;
                Some((Self::UserProperty(name, value), rest))
            }
            _ => None,
        }
    }

    /// The block of these properties, without its length.
    pub fn block(properties: Vec<Self>) -> Result<Box<[u8]>, String> {
        let mut block = Vec::new();
        for property in properties {
            match property {
                Self::PayloadFormatIndicator(flag) => block.extend([1, flag]),
                Self::ContentType(text) => put(&mut block, Some(3), text.as_bytes())?,
                Self::ResponseTopic(text) => put(&mut block, Some(8), text.as_bytes())?,
                Self::CorrelationData(data) => put(&mut block, Some(9), &data.bytes()?)?,
                Self::UserProperty(name, value) => {
                    put(&mut block, Some(38), name.as_bytes())?;
                    put(&mut block, None, value.as_bytes())?;
                }
                Self::Encoded(text) => block.extend_from_slice(&Bytes::Base64(text).bytes()?),
            }
        }
        Ok(block.into())
    }
}

fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))
}

fn text(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (text, rest) = sized(bytes)?;
    Some((std::str::from_utf8(text).ok()?.to_owned(), rest))
}

fn put(block: &mut Vec<u8>, id: Option<u8>, bytes: &[u8]) -> Result<(), String> {
    let len = u16::try_from(bytes.len()).map_err(|_| "a property is longer than 65535 bytes".to_owned())?;
    block.extend(id);
    block.extend(len.to_be_bytes());
    block.extend_from_slice(bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_were_written() {
        for ms in [0, 1, 999, 1_700_000_000_123, LAST_TEXT_MS, LAST_TEXT_MS + 1, u64::MAX] {
            let text = serde_json::to_string(&Time(ms)).unwrap();
            assert_eq!(serde_json::from_str::<Time>(&text).unwrap(), Time(ms), "{text}");
        }
        assert_eq!(serde_json::to_string(&Time(1_700_000_000_123)).unwrap(), "\"2023-11-14T22:13:20.123Z\"");
        assert!(serde_json::from_str::<Time>("\"yesterday\"").is_err());
    }

    #[test]
    fn text_is_shown_as_text_and_all_else_in_base64() {
        assert_eq!(Bytes::of("21.5 °C\n".as_bytes()), Bytes::Text("21.5 °C\n".into()));
        for bytes in [&b"\xFF"[..], b"a\0b", b"\x1b[0m"] {
            let shown = Bytes::of(bytes);
            assert!(matches!(shown, Bytes::Base64(_)), "{shown:?}");
            assert_eq!(&*shown.bytes().unwrap(), bytes);
        }
    }

    /// Also of a block that no client could have sent.
    #[test]
    fn properties_keep_their_order_and_their_bytes() {
        let block = [
            &b"\x26\x00\x01k\x00\x01v"[..],
            b"\x01\x01\x03\x00\x0atext/plain\x26\x00\x01k\x00\x00",
            b"\x09\x00\x02\x00\xFF\x08\x00\x01r",
        ]
        .concat();
        let properties = Property::all_of(&block);
        assert_eq!(properties.len(), 6);
        assert_eq!(properties[0], Property::UserProperty("k".into(), "v".into()));
        assert_eq!(&*Property::block(properties).unwrap(), block);
        for odd in [&b"\x63\x01"[..], b"\x03\x00\x05ab", b"\x03\x00\x01\xFF", b"\x01\x01\x02\x00\x00\x00\x05"] {
            assert_eq!(&*Property::block(Property::all_of(odd)).unwrap(), odd);
        }
    }
}
