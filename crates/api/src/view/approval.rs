//! An approval.

use model::approval::ApprovalStatus;
use model::{
    ActorType, ApprovalId, Canonical, CorrelationId, EventId, PrincipalId, RoomId, RunId, StepId, Time, WorkspaceId,
};

use super::{answers, view};

view! {
    /// An approval: a question to a human, and its answer.
    Approval of ApprovalRow {
        /// Its id.
        approval_id: ApprovalId as String,
        /// Its workspace.
        workspace_id: WorkspaceId as String,
        /// The room it belongs to.
        room_id: Option<RoomId> as Option<String>,
        /// The run it belongs to.
        run_id: Option<RunId> as Option<String>,
        /// The step it belongs to.
        step_id: Option<StepId> as Option<String>,
        /// What is to be allowed.
        action: String as String,
        /// One line for the one who decides.
        title: Option<String> as Option<String>,
        /// What was asked, without secrets.
        request: Option<Canonical> as Option<Object>,
        /// What the caller said about it, without secrets.
        context: Option<Canonical> as Option<Object>,
        /// What a yes covers.
        scope: Canonical as Object,
        /// pending, held, approved, denied, expired or revoked.
        status: ApprovalStatus as String,
        /// user, agent or service.
        requested_by_type: ActorType as String,
        /// The name of who asked.
        requested_by_id: String as String,
        /// The principal that asked; it can never decide.
        requested_by_principal_id: Option<PrincipalId> as Option<String>,
        /// A keyed digest of the ask that raised it; a `once` yes passes only that ask.
        ask_digest: Option<String> as Option<String>,
        /// How many different people must say yes.
        required_approvals: i64 as i64,
        /// Who decided what so far.
        decisions: Canonical as Vec<Object>,
        /// Why it was decided so.
        reason: Option<String> as Option<String>,
        /// When it ends.
        expires_at: Option<Time> as Option<String>,
        /// When it was decided.
        decided_at: Option<Time> as Option<String>,
        /// When its one use was taken.
        consumed_at: Option<Time> as Option<String>,
        /// What ties its events together.
        correlation_id: CorrelationId as String,
        /// When it was raised.
        created_at: Time as String,
        /// When it last changed.
        updated_at: Time as String,
        /// The event that it is as of.
        last_event_id: EventId as String,
    }
}

answers!(Approval: one ApprovalAnswer { approval });
answers!(Approval: many ApprovalList { approvals });
