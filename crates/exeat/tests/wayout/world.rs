//! Everything around the binary: the far network with its name server and listeners, the near one with what must never
//! be reached, and the watch over both.

use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;

use crate::authority::Authority;
use crate::dns::Names;
use crate::network::{FAR, Far};
use crate::origin::{self, Log, Sites};
use crate::watch::Watch;

pub struct World {
    // Lives as long as what was bound in it.
    _far: Far,
    pub names: Names,
    pub authority: Arc<Authority>,
    /// What came to the far network.
    pub arrived: Log,
    /// What came to listeners of the machine itself: nothing ever should.
    pub intruded: Log,
    pub watch: Watch,
    /// What names serve besides saying where they are.
    pub sites: Sites,
    runtime: tokio::runtime::Runtime,
}

impl World {
    /// Only inside [`crate::network::inside`].
    pub fn make() -> Self {
        let far = Far::make();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (authority, names) = (Authority::make(), Names::default());
        let (arrived, intruded, sites) = (Log::default(), Log::default(), Sites::default());
        let (udp, tcp, listeners) = far.within(|| {
            let udp = UdpSocket::bind((FAR, 53)).unwrap();
            (udp, TcpListener::bind((FAR, 53)).unwrap(), origin::bind())
        });
        names.serve(udp, tcp);
        origin::serve(runtime.handle(), listeners, &arrived, &authority, &sites);
        origin::serve(runtime.handle(), origin::bind(), &intruded, &authority, &sites);
        Self { _far: far, names, authority, arrived, intruded, watch: Watch::start(), sites, runtime }
    }

    /// Where names are looked up.
    pub fn name_server(&self) -> SocketAddr {
        (FAR, 53).into()
    }

    pub fn runtime(&self) -> &tokio::runtime::Handle {
        self.runtime.handle()
    }

    /// A public address that is nobody's else, for a number.
    pub fn public(number: u16) -> IpAddr {
        let [high, low] = number.to_be_bytes();
        IpAddr::from([45, 79, high, low])
    }
}
