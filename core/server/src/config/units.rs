//! What does the text of one value mean? Sizes, durations, addresses and words, both ways.

use std::net::SocketAddr;

use figment::value::Value;

use super::schema::{Kind, nearest};

const SIZES: [(&str, u64); 5] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
const DURATIONS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// The value, or what is wrong with the text and what to write.
pub(super) fn parse(kind: Kind, text: &str) -> Result<Value, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(format!("is empty. {}", kind.advice()));
    }
    match kind {
        Kind::Address => parse_address(text),
        Kind::Flag => match text {
            "true" => Ok(Value::from(true)),
            "false" => Ok(Value::from(false)),
            _ => Err(format!("{text:?} is neither true nor false. {}", kind.advice())),
        },
        Kind::Path if text.contains(['\u{fffd}', '\0']) => {
            Err(format!("{text:?} is not a path in UTF-8. {}", kind.advice()))
        }
        Kind::Path => Ok(Value::from(text)),
        Kind::Word { noun, words } => parse_word(kind, noun, words, text),
        Kind::Size { min, max } => {
            let bytes = scaled(text, &SIZES, Some(1), kind, "a size")?;
            bounded(bytes, min, max, text, size_text).map(Value::from)
        }
        Kind::Count { min, max } => {
            let number = scaled(text, &[], Some(1), kind, "a whole number")?;
            bounded(number, min, max, text, |number| number.to_string()).map(Value::from)
        }
        Kind::Millis { max } => {
            let millis = scaled(text, &DURATIONS, None, kind, "a duration")?;
            bounded(millis, 1, max, text, duration_text).map(Value::from)
        }
        Kind::Seconds { max } => {
            let millis = scaled(text, &DURATIONS, None, kind, "a duration")?;
            if millis % 1_000 != 0 {
                return Err(format!("{text:?} is no whole number of seconds. {}", kind.advice()));
            }
            let seconds_text = |seconds: u64| duration_text(seconds.saturating_mul(1_000));
            bounded(millis / 1_000, 1, max, text, seconds_text).map(Value::from)
        }
    }
}

/// The text that [`parse`] reads back as this value.
pub(super) fn show(kind: Kind, value: &Value) -> String {
    let number = || value.to_u128().and_then(|n| u64::try_from(n).ok()).unwrap_or_default();
    match kind {
        Kind::Address => format!("{:?}", value.as_str().unwrap_or_default()),
        Kind::Flag => value.to_bool().unwrap_or_default().to_string(),
        Kind::Path => {
            let text = value.as_str().unwrap_or_default();
            let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
            let bare = text.starts_with(['.', '/']) && text.chars().all(plain);
            if bare { text.to_owned() } else { quoted(text) }
        }
        Kind::Word { .. } => value.as_str().unwrap_or_default().to_owned(),
        Kind::Size { .. } => size_text(number()),
        Kind::Count { .. } => number().to_string(),
        Kind::Millis { .. } => duration_text(number()),
        Kind::Seconds { .. } => duration_text(number().saturating_mul(1_000)),
    }
}

/// Bytes in the largest unit that holds them without a rest: `1MiB`.
pub(super) fn size_text(bytes: u64) -> String {
    in_units(bytes, &SIZES[..4]).unwrap_or_else(|| bytes.to_string())
}

/// Milliseconds in the largest unit that holds them without a rest: `10s`.
pub(crate) fn duration_text(millis: u64) -> String {
    in_units(millis, &DURATIONS).unwrap_or_else(|| format!("{millis}ms"))
}

fn in_units(amount: u64, units: &[(&str, u64)]) -> Option<String> {
    let fits = |(_, unit): &&(&str, u64)| amount != 0 && amount.is_multiple_of(*unit);
    units.iter().find(fits).map(|(name, unit)| format!("{}{name}", amount / unit))
}

/// In single quotes, in which YAML knows no escapes but the doubled quote.
fn quoted(text: &str) -> String {
    if text.chars().any(char::is_control) {
        return format!("{text:?}");
    }
    format!("'{}'", text.replace('\'', "''"))
}

fn parse_word(kind: Kind, noun: &str, words: &'static [&'static str], text: &str) -> Result<Value, String> {
    if words.contains(&text) {
        return Ok(Value::from(text));
    }
    let meant = match nearest(text, words.iter().copied()) {
        Some(word) => format!(" Did you mean {word}?"),
        None => String::new(),
    };
    Err(format!("{text:?} is not a {noun}. {}{meant}", kind.advice()))
}

/// Digits, then a unit; `bare` is what digits alone count, if they may stand alone.
fn scaled(text: &str, units: &[(&str, u64)], bare: Option<u64>, kind: Kind, noun: &str) -> Result<u64, String> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let (digits, unit) = (text[..split].replace('_', ""), text[split..].trim());
    let not_one = || format!("{text:?} is not {noun}. {}", kind.advice());
    if digits.is_empty() {
        return Err(not_one());
    }
    let factor = match units.iter().find(|(name, _)| *name == unit) {
        Some((_, factor)) => *factor,
        None if unit.is_empty() => match bare {
            Some(factor) => factor,
            None if digits.trim_matches('0').is_empty() => 1,
            None => return Err(format!("{text:?} has no unit. {}", kind.advice())),
        },
        None => return Err(not_one()),
    };
    let too_large = || format!("{text:?} is too large. {}", kind.advice());
    let number: u64 = digits.parse().map_err(|_| too_large())?;
    number.checked_mul(factor).ok_or_else(too_large)
}

fn bounded(number: u64, min: u64, max: u64, text: &str, show: impl Fn(u64) -> String) -> Result<u64, String> {
    if number == 0 {
        return Err("is 0, which would let nothing through. Write what you can afford, or leave \
                    the key out for the default."
            .into());
    }
    if number < min {
        return Err(format!("{text:?} is too small. Write {} or more.", show(min)));
    }
    if number > max {
        return Err(format!("{text:?} is too large. Write {} or less.", show(max)));
    }
    Ok(number)
}

fn parse_address(text: &str) -> Result<Value, String> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(Value::from(address.to_string()));
    }
    Err(format!("{text:?} is not an address with a port. {}", address_advice(text)))
}

fn address_advice(text: &str) -> String {
    let halves = text.rsplit_once(':');
    if let Some((host, port)) = halves
        && host.parse::<std::net::Ipv6Addr>().is_ok()
        && port.parse::<u16>().is_ok()
    {
        return format!("Put IPv6 in brackets and quotes: \"[{host}]:{port}\".");
    }
    if let Ok(ip) = text.trim_matches(['[', ']']).parse() {
        let guess = SocketAddr::new(ip, super::MQTT_PORT);
        return format!("Add the port: \"{guess}\".");
    }
    if let Ok(port) = text.trim_start_matches(['*', ':']).parse::<u16>() {
        return format!(
            "Add the address: 127.0.0.1:{port} for this machine only, 0.0.0.0:{port} for every \
             network."
        );
    }
    match halves {
        None => Kind::Address.advice(),
        Some((_, port)) if port.parse::<u16>().is_err() => {
            format!("The port {port:?} is not a number from 0 to 65535.")
        }
        Some((host, port)) if host.eq_ignore_ascii_case("localhost") => {
            format!("Write the number, not the name: 127.0.0.1:{port} or \"[::1]:{port}\".")
        }
        Some((_, port)) => {
            format!("Write the number of the address, not its name, like 127.0.0.1:{port}.")
        }
    }
}
