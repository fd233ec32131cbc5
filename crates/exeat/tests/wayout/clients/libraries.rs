//! Libraries that programs are written with.

use super::{Case, Clients, kit};
use crate::network::inside;

fn with_scripts() -> Clients {
    let clients = Clients::make();
    for (name, text) in [
        ("urllib_get.py", include_str!("urllib_get.py")),
        ("requests_get.py", include_str!("requests_get.py")),
        ("websocket.py", include_str!("websocket.py")),
        ("websocket_absolute.py", include_str!("websocket_absolute.py")),
        ("grpc_call.py", include_str!("grpc_call.py")),
        ("undici_get.cjs", include_str!("undici_get.cjs")),
    ] {
        std::fs::write(clients.home().join(name), text).unwrap();
    }
    clients
}

#[test]
fn python() {
    kit::prepare();
    inside(module_path!(), "python", || {
        with_scripts().check(&[
            Case {
                name: "urllib, http",
                script: "python3 urllib_get.py http://origin.test/x",
                refused: "HTTP Error 403: Blocked by exeat egr_",
                through: "arrived at 45.79.5.1:80",
            },
            Case {
                name: "urllib, https",
                script: "python3 urllib_get.py https://origin.test/x",
                refused: "Tunnel connection failed: 403 Blocked by exeat egr_",
                through: "arrived at 45.79.5.1:443",
            },
            Case {
                name: "requests, http",
                script: "python3 requests_get.py http://origin.test/x",
                refused: "403 Client Error: Blocked by exeat egr_",
                through: "arrived at 45.79.5.1:80",
            },
            Case {
                name: "requests, https",
                script: "python3 requests_get.py https://origin.test/x",
                refused: "Tunnel connection failed: 403 Blocked by exeat egr_",
                through: "arrived at 45.79.5.1:443",
            },
            Case {
                name: "requests, SOCKS",
                script: "python3 requests_get.py https://origin.test/x socks5h://x:$KEY@$PROXY",
                refused: "not allowed by ruleset",
                through: "arrived at 45.79.5.1:443",
            },
            Case {
                name: "requests, a redirect to another name",
                script: "python3 requests_get.py http://origin.test/to/https://other.test/y",
                refused: "403 Client Error: Blocked by exeat egr_",
                through: "arrived at 45.79.5.1:443 by GET /y",
            },
        ]);
    });
}

#[test]
fn node() {
    kit::prepare();
    inside(module_path!(), "node", || {
        with_scripts().check(&[
            Case {
                name: "undici, https",
                script: "node undici_get.cjs https://origin.test/x",
                refused: "403",
                through: "200 arrived at 45.79.5.1:443",
            },
            Case {
                // This one tunnels plain http too.
                name: "undici, http",
                script: "node undici_get.cjs http://origin.test/x",
                refused: "403",
                through: "200 arrived at 45.79.5.1:80",
            },
        ]);
    });
}

#[test]
fn websocket_and_grpc() {
    kit::prepare();
    inside(module_path!(), "websocket_and_grpc", || {
        with_scripts().check(&[
            Case {
                name: "websockets, wss through a tunnel",
                script: "python3 websocket.py wss://ws.test/ws",
                refused: "403",
                through: "echo of hello",
            },
            Case {
                name: "websockets, ws through a tunnel to port 80",
                script: "python3 websocket.py ws://ws.test/ws",
                refused: "403",
                through: "echo of hello",
            },
            Case {
                name: "websockets, an upgrade in absolute form",
                script: "python3 websocket_absolute.py ws.test",
                refused: "403",
                through: "echo of hello",
            },
            Case {
                name: "gRPC through a tunnel",
                script: "python3 grpc_call.py grpc.test:443",
                refused: "403",
                through: "answer: hello",
            },
        ]);
    });
}
