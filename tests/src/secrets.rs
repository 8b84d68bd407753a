//! A watch for secrets that turn up where they must not: in logs, answers, and the databases themselves.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Mutex;

use aho_corasick::AhoCorasick;
use base64ct::{Base64Unpadded, Base64UrlUnpadded, Encoding};
use futures_util::StreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

/// Every secret that a test handed out or was given, to be looked for afterwards. Shared between tasks by reference.
#[derive(Default)]
pub struct SecretCollector(Mutex<Vec<(String, Vec<u8>)>>);

/// A secret found where none may be. It names the secret and never shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leak {
    /// What the secret was collected as.
    pub label: String,
    /// How it was written: `plain`, `base64`, `base64url` or `hex`.
    pub encoding: &'static str,
    /// What was searched.
    pub haystack: String,
    /// Where it begins, in bytes.
    pub offset: usize,
}

impl SecretCollector {
    /// Remembers a secret under a name that may be printed.
    ///
    /// Panics when it is shorter than 16 bytes: what is so short turns up by chance.
    pub fn collect(&self, label: impl Into<String>, secret: impl AsRef<[u8]>) {
        let (label, secret) = (label.into(), secret.as_ref().to_vec());
        assert!(secret.len() >= 16, "{label}: {} bytes are too short to be looked for", secret.len());
        self.0.lock().unwrap().push((label, secret));
    }

    /// Every place in `bytes` that holds a collected secret, as it is or encoded.
    ///
    /// Base64, base64url and hexadecimal are recognised, also inside a longer encoded value.
    pub fn scan(&self, haystack: &str, bytes: &[u8]) -> Vec<Leak> {
        let secrets = self.0.lock().unwrap();
        let patterns: Vec<(&str, &'static str, Vec<u8>)> = secrets
            .iter()
            .flat_map(|(label, secret)| {
                spellings(secret).into_iter().map(move |(encoding, text)| (label.as_str(), encoding, text))
            })
            .collect();
        let finder = AhoCorasick::new(patterns.iter().map(|(_, _, text)| text)).expect("the secrets fit an automaton");
        let leak = |found: aho_corasick::Match| {
            let (label, encoding, _) = &patterns[found.pattern().as_usize()];
            Leak { label: (*label).to_owned(), encoding, haystack: haystack.to_owned(), offset: found.start() }
        };
        finder.find_overlapping_iter(bytes).map(leak).collect()
    }
}

impl fmt::Debug for SecretCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels: Vec<String> = self.0.lock().unwrap().iter().map(|(label, _)| label.clone()).collect();
        f.debug_tuple("SecretCollector").field(&labels).finish()
    }
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}) in {} at byte {}", self.label, self.encoding, self.haystack, self.offset)
    }
}

/// The ways to write a secret, each once. Base64 is taken at its three alignments and without the characters that neighbours
/// have a part in, so that a secret is also found inside a longer encoded value, such as `Basic` credentials.
fn spellings(secret: &[u8]) -> BTreeSet<(&'static str, Vec<u8>)> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut spellings = BTreeSet::from([("hex", hex.to_uppercase().into_bytes()), ("hex", hex.into_bytes())]);
    spellings.insert(("plain", secret.to_vec()));
    for (neighbours, touched) in [(0, 0), (1, 2), (2, 3)] {
        let aligned = [&[0; 2][..neighbours], secret].concat();
        let whole = &aligned[..aligned.len() - aligned.len() % 3];
        let base64 = Base64Unpadded::encode_string(whole).split_off(touched);
        let base64url = Base64UrlUnpadded::encode_string(whole).split_off(touched);
        if base64url != base64 {
            spellings.insert(("base64url", base64url.into_bytes()));
        }
        spellings.insert(("base64", base64.into_bytes()));
    }
    spellings
}

/// The contents of every table of a PostgreSQL database as text, a line for each row.
pub async fn dump_postgres(url: &str) -> Vec<u8> {
    let mut connection = PgConnection::connect(url).await.expect("the database accepts connections");
    let tables = sqlx::query(
        "SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) FROM information_schema.tables \
         WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1",
    )
    .fetch_all(&mut connection)
    .await
    .expect("the tables are listed");
    let mut dump = Vec::new();
    for table in tables {
        let table: String = table.get(0);
        let sql = format!("COPY {table} TO STDOUT");
        let mut copy = connection.copy_out_raw(&sql).await.unwrap_or_else(|error| panic!("{table}: {error}"));
        dump.extend_from_slice(format!("-- {table}\n").as_bytes());
        while let Some(piece) = copy.next().await {
            dump.extend_from_slice(&piece.expect("the table is read to its end"));
        }
    }
    dump
}

/// The contents of every table of a SQLite database as SQL literals, a line for each row, and the raw bytes of the database's
/// file and write-ahead log, where deleted rows may linger.
pub async fn dump_sqlite(path: &Path) -> Vec<u8> {
    let mut connection = open_sqlite(path).await;
    let mut dump = literals(&mut connection).await;
    // Read while the connection is open: closing the last one would fold the log into the file.
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    dump.extend(std::fs::read(path).expect("the database's file can be read"));
    dump.extend(std::fs::read(log).unwrap_or_default());
    connection.close().await.expect("the database closes");
    dump
}

/// The contents of every table of a SQLite database as SQL literals alone.
pub async fn rows_of_sqlite(path: &Path) -> Vec<u8> {
    literals(&mut open_sqlite(path).await).await
}

async fn open_sqlite(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path);
    SqliteConnection::connect_with(&options).await.expect("the database opens")
}

async fn literals(connection: &mut SqliteConnection) -> Vec<u8> {
    let columns = sqlx::query(
        "SELECT '\"' || replace(t.name, '\"', '\"\"') || '\"', group_concat('quote(\"' || replace(c.name, '\"', '\"\"') || '\")', ' || '','' || ') \
         FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' GROUP BY t.name ORDER BY t.name",
    )
    .fetch_all(&mut *connection)
    .await
    .expect("the tables are listed");
    let mut dump = Vec::new();
    for table in columns {
        let (table, row): (String, String) = (table.get(0), table.get(1));
        let rows = sqlx::query(AssertSqlSafe(format!("SELECT {row} FROM {table}"))).fetch_all(&mut *connection).await;
        dump.extend_from_slice(format!("-- {table}\n").as_bytes());
        for row in rows.unwrap_or_else(|error| panic!("{table}: {error}")) {
            dump.extend_from_slice(row.get::<String, _>(0).as_bytes());
            dump.push(b'\n');
        }
    }
    dump
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64, Base64UrlUnpadded, Encoding};

    use super::SecretCollector;

    const SECRET: &str = "psr_~~~???>>>_0123456789abcdef";

    fn encodings_found(text: &str) -> Vec<&'static str> {
        let collector = SecretCollector::default();
        collector.collect("refresh token", SECRET);
        collector.collect("unrelated", "psr_which_is_nowhere_to_be_seen");
        let leaks = collector.scan("a log", text.as_bytes());
        assert!(leaks.iter().all(|leak| leak.label == "refresh token" && leak.haystack == "a log"));
        leaks.iter().map(|leak| leak.encoding).collect()
    }

    #[test]
    fn a_secret_is_found_however_it_is_written() {
        assert_eq!(encodings_found(&format!("token={SECRET}&")), ["plain"]);
        let hex: String = SECRET.bytes().map(|byte| format!("{byte:02X}")).collect();
        assert_eq!(encodings_found(&hex), ["hex"]);
        for neighbour in ["", "a", "ab", "abc"] {
            let text = format!("{neighbour}{SECRET}{neighbour}");
            assert_eq!(encodings_found(&Base64::encode_string(text.as_bytes())), ["base64"], "{neighbour}");
            assert_eq!(encodings_found(&Base64UrlUnpadded::encode_string(text.as_bytes())), ["base64url"], "{neighbour}");
        }
    }

    #[test]
    fn a_clean_text_has_no_leak() {
        assert!(encodings_found("psr_~~~???>>>_0123456789abcdeX").is_empty());
    }

    #[test]
    fn nothing_prints_a_secret() {
        let collector = SecretCollector::default();
        collector.collect("refresh token", SECRET);
        let leaks = collector.scan("a log", SECRET.as_bytes());
        let printed = format!("{collector:?} {leaks:?} {}", leaks[0]);
        assert!(collector.scan("printed", printed.as_bytes()).is_empty(), "{printed}");
        assert!(printed.contains("refresh token"));
    }

    #[test]
    #[should_panic(expected = "too short")]
    fn a_short_secret_is_refused() {
        SecretCollector::default().collect("pin", "1234");
    }
}
