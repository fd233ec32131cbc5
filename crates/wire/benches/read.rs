//! What reading costs: heads beside httparse on the same bytes in the same run, hellos, bodies.

#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use wire::Authority;
use wire::chunk::{Chunk, ChunkReader};
use wire::hello::HelloReader;
use wire::http::{HeadLimits, HeadReader, Mode};

const SHORT: &str = concat!(
    "GET http://origin.test/ HTTP/1.1\r\nHost: origin.test\r\nProxy-Authorization: Basic eDpleF9rZXlfMDEyMzQ1Njc4OWFi\r\n",
    "User-Agent: bench\r\nAccept: */*\r\n\r\n",
);
const BROWSER: &str = concat!(
    "GET http://www.origin.test/articles/2026/11/a-long-title-of-an-article.html?utm_source=feed&page=2 HTTP/1.1\r\n",
    "Host: www.origin.test\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic eDpleF9rZXlfMDEyMzQ1Njc4OWFi\r\n",
    "Upgrade-Insecure-Requests: 1\r\n",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8\r\n",
    "Referer: http://www.origin.test/articles/2026/11/\r\nAccept-Encoding: gzip, deflate\r\nAccept-Language: en-GB,en;q=0.9\r\n",
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=all; _ga=GA1.2.1234567890.1234567890\r\n",
    "If-None-Match: \"0123456789abcdef\"\r\nCache-Control: max-age=0\r\n\r\n",
);
const CONNECT: &str = concat!(
    "CONNECT origin.test:443 HTTP/1.1\r\nHost: origin.test:443\r\n",
    "Proxy-Authorization: Basic eDpleF9rZXlfMDEyMzQ1Njc4OWFi\r\nUser-Agent: curl/8.5.0\r\nProxy-Connection: Keep-Alive\r\n\r\n",
);

fn heads(c: &mut Criterion) {
    for (name, text) in [("short", SHORT), ("browser", BROWSER), ("connect", CONNECT)] {
        let mut group = c.benchmark_group(format!("head/{name}"));
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function("wire", |b| {
            b.iter_batched_ref(
                || (HeadReader::new(Mode::Proxy, HeadLimits::DEFAULT), BytesMut::from(text)),
                |(reader, buffer)| reader.read(buffer).unwrap().unwrap(),
                BatchSize::SmallInput,
            );
        });
        group.bench_function("httparse", |b| {
            b.iter(|| {
                let mut headers = [httparse::EMPTY_HEADER; 32];
                httparse::Request::new(&mut headers).parse(black_box(text.as_bytes())).unwrap().unwrap()
            });
        });
        group.finish();
    }
}

fn bytewise(c: &mut Criterion) {
    c.bench_function("head/browser_byte_by_byte", |b| {
        b.iter_batched_ref(
            || (HeadReader::new(Mode::Proxy, HeadLimits::DEFAULT), BytesMut::with_capacity(2048)),
            |(reader, buffer)| {
                BROWSER.bytes().find_map(|byte| {
                    buffer.extend_from_slice(&[byte]);
                    reader.read(buffer).unwrap()
                })
            },
            BatchSize::SmallInput,
        );
    });
}

fn authorities(c: &mut Criterion) {
    let mut group = c.benchmark_group("authority");
    for (name, text) in
        [("name", "api.origin.test:443"), ("upper", "API.Origin.test:443"), ("ipv6", "[2001:db8::1]:443")]
    {
        group.bench_function(name, |b| b.iter(|| Authority::of_connect(black_box(text.as_bytes())).unwrap()));
    }
    group.finish();
}

fn hellos(c: &mut Criterion) {
    let bytes = include_bytes!("../corpus/hello/protocols");
    let mut group = c.benchmark_group("hello");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("one_push", |b| b.iter(|| HelloReader::new().push(black_box(bytes)).unwrap()));
    group.finish();
}

fn chunks(c: &mut Criterion) {
    let chunk = [&b"4000\r\n"[..], &[b'x'; 0x4000], b"\r\n"].concat();
    let body = [chunk.repeat(16), b"0\r\n\r\n".to_vec()].concat();
    // Data is handed on without being looked at, so bytes per second would say nothing.
    c.bench_function("chunks/16_of_16_kib", |b| {
        b.iter_batched_ref(
            || (ChunkReader::new(), BytesMut::from(&body[..])),
            |(reader, buffer)| {
                let mut length = 0;
                while let Some(Chunk::Data(data)) = reader.read(buffer).unwrap() {
                    length += data.len();
                }
                length
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, heads, bytewise, authorities, hellos, chunks);
criterion_main!(benches);
