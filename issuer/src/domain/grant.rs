//! A grant: what one user allowed one client in one approved authorization request. Every code, refresh token and user access
//! token descends from exactly one, and its id is the claim `gid`.

use super::claims_request::ClaimsRequest;
use super::ids::{ClientId, GrantId, SessionId, Tick, UserId};
use super::resource::Resource;
use super::scope::{Scope, ScopeSet};
use crate::clock::UnixTime;

/// What one user allowed one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// `gid`.
    pub id: GrantId,
    /// Whose.
    pub user_id: UserId,
    /// To whom.
    pub client_id: ClientId,
    /// The sign-in in which it was allowed.
    pub session_id: SessionId,
    /// What.
    pub scopes: ScopeSet,
    /// At which resources; empty for the issuer itself.
    pub resources: Vec<Resource>,
    /// The tick that was read with the evidence of the approval. Its tokens carry it on.
    pub born: Tick,
    /// The sign-in's `auth_time`.
    pub auth_time: UnixTime,
    /// The sign-in's `amr`.
    pub amr: Vec<String>,
    /// The claims that were asked for by name.
    pub claims: ClaimsRequest,
    /// When the last refresh token of this grant ends, whatever its idle limit.
    pub refresh_until: UnixTime,
}

/// What a token request asks of a grant, beyond taking all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// `scope`; none for all that was granted.
    pub scopes: Option<ScopeSet>,
    /// `resource`; empty for all that was granted.
    pub resources: Vec<Resource>,
}

/// How a token request asks for more than was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// `invalid_scope` (RFC 6749, section 6).
    Scope,
    /// `invalid_target` (RFC 8707, section 2.2).
    Resource,
}

impl Grant {
    /// The scopes and resources of the tokens that are asked for: never more than was granted.
    pub fn narrowed(&self, asked: &Asked) -> Result<(ScopeSet, Vec<Resource>), Excess> {
        let scopes = match &asked.scopes {
            None => self.scopes.clone(),
            Some(scopes) if scopes.is_subset(&self.scopes) => scopes.clone(),
            Some(_) => return Err(Excess::Scope),
        };
        if asked.resources.is_empty() {
            return Ok((scopes, self.resources.clone()));
        }
        match asked.resources.iter().all(|resource| self.resources.contains(resource)) {
            true => Ok((scopes, asked.resources.clone())),
            false => Err(Excess::Resource),
        }
    }

    /// Whether it outlives the browser session: `offline_access` was allowed (OpenID Connect Core, section 11).
    pub fn offline(&self) -> bool {
        self.scopes.contains(&Scope::OFFLINE_ACCESS)
    }
}
