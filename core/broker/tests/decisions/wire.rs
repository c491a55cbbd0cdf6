//! What has a broker written? One line of text per packet, so that a test can say in one line what it expects.
//!
//! `a/b=hello q1 #2 dup` is a PUBLISH, `puback 7`, `pubrec 7 97` and `suback 1 01 97` are what they say; codes are in
//! hexadecimal, and a success is not written.

use std::fmt::Write;

/// Reads all that was written; it ends with a whole packet.
pub fn read(mut bytes: &[u8], v5: bool) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some(byte1) = bytes.split_off_first() {
        let len = varint(&mut bytes);
        let body = bytes.split_off(..len).unwrap();
        lines.push(packet(*byte1, body, v5));
    }
    lines
}

fn varint(bytes: &mut &[u8]) -> usize {
    let (mut value, mut shift) = (0, 0);
    loop {
        let digit = *bytes.split_off_first().unwrap();
        value |= usize::from(digit & 0x7F) << shift;
        shift += 7;
        if digit & 0x80 == 0 {
            return value;
        }
    }
}

fn number(bytes: &mut &[u8]) -> u16 {
    u16::from_be_bytes(bytes.split_off(..2).unwrap().try_into().unwrap())
}

fn packet(byte1: u8, mut body: &[u8], v5: bool) -> String {
    let name = match byte1 >> 4 {
        3 => return publish(byte1, body, v5),
        4 => "puback",
        5 => "pubrec",
        6 => "pubrel",
        7 => "pubcomp",
        9 => "suback",
        11 => "unsuback",
        other => panic!("a session does not send packets of type {other}"),
    };
    let mut line = format!("{name} {}", number(&mut body));
    if v5 && byte1 >> 4 > 8 {
        assert_eq!(varint(&mut body), 0, "no properties");
    }
    for code in body {
        write!(line, " {code:02x}").unwrap();
    }
    line
}

fn publish(byte1: u8, mut body: &[u8], v5: bool) -> String {
    let len = usize::from(number(&mut body));
    let topic = std::str::from_utf8(body.split_off(..len).unwrap()).unwrap();
    let qos = byte1 >> 1 & 3;
    let id = if qos == 0 { String::new() } else { format!(" #{}", number(&mut body)) };
    let mut extra = String::new();
    if v5 {
        let len = varint(&mut body);
        properties(body.split_off(..len).unwrap(), &mut extra);
    }
    let payload =
        if body.len() > 16 { format!("{} bytes", body.len()) } else { String::from_utf8_lossy(body).into_owned() };
    let dup = if byte1 & 8 == 0 { "" } else { " dup" };
    let retain = if byte1 & 1 == 0 { "" } else { " retain" };
    format!("{topic}={payload} q{qos}{id}{dup}{retain}{extra}")
}

fn properties(mut bytes: &[u8], out: &mut String) {
    while let Some(kind) = bytes.split_off_first() {
        match kind {
            0x02 => {
                let secs = u32::from_be_bytes(bytes.split_off(..4).unwrap().try_into().unwrap());
                write!(out, " expires {secs}").unwrap();
            }
            0x0B => write!(out, " sub {}", varint(&mut bytes)).unwrap(),
            0x23 => write!(out, " alias {}", number(&mut bytes)).unwrap(),
            other => panic!("property {other:#04x}"),
        }
    }
}
