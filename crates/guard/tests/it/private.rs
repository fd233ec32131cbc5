//! Programs that keep their memory from others, as key agents do: what they ask can still be looked at where the
//! jail is ours (rung A), and is refused where it cannot.

use super::*;

const CLIENT: &str = "import ctypes,socket
t=socket.create_server((\"127.0.0.1\",0)); u=socket.socket(socket.AF_UNIX); u.bind(\"/tmp/private-%d\" % __import__(\"os\").getpid()); u.listen()
assert ctypes.CDLL(None).prctl(4,0,0,0,0)==0
for family,to in ((socket.AF_INET,t.getsockname()),(socket.AF_UNIX,u.getsockname())):
  try: socket.socket(family).connect(to); print(\"connected\")
  except OSError as e: print(type(e).__name__)";

#[test]
fn a_program_that_keeps_its_memory_to_itself_connects_in_a_jail_of_ours() {
    let said = run(&plan(Rung::A), &command(&["/usr/bin/python3", "-c", CLIENT]));
    assert_eq!((said.exit, said.stdout.as_str()), (Exit::Code(0), "connected\nconnected\n"), "{}", said.stderr);
}
