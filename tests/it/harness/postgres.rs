//! The cluster of the test process, and its databases.

use passant_tests::postgres::{Database, database};
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
    let database = cities().await;
    let mut connection = connect(&database).await;
    let setting: String = sqlx::query("SHOW synchronous_commit").fetch_one(&mut connection).await.unwrap().get(0);
    assert_eq!(setting, "on");
}
