use super::*;

fn vector16(body: &[u8]) -> Vec<u8> {
    [&u16::try_from(body.len()).unwrap().to_be_bytes(), body].concat()
}

fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &vector16(body)].concat()
}

fn name(name: &str) -> Vec<u8> {
    extension(0, &vector16(&[&[0][..], &vector16(name.as_bytes())].concat()))
}

/// A ClientHello message with its header.
fn message(extensions: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0x13, 1, 1, 0]);
    body.extend(vector16(&extensions.concat()));
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[1][..], &length[1..], &body].concat()
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 3, 1][..], &vector16(body)].concat()
}

fn hello_to(host: &str) -> Vec<u8> {
    record(22, &message(&[name(host), extension(43, &[2, 3, 4])]))
}

fn server_hello(random: &[u8]) -> Vec<u8> {
    record(22, &[&[2, 0, 0, 38, 3, 3][..], random, &[0, 0x13, 1, 0]].concat())
}

fn retry() -> Vec<u8> {
    let mut random = Vec::new();
    for word in ["cf21ad74e59a6111be1d8c021e65b891", "c2a211167abb8c5e079e09e2c8a8339c"] {
        random.extend((0..16).map(|at| u8::from_str_radix(&word[2 * at..2 * at + 2], 16).unwrap()));
    }
    server_hello(&random)
}

fn read(bytes: &[u8]) -> Result<Hello, NotTls> {
    match HelloReader::new().push(bytes)? {
        Status::Hello { hello, taken } => {
            assert_eq!(taken, bytes.len());
            Ok(*hello)
        }
        Status::NeedMore => panic!("incomplete"),
    }
}

fn sni_of(verdict: Result<Verdict, NotTls>) -> Sni {
    match verdict {
        Ok(Verdict::Hello(hello)) => hello.sni().clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn reads_what_a_hello_says() {
    let alpn = extension(16, &vector16(b"\x02h2\x08http/1.1"));
    let ech = extension(0xfe0d, b"\0anything");
    let grease = extension(0x0a0a, b"");
    let hello = read(&record(22, &message(&[grease, name("WWW.Example.com"), alpn, ech, extension(42, b"")]))).unwrap();
    assert_eq!(*hello.sni(), Sni::Name("www.example.com".into()));
    assert_eq!(hello.alpn().collect::<Vec<_>>(), [&b"h2"[..], b"http/1.1"]);
    assert!(hello.has_ech() && hello.has_early_data() && !hello.offers_tls13());
    assert!(read(&hello_to("h.example")).unwrap().offers_tls13());
    assert_eq!(*read(&record(22, &message(&[]))).unwrap().sni(), Sni::Absent);
}

#[test]
fn a_hello_may_come_in_many_records_and_segments() {
    let message = message(&[name("h.example"), extension(21, &[0; 3000])]);
    for size in [1, 2, 3, 7, 100, 5000] {
        let bytes: Vec<u8> = message.chunks(size).flat_map(|part| record(22, part)).collect();
        assert_eq!(*read(&bytes).unwrap().sni(), Sni::Name("h.example".into()), "{size}");
        let mut reader = HelloReader::new();
        let (last, before) = bytes.split_last().unwrap();
        for b in before {
            assert_eq!(reader.push(&[*b]), Ok(Status::NeedMore), "{size}");
        }
        assert!(matches!(reader.push(&[*last, 23]), Ok(Status::Hello { taken: 1, .. })), "{size}");
    }
}

#[test]
fn a_hello_has_at_most_64_kib() {
    let padded = |n: usize| {
        let message = message(&[name("h"), extension(21, &vec![0; n / 2]), extension(22, &vec![0; n - n / 2])]);
        message.chunks(1 << 14).flat_map(|part| record(22, part)).collect::<Vec<u8>>()
    };
    let fits = HELLO_BYTES_MAX - padded(0).len() - 3 * 5;
    assert_eq!(padded(fits).len(), HELLO_BYTES_MAX);
    assert!(read(&padded(fits)).is_ok());
    assert_eq!(HelloReader::new().push(&padded(fits + 1)), Err(NotTls::Long));
}

#[test]
fn checks_the_second_hello_after_a_retry() {
    let ccs = record(20, &[1]);
    for split in [false, true] {
        let mut watch = TlsWatch::new();
        assert_eq!(watch.server(&retry()), Verdict::Relay);
        assert_eq!(watch.client(&ccs), Ok(Verdict::Relay));
        let second = hello_to("other.example");
        let verdict = if split {
            let (start, end) = second.split_at(second.len() - 1);
            for b in start {
                assert_eq!(watch.client(&[*b]), Ok(Verdict::Hold));
            }
            watch.client(end)
        } else {
            watch.client(&second)
        };
        assert_eq!(sni_of(verdict), Sni::Name("other.example".into()));
        assert!(watch.is_done());
        assert_eq!(watch.client(b"anything"), Ok(Verdict::Done));
    }
}

#[test]
fn a_second_hello_that_does_not_wait_is_checked_too() {
    let mut watch = TlsWatch::new();
    let early = [record(20, &[1]), record(23, &[0; 100]), hello_to("other.example")].concat();
    assert_eq!(sni_of(watch.client(&early)), Sni::Name("other.example".into()));

    let mut watch = TlsWatch::new();
    let second = hello_to("other.example");
    assert_eq!(watch.client(&second[..20]), Ok(Verdict::Hold));
    assert_eq!(watch.server(&server_hello(&[9; 32])), Verdict::Relay, "a hello that began is read to its end");
    assert_eq!(sni_of(watch.client(&second[20..])), Sni::Name("other.example".into()));
}

#[test]
fn a_watch_ends_where_no_second_hello_can_come() {
    let mut watch = TlsWatch::new();
    let answer = [record(21, &[1, 112]), server_hello(&[9; 32])].concat();
    let (last, before) = answer.split_last().unwrap();
    let verdicts: Vec<_> = before.iter().map(|b| watch.server(&[*b])).collect();
    assert!(verdicts.contains(&Verdict::Relay));
    watch.server(&[*last]);
    assert!(watch.is_done());
    // An encrypted message of TLS 1.2 may look like anything.
    assert_eq!(watch.client(&record(22, &[1, 2, 3])), Ok(Verdict::Done));

    let mut watch = TlsWatch::new();
    assert_eq!(watch.client(&record(22, &[16, 0, 0, 0])), Ok(Verdict::Done), "a key exchange");
    let mut watch = TlsWatch::new();
    assert_eq!(watch.server(b"HTTP/1.1 400 Bad Request\r\n"), Verdict::Done, "no TLS there");
    let mut watch = TlsWatch::new();
    assert_eq!(watch.client(b"GET / HTTP/1.1\r\n"), Err(NotTls::Record));
}

#[test]
fn early_data_passes_before_the_second_hello() {
    let mut watch = TlsWatch::new();
    for _ in 0..100 {
        assert_eq!(watch.client(&record(23, &[0; 16_000])), Ok(Verdict::Relay));
    }
    assert_eq!(watch.server(&retry()), Verdict::Relay);
    assert_eq!(sni_of(watch.client(&hello_to("h.example"))), Sni::Name("h.example".into()));
}

#[test]
fn a_second_hello_is_bounded() {
    let mut watch = TlsWatch::new();
    let mut message = vec![1, 0, 0xff, 0xff];
    message.resize(16, 0);
    let mut held = 0;
    let error = loop {
        match watch.client(&record(22, &message)) {
            Ok(verdict) => assert_eq!(verdict, Verdict::Hold),
            Err(error) => break error,
        }
        held += message.len() + 5;
        message = vec![0; 1000];
    };
    assert_eq!(error, NotTls::Long);
    assert!(held <= HELLO_BYTES_MAX);
}
