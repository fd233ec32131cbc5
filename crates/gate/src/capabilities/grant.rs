//! Granting a token, as a root or below another.

use model::event::EventType;
use model::{Canonical, EdgeId, PrincipalId, Role, Time, TokenId, TokenScopes};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::rows::{EdgeRow, PrincipalRow, TokenRow};
use store::{Command, IdempotencyKey, ObjectKind, Reads, Tx};

use super::parent::{self, Denied, Inherited, chain, inherited};
use crate::change::{By, Facts};
use crate::{Answered, Caller, Gate, GateError, Refusal};

/// A token to be granted.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GrantCapabilityInput {
    /// The only principal that may show it.
    pub issued_to_principal_id: Option<String>,
    /// Who grants it; for a delegation the holder of the parent.
    pub granted_by_principal_id: Option<String>,
    /// The token it is delegated from.
    pub parent_token_id: Option<String>,
    /// What it covers: rooms, tools, egress_domains, action_types, data_access {read, write}.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub scopes: Option<Value>,
    /// The first moment it is no longer good. A past one is accepted: the token is born expired.
    pub valid_until: Option<String>,
}

/// A token that was granted.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GrantCapabilityOutput {
    /// Its id.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub token_id: TokenId,
    /// Its bearer form, a secret: who shows it is let in as the principal it was issued to.
    pub token: String,
}

impl std::fmt::Debug for GrantCapabilityOutput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GrantCapabilityOutput").field("token_id", &self.token_id).finish_non_exhaustive()
    }
}

impl Gate {
    /// Grants a token. A delegation that its parent does not permit is recorded as attempted.
    ///
    /// # Errors
    /// In this order: 400 `issued_to_principal_id_required`, `granted_by_principal_id_required`,
    /// `issued_to_principal_not_found`, `granted_by_principal_not_found`, `invalid_valid_until`,
    /// `invalid_scopes`; 403 `identity_not_permitted` (an agent key granting as another) and
    /// `forbidden` (an agent key granting a root); 404 `parent_token_not_found`;
    /// 400 `parent_token_revoked`, `parent_token_expired`; 403 `parent_token_grantor_mismatch`;
    /// 400 `delegation_depth_exceeded`. See also [`GateError`].
    pub async fn grant_capability(
        &self,
        caller: &Caller,
        input: GrantCapabilityInput,
        once: Option<IdempotencyKey>,
    ) -> Result<Answered<GrantCapabilityOutput>, GateError> {
        let grant = self.told(caller, Grant::read(&input)).await?;
        let view = match &grant.parent {
            // Read with everything above it: a view need not hold the ancestors of what has ended.
            Some(Ok(parent)) => self.store().learn_token(parent.as_str()).await?,
            _ => self.store().view(),
        };
        let settled = self
            .submit(caller, once, |caller| {
                let chain = match &grant.parent {
                    Some(Ok(parent)) => chain(&view.snapshot, &caller.workspace_id, parent),
                    _ => Vec::new(),
                };
                Ok(GrantCapability { by: By::of(caller), role: caller.role, grant: grant.clone(), chain })
            })
            .await?;
        match settled.value {
            Settled::Granted { token_id } => {
                // Made now, so that no answer that is kept has it.
                let token = self.bearer_form(&caller.workspace_id, &token_id);
                Ok(Answered { value: GrantCapabilityOutput { token_id, token }, replayed: settled.replayed })
            }
            Settled::Denied(denied) => Err(denied.refusal().into()),
        }
    }
}

/// What was asked for. What can only be told after other checks is kept as the refusal it will be.
#[derive(Clone)]
struct Grant {
    token_id: TokenId,
    issued_to: Result<PrincipalId, Refusal>,
    granted_by: Result<PrincipalId, Refusal>,
    valid_until: Result<Option<Time>, Refusal>,
    scopes: Result<TokenScopes, Refusal>,
    parent: Option<Result<TokenId, Refusal>>,
}

impl Grant {
    fn read(input: &GrantCapabilityInput) -> Result<Self, Refusal> {
        let given = |text: &Option<String>| text.as_deref().map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned);
        let required = |code| Refusal::invalid(code, "a principal id is required");
        let issued_to = given(&input.issued_to_principal_id)
            .ok_or_else(|| required("issued_to_principal_id_required").at("/issued_to_principal_id"))?;
        let granted_by = given(&input.granted_by_principal_id)
            .ok_or_else(|| required("granted_by_principal_id_required").at("/granted_by_principal_id"))?;
        let valid_until = match input.valid_until.as_deref() {
            None => Ok(None),
            Some(text) => Time::parse(text)
                .map(Some)
                .map_err(|error| Refusal::invalid("invalid_valid_until", error.to_string()).at("/valid_until")),
        };
        let scopes = match &input.scopes {
            None => Ok(TokenScopes::default()),
            Some(value) => TokenScopes::parse(value).map_err(|error| {
                let field = format!("/scopes{}", error.field);
                Refusal::invalid("invalid_scopes", error.fault.to_string()).at(&field)
            }),
        };
        Ok(Self {
            token_id: TokenId::new(),
            issued_to: PrincipalId::parse(&issued_to).map_err(|_| issued_to_unknown()),
            granted_by: PrincipalId::parse(&granted_by).map_err(|_| granted_by_unknown()),
            valid_until,
            scopes,
            parent: given(&input.parent_token_id).map(|id| TokenId::parse(&id).map_err(|_| parent::unknown())),
        })
    }
}

fn issued_to_unknown() -> Refusal {
    Refusal::invalid("issued_to_principal_not_found", "there is no such principal").at("/issued_to_principal_id")
}

fn granted_by_unknown() -> Refusal {
    Refusal::invalid("granted_by_principal_not_found", "there is no such principal").at("/granted_by_principal_id")
}

/// A refused delegation is recorded, so the command ends well and says no.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Settled {
    Granted { token_id: TokenId },
    Denied(Denied),
}

struct GrantCapability {
    by: By,
    role: Role,
    grant: Grant,
    /// The parent and what it was delegated from; empty for a root.
    chain: Vec<TokenId>,
}

impl Command for GrantCapability {
    type Output = Settled;
    type Refusal = Refusal;

    fn reads(&self, reads: &mut Reads) {
        self.by.moves_policy(reads);
        for id in [&self.grant.issued_to, &self.grant.granted_by].into_iter().flatten() {
            reads.row::<PrincipalRow>(&[id.as_str()]);
        }
        for id in &self.chain {
            reads.row::<TokenRow>(&[id.as_str()]);
        }
    }

    fn settle(&mut self, tx: &mut Tx<'_>) -> Result<Settled, Refusal> {
        let asked = self.checked(tx)?;
        let token_id = self.grant.token_id.clone();
        if self.grant.parent.is_none() {
            self.granted(tx, &asked, None);
            return Ok(Settled::Granted { token_id });
        }
        match inherited(tx, &self.by.workspace_id, &self.chain, &asked.granted_by)? {
            Ok(from) => {
                self.granted(tx, &asked, Some(&from));
                Ok(Settled::Granted { token_id })
            }
            Err(denied) => {
                self.attempted(tx, &asked, denied);
                Ok(Settled::Denied(denied))
            }
        }
    }
}

/// What was asked for, with everything but the parent checked.
struct Asked {
    issued_to: PrincipalId,
    granted_by: PrincipalId,
    valid_until: Option<Time>,
    scopes: TokenScopes,
    parent: Option<TokenId>,
}

impl GrantCapability {
    fn knows(&self, tx: &Tx<'_>, id: &PrincipalId) -> bool {
        tx.get::<PrincipalRow>(&[id.as_str()]).is_some_and(|row| self.by.sees(row.workspace_id.as_ref()))
    }

    /// The checks before the parent's, in the contract's order.
    fn checked(&self, tx: &Tx<'_>) -> Result<Asked, Refusal> {
        let grant = self.grant.clone();
        let issued_to = grant.issued_to.ok().filter(|id| self.knows(tx, id)).ok_or_else(issued_to_unknown)?;
        let granted_by = grant.granted_by.ok().filter(|id| self.knows(tx, id)).ok_or_else(granted_by_unknown)?;
        let valid_until = grant.valid_until?;
        let scopes = grant.scopes?;
        if !self.role.speaks_for_others() {
            if granted_by != self.by.principal_id {
                return Err(Refusal::forbidden("identity_not_permitted", "this key grants only as its own principal"));
            }
            if grant.parent.is_none() {
                return Err(Refusal::forbidden("forbidden", "this key can only delegate what it holds"));
            }
        }
        Ok(Asked { issued_to, granted_by, valid_until, scopes, parent: grant.parent.transpose()? })
    }

    fn granted(&self, tx: &mut Tx<'_>, asked: &Asked, from: Option<&Inherited>) {
        let workspace = &self.by.workspace_id;
        let (scopes, valid_until) = match from {
            Some(from) => {
                let end = asked.valid_until.into_iter().chain(from.valid_until).min();
                (asked.scopes.intersect(&from.scopes), end)
            }
            None => (asked.scopes.clone(), asked.valid_until),
        };
        let token_id = &self.grant.token_id;
        tx.put(TokenRow {
            token_id: token_id.clone(),
            workspace_id: workspace.clone(),
            issued_to_principal_id: asked.issued_to.clone(),
            granted_by_principal_id: asked.granted_by.clone(),
            parent_token_id: asked.parent.clone(),
            scopes: Canonical::of(&scopes).unwrap_or_else(|_| Canonical::empty()),
            valid_until,
            revoked_at: None,
            created_at: tx.now(),
        });
        if let (Some(parent), Some(from)) = (&asked.parent, from) {
            tx.put(EdgeRow {
                edge_id: EdgeId::new(),
                workspace_id: workspace.clone(),
                parent_token_id: parent.clone(),
                child_token_id: token_id.clone(),
                granted_by_principal_id: asked.granted_by.clone(),
                issued_to_principal_id: asked.issued_to.clone(),
                depth: i64::try_from(from.depth).unwrap_or(i64::MAX),
                created_at: tx.now(),
            });
        }
        Facts::new()
            .with("token_id", token_id)
            .with("issued_to_principal_id", &asked.issued_to)
            .with("granted_by_principal_id", &asked.granted_by)
            .with("parent_token_id", &asked.parent)
            .with("scopes", &scopes)
            .maybe("requested_scopes", from.is_some().then_some(&asked.scopes))
            .with("valid_until", valid_until)
            .record(tx, &self.by.context(false), EventType::CapabilityGranted);
        self.by.changed(tx, Some(workspace), ObjectKind::Token, token_id.as_str());
    }

    fn attempted(&self, tx: &mut Tx<'_>, asked: &Asked, denied: Denied) {
        Facts::new()
            .with("issued_to_principal_id", &asked.issued_to)
            .with("granted_by_principal_id", &asked.granted_by)
            .with("parent_token_id", &asked.parent)
            .with("scopes", &asked.scopes)
            .with("denied_reason", denied.code())
            .record(tx, &self.by.context(false), EventType::DelegationAttempted);
    }
}
