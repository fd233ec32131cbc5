//! The first flight of a TLS client, in the size and shape that browsers and libraries send today.
//!
//! No handshake follows: the origin answers it like any request. What a proxy looks at is all there.

const SIZE: usize = 517;
const SUITES: [u16; 8] = [0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9];

/// The bytes of a `ClientHello` for `server`, in one record.
pub(super) fn client_hello(server: &str) -> Vec<u8> {
    let mut hello = vec![0x03, 0x03];
    hello.extend([0x5a; 32]);
    hello.extend(counted(1, &[0xa5; 32]));
    let suites: Vec<u8> = SUITES.iter().flat_map(|suite| suite.to_be_bytes()).collect();
    hello.extend(counted(2, &suites));
    hello.extend(counted(1, &[0]));
    let mut extensions = extensions(server);
    // Record, handshake, both counts and the head of the padding itself.
    let without = 5 + 4 + hello.len() + 2 + extensions.len() + 4;
    extensions.extend(extension(21, &vec![0; SIZE.saturating_sub(without)]));
    hello.extend(counted(2, &extensions));
    let mut handshake = vec![0x01];
    handshake.extend(counted(3, &hello));
    let mut record = vec![0x16, 0x03, 0x01];
    record.extend(counted(2, &handshake));
    record
}

fn extensions(server: &str) -> Vec<u8> {
    let mut name = vec![0];
    name.extend(counted(2, server.as_bytes()));
    let mut share = vec![0x00, 0x1d];
    share.extend(counted(2, &[0x42; 32]));
    [
        extension(0, &counted(2, &name)),
        extension(10, &counted(2, &[0x00, 0x1d, 0x00, 0x17])),
        extension(13, &counted(2, &[0x04, 0x03, 0x08, 0x04, 0x04, 0x01])),
        extension(16, &counted(2, &[counted(1, b"h2"), counted(1, b"http/1.1")].concat())),
        extension(43, &counted(1, &[0x03, 0x04, 0x03, 0x03])),
        extension(45, &counted(1, &[1])),
        extension(51, &counted(2, &share)),
    ]
    .concat()
}

fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
    [kind.to_be_bytes().as_slice(), &counted(2, content)].concat()
}

/// `content` behind its length in `width` bytes.
fn counted(width: usize, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u32).to_be_bytes();
    [length.get(4 - width..).unwrap_or_default(), content].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_it_holds() {
        let hello = client_hello("origin.test");
        assert_eq!(hello.len(), SIZE);
        assert_eq!(hello.get(3..5), Some([0x02, 0x00].as_slice()), "512 bytes in the record");
        assert_eq!(hello.get(6..9), Some([0x00, 0x01, 0xfc].as_slice()), "508 in the handshake");
        assert!(hello.windows(11).any(|part| part == b"origin.test"));
    }
}
