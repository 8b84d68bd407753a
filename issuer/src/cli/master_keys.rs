//! `passant keys rotate-master` and `passant keys revoke --all`: another master key. A file is changed by these commands themselves; an
//! environment variable or a command must yield the new key first, with the old one behind it. Wherever it is interrupted, the place
//! holds the master key in force, and the same command goes on.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::answer::{Answer, Failure};
use crate::app::{App, succession};
use crate::keys::{MasterKey, MasterKeyError, master, master_file};

/// How a master key is made by hand.
const BY_HAND: &str = "openssl rand -base64 32 | tr '+/' '-_' | tr -d '='";

/// Another master key for the same signing keys.
pub(super) async fn rotate(app: &App) -> Result<Answer, Failure> {
    let held = Place::open(app).await?;
    let old = app.masters.in_force();
    let (new, resealed) = match held.next(app)? {
        Next::Prepared(new) => (new, true),
        Next::None if held.keys.len() > 1 => (old.clone(), false),
        Next::None => (held.with_fresh(&old)?.ok_or_else(|| held.ask_for_one(&old))?, true),
    };
    if resealed {
        succession::reseal(app, &new).await?;
    }
    let settled = held.settle(&new, Retired::Kept);
    let mut text = match resealed {
        true => {
            format!("The master key {} is in force. Every signing key is sealed under it, and every token lives on.", new.id())
        }
        false => format!("The master key {} was in force already; what an interrupted move had left is tidied up.", new.id()),
    };
    text.push_str(&held.advice(&new));
    for (id, beside) in &settled.kept {
        let beside = beside.display();
        text.push_str(&format!(
            "\nThe old one, {id}, is kept in {beside}: backups from before open with it alone. Delete it once they are gone."
        ));
    }
    let kept: Vec<String> = settled.kept.iter().map(|(_, beside)| beside.display().to_string()).collect();
    let document = json!({ "master_key_id": new.id(), "changed": resealed, "kept": kept });
    Ok(settled.told(Answer { document, text }))
}

/// Another master key, and all signing keys dead but a new one.
pub(super) async fn replace(app: &App, prepared: bool) -> Result<Answer, Failure> {
    let held = Place::open(app).await?;
    let old = app.masters.in_force();
    let new = match held.next(app)? {
        Next::Prepared(new) if prepared || held.file.is_none() => new,
        Next::None if prepared => return Err(held.ask_for_one(&old)),
        // Whatever lay in a file may be stolen with it.
        Next::Prepared(_) | Next::None => held.with_fresh(&old)?.ok_or_else(|| held.ask_for_one(&old))?,
    };
    let replaced = succession::replace(app, &new).await?;
    let settled = held.settle(&new, Retired::Forgotten);
    let signing = app.keys.signing_kid(app.now());
    let dead = replaced.dead.iter().map(|kid| kid.as_str()).collect::<Vec<_>>().join(", ");
    let text = format!(
        "Every signing key is dead: {dead} (tick {}). The master key {} is in force, and the key {} signs now. Sessions and refresh \
         tokens live on; `passant revoke-everything` ends those as well.{}",
        replaced.tick,
        new.id(),
        signing.as_ref().map_or("(none)", |kid| kid.as_str()),
        held.advice(&new)
    );
    let document = json!({ "revoked": replaced.dead, "signing": signing, "master_key_id": new.id() });
    Ok(settled.told(Answer { document, text }.effective(Some(replaced.tick))))
}

/// What became of a file once the database had moved.
struct Settled {
    kept: Vec<(String, PathBuf)>,
    left: Option<String>,
}

impl Settled {
    /// The answer, with what is left to tidy up.
    fn told(self, mut answer: Answer) -> Answer {
        if let Some(left) = self.left {
            answer.text.push_str(&format!("\nThe old master key is still in the file as well: {left}. Take it out by hand."));
            if let Some(members) = answer.document.as_object_mut() {
                members.insert("left".to_owned(), json!(left));
            }
        }
        answer
    }
}

/// What the place of the master keys yields, with nobody else changing a file meanwhile.
struct Place {
    keys: Vec<MasterKey>,
    file: Option<PathBuf>,
    name: String,
    _alone: Option<File>,
}

/// The master key that the place has ready.
enum Next {
    Prepared(MasterKey),
    None,
}

/// What becomes of the old one in a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Retired {
    Kept,
    Forgotten,
}

impl Place {
    async fn open(app: &App) -> Result<Self, Failure> {
        let place = app.masters.place().clone();
        let alone = place.file().map(alone).transpose()?;
        let (file, name) = (place.file().map(Path::to_owned), place.place());
        let keys = tokio::task::spawn_blocking(move || place.read()).await??;
        Ok(Self { keys, file, name, _alone: alone })
    }

    /// A first key that was never in force is the next one.
    fn next(&self, app: &App) -> Result<Next, Failure> {
        let in_force = app.masters.in_force();
        let Some((first, others)) = self.keys.split_first() else { return Ok(Next::None) };
        if first.id() == in_force.id() {
            return match others.iter().find(|key| !app.masters.has_been_used(key)) {
                None => Ok(Next::None),
                Some(stray) => Err(Failure::new(format_args!(
                    "{} yields the master key {} behind the one in force: put it first to move to it, or take it out",
                    self.name,
                    stray.id()
                ))),
            };
        }
        if app.masters.has_been_used(first) {
            return Err(Failure::new(format_args!(
                "the first master key of {} ({}) was in force before, and does not come into force again",
                self.name,
                first.id()
            )));
        }
        Ok(Next::Prepared(first.clone()))
    }

    /// Puts a fresh key into the file, before all that it holds, so that whoever reads it finds the one in force whatever happens next.
    fn with_fresh(&self, old: &MasterKey) -> Result<Option<MasterKey>, Failure> {
        let Some(file) = &self.file else { return Ok(None) };
        let fresh = MasterKey::random();
        master_file::replace(file, &[fresh.clone(), old.clone()]).map_err(|error| {
            Failure::new(format_args!(
                "{error}; nothing has changed. Put a new master key into its first line yourself (`{BY_HAND}`), then run this again \
                 (`keys revoke --all` with --prepared)"
            ))
        })?;
        Ok(Some(fresh))
    }

    /// Leaves the key in force alone in the file. What cannot be tidied up does no harm: the key in force is there.
    fn settle(&self, in_force: &MasterKey, retired: Retired) -> Settled {
        let mut kept = Vec::new();
        let left = self.file.as_ref().and_then(|file| self.tidy(file, in_force, retired, &mut kept).err());
        Settled { kept, left: left.map(|error| error.to_string()) }
    }

    fn tidy(
        &self,
        file: &Path,
        in_force: &MasterKey,
        retired: Retired,
        kept: &mut Vec<(String, PathBuf)>,
    ) -> Result<(), MasterKeyError> {
        if retired == Retired::Kept {
            for old in master_file::load(file)?.iter().filter(|key| key.id() != in_force.id()) {
                kept.push((old.id().to_owned(), master_file::keep_beside(file, old)?));
            }
        }
        master_file::replace(file, std::slice::from_ref(in_force))
    }

    fn ask_for_one(&self, old: &MasterKey) -> Failure {
        Failure::new(format_args!(
            "nothing has changed: {} yields the master key in force, {}, and this command cannot put another one there. Make one \
             (`{BY_HAND}`), put it before the old one, separated by a space or a line end, and run this again",
            self.name,
            old.id()
        ))
    }

    /// What is left to do where this command cannot do it.
    fn advice(&self, in_force: &MasterKey) -> String {
        match &self.file {
            Some(_) => String::new(),
            None => format!(
                "\nNow let {} yield {} alone, here and wherever Passant runs; a server that was started with the old one alone is \
                 not ready until it is started again.",
                self.name,
                master::names(std::slice::from_ref(in_force))
            ),
        }
    }
}

/// Nobody else runs one of these commands on this file: of two at once, one would put away the other's key.
fn alone(file: &Path) -> Result<File, Failure> {
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let refused = |why: &dyn std::fmt::Display| Failure::new(format_args!("{} cannot be locked: {why}", directory.display()));
    let lock = File::open(directory).map_err(|fault| refused(&fault))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(refused(&"another of these commands runs just now")),
        Err(TryLockError::Error(fault)) => Err(refused(&fault)),
    }
}
