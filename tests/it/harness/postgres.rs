//! The cluster of the test process, its databases, and what is left of them afterwards.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use passant_tests::postgres::{Database, database, directory};
use sqlx::{Connection, PgConnection, Row};

async fn cities() -> Database {
    database("cities", async |url: String| {
        let mut connection = PgConnection::connect(&url).await.unwrap();
        sqlx::raw_sql("CREATE TABLE cities (name TEXT); INSERT INTO cities VALUES ('Sheffield')")
            .execute(&mut connection)
            .await
            .unwrap();
        // Left open on purpose: a pool that closes late must not keep the template from being cloned.
        std::mem::forget(connection);
    })
    .await
}

async fn connect(database: &Database) -> PgConnection {
    PgConnection::connect(database.url()).await.unwrap()
}

#[tokio::test]
async fn each_database_is_a_clone_of_its_own() {
    let (one, other) = tokio::join!(cities(), cities());
    let (mut one, mut other) = (connect(&one).await, connect(&other).await);
    sqlx::raw_sql("INSERT INTO cities VALUES ('Birmingham')").execute(&mut one).await.unwrap();
    let names = sqlx::query("SELECT name FROM cities").fetch_all(&mut other).await.unwrap();
    assert_eq!(names.iter().map(|row| row.get(0)).collect::<Vec<String>>(), ["Sheffield"]);
}

#[tokio::test]
async fn commits_are_synchronous_as_the_product_demands() {
    let mut connection = connect(&cities().await).await;
    let setting: String = sqlx::query("SHOW synchronous_commit").fetch_one(&mut connection).await.unwrap().get(0);
    assert_eq!(setting, "on");
}

/// Plays both parts: run again with the variable set, it is the process that gets killed.
#[tokio::test]
async fn a_killed_process_leaves_no_server_and_no_directory() {
    const VICTIM: &str = "PASSANT_TESTS_VICTIM";
    if std::env::var_os(VICTIM).is_some() {
        let _database = cities().await;
        // A child that outlives its parent must not keep the cluster alive by an inherited pipe.
        let sleeper = Command::new("sleep").arg("600").stdout(Stdio::null()).spawn().unwrap();
        println!("\nvictim {} {}", sleeper.id(), directory().await.display());
        std::future::pending::<()>().await;
    }
    let name = "harness::postgres::a_killed_process_leaves_no_server_and_no_directory";
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (sleeper, directory) = announced(&mut victim);
    let server = std::fs::read_to_string(format!("{directory}/data/postmaster.pid")).unwrap();
    let server = format!("/proc/{}", server.lines().next().unwrap());
    assert!(Path::new(&server).exists());

    victim.kill().unwrap();
    victim.wait().unwrap();
    let gone = is_gone(&directory) && is_gone(&server);
    Command::new("kill").arg(sleeper).status().unwrap();
    assert!(gone, "{directory} or {server} is still there");
}

fn announced(victim: &mut Child) -> (String, String) {
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.find_map(|line| line.strip_prefix("victim ").map(str::to_owned)).expect("the victim starts its cluster");
    let (sleeper, directory) = line.split_once(' ').unwrap();
    (sleeper.to_owned(), directory.to_owned())
}

/// Looks again and again for at most ten seconds: nobody is left whom the keeper of a dead process could tell.
fn is_gone(path: &str) -> bool {
    (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        !Path::new(path).exists()
    })
}
