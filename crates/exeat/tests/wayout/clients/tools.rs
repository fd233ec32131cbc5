//! Programs of the command line.

use super::{Case, Clients, kit};
use crate::network::inside;

#[test]
fn curl_and_wget() {
    kit::prepare();
    inside(module_path!(), "curl_and_wget", || {
        Clients::make().check(&[
            Case {
                name: "curl, http",
                script: "curl -sS -i --fail-with-body http://origin.test/x",
                refused: "403 Blocked by exeat egr_…policy_denies…exeat why",
                through: "arrived at 45.79.5.1:80 by GET /x",
            },
            Case {
                name: "curl, https",
                script: "curl -sS https://origin.test/x",
                refused: "403",
                through: "arrived at 45.79.5.1:443 by GET /x",
            },
            Case {
                name: "curl, HTTP/2 inside the tunnel",
                script: "curl -sS -v --http2 https://origin.test/x",
                refused: "403 Blocked by exeat egr_",
                through: "arrived at 45.79.5.1:443 by GET /x",
            },
            Case {
                name: "curl, SOCKS",
                script: "curl -sS --proxy socks5h://x:$KEY@$PROXY https://origin.test/x",
                refused: "origin.test…(2)",
                through: "arrived at 45.79.5.1:443 by GET /x",
            },
            Case {
                name: "curl, --socks5-hostname, plain",
                // Port 80 is read as HTTP in every tunnel, so the refusal is a page and not a reply of SOCKS.
                script: "curl -sS --fail-with-body --socks5-hostname $PROXY --proxy-user x:$KEY http://origin.test/x",
                refused: "policy_denies…exeat why",
                through: "arrived at 45.79.5.1:80 by GET /x",
            },
            Case {
                name: "curl, a tunnel for plain http",
                script: "curl -sS -v --fail-with-body --proxytunnel http://origin.test/x",
                refused: "403 Blocked by exeat egr_",
                through: "arrived at 45.79.5.1:80 by GET /x",
            },
            Case {
                name: "curl, after the challenge",
                script: "curl -sS -v --proxy http://$PROXY --proxy-anyauth --proxy-user x:$KEY https://origin.test/x",
                refused: "407…403 Blocked by exeat egr_",
                through: "arrived at 45.79.5.1:443 by GET /x",
            },
            Case {
                name: "curl, an upload that waits",
                script: "head -c 3000000 /dev/zero | \
                         curl -sS --fail-with-body -H 'Expect: 100-continue' -T - http://origin.test/sink",
                refused: "policy_denies",
                through: "3000000",
            },
            Case {
                name: "curl, by HTTP/2 to the proxy, prior knowledge",
                script: "curl -sS --fail-with-body --noproxy '*' --http2-prior-knowledge \
                         -H \"Proxy-Authorization: Bearer $KEY\" \
                         --connect-to origin.test:80:$PROXY http://origin.test/x",
                refused: "policy_denies",
                through: "arrived at 45.79.5.1:80 by GET /x",
            },
            Case {
                name: "wget, http",
                script: "wget -O- http://origin.test/x",
                refused: "403: Blocked by exeat egr_",
                through: "arrived at 45.79.5.1:80 by GET /x",
            },
            Case {
                name: "wget, https",
                script: "wget --ca-certificate=$CA -O- https://origin.test/x",
                refused: "Blocked by exeat egr_",
                through: "arrived at 45.79.5.1:443 by GET /x",
            },
        ]);
    });
}
