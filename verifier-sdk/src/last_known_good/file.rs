//! The file itself: read only if it is ours alone, written so that a crash leaves the old one or the new one and nothing between.

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::Unusable;

/// A larger file is not read.
const MAX_LEN: u64 = 64 * 1024 * 1024;

/// The file's text; `None` where there is no file.
#[cfg(unix)]
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, Unusable> {
    use std::os::unix::fs::MetadataExt as _;

    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if !found.is_file() {
        return Err(Unusable::Untrusted("it is a link, or no file at all"));
    }
    let file = File::open(path)?;
    let opened = file.metadata()?;
    if (opened.dev(), opened.ino()) != (found.dev(), found.ino()) {
        return Err(Unusable::Untrusted("it was exchanged while it was opened"));
    }
    if opened.mode() & 0o177 != 0 {
        return Err(Unusable::Untrusted("others than its owner may use it; its mode must be 0600"));
    }
    if opened.uid() != own_uid(path)? {
        return Err(Unusable::Untrusted("it belongs to another user"));
    }
    let mut text = Vec::new();
    file.take(MAX_LEN + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_LEN { Err(Unusable::Untrusted("it is larger than 64 MiB")) } else { Ok(Some(text)) }
}

/// Whom the files that this process makes belong to.
#[cfg(unix)]
fn own_uid(path: &Path) -> io::Result<u32> {
    use std::os::unix::fs::MetadataExt as _;

    let (mine, at) = create_beside(path)?;
    let uid = mine.metadata().map(|mine| mine.uid());
    fs::remove_file(at)?;
    uid
}

#[cfg(not(unix))]
pub(crate) fn read(_: &Path) -> Result<Option<Vec<u8>>, Unusable> {
    Err(Unusable::Untrusted("who may use a file is checked on Unix only"))
}

/// Writes the file whole or not at all.
pub(crate) fn write(path: &Path, text: &str) -> io::Result<()> {
    let (mut file, at) = create_beside(path)?;
    let outcome = file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&at, path));
    if outcome.is_err() {
        let _ = fs::remove_file(&at);
    }
    outcome?;
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

/// A new file for us alone, in the same folder and under a name that nobody else has.
fn create_beside(path: &Path) -> io::Result<(File, PathBuf)> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{:016x}.tmp", RandomState::new().hash_one(0)));
    let at = path.with_file_name(name);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    Ok((options.open(&at)?, at))
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn folder() -> PathBuf {
        let folder = std::env::temp_dir().join(format!("passant-verifier-{:016x}", RandomState::new().hash_one(0)));
        fs::create_dir(&folder).unwrap();
        folder
    }

    #[test]
    fn what_is_written_is_read_back_and_is_the_owners_alone() {
        let folder = folder();
        let path = folder.join("kept");
        assert!(read(&path).unwrap().is_none());
        for text in ["one", "two", ""] {
            write(&path, text).unwrap();
            assert_eq!(read(&path).unwrap().unwrap(), text.as_bytes());
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["kept"], "nothing else is left behind");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_others_could_have_written_or_read_is_not_read() {
        let folder = folder();
        let path = folder.join("kept");
        write(&path, "text").unwrap();
        for mode in [0o640, 0o604, 0o620, 0o602, 0o700, 0o644] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(read(&path), Err(Unusable::Untrusted(_))), "{mode:o}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let link = folder.join("link");
        symlink(&path, &link).unwrap();
        assert!(matches!(read(&link), Err(Unusable::Untrusted(_))));
        assert!(matches!(read(&folder), Err(Unusable::Untrusted(_))));
        write(&link, "new").unwrap();
        assert_eq!(
            (fs::read(&path).unwrap(), fs::read(&link).unwrap()),
            (b"text".to_vec(), b"new".to_vec()),
            "the link is replaced"
        );
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_without_end_is_not_read() {
        let folder = folder();
        let path = folder.join("kept");
        write(&path, "").unwrap();
        OpenOptions::new().write(true).open(&path).unwrap().set_len(MAX_LEN + 1).unwrap();
        assert!(matches!(read(&path), Err(Unusable::Untrusted(_))));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_other() {
        let folder = folder();
        let path = folder.join("kept");
        fs::create_dir(&path).unwrap();
        assert!(write(&path, "text").is_err());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(folder).unwrap();
    }
}
