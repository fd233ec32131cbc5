//! A plain relay of bytes: what a tunnel would cost if nothing were decided, checked or recorded.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};

use anyhow::{Context, Result};

/// What one copy takes at a time; a user-space relay cannot do much better.
const PIECE_BYTES: usize = 64 * 1024;

/// Starts a relay to `target` that lasts as long as this process; returns where it listens.
pub(super) fn start(target: SocketAddr) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context("listening")?;
    let address = listener.local_addr()?;
    std::thread::Builder::new().name("relay".to_owned()).spawn(move || {
        for client in listener.incoming().flatten() {
            // A client whose server is gone sees its connection closed.
            if let Ok(server) = TcpStream::connect(target) {
                let _both = join(client, server);
            }
        }
    })?;
    Ok(address)
}

fn join(client: TcpStream, server: TcpStream) -> Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (other_client, other_server) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || copy(client, server));
    std::thread::spawn(move || copy(other_server, other_client));
    Ok(())
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let mut piece = vec![0; PIECE_BYTES];
    while let Ok(count @ 1..) = from.read(&mut piece) {
        if to.write_all(piece.get(..count).unwrap_or_default()).is_err() {
            break;
        }
    }
    // Either may be closed already.
    let _closed = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
