//! Whole bodies; what is refused is a table of vectors in `tests/it`.

use super::*;

/// The data, the trailers by name, and what is left for the next request.
type Whole = (Vec<u8>, Vec<String>, Vec<u8>);

fn read(bytes: &[u8]) -> Result<Whole, Fault> {
    let (mut reader, mut buffer, mut data) = (ChunkReader::new(), BytesMut::from(bytes), Vec::new());
    while let Some(chunk) = reader.read(&mut buffer)? {
        match chunk {
            Chunk::Data(bytes) => data.extend_from_slice(&bytes),
            Chunk::End(trailers) => {
                assert!(reader.is_done() && reader.read(&mut buffer).unwrap().is_none());
                let names = trailers.fields().map(|field| field.name().to_owned()).collect();
                return Ok((data, names, buffer.to_vec()));
            }
        }
    }
    panic!("incomplete: {}", bytes.escape_ascii())
}

#[test]
fn reads_a_body_and_leaves_the_rest() {
    let body = b"5\r\nhello\r\n00A;x=\"y\"\r\n0123456789\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\nGET ";
    let (data, trailers, rest) = read(body).unwrap();
    assert_eq!((data.as_slice(), rest.as_slice()), (&b"hello0123456789"[..], &b"GET "[..]));
    assert_eq!(trailers, ["X-Sum", "Y"]);
    assert_eq!(read(b"0\r\n\r\n").unwrap(), (vec![], vec![], vec![]));
}

#[test]
fn a_first_size_is_checked_as_far_as_it_came() {
    for good in [&b""[..], b"5", b"5;a", b"5\r", b"5\r\n", b"5\r\nhello\r\nzz", b"0\r\n\0"] {
        assert_eq!(peek_first_size(good), Ok(()), "{}", good.escape_ascii());
    }
    for bad in [&b"\r"[..], b"g", b"5\n", b"5 ", b"5\rx", b"-1\r\n", b"0x5\r\n"] {
        assert!(peek_first_size(bad).is_err(), "{}", bad.escape_ascii());
    }
}

#[test]
fn limits_hold_to_the_byte() {
    let extended = |n: u16| format!("0;{}\r\n\r\n", "x".repeat(usize::from(n - 1)));
    assert!(read(extended(EXTENSION_BYTES_MAX).as_bytes()).is_ok());
    assert_eq!(read(extended(EXTENSION_BYTES_MAX + 1).as_bytes()), Err(Fault::ChunkExtension));

    let trailers = |n: usize| format!("0\r\nX: {}\r\n\r\n", "x".repeat(n - 7));
    assert!(read(trailers(TRAILER_BYTES_MAX).as_bytes()).is_ok());
    assert_eq!(read(trailers(TRAILER_BYTES_MAX + 1).as_bytes()), Err(Fault::TrailersLong));

    let many = |n: usize| format!("0\r\n{}\r\n", "X: 1\r\n".repeat(n));
    assert_eq!(read(many(TRAILER_FIELDS_MAX).as_bytes()).unwrap().1.len(), TRAILER_FIELDS_MAX);
    assert_eq!(read(many(TRAILER_FIELDS_MAX + 1).as_bytes()), Err(Fault::TrailersLong));

    assert_eq!(
        ChunkReader::new().read(&mut BytesMut::from(&b"ffffffffffffffff\r\n"[..])).map(|c| c.is_none()),
        Ok(true)
    );
    assert_eq!(read(b"00000000000000000\r\n\r\n"), Err(Fault::ChunkSize));
}
