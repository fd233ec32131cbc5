//! What is open ends when it is no longer allowed, wherever that was said.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serde_json::json;
use testkit::exeat::Setup;

use crate::bed::{ANYWHERE, Bed, WORKSPACE, publish};
use crate::carrier::{Answer, Secured, Way};
use crate::dns::Answer as Resolved;
use crate::network::inside;

/// From the answer to whoever changed the policy to the end of the tunnel.
const WITHIN: Duration = Duration::from_secs(1);

const DENY: &str =
    "[[deny]]\nid = \"no\"\nhost = \"cut.test\"\n[[allow]]\nid = \"anywhere\"\nhost = \"*\"\nport = \"*\"\n";

/// An open tunnel on which bytes arrive all the time.
fn dripping(bed: &Bed, name: &str) -> Secured {
    let mut secured = bed.tls.over(bed.way.connect(&format!("{name}:443")).unwrap(), name);
    write!(secured, "GET /drip HTTP/1.1\r\nHost: {name}\r\n\r\n").unwrap();
    secured.read_exact(&mut [0; 200]).unwrap();
    secured
}

/// How long it goes on; at most 5 s.
fn lasts(mut stream: impl std::io::Read) -> Duration {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(5) && matches!(stream.read(&mut [0; 4096]), Ok(1..)) {}
    began.elapsed()
}

#[test]
fn survives_a_change_of_policy_with_tunnels_open() {
    inside(module_path!(), "survives_a_change_of_policy_with_tunnels_open", || {
        let bed = Bed::make(ANYWHERE);
        bed.world.names.otherwise(Resolved::of(&["45.79.8.2"]));
        for round in 0..5 {
            let (cut, kept) = (dripping(&bed, "cut.test"), dripping(&bed, "kept.test"));
            let mut idle = bed.tls.over(bed.way.connect("cut.test:443").unwrap(), "cut.test");
            write!(idle, "GET /x HTTP/1.1\r\nHost: cut.test\r\n\r\n").unwrap();
            assert_eq!(Answer::read(&mut idle).unwrap().status, 200);
            bed.publish(DENY);
            let (lasted, idle_lasted) = (lasts(cut), lasts(idle));
            println!("round {round}: cut after {lasted:?}, the idle one after {idle_lasted:?} more");
            assert!(lasted < WITHIN && idle_lasted < WITHIN, "{lasted:?}, {idle_lasted:?}");
            assert!(lasts(kept) >= Duration::from_secs(5), "the control: another tunnel goes on");
            bed.publish(ANYWHERE);
        }
        let events = bed.owner().get("/v1/events?event_type=egress.completed&limit=500").unwrap().expect(200).unwrap();
        let cut = events["events"].as_array().unwrap().iter().filter(|event| event["data"]["outcome"] == "cut");
        let cut: Vec<_> = cut.map(|event| event["data"]["error_code"].clone()).collect();
        assert_eq!(cut, vec![json!("policy_changed"); 10]);
    });
}

#[test]
fn survives_a_revoked_approval_with_a_tunnel_open() {
    inside(module_path!(), "survives_a_revoked_approval_with_a_tunnel_open", || {
        let bed = Bed::make("[[ask]]\nid = \"ask\"\nhost = \"cut.test\"\n");
        bed.world.names.otherwise(Resolved::of(&["45.79.8.2"]));
        let Err(crate::carrier::NoTunnel::Http(answer)) = bed.way.connect("cut.test:443") else {
            panic!("it is asked")
        };
        assert!(answer.header("retry-after").is_some());
        let id = answer.header("exeat-approval").unwrap().to_owned();
        let mut owner = bed.owner();
        owner
            .post(&format!("/v1/approvals/{id}/decide"), &json!({"decision": "approve"}))
            .unwrap()
            .expect(200)
            .unwrap();
        let tunnel = dripping(&bed, "cut.test");
        owner.post(&format!("/v1/approvals/{id}/revoke"), &json!({})).unwrap().expect(200).unwrap();
        let lasted = lasts(tunnel);
        println!("cut after {lasted:?}");
        assert!(lasted < WITHIN, "{lasted:?}");
    });
}

/// On loopback, where two servers share one PostgreSQL.
#[test]
fn survives_a_change_of_policy_made_on_another_replica() {
    let database = testkit::postgres::Database::create().unwrap();
    let origin = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = origin.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in origin.incoming().map_while(Result::ok) {
            std::thread::spawn(move || drip(stream));
        }
    });
    let setup = Setup::with_binary(env!("CARGO_BIN_EXE_exeat").into(), &database.url())
        .unwrap()
        .env("POLICY_ENFORCEMENT_MODE", "enforce")
        .env("EXEAT_EGRESS_HOLD_SECONDS", "0")
        .env("EXEAT_HOSTS", &format!("cut.test:{port}=127.0.0.1:{port}"))
        .env("EXEAT_TRUSTED_UPSTREAMS", &format!("cut.test=127.0.0.1:{port}"));
    let (owner_key, key) = (setup.key("owner", Some(WORKSPACE)).unwrap(), setup.key("agent", Some(WORKSPACE)).unwrap());
    let (here, there) = (setup.start().unwrap(), setup.start().unwrap());
    let way = Way { proxy: here.proxy_address(), key };
    let opaque = format!("{ANYWHERE}tunnel = \"opaque\"\n");
    let mut owner = there.client().bearer(&owner_key);
    for round in 0..5 {
        publish(&mut owner, &opaque);
        let mut tunnel = way.connect(&format!("cut.test:{port}")).unwrap();
        tunnel.read_exact(&mut [0; 10]).unwrap();
        publish(&mut owner, DENY);
        let lasted = lasts(tunnel);
        println!("round {round}: cut after {lasted:?}");
        assert!(lasted < WITHIN, "{lasted:?}");
    }
    let refused: SocketAddr = format!("127.0.0.1:{port}").parse().unwrap();
    assert!(TcpStream::connect(refused).is_ok(), "the control: the origin is still there");
}

fn drip(mut stream: TcpStream) {
    while stream.write_all(b"x").is_ok() {
        std::thread::sleep(Duration::from_millis(20));
    }
}
