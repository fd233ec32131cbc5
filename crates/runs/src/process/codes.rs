//! Why a process tool failed: each code with a sentence and what to do about it.

use gate::execution::ErrorCode;

macro_rules! codes {
    ($($code:literal, $sentence:literal, $remedy:literal;)*) => {
        /// Every code of a process tool.
        pub const TOOL_CODES: &[ErrorCode] =
            &[$(ErrorCode { code: $code, sentence: $sentence, remedy: $remedy },)*];
    };
}

codes! {
    "network_egress_blocked", "the command tried to leave around the gate, or was refused what it said it does not need",
        "look at the event `security.egress_violation`; declare `network`, and let the policy allow what it needs";
    "isolation_unavailable", "a layer that holds commands is not live here, so none is started",
        "run `exeat doctor` on that machine: it names the layer and the fix";
    "timeout", "the command took too long and was killed",
        "give it more time (`timeout_ms`), or less to do";
    "exit_nonzero", "the command ended with another code than 0, or by a signal",
        "look at its `stderr`, which is kept with the tool call";
    "killed", "the command was stopped before it ended",
        "look at who ended its run or its tool call";
    "command_not_executable", "there is no such program where commands run, or it cannot be run",
        "name a program of the system, or let the tools file show its folder (`read_only`)";
    "invalid_plan", "what the command is to see or be given cannot be",
        "correct the folders in the tools file, and `cwd`";
    "invalid_process", "the tool does not take this input",
        "correct the input: the message names the member";
    "input_redacted", "the input held a credential, which is not kept, so it could not be run as it was meant",
        "leave the credential out: the gate holds credentials, commands do not need them";
    "effect_uncertain", "an earlier attempt was cut off while it may have had an effect",
        "find out what it did; say `idempotent` where doing it twice does no harm";
    "event_log_failure", "what the command did could not be recorded, so all of it was killed",
        "look at `/readyz`: the store has to be writable";
}

/// What is known of a code; none for one that is no process tool's.
#[must_use]
pub fn tool_code(code: &str) -> Option<&'static ErrorCode> {
    TOOL_CODES.iter().find(|each| each.code == code)
}
