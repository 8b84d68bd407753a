//! One PostgreSQL cluster for each test process and one database for each test, cloned from a migrated template.
//!
//! The cluster is the harness's own, so a test run needs no server, no password and no port, and leaves nothing behind.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, OnceLock};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::sync::{Mutex, mpsc};

use crate::keeper::Keeper;

/// A database of one test's own. It is removed some time after the value is dropped, whoever is still connected: keep the value
/// for as long as the test needs the database.
#[derive(Debug)]
#[must_use = "the database is removed when this is dropped"]
pub struct Database {
    name: String,
    url: String,
}

impl Database {
    /// The connection URL (`postgres://postgres@localhost/NAME?host=SOCKET_DIRECTORY`), as sqlx reads it.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // After the last test there may be nobody left to listen; the whole cluster goes then.
        let _ = REMOVALS.send(std::mem::take(&mut self.name));
    }
}

/// A new database with the contents of `template`, which `fill` makes, given its URL, the first time that the name is used in
/// this process.
///
/// Panics with a sentence that says what to do when there is no PostgreSQL server on this machine.
pub async fn database<F, Filled>(template: &str, fill: F) -> Database
where
    F: FnOnce(String) -> Filled,
    Filled: Future<Output = ()>,
{
    static TEMPLATES: Mutex<BTreeSet<String>> = Mutex::const_new(BTreeSet::new());
    static SERIAL: AtomicU64 = AtomicU64::new(1);

    let cluster = cluster().await;
    // Held to the end: PostgreSQL clones a template only while nobody is connected to it.
    let mut templates = TEMPLATES.lock().await;
    let mut admin = cluster.connect("postgres").await;
    let source = format!("template_{template}");
    if !templates.contains(template) {
        // A fill that panicked may have left half a template.
        execute(&mut admin, &format!(r#"DROP DATABASE IF EXISTS "{source}" WITH (FORCE)"#)).await;
        execute(&mut admin, &format!(r#"CREATE DATABASE "{source}""#)).await;
        fill(cluster.url(&source)).await;
        execute(&mut admin, &format!(r#"ALTER DATABASE "{source}" ALLOW_CONNECTIONS false"#)).await;
        execute(&mut admin, &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{source}'")).await;
        templates.insert(template.to_owned());
    }
    let name = format!("{template}_{}", SERIAL.fetch_add(1, Ordering::Relaxed));
    execute(&mut admin, &format!(r#"CREATE DATABASE "{name}" TEMPLATE "{source}""#)).await;
    Database { url: cluster.url(&name), name }
}

/// The directory that holds the cluster of this process: its data, its log (`log`) and its socket.
pub async fn directory() -> &'static Path {
    &cluster().await.directory
}

struct Cluster {
    directory: PathBuf,
    _keeper: Keeper,
}

async fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    match tokio::task::spawn_blocking(|| CLUSTER.get_or_init(Cluster::start)).await {
        Ok(cluster) => cluster,
        Err(failure) => std::panic::resume_unwind(failure.into_panic()),
    }
}

impl Cluster {
    fn start() -> Self {
        let programs = programs();
        let owner = if is_root() { "root" } else { "self" };
        let (keeper, directory) = Keeper::start(KEEP_CLUSTER, &[programs.to_str().expect("a UTF-8 path"), owner], "ready ");
        Self { directory: directory.into(), _keeper: keeper }
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.directory.display())
    }

    async fn connect(&self, database: &str) -> PgConnection {
        PgConnection::connect(&self.url(database)).await.expect("the cluster accepts connections")
    }
}

async fn execute(connection: &mut PgConnection, sql: &str) {
    connection.execute(AssertSqlSafe(sql)).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Removes the databases of finished tests on a thread of its own: a destructor cannot await, and no test should wait for it.
static REMOVALS: LazyLock<mpsc::UnboundedSender<String>> = LazyLock::new(|| {
    let (sender, mut names) = mpsc::unbounded_channel::<String>();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
        runtime.block_on(async {
            while let Some(name) = names.recv().await {
                let Ok(mut admin) = PgConnection::connect(&cluster().await.url("postgres")).await else { continue };
                // Best effort: the cluster itself is about to go anyway.
                let _ = admin.execute(AssertSqlSafe(format!(r#"DROP DATABASE "{name}" WITH (FORCE)"#))).await;
            }
        });
    });
    sender
});

/// The directory of the newest PostgreSQL server's programs.
fn programs() -> PathBuf {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().filter_map(|version| {
        let number = version.file_name().to_str()?.parse::<u32>().ok()?;
        Some((number, version.path().join("bin")))
    });
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    debian
        .chain(std::env::split_paths(&on_path).map(|directory| (0, directory)))
        .filter(|(_, directory)| ["initdb", "pg_ctl", "postgres"].iter().all(|program| directory.join(program).is_file()))
        .max_by_key(|(number, _)| *number)
        .map(|(_, directory)| directory)
        .expect("PostgreSQL's server is not installed (no initdb, pg_ctl and postgres): run ./tests/run, which installs it")
}

/// PostgreSQL refuses to run as root; the keeper then runs it as the user `postgres`, which Debian's package creates.
fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// The keeper makes the cluster as well as ending it, so that there is no moment at which a killed test process leaves
/// something behind. The directory's name is short because a socket's path may have only 107 bytes.
///
/// Nothing survives a run, so nothing is synced to disk; `synchronous_commit` stays on because the product insists on it.
const KEEP_CLUSTER: &str = r#"
programs=$1
as_owner() { "$@"; }
directory=$(mktemp -d /tmp/psnt-XXXXXX) || exit 1
if [ "$2" = root ]; then
    as_owner() { setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }
    chown postgres:postgres "$directory" || echo "there is no user postgres: run ./tests/run"
fi
{
    as_owner "$programs/initdb" --pgdata="$directory/data" --auth=trust --username=postgres --encoding=UTF8 --locale=C --no-sync \
        --no-instructions &&
    cat >>"$directory/data/postgresql.conf" <<SETTINGS &&
listen_addresses = ''
unix_socket_directories = '$directory'
max_connections = 300
shared_buffers = 32MB
fsync = off
full_page_writes = off
synchronous_commit = on
deadlock_timeout = 200ms
SETTINGS
    as_owner "$programs/pg_ctl" start --wait --pgdata="$directory/data" --log="$directory/log"
} >"$directory/start" 2>&1 && echo "ready $directory" && await_end_of_tests || cat "$directory/start" "$directory/log"
as_owner "$programs/pg_ctl" stop --wait --mode=immediate --pgdata="$directory/data" >/dev/null
rm -rf "$directory"
"#;
