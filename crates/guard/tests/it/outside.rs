//! What leaves a jail comes in by its doors, and by nothing else.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};

use guard::door::{Door, Wanted};

use super::*;

/// Connects, sends what it connected to, and prints what comes back.
fn client(host: &str, port: u16) -> Command {
    let script = format!(
        "import socket\ntry:\n  s=socket.create_connection((\"{host}\",{port}),2); s.sendall(b\"sent\"); print(s.recv(99).decode())\nexcept OSError as e: print(\"refused\")"
    );
    command(&["/usr/bin/python3", "-c", &script])
}

/// The next connection of any door, and where it wanted to go.
fn next(doors: &[Door]) -> (TcpStream, Wanted) {
    for _ in 0..500 {
        for door in doors {
            if let Ok((stream, _)) = door.listener.accept()
                && let Some(wanted) = door.wanted(&stream).unwrap()
            {
                return (stream, wanted);
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("nobody came");
}

#[test]
fn every_connection_comes_in_by_a_door() {
    for rung in [Rung::A, Rung::B] {
        for (host, port) in
            [("127.0.0.1", plan::PROXY_PORT), ("203.0.113.5", 443), ("10.1.2.3", 25), ("169.254.169.254", 80)]
        {
            let jail = LAUNCHER.launch(&plan(rung)).unwrap();
            let heard = start(&jail, &client(host, port)).unwrap();
            let (mut stream, wanted) = next(&jail.doors);
            let address = SocketAddr::new(host.parse().unwrap(), port);
            let want = if port == plan::PROXY_PORT { Wanted::Proxy } else { Wanted::Captured(address) };
            assert_eq!(wanted, want, "{rung}");
            stream.set_nonblocking(false).unwrap();
            stream.write_all(b"answered").unwrap();
            let mut sent = [0; 4];
            stream.read_exact(&mut sent).unwrap();
            drop(stream);
            assert_eq!((heard.end().stdout.trim(), &sent), ("answered", b"sent"), "{rung} {host}");
        }
    }
}

#[test]
fn the_machines_own_services_are_not_reached() {
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    service.set_nonblocking(true).unwrap();
    let port = service.local_addr().unwrap().port();
    for rung in [Rung::A, Rung::B] {
        let said = run(&plan(rung), &client("127.0.0.1", port));
        assert_eq!(said.stdout.trim(), "refused", "{rung}");
        assert!(service.accept().is_err(), "{rung}: it heard of it");
    }
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok(), "the control reaches it");
    assert!(service.accept().is_ok(), "and is heard");
}

#[test]
fn an_exposed_port_is_a_listener_inside() {
    let mut plan = plan(Rung::A);
    plan.exposed_ports = (20_000..20_012).collect();
    let jail = LAUNCHER.launch(&plan).unwrap();
    assert_eq!(jail.exposed.iter().map(|(port, _)| *port).collect::<Vec<_>>(), plan.exposed_ports);
    let heard = start(&jail, &client("127.0.0.1", 20_011)).unwrap();
    let listener = &jail.exposed.last().unwrap().1;
    let mut stream = (0..500)
        .find_map(|_| {
            std::thread::sleep(Duration::from_millis(10));
            listener.accept().ok()
        })
        .unwrap()
        .0;
    stream.set_nonblocking(false).unwrap();
    stream.write_all(b"exposed").unwrap();
    assert_eq!(heard.end().stdout.trim(), "exposed");
}
