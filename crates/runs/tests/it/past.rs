//! Letting time pass for single runs: what would end in a while is over now.

use gate::Refusal;
use model::{RunId, Time};
use runs::Runs;
use store::rows::{LeaseRow, QueueRow};
use store::{Command, Reads, Tx};

/// What is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// The lease: its worker was not heard of.
    Lease,
    /// The run's own time.
    Time,
    /// The rest after a failed attempt.
    Rest,
}

struct Pass(Vec<RunId>, Over);

impl Command for Pass {
    type Output = usize;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        for run in &self.0 {
            match self.1 {
                Over::Lease | Over::Time => reads.row::<LeaseRow>(&[run.as_str()]),
                Over::Rest => reads.row::<QueueRow>(&[run.as_str()]),
            }
        }
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<usize, Refusal> {
        let past = Time::from_millis(tx.now().as_millis() - 1);
        let mut changed = 0;
        for run in &self.0 {
            let key = [run.as_str()];
            if let Some(row) = tx.get::<QueueRow>(&key).cloned() {
                tx.put(QueueRow { ready_at: past, ..row });
                changed += 1;
            }
            if let Some(row) = tx.get::<LeaseRow>(&key).cloned() {
                tx.put(match self.1 {
                    Over::Time => LeaseRow { times_out_at: row.times_out_at.map(|_| past), ..row },
                    Over::Lease | Over::Rest => LeaseRow { lease_expires_at: past, ..row },
                });
                changed += 1;
            }
        }
        Ok(changed)
    }
}

/// Lets the time of these runs pass; every one of them has to have such a time.
pub(crate) async fn pass(runs: &Runs, of: &[&RunId], over: Over) {
    assert_eq!(try_pass(runs, of, over).await, of.len());
}

/// The same for those that have such a time; says how many.
pub(crate) async fn try_pass(runs: &Runs, of: &[&RunId], over: Over) -> usize {
    let of = of.iter().map(|run| (*run).clone()).collect();
    let Ok(changed) = runs.gate().store().submit(Pass(of, over)).await else { panic!("time does not pass") };
    changed.into_inner()
}

struct Queued(RunId);

impl Command for Queued {
    type Output = Option<QueueRow>;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        reads.row::<QueueRow>(&[self.0.as_str()]);
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<Option<QueueRow>, Refusal> {
        Ok(tx.get::<QueueRow>(&[self.0.as_str()]).cloned())
    }
}

/// The run's place in the queue.
pub(crate) async fn place(runs: &Runs, run: &RunId) -> QueueRow {
    let Ok(row) = runs.gate().store().submit(Queued(run.clone())).await else { panic!("the queue cannot be read") };
    row.into_inner().unwrap()
}
