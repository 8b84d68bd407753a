//! What `[scopes]` and `[resources]` declare, and the one judgement whether a registration refers to nothing else, wherever it is
//! made.

use std::collections::BTreeMap;

use crate::domain::resource::Resource;
use crate::domain::scope::Scope;

/// The scopes and resources that a registration may refer to.
#[derive(Debug, Clone, Copy)]
pub struct Declared<'a> {
    pub(super) scopes: &'a BTreeMap<Scope, String>,
    pub(super) resources: &'a BTreeMap<Resource, String>,
}

/// A name that nobody declared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undeclared {
    /// Neither a standard scope nor one of the file's.
    #[error("the scope {0} is not declared in [scopes]")]
    Scope(Scope),
    /// None of the file's resources.
    #[error("the resource {0} is not declared in [resources]")]
    Resource(Resource),
}

impl Declared<'_> {
    /// The first of the scopes that is neither a standard one nor declared, and where it stands among them.
    pub fn scopes<'s>(&self, scopes: impl IntoIterator<Item = &'s Scope>) -> Result<(), (usize, Undeclared)> {
        let known = |scope: &Scope| Scope::STANDARD.contains(scope) || self.scopes.contains_key(scope);
        match scopes.into_iter().enumerate().find(|(_, scope)| !known(scope)) {
            Some((at, scope)) => Err((at, Undeclared::Scope(scope.clone()))),
            None => Ok(()),
        }
    }

    /// The first of the resources that is not declared, and where it stands among them.
    pub fn resources<'r>(&self, resources: impl IntoIterator<Item = &'r Resource>) -> Result<(), (usize, Undeclared)> {
        match resources.into_iter().enumerate().find(|(_, resource)| !self.resources.contains_key(*resource)) {
            Some((at, resource)) => Err((at, Undeclared::Resource(resource.clone()))),
            None => Ok(()),
        }
    }
}
