//! Streams larger than memory, in both directions, and readers that do not read.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{Bystander, bed, growth};
use crate::bed::Bed;
use crate::carrier::Answer;
use crate::network::inside;

const GIB: u64 = 1 << 30;
/// What is asked for; as much of it as comes within the time is read.
const LENGTH: u64 = 10 * GIB;
const TIME: Duration = Duration::from_secs(40);
/// How much more memory a stream may take, in KiB.
const BOUND: u64 = 32 * 1024;

fn head_of(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head));
}

fn report(what: &str, moved: u64, took: Duration, grown: u64) {
    let (gib, seconds) = (moved as f64 / GIB as f64, took.as_secs_f64());
    println!("{what}: {gib:.2} GiB in {seconds:.1} s, memory grew by {grown} KiB");
    assert!(grown < BOUND, "{what}: {grown} KiB");
}

fn download(bed: &Bed) -> (u64, Duration) {
    let mut stream = bed.way.open();
    stream.write_all(bed.way.head("GET", &format!("http://origin.test/bytes/{LENGTH}"), "", 0).as_bytes()).unwrap();
    head_of(&mut stream);
    let (began, mut buffer, mut moved) = (Instant::now(), vec![0; 1 << 20], 0);
    while began.elapsed() < TIME && moved < LENGTH {
        match stream.read(&mut buffer).unwrap() {
            0 => break,
            read => moved += read as u64,
        }
    }
    (moved, began.elapsed())
}

#[test]
fn survives_a_download_larger_than_memory() {
    inside(module_path!(), "survives_a_download_larger_than_memory", || {
        let bed = bed();
        let bystander = Bystander::start(&bed);
        let (grown, (moved, took)) = growth(&bed, || download(&bed));
        report("download", moved, took, grown);
        assert!(moved >= 2 * GIB, "it moves: {moved} bytes in {took:?}");
        bystander.stop();
    });
}

#[test]
fn survives_an_upload_larger_than_memory() {
    inside(module_path!(), "survives_an_upload_larger_than_memory", || {
        let bed = bed();
        let bystander = Bystander::start(&bed);
        for (what, length) in [("upload of known length", Some(2 * GIB)), ("upload in chunks", None)] {
            let (grown, (moved, took)) = growth(&bed, || {
                let mut stream = bed.way.open();
                let fields = match length {
                    Some(length) => format!("Content-Length: {length}\r\n"),
                    None => "Transfer-Encoding: chunked\r\n".to_owned(),
                };
                stream.write_all(bed.way.head("POST", "http://origin.test/sink", &fields, 0).as_bytes()).unwrap();
                let mut piece = vec![b'x'; 1 << 20];
                if length.is_none() {
                    piece = [b"100000\r\n", piece.as_slice(), b"\r\n"].concat();
                }
                let began = Instant::now();
                for _ in 0..2 << 10 {
                    stream.write_all(&piece).unwrap();
                }
                if length.is_none() {
                    stream.write_all(b"0\r\n\r\n").unwrap();
                }
                let counted: u64 = Answer::read(&mut stream).unwrap().text().parse().unwrap();
                assert_eq!(counted, 2 * GIB, "{what}");
                (counted, began.elapsed())
            });
            report(what, moved, took, grown);
        }
        bystander.stop();
    });
}

#[test]
fn survives_readers_that_do_not_read() {
    inside(module_path!(), "survives_readers_that_do_not_read", || {
        let bed = bed();
        let bystander = Bystander::start(&bed);
        let (grown, open) = growth(&bed, || {
            let mut open = Vec::new();
            for _ in 0..50 {
                let mut stream = bed.way.open();
                let head = bed.way.head("GET", &format!("http://origin.test/bytes/{LENGTH}"), "", 0);
                stream.write_all(head.as_bytes()).unwrap();
                open.push(stream);
                let tunnel = bed.way.connect("origin.test:443").unwrap();
                let mut secured = bed.tls.over(tunnel, "origin.test");
                write!(secured, "GET /bytes/{LENGTH} HTTP/1.1\r\nHost: origin.test\r\n\r\n").unwrap();
                secured.flush().unwrap();
                open.push(secured.sock);
            }
            std::thread::sleep(Duration::from_secs(10));
            open
        });
        println!("100 readers that do not read: {grown} KiB");
        assert!(grown < 2 * BOUND, "{grown} KiB for 100 readers that do not read");
        bystander.stop();
        drop(open);
    });
}
