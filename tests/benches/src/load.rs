//! How do publishers with a window load the broker for little CPU? One thread, prepared packets, one write per read.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hikyaku_tests::raw::{Connect, Kind, Publish, Version, ack, subscribe};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What the publishers do.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// How many publishers.
    pub publishers: usize,
    /// Messages of each that are not acknowledged at a time.
    pub window: usize,
    /// Messages of each in all.
    pub messages: usize,
    /// Payload of a message.
    pub payload_bytes: usize,
}

/// Publishes with QoS 1, each publisher to its own topic `t/N`, until all is acknowledged. With a window of 1 the time of
/// each message is given, rising.
pub async fn publish(address: SocketAddr, load: Load) -> (Duration, Vec<Duration>) {
    let mut ready = Vec::new();
    for number in 0..load.publishers {
        ready.push((connect(address, &Connect::v311(&format!("publisher-{number}"))).await, number));
    }
    let begin = Instant::now();
    let tasks: Vec<_> =
        ready.into_iter().map(|(stream, number)| tokio::spawn(publisher(stream, number, load))).collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.expect("a publisher ends well"));
    }
    let took = begin.elapsed();
    times.sort_unstable();
    (took, times)
}

async fn publisher(mut stream: TcpStream, number: usize, load: Load) -> Vec<Duration> {
    let packets = packets(number, load);
    let (size, count) = (packets.len() / load.window, load.window);
    let (mut sent, mut done, mut unread) = (0, 0, 0);
    let (mut buffer, mut out, mut times) = (vec![0; 64 << 10], Vec::new(), Vec::new());
    let mut begin = Instant::now();
    while done < load.messages {
        out.clear();
        while sent < load.messages && sent - done < load.window {
            let slot = sent % count;
            out.extend_from_slice(&packets[slot * size..][..size]);
            sent += 1;
        }
        stream.write_all(&out).await.expect("the broker takes messages");
        let read = stream.read(&mut buffer).await.expect("the broker answers");
        assert!(read > 0, "the broker closed the connection");
        unread += read;
        done += unread / 4; // a PUBACK has four bytes
        unread %= 4;
        if load.window == 1 {
            times.push(begin.elapsed());
            begin = Instant::now();
        }
    }
    times
}

/// One packet for each place of the window, all of the same size.
fn packets(number: usize, load: Load) -> Vec<u8> {
    (0..load.window)
        .flat_map(|slot| {
            let id = u16::try_from(slot + 1).expect("a window fits packet ids");
            Publish::new(&format!("t/{number}"), vec![b'x'; load.payload_bytes], 1).id(id).encode(Version::V311)
        })
        .collect()
}

/// Sessions that subscribe to `t/N` each and go offline.
pub async fn sleepers(address: SocketAddr, count: usize) {
    for number in 0..count {
        let stream = subscriber(address, number).await;
        drop(stream);
    }
}

/// Sessions that subscribe to `t/N` each and acknowledge what comes, until they are aborted.
pub async fn listeners(address: SocketAddr, count: usize) -> Vec<tokio::task::JoinHandle<()>> {
    let mut tasks = Vec::new();
    for number in 0..count {
        tasks.push(tokio::spawn(listen(subscriber(address, number).await)));
    }
    tasks
}

async fn subscriber(address: SocketAddr, number: usize) -> TcpStream {
    let mut stream = connect(address, &Connect::v311(&format!("subscriber-{number}")).durable()).await;
    stream.write_all(&subscribe(Version::V311, 1, &[(&format!("t/{number}"), 1)], &[])).await.expect("it is open");
    let mut suback = [0; 5];
    stream.read_exact(&mut suback).await.expect("SUBACK comes");
    stream
}

/// Acknowledges each PUBLISH; all there are have the same shape, but sizes may differ.
async fn listen(mut stream: TcpStream) {
    let (mut buffer, mut held, mut out) = (vec![0; 64 << 10], Vec::new(), Vec::new());
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        held.extend_from_slice(&buffer[..read]);
        let mut at = 0;
        out.clear();
        while let Some((id, size)) = message(&held[at..]) {
            out.extend(ack(Kind::Puback, id));
            at += size;
        }
        held.drain(..at);
        if stream.write_all(&out).await.is_err() {
            return;
        }
    }
}

/// The packet id and the size of the PUBLISH in front, once it is whole.
fn message(bytes: &[u8]) -> Option<(u16, usize)> {
    let (mut length, mut head) = (0, 1);
    loop {
        let byte = *bytes.get(head)?;
        length |= usize::from(byte & 0x7F) << (7 * (head - 1));
        head += 1;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let body = bytes.get(head..head + length)?;
    let topic = usize::from(u16::from_be_bytes([body[0], body[1]]));
    Some((u16::from_be_bytes([body[2 + topic], body[3 + topic]]), head + length))
}

/// The time of each of so many PINGs, rising: a round trip without a commit.
pub async fn pings(address: SocketAddr, count: usize) -> Vec<Duration> {
    let mut stream = connect(address, &Connect::v311("ping")).await;
    let mut times = Vec::new();
    let mut answer = [0; 2];
    for _ in 0..count {
        let begin = Instant::now();
        stream.write_all(&[0xC0, 0]).await.expect("it is open");
        stream.read_exact(&mut answer).await.expect("PINGRESP comes");
        times.push(begin.elapsed());
    }
    times.sort_unstable();
    times
}

async fn connect(address: SocketAddr, connect: &Connect) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("the broker accepts");
    stream.set_nodelay(true).expect("it is a TCP socket");
    stream.write_all(&connect.encode()).await.expect("it is open");
    let mut connack = [0; 4];
    stream.read_exact(&mut connack).await.expect("CONNACK comes");
    assert_eq!(connack[3], 0, "the broker lets the client in");
    stream
}
