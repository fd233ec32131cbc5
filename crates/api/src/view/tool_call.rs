//! A tool call.

use model::run::ToolCallStatus;
use model::{Canonical, EventId, RunId, StepId, Time, ToolCallId, WorkspaceId};

use super::{answers, view};

view! {
    /// A tool call that was not blocked.
    ToolCall of ToolCallRow {
        /// Its id, and its decision's.
        tool_call_id: ToolCallId as String,
        /// Its workspace.
        workspace_id: WorkspaceId as String,
        /// Its run.
        run_id: RunId as String,
        /// Its step.
        step_id: StepId as String,
        /// The tool.
        tool_name: String as String,
        /// What people see.
        title: Option<String> as Option<String>,
        /// What it is called with.
        input: Option<Canonical> as Option<serde_json::Value>,
        /// What it gave.
        output: Option<Canonical> as Option<serde_json::Value>,
        /// Why it failed, in words.
        message: Option<String> as Option<String>,
        /// Why it failed, for programs.
        error: Option<Canonical> as Option<serde_json::Value>,
        /// running, succeeded or failed.
        status: ToolCallStatus as String,
        /// When it was made.
        created_at: Time as String,
        /// When it ended.
        ended_at: Option<Time> as Option<String>,
        /// When it last changed.
        updated_at: Time as String,
        /// The event that it is as of.
        last_event_id: EventId as String,
    }
}

answers!(ToolCall: one ToolCallAnswer { tool_call });
answers!(ToolCall: many ToolCallList { tool_calls });
