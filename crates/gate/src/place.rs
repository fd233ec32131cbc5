//! Where something happens: rooms, runs and steps that a caller names must exist in its workspace.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{PoisonError, RwLock};

use model::{RoomId, RunId, StepId, ThreadId, WorkspaceId};

use crate::wording::Wording;
use crate::{Gate, GateError, Refusal};

/// LIMIT: how many names of each kind are remembered; then all are forgotten and learnt again.
const KNOWN_MAX: usize = 65_536;

/// A checked place.
#[derive(Debug, Clone, Default)]
pub struct Place {
    /// The room.
    pub room_id: Option<RoomId>,
    /// The thread.
    pub thread_id: Option<ThreadId>,
    /// The run.
    pub run_id: Option<RunId>,
    /// The step.
    pub step_id: Option<StepId>,
}

/// What never changes about things that are never deleted, so that it is read once.
pub(crate) struct Known<K, V>(RwLock<HashMap<K, V>>);

impl<K: Hash + Eq, V: Clone> Known<K, V> {
    pub(crate) fn new() -> Self {
        Self(RwLock::new(HashMap::new()))
    }

    fn get(&self, key: &K) -> Option<V> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn put(&self, key: K, value: V) {
        let mut map = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if map.len() >= KNOWN_MAX {
            map.clear();
        }
        map.insert(key, value);
    }
}

/// The places this process has seen.
pub(crate) struct Places {
    rooms: Known<(WorkspaceId, RoomId), ()>,
    runs: Known<(WorkspaceId, RunId), Option<RoomId>>,
    steps: Known<(WorkspaceId, StepId), RunId>,
}

impl Places {
    pub(crate) fn new() -> Self {
        Self { rooms: Known::new(), runs: Known::new(), steps: Known::new() }
    }
}

impl Gate {
    /// Checks the place that a caller names. A run without a room is in its own room, a step
    /// without a run in its own run.
    ///
    /// # Errors
    /// 404 `room_not_found`, `run_not_found`, `step_not_found` (also for a step of another run and
    /// a run of another room); 400 for a thread that is no id.
    pub async fn place(
        &self,
        workspace: &WorkspaceId,
        room_id: Option<&str>,
        thread_id: Option<&str>,
        run_id: Option<&str>,
        step_id: Option<&str>,
        wording: &mut Wording,
    ) -> Result<Place, GateError> {
        let mut place = Place::default();
        if let Some(text) = thread_id {
            let thread = ThreadId::parse(&wording.clean(text))
                .map_err(|e| Refusal::invalid_field("/thread_id", e.to_string()))?;
            place.thread_id = Some(thread);
        }
        if let Some(text) = room_id {
            let room = RoomId::parse(text).map_err(|_| no_room())?;
            self.check_room(workspace, &room).await?;
            place.room_id = Some(room);
        }
        if let Some(text) = run_id {
            place.run_id = Some(RunId::parse(text).map_err(|_| no_run())?);
        }
        if let Some(text) = step_id {
            let step = StepId::parse(text).map_err(|_| no_step())?;
            let run = self.run_of_step(workspace, &step).await?;
            if place.run_id.as_ref().is_some_and(|named| *named != run) {
                return Err(no_step().into());
            }
            place.step_id = Some(step);
            place.run_id = Some(run);
        }
        if let Some(run) = &place.run_id {
            let room = self.room_of_run(workspace, run).await?;
            match (&place.room_id, room) {
                (Some(named), Some(room)) if *named != room => return Err(no_run().into()),
                (None, room) => place.room_id = room,
                _ => {}
            }
        }
        Ok(place)
    }

    async fn check_room(&self, workspace: &WorkspaceId, room: &RoomId) -> Result<(), GateError> {
        let key = (workspace.clone(), room.clone());
        if self.places().rooms.get(&key).is_none() {
            self.store().room(workspace, room).await?.ok_or_else(no_room)?;
            self.places().rooms.put(key, ());
        }
        Ok(())
    }

    async fn room_of_run(&self, workspace: &WorkspaceId, run: &RunId) -> Result<Option<RoomId>, GateError> {
        let key = (workspace.clone(), run.clone());
        if let Some(room) = self.places().runs.get(&key) {
            return Ok(room);
        }
        let room = self.store().run(workspace, run).await?.ok_or_else(no_run)?.room_id;
        self.places().runs.put(key, room.clone());
        Ok(room)
    }

    async fn run_of_step(&self, workspace: &WorkspaceId, step: &StepId) -> Result<RunId, GateError> {
        let key = (workspace.clone(), step.clone());
        if let Some(run) = self.places().steps.get(&key) {
            return Ok(run);
        }
        let run = self.store().step(workspace, step).await?.ok_or_else(no_step)?.run_id;
        self.places().steps.put(key, run.clone());
        Ok(run)
    }
}

fn no_room() -> Refusal {
    Refusal::not_found("room_not_found", "there is no such room").at("/room_id")
}

fn no_run() -> Refusal {
    Refusal::not_found("run_not_found", "there is no such run").at("/run_id")
}

fn no_step() -> Refusal {
    Refusal::not_found("step_not_found", "there is no such step").at("/step_id")
}
