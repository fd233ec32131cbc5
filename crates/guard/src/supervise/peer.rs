//! Whom the tool believes to be connected to, where the supervisor connected it to the gate (rung B).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::fd::AsFd as _;

use super::address::{octets, peer};
use super::{Outcome, Stepped, Supervisor, memory};
use crate::notify::{Answer, Call};

/// LIMIT: the most connections remembered for one tree. Of older ones the tool is told the gate's own address.
const PEERS_MAX: usize = 8192;

/// Where sockets wanted to go, by inode, which grow with time.
#[derive(Debug, Default)]
pub(super) struct Peers(BTreeMap<u64, SocketAddr>);

impl Peers {
    pub(super) fn note(&mut self, inode: u64, wanted: SocketAddr) {
        self.0.insert(inode, wanted);
        if self.0.len() > PEERS_MAX {
            self.0.pop_first();
        }
    }

    /// Where a socket wanted to go that was connected, or is being connected.
    pub(super) fn wanted(&self, inode: u64) -> Option<SocketAddr> {
        self.0.get(&inode).copied()
    }

    pub(super) fn forget(&mut self, inode: u64) {
        self.0.remove(&inode);
    }
}

impl Supervisor {
    /// `getpeername(socket, address, length)`. Nothing depends on it but what the tool believes, so whatever
    /// is not ours to answer goes on.
    pub(super) fn peer_name(&self, call: &Call) -> Stepped<Outcome> {
        const GO_ON: Outcome = Outcome::Answer(Answer::Continues);
        let Some(inode) = self.inode(call) else { return Ok(GO_ON) };
        let Some(wanted) = self.peers.wanted(inode) else { return Ok(GO_ON) };
        // Where no copy is to be had it is not known whether the connection stands already.
        if let Ok(Some(socket)) = self.look(call)
            && peer(socket.as_fd()).is_err()
        {
            return Ok(GO_ON);
        }
        let [_, address, length, ..] = call.args;
        let room = self.read(call, length, size_of::<libc::socklen_t>())?;
        let Some(room) = room.first_chunk().and_then(|room| usize::try_from(i32::from_ne_bytes(*room)).ok()) else {
            return Ok(Outcome::fails(libc::EINVAL));
        };
        let name = octets(wanted);
        let full = (name.len() as libc::socklen_t).to_ne_bytes();
        let fitting = name.get(..room.min(name.len())).unwrap_or_default();
        let written =
            memory::write(call.thread, address, fitting).and_then(|()| memory::write(call.thread, length, &full));
        Ok(if written.is_ok() { Outcome::returns(0) } else { Outcome::fails(libc::EFAULT) })
    }
}
