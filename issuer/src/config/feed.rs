//! `[feed]`: who may follow the revocation feed.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

use super::error::ConfigError;
use super::secrets;
use super::source::{Source, Step::Key};
use crate::domain::alarm::OnContradiction;
use crate::secret::{Secret, TokenHash};

/// The most secrets at a time: the new one works before the old one is taken away.
const MOST: usize = 2;

/// `[feed]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// Who may follow; everybody.
    pub access: FeedAccess,
    /// What is done when the database turns out to have been put back in time, beside the alarm; `cut-off`.
    pub on_contradiction: OnContradiction,
}

impl Default for Feed {
    fn default() -> Self {
        Self { access: FeedAccess::Public(vec![]), on_contradiction: OnContradiction::CutOff }
    }
}

/// Who may follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedAccess {
    /// Everybody. The feed names nobody. Who presents a secret with one of these hashes finds a place that was kept.
    Public(Vec<TokenHash>),
    /// Who presents a secret with one of these hashes.
    Bearer(Vec<TokenHash>),
}

#[derive(serde::Deserialize, Clone, Copy, Default)]
#[serde(rename_all = "lowercase")]
enum Access {
    #[default]
    Public,
    Bearer,
}

/// `[feed]` as it stands in the file.
#[derive(serde::Deserialize, Default)]
#[serde(default, deny_unknown_fields, expecting = "a section")]
pub(super) struct FeedSection {
    access: Access,
    bearer_hashes: Hashes,
    bearer_env: Option<String>,
    bearer_file: Option<PathBuf>,
    on_contradiction: Option<OnContradiction>,
}

impl FeedSection {
    /// What can be said without the secrets themselves.
    pub(super) fn judge(self, source: &Source<'_>) -> Result<JudgedFeed, ConfigError> {
        let Self { access, bearer_hashes: Hashes(hashes), bearer_env, bearer_file, on_contradiction } = self;
        let on_contradiction = on_contradiction.unwrap_or(Feed::default().on_contradiction);
        let fault = |reason: &str| Err(source.fault(&[Key("feed"), Key("access")], reason));
        match (access, hashes.len() + usize::from(bearer_env.is_some()) + usize::from(bearer_file.is_some())) {
            (Access::Public, ..=MOST) | (Access::Bearer, 1..=MOST) => {
                Ok(JudgedFeed { access, hashes, bearer_env, bearer_file, on_contradiction })
            }
            (Access::Public, _) => fault("two secrets at most may be given by bearer_hashes, bearer_env and bearer_file"),
            (Access::Bearer, _) => {
                fault("with bearer, one secret or two must be given by bearer_hashes, bearer_env and bearer_file")
            }
        }
    }
}

/// `[feed]` with secrets that nobody has looked for yet: only who serves needs them.
pub(super) struct JudgedFeed {
    access: Access,
    hashes: Vec<TokenHash>,
    bearer_env: Option<String>,
    bearer_file: Option<PathBuf>,
    on_contradiction: OnContradiction,
}

impl JudgedFeed {
    /// With the secrets that the file tells by their hash.
    pub(super) fn without_secrets(&self) -> Feed {
        self.open_to(self.hashes.clone())
    }

    /// With all its secrets, which must be there now.
    pub(super) fn with_secrets(
        &self,
        source: &Source<'_>,
        variable: impl Fn(&str) -> Option<String>,
        read: impl Fn(&Path) -> io::Result<String>,
    ) -> Result<Feed, ConfigError> {
        let fault = |key: &str, reason: String| source.fault(&[Key("feed"), Key(key)], reason);
        let mut hashes = self.hashes.clone();
        if let Some(name) = &self.bearer_env {
            let secret = variable(name).ok_or_else(|| fault("bearer_env", format!("the environment has no variable {name}")))?;
            hashes.push(secrets::of_strong(&Secret::new(secret)).map_err(|why| fault("bearer_env", why.to_owned()))?);
        }
        if let Some(path) = &self.bearer_file {
            let secret =
                read(path).map_err(|error| fault("bearer_file", format!("{} cannot be read: {error}", path.display())))?;
            hashes.push(secrets::of_strong(&Secret::new(secret)).map_err(|why| fault("bearer_file", why.to_owned()))?);
        }
        Ok(self.open_to(hashes))
    }

    fn open_to(&self, hashes: Vec<TokenHash>) -> Feed {
        let access = match self.access {
            Access::Public => FeedAccess::Public(hashes),
            Access::Bearer => FeedAccess::Bearer(hashes),
        };
        Feed { access, on_contradiction: self.on_contradiction }
    }
}

#[derive(Default)]
struct Hashes(Vec<TokenHash>);

impl<'de> Deserialize<'de> for Hashes {
    /// A list, or in a variable of the environment one text with commas.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;

        impl<'de> Visitor<'de> for Written {
            type Value = Hashes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of hashes")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Hashes, E> {
                let texts = text.split(',').map(str::trim).filter(|text| !text.is_empty());
                texts.map(secrets::written).collect::<Result<_, _>>().map(Hashes).map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Hashes, A::Error> {
                let mut hashes = Vec::new();
                while let Some(text) = seq.next_element::<String>()? {
                    hashes.push(secrets::written(&text).map_err(A::Error::custom)?);
                }
                Ok(Hashes(hashes))
            }
        }

        deserializer.deserialize_any(Written)
    }
}
