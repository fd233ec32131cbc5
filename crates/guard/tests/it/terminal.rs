//! A terminal made inside works as one: size, keys, job control.

use std::io::Write as _;
use std::sync::Mutex;
use std::time::Instant;

use guard::plan::WindowSize;

use super::*;

/// A command at a terminal, and a person who types and reads.
struct Seat {
    _jail: Jail,
    process: Process,
    keys: File,
    shown: Arc<Mutex<String>>,
}

fn sit(rung: Rung, mut command: Command) -> Seat {
    command.terminal = Some(WindowSize { rows: 17, columns: 71 });
    command.env.push((b"TERM".to_vec(), b"dumb".to_vec()));
    let jail = LAUNCHER.launch(&plan(rung)).unwrap();
    let (process, notify) = jail.spawn(&command, Stdio::Terminal).unwrap();
    answer(&jail, notify);
    let keys = File::from(process.terminal.as_ref().unwrap().try_clone().unwrap());
    let mut screen = keys.try_clone().unwrap();
    let shown = Arc::new(Mutex::new(String::new()));
    let seen = Arc::clone(&shown);
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(length @ 1..) = screen.read(&mut bytes) {
            seen.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..length]));
        }
    });
    Seat { _jail: jail, process, keys, shown }
}

impl Seat {
    fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until this is shown, and takes it off the screen.
    fn sees(&self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let mut shown = self.shown.lock().unwrap();
            if let Some(at) = shown.find(text) {
                shown.drain(..at + text.len());
                return;
            }
            assert!(Instant::now() < deadline, "`{text}` is not shown: {shown:?}");
            drop(shown);
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn it_has_a_size_that_changes() {
    for rung in [Rung::A, Rung::B] {
        let script = "stty size; tty; trap 'stty size; exit 0' WINCH; echo set; while :; do sleep 0.02; done";
        let seat = sit(rung, shell(script));
        seat.sees("17 71");
        seat.sees("/dev/pts/");
        seat.sees("set");
        seat.process.resize(WindowSize { rows: 40, columns: 132 }).unwrap();
        seat.sees("40 132");
        assert_eq!(seat.process.wait(), Exit::Code(0), "{rung}");
    }
}

#[test]
fn a_key_interrupts_what_is_in_front() {
    for rung in [Rung::A, Rung::B] {
        let mut seat = sit(rung, shell("echo begun; exec sleep 60"));
        seat.sees("begun");
        std::thread::sleep(Duration::from_millis(100));
        seat.types("\x03");
        assert_eq!(seat.process.wait(), Exit::Signal(2), "{rung}");
    }
}

#[test]
fn jobs_are_stopped_and_taken_up_again() {
    let mut seat = sit(Rung::A, command(&["bash", "--norc", "--noprofile", "-i"]));
    seat.types("PS1='ready> '\n");
    seat.sees("ready> ");
    seat.types("echo beg''un; sleep 60\n");
    seat.sees("begun");
    std::thread::sleep(Duration::from_millis(200));
    seat.types("\x1a");
    seat.sees("Stopped");
    seat.types("jobs\n");
    seat.sees("Stopped");
    seat.types("fg\n");
    seat.sees("sleep 60");
    std::thread::sleep(Duration::from_millis(200));
    seat.types("\x03");
    seat.types("exit 6\n");
    assert_eq!(seat.process.wait(), Exit::Code(6));
}

#[test]
fn nothing_is_open_but_the_terminal() {
    for rung in [Rung::A, Rung::B] {
        let seat = sit(rung, shell("ls -m /proc/$$/fd"));
        seat.sees("0, 1, 2\r\n");
        assert_eq!(seat.process.wait(), Exit::Code(0));
    }
}
