//! A name server on loopback that says what a test wants, over UDP and TCP.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use hickory_resolver::proto::op::{Message, OpCode, Query, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, SOA};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// What the server is asked.
pub(crate) struct Asked {
    pub(crate) name: String,
    pub(crate) v6: bool,
    pub(crate) tcp: bool,
    /// How often this name and family were asked before.
    pub(crate) before: usize,
}

/// What it says.
pub(crate) enum Say {
    /// `(owner, target)` aliases, then addresses for the last of them; those of the other family are
    /// left out.
    Records {
        ttl: u32,
        aliases: Vec<(String, String)>,
        addresses: Vec<IpAddr>,
    },
    NoSuchName {
        ttl: u32,
    },
    Failure,
    Nothing,
    Truncated,
}

impl Say {
    pub(crate) fn addresses(ttl: u32, texts: &[&str]) -> Self {
        let addresses = texts.iter().map(|text| text.parse().unwrap()).collect();
        Self::Records { ttl, aliases: Vec::new(), addresses }
    }
}

#[derive(Clone)]
pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<(String, RecordType, bool)>>>,
    say: Arc<dyn Fn(&Asked) -> Say + Send + Sync>,
}

impl NameServer {
    pub(crate) async fn start(say: impl Fn(&Asked) -> Say + Send + Sync + 'static) -> Self {
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            // The same port may be taken for TCP by somebody else.
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
                break (udp, tcp);
            }
        };
        let server = Self { address: udp.local_addr().unwrap(), asked: Arc::default(), say: Arc::new(say) };
        tokio::spawn(server.clone().serve_udp(udp));
        tokio::spawn(server.clone().serve_tcp(tcp));
        server
    }

    /// How often a name was asked for, both families and both transports together.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|(asked, ..)| asked == name).count()
    }

    pub(crate) fn count_all(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    async fn serve_udp(self, socket: UdpSocket) {
        let mut buffer = vec![0; 4096];
        loop {
            let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
            if let Some(reply) = self.reply(&buffer[..length], false) {
                socket.send_to(&reply, peer).await.unwrap();
            }
        }
    }

    async fn serve_tcp(self, listener: TcpListener) {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(self.clone().serve_stream(stream));
        }
    }

    async fn serve_stream(self, mut stream: TcpStream) {
        while let Ok(length) = stream.read_u16().await {
            let mut query = vec![0; length.into()];
            if stream.read_exact(&mut query).await.is_err() {
                return;
            }
            if let Some(reply) = self.reply(&query, true) {
                stream.write_u16(reply.len().try_into().unwrap()).await.unwrap();
                stream.write_all(&reply).await.unwrap();
            }
        }
    }

    fn reply(&self, query: &[u8], tcp: bool) -> Option<Vec<u8>> {
        let query = Message::from_vec(query).unwrap();
        let question = query.queries.first().unwrap().clone();
        let name = question.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
        let kind = question.query_type();
        let before = {
            let mut asked = self.asked.lock().unwrap();
            let before = asked.iter().filter(|(n, k, _)| *n == name && *k == kind).count();
            asked.push((name.clone(), kind, tcp));
            before
        };
        let say = (self.say)(&Asked { name, v6: kind == RecordType::AAAA, tcp, before });
        let mut reply = Message::response(query.metadata.id, OpCode::Query);
        reply.metadata.recursion_desired = true;
        reply.metadata.recursion_available = true;
        reply.add_query(question.clone());
        fill(&mut reply, &question, say)?;
        Some(reply.to_vec().unwrap())
    }
}

fn fill(reply: &mut Message, question: &Query, say: Say) -> Option<()> {
    match say {
        Say::Nothing => return None,
        Say::Failure => reply.metadata.response_code = ResponseCode::ServFail,
        Say::Truncated => reply.metadata.truncation = true,
        Say::NoSuchName { ttl } => {
            reply.metadata.response_code = ResponseCode::NXDomain;
            reply.add_authority(soa(ttl));
        }
        Say::Records { ttl, aliases, addresses } => {
            let mut owner = question.name().clone();
            for (from, to) in aliases {
                let to = Name::from_ascii(to + ".").unwrap();
                let from = Name::from_ascii(from + ".").unwrap();
                reply.add_answer(Record::from_rdata(from, ttl, RData::CNAME(CNAME(to.clone()))));
                owner = to;
            }
            for address in addresses {
                let data = match (address, question.query_type()) {
                    (IpAddr::V4(v4), RecordType::A) => RData::A(A(v4)),
                    (IpAddr::V6(v6), RecordType::AAAA) => RData::AAAA(AAAA(v6)),
                    _ => continue,
                };
                reply.add_answer(Record::from_rdata(owner.clone(), ttl, data));
            }
            if reply.answers.is_empty() {
                reply.add_authority(soa(ttl));
            }
        }
    }
    Some(())
}

fn soa(ttl: u32) -> Record {
    let root = Name::from_ascii("test.").unwrap();
    Record::from_rdata(root.clone(), ttl, RData::SOA(SOA::new(root.clone(), root, 1, 60, 60, 60, ttl)))
}
