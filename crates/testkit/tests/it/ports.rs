//! Ports given out are free, and different.

use std::collections::HashSet;
use std::net::TcpListener;

use testkit::{TempStore, free_port};

#[test]
fn gives_no_port_twice() {
    let ports: Vec<u16> = (0..200).map(|_| free_port().unwrap()).collect();
    assert_eq!(ports.iter().collect::<HashSet<_>>().len(), ports.len());
}

#[test]
fn gives_ports_that_can_be_listened_on() {
    let port = free_port().unwrap();
    let _listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    TcpListener::bind(("127.0.0.1", port)).expect_err("a second listener on the same port is refused");
}

#[test]
fn removes_the_store_with_its_directory() {
    let store = TempStore::create().unwrap();
    let path = store.path();
    assert_eq!(store.url(), format!("sqlite:{}", path.display()));
    std::fs::write(&path, "x").unwrap();
    assert!(path.exists());
    drop(store);
    assert!(!path.exists() && !path.parent().unwrap().exists());
}
