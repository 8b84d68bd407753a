//! The master key: the one secret that an operator keeps. Everything else that the server must keep secret is sealed under it or
//! derived from it under a label of its own.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64ct::{Base64UrlUnpadded, Encoding};
use zeroize::Zeroize;

use crate::secret::{DerivedKey, Secret, random_bytes, random_id};

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

    /// A master key from its text; white space around it is ignored.
    pub fn parse(text: &str) -> Result<Self, MasterKeyError> {
        let mut room = [0_u8; 32];
        let whole = Base64UrlUnpadded::decode(text.trim(), &mut room).is_ok_and(|bytes| bytes.len() == 32);
        let key = Secret::new(room);
        room.zeroize();
        if whole { Ok(Self::from_key(key)) } else { Err(MasterKeyError::Malformed) }
    }

    /// The master key in a file, which only its owner may reach.
    pub fn load(path: &Path) -> Result<Self, MasterKeyError> {
        let file = File::open(path).map_err(|source| failed(path, "opened", source))?;
        let mode = file.metadata().map_err(|source| failed(path, "inspected", source))?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(MasterKeyError::Exposed { path: path.to_owned(), mode });
        }
        Self::parse(read_bounded(file).map_err(|source| failed(path, "read", source))?.expose())
    }

    /// The master key in a file; made, with mode 0600, where there is none. Of several processes that start at once, one makes
    /// it and all get the same: the file appears under its name whole or not at all, and never replaces another.
    pub fn load_or_create(path: &Path) -> Result<Self, MasterKeyError> {
        match Self::load(path) {
            Err(MasterKeyError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            found => return found,
        }
        match create(path, &Self::random()) {
            Ok(()) => {}
            Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(failed(path, "created", source)),
        }
        Self::load(path)
    }

    /// The master key that a shell command prints, such as a key vault's client. Waits for the command.
    pub fn from_command(command: &str) -> Result<Self, MasterKeyError> {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(command).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = shell.spawn().map_err(MasterKeyError::Command)?;
        // Taking the pipe closes it after the read, so a command that says too much ends by itself.
        let said = child.stdout.take().map(read_bounded);
        let status = child.wait().map_err(MasterKeyError::Command)?;
        match said {
            _ if !status.success() => Err(MasterKeyError::CommandFailed(status)),
            Some(text) => Self::parse(text.map_err(MasterKeyError::Command)?.expose()),
            None => Err(MasterKeyError::Malformed),
        }
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

fn create(path: &Path, key: &MasterKey) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let draft = directory.join(format!(".master-key-{}", random_id()));
    let placed = write_new(&draft, key).and_then(|()| fs::hard_link(&draft, path));
    let removed = fs::remove_file(&draft);
    placed.and(removed)?;
    File::open(directory)?.sync_all()
}

fn write_new(path: &Path, key: &MasterKey) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(key.to_text().expose().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

fn read_bounded(source: impl Read) -> io::Result<Secret<String>> {
    let mut text = String::with_capacity(usize::try_from(LONGEST_TEXT).unwrap_or(0));
    let read = source.take(LONGEST_TEXT).read_to_string(&mut text);
    let text = Secret::new(text);
    read.map(|_| text)
}

fn failed(path: &Path, action: &'static str, source: io::Error) -> MasterKeyError {
    MasterKeyError::File { path: path.to_owned(), action, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    struct Directory(PathBuf);

    impl Directory {
        fn new() -> Self {
            let path = std::env::temp_dir().join(format!("passant-master-{}", random_id()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

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
    fn a_new_file_is_its_owners_alone_and_is_found_again() {
        let directory = Directory::new();
        let path = directory.0.join("master.key");
        let made = MasterKey::load_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(MasterKey::load_or_create(&path).unwrap().id(), made.id());
        assert_eq!(fs::read_dir(&directory.0).unwrap().count(), 1, "no draft stays behind");
    }

    #[test]
    fn processes_that_start_at_once_get_one_key() {
        let directory = Directory::new();
        let path = directory.0.join("master.key");
        let ids = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| MasterKey::load_or_create(&path).unwrap().id)).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect::<std::collections::HashSet<_>>()
        });
        assert_eq!(ids.len(), 1);
    }

    #[test]
    fn a_file_that_others_can_reach_is_refused_with_the_remedy() {
        let directory = Directory::new();
        let path = directory.0.join("master.key");
        MasterKey::load_or_create(&path).unwrap();
        for mode in [0o640, 0o604, 0o660, 0o644] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let refusal = MasterKey::load_or_create(&path).unwrap_err().to_string();
            assert!(refusal.contains(&format!("chmod 600 {}", path.display())), "{refusal}");
        }
    }

    #[test]
    fn an_empty_file_is_an_error_and_is_not_written_over() {
        let directory = Directory::new();
        let path = directory.0.join("master.key");
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).unwrap();
        assert!(matches!(MasterKey::load_or_create(&path), Err(MasterKeyError::Malformed)));
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
    }

    #[test]
    fn a_command_hands_over_the_key_or_fails_in_words() {
        let key = MasterKey::random();
        assert_eq!(MasterKey::from_command(&format!("echo {}", key.to_text().expose())).unwrap().id(), key.id());
        assert!(
            matches!(MasterKey::from_command("exit 3"), Err(MasterKeyError::CommandFailed(status)) if status.code() == Some(3))
        );
        assert!(matches!(MasterKey::from_command("echo nothing"), Err(MasterKeyError::Malformed)));
        assert!(MasterKey::from_command("yes").is_err(), "a command that never stops talking is cut off");
    }
}
