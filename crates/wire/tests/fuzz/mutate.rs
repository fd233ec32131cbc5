//! Makes new inputs out of old ones: flips, cuts, copies, splices, and the words that readers care about.

const INPUT_BYTES_MAX: usize = 4096;

const HTTP: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\0",
    b" ",
    b"\t",
    b":",
    b";",
    b",",
    b"http://",
    b"https://",
    b"HTTP/1.1",
    b"HTTP/1.0",
    b"GET ",
    b"CONNECT ",
    b"OPTIONS ",
    b"Host: h\r\n",
    b"Host: ",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: ",
    b"chunked",
    b"Connection: close, x\r\n",
    b"Connection: upgrade\r\nUpgrade: websocket\r\n",
    b"Expect: 100-continue\r\n",
    b"Proxy-Authorization: a\r\n",
    b"Trailer: a\r\n",
    b"TE: trailers\r\n",
    b"0\r\n\r\n",
    b"5\r\nhello\r\n",
    b"5;a=b\r\n",
    b"ffffffffffffffff",
    b"0x",
    b"+",
    b"-",
    b"%00",
    b"@",
    b"\\",
    b"#",
    b"*",
    b"[::1]",
    b":443",
    b"\xff",
    b"\x7f",
    b"\x0b",
];
const HELLO: &[&[u8]] = &[
    b"\x16\x03\x01",
    b"\x16\x03\x03\0\x01",
    b"\x14\x03\x03\0\x01\x01",
    b"\x17\x03\x03\0\x01a",
    b"\x15\x03\x03\0\x02\x01\0",
    b"\x01\0\0",
    b"\0\0\0\x10\0\x0e\0\0\x0b",
    b"origin.test",
    b"\0\0\x0borigin.test",
    b"\0\x2b\0\x05\x04\x03\x04\x03\x03",
    b"\0\x2a\0\0",
    b"\xfe\x0d\0\x01\0",
    b"\0\x10\0\x05\0\x03\x02h2",
    b"\x0a\x0a\0\0",
    b"127.0.0.1",
    b"\0",
    b"\xff\xff",
    b"\x40\0",
    b"\x03\x04",
];
const SOCKS: &[&[u8]] = &[
    b"\x05\x01\0",
    b"\x05\x01\x02",
    b"\x05\x02\0\x02",
    b"\x01\x01x\x03key",
    b"\x05\x01\0\x03",
    b"\x05\x01\0\x01",
    b"\x05\x01\0\x04",
    b"\x0borigin.test",
    b"\x01\xbb",
    b"\0\0",
    b"\x04",
    b"\x7f\0\0\x01",
    b"\xff",
    b"\0",
    b"%",
    b"@",
    b".",
    b"*",
    b"xn--",
];
const TARGET: &[&[u8]] = &[
    b"origin.test",
    b":443",
    b":0",
    b":65536",
    b":",
    b"[",
    b"]",
    b"[::1]",
    b"::ffff:",
    b"127.0.0.1",
    b"0x7f",
    b"0177",
    b".",
    b"..",
    b"@",
    b"%",
    b"%25",
    b",",
    b";",
    b"*",
    b"\\",
    b" ",
    b"\t",
    b"\0",
    b"xn--",
    b"xn--bcher-kva",
    b"-",
    b"_",
    b"A",
    b"\xc3\xbc",
    b"2130706433",
    b"PRI * ",
];

pub(crate) fn words_of(target: &str) -> &'static [&'static [u8]] {
    match target {
        "http" => HTTP,
        "hello" => HELLO,
        "socks" => SOCKS,
        _ => TARGET,
    }
}

/// The same inputs in every run, for the same seeds.
pub(crate) struct Mutator {
    words: &'static [&'static [u8]],
    state: u64,
}

impl Mutator {
    pub(crate) fn new(words: &'static [&'static [u8]]) -> Self {
        Self { words, state: 0x9e37_79b9_7f4a_7c15 }
    }

    /// A new input made of one or two of `inputs`.
    pub(crate) fn next(&mut self, inputs: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = inputs[self.below(inputs.len())].clone();
        for _ in 0..=self.below(4) {
            self.mutate(&mut bytes, inputs);
        }
        bytes.truncate(INPUT_BYTES_MAX);
        bytes
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>, inputs: &[Vec<u8>]) {
        let length = bytes.len();
        let at = self.below(length + 1);
        let end = at + self.below((length - at).min(32) + 1);
        match self.below(10) {
            0 | 1 if at < length => bytes[at] ^= 1 << self.below(8),
            2 if at < length => bytes[at] = u8::try_from(self.below(256)).unwrap(),
            3 if at < length => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, b'\r', b'\n', b' '][self.below(8)],
            4 => drop(bytes.drain(at..end)),
            5 => {
                let copy = bytes[at..end].to_vec();
                let to = self.below(length + 1);
                bytes.splice(to..to, copy);
            }
            6 => {
                let other = &inputs[self.below(inputs.len())];
                let from = self.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            7 => drop(bytes.splice(at..end, self.word().iter().copied())),
            _ => drop(bytes.splice(at..at, self.word().iter().copied())),
        }
    }

    fn word(&mut self) -> &'static [u8] {
        self.words[self.below(self.words.len())]
    }

    /// A number below `bound`, which is not 0.
    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from((self.state >> 11) % bound as u64).unwrap()
    }
}
