//! Reason codes: why a decision is what it is. A closed set in the code, rendered here and only here;
//! an open set to clients, who must accept codes they do not know.

macro_rules! reasons {
    ($($variant:ident = $text:literal, $sentence:literal, $remedy:literal;)*) => {
        /// Why a decision is what it is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ReasonCode { $(#[doc = $sentence] $variant,)* }

        impl ReasonCode {
            /// Every code, in the order of the decision's steps.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The code on the wire, lower_snake.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// One sentence that says what it means.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)* }
            }

            /// What the reader can do about it.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy,)* }
            }

            /// Reads the exact code.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

reasons! {
    PolicyAllows = "policy_allows",
        "a policy rule allows it",
        "nothing to do";
    ApprovalAllowsAction = "approval_allows_action",
        "a matching approval allows it",
        "nothing to do";
    DefaultAllow = "default_allow",
        "nothing speaks against it and the workspace allows by default",
        "nothing to do";
    AgentPrincipalRequired = "agent_principal_required",
        "an agent asked without saying which principal it acts as",
        "send the agent's `principal_id`, or use a key that is bound to it";
    AgentPrincipalNotFound = "agent_principal_not_found",
        "the principal named is not an agent of this workspace",
        "register the agent with `exeat agents create` and send its `principal_id`";
    AgentActorIdMismatch = "agent_actor_id_mismatch",
        "the agent's `actor_id` is not the agent id of the principal named",
        "send the `agent_id` that belongs to the principal";
    AgentRevoked = "agent_revoked",
        "the agent has been revoked",
        "register a new agent; a revocation is final";
    PrincipalRevoked = "principal_revoked",
        "the principal has been revoked",
        "use another principal; a revocation is final";
    PrincipalNotFound = "principal_not_found",
        "the principal named is not known in this workspace",
        "create it with `POST /v1/principals`, or correct the id";
    CapabilityTokenRequired = "capability_token_required",
        "a capability token is demanded here and none was shown",
        "grant one with `exeat capabilities grant` and send its id";
    CapabilityTokenNotFound = "capability_token_not_found",
        "the capability token is not known in this workspace",
        "check the id; grant a new token with `exeat capabilities grant`";
    CapabilityTokenRevoked = "capability_token_revoked",
        "the capability token has been revoked",
        "grant a new token";
    CapabilityTokenExpired = "capability_token_expired",
        "the capability token has expired",
        "grant a new token with a later `valid_until`";
    CapabilityTokenPrincipalMismatch = "capability_token_principal_mismatch",
        "the capability token was issued to another principal",
        "use the token that was issued to the principal that asks";
    CapabilityTokenParentRevoked = "capability_token_parent_revoked",
        "a token that this one was delegated from has been revoked",
        "delegate again from a live token";
    CapabilityTokenParentExpired = "capability_token_parent_expired",
        "a token that this one was delegated from has expired",
        "delegate again from a live token";
    CapabilityCaveatRunMismatch = "capability_caveat_run_mismatch",
        "the token was narrowed to another run",
        "ask within the run it was narrowed to, or use a token that was not narrowed to one";
    CapabilityCaveatZoneExceeded = "capability_caveat_zone_exceeded",
        "the token was narrowed to a lower zone",
        "ask in a zone it still covers, or use a wider token";
    CapabilityUsesExhausted = "capability_uses_exhausted",
        "the uses that the token was narrowed to are used up",
        "narrow a token with more uses with `exeat capabilities attenuate`";
    CapabilityScopeRoomRequired = "capability_scope_room_required",
        "the token names no rooms and the ask is made in a room",
        "grant a token with `rooms`";
    CapabilityScopeRoomNotAllowed = "capability_scope_room_not_allowed",
        "the token does not cover this room",
        "grant a token whose `rooms` covers it";
    CapabilityScopeActionTypeRequired = "capability_scope_action_type_required",
        "the token names no action types",
        "grant a token with `action_types`";
    CapabilityScopeActionNotAllowed = "capability_scope_action_not_allowed",
        "the token does not cover this action",
        "grant a token whose `action_types` covers it";
    CapabilityScopeToolRequired = "capability_scope_tool_required",
        "the token names no tools",
        "grant a token with `tools`";
    CapabilityScopeContextMissingToolName = "capability_scope_context_missing_tool_name",
        "the ask does not say which tool is called",
        "send `context.tool_call.tool_name`";
    CapabilityScopeToolNotAllowed = "capability_scope_tool_not_allowed",
        "the token does not cover this tool",
        "grant a token whose `tools` covers it";
    CapabilityScopeDataAccessRequired = "capability_scope_data_access_required",
        "the token names no data for this kind of access",
        "grant a token with `data_access`";
    CapabilityScopeDataAccessNotAllowed = "capability_scope_data_access_not_allowed",
        "the token does not cover this data",
        "grant a token whose `data_access` covers it";
    CapabilityScopeEgressDomainRequired = "capability_scope_egress_domain_required",
        "the token names no egress domains",
        "grant a token with `egress_domains`";
    CapabilityScopeContextMissingEgressDomain = "capability_scope_context_missing_egress_domain",
        "the ask does not say which domain is reached",
        "send `context.egress.target_domain` or a target URL";
    CapabilityScopeDomainNotAllowed = "capability_scope_domain_not_allowed",
        "the token does not cover this domain",
        "grant a token whose `egress_domains` covers it";
    ActionZoneRequiresHighStakes = "action_zone_requires_high_stakes",
        "the action needs the zone high_stakes",
        "approve it, or ask from a principal that may act in high_stakes";
    ActionZoneMismatch = "action_zone_mismatch",
        "the action belongs to another zone",
        "ask in the zone the action registry names";
    ActionIrreversibleRequiresHighStakes = "action_irreversible_requires_high_stakes",
        "the action cannot be taken back and was asked outside high_stakes",
        "approve it, or ask in high_stakes";
    ActionPreApprovalRequired = "action_pre_approval_required",
        "the action needs an approval before it happens",
        "approve it: `exeat approvals list`, then `exeat approvals approve ID`";
    AgentQuarantined = "agent_quarantined",
        "the agent is quarantined",
        "look at what it did, then `exeat agents unquarantine ID`";
    KillSwitchActive = "kill_switch_active",
        "the kill switch for external writes is on",
        "switch it off with `exeat kill-switch off` when the cause is gone";
    DlpSecretDetected = "dlp_secret_detected",
        "a credential was about to leave to a host that is not its home",
        "send it without the credential, or name the host as a home of that kind of credential; rotate it if it leaked before";
    PolicyDenies = "policy_denies",
        "a policy rule denies it",
        "change the rule, or do without";
    PolicyUnevaluable = "policy_unevaluable",
        "a deny rule needs a fact that was not seen",
        "send the fact, or make the rule more precise";
    PolicyRequiresApproval = "policy_requires_approval",
        "a policy rule asks a human first",
        "approve it: `exeat approvals list`, then `exeat approvals approve ID`";
    ExternalWriteRequiresApproval = "external_write_requires_approval",
        "a write to the outside needs an approval",
        "approve it: `exeat approvals list`, then `exeat approvals approve ID`";
    ExternalReadRequiresApproval = "external_read_requires_approval",
        "a read from the outside needs an approval",
        "approve it: `exeat approvals list`, then `exeat approvals approve ID`";
    DataAccessRestrictedRoomMismatch = "data_access_restricted_room_mismatch",
        "restricted data is only for its own room",
        "ask from the room the resource belongs to";
    DataAccessPurposeHintMismatch = "data_access_purpose_hint_mismatch",
        "the purpose given is not one the resource is tagged with",
        "name a purpose it is tagged with, or give a justification";
    NoPolicyPermits = "no_policy_permits",
        "nothing permits it and the workspace denies by default",
        "write a rule that allows it, or let the workspace allow by default";
    QuotaExceeded = "quota_exceeded",
        "the hourly egress quota of this principal is used up",
        "wait, or raise `egress_max_requests_per_hour`";
    DestinationDenied = "destination_denied",
        "the destination is a forbidden address",
        "reach a public address, or add the destination to `trusted_upstreams`";
}

impl std::fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl serde::Serialize for ReasonCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for ReasonCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a reason code"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_and_says_something() {
        for &code in ReasonCode::ALL {
            assert_eq!(ReasonCode::parse(code.as_str()), Some(code));
            assert!(code.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
            assert!(!code.sentence().is_empty() && !code.remedy().is_empty());
        }
    }
}
