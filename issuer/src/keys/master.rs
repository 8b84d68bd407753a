//! The master key: the one secret that an operator keeps. Everything else that the server must keep secret is sealed under it or
//! derived from it under a label of its own.

use std::io::{self, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64ct::{Base64UrlUnpadded, Encoding};
use zeroize::Zeroize;

use crate::secret::{DerivedKey, Secret, random_bytes};

/// The label of the key that seals signing keys.
pub const SEALING: &str = "passant/signing-key-sealing/1";
/// The label of the key that derives refresh-token successors.
pub const REFRESH_SUCCESSORS: &str = "passant/refresh-successors/1";
/// The label of the key behind CSRF tokens.
pub const CSRF: &str = "passant/csrf/1";
/// The label of the key behind the cookies of devices that signed in before.
pub const DEVICES: &str = "passant/devices/1";
/// The label of the key under which the lanes of attempts are named.
pub const LANES: &str = "passant/attempt-lanes/1";
const IDENTITY: &str = "passant/master-key-id/1";

const LONGEST_TEXT: u64 = 1024;

/// The most master keys in one place.
const MOST: usize = 4;

/// 256 bits from a file, an environment variable or a command, and a public name for them.
#[derive(Clone, Debug)]
pub struct MasterKey {
    id: String,
    key: Secret<[u8; 32]>,
}

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The text is not 32 bytes in base64url.
    #[error("a master key is 43 characters of base64url (32 random bytes, without padding); this is not")]
    Malformed,
    /// More than anybody needs.
    #[error("more than {MOST} master keys were given; the one in force and the next are enough")]
    TooMany,
    /// The file's mode lets others in.
    #[error("the master key file {path} can be reached by others than its owner (mode {mode:03o}); run: chmod 600 {path}", path = path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file cannot be read or written.
    #[error("the master key file {path} cannot be {action}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system answered.
        source: io::Error,
    },
    /// The command cannot be run.
    #[error("the master key command cannot be run: {0}")]
    Command(io::Error),
    /// The command ran and failed; its own words are on standard error.
    #[error("the master key command failed ({0})")]
    CommandFailed(std::process::ExitStatus),
}

impl MasterKey {
    /// A new master key from the operating system's random source.
    pub fn random() -> Self {
        Self::from_key(Secret::new(random_bytes()))
    }

    /// The master keys of a text, one to a line.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, MasterKeyError> {
        let keys = text.split_whitespace().map(Self::parse).collect::<Result<Vec<_>, _>>()?;
        match keys.len() {
            0 => Err(MasterKeyError::Malformed),
            1..=MOST => Ok(keys),
            _ => Err(MasterKeyError::TooMany),
        }
    }

    /// A master key from its text; white space around it is ignored.
    pub fn parse(text: &str) -> Result<Self, MasterKeyError> {
        let mut room = [0_u8; 32];
        let whole = Base64UrlUnpadded::decode(text.trim(), &mut room).is_ok_and(|bytes| bytes.len() == 32);
        let key = Secret::new(room);
        room.zeroize();
        if whole { Ok(Self::from_key(key)) } else { Err(MasterKeyError::Malformed) }
    }

    /// The key's public name: 12 characters that tell nothing about it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key as text, for the file that keeps it.
    pub fn to_text(&self) -> Secret<String> {
        Secret::new(Base64UrlUnpadded::encode_string(self.key.expose()))
    }

    /// The key for one purpose.
    pub fn derive(&self, label: &str) -> DerivedKey {
        DerivedKey::derive(&self.key, label)
    }

    fn from_key(key: Secret<[u8; 32]>) -> Self {
        let name = Base64UrlUnpadded::encode_string(&DerivedKey::derive(&key, IDENTITY).mac(&[]));
        Self { id: name.chars().take(12).collect(), key }
    }
}

/// What these master keys are called, for a message.
pub fn names(keys: &[MasterKey]) -> String {
    keys.iter().map(MasterKey::id).collect::<Vec<_>>().join(" and ")
}

/// The master keys that a shell command prints, such as a key vault's client. Waits for the command.
pub(super) fn from_command(command: &str) -> Result<Vec<MasterKey>, MasterKeyError> {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = shell.spawn().map_err(MasterKeyError::Command)?;
    // Taking the pipe closes it after the read, so a command that says too much ends by itself.
    let said = child.stdout.take().map(read_bounded);
    let status = child.wait().map_err(MasterKeyError::Command)?;
    match said {
        _ if !status.success() => Err(MasterKeyError::CommandFailed(status)),
        Some(text) => MasterKey::parse_all(text.map_err(MasterKeyError::Command)?.expose()),
        None => Err(MasterKeyError::Malformed),
    }
}

pub(super) fn read_bounded(source: impl Read) -> io::Result<Secret<String>> {
    let mut text = String::with_capacity(usize::try_from(LONGEST_TEXT).unwrap_or(0));
    let read = source.take(LONGEST_TEXT).read_to_string(&mut text);
    let text = Secret::new(text);
    read.map(|_| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_key_is_43_characters_of_base64url_and_nothing_else() {
        let key = MasterKey::random();
        let text = key.to_text();
        assert_eq!(MasterKey::parse(&format!(" {}\n", text.expose())).unwrap().id(), key.id());
        for wrong in
            ["", "short", &format!("{}=", text.expose()), &format!("{}A", text.expose()), &"A".repeat(44), &"+".repeat(43)]
        {
            assert!(matches!(MasterKey::parse(wrong), Err(MasterKeyError::Malformed)), "{wrong}");
        }
    }

    #[test]
    fn its_name_and_its_debug_form_tell_nothing_of_it() {
        let key = MasterKey::random();
        assert_eq!(key.id().len(), 12);
        assert!(!key.to_text().expose().contains(key.id()));
        assert!(!format!("{key:?}").contains(key.to_text().expose()));
        assert_ne!(key.derive(SEALING).expose(), key.derive(CSRF).expose());
    }

    #[test]
    fn several_keys_come_one_to_a_line_and_no_more_than_four() {
        let keys: Vec<MasterKey> = (0..5).map(|_| MasterKey::random()).collect();
        let text = |most: usize| keys.iter().take(most).map(|key| key.to_text().expose().clone() + "\n").collect::<String>();
        let ids = |keys: &[MasterKey]| keys.iter().map(|key| key.id().to_owned()).collect::<Vec<_>>();
        assert_eq!(ids(&MasterKey::parse_all(&text(4)).unwrap()), ids(&keys[..4]), "in their order");
        assert!(matches!(MasterKey::parse_all(&text(5)), Err(MasterKeyError::TooMany)));
        assert!(matches!(MasterKey::parse_all(" \n"), Err(MasterKeyError::Malformed)));
        assert!(matches!(MasterKey::parse_all(&(text(1) + "x")), Err(MasterKeyError::Malformed)));
    }

    #[test]
    fn a_command_hands_over_the_key_or_fails_in_words() {
        let key = MasterKey::random();
        assert_eq!(from_command(&format!("echo {}", key.to_text().expose())).unwrap()[0].id(), key.id());
        assert!(matches!(from_command("exit 3"), Err(MasterKeyError::CommandFailed(status)) if status.code() == Some(3)));
        assert!(matches!(from_command("echo nothing"), Err(MasterKeyError::Malformed)));
        assert!(from_command("yes").is_err(), "a command that never stops talking is cut off");
    }
}
