//! What is fetched: a repository of git, an index of Python packages, a registry of npm, one of cargo; each as its
//! servers publish it.

use std::path::Path;
use std::process::Command;

use super::Clients;
use crate::origin::Site;

impl Clients {
    /// Runs a script without a network, to make something.
    fn prepare(&self, dir: &Path, script: &str) {
        std::fs::create_dir_all(dir).unwrap();
        let output = Command::new("sh").args(["-e", "-c", script]).current_dir(dir).env("HOME", self.home()).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// `https://git.test/repo.git`, with one file.
    pub fn serve_git(&self) {
        let dir = self.home().join("git");
        let make = "git init -q -b main work && cd work && head -c 300000 /dev/urandom > big && echo found > file \
                    && git add . && git -c user.name=a -c user.email=a@b.test commit -q -m one \
                    && cd .. && git clone -q --bare work repo.git";
        self.prepare(&dir, make);
        self.bed.world.sites.add("git.test", Site::Git(dir));
    }

    /// `https://pypi.test/simple/`, with the package `demo`.
    pub fn serve_python(&self) {
        let dir = self.home().join("pypi");
        let make = r##"mkdir -p simple/demo
cat > make.py <<'PY'
import zipfile
with zipfile.ZipFile("simple/demo/demo-1.0-py3-none-any.whl", "w") as wheel:
    wheel.writestr("demo.py", "found = 1\n" + "#" * 200000)
    wheel.writestr("demo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
    wheel.writestr("demo-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr("demo-1.0.dist-info/RECORD", "demo.py,,\n")
PY
python3 make.py
echo '<!doctype html><html><body><a href="demo-1.0-py3-none-any.whl">demo-1.0-py3-none-any.whl</a></body></html>' \
    > simple/demo/index.html"##;
        self.prepare(&dir, make);
        self.bed.world.sites.add("pypi.test", Site::Files(dir));
    }

    /// `https://npm.test/`, with the package `demo`.
    pub fn serve_npm(&self) {
        let dir = self.home().join("npm");
        let make = r#"mkdir -p demo/- package
echo '{"name":"demo","version":"1.0.0","main":"main.js"}' > package/package.json
echo 'module.exports = "found";' > package/main.js
tar czf demo/-/demo-1.0.0.tgz package
echo '{"name":"demo","dist-tags":{"latest":"1.0.0"},"versions":{"1.0.0":{"name":"demo","version":"1.0.0","main":"main.js",
"dist":{"tarball":"https://npm.test/demo/-/demo-1.0.0.tgz"}}}}' > demo/index.html"#;
        self.prepare(&dir, make);
        self.bed.world.sites.add("npm.test", Site::Files(dir));
    }

    /// `sparse+https://crates.test/index/`, with the crate `demo`, and a project that needs it.
    pub fn serve_cargo(&self) {
        let dir = self.home().join("crates");
        let make = r#"mkdir -p index/de/mo dl/demo/1.0.0 demo-1.0.0/src
printf '[package]\nname = "demo"\nversion = "1.0.0"\nedition = "2021"\n' > demo-1.0.0/Cargo.toml
echo 'pub fn found() {}' > demo-1.0.0/src/lib.rs
tar czf dl/demo/1.0.0/download demo-1.0.0
sum=$(sha256sum dl/demo/1.0.0/download | cut -d' ' -f1)
echo '{"dl":"https://crates.test/dl"}' > index/config.json
echo '{"name":"demo","vers":"1.0.0","deps":[],"cksum":"'$sum'","features":{},"yanked":false}' > index/de/mo/demo
mkdir -p ../project/src ../project/.cargo
printf '[package]\nname = "project"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\ndemo = "1"\n' \
    > ../project/Cargo.toml
echo 'fn main() { demo::found() }' > ../project/src/main.rs
printf '[source.crates-io]\nreplace-with = "mirror"\n[source.mirror]\nregistry = "sparse+https://crates.test/index/"\n' \
    > ../project/.cargo/config.toml"#;
        self.prepare(&dir, make);
        self.bed.world.sites.add("crates.test", Site::Files(dir));
    }
}
