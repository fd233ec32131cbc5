//! A run, its steps and the attempts at it.

use model::run::{ReleaseReason, RunStatus, StepStatus};
use model::{
    Canonical, CorrelationId, EventId, PrincipalId, RoomId, RunAttemptId, RunId, StepId, ThreadId, Time, WorkspaceId,
};

use super::{answers, view};

view! {
    /// A run: work that is queued and then driven step by step.
    Run of RunRow {
        /// Its id.
        run_id: RunId as String,
        /// Its workspace.
        workspace_id: WorkspaceId as String,
        /// The room it happens in.
        room_id: Option<RoomId> as Option<String>,
        /// The thread.
        thread_id: Option<ThreadId> as Option<String>,
        /// queued, running, waiting_approval, succeeded, failed or cancelled.
        status: RunStatus as String,
        /// Its title.
        title: Option<String> as Option<String>,
        /// What it is for.
        goal: Option<String> as Option<String>,
        /// What it works on.
        input: Option<Canonical> as Option<serde_json::Value>,
        /// What came of it, for programs.
        output: Option<Canonical> as Option<serde_json::Value>,
        /// What came of it, in words.
        summary: Option<String> as Option<String>,
        /// Why it failed, in words.
        message: Option<String> as Option<String>,
        /// Why it failed, for programs.
        error: Option<Canonical> as Option<serde_json::Value>,
        /// Its tags.
        tags: Canonical as Vec<String>,
        /// What ties its events together.
        correlation_id: CorrelationId as String,
        /// Who made it.
        created_by_principal_id: Option<PrincipalId> as Option<String>,
        /// How many attempts were begun.
        attempt_no: i64 as i64,
        /// When it was made.
        created_at: Time as String,
        /// When it was first started.
        started_at: Option<Time> as Option<String>,
        /// When it ended.
        ended_at: Option<Time> as Option<String>,
        /// When it last changed.
        updated_at: Time as String,
        /// The event that it is as of.
        last_event_id: EventId as String,
    }
}

answers!(Run: one RunAnswer { run });
answers!(Run: many RunList { runs });

view! {
    /// A step of a run.
    Step of StepRow {
        /// Its id.
        step_id: StepId as String,
        /// Its workspace.
        workspace_id: WorkspaceId as String,
        /// Its run.
        run_id: RunId as String,
        /// What kind of step it is.
        kind: String as String,
        /// Its title.
        title: Option<String> as Option<String>,
        /// What it works on.
        input: Option<Canonical> as Option<serde_json::Value>,
        /// queued, running, succeeded or failed.
        status: StepStatus as String,
        /// When it was made.
        created_at: Time as String,
        /// When it last changed.
        updated_at: Time as String,
        /// The event that it is as of.
        last_event_id: EventId as String,
    }
}

answers!(Step: many StepList { steps });

view! {
    /// An attempt at a run: who had it, and how it came to lose it. Its claim token is shown to nobody.
    Attempt of AttemptRow {
        /// Its id.
        run_attempt_id: RunAttemptId as String,
        /// Its workspace.
        workspace_id: WorkspaceId as String,
        /// Its run.
        run_id: RunId as String,
        /// Its number, from 1.
        attempt_no: i64 as i64,
        /// The name of who has or had it.
        claimed_by_actor_id: String as String,
        /// When it began.
        claimed_at: Time as String,
        /// When it ended.
        released_at: Option<Time> as Option<String>,
        /// Why: completed, failed, cancelled, timed_out, waiting, released, errored or expired.
        release_reason: Option<ReleaseReason> as Option<String>,
    }
}

answers!(Attempt: many AttemptList { attempts });
