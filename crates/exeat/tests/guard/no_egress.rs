//! The gate on the attack table: every program, by every way, on both rungs, for root and for somebody else; nothing
//! gets out, the sentinel hears nothing, and what was tried is told.

use crate::ground::{As, Ground, inside, is_root};
use crate::outcome::{Outcome, Told, Verdict};
use crate::programs::{Program, Programs};
use crate::runner::{Access, By, Cell, Exec, Rung, Runner, Server};
use crate::sentinel::{Scene, Sentinel};
use crate::table::{Evidence, Expect, Probe};

/// What a test of probes has around it.
pub struct World<'a> {
    pub ground: &'a Ground,
    pub programs: Programs,
    pub sentinel: Sentinel,
}

impl<'a> World<'a> {
    pub fn make(ground: &'a Ground) -> Self {
        let programs = Programs::build(ground);
        let sentinel = Sentinel::start(ground, &programs);
        Self { ground, programs, sentinel }
    }

    pub fn scene(&self, who: As) -> Scene {
        Scene::set(&self.sentinel, self.ground, &self.programs, who)
    }

    /// Runs one program; says what is wrong with what came of it.
    pub fn check(&self, runner: &dyn Runner, cell: Cell<'_>) -> Vec<String> {
        let Cell { program, rung, access, scene } = cell;
        let place = format!("{} {rung:?} {access:?} {} {}", runner.name(), scene.who.name(), program.name);
        let mark = self.sentinel.mark();
        let outcome = runner.run(cell);
        if program.probe.name == "daemon" {
            // What it left behind fires two seconds later.
            std::thread::sleep(std::time::Duration::from_millis(2_300));
        }
        let expect = if rung == Rung::A { program.probe.a } else { program.probe.b };
        let heard = self.sentinel.since(mark);
        let mut wrong: Vec<String> = judge(expected(expect, program.probe, access), &outcome).into_iter().collect();
        if !heard.is_empty() {
            wrong.push(format!("{outcome}, the sentinel heard {heard:?}"));
        }
        wrong.extend(scene.damage(self.ground));
        wrong.into_iter().map(|what| format!("{place}: {what}")).collect()
    }
}

/// What is expected of a probe that is given no folder: it finds nothing there.
fn expected(expect: Expect, probe: &Probe, access: Access) -> Expect {
    let in_folder = ["unix_workspace", "unix_link", "unreadable", "scm_rights", "unix_datagram"].contains(&probe.name);
    if access == Access::Own && in_folder { Expect { evidence: Evidence::Noted, ..expect } } else { expect }
}

/// What is wrong with what a program said, and with what was told of it.
fn judge(expect: Expect, outcome: &Outcome) -> Option<String> {
    // A guard may end what takes too much, instead of letting it go on with what it has.
    let ended = expect.evidence == Evidence::Limited && outcome.verdict == Verdict::Killed(9);
    if outcome.verdict != expect.verdict && !ended {
        return Some(format!("{outcome}, expected {:?}", expect.verdict));
    }
    let Some(told) = &outcome.told else { return Some("nothing was told of it".into()) };
    let ops: Vec<&str> = told.attempts.iter().filter_map(|attempt| attempt["op"].as_str()).collect();
    let as_expected = match expect.evidence {
        Evidence::Violation(names) => told.tainted && names.iter().any(|name| ops.contains(name)),
        Evidence::Notice => told.attempts.is_empty() && (told.notices > 0 || !told.whole),
        Evidence::Refused => told.refused > 0,
        Evidence::Noted => told.notices > 0 || told.refused > 0 || !ops.is_empty() || !told.whole,
        Evidence::Quiet | Evidence::Limited => told.attempts.is_empty() && told.refused == 0,
        Evidence::Either => true,
    };
    (!as_expected).then(|| format!("{outcome}, expected {:?}, was told {}", expect.evidence, told.report))
}

/// The programs of a cell. Whether a program has libraries makes no difference to what it is given, so that those
/// without are only run where they can write.
fn wanted(programs: &Programs, access: Access) -> Vec<Program> {
    let all = programs.all().into_iter();
    all.filter(|program| access == Access::Write || !program.name.ends_with("-static")).collect()
}

/// Starts a way of running programs, for a scene's user, on a rung.
type Way = fn(&Ground, &Scene, Rung) -> Box<dyn Runner>;

/// Runs every program on every rung by one way, as `who`.
fn all_hold(test: &str, who: As, access: Access, way: Way) {
    inside(module_path!(), test, |ground| {
        if who == As::Nobody && !is_root() {
            // Whoever is not root is nobody already: the same cells are those of `As::Root` on his ground.
            println!("cells: 0 as somebody else, whom only root can become");
            return;
        }
        let world = World::make(ground);
        let scene = world.scene(who);
        let programs = wanted(&world.programs, access);
        let (mut count, mut wrong, mut name) = (0, Vec::new(), "");
        for rung in Rung::ALL {
            let runner = way(ground, &scene, rung);
            name = runner.name();
            for program in &programs {
                wrong.extend(world.check(&*runner, Cell { program, rung, access, scene: &scene }));
                count += 1;
            }
        }
        println!("cells: {count} by {name} as {} to {access:?}, {} wrong", who.name(), wrong.len());
        assert_eq!(count, Rung::ALL.len() * programs.len(), "no cell is left out");
        assert!(wrong.is_empty(), "wrong:\n  {}", wrong.join("\n  "));
    });
}

fn exec(ground: &Ground, _: &Scene, _: Rung) -> Box<dyn Runner> {
    Box::new(Exec::new(ground))
}

fn worker(ground: &Ground, scene: &Scene, rung: Rung) -> Box<dyn Runner> {
    Box::new(Server::start(ground, scene, By::Worker, rung))
}

fn route(ground: &Ground, scene: &Scene, rung: Rung) -> Box<dyn Runner> {
    Box::new(Server::start(ground, scene, By::Route, rung))
}

/// One test for each way, user and access: the cells of the table, and their number.
macro_rules! cells {
    ($($test:ident: $way:ident $who:ident $access:ident;)*) => {
        $(#[test]
        fn $test() {
            all_hold(stringify!($test), As::$who, Access::$access, $way);
        })*

        const TESTS: &[(&str, &str, &str)] = &[$((stringify!($way), stringify!($who), stringify!($access))),*];
    };
}

cells! {
    slow_exec_root_write: exec Root Write;
    slow_exec_root_read: exec Root Read;
    slow_exec_nobody_write: exec Nobody Write;
    slow_exec_nobody_read: exec Nobody Read;
    slow_worker_root_write: worker Root Write;
    slow_worker_root_read: worker Root Read;
    slow_worker_root_own: worker Root Own;
    slow_worker_nobody_write: worker Nobody Write;
    slow_worker_nobody_read: worker Nobody Read;
    slow_worker_nobody_own: worker Nobody Own;
    slow_route_root_write: route Root Write;
    slow_route_root_read: route Root Read;
    slow_route_root_own: route Root Own;
    slow_route_nobody_write: route Nobody Write;
    slow_route_nobody_read: route Nobody Read;
    slow_route_nobody_own: route Nobody Own;
}

/// Every way by every user to read and to write, and the tool that is built in by both who start it.
#[test]
fn no_cell_of_the_table_is_missing() {
    for way in ["exec", "worker", "route"] {
        for who in ["Root", "Nobody"] {
            for access in ["Read", "Write", "Own"] {
                let wanted = way != "exec" || access != "Own";
                assert_eq!(TESTS.contains(&(way, who, access)), wanted, "{way} {who} {access}");
            }
        }
    }
    let families: std::collections::BTreeSet<_> = crate::table::ALL.iter().map(|probe| probe.family).collect();
    println!("cells: {} tests of {} probes in {} families", TESTS.len(), crate::table::ALL.len(), families.len());
    assert!(crate::table::ALL.len() >= 85 && families.len() >= 45, "{families:?}");
}

/// What [`judge`] lets pass, and what it does not: a gate that cannot turn red is none.
#[test]
fn a_leak_and_a_silence_are_noticed() {
    let said = |verdict, said: &str| {
        let told = Told { whole: true, ..Told::default() };
        Outcome { verdict, said: said.into(), exit: 0, told: Some(told) }
    };
    let expect = |evidence| Expect { verdict: Verdict::Blocked, evidence };
    assert!(judge(expect(Evidence::Quiet), &said(Verdict::Leaked, "leaked x")).is_some());
    assert!(judge(expect(Evidence::Quiet), &said(Verdict::Killed(31), "")).is_some());
    assert!(judge(expect(Evidence::Quiet), &said(Verdict::Blocked, "blocked x")).is_none());
    for loud in [Evidence::Violation(&["socket"]), Evidence::Notice, Evidence::Refused, Evidence::Noted] {
        assert!(judge(expect(loud), &said(Verdict::Blocked, "blocked x")).is_some(), "{loud:?}");
    }
    let untold = Outcome { told: None, ..said(Verdict::Blocked, "blocked x") };
    assert!(judge(expect(Evidence::Either), &untold).is_some());
}
