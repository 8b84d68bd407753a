//! The file that keeps the master key: its owner's alone, made once, and changed by putting another file in its place as a whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use super::master::read_bounded;
use super::{MasterKey, MasterKeyError};
use crate::secret::random_id;

/// The master keys in a file, which only its owner may reach.
pub fn load(path: &Path) -> Result<Vec<MasterKey>, MasterKeyError> {
    let file = File::open(path).map_err(|source| failed(path, "opened", source))?;
    let mode = file.metadata().map_err(|source| failed(path, "inspected", source))?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(MasterKeyError::Exposed { path: path.to_owned(), mode });
    }
    MasterKey::parse_all(read_bounded(file).map_err(|source| failed(path, "read", source))?.expose())
}

/// Makes a master key, with mode 0600, where there is no such file. Of several processes that start at once, one makes it and all find
/// the same: the file appears under its name whole or not at all, and never replaces another.
pub fn create_if_missing(path: &Path) -> Result<(), MasterKeyError> {
    if path.exists() {
        return Ok(());
    }
    let made =
        with_draft(path, None, &[MasterKey::random()], |draft| fs::hard_link(draft, path).and_then(|()| fs::remove_file(draft)));
    match made {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => Err(failed(path, "created", source)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Puts these keys in the place of those that the file holds: whoever reads finds the old ones or the new ones, whole. The file stays its
/// owner's, whoever changes it; where that cannot be, nothing changes.
pub fn replace(path: &Path, keys: &[MasterKey]) -> Result<(), MasterKeyError> {
    let replaced = owner(path).and_then(|owner| with_draft(path, owner, keys, |draft| fs::rename(draft, path)));
    replaced.map_err(|source| failed(path, "replaced", source))
}

/// Keeps a key that is in force no more beside the file, under its own name: backups from before open with it alone. Where the file
/// lies.
pub fn keep_beside(path: &Path, retired: &MasterKey) -> Result<PathBuf, MasterKeyError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!("{name}.retired-{}", retired.id()));
    let retired = std::slice::from_ref(retired);
    let kept = owner(path).and_then(|owner| with_draft(&beside, owner, retired, |draft| fs::rename(draft, &beside)));
    kept.map(|()| beside.clone()).map_err(|source| failed(&beside, "written", source))
}

/// A user and a group.
type Owner = (u32, u32);

/// Whose file it is, where there is one.
fn owner(path: &Path) -> io::Result<Option<Owner>> {
    match fs::metadata(path) {
        Ok(file) => Ok(Some((file.uid(), file.gid()))),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(why),
    }
}

/// Writes a file beside the one that is meant, lets it take its place, and makes both last.
fn with_draft(
    path: &Path,
    owner: Option<Owner>,
    keys: &[MasterKey],
    place: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let draft = directory.join(format!(".master-key-{}", random_id()));
    let placed = write_new(&draft, owner, keys).and_then(|()| place(&draft));
    if placed.is_err() {
        // What hinders the removal hindered the draft itself, and is told with it.
        drop(fs::remove_file(&draft));
    }
    placed?;
    File::open(directory)?.sync_all()
}

fn write_new(path: &Path, owner: Option<Owner>, keys: &[MasterKey]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let made = file.metadata()?;
    if let Some((user, group)) = owner.filter(|owner| *owner != (made.uid(), made.gid())) {
        fchown(&file, Some(user), Some(group))?;
    }
    for key in keys {
        file.write_all(key.to_text().expose().as_bytes())?;
        file.write_all(b"\n")?;
    }
    file.sync_all()
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

        /// A file with a master key of its own.
        fn with_key(&self) -> PathBuf {
            let path = self.0.join("master.key");
            create_if_missing(&path).unwrap();
            path
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn ids(path: &Path) -> Vec<String> {
        load(path).unwrap().iter().map(|key| key.id().to_owned()).collect()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_new_file_is_its_owners_alone_and_is_found_again() {
        let directory = Directory::new();
        let path = directory.with_key();
        let made = ids(&path);
        assert_eq!(mode(&path), 0o600);
        assert_eq!(ids(&directory.with_key()), made);
        assert_eq!(fs::read_dir(&directory.0).unwrap().count(), 1, "no draft stays behind");
    }

    #[test]
    fn processes_that_start_at_once_get_one_key() {
        let directory = Directory::new();
        let made = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| ids(&directory.with_key()))).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect::<std::collections::HashSet<_>>()
        });
        assert_eq!(made.len(), 1);
        assert_eq!(fs::read_dir(&directory.0).unwrap().count(), 1, "no draft stays behind");
    }

    #[test]
    fn a_file_that_others_can_reach_is_refused_with_the_remedy() {
        let directory = Directory::new();
        let path = directory.with_key();
        for mode in [0o640, 0o604, 0o660, 0o644] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let refusal = load(&path).unwrap_err().to_string();
            assert!(refusal.contains(&format!("chmod 600 {}", path.display())), "{refusal}");
        }
    }

    #[test]
    fn an_empty_file_is_an_error_and_is_not_written_over() {
        let directory = Directory::new();
        let path = directory.0.join("master.key");
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).unwrap();
        create_if_missing(&path).unwrap();
        assert!(matches!(load(&path), Err(MasterKeyError::Malformed)));
        assert_eq!(fs::metadata(&path).unwrap().len(), 0);
    }

    #[test]
    fn another_key_takes_the_old_ones_place_whole_and_the_old_one_is_kept_beside() {
        let directory = Directory::new();
        let path = directory.with_key();
        let (old, new) = (load(&path).unwrap().remove(0), MasterKey::random());
        replace(&path, &[new.clone(), old.clone()]).unwrap();
        assert_eq!((ids(&path), mode(&path)), (vec![new.id().to_owned(), old.id().to_owned()], 0o600));
        let beside = keep_beside(&path, &old).unwrap();
        replace(&path, std::slice::from_ref(&new)).unwrap();
        assert_eq!((ids(&path), ids(&beside), mode(&beside)), (vec![new.id().to_owned()], vec![old.id().to_owned()], 0o600));
        assert_eq!(fs::read_dir(&directory.0).unwrap().count(), 2, "no draft stays behind");
    }

    #[test]
    fn a_file_stays_its_owners_when_another_one_changes_it() {
        let directory = Directory::new();
        let path = directory.with_key();
        let old = load(&path).unwrap().remove(0);
        // Who may not give files away changes none of another's either.
        let given = std::os::unix::fs::chown(&path, Some(4711), Some(4712)).is_ok();
        let before = owner(&path).unwrap();
        assert_eq!(given, before == Some((4711, 4712)));
        replace(&path, &[MasterKey::random()]).unwrap();
        let beside = keep_beside(&path, &old).unwrap();
        assert_eq!((owner(&path).unwrap(), owner(&beside).unwrap()), (before, before));
    }

    #[test]
    fn a_file_that_cannot_be_replaced_stays_as_it_was() {
        let directory = Directory::new();
        let missing = directory.0.join("nowhere/master.key");
        let refusal = replace(&missing, &[MasterKey::random()]).unwrap_err().to_string();
        assert!(refusal.contains("cannot be replaced"), "{refusal}");
    }
}
