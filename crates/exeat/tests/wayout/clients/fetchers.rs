//! Programs that fetch packages and sources.

use super::{Case, Clients, kit};
use crate::network::inside;

#[test]
fn git() {
    kit::prepare();
    inside(module_path!(), "git", || {
        let clients = Clients::make();
        clients.serve_git();
        clients.check(&[Case {
            name: "git clone",
            script: "rm -rf clone && git clone https://git.test/repo.git clone && cat clone/file",
            refused: "403",
            through: "found",
        }]);
    });
}

#[test]
fn pip() {
    kit::prepare();
    inside(module_path!(), "pip", || {
        let clients = Clients::make();
        clients.serve_python();
        clients.check(&[Case {
            name: "pip download",
            script: "pip download --no-cache-dir --no-deps --index-url https://pypi.test/simple/ demo==1.0",
            refused: "403 Blocked by exeat egr_",
            through: "Successfully downloaded demo",
        }]);
    });
}

#[test]
fn npm() {
    kit::prepare();
    inside(module_path!(), "npm", || {
        let clients = Clients::make();
        clients.serve_npm();
        clients.check(&[Case {
            name: "npm install",
            script: "mkdir -p app && cd app && npm install --no-audit --no-fund --fetch-retries=0 \
                     --registry https://npm.test/ demo && node -e 'console.log(require(\"demo\"))'",
            refused: "403",
            through: "found",
        }]);
    });
}

#[test]
fn cargo() {
    kit::prepare();
    inside(module_path!(), "cargo", || {
        let clients = Clients::make();
        clients.serve_cargo();
        clients.check(&[Case {
            name: "cargo fetch",
            script: "cd project && cargo fetch && ls $CARGO_HOME/registry/cache/*/",
            refused: "403",
            through: "demo-1.0.0.crate",
        }]);
    });
}
